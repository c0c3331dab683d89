"""What an extension says that finds no Greenloop, or one that it does not understand."""

import subprocess
import sys

import pytest

CALL = """
import greenloop_bridge_example as example
try:
    example.ready(1)
except ImportError as error:
    print(error)
"""

MISSING = "import sys; sys.modules['greenloop'] = None"

TOO_OLD = """
import sys, types
sys.modules["greenloop"] = package = types.ModuleType("greenloop")
sys.modules["greenloop._native"] = package._native = types.ModuleType("greenloop._native")
"""

OTHER_VERSION = (
    TOO_OLD
    + """
import ctypes
table = (ctypes.c_uint32 * 2)(99, 8)
new = ctypes.pythonapi.PyCapsule_New
new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
name = b"greenloop._native._BRIDGE"
package._native._BRIDGE = new(ctypes.addressof(table), name, None)
"""
)


@pytest.mark.parametrize(
    ("situation", "text"),
    [
        (MISSING, "needs the package greenloop, which cannot be imported"),
        (TOO_OLD, "too old for Rust futures"),
        (OTHER_VERSION, "the installed greenloop version 99: update the older"),
    ],
    ids=["missing", "too old", "other version"],
)
def test_an_extension_says_what_is_wrong(situation, text):
    done = subprocess.run(
        [sys.executable, "-c", situation + CALL], capture_output=True, text=True, check=True
    )
    assert text in done.stdout


def test_importing_the_extension_alone_imports_nothing_of_greenloop():
    script = "import sys, greenloop_bridge_example; print('greenloop' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
