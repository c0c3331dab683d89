//! The objects that are looked up once at import: interned names, and parts of asyncio.
//!
//! PyO3 refuses to import the module into a second interpreter, so one set per process is enough.
//!
//! Functions that programs are known to replace are not kept: they are looked up in their modules
//! at each call, as `running_loop` does, and only the modules are kept. Of the rest, what is named
//! by a module written in C, such as `_asyncio`, is what asyncio's own C code works with.
//!
//! What differs between bug-fix releases cannot be told by the compiler, since one binary serves
//! all of a minor version: it is found out here, once, by looking at the running asyncio. The
//! fields that say so are at the end of [`Globals`].

#[cfg(not(Py_3_14))]
use greenloop_cpython::Dict;
use greenloop_cpython::making::{self, ByName as _, IntoObject as _};
use greenloop_cpython::{GilOnce, Keywords, Object};
use pyo3::prelude::*;

use super::edition;
use super::names::Names;

/// Makes a struct of objects with a function that imports them. A line is `field = module.name`;
/// the module is imported, unless it is already, and the name looked up in it. A line may be for
/// some versions of Python only.
macro_rules! imports {
    ($($(#[$meta:meta])* $field:ident = $module:literal . $name:literal,)*) => {
        /// Functions and classes of the standard library, mostly of asyncio.
        pub struct Asyncio { $($(#[$meta])* pub $field: Object,)* }

        impl Asyncio {
            /// Looks them all up before the struct is filled, for the reason that [`Names::new`]
            /// has.
            fn new(py: Python<'_>) -> PyResult<Self> {
                let places = [$($(#[$meta])* ($module, $name),)*];
                let found = places.into_iter().map(|(module, name)| {
                    Ok(making::import(py, module)?.look_up(name)?.into())
                });
                let mut found = found.collect::<PyResult<Vec<_>>>()?.into_iter();
                let mut next = || found.next().unwrap_or_else(Object::none);
                Ok(Self { $($(#[$meta])* $field: next(),)* })
            }
        }
    };
}

imports! {
    // Modules whose functions may be replaced.
    constants = c"asyncio".c"constants",
    events = c"asyncio".c"events",
    tasks = c"asyncio".c"tasks",
    #[cfg(Py_3_14)]
    futures = c"asyncio".c"futures",
    #[cfg(Py_3_14)]
    add_to_awaited_by = c"_asyncio".c"future_add_to_awaited_by",
    barrier = c"asyncio.locks".c"Barrier",
    barrier_state = c"asyncio.locks".c"_BarrierState",
    broken_barrier_error = c"asyncio.exceptions".c"BrokenBarrierError",
    buffered_protocol = c"asyncio.protocols".c"BufferedProtocol",
    cancelled_error = c"asyncio.exceptions".c"CancelledError",
    create_task = c"asyncio.tasks".c"create_task",
    #[cfg(Py_3_14)]
    current_task = c"_asyncio".c"current_task",
    datagram_transport = c"asyncio.selector_events".c"_SelectorDatagramTransport",
    deque = c"collections".c"deque",
    #[cfg(Py_3_14)]
    discard_from_awaited_by = c"_asyncio".c"future_discard_from_awaited_by",
    enter_task = c"_asyncio".c"_enter_task",
    extract_stack = c"asyncio.format_helpers".c"extract_stack",
    flow_control = c"asyncio.transports".c"_FlowControlMixin",
    format_callback_source = c"asyncio.format_helpers".c"_format_callback_source",
    future = c"_asyncio".c"Future",
    future_repr = c"asyncio.base_futures".c"_future_repr",
    get_asyncgen_hooks = c"sys".c"get_asyncgen_hooks",
    get_event_loop = c"_asyncio".c"get_event_loop",
    get_origin_depth = c"sys".c"get_coroutine_origin_tracking_depth",
    get_running_loop_or_none = c"_asyncio".c"_get_running_loop",
    handle = c"asyncio.events".c"Handle",
    heappop = c"heapq".c"heappop",
    heappush = c"heapq".c"heappush",
    incomplete_read_error = c"asyncio.exceptions".c"IncompleteReadError",
    invalid_state_error = c"asyncio.exceptions".c"InvalidStateError",
    isawaitable = c"inspect".c"isawaitable",
    iscoroutine = c"asyncio.coroutines".c"iscoroutine",
    isfuture = c"asyncio.base_futures".c"isfuture",
    leave_task = c"_asyncio".c"_leave_task",
    limit_overrun_error = c"asyncio.exceptions".c"LimitOverrunError",
    protocol = c"asyncio.protocols".c"Protocol",
    queue_empty = c"asyncio.queues".c"QueueEmpty",
    queue_full = c"asyncio.queues".c"QueueFull",
    #[cfg(Py_3_13)]
    queue_shut_down = c"asyncio.queues".c"QueueShutDown",
    #[cfg(Py_3_14)]
    register_task = c"_asyncio".c"_register_task",
    release_waiter = c"asyncio.tasks".c"_release_waiter",
    run_until_complete_cb = c"asyncio.base_events".c"_run_until_complete_cb",
    selector_event_loop = c"asyncio.selector_events".c"BaseSelectorEventLoop",
    semaphore = c"asyncio.locks".c"Semaphore",
    set_asyncgen_hooks = c"sys".c"set_asyncgen_hooks",
    set_origin_depth = c"sys".c"set_coroutine_origin_tracking_depth",
    set_result_unless_cancelled = c"asyncio.futures".c"_set_result_unless_cancelled",
    shut_wr = c"socket".c"SHUT_WR",
    socket_transport = c"asyncio.selector_events".c"_SelectorSocketTransport",
    stream_reader = c"asyncio.streams".c"StreamReader",
    #[cfg(Py_3_12)]
    swap_current_task = c"_asyncio".c"_swap_current_task",
    task = c"_asyncio".c"Task",
    task_get_stack = c"asyncio.base_tasks".c"_task_get_stack",
    task_print_stack = c"asyncio.base_tasks".c"_task_print_stack",
    task_repr = c"asyncio.base_tasks".c"_task_repr",
    #[cfg(Py_3_14)]
    thread_safe_handle = c"asyncio.events".c"_ThreadSafeHandle",
    timeout_error = c"asyncio.exceptions".c"TimeoutError",
    timer_handle = c"asyncio.events".c"TimerHandle",
    transport_socket = c"asyncio.trsock".c"TransportSocket",
    unix_event_loop = c"asyncio.unix_events".c"_UnixSelectorEventLoop",
    #[cfg(Py_3_14)]
    unregister_task = c"_asyncio".c"_unregister_task",
}

/// Tuples of keyword names for calls by the vectorcall convention.
///
/// A call by PEP 590 passes its keywords as a tuple of their names; the values stand behind the
/// other arguments.
pub struct KeywordNames {
    /// `("context",)`
    pub context: Keywords<1>,
    /// `("loop",)`
    pub loop_: Keywords<1>,
    /// `("msg",)`
    pub msg: Keywords<1>,
}

/// All that is looked up once. It is never dropped, so a borrowed object of it is good for ever.
pub struct Globals {
    /// The names of attributes, methods and keywords, as interned strings.
    pub names: Names,
    /// The names of keywords of frequent calls, as the tuples in which a call passes them.
    pub keywords: KeywordNames,
    /// Functions, classes and modules of asyncio and of its neighbours.
    pub asyncio: Asyncio,
    /// The current task of each loop, in which asyncio keeps them up to 3.13.
    ///
    /// A step writes its entry without a call; see `scheduler/current.rs`.
    #[cfg(not(Py_3_14))]
    pub current_tasks: Dict,
    /// The empty tuple.
    ///
    /// What `_args` of a handle without arguments is.
    pub no_arguments: Object,
    /// -1
    pub minus_one: Object,
    /// 0, which is one object wherever it comes from.
    ///
    /// The interpreter keeps small ints once, so a delay of `0` is recognised by identity.
    pub zero: Object,
}

static GLOBALS: GilOnce<Globals> = GilOnce::new();

/// The objects that [`initialise`] looked up.
///
/// # Panics
/// Before [`initialise`], which module import runs before anything of this crate can be reached.
///
/// Costs one load and a test.
#[inline]
pub fn globals() -> &'static Globals {
    GLOBALS
        .get()
        .expect("the module's import fills this before anything else can run")
}

/// Looks everything up. Called once, by the module's import.
///
/// Raises what importing asyncio raises, and an `AttributeError` for an asyncio that lacks one of
/// the names: the import of the extension fails then, rather than a call later.
pub fn initialise(py: Python<'_>) -> PyResult<&'static Globals> {
    edition::initialise(py)?;
    let keyword = |name| Keywords::new([name]);
    let globals = Globals {
        names: Names::new()?,
        keywords: KeywordNames {
            context: keyword(c"context")?,
            loop_: keyword(c"loop")?,
            msg: keyword(c"msg")?,
        },
        asyncio: Asyncio::new(py)?,
        #[cfg(not(Py_3_14))]
        current_tasks: current_tasks(py)?,
        no_arguments: making::tuple(Vec::new())?,
        minus_one: (-1_i32).into_object()?,
        zero: 0_i32.into_object()?,
    };
    Ok(GLOBALS.keep(globals))
}

/// The dictionary `_asyncio._current_tasks`, by reference: a step writes its entry into it.
#[cfg(not(Py_3_14))]
fn current_tasks(py: Python<'_>) -> PyResult<Dict> {
    let tasks = making::import(py, c"_asyncio")?.look_up(c"_current_tasks")?;
    let tasks = Dict::of(&tasks.into());
    Ok(tasks.ok_or_else(|| making::import_error("asyncio's current tasks are in no dict"))?)
}
