//! `greenloop._native`: the scheduler of Greenloop as CPython sees it.
//!
//! This crate translates between CPython and two others: `greenloop-core` decides what runs next,
//! and `greenloop-os` makes the system calls. A newcomer reads in this order:
//!
//! - [`event_loop`]: the loop, one capability per file, and the jobs that a turn runs;
//! - [`scheduler`]: the part of the loop that the next ones use;
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

use asyncio::Globals;
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{ClassCell, Object};
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
    let globals = asyncio::initialise(py)?;
    transports::find_plain_sockets(py)?;
    scheduler::set_lookup(event_loop::EventLoop::scheduler_of);
    future::set_waiting_task(&task::WAITING);
    make_classes(globals)?;
    #[cfg(Py_3_14)]
    task::verify_base_fields(py)?;
    #[cfg(Py_3_14)]
    scheduler::find_thread_state_places(py)?;
    let classes = &globals.classes;
    for (name, class) in [
        ("Handle", &classes.handle),
        ("TimerHandle", &classes.timer_handle),
        #[cfg(Py_3_14)]
        ("ThreadSafeHandle", &classes.thread_safe_handle),
        ("Future", &classes.future),
        ("Task", &classes.task),
        ("Event", &classes.event),
        ("Lock", &classes.lock),
        ("Queue", &classes.queue),
        ("LifoQueue", &classes.lifo_queue),
        ("PriorityQueue", &classes.priority_queue),
        ("_GatheringFuture", &classes.gathering_future),
        ("_AsCompletedIterator", &classes.as_completed_iterator),
        ("Semaphore", &classes.semaphore),
        ("BoundedSemaphore", &classes.bounded_semaphore),
        ("Condition", &classes.condition),
        ("Barrier", &classes.barrier),
        ("Timeout", &classes.timeout),
        ("TaskGroup", &classes.task_group),
        ("StreamReader", &classes.stream_reader),
        ("FlowControlMixin", &classes.flow_control),
        ("StreamReaderProtocol", &classes.stream_reader_protocol),
        ("StreamWriter", &classes.stream_writer),
        ("SocketTransport", &classes.socket_transport),
        ("SSLProtocol", &classes.ssl_protocol),
        ("SSLTransport", &classes.ssl_transport),
    ] {
        module.add(name, class.object().bound(py))?;
    }
    module.add_class::<event_loop::EventLoop>()?;
    module.add_class::<transports::TransportTable>()?;
    event_loop::set_further_methods(sockets::methods);
    event_loop::install_methods(&py.get_type::<event_loop::EventLoop>())?;
    awaitable::add_functions(module)?;
    combinators::add_functions(module)?;
    scopes::add_functions(module)?;
    greenloop_cpython::add_to_module(module, streams::functions())?;
    bridge::add_capsule(module)?;
    module.add_function(wrap_pyfunction!(registered_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(remember_originals, module)?)?;
    module.add_function(wrap_pyfunction!(task::set_task_set, module)?)?;
    module.add_function(wrap_pyfunction!(
        event_loop::set_eager_task_factories,
        module
    )?)?;
    module.add_function(wrap_pyfunction!(combinators::set_wrap_awaitable, module)?)?;
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
    // PyO3 declares each of these names public. The package alone decides which names are public.
    Ok(module.remove(c"__all__")?)
}

fn make_classes(globals: &Globals) -> greenloop_cpython::Result<()> {
    let make = |cell: &ClassCell, class: greenloop_cpython::Result<Object>| {
        class.map(|class| cell.set(class))
    };
    let classes = &globals.classes;
    make(&classes.handle, handle::make_class())?;
    make(
        &classes.timer_handle,
        handle::make_timer_class(&classes.handle.object()),
    )?;
    #[cfg(Py_3_14)]
    make(
        &classes.thread_safe_handle,
        handle::make_thread_safe_class(&classes.handle.object()),
    )?;
    make(&classes.job_call, event_loop::make_job_call_class())?;
    make(&classes.future, future::make_class())?;
    make(&classes.future_iterator, future::make_iterator_class())?;
    make(&classes.notifier, future::make_notifier_class())?;
    make(&classes.task, task::make_class())?;
    make(&classes.awaitable, awaitable::make_class())?;
    make(&classes.completed, awaitable::make_completed_class())?;
    make(&classes.event, sync::make_event_class())?;
    make(&classes.lock, sync::make_lock_class())?;
    make(&classes.queue, queues::make_class())?;
    let queue = classes.queue.object();
    make(&classes.lifo_queue, queues::make_lifo_class(&queue))?;
    make(&classes.priority_queue, queues::make_priority_class(&queue))?;
    make(
        &classes.gathering_future,
        task::make_gathering_future_class(),
    )?;
    let futures = [classes.future.object(), classes.gathering_future.object()];
    future::adopt_metaclass(&futures)?;
    make(&classes.wait_state, combinators::make_wait_state_class())?;
    make(
        &classes.as_completed_iterator,
        combinators::make_as_completed_class(),
    )?;
    make(&classes.waiters, sync::make_waiters_class())?;
    make(&classes.semaphore, sync::make_semaphore_class())?;
    make(
        &classes.bounded_semaphore,
        sync::make_bounded_semaphore_class(&classes.semaphore.object()),
    )?;
    make(&classes.condition, sync::make_condition_class())?;
    make(&classes.barrier, sync::make_barrier_class())?;
    make(&classes.alarm, scheduler::make_alarm_class())?;
    make(&classes.gate, scopes::make_gate_class())?;
    make(&classes.timeout, scopes::make_timeout_class())?;
    make(&classes.task_group, scopes::make_task_group_class())?;
    make(&classes.stream_reader, streams::make_reader_class())?;
    make(&classes.flow_control, streams::make_flow_control_class())?;
    make(
        &classes.stream_reader_protocol,
        streams::make_protocol_class(),
    )?;
    make(&classes.stream_writer, streams::make_writer_class())?;
    make(&classes.protocol_factory, streams::make_factory_class())?;
    make(&classes.socket_transport, transports::make_class())?;
    make(&classes.datagram_state, datagrams::make_state_class())?;
    make(&classes.window, tls::make_window_class())?;
    make(&classes.ssl_protocol, tls::make_protocol_class())?;
    make(&classes.ssl_transport, tls::make_transport_class())?;
    #[cfg(not(Py_3_14))]
    {
        for class in [
            &classes.lock,
            &classes.semaphore,
            &classes.condition,
            &classes.barrier,
            &classes.timeout,
            &classes.task_group,
        ] {
            greenloop_cpython::bind_entering_cheaply(&class.object())?;
        }
    }
    Ok(())
}

/// Remember the attributes of the classes whose methods may be replaced, now that they are
/// complete.
#[pyfunction]
#[pyo3(name = "_remember_originals")]
fn remember_originals(py: Python<'_>) -> PyResult<()> {
    let classes = &asyncio::globals().classes;
    for class in [
        &classes.lock,
        &classes.semaphore,
        &classes.bounded_semaphore,
        &classes.condition,
        &classes.barrier,
        &classes.timeout,
        &classes.task_group,
        &classes.stream_reader,
        &classes.stream_reader_protocol,
        &classes.stream_writer,
        &classes.ssl_protocol,
    ] {
        class.remember_originals(py)?;
    }
    Ok(())
}

/// Return the pending tasks of this package that asyncio's own registry does not know.
#[pyfunction]
fn registered_tasks(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let tasks = task::registered_tasks()?.into_iter().collect();
    Ok(making::list(tasks)?.bound(py).unbind())
}
