//! What is looked up once at import: interned names, parts of asyncio, and the classes of this crate.
//!
//! PyO3 refuses to import the module into a second interpreter, so one set for the process is enough.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{ffi, intern};

use super::object::Object;

macro_rules! names {
    ($($(#[$doc:meta])* $field:ident = $text:literal,)*) => {
        /// Strings that are interned for attribute access and keyword arguments.
        pub struct Names { $(pub $field: Object,)* }

        impl Names {
            fn new(py: Python<'_>) -> Self {
                Self { $($field: PyString::intern(py, $text).into_any().into(),)* }
            }
        }
    };
}

names! {
    abort = "_abort",
    add_done_callback = "add_done_callback",
    add_to_awaited_by = "future_add_to_awaited_by",
    append = "append",
    args = "args",
    blocking = "_asyncio_future_blocking",
    call_at = "call_at",
    call_exception_handler = "call_exception_handler",
    call_later = "call_later",
    call_soon = "call_soon",
    callback = "callback",
    cancel = "cancel",
    cancelled = "cancelled",
    cancelled_flag = "_cancelled",
    cancelling = "cancelling",
    check_callback = "_check_callback",
    close = "close",
    context = "context",
    cr_await = "cr_await",
    create_future = "create_future",
    create_task = "create_task",
    create_task_with_factory = "_create_task_with_factory",
    coro = "coro",
    current_task = "current_task",
    delay = "delay",
    discard_from_awaited_by = "future_discard_from_awaited_by",
    done = "done",
    eager_start = "eager_start",
    et = "et",
    exc = "exc",
    exc_tb = "exc_tb",
    exc_type = "exc_type",
    exc_val = "exc_val",
    exception = "exception",
    exceptions = "exceptions",
    file = "file",
    fut = "fut",
    future = "future",
    get_debug = "get_debug",
    get_loop = "get_loop",
    handle = "handle",
    is_base_error = "_is_base_error",
    is_running = "is_running",
    limit = "limit",
    loop_ = "loop",
    loop_attribute = "_loop",
    message = "message",
    msg = "msg",
    name = "name",
    on_task_done = "_on_task_done",
    on_timeout = "_on_timeout",
    remove_done_callback = "remove_done_callback",
    reschedule = "reschedule",
    result = "result",
    run = "_run",
    run_in_context = "run",
    set_result = "set_result",
    source_traceback = "source_traceback",
    task = "task",
    tb = "tb",
    throw = "throw",
    time = "time",
    timeout = "timeout",
    timer_handle_cancelled = "_timer_handle_cancelled",
    uncancel = "uncancel",
    value = "value",
    when = "when",
}

macro_rules! imports {
    ($($(#[$meta:meta])* $field:ident = $module:literal . $name:literal,)*) => {
        /// Functions and classes of the standard library.
        pub struct Asyncio { $($(#[$meta])* pub $field: Object,)* }

        impl Asyncio {
            fn new(py: Python<'_>) -> PyResult<Self> {
                Ok(Self { $($(#[$meta])* $field: py.import($module)?.getattr($name)?.into(),)* })
            }
        }
    };
}

imports! {
    cancelled_error = "asyncio.exceptions"."CancelledError",
    invalid_state_error = "asyncio.exceptions"."InvalidStateError",
    iscoroutine = "asyncio.coroutines"."iscoroutine",
    extract_stack = "asyncio.format_helpers"."extract_stack",
    format_callback_source = "asyncio.format_helpers"."_format_callback_source",
    get_event_loop = "asyncio.events"."get_event_loop",
    get_running_loop = "asyncio.events"."get_running_loop",
    get_running_loop_or_none = "asyncio.events"."_get_running_loop",
    set_result_unless_cancelled = "asyncio.futures"."_set_result_unless_cancelled",
    handle = "asyncio.events"."Handle",
    timer_handle = "asyncio.events"."TimerHandle",
    #[cfg(Py_3_14)]
    thread_safe_handle = "asyncio.events"."_ThreadSafeHandle",
    future_repr = "asyncio.base_futures"."_future_repr",
    task_repr = "asyncio.base_tasks"."_task_repr",
    task_get_stack = "asyncio.base_tasks"."_task_get_stack",
    task_print_stack = "asyncio.base_tasks"."_task_print_stack",
    #[cfg(Py_3_14)]
    current_task = "_asyncio"."current_task",
    // A module whose functions may be replaced.
    tasks = "asyncio"."tasks",
    ensure_future = "asyncio.tasks"."ensure_future",
    enter_task = "_asyncio"."_enter_task",
    leave_task = "_asyncio"."_leave_task",
    // A module whose functions may be replaced.
    #[cfg(Py_3_14)]
    futures = "asyncio"."futures",
    #[cfg(Py_3_14)]
    register_task = "_asyncio"."_register_task",
    #[cfg(Py_3_14)]
    unregister_task = "_asyncio"."_unregister_task",
    #[cfg(not(Py_3_14))]
    current_tasks = "_asyncio"."_current_tasks",
    #[cfg(Py_3_12)]
    swap_current_task = "_asyncio"."_swap_current_task",
    future = "_asyncio"."Future",
    task = "_asyncio"."Task",
}

/// Tuples of keyword names for calls by the vectorcall convention.
pub struct KeywordNames {
    /// `("context",)`
    pub context: Object,
    /// `("msg",)`
    pub msg: Object,
}

/// The classes this crate makes.
#[derive(Default)]
pub struct Classes {
    pub stop_iteration: ClassCell,
    pub awaitable: ClassCell,
    pub completed: ClassCell,
    pub event: ClassCell,
    pub lock: ClassCell,
    pub handle: ClassCell,
    pub timer_handle: ClassCell,
    #[cfg(Py_3_14)]
    pub thread_safe_handle: ClassCell,
    pub future: ClassCell,
    pub future_iterator: ClassCell,
    pub notifier: ClassCell,
    pub task: ClassCell,
    pub alarm: ClassCell,
    pub gate: ClassCell,
    pub timeout: ClassCell,
    pub task_group: ClassCell,
}

impl Classes {
    /// Whether a class is exactly one of the handles'.
    #[inline]
    pub fn is_handle(&self, class: *mut ffi::PyTypeObject) -> bool {
        #[cfg(Py_3_14)]
        if class == self.thread_safe_handle.as_ptr() {
            return true;
        }
        class == self.handle.as_ptr() || class == self.timer_handle.as_ptr()
    }

    /// The class of what `call_soon_threadsafe` returns: `Handle` up to 3.13.
    #[inline]
    pub fn threadsafe(&self) -> *mut ffi::PyTypeObject {
        #[cfg(Py_3_14)]
        let class = &self.thread_safe_handle;
        #[cfg(not(Py_3_14))]
        let class = &self.handle;
        class.as_ptr()
    }
}

/// A class, once it has been made.
#[derive(Default)]
pub struct ClassCell(OnceLock<ClassPointer>);

struct ClassPointer(*mut ffi::PyTypeObject);

// SAFETY: a class lives as long as the process and is used with the GIL held.
unsafe impl Send for ClassPointer {}
// SAFETY: as above.
unsafe impl Sync for ClassPointer {}

impl ClassCell {
    /// Keeps the class for the rest of the process. A second call changes nothing.
    pub fn set(&self, class: Object) {
        let _ = self.0.get_or_init(|| ClassPointer(class.into_ptr().cast()));
    }

    /// The class as an object, once it has been made; `object` itself before.
    pub fn object(&self) -> Object {
        let class: *mut ffi::PyObject = self.as_ptr().cast();
        let class = if class.is_null() {
            (&raw mut ffi::PyBaseObject_Type).cast()
        } else {
            class
        };
        // SAFETY: both are valid classes.
        unsafe { Object::from_borrowed(class) }
    }

    /// The class, or null before it is made, which no instance outlives to see.
    #[inline]
    pub fn as_ptr(&self) -> *mut ffi::PyTypeObject {
        self.0.get().map_or(std::ptr::null_mut(), |class| class.0)
    }
}

/// All of it.
pub struct Globals {
    pub names: Names,
    pub keywords: KeywordNames,
    pub asyncio: Asyncio,
    pub classes: Classes,
    /// The empty tuple.
    pub no_arguments: Object,
    /// Whether the running asyncio's `create_task` passes `eager_start` on to the task.
    pub create_task_takes_eager_start: bool,
    /// Whether the running asyncio's `sleep` refuses a delay that is not a number: from 3.13 on.
    pub sleep_refuses_nan: bool,
    /// Whether the running asyncio wraps a `StopIteration` given to `set_exception`, or refuses it.
    pub wraps_stop_iteration: bool,
}

// SAFETY: written once at import, and the objects are touched with the GIL held only.
unsafe impl Send for Globals {}
// SAFETY: as above.
unsafe impl Sync for Globals {}

static GLOBALS: OnceLock<Globals> = OnceLock::new();

/// What [`initialise`] looked up.
///
/// # Panics
/// Before [`initialise`], which module import runs before anything of this crate can be reached.
#[inline]
pub fn globals() -> &'static Globals {
    GLOBALS
        .get()
        .expect("the module's import fills this before anything else can run")
}

/// Looks everything up. Called once, by the module's import.
pub fn initialise(py: Python<'_>) -> PyResult<&'static Globals> {
    let keyword = |name: &Bound<'_, PyString>| -> PyResult<Object> {
        Ok(pyo3::types::PyTuple::new(py, [name])?.into_any().into())
    };
    let globals = Globals {
        names: Names::new(py),
        keywords: KeywordNames {
            context: keyword(intern!(py, "context"))?,
            msg: keyword(intern!(py, "msg"))?,
        },
        asyncio: Asyncio::new(py)?,
        classes: Classes::default(),
        create_task_takes_eager_start: takes_keywords(py)?,
        sleep_refuses_nan: cfg!(Py_3_13),
        wraps_stop_iteration: wraps_stop_iteration(py)?,
        no_arguments: pyo3::types::PyTuple::empty(py).into_any().into(),
    };
    Ok(GLOBALS.get_or_init(|| globals))
}

/// From 3.11.8, 3.12.2 and 3.13 on (gh-112182).
fn wraps_stop_iteration(py: Python<'_>) -> PyResult<bool> {
    let version: u32 = py.import("sys")?.getattr("hexversion")?.extract()?;
    Ok((0x030B_0800..0x030C_0000).contains(&version) || version >= 0x030C_0200)
}

/// Whether `create_task(coro, **kwargs)` takes any keyword, as it does from 3.13.3 on.
fn takes_keywords(py: Python<'_>) -> PyResult<bool> {
    const CO_VARKEYWORDS: u32 = 8;
    let class = py.import("asyncio.base_events")?.getattr("BaseEventLoop")?;
    let flags = class
        .getattr("create_task")?
        .getattr("__code__")?
        .getattr("co_flags")?;
    Ok(flags.extract::<u32>()? & CO_VARKEYWORDS != 0)
}
