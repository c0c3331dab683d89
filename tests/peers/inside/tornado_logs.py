"""A pytest plugin that silences Tornado's log of requests, as Tornado's own runner does.

Its tests fail on every line that they did not expect to be logged.
"""

import logging

logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
