//! `greenloop._native`: the scheduler of Greenloop as CPython sees it.
//!
//! This crate translates between CPython and two others: `greenloop-core` decides what runs next,
//! and `greenloop-os` makes the system calls. A newcomer reads in this order:
//!
//! - [`event_loop`]: the loop, one capability per file, and the jobs that a turn runs;
//! - [`scheduler`]: the part of the loop that the next ones use;
//! - [`observing`]: telling an observer what happens;
//! - [`watching`]: looking at tasks and loops while they run, and who tells of it;
//! - [`handle`]: a callback to be run;
//! - [`awaitable`], [`sync`] and [`queues`]: the things a task waits for; [`combinators`]: several
//!   of them at once;
//! - [`scopes`]: `timeout`, `wait_for` and `TaskGroup`, which end a task's wait from outside;
//! - [`streams`]: readers and writers over any transport;
//! - [`future`] and [`task`]: asyncio's Future and Task, and the step that drives a coroutine;
//! - [`any_future`]: what is asked of futures of any class;
//! - [`transports`]: connections over sockets; [`servers`], which accept them; [`tls`], which
//!   encrypts them;
//! - [`sockets`]: the `sock_*` methods, which need no transport; [`datagrams`]: the work for each
//!   datagram;
//! - [`bridge`]: Rust futures of other extensions;
//! - [`asyncio`]: the names and functions of the running asyncio. The edge to CPython is a separate
//!   crate, `greenloop-cpython`.
//!
//! A free-threaded build of CPython refuses to import this module: the GIL guards a loop's state.
//!
//! The functions and names of asyncio that the classes need are looked up during the import, before
//! a class is made. Those that TLS needs wait for its first use, since some builds of Python have
//! no `ssl`.

#![allow(
    clippy::unnecessary_wraps,
    reason = "the functions behind methods all have one form, whether they can fail or not"
)]
#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the C API counts in signed words what is never negative"
)]

mod any_future;
mod asyncio;
mod awaitable;
mod bridge;
mod combinators;
mod datagrams;
mod event_loop;
mod future;
mod handle;
mod observing;
mod queues;
mod scheduler;
mod scopes;
mod servers;
mod sockets;
mod streams;
mod sync;
mod task;
mod tls;
mod transports;
mod watching;

use greenloop_cpython::making::{self, ByName as _};
use pyo3::prelude::*;
use pyo3::types::PyModule;

/// The native part of Greenloop. Use the package `greenloop` instead.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    if cfg!(Py_GIL_DISABLED) {
        return Err(making::import_error(
            "greenloop needs the GIL and does not support free-threaded builds of Python yet; \
             use a regular build, such as python3.14 instead of python3.14t",
        )
        .into());
    }
    greenloop_cpython::initialise(py)?;
    asyncio::initialise(py)?;
    scheduler::set_lookup(event_loop::EventLoop::scheduler_of);
    future::set_waiting_task(&task::WAITING);
    streams::set_native_transports([transports::FOR_WRITERS, tls::FOR_WRITERS]);
    make_classes()?;
    #[cfg(Py_3_14)]
    task::verify_base_fields(py)?;
    #[cfg(Py_3_14)]
    greenloop_cpython::find_thread_state_places(py)?;
    let classes = [
        &handle::classes()[..],
        &future::classes(),
        &task::classes(),
        &sync::classes(),
        &queues::classes(),
        &combinators::classes(),
        &scopes::classes(),
        &streams::classes(),
        &transports::classes(),
        &tls::classes(),
    ];
    for (name, class) in classes.concat() {
        module.add(name, class.object().bound(py))?;
    }
    module.add_class::<event_loop::EventLoop>()?;
    module.add_class::<transports::TransportTable>()?;
    event_loop::set_further_methods(sockets::methods);
    event_loop::install_methods(&py.get_type::<event_loop::EventLoop>())?;
    let functions = [
        awaitable::functions(),
        combinators::functions(),
        scopes::functions(),
        streams::functions(),
    ];
    for functions in functions {
        greenloop_cpython::add_functions(module, functions)?;
    }
    observing::functions(module)?;
    watching::functions(module)?;
    bridge::add_capsule(module)?;
    module.add_function(wrap_pyfunction!(registered_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(number_of, module)?)?;
    module.add_function(wrap_pyfunction!(remember_originals, module)?)?;
    module.add_function(wrap_pyfunction!(layout_checks, module)?)?;
    module.add_function(wrap_pyfunction!(task::set_task_set, module)?)?;
    module.add_function(wrap_pyfunction!(
        event_loop::set_eager_task_factories,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(combinators::set_wrap_awaitable, module)?)?;
    module.add_function(wrap_pyfunction!(awaitable::set_stand_ins, module)?)?;
    module.add_function(wrap_pyfunction!(asyncio::set_launcher_file, module)?)?;
    module.add_function(wrap_pyfunction!(task::show_native_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(
        datagrams::finish_datagram_transport,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(greenloop_cpython::enter_natively, module)?)?;
    module.add_function(wrap_pyfunction!(
        greenloop_cpython::enter_method_natively,
        module
    )?)?;
    // The one place of the version is the workspace's manifest.
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    // PyO3 declares each of these names public. The package alone decides which names are public.
    Ok(module.remove(c"__all__")?)
}

/// Makes the classes of each room. A class comes after those that it derives from.
///
/// Many derive from classes of asyncio, so [`asyncio`] has been initialised before.
///
/// # Errors
/// What making a class raises, which makes the import fail.
fn make_classes() -> greenloop_cpython::Result<()> {
    scheduler::make_alarm_class()?;
    handle::make_classes()?;
    future::make_classes()?;
    awaitable::make_classes()?;
    task::make_classes()?;
    let futures = [future::CLASS.object(), task::GATHERING_FUTURE.object()];
    future::adopt_metaclass(&futures)?;
    event_loop::make_job_call_class()?;
    sync::make_classes()?;
    queues::make_classes()?;
    combinators::make_classes()?;
    scopes::make_classes()?;
    streams::make_classes()?;
    transports::make_classes()?;
    datagrams::make_classes()?;
    tls::make_classes()
}

/// Remember the attributes of the classes whose methods may be replaced, now that they are
/// complete.
///
/// The package calls it once while it is imported, since it completes some of these classes itself.
/// A short cut later compares an attribute with what is remembered here, and calls the method by
/// name if a program has replaced it.
#[pyfunction]
#[pyo3(name = "_remember_originals")]
fn remember_originals(py: Python<'_>) -> PyResult<()> {
    let classes = [
        &sync::replaceable_classes()[..],
        &scopes::replaceable_classes(),
        &streams::replaceable_classes(),
        &transports::replaceable_classes(),
        &tls::replaceable_classes(),
    ];
    for class in classes.concat() {
        class.remember_originals(py)?;
    }
    Ok(())
}

/// Return which knowledge of the interpreter's insides was verified at import, for reports.
///
/// Each name comes with whether it holds, or None where this version of Python has no use for it.
#[pyfunction]
#[pyo3(name = "_layout_checks")]
fn layout_checks() -> Vec<(&'static str, Option<bool>)> {
    #[cfg(Py_3_14)]
    let base_fields = Some(task::base_fields_are_known());
    #[cfg(not(Py_3_14))]
    let base_fields = None;
    let mut checks = greenloop_cpython::verified().to_vec();
    checks.push(("base_fields", base_fields));
    checks
}

/// Return the number by which recordings name a resource, or 0 if none has named it.
#[pyfunction]
#[pyo3(name = "_number_of", text_signature = "(resource)")]
fn number_of(resource: Bound<'_, PyAny>) -> u32 {
    let resource = greenloop_cpython::Object::from(resource);
    sync::number_of(&resource)
        .or_else(|| queues::number_of(&resource))
        .or_else(|| streams::number_of(&resource))
        .or_else(|| scopes::number_of(&resource))
        .or_else(|| future::Future::native(&resource).map(|one| one.get().number().known()))
        .unwrap_or(0)
}

/// Return the pending tasks of this package that asyncio's own registry does not know.
///
/// asyncio's `all_tasks` finds those that were registered with it; the package adds these. The list
/// is a snapshot: its tasks may finish while the caller looks at them.
#[pyfunction]
fn registered_tasks(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let tasks = task::registered_tasks()?.into_iter().collect();
    Ok(making::list(tasks)?.bound(py).unbind())
}
