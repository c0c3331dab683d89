"""Recordings of what tasks do, and what can be made of them.

`docs/trace-format.md` defines a recording; `Trace` is one in Python. The modules beside it turn one
into other forms.
"""

from greenloop.tracing.document import Trace as Trace
