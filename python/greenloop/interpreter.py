"""Which interpreters Greenloop runs on, and the words with which it refuses the others.

The check runs before the extension is loaded: an extension built for another interpreter fails
with "No module named greenloop._native", which suggests no remedy.
"""

import sys
import sysconfig

OLDEST_PYTHON = (3, 11)


def refuse_unsupported_interpreter() -> None:
    """Raise ImportError, saying why, on an interpreter that Greenloop cannot run on."""
    refusal = _reason_to_refuse(
        implementation=sys.implementation.name,
        version=sys.version_info[:2],
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    )
    if refusal is not None:
        raise ImportError(f"Greenloop {refusal}", name="greenloop")


def _reason_to_refuse(
    *, implementation: str, version: tuple[int, int], free_threaded: bool
) -> str | None:
    if implementation != "cpython":
        return f"runs on CPython only, and this is {implementation}"
    if version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return f"needs CPython {oldest} or newer, and this is {version[0]}.{version[1]}"
    if free_threaded:
        return (
            "does not run on free-threaded builds of CPython yet; "
            "use the ordinary build of the same version"
        )
    return None
