//! The edition: what the running asyncio does that other releases of it do not.
//!
//! Each fact has one name, and every room asks for it by that name. A fact that the version of
//! Python decides is a constant, so that the compiler leaves out the other case. A fact that
//! differs between the patch releases of a version is a field of [`Edition`], which is read off
//! asyncio's own functions and classes at import, before a program can replace them.
//!
//! Rooms keep `cfg(Py_3_*)` for what cannot be compiled on every version: modules, functions and
//! fields of structs that exist only on some; entries in the lists of a class's methods and
//! attributes; names and objects that `names` and `globals` look up only where asyncio has them;
//! and the layouts of CPython's own structs.

mod reading;

use greenloop_cpython::{GilOnce, Object};
use pyo3::prelude::*;

// Up to 3.13.

/// `Timeout` is marked with `typing.final`.
pub const TIMEOUT_IS_FINAL: bool = cfg!(not(Py_3_14));

// From 3.12 on.

/// A task can make its first step inside its creator's call: `Task()` takes `eager_start`, and
/// `eager_task_factory` exists (gh-97696).
pub const TASKS_START_EAGERLY: bool = cfg!(Py_3_12);
/// `Task.get_context()` exists.
pub const TASKS_SHOW_CONTEXT: bool = cfg!(Py_3_12);
/// `gather` adds no callback to a child that is done already, and counts it at once.
pub const GATHER_COUNTS_DONE_CHILDREN: bool = cfg!(Py_3_12);
/// A new transport raises if its loop has one already for the same descriptor.
pub const TRANSPORTS_REFUSE_TAKEN_DESCRIPTORS: bool = cfg!(Py_3_12);
/// A transport keeps the chunks that it was given, as memoryviews in a deque, and sends them with
/// `sendmsg`. Earlier ones copy all into one bytearray, which they pass to `send` (gh-91166).
pub const TRANSPORTS_KEEP_CHUNKS: bool = cfg!(Py_3_12);
/// A transport that is closed forgets its `_read_ready_cb`.
pub const CLOSING_FORGETS_READ_CALLBACK: bool = cfg!(Py_3_12);
/// `StreamWriter.start_tls` takes `ssl_shutdown_timeout`.
pub const START_TLS_TAKES_SHUTDOWN_TIMEOUT: bool = cfg!(Py_3_12);

// From 3.13 on.

/// `sleep` refuses a delay that is not a number (gh-105331).
pub const SLEEP_REFUSES_NAN: bool = cfg!(Py_3_13);
/// `as_completed` returns an object for `async for`, which begins at the call and refuses any
/// awaitable in place of several. Earlier ones return a generator, which begins at its first item
/// and refuses futures and coroutines (gh-77714).
pub const AS_COMPLETED_IS_ASYNC: bool = cfg!(Py_3_13);
/// `Task.uncancel()` withdraws a cancellation that has not reached the coroutine yet when it takes
/// the last request back (gh-116720).
pub const UNCANCEL_WITHDRAWS: bool = cfg!(Py_3_13);
/// A waiter of a semaphore that leaves wakes as many others as the value allows, and
/// `_wake_up_next` tells whether it woke one.
pub const SEMAPHORES_WAKE_ALL: bool = cfg!(Py_3_13);
/// A wait for a condition that fails hands its notification on, and raises the cancellation that
/// interrupted it, not a new one (gh-112202).
pub const CONDITIONS_HAND_ON: bool = cfg!(Py_3_13);
/// A server knows its connections, and not only how many there are: its `_attach` and `_detach`
/// take the transport (gh-113538).
pub const SERVERS_KNOW_CONNECTIONS: bool = cfg!(Py_3_13);

// From 3.14 on.

/// A future knows the tasks that await it, for `capture_call_graph` (gh-91048).
pub const FUTURES_KNOW_AWAITERS: bool = cfg!(Py_3_14);
/// The loop of a `gather` is the running one. Earlier, its first argument decides.
pub const GATHER_PREFERS_RUNNING_LOOP: bool = cfg!(Py_3_14);
/// The signature of `asyncio.create_task` and of `TaskGroup.create_task` is `(coro, **kwargs)`.
pub const CREATE_TASK_SHOWS_KWARGS: bool = cfg!(Py_3_14);
/// A server accepts one connection more at a time than its backlog says, since one may wait even
/// with a backlog of zero.
pub const SERVERS_ACCEPT_ONE_MORE: bool = cfg!(Py_3_14);
/// The interpreter says that an object "can't be awaited", where earlier ones say that it "can't be
/// used in 'await' expression".
pub const AWAIT_SAYS_CANNOT_BE_AWAITED: bool = cfg!(Py_3_14);

// From 3.15 on.

/// A task refuses a `context` that is none. Earlier ones notice it at their first step.
pub const TASKS_CHECK_CONTEXT: bool = cfg!(Py_3_15);
/// A future refuses a second `__init__`. Earlier ones are initialised again.
pub const FUTURES_BEGIN_ONCE: bool = cfg!(Py_3_15);
/// The interpreter names the class whose `__await__` did not return an iterator.
pub const AWAIT_NAMES_CLASS: bool = cfg!(Py_3_15);
/// A coroutine has `cr_state`, which `inspect.getcoroutinestate` returns.
pub const COROUTINES_TELL_STATE: bool = cfg!(Py_3_15);

/// What differs between patch releases.
///
/// A version named with a fact is the first whose every release is known to do so; patch releases
/// of earlier ones may do so too.
pub struct Edition {
    /// `create_task` passes any keyword on to the task, `eager_start` among them: from 3.13.3 on.
    pub create_task_takes_eager_start: bool,
    /// A `StopIteration` given to `set_exception` is wrapped, as are its subclasses; earlier ones
    /// refuse just the class: from 3.11.8, 3.12.2 and 3.13 on (gh-112182).
    pub wraps_stop_iteration: bool,
    /// The function by which `shield` reports the exception of a future whose waiters are gone;
    /// with earlier ones such an exception counts as seen.
    pub log_shielded: Option<Object>,
    /// A transport's `writelines` asks its protocol to pause: from 3.12.9 and 3.13.2 on
    /// (gh-127655).
    #[cfg(Py_3_12)]
    pub writelines_pauses: bool,
    pub graph: GraphEdition,
    pub timeout: TimeoutEdition,
    pub group: GroupEdition,
    pub streams: StreamsEdition,
    pub tls: TlsEdition,
}

static EDITION: GilOnce<Edition> = GilOnce::new();

/// The running asyncio's.
///
/// # Panics
/// Before [`initialise`], which module import runs before anything of this crate can be reached.
#[inline]
pub fn edition() -> &'static Edition {
    EDITION
        .get()
        .expect("the module's import fills this before anything else can run")
}

/// Reads it. Called once, by the module's import.
pub fn initialise(py: Python<'_>) -> PyResult<()> {
    EDITION.keep(Edition::read(py)?);
    Ok(())
}

/// What differs in the graph of awaiting tasks.
pub struct GraphEdition {
    /// The end of a gathering removes the edges by which its children show what awaits them.
    pub gather_stops_awaiting: bool,
    /// The graph shows what waits for a future that was cancelled: from 3.14.6 on.
    #[cfg(Py_3_14)]
    pub cancelling_is_shown: bool,
}

/// What differs in `Timeout`.
pub struct TimeoutEdition {
    /// Subclasses of `CancelledError` are cancellations too: from 3.13 on.
    pub takes_subclasses: bool,
    /// A `TimeoutError` is put into the contexts of other exceptions that come out: from 3.13 on.
    pub inserts_error: bool,
}

/// What differs in `TaskGroup`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each stands for a change of asyncio's that came by itself"
)]
pub struct GroupEdition {
    /// Subclasses of `CancelledError` are cancellations too: from 3.13 on.
    pub takes_subclasses: bool,
    /// The request to the parent task is taken back after the children are done, not before; and if
    /// others have requested too, the parent is cancelled again: from 3.13 on
    /// (gh-116720).
    pub settles_last: bool,
    /// The group releases its parent task and its errors when it ends: from 3.14 on.
    pub forgets: bool,
    /// A cancellation that came while it waited and was not its own is passed on: from 3.15 on.
    pub keeps_cancellation: bool,
    /// A `GeneratorExit` leaves it as it is: from 3.15 on.
    pub lets_generator_exit: bool,
    /// It has a method `cancel`, and swallows cancellations that it did not raise: from 3.15 on.
    pub can_be_cancelled: bool,
    /// A coroutine that it refuses is closed: from 3.13 on.
    pub closes_refused: bool,
    /// `create_task` passes on any keyword: from 3.14 on.
    pub takes_keywords: bool,
    /// A task that is done as soon as it is created is seen to at once: in 3.12 and 3.13.
    pub sees_eager_tasks: bool,
    /// A task that cancels the group in its first step is cancelled too: from 3.15 on.
    pub cancels_late_tasks: bool,
    /// A task is created first and named afterwards: up to 3.12.
    pub names_afterwards: bool,
}

/// What differs in the streams.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one bug fix or feature, and any can come without the others"
)]
pub struct StreamsEdition {
    /// A plain `client_connected_cb` that raises is reported and its connection closed.
    pub guards_callback: bool,
    /// A task of `client_connected_cb` that was cancelled is no error: from 3.11.8, 3.12.2 and 3.13
    /// on (gh-113538).
    pub expects_cancellation: bool,
    /// A protocol keeps the writer it made: up to 3.12.
    pub keeps_writer: bool,
    /// `start_tls` gives the reader the new transport: from 3.14 on.
    pub replaces_reader_transport: bool,
    /// A writer that is dropped without being closed closes its transport and warns.
    pub writer_warns: bool,
    /// `readuntil` takes a tuple of separators: from 3.13 on.
    pub several_separators: bool,
}

/// What differs in TLS.
pub struct TlsEdition {
    /// A connection is aborted with an exception, where earlier ones abort it by a plain `abort()`:
    /// from 3.11.8, 3.12.2 and 3.13 on (gh-113214).
    pub aborts_with_exception: bool,
    /// A transport is closing when the one below it is: from 3.14 on.
    pub closes_with_transport: bool,
}
