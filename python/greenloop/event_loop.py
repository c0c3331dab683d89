"""`EventLoop`: the public event loop class.

The scheduler is native (`greenloop._native.EventLoop`): turns, timers, readiness, futures, tasks.
This module holds the policy, which is never on a hot path: exception handlers, executors, signals,
hooks of the interpreter. Where asyncio's own implementation needs only such policy it is inherited,
so that it behaves exactly as the running Python does, and honours the hooks that a program has put
into asyncio's classes (`greenloop.hooks`).
"""

import asyncio
import os
import socket
import sys
import warnings
import weakref
from asyncio import base_events, coroutines, events, selector_events, unix_events
from asyncio.log import logger
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVarTuple

from greenloop import _native
from greenloop.coroutine_functions import declare_methods
from greenloop.handle_queues import ReadyHandles, is_asked_by_working_function
from greenloop.hooks import Hooks
from greenloop.name_lookup import is_numeric
from greenloop.network import Network, Transports, Watched, child_watcher
from greenloop.observation import watch_if_asked
from greenloop.outer_selector import outer_selector
from greenloop.stand_ins import code_of, stand_in
from greenloop.task_registry import TaskSet
from greenloop.wrapping import wrap_awaitable

_Ts = TypeVarTuple("_Ts")

# asyncio's class, as a bag of functions: its private names are known to the running Python only.
_Base: Any = base_events.BaseEventLoop
_RUN_IN_EXECUTOR = _Base.run_in_executor


def _signal_came(_signal: int, _frame: object) -> None:
    """Have a busy loop look in its next turn for a signal that the interpreter reports."""
    running: Any = events._get_running_loop()
    if isinstance(running, EventLoop):
        running._write_to_self()


class EventLoop(_native.EventLoop, Network, unix_events.SelectorEventLoop):  # type: ignore[misc,unused-ignore]
    """An asyncio event loop whose scheduler is native.

    It has everything of `asyncio.AbstractEventLoop`. See the documentation of asyncio's event loop
    for what the methods do; `docs/differences.md` lists where we differ.
    """

    # Kept out of the instance's `__dict__`, which stays empty unless a program sets attributes: the
    # interpreter finds the methods of an instance without one faster.
    __slots__ = (
        "_asyncgens",
        "_asyncgens_shutdown_called",
        "_default_executor",
        "_exception_handler",
        "_executor_shutdown_called",
        "_internal_fds",
        "_new_timers",
        "_outer_selector",
        "_selector",
        "_signal_handlers",
        "_transports",
        "_unix_server_sockets",
        "_wakeup_pair",
        "_watcher",
        "slow_callback_duration",
    )

    if TYPE_CHECKING:
        # asyncio's private methods that are used here. Type checkers know the public ones.
        def _asyncgen_finalizer_hook(self, agen: Any) -> None: ...
        def _asyncgen_firstiter_hook(self, agen: Any) -> None: ...
        def _check_running(self) -> None: ...
        def _getaddrinfo_debug(
            self,
            host: Any,
            port: Any,
            family: int,
            type: int,  # noqa: A002 - the name is asyncio's
            proto: int,
            flags: int,
        ) -> list[Any]: ...
        def _read_from_self(self) -> None: ...

    def __init__(self) -> None:
        _native._show_native_tasks()
        self._selector = Watched(self)
        self._transports = Transports()
        self._unix_server_sockets = {}
        self._watcher = child_watcher()
        self._default_executor: ThreadPoolExecutor | None = None
        self._executor_shutdown_called = False
        self._exception_handler: Callable[..., Any] | None = None
        self._asyncgens: weakref.WeakSet[Any] = weakref.WeakSet()
        self._asyncgens_shutdown_called = False
        # Debug mode logs callbacks that take longer than this, in seconds.
        self.slow_callback_duration = 0.1
        self.join_writes = os.environ.get("GREENLOOP_JOIN_WRITES") != "0"
        self._signal_handlers: dict[int, Any] = {}
        self._wakeup_pair: tuple[socket.socket, socket.socket] | None = None
        # The descriptor by which other threads wake the loop.
        self._internal_fds = 1
        # Timers that asyncio's own functions have pushed, until the next turn.
        self._new_timers: list[Any] = []
        self.set_debug(coroutines._is_debug_mode())  # type: ignore[attr-defined]
        self._open()
        watch_if_asked()
        self._outer_selector = outer_selector(self._poller_fileno())
        if self._outer_selector is not None:
            self._wait_by(self._outer_selector.select)

    # Running and closing.

    def close(self) -> None:
        """Close the loop: drop all waiting jobs and release the executor. It must not run."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self._outer_selector is not None:
            # While it still watches an open descriptor.
            self._outer_selector.close()
            self._outer_selector = None
        if _HOOKS.are_in_close():
            super().close()
        if not self.is_closed():
            if self._debug:
                # asyncio's module may have lost its own by now: at the end of the interpreter.
                logger.debug("Close %r", self)
            self._executor_shutdown_called = True
            self._discard()
        # An exception may come in between, from a signal handler for instance. The steps below can
        # be repeated, so another call of close() does the rest.
        self._selector = None
        self._internal_fds = 0
        if self._default_executor is not None:
            self._default_executor.shutdown(wait=False)
            self._default_executor = None
        if self._signal_handlers:
            self._forget_signal_handlers()
        if self._wakeup_pair is not None:
            for wakeup_socket in self._wakeup_pair:
                wakeup_socket.close()
            self._wakeup_pair = None

    def _forget_signal_handlers(self) -> None:
        if not sys.is_finalizing():
            for number in list(self._signal_handlers):
                self.remove_signal_handler(number)
        else:
            warnings.warn(
                f"Closing the loop {self!r} on interpreter shutdown stage, "
                "skipping signal handlers removal",
                ResourceWarning,
                source=self,
                stacklevel=3,
            )
            self._signal_handlers.clear()

    # Tasks.

    _create_task_with_factory = _Base.create_task

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Take note that one of asyncio's own timers was cancelled: ours need no notice."""

    # Debug mode and exceptions.

    def _log_slow_callback(self, handle: asyncio.Handle, duration: float) -> None:
        described = base_events._format_handle(handle)  # type: ignore[attr-defined]
        # Looked up at each call: tests replace it there.
        logger = base_events.logger  # type: ignore[attr-defined]
        logger.warning("Executing %s took %.3f seconds", described, duration)

    # Threads.

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name is asyncio's
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Look an address up as `socket.getaddrinfo` does, in a thread unless it is numeric."""
        question = (host, port, family, type, proto, flags)
        if not self._threads_are_own() or not is_numeric(*question):
            answer: list[Any] = await _Base.getaddrinfo(
                self, host, port, family=family, type=type, proto=proto, flags=flags
            )
            return answer
        self._check_closed()
        # Looked up at each call: tests replace it there.
        return (self._getaddrinfo_debug if self._debug else socket.getaddrinfo)(*question)

    def _threads_are_own(self) -> bool:
        """Return whether `run_in_executor` is original: no override has to see each call."""
        method: Any = self.run_in_executor
        return getattr(method, "__func__", None) is _RUN_IN_EXECUTOR

    # Signals. The interpreter writes the numbers of signals into a socket that the loop reads.

    def add_signal_handler(self, sig: int, callback: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Call `callback(*args)` in the loop when the process gets the signal `sig`."""
        super().add_signal_handler(sig, callback, *args)
        # asyncio's handler for the interpreter does nothing, since its loop asks at every turn.
        module: Any = unix_events
        module.signal.signal(sig, _signal_came)
        module.signal.siginterrupt(sig, False)

    def _make_self_pipe(self) -> None:
        self._wakeup_sockets()
        self._internal_fds += 1

    def _close_self_pipe(self) -> None:
        wakeup_pair, self._wakeup_pair = self._wakeup_pair, None
        if wakeup_pair is not None:
            self._remove_reader(wakeup_pair[0].fileno())
            for wakeup_socket in wakeup_pair:
                wakeup_socket.close()
        self._internal_fds -= 1

    def _add_callback_signalsafe(self, handle: asyncio.Handle) -> None:
        self._add_callback(handle)
        self._write_to_self()

    @property
    def _ssock(self) -> socket.socket:
        return self._wakeup_sockets()[0]

    @property
    def _csock(self) -> socket.socket:
        return self._wakeup_sockets()[1]

    def _wakeup_sockets(self) -> tuple[socket.socket, socket.socket]:
        # Made for the first signal handler: most loops have none.
        if self._wakeup_pair is None:
            receiver, sender = socket.socketpair()
            receiver.setblocking(False)
            sender.setblocking(False)
            self._wakeup_pair = receiver, sender
            self._add_reader(receiver, self._read_from_self)
        return self._wakeup_pair

    # The queues, for those functions of asyncio's that a hook may call.

    @property
    def _ready(self) -> ReadyHandles:
        return ReadyHandles(self)

    @property
    def _scheduled(self) -> list[Any]:
        if not is_asked_by_working_function():
            return self._timer_handles()
        self._expect_timers()
        return self._new_timers

    @_scheduled.setter
    def _scheduled(self, timers: list[Any]) -> None:
        self._new_timers = timers
        self._expect_timers()

    def _take_timers(self) -> None:
        """Set the timers that were pushed into the list of new ones."""
        timers, self._new_timers[:] = sorted(self._new_timers), []
        for timer in timers:
            self._set_timer(timer)


def _take_over_hooks() -> bool:
    return _HOOKS.take_over()


_native._set_task_set(TaskSet)
_native._set_wrap_awaitable(wrap_awaitable)
_native._set_stand_ins(code_of, stand_in)
_native.EventLoop._set_public_class(EventLoop, _take_over_hooks)
declare_methods(EventLoop, selector_events.BaseSelectorEventLoop)
_HOOKS = Hooks(EventLoop)
