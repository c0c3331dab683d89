"""Python objects are made where MemoryError is raised, and nowhere by what panics without memory.

The `clippy.toml` of each crate forbids PyO3's constructors by their names. What clippy cannot see,
since it is hidden in a conversion, is looked for here: names and arguments of calls that are no
objects yet, and exceptions that are made only when they are raised.
"""

import functools
import pathlib
import re

import pytest

CRATES = pathlib.Path(__file__).parents[2] / "crates"

# Who knows Python, and where objects are made of Rust values there.
ROOMS = {
    CRATES / "greenloop-cpython" / "src": "making.rs",
    CRATES / "greenloop-python" / "src": "",
    CRATES / "greenloop-bridge" / "src": "making.rs",
}

FORBIDDEN = {
    "a name that PyO3 makes a str of": (
        r"\.(getattr|getattr_opt|hasattr|setattr|delattr|call_method[01]?)\("
    ),
    "arguments that PyO3 makes a tuple of": r"\.call1\(|\.call\([^)]*Some\(",
    "an item that PyO3 makes an object of": r"\.(set_item|del_item|contains|append|insert|eq)\(\"",
    "an import by a name that PyO3 makes a str of": r"\bpy(\(\))?\s*\.import\(",
    "an exception that is made when it is raised": r"::new_err\(|PyErr::new\b",
    "a tuple that PyO3 makes of all arguments": r"signature = \([^)]*[^_*]\*(?!_)\w+",
    "an exception that is believed to be set": r"PyErr::fetch\(|from_owned_ptr_or_err\(",
    "a value that PyO3 makes an object of": r"\.into_(pyobject|py_any|bound_py_any)\(",
    "a name that is made when it is first used": r"\bintern!\(",
}


@functools.cache
def lines():
    return [
        (f"{path.relative_to(CRATES)}:{number}", line)
        for sources, room in ROOMS.items()
        for path in sorted(sources.rglob("*.rs"))
        if path != sources / room
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if not line.lstrip().startswith("//")
    ]


@pytest.mark.parametrize("pattern", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_no_object_is_made_by_what_panics_without_memory(pattern):
    assert [f"{place}: {line.strip()}" for place, line in lines() if re.search(pattern, line)] == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    list(
        zip(
            FORBIDDEN.values(),
            [
                'module.getattr("name")?',
                "class.call1((text,))?",
                'context.set_item("message", text)?',
                'py.import("asyncio")?',
                "PyTypeError::new_err(text)",
                "#[pyo3(signature = (fd, callback, *args, context=None))]",
                "Err(PyErr::fetch(py))",
                "(class, (items,)).into_pyobject(py)?",
                'call_method(future, intern!(py, "done"), None)?',
            ],
            strict=True,
        )
    ),
)
def test_the_patterns_find_what_they_are_for(pattern, line):
    assert re.search(pattern, line)
