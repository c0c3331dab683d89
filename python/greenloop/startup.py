"""`python -m greenloop.startup`: Greenloop in every interpreter of an environment, or no longer.

Servers and supervisors start interpreters by commands that one may not be able to change. As
coverage and tracing products do, `enable` writes a `.pth` file, which the interpreter's `site`
module reads at its start; `disable` takes it away. Greenloop is installed when asyncio is imported
for the first time, so an interpreter that does not use asyncio imports neither.
"""

import argparse
import os
import sys
import sysconfig
from collections.abc import Sequence

_FILE = "greenloop-startup.pth"
# One line, as `site` wants it, which may read it twice (lib and lib64). It has no effect when
# Greenloop has been uninstalled. The module is loaded alone: the package would import asyncio.
_LINE = (
    "import sys, importlib.machinery as m, importlib.util as u; "
    "k = 'greenloop.import_hook'; "
    "p = m.PathFinder.find_spec('greenloop'); "
    "s = p and p.origin and k not in sys.modules"
    " and u.spec_from_file_location(k, p.origin.replace('__init__', 'import_hook')); "
    "s and (sys.modules.setdefault(k, u.module_from_spec(s)),"
    " s.loader.exec_module(sys.modules[k]), sys.modules[k].install_on_demand())\n"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out the command line; end with an error in a line if that is impossible."""
    parser = argparse.ArgumentParser(prog="python -m greenloop.startup", description=_DESCRIPTION)
    parser.add_argument("command", choices=["enable", "disable", "status"])
    command = parser.parse_args(arguments).command
    path = _path()
    try:
        if command == "enable":
            with open(path, "w", encoding="utf-8") as file:
                file.write(_LINE)
        elif command == "disable" and os.path.exists(path):
            os.remove(path)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {path} cannot be changed: {error.strerror}\n")
    print(_WORDS[is_enabled()].format(python=sys.executable, path=path))


def is_enabled() -> bool:
    """Return whether the interpreters of this environment run on Greenloop."""
    return os.path.exists(_path())


def _path() -> str:
    return os.path.join(sysconfig.get_path("purelib"), _FILE)


_DESCRIPTION = (
    "Have every interpreter of this environment run asyncio programs on Greenloop, as `python -m "
    "greenloop` does (enable), or no longer (disable), or say which (status)."
)
_WORDS = {
    True: "enabled: programs of {python} run on Greenloop ({path})",
    False: "disabled: programs of {python} run on asyncio unless they say otherwise",
}

if __name__ == "__main__":
    main()
