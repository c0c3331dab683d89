"""Every public class, method, property and function says what it does and what it takes."""

import ast
import asyncio
import inspect
import pathlib
import pydoc
import re
import sys

import pytest

import greenloop
from greenloop import _native

STUB = pathlib.Path(greenloop.__file__).with_name("_native.pyi")

CLASSES = {name: value for name, value in vars(_native).items() if isinstance(value, type)}
CLASSES |= {"greenloop.EventLoop": greenloop.EventLoop, "ThreadQueue": greenloop.ThreadQueue}

NAMES = {*greenloop.native_names(), "install", "installed_names", "native_names", "uninstall"}
FUNCTIONS = {
    name: value
    for name, value in [*vars(_native).items(), *((n, getattr(greenloop, n)) for n in NAMES)]
    if callable(value) and not isinstance(value, type) and not name.startswith("_")
}

# The methods with which a statement, not a caller, works.
SPECIAL = {"__aenter__", "__aexit__", "__aiter__", "__anext__", "__class_getitem__"}
METHODS = {
    f"{owner}.{name}": getattr(class_, name)
    for owner, class_ in CLASSES.items()
    for name, value in vars(class_).items()
    if name in SPECIAL or not name.startswith("_")
    if inspect.isroutine(value) or inspect.isroutine(getattr(class_, name))
}
PROPERTIES = {
    f"{owner}.{name}": getattr(class_, name)
    for owner, class_ in CLASSES.items()
    for name, value in vars(class_).items()
    if inspect.isdatadescriptor(value) and not name.startswith("_")
}

# As in asyncio, these are attributes of an instance: the methods of its lock, and a number.
ATTRIBUTES = {
    "Condition.acquire",
    "Condition.locked",
    "Condition.release",
    "greenloop.EventLoop.slow_callback_duration",
}

# A documentation begins with one of these, so that one thing is called by one verb.
VERBS = set(
    """
    Accept Acquire Add Append Attach Block Call Cancel Clear Close Connect Create Encrypt End Enter
    Feed Finish Iterate Leave Limit Look Mark Name Notify Pause Print Process Put Raise Read Receive
    Refuse Release Remove Replace Report Request Resume Return Run Schedule Send Set Shield Shut
    Start Stop Take Upgrade Wait Wake Write
""".split()
)


def begins_with_a_sentence(text):
    first = inspect.cleandoc(text or "").partition("\n\n")[0].split("\n- ")[0]
    return re.match(r"[A-Z`].*[.:]\Z", first, re.DOTALL) is not None


@pytest.mark.parametrize("name", [*CLASSES, *FUNCTIONS, *METHODS])
def test_it_is_documented(name):
    value = (CLASSES | FUNCTIONS | METHODS)[name]
    assert begins_with_a_sentence(value.__doc__), value.__doc__


def test_an_attribute_is_documented():
    found = {
        name for name, value in PROPERTIES.items() if not begins_with_a_sentence(value.__doc__)
    }
    assert found == ATTRIBUTES


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_what_a_call_does_is_said_with_a_verb(name):
    value = (FUNCTIONS | METHODS)[name]
    asyncios = _of_asyncio(name)
    if value.__doc__ == getattr(asyncios, "__doc__", None):
        # A coroutine function is a copy of asyncio's, with its documentation.
        return
    assert value.__doc__.split()[0].rstrip(":;,") in VERBS


@pytest.mark.parametrize("name", CLASSES)
def test_help_on_a_class_shows_text(name):
    class_ = CLASSES[name]
    assert not _shows_a_marker(pydoc.plain(pydoc.render_doc(class_)))
    for method in vars(class_).values():
        assert not _shows_a_marker(inspect.getdoc(method) or "")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help_on_a_function_shows_text(name):
    assert not _shows_a_marker(pydoc.plain(pydoc.render_doc(FUNCTIONS[name])))


@pytest.mark.parametrize("name", [*FUNCTIONS, *METHODS])
def test_it_says_what_it_takes(name):
    assert inspect.signature((FUNCTIONS | METHODS)[name]) is not None


@pytest.mark.parametrize(
    ("text", "is_left"),
    [
        ("($self, /)\n--\n\nReturn it.", True),
        ("get($self, item)", True),
        (" |  get(...)\n |      (item)\n |      --\n", True),
        ("Return it.\n\n----------\nMore -- of it.", False),
    ],
)
def test_a_signature_that_is_left_in_a_text_is_seen(text, is_left):
    assert _shows_a_marker(text) is is_left


def _of_asyncio(name):
    owner, _, attribute = name.rpartition(".")
    names = {
        "SSLProtocol": asyncio.sslproto.SSLProtocol,
        "FlowControlMixin": asyncio.streams.FlowControlMixin,
        "greenloop.EventLoop": asyncio.SelectorEventLoop,
        "EventLoop": asyncio.SelectorEventLoop,
    }
    owner = names.get(owner) or (getattr(asyncio, owner, None) if owner else asyncio)
    return getattr(owner, attribute, None)


def _shows_a_marker(text):
    """Whether a signature is left in the text, which means that it could not be read."""
    return "$self" in text or re.search(r"^\s*\|?\s*--$", text, re.MULTILINE) is not None


# What the stub promises


def declarations(body, owner=None):
    """The functions that the stub declares for this Python, with their classes."""
    for node in body:
        if isinstance(node, ast.If):
            condition = compile(ast.Expression(node.test), str(STUB), "eval")
            holds = eval(condition, {"sys": sys})
            yield from declarations(node.body if holds else node.orelse, owner)
        elif isinstance(node, ast.ClassDef) and owner is None:
            yield from declarations(node.body, node.name)
        elif isinstance(node, ast.FunctionDef):
            yield owner, node


def declared(node, *, is_bound):
    """Names, kinds, and whether there is a default. What is given by place only has no name."""
    arguments, kinds = node.args, inspect.Parameter
    placed = [*arguments.posonlyargs, *arguments.args]
    required = len(placed) - len(arguments.defaults)
    found = [
        (None, kinds.POSITIONAL_ONLY, number >= required)
        if number < len(arguments.posonlyargs)
        else (each.arg, kinds.POSITIONAL_OR_KEYWORD, number >= required)
        for number, each in enumerate(placed)
    ]
    if arguments.vararg:
        found.append((arguments.vararg.arg, kinds.VAR_POSITIONAL, False))
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append((each.arg, kinds.KEYWORD_ONLY, default is not None))
    if arguments.kwarg:
        found.append((arguments.kwarg.arg, kinds.VAR_KEYWORD, False))
    return found[1:] if is_bound else found


def shown(function, *, is_bound):
    """The same of a function."""
    found = [
        (
            None if one.kind is one.POSITIONAL_ONLY else one.name,
            one.kind,
            one.default is not one.empty,
        )
        for one in inspect.signature(function).parameters.values()
    ]
    return found[1:] if is_bound else found


DECLARED = {
    f"{owner}.{node.name}" if owner else node.name: (owner, node)
    for owner, node in declarations(ast.parse(STUB.read_text()).body)
}
# `create_task` takes what the running asyncio's takes, which is tested in `test_signatures`.
SHOWN = [
    name
    for name, (_, node) in DECLARED.items()
    if node.name not in ("__new__", "create_task")
    and not any(getattr(each, "id", None) == "property" for each in node.decorator_list)
]


def test_the_stub_declares_functions():
    assert len(SHOWN) > 70


@pytest.mark.parametrize("name", SHOWN)
def test_it_takes_what_the_stub_declares(name):
    owner, node = DECLARED[name]
    function = getattr(CLASSES[owner] if owner else _native, node.name)
    is_static = any(getattr(each, "id", None) == "staticmethod" for each in node.decorator_list)
    is_bound = owner is not None and not is_static
    if node.name == "__init__":
        # A class says what it takes, whether or not its slot does.
        assert shown(CLASSES[owner], is_bound=False) == declared(node, is_bound=True)
    else:
        assert shown(function, is_bound=is_bound) == declared(node, is_bound=is_bound)
