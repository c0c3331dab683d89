"""Types of the extension module, which is written in Rust (`crates/greenloop-python`).

It is the engine of the package and not its face: programs use `greenloop.EventLoop`,
`greenloop.Task` and so on. Names with an underscore are asyncio's own, which libraries, debuggers
and asyncio itself read, and a few with which `greenloop.event_loop` drives the native loop.

What asyncio's classes declare is inherited here and not repeated, so that it is always what the
running Python has. At run time only `Future` and `Task` are subclasses of asyncio's. Handles and
primitives have all of the methods and attributes; for handles `isinstance` holds all the same.
"""

import abc
import asyncio
import asyncio.transports
import socket
import ssl
import sys
from asyncio import _CoroutineLike
from asyncio import as_completed as as_completed
from asyncio import create_task as create_task
from asyncio import ensure_future as ensure_future
from asyncio import gather as gather
from asyncio import open_connection as open_connection
from asyncio import open_unix_connection as open_unix_connection
from asyncio import shield as shield
from asyncio import sleep as sleep
from asyncio import start_server as start_server
from asyncio import start_unix_server as start_unix_server
from asyncio import timeout as timeout
from asyncio import timeout_at as timeout_at
from asyncio import wait as wait
from asyncio import wait_for as wait_for
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from contextvars import Context
from traceback import StackSummary
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType
from typing import Any, Generic, TypeAlias, TypeVar, TypeVarTuple, final, type_check_only

from _typeshed import FileDescriptorLike, ReadableBuffer, SupportsRichComparison, WriteableBuffer
from typing_extensions import disjoint_base

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_Ts = TypeVarTuple("_Ts")
_Comparable = TypeVar("_Comparable", bound=SupportsRichComparison)
_Callee: TypeAlias = Callable[[*_Ts], object]
_Context: TypeAlias = Context | None
_Coroutine: TypeAlias = Coroutine[Any, Any, _T]

@disjoint_base
class EventLoop:
    """The scheduler: what an event loop does at every turn.

    `greenloop.EventLoop` adds to it what Python decides: exception handlers, executors, signals.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> EventLoop:
        """Make a loop, not yet usable. The arguments are for the `__init__` of a subclass."""

    # Scheduling.

    def call_soon(
        self, callback: _Callee[*_Ts], *args: *_Ts, context: _Context = None
    ) -> Handle: ...
    def call_soon_threadsafe(
        self, callback: _Callee[*_Ts], *args: *_Ts, context: _Context = None
    ) -> _ThreadSafeHandle: ...
    def create_future(self) -> Future[Any]: ...
    if sys.version_info >= (3, 13):
        def create_task(
            self,
            coro: _CoroutineLike[_T],
            *,
            name: str | None = None,
            context: _Context = None,
            eager_start: bool | None = None,
        ) -> asyncio.Task[_T]: ...
    else:
        def create_task(
            self, coro: _CoroutineLike[_T], *, name: str | None = None, context: _Context = None
        ) -> asyncio.Task[_T]: ...

    def _add_callback(self, handle: asyncio.Handle) -> None:
        """Queue a handle that was made elsewhere, such as by asyncio's own signal handling."""

    def _write_to_self(self) -> None:
        """Wake the loop if its thread waits in the poller. May be called from any thread."""

    def _overridden_methods(self) -> list[str]:
        """Return the names of the methods whose overrides close a short cut of this loop."""

    @property
    def _takes_short_cuts(self) -> bool:
        """Whether tasks and futures push jobs directly, since no override could notice."""

    # Simulated runs.

    def _simulate(
        self,
        token: str,
        questions: tuple[
            Callable[[int, list[int]], float | None],
            Callable[[str], object],
            Callable[[], tuple[int, int]],
        ],
        most_jobs: int,
        *,
        deviations: list[tuple[int, int]] | None = None,
        limits: bool = False,
    ) -> None:
        """Run by the schedule of a token from now on."""

    def _end_simulation(self) -> None:
        """Run as asyncio does again."""

    @property
    def _is_simulated(self) -> bool:
        """Whether the loop is simulated."""

    def _simulation(
        self,
    ) -> tuple[int, int, int, str, list[tuple[int, int]], int | None, list[int]] | None:
        """Return what the schedule has done: jobs, points, digest, token, deviations and so on."""

    def _begin_job_outside(self) -> None:
        """Note that a job of an executor has begun, for which the loop's thread waits."""

    def _end_to_await_job(self) -> None:
        """Note that the loop's thread waits for it no more."""

    def _end_job_outside(self) -> None:
        """Note that a job of an executor has ended."""

    join_writes: bool
    """Whether what a job writes in several pieces over TCP is joined, where that is a habit."""

    _task_factory: Any
    """What `set_task_factory` was given, or None."""

    # Sockets without a transport. `Awaitable` is a coroutine.

    def sock_recv(self, sock: socket.socket, n: int) -> _Coroutine[bytes]: ...
    def sock_recv_into(self, sock: socket.socket, buf: WriteableBuffer) -> _Coroutine[int]: ...
    def sock_recvfrom(self, sock: socket.socket, bufsize: int) -> _Coroutine[tuple[bytes, Any]]: ...
    def sock_recvfrom_into(
        self, sock: socket.socket, buf: WriteableBuffer, nbytes: int = 0
    ) -> _Coroutine[tuple[int, Any]]: ...
    def sock_sendall(self, sock: socket.socket, data: ReadableBuffer) -> _Coroutine[None]: ...
    def sock_sendto(
        self, sock: socket.socket, data: ReadableBuffer, address: Any
    ) -> _Coroutine[int]: ...
    def sock_connect(self, sock: socket.socket, address: Any) -> _Coroutine[None]: ...
    def sock_accept(self, sock: socket.socket) -> _Coroutine[tuple[socket.socket, Any]]: ...

    # Datagrams.

    def _carries_datagrams(self, sock: object) -> bool:
        """Whether a socket can have a native datagram transport."""

    @staticmethod
    def _datagram_state() -> object:
        """Return what a datagram transport keeps for itself."""

    # Timers.

    def call_later(
        self, delay: float, callback: _Callee[*_Ts], *args: *_Ts, context: _Context = None
    ) -> TimerHandle: ...
    def call_at(
        self, when: float, callback: _Callee[*_Ts], *args: *_Ts, context: _Context = None
    ) -> TimerHandle: ...
    def time(self) -> float:
        """Return `time.monotonic()`."""

    def _timer_handles(self) -> list[TimerHandle]:
        """Return the timers that are set, cancelled ones included, in no particular order."""

    _clock_resolution: float
    """The clock's resolution in seconds: timers that are due within it are run."""

    _timer_cancelled_count: int
    """How many of the timers that are set were cancelled."""

    # Running and closing.

    def _open(self) -> None:
        """Make the loop usable. Called at the end of the `__init__` of `greenloop.EventLoop`."""

    def run_forever(self) -> None:
        """Run until `stop()` is called."""

    def run_until_complete(self, future: Generator[Any, None, _T] | Awaitable[_T]) -> _T:
        """Run until the future, or the task made of a coroutine, is done; return its result."""

    def _run_forever_setup(self) -> None:
        """Begin to run, as `run_forever` does before its first turn."""

    def _run_forever_cleanup(self) -> None:
        """End to run, as `run_forever` does after its last turn."""

    def _set_coroutine_origin_tracking(self, enabled: bool) -> None:
        """Have the origins of coroutines tracked, or no more."""

    _coroutine_origin_tracking_enabled: bool
    _coroutine_origin_tracking_saved_depth: int | None
    _old_agen_hooks: Any

    def _wait_by(self, select: Callable[[float | None], object]) -> None:
        """Wait by `select(timeout)`, which returns when `_poller_fileno()` is readable."""

    def _poller_fileno(self) -> int:
        """Return the poller's descriptor."""

    def stop(self) -> None:
        """Stop after the current turn, or after one turn if the loop does not run."""

    def is_running(self) -> bool: ...
    def is_closed(self) -> bool: ...
    def _check_closed(self) -> None:
        """Raise RuntimeError if the loop was closed."""

    def _discard(self) -> None:
        """Drop all that waits, for good. The caller makes sure that the loop does not run."""

    _stopping: bool
    """Whether `stop()` was called and has not had its effect yet."""

    _closed: bool
    """Whether the loop was closed, which setting it does."""

    _thread_id: int | None
    """The thread that runs the loop, as `threading.get_ident()` names it."""

    # Readiness. `fd` is a descriptor or an object with a `fileno()`.

    def _add_reader(
        self, fd: FileDescriptorLike, callback: _Callee[*_Ts], *args: *_Ts, context: _Context = None
    ) -> Handle: ...
    def _add_writer(
        self, fd: FileDescriptorLike, callback: _Callee[*_Ts], *args: *_Ts, context: _Context = None
    ) -> Handle: ...
    def _remove_reader(self, fd: FileDescriptorLike) -> bool: ...
    def _remove_writer(self, fd: FileDescriptorLike) -> bool: ...

    # Connections.

    def _accept_natively(self, arguments: tuple[Any, ...], context: Any) -> bool:
        """Watch a listening socket and take its connections natively.

        `arguments` are those of asyncio's `_accept_connection`. Return False, having done nothing,
        if that has to do it.
        """

    def _open_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None,
        extra: dict[str, Any] | None,
        server: asyncio.AbstractServer | None,
        context: _Context = None,
    ) -> SocketTransport | None:
        """Return a transport for a connected socket, or None if it has to be asyncio's own."""

    # Diagnostics.

    def get_debug(self) -> bool: ...
    def _check_thread(self) -> None:
        """Raise RuntimeError in any thread but the one that runs the loop; for debug mode."""

    _debug: bool
    """Whether debug mode is on."""

    _current_handle: asyncio.Handle | None
    """In debug mode the handle that runs now."""

    # Short cuts.

    @staticmethod
    def _set_public_class(class_: type[EventLoop], take_over: Callable[[], bool], /) -> None:
        """Name the class whose methods are the original ones. The first call counts.

        An instance on which one of them is overridden takes no short cut round it. `take_over` is
        called whenever a class was changed, to take over what was put in asyncio's classes; it
        returns whether `Handle._run` was replaced.
        """

    # For code that drives the loop by its handles.

    def _call_soon(
        self, callback: Callable[..., object], args: Sequence[Any], context: _Context
    ) -> Handle: ...
    def _run_once(self) -> None:
        """Run one turn."""

    def _ready_handles(self) -> list[asyncio.Handle]:
        """Return what is ready to run, as handles."""

    def _take_ready(self) -> asyncio.Handle | None:
        """Take the next handle that is ready, to be run by the caller."""

    def _select(self, timeout: float | None) -> None:
        """Poll, waiting no longer than `timeout` seconds, and queue what has come and is due."""

    def _expect_timers(self) -> None:
        """Have `_take_timers` called before the next turn."""

    def _set_timer(self, timer: asyncio.TimerHandle) -> None:
        """Take over a timer that somebody else has made."""

class Handle(asyncio.Handle):
    """A callback that an event loop will run; see `asyncio.Handle`."""

    def _repr_info(self) -> list[str]: ...
    @property
    def _callback(self) -> Callable[..., object] | None: ...
    @property
    def _loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def _context(self) -> Context: ...
    @property
    def _repr(self) -> str | None: ...
    _source_traceback: StackSummary | None

class TimerHandle(Handle, asyncio.TimerHandle):
    """A callback that an event loop will run at a deadline; see `asyncio.TimerHandle`."""

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: Sequence[Any],
        loop: asyncio.AbstractEventLoop,
        context: _Context = None,
    ) -> None: ...
    def __lt__(self, other: asyncio.TimerHandle, /) -> bool: ...
    def __le__(self, other: asyncio.TimerHandle, /) -> bool: ...
    def __gt__(self, other: asyncio.TimerHandle, /) -> bool: ...
    def __ge__(self, other: asyncio.TimerHandle, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    @property
    def _when(self) -> float: ...
    _scheduled: bool

if sys.version_info >= (3, 14):
    class ThreadSafeHandle(Handle):
        """What `call_soon_threadsafe` returns: a handle that any thread may cancel.

        `cancel` and `cancelled` wait while another thread runs the callback.
        """

    _ThreadSafeHandle: TypeAlias = ThreadSafeHandle
else:
    _ThreadSafeHandle: TypeAlias = Handle

@type_check_only
class _FutureType(abc.ABCMeta):
    """The class of `Future`, to which everything of `asyncio.Future` is an instance of it."""

@disjoint_base
class Future(asyncio.Future[_T], metaclass=_FutureType):
    """A result that is not there yet; see `asyncio.Future`."""

    def _make_cancelled_error(self) -> asyncio.CancelledError: ...
    @property
    def _result(self) -> _T | None: ...
    @property
    def _source_traceback(self) -> StackSummary | None: ...
    _cancel_message: Any

@disjoint_base
class Task(asyncio.Task[_T_co], Generic[_T_co]):
    """A coroutine that an event loop drives; see `asyncio.Task`."""

    def _make_cancelled_error(self) -> asyncio.CancelledError: ...
    @property
    def _source_traceback(self) -> StackSummary | None: ...
    @property
    def _coro(self) -> Any: ...
    @property
    def _fut_waiter(self) -> asyncio.Future[Any] | None: ...
    @property
    def _must_cancel(self) -> bool: ...
    _cancel_message: Any
    _log_destroy_pending: bool

@disjoint_base
class TransportTable:
    """Which transport has which descriptor; transports are held weakly."""

    def __getitem__(self, number: int, /) -> Any: ...
    def __setitem__(self, number: int, transport: Any, /) -> None: ...
    def __delitem__(self, number: int, /) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    def get(self, number: int, default: Any = None) -> Any:
        """Return the transport that has the descriptor `number`, or `default`."""

@final
class SocketTransport(asyncio.transports._FlowControlMixin):
    """A connection over TCP or a Unix socket; see `asyncio.Transport`.

    The loop makes it. It stands for asyncio's own transport, whose attributes it has.
    """

    max_size: int
    """How many bytes one receive takes at most."""

    @property
    def _sock(self) -> socket.socket | None: ...
    @property
    def _sock_fd(self) -> int: ...
    @property
    def _protocol(self) -> asyncio.BaseProtocol | None: ...
    @property
    def _server(self) -> asyncio.AbstractServer | None: ...
    @property
    def _buffer(self) -> Any:
        """What waits to be written: a copy, as the running asyncio keeps it."""

@final
class SSLTransport(asyncio.transports._FlowControlMixin):
    """A TLS connection as its application sees it; see `asyncio.Transport`.

    An `SSLProtocol` makes it.
    """

    def set_read_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def get_read_buffer_limits(self) -> tuple[int, int]: ...
    def get_read_buffer_size(self) -> int: ...
    @property
    def _ssl_protocol(self) -> SSLProtocol | None: ...

@final
class SSLProtocol(asyncio.BufferedProtocol):
    """A TLS connection between a transport and an application's protocol.

    It stands for `asyncio.sslproto.SSLProtocol`, whose attributes it has.
    """

    max_size: int
    """How many bytes the ssl object is asked for at once."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        app_protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext | None,
        waiter: asyncio.Future[None] | None,
        server_side: bool = False,
        server_hostname: str | None = None,
        call_connection_made: bool = True,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> None: ...
    @property
    def _app_transport(self) -> SSLTransport | None: ...
    @property
    def _incoming(self) -> ssl.MemoryBIO: ...

__version__: str

# A capsule with a table of C functions, for the crate greenloop-bridge.
_BRIDGE: object

def finish_datagram_transport(class_: type, /) -> None:
    """Put the native methods into the class of datagram transports, whose attributes are slots."""

def registered_tasks() -> list[Task[Any]]:
    """Return the pending tasks that asyncio's own registry does not know: none from 3.14 on."""

def _layout_checks() -> list[tuple[str, bool | None]]:
    """Return which knowledge of the interpreter's insides was verified at import."""

def _remember_originals() -> None:
    """Remember what the classes whose methods may be replaced have now that they are complete."""

def _set_task_set(task_set: type) -> None:
    """Hand in the class that asyncio's set of tasks becomes, up to 3.13."""

def _set_eager_task_factories(factories: list[Any]) -> None:
    """Hand in the task factories whose tasks the loop makes itself, from 3.12 on."""

def _set_launcher_file(file: str) -> None:
    """Hand in the file of the launcher, beyond whose frames no stack goes."""

def _set_wrap_awaitable(function: Callable[[Awaitable[Any]], Coroutine[Any, Any, Any]]) -> None:
    """Hand in the function that makes a coroutine of any awaitable."""

def _set_stand_ins(code_of: Callable[..., Any], stand_in: Callable[..., Any]) -> None:
    """Hand in the functions by which awaitables show a frame."""

def _show_native_tasks() -> None:
    """Have that set show the tasks that asyncio does not know."""

# Queues.

@disjoint_base
class Queue(asyncio.Queue[_T]):
    """A queue of any or a limited length; see `asyncio.Queue`."""

class LifoQueue(Queue[_T], asyncio.LifoQueue[_T]):
    """A queue that gives the newest item first; see `asyncio.LifoQueue`."""

class PriorityQueue(Queue[_Comparable], asyncio.PriorityQueue[_Comparable]):
    """A queue that gives the smallest item first; see `asyncio.PriorityQueue`."""

# Synchronisation.

@disjoint_base
class Event(asyncio.Event):
    """A flag that tasks wait for; see `asyncio.Event`."""

@disjoint_base
class Lock(asyncio.Lock):
    """A lock for tasks, handed on in the order of asking; see `asyncio.Lock`."""

@disjoint_base
class Semaphore(asyncio.Semaphore):
    """A number of permits that tasks take and give back; see `asyncio.Semaphore`."""

class BoundedSemaphore(Semaphore, asyncio.BoundedSemaphore):
    """A semaphore that refuses to be given more than was taken; see `asyncio.BoundedSemaphore`."""

@disjoint_base
class Condition(asyncio.Condition):
    """A lock whose holder can wait to be notified; see `asyncio.Condition`."""

@disjoint_base
class Barrier(asyncio.Barrier):
    """A point that a number of tasks pass together; see `asyncio.Barrier`."""

# Scopes. `timeout`, `timeout_at` and the combinators have the types of asyncio's own.

@disjoint_base
class Timeout(asyncio.Timeout):  # type: ignore[misc]  # typeshed marks it final.
    """A limit for what stands inside of `async with`; see `asyncio.Timeout`."""

@disjoint_base
class TaskGroup(asyncio.TaskGroup):
    """Tasks that are awaited together at the end of `async with`; see `asyncio.TaskGroup`."""

# Functions.

def _enter_natively(function: FunctionType, builtin: BuiltinFunctionType) -> None:
    """Let calls of a Python function go to a built-in one."""

def _enter_method_natively(class_: type, name: str, function: FunctionType) -> None:
    """Put a Python function in the place of a native method, to which its calls go."""

# Recording, for `greenloop.tracing`.

def _start_recording(capacity: int, libraries: list[str], namer: Callable[[Any], object]) -> None:
    """Record the events of all loops of the process from now on."""

def _stop_recording() -> None:
    """Record no more, and forget what was recorded."""

def _read_recording(
    cursor: int, places: int, names: int
) -> tuple[int, int, bytes, list[tuple[CodeType, int]], list[str]] | None:
    """Return what was recorded since an earlier call."""

def _locals_of(frame: FrameType) -> dict[str, Any]:
    """Return the local variables of a frame in a new dictionary; the look changes nothing."""

def _look_at_task(
    task: object,
) -> tuple[int, int, int | None, int, int, float | None, object] | None:
    """Return how a task stands, and what it waits for."""

def _look_at_loops() -> list[tuple[Any, int, int, bool, int, int, int, int, int, int, int, int]]:
    """Return the loops that run, with figures of each."""

def _look_at_holders(number: int) -> list[tuple[int, int, CodeType | None, int]] | None:
    """Return who holds a lock or semaphore, and where it was taken."""

def _look_at_stalls() -> list[tuple[int, int, int, float, float, bool, str, str, int, float, int]]:
    """Return the latest stalls of the watch."""

def _look_for_dead_tasks(
    tasks: list[Any], milliseconds: int, names: type[Any]
) -> (
    tuple[list[tuple[bool, list[tuple[int, int, list[int]]]]], list[tuple[int, int, list[int]]]]
    | None
):
    """Return the tasks that can never go on: the knots, and the tasks behind them."""

def _throw_into_task(task: object, exception: BaseException) -> bool:
    """Have the `await` of a task that waits raise an exception."""

def _start_watch(path: str, threshold: float, libraries: list[str]) -> None:
    """Watch all loops of the process, and let clients ask at a socket."""

def _stop_watch() -> None:
    """Watch no more."""

def _check_again() -> None:
    """Have another order to look for deadlocks given."""

def _forget_watch() -> None:
    """Watch no more, in the child of a fork."""

def _set_watch_threshold(threshold: float) -> None:
    """Change after how many seconds a step is a stall."""

def _next_order() -> tuple[Any, ...] | None:
    """Wait for the next order to the watching thread; None when the watch has ended."""

def _answer(ticket: int, answer: bytes, is_report: bool) -> None:
    """Send the answer to a client of the watch."""

def _number_of(resource: object) -> int:
    """Return the number by which recordings name a resource or task, or 0."""
