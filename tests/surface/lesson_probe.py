"""Runs a program under the launcher and writes down which of asyncio's Python primitives ran.

    python -c 'import lesson_probe; lesson_probe.main()' REPORT SCRIPT [ARGUMENT ...]

It cannot be a script itself: the launcher gives the `__main__` module to the program.
"""

import json
import sys

from native_primitives import PRIMITIVES, codes_of

from greenloop.launcher import launch


def main():
    report, *command = sys.argv[1:]
    # Looked up before the launcher installs anything.
    names = {code: name for name in PRIMITIVES for code in codes_of(name)}
    ran = set()

    def observe(frame, event, _):
        if event == "call" and frame.f_code in names:
            ran.add(names[frame.f_code])

    sys.setprofile(observe)
    try:
        launch(command)
    finally:
        sys.setprofile(None)
        with open(report, "w") as file:
            json.dump(sorted(ran), file)
