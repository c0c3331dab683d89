"""`python -m greenloop`: see `greenloop.launcher`.

Commands are in `tracing`, `monitoring`, `watching` and `diagnosis`.

The extension is told the launcher's file, so that the stacks of debug mode begin where the program
does. Nothing may follow the call: the launcher empties this very namespace, because it is the one
in which the program runs.
"""

import sys

from greenloop import _native, launcher

_native._set_launcher_file(launcher.__file__)
match sys.argv[1:]:
    case ["ps" | "tree" | "stalls" | "metrics" | "top", *_]:
        from greenloop.monitoring import command as asking

        asking.run(sys.argv[1:])
    case ["watch", *_]:
        from greenloop.watching import launching

        launching.run(sys.argv[2:], launcher.launch)
    case ["trace", number, *_] if number.isascii() and number.isdecimal():
        from greenloop.monitoring import recording

        recording.run(sys.argv[2:])
    case ["trace", *_]:
        from greenloop.tracing import command as tracing

        tracing.run(sys.argv[2:], launcher.launch)
    case ["doctor", *_]:
        from greenloop.diagnosis import command as doctor

        doctor.run(sys.argv[2:], launcher.launch)
    case _:
        launcher.launch(sys.argv[1:])
