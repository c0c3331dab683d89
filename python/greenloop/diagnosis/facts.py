"""Gathering the facts of a report: versions, the interpreter's build, native parts, levels.

Paths begin with `~` where they lie in the user's home, since reports are made public.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from typing import Any, Final

import greenloop
from greenloop import _native, startup, whole_process
from greenloop.diagnosis import loops
from greenloop.diagnosis.report import Report

_Facts = dict[str, Any]

# What replaces or wraps parts of asyncio, or has a loop of its own.
_PACKAGES: Final = (
    "aiohttp", "anyio", "ddtrace", "gevent", "greenback", "gunicorn", "hypercorn", "ipykernel",
    "nest-asyncio", "newrelic", "opentelemetry-api", "pytest-asyncio", "rloop", "sentry-sdk",
    "tornado", "trio-asyncio", "uvicorn", "uvloop",
)  # fmt: skip

_VARIABLES: Final = ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE")

_CHECKS: Final = {
    "await_site": "values are handed to an await without an exception",
    "base_fields": "tasks are seen from other processes",
    "context_layout": "contexts are read in place",
    "dict_entry": "the current task is written in place",
    "sent_exception": "exceptions sent by other threads are noticed cheaply",
    "socket_layout": "sockets are used by their descriptors",
    "thread_state": "the current task is written in place",
}
"""What each piece of knowledge of the interpreter's insides is good for."""


def gather(ran: Iterable[Mapping[str, Any]] | None = None) -> Report:
    """Return the report; `ran` has the loops that a program has run, where that was watched."""
    return Report(
        {
            "Greenloop": _greenloop(),
            "Python": _python(),
            "Platform": _platform(),
            "Native parts": native_parts(),
            "Program": _program(),
            "Loop": loops.describe_present_loop(),
            **{f"Loop {number} that ran": dict(each) for number, each in enumerate(ran or (), 1)},
            "Environment": _environment(),
            "Packages": _packages(),
        }
    )


def _greenloop() -> _Facts:
    return {
        "version": greenloop.__version__,
        "wheel": _wheel_tags(),
        "extension": _short(_native.__file__),
    }


def _wheel_tags() -> str | None:
    try:
        text = importlib.metadata.distribution("greenloop").read_text("WHEEL") or ""
    except importlib.metadata.PackageNotFoundError:
        return None
    prefix = "Tag: "
    tags = [line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)]
    return ", ".join(tags) or None


def _python() -> _Facts:
    return {
        "version": sys.version.replace("\n", " "),
        "executable": _short(sys.executable),
        "debug build": bool(sysconfig.get_config_var("Py_DEBUG")),
        "free-threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    }


def _platform() -> _Facts:
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "libc": _libc(),
        "processors": len(os.sched_getaffinity(0)),
    }


def _libc() -> str | None:
    # The standard library knows glibc only.
    known = " ".join(platform.libc_ver()).strip()
    musl = "musl" in (sysconfig.get_config_var("SOABI") or "")
    return known or ("musl" if musl else None)


def native_parts() -> _Facts:
    """Return what the extension knows of the interpreter's insides, verified at import."""
    return {name: _verdict(name, holds) for name, holds in sorted(_native._layout_checks())}


def _verdict(name: str, holds: bool | None) -> str:
    if holds is None:
        return "not needed on this version of Python"
    purpose = _CHECKS[name]
    if holds:
        return f"active: {purpose}"
    return f"inactive, at some cost in speed: the check at import failed ({purpose})"


def _program() -> _Facts:
    return {
        "level": _level(),
        "whole process": whole_process.is_taken(),
        "enabled at startup": startup.is_enabled(),
    }


def _level() -> str:
    installed = greenloop.installed_names()
    if installed:
        return f"3, under asyncio's name ({len(installed)} names are installed)"
    modules = loops.modules_with_greenloop_as_asyncio()
    if modules:
        return f"2, as asyncio in {', '.join(modules)}"
    if isinstance(greenloop._get_running_loop(), _native.EventLoop):
        return "1, as the loop"
    return "none: nothing is installed, and no loop of Greenloop's runs here now"


def _environment() -> _Facts:
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith("GREENLOOP_") or name in _VARIABLES
    }


def _packages() -> _Facts:
    found = {}
    for package in _PACKAGES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        module = package.replace("-", "_").removesuffix("_api")
        found[package] = f"{version}, imported" if module in sys.modules else version
    return found


def _short(path: str | None) -> str | None:
    home = os.path.expanduser("~")
    if path is not None and home not in ("", "/", "~") and path.startswith(home + os.sep):
        return "~" + path[len(home) :]
    return path
