"""The launcher, `python -m greenloop`: runs a program as `python` does, with Greenloop installed.

The program gets the real `__main__` module, emptied, and is started by the same steps that the
interpreter takes: `-m` and directories go through the interpreter's own `runpy` function, and an
exception travels on to the interpreter, which prints it and chooses the exit code. Only the
traces of the detour through this module are removed, the launcher's frames in a traceback.

The interpreter's own options come before the launcher: `python -X dev -m greenloop program.py`.
Interpreters that multiprocessing starts for the program are started by the launcher as well; those
that the program starts itself are plain `python`.
"""

import builtins
import importlib.machinery
import io
import linecache
import os
import pkgutil
import runpy
import sys
import textwrap
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any, NoReturn

import greenloop

_USAGE = """\
usage: python -m greenloop [-m module | -c code | script | -] [argument ...]
       python -m greenloop trace [-o file] [-m module | -c code | script] [argument ...]
       python -m greenloop watch [-m module | -c code | script] [argument ...]
       python -m greenloop ps | tree | top | stalls | metrics | trace [PID] [option ...]
       python -m greenloop doctor [--json] [-m module | -c code | script] [argument ...]

Runs a Python program as `python` does, with Greenloop in place of asyncio's own
event loop, tasks and futures.

  -m module   run a library module as a script
  -c code     run the code given as a string
  script      run a file, or a directory or zip file with a __main__.py
  -           run the program read from standard input
  trace       record what the program's tasks do; `trace --help` tells more
  watch       watch the program for stalls and deadlocks, and let others ask; `watch --help`
  ps, ...     ask a running process what its tasks do; `ps --help` tells more
  doctor      print what a report of a bug should contain; `doctor --help` tells more
  -h, --help  print this text and exit
  --version   print the versions of Greenloop and Python and exit
"""


def launch(arguments: list[str]) -> None:
    """Run the program that the command line names; return when it has come to its end."""
    match arguments:
        case ["-h" | "--help", *_]:
            print(_USAGE, end="")
        case ["-V" | "--version", *_]:
            print(f"Greenloop {greenloop.__version__} on Python {sys.version.split()[0]}")
        case ["-", *_]:
            _run_standard_input(arguments)
        case ["-c", code, *rest]:
            _run_string(code, rest)
        case ["-m", module, *rest]:
            _run_module(module, rest)
        case [option, *_] if option.startswith("-"):
            _refuse(f"unknown option or missing value: {option}")
        case [path, *_] if pkgutil.get_importer(path) is not None:
            _run_directory(path, arguments)
        case [path, *_]:
            _run_script(path, arguments)
        case _:
            _refuse("no program was named")


def _run_script(path: str, argv: list[str]) -> None:
    """Run a source or compiled file, as `python path` does."""
    absolute = _absolute(path)
    try:
        with io.open_code(absolute) as file:
            code = pkgutil.read_code(file)  # None unless the file is a compiled one.
            file.seek(0)
            source = file.read()
    except OSError as error:
        words = f"can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}"
        print(f"{sys.orig_argv[0]}: {words}", file=sys.stderr)
        sys.exit(2)
    loader = (
        importlib.machinery.SourceFileLoader("__main__", absolute)
        if code is None
        else importlib.machinery.SourcelessFileLoader("__main__", absolute)
    )
    namespace = _enter_program(argv, os.path.dirname(os.path.realpath(path)))
    namespace["__loader__"] = loader
    _name_file(namespace, absolute)
    _run(lambda: exec(code or _compile(source, absolute), namespace))


def _run_standard_input(argv: list[str]) -> None:
    """Run the program on standard input, as `python -` does."""
    source = sys.stdin.buffer.read()
    namespace = _enter_program(argv, "")
    namespace["__loader__"] = importlib.machinery.BuiltinImporter
    _name_file(namespace, "<stdin>")
    _run(lambda: exec(_compile(source, "<stdin>"), namespace))


def _run_string(source: str, rest: list[str]) -> None:
    """Run code given on the command line, as `python -c` does."""
    namespace = _enter_program(["-c", *rest], "")
    namespace["__loader__"] = importlib.machinery.BuiltinImporter
    if sys.version_info >= (3, 14):
        source = textwrap.dedent(source)

    def body() -> None:
        code = _compile(source, "<string>")
        if sys.version_info >= (3, 13):
            _show_source_in_tracebacks(code, source, "<string>")
        exec(code, namespace)

    _run(body)


def _run_module(module: str, rest: list[str]) -> None:
    """Run a module found on `sys.path`, as `python -m module` does."""
    # "-m" stays in argv[0] until the module has been found, and packages can see it there.
    _enter_program(["-m", *rest])
    _run(lambda: runpy._run_module_as_main(module))  # type: ignore[attr-defined]


def _run_directory(path: str, argv: list[str]) -> None:
    """Run the `__main__.py` in a directory or zip file, as `python path` does."""
    absolute = _absolute(path)
    _enter_program(argv, absolute)
    if sys.flags.safe_path:
        # Safe mode leaves out only the folders that a program did not name.
        sys.path.insert(0, absolute)
    _run(lambda: runpy._run_module_as_main("__main__", False))  # type: ignore[attr-defined]


def _enter_program(argv: list[str], first_path: str | None = None) -> dict[str, Any]:
    """Install Greenloop, set up `sys` and `__main__` for the program; return its namespace.

    `first_path` replaces the entry that the interpreter put in front of `sys.path` for `-m
    greenloop`, the current folder; None keeps it.
    """
    greenloop.install(whole_process=True)
    sys.argv[:] = argv
    if first_path is not None and not sys.flags.safe_path:
        sys.path[0] = first_path
    namespace = sys.modules["__main__"].__dict__
    namespace.clear()
    namespace.update(
        __name__="__main__",
        __doc__=None,
        __package__=None,
        __loader__=None,
        __spec__=None,
        __builtins__=builtins,
    )
    if sys.version_info < (3, 14):
        namespace["__annotations__"] = {}
    return namespace


def _absolute(path: str) -> str:
    # Like the interpreter, and unlike os.path.abspath, without tidying up "./" and "../".
    return os.path.join(os.getcwd(), path)


def _name_file(namespace: dict[str, Any], file: str) -> None:
    namespace["__file__"] = file
    if sys.version_info < (3, 15):
        namespace["__cached__"] = None


def _compile(source: str | bytes, filename: str) -> CodeType:
    return compile(source, filename, "exec", dont_inherit=True)


def _show_source_in_tracebacks(code: CodeType, source: str, filename: str) -> None:
    # Tracebacks of `python -c` show source lines from 3.13 on. The function is private, but it is
    # the one the interpreter calls; 3.13 files the lines by name, later versions by code object.
    key = code if sys.version_info >= (3, 14) else filename
    linecache._register_code(key, source, filename)  # type: ignore[attr-defined]


def _run(body: Callable[[], None]) -> None:
    """Run the program; on its way out, take the launcher's frames off an uncaught exception."""
    try:
        body()
    except SystemExit:
        raise
    except BaseException as error:
        _hide_launcher(error)
        raise


def _hide_launcher(error: BaseException) -> None:
    """Let the traceback about to be printed begin where the program does.

    The exception gathers further frames while it leaves the launcher, so they can only be taken off
    at the very end, in the exception hook. The hook that the program has set by now prints.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_globals is globals():
        traceback = traceback.tb_next
    program_hook = sys.excepthook

    def excepthook(
        kind: type[BaseException], value: BaseException, _: TracebackType | None
    ) -> None:
        sys.excepthook = program_hook
        value.__traceback__ = sys.last_traceback = traceback
        program_hook(kind, value, traceback)

    sys.excepthook = excepthook


def _refuse(reason: str) -> NoReturn:
    print(f"python -m greenloop: {reason}\n\n{_USAGE}", end="", file=sys.stderr)
    sys.exit(2)
