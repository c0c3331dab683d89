//! How the edition is read off the running asyncio's own code.
//!
//! A wheel is built for a minor version, but several fixes of asyncio came with a patch release.
//! The names that a function uses tell whether it has such a fix, which needs no list of version
//! numbers. Where the code cannot be read, the first release of the minor version decides.

use std::ffi::CStr;

use greenloop_cpython::Object;
use greenloop_cpython::making::{self, ByName as _};
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyTuple};

use super::{Edition, GraphEdition, GroupEdition, StreamsEdition, TimeoutEdition, TlsEdition};

impl Edition {
    pub(super) fn read(py: Python<'_>) -> PyResult<Self> {
        let part = |module: &CStr, name: &CStr| {
            let found = making::import(py, module).and_then(|module| module.look_up(name));
            found.map_err(PyErr::from).ok()
        };
        let tasks = making::import(py, c"asyncio.tasks")?;
        let event_loop = making::import(py, c"asyncio.base_events")?.look_up(c"BaseEventLoop")?;
        Ok(Self {
            create_task_takes_eager_start: create_task_has_kwargs(&event_loop)?,
            wraps_stop_iteration: wraps_stop_iteration(py)?,
            log_shielded: tasks
                .look_up_optional("_log_on_exception")?
                .map(Object::from),
            #[cfg(Py_3_12)]
            writelines_pauses: method_uses(
                part(c"asyncio.selector_events", c"_SelectorSocketTransport").as_ref(),
                "writelines",
                "_maybe_pause_protocol",
                cfg!(Py_3_14),
            ),
            graph: GraphEdition {
                gather_stops_awaiting: tasks.look_up_optional("_discard_awaited_by")?.is_some(),
                #[cfg(Py_3_14)]
                cancelling_is_shown: part(c"asyncio.tasks", c"_cancel_and_wait")
                    .is_some_and(|function| uses(&function, "future_add_to_awaited_by", false)),
            },
            timeout: TimeoutEdition::read(part(c"asyncio.timeouts", c"Timeout").as_ref()),
            group: GroupEdition::read(part(c"asyncio.taskgroups", c"TaskGroup").as_ref()),
            streams: StreamsEdition::read(py).unwrap_or(StreamsEdition::OF_THE_FIRST_RELEASE),
            tls: TlsEdition::read(part(c"asyncio.sslproto", c"_SSLProtocolTransport").as_ref()),
        })
    }
}

impl TimeoutEdition {
    fn read(class: Option<&Bound<'_, PyAny>>) -> Self {
        Self {
            takes_subclasses: method_uses(class, "__aexit__", "issubclass", cfg!(Py_3_13)),
            inserts_error: has(class, "_insert_timeout_error", cfg!(Py_3_13)),
        }
    }
}

impl GroupEdition {
    fn read(class: Option<&Bound<'_, PyAny>>) -> Self {
        let in_creation = |name, default| method_uses(class, "create_task", name, default);
        let forgets = has(class, "_aexit", cfg!(Py_3_14));
        let exit = if forgets { "_aexit" } else { "__aexit__" };
        let at_exit = |name, default| method_uses(class, exit, name, default);
        let cancels_late_tasks = in_creation("cancel", cfg!(Py_3_15));
        let eager = cfg!(all(Py_3_12, not(Py_3_14)));
        let takes_keywords = class.and_then(|class| create_task_has_kwargs(class).ok());
        Self {
            takes_subclasses: at_exit("issubclass", cfg!(Py_3_13)),
            settles_last: at_exit("cancelling", cfg!(Py_3_13)),
            forgets,
            keeps_cancellation: at_exit("pending_cancellation_error", cfg!(Py_3_15)),
            lets_generator_exit: at_exit("GeneratorExit", cfg!(Py_3_15)),
            can_be_cancelled: has(class, "cancel", cfg!(Py_3_15)),
            closes_refused: in_creation("close", cfg!(Py_3_13)),
            takes_keywords: takes_keywords.unwrap_or(cfg!(Py_3_14)),
            sees_eager_tasks: !cancels_late_tasks && in_creation("done", eager),
            cancels_late_tasks,
            names_afterwards: in_creation("_set_task_name", cfg!(not(Py_3_13))),
        }
    }
}

impl StreamsEdition {
    const OF_THE_FIRST_RELEASE: Self = Self {
        guards_callback: false,
        expects_cancellation: true,
        keeps_writer: !cfg!(Py_3_13),
        replaces_reader_transport: cfg!(Py_3_14),
        writer_warns: true,
        several_separators: cfg!(Py_3_13),
    };

    fn read(py: Python<'_>) -> PyResult<Self> {
        let streams = making::import(py, c"asyncio.streams")?;
        let reader = streams.look_up(c"StreamReader")?;
        let protocol = streams.look_up(c"StreamReaderProtocol")?;
        let writer = streams.look_up(c"StreamWriter")?;
        let connection_made = protocol.look_up(c"connection_made")?.look_up(c"__code__")?;
        let constants = connection_made
            .look_up(c"co_consts")?
            .cast_into::<PyTuple>()?;
        let callback = constants
            .iter()
            .find(PyAnyMethods::is_instance_of::<PyCode>);
        let readuntil = reader.look_up(c"readuntil")?.look_up(c"__code__")?;
        let expects_cancellation = match callback {
            Some(callback) => callback.look_up(c"co_names")?.has("cancelled")?,
            None => true,
        };
        Ok(Self {
            guards_callback: constants.has("Unhandled exception in client_connected_cb")?,
            expects_cancellation,
            keeps_writer: protocol.look_up_optional("_replace_writer")?.is_some(),
            replaces_reader_transport: reader.look_up_optional("_replace_transport")?.is_some(),
            writer_warns: writer.look_up_optional("__del__")?.is_some(),
            several_separators: readuntil.look_up(c"co_names")?.has("tuple")?,
        })
    }
}

impl TlsEdition {
    fn read(transport: Option<&Bound<'_, PyAny>>) -> Self {
        let closing = ("is_closing", "_is_transport_closing");
        Self {
            aborts_with_exception: method_uses(transport, "abort", "_force_close", cfg!(Py_3_13)),
            closes_with_transport: method_uses(transport, closing.0, closing.1, cfg!(Py_3_14)),
        }
    }
}

/// Nothing in asyncio's Python code tells: it is the native class that differs.
fn wraps_stop_iteration(py: Python<'_>) -> PyResult<bool> {
    let version: u32 = making::import(py, c"sys")?
        .look_up(c"hexversion")?
        .extract()?;
    Ok((0x030B_0800..0x030C_0000).contains(&version) || version >= 0x030C_0200)
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

/// Whether the `create_task` of a class has a `**kwargs`.
fn create_task_has_kwargs(class: &Bound<'_, PyAny>) -> PyResult<bool> {
    const CO_VARKEYWORDS: u32 = 8;
    let code = class.look_up(c"create_task")?.look_up(c"__code__")?;
    let flags = code.look_up(c"co_flags")?;
    Ok(flags.extract::<u32>()? & CO_VARKEYWORDS != 0)
}
