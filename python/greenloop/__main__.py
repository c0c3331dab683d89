"""`python -m greenloop`: see `greenloop.launcher`.

For `trace` see `greenloop.tracing.command`, and for `doctor` `greenloop.diagnosis.command`.

The extension is told the launcher's file, so that the stacks of debug mode begin where the program
does. Nothing may follow the call: the launcher empties this very namespace, because it is the one
in which the program runs.
"""

import sys

from greenloop import _native, launcher

_native._set_launcher_file(launcher.__file__)
if sys.argv[1:2] == ["trace"]:
    from greenloop.tracing import command

    command.run(sys.argv[2:], launcher.launch)
elif sys.argv[1:2] == ["doctor"]:
    from greenloop.diagnosis import command as doctor

    doctor.run(sys.argv[2:], launcher.launch)
else:
    launcher.launch(sys.argv[1:])
