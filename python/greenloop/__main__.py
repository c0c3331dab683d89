"""`python -m greenloop`: see `greenloop.launcher`.

Nothing may follow the call: the launcher empties this very namespace, because it is the one in
which the program runs.
"""

import sys

from greenloop.launcher import launch

launch(sys.argv[1:])
