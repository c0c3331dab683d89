"""The event loops that compete, and how a fresh process turns itself into one of them.

Every contestant plugs in the way its own documentation recommends for `asyncio.Runner`: by a loop
factory. What differs beyond the loop (Task, Future, primitives) is the contestant's own affair and
is set up in its `enter` function, before a workload is imported.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.metadata
import importlib.util
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

OURS = "greenloop"
"""Contestants whose name starts with this are ours; the others are rivals."""

LIMIT = "limit"
"""No event loop and no rival: the same work in Rust, without Python, for workloads that have it."""


BEFORE = "-before"
"""Ends the name of a contestant that is an earlier build of ours, in another environment."""


PRIMITIVES = frozenset(
    {"Condition", "Event", "Lock", "Queue", "Semaphore"}
    | {"TaskGroup", "gather", "shield", "sleep", "timeout", "wait", "wait_for"}
)
"""What the workloads wait with, and `greenloop-native` brings along."""


@dataclass(frozen=True)
class Contestant:
    """One way to run an asyncio program."""

    name: str
    module: str | None
    """Import name of what must be installed; None for the standard library."""
    enter: Callable[[], LoopFactory]
    """Makes this process the contestant's; called once, in the measuring process only."""
    lacks: Callable[[], str | None] = lambda: None
    """Says what an installed contestant still lacks to compete, or None."""
    python: str = sys.executable
    """The interpreter that runs its measurements."""
    only_if_asked: bool = False
    """Whether it competes only where it is named: it is one of the others, made dearer."""

    @property
    def is_ours(self) -> bool:
        return self.name.startswith(OURS)

    @property
    def entrant(self) -> str:
        """The name under which its own interpreter knows it."""
        return self.name.removesuffix(BEFORE)

    def absence(self) -> str | None:
        """The reason why this contestant cannot compete here, or None when it can."""
        if self.module is None:
            return None
        if importlib.util.find_spec(self.module) is None:
            return "not installed"
        return self.lacks()

    def version(self) -> str:
        """The version that competes: the distribution's, or the interpreter's for asyncio."""
        if self.module is None:
            return platform.python_version()
        try:
            return importlib.metadata.version(self.module)
        except importlib.metadata.PackageNotFoundError:
            # Importable without metadata: a source tree on PYTHONPATH.
            return "unknown"


def no_rival(name: str) -> bool:
    """Whether the contestant is ours, or the limit."""
    return name.startswith(OURS) or name == LIMIT


def _asyncio() -> LoopFactory:
    return asyncio.SelectorEventLoop


def _factory_of(module: str) -> LoopFactory:
    factory: LoopFactory = importlib.import_module(module).new_event_loop
    return factory


def _aiofastnet_on_uvloop() -> LoopFactory:
    """uvloop with the transports and the TLS of aiofastnet in place of its own."""
    factory: LoopFactory = importlib.import_module("aiofastnet").loop_factory(_factory_of("uvloop"))
    return factory


def _greenloop_with_c_tasks() -> asyncio.AbstractEventLoop:
    """Our loop with asyncio's C Task and Future: what the loop alone brings.

    The factory and the method are set on the instance. A subclass would not be the exact class
    any more for which the loop keeps its short cuts, and would measure something else.
    """
    loop = _factory_of("greenloop")()

    def make_c_task(loop, coroutine, **options):  # type: ignore[no-untyped-def]
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(make_c_task)
    loop.create_future = functools.partial(asyncio.Future, loop=loop)  # type: ignore[method-assign]
    return loop


def _greenloop_installed() -> LoopFactory:
    importlib.import_module("greenloop").install()
    return _factory_of("greenloop")


_observers: list[object] = []
"""Who observes this process: kept to its end."""


def _greenloop_observed(observe: Callable[[], object]) -> LoopFactory:
    """`greenloop-native` while somebody observes."""
    factory = _greenloop_installed()
    _observers.append(observe())
    return factory


def _watch() -> object:
    return importlib.import_module("greenloop").watch()


def _flight_recorder() -> object:
    return importlib.import_module("greenloop").flight_recorder()


def _trace() -> object:
    # Enough events for any workload; no file is written, since the process ends in the block.
    trace = importlib.import_module("greenloop").trace()
    trace.__enter__()
    return trace


def _lacks_extension() -> str | None:
    # The package can be found in a source tree in which nothing was built yet.
    try:
        importlib.import_module("greenloop._native")
    except ImportError as error:
        return f"cannot be imported: {error}"
    return None


def _lacks_native_primitives() -> str | None:
    """Without native primitives this contestant would be `greenloop` under a second name."""
    if missing := _lacks_extension():
        return missing
    missing_primitives = sorted(PRIMITIVES - importlib.import_module(OURS).native_names())
    return f"{', '.join(missing_primitives)} not native" if missing_primitives else None


CONTESTANTS: dict[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        # Its measurement never makes a loop.
        Contestant(LIMIT, None, _asyncio),
        Contestant("asyncio", None, _asyncio),
        Contestant("uvloop", "uvloop", lambda: _factory_of("uvloop")),
        Contestant("aiofastnet", "aiofastnet", _aiofastnet_on_uvloop),
        Contestant("rloop", "rloop", lambda: _factory_of("rloop")),
        Contestant("rsloop", "rsloop", lambda: _factory_of("rsloop")),
        Contestant("zuvloop", "zuvloop", lambda: _factory_of("zuvloop")),
        Contestant("greenloop-loop", OURS, lambda: _greenloop_with_c_tasks, _lacks_extension),
        Contestant("greenloop", OURS, lambda: _factory_of(OURS), _lacks_extension),
        Contestant("greenloop-native", OURS, _greenloop_installed, _lacks_native_primitives),
        *(
            Contestant(
                f"greenloop-{name}",
                OURS,
                functools.partial(_greenloop_observed, observe),
                _lacks_native_primitives,
                only_if_asked=True,
            )
            for name, observe in (
                ("watched", _watch),
                ("flight", _flight_recorder),
                ("traced", _trace),
            )
        ),
    )
}
"""In the order of the report's columns."""


def earlier(python: str) -> dict[str, Contestant]:
    """Contestants of ours as they are installed in the environment whose interpreter is `python`.

    ValueError if it cannot run, is of another version, or has no Greenloop.
    """
    probe = "import platform, greenloop._native; print(platform.python_version())"
    try:
        answer = subprocess.run(
            [python, "-c", probe],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise ValueError(f"{python} does not run: {error}") from error
    if answer.returncode != 0:
        lines = answer.stderr.strip().splitlines()
        raise ValueError(f"{python} has no Greenloop: {lines[-1] if lines else 'no word of why'}")
    version = answer.stdout.strip()
    if version != platform.python_version():
        raise ValueError(f"{python} is {version}, and this is {platform.python_version()}")
    return {
        f"{name}{BEFORE}": replace(contestant, name=f"{name}{BEFORE}", python=python)
        for name, contestant in CONTESTANTS.items()
        if contestant.is_ours
    }


def interpreter() -> str:
    """The interpreter as the report names it, e.g. `CPython 3.13.0`."""
    return f"{platform.python_implementation()} {sys.version.split()[0]}"
