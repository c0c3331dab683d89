"""Recordings of the things that tasks do, and the forms that they can take.

`docs/trace-format.md` defines a recording; `Trace` is one in Python. The modules beside it turn one
into other forms.
"""

from greenloop.tracing.document import Trace as Trace
