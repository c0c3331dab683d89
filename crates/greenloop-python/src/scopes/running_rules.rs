//! The behaviour of the running asyncio where its patch releases differ, read off its own code.
//!
//! A wheel is built for a minor version, but several fixes of asyncio came with 3.12.x and 3.13.x.
//! The names that a function uses tell whether it has such a fix, which needs no list of version
//! numbers. Where the code cannot be read, the first release of the minor version decides.

use greenloop_cpython::attached;
use std::ffi::CStr;
use std::sync::OnceLock;

use greenloop_cpython::making::{self, ByName as _};
use pyo3::prelude::*;

/// One flag for each difference.
pub struct Rules {
    pub timeout: TimeoutRules,
    pub group: GroupRules,
    /// Waiting for the cancelled future is shown in the graph of awaiting tasks.
    #[cfg(Py_3_14)]
    pub cancelling_is_shown: bool,
}

/// Those of `Timeout`.
pub struct TimeoutRules {
    /// Subclasses of `CancelledError` are cancellations too.
    pub takes_subclasses: bool,
    /// A `TimeoutError` is put into the contexts of other exceptions that come out.
    pub inserts_error: bool,
}

/// Those of `TaskGroup`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each stands for a change of asyncio's that came by itself"
)]
pub struct GroupRules {
    /// Subclasses of `CancelledError` are cancellations too.
    pub takes_subclasses: bool,
    /// The request to the parent task is taken back after the children are done, not before; and if
    /// others have requested too, the parent is cancelled again.
    pub settles_last: bool,
    /// The group releases its parent task and its errors when it ends.
    pub forgets: bool,
    /// A cancellation that came while it waited and was not its own is passed on.
    pub keeps_cancellation: bool,
    /// A `GeneratorExit` leaves it as it is.
    pub lets_generator_exit: bool,
    /// It has a method `cancel`, and swallows cancellations that it did not raise.
    pub can_be_cancelled: bool,
    /// A coroutine that it refuses is closed.
    pub closes_refused: bool,
    /// `create_task` passes on any keyword.
    pub takes_keywords: bool,
    /// A task that is done as soon as it is created is seen to at once.
    pub sees_eager_tasks: bool,
    /// A task that cancels the group in its first step is cancelled too.
    pub cancels_late_tasks: bool,
    /// A task is created first and named afterwards.
    pub names_afterwards: bool,
}

static RULES: OnceLock<Rules> = OnceLock::new();

/// The running asyncio's rules. They are read at import, before asyncio's own classes can be
/// replaced.
pub fn rules() -> &'static Rules {
    RULES.get_or_init(|| {
        let py = attached();
        let part = |module: &CStr, name: &CStr| {
            let found = making::import(py, module).and_then(|module| module.look_up(name));
            found.map_err(PyErr::from).ok()
        };
        Rules {
            timeout: timeout_rules(part(c"asyncio.timeouts", c"Timeout").as_ref()),
            group: group_rules(part(c"asyncio.taskgroups", c"TaskGroup").as_ref()),
            #[cfg(Py_3_14)]
            cancelling_is_shown: part(c"asyncio.tasks", c"_cancel_and_wait")
                .is_some_and(|function| uses(&function, "future_add_to_awaited_by", false)),
        }
    })
}

/// Reads the rules of `timeout` off the running asyncio's class.
fn timeout_rules(class: Option<&Bound<'_, PyAny>>) -> TimeoutRules {
    TimeoutRules {
        takes_subclasses: method_uses(class, "__aexit__", "issubclass", cfg!(Py_3_13)),
        inserts_error: has(class, "_insert_timeout_error", cfg!(Py_3_13)),
    }
}

/// Reads the rules of `TaskGroup` off the running asyncio's class.
fn group_rules(class: Option<&Bound<'_, PyAny>>) -> GroupRules {
    let forgets = has(class, "_aexit", cfg!(Py_3_14));
    let exit = if forgets { "_aexit" } else { "__aexit__" };
    let cancels_late_tasks = method_uses(class, "create_task", "cancel", cfg!(Py_3_15));
    let eager = cfg!(all(Py_3_12, not(Py_3_14)));
    GroupRules {
        takes_subclasses: method_uses(class, exit, "issubclass", cfg!(Py_3_13)),
        settles_last: method_uses(class, exit, "cancelling", cfg!(Py_3_13)),
        forgets,
        keeps_cancellation: method_uses(class, exit, "pending_cancellation_error", cfg!(Py_3_15)),
        lets_generator_exit: method_uses(class, exit, "GeneratorExit", cfg!(Py_3_15)),
        can_be_cancelled: has(class, "cancel", cfg!(Py_3_15)),
        closes_refused: method_uses(class, "create_task", "close", cfg!(Py_3_13)),
        takes_keywords: takes_keywords(class).unwrap_or(cfg!(Py_3_14)),
        sees_eager_tasks: !cancels_late_tasks && method_uses(class, "create_task", "done", eager),
        cancels_late_tasks,
        names_afterwards: method_uses(class, "create_task", "_set_task_name", cfg!(not(Py_3_13))),
    }
}

fn has(class: Option<&Bound<'_, PyAny>>, name: &str, default: bool) -> bool {
    class
        .and_then(|class| class.look_up_optional(name).map_err(PyErr::from).ok())
        .map_or(default, |found| found.is_some())
}

fn method_uses(class: Option<&Bound<'_, PyAny>>, method: &str, name: &str, default: bool) -> bool {
    class
        .and_then(|class| class.look_up(method).map_err(PyErr::from).ok())
        .map_or(default, |method| uses(&method, name, default))
}

/// Whether a function's own code mentions `name`, as a global, an attribute or a variable.
fn uses(function: &Bound<'_, PyAny>, name: &str, default: bool) -> bool {
    let mentions = || -> PyResult<bool> {
        let code = function.look_up(c"__code__")?;
        Ok(code.look_up(c"co_names")?.has(name)? || code.look_up(c"co_varnames")?.has(name)?)
    };
    mentions().unwrap_or(default)
}

/// Whether `create_task` has a `**kwargs`.
fn takes_keywords(class: Option<&Bound<'_, PyAny>>) -> Option<bool> {
    const CO_VARKEYWORDS: u32 = 8;
    let function = class?.look_up(c"create_task").map_err(PyErr::from).ok()?;
    let flags = || -> PyResult<u32> {
        let code = function.look_up(c"__code__")?;
        code.look_up(c"co_flags")?.extract()
    };
    Some(flags().ok()? & CO_VARKEYWORDS != 0)
}
