//! `into_future`: a Python awaitable as a Rust future.

use std::ffi::CStr;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::aside::with_exception_aside;
use crate::held::Held;
use crate::import::known;
use crate::making::{Name, exception, prepare_class};
use crate::python::{
    Owned, attribute, call, call_method, import, is_true, release, write_unraisable,
};
use crate::thread::Thread;
use crate::waker::polled_by;

/// Makes a Rust future of any Python awaitable: a coroutine, a future, a task, any object with
/// `__await__`.
///
/// It begins when it is first polled, by a thread in which a loop runs: within a future that was
/// given to [`into_awaitable`](crate::into_awaitable), or any other. A coroutine becomes a task
/// then, in a copy of the present context; a future or a task is taken as it is. Its result is the
/// future's, and its exception, even a `CancelledError`, is the future's error.
///
/// Dropping the future cancels the task or the future that it waits for, without waiting for that
/// to have its effect. If it was never polled, nothing was begun.
pub fn into_future(awaitable: Bound<'_, PyAny>) -> PythonFuture {
    PythonFuture {
        stage: Stage::Fresh(awaitable.unbind()),
    }
}

/// The future that [`into_future`] returns.
#[must_use = "it does nothing unless it is awaited"]
pub struct PythonFuture {
    stage: Stage,
}

/// ```text
///  Fresh ── first poll ──► Waiting ── done ──► Finished
///    │                        │ dropped: cancels
///    └── done already ────────┴──────────────► Finished
/// ```
enum Stage {
    Fresh(Py<PyAny>),
    Waiting {
        /// The task or future.
        future: Held,
        /// The [`DoneCallback`] that it has.
        callback: Held,
    },
    Finished,
}

impl Future for PythonFuture {
    type Output = PyResult<Py<PyAny>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Python::attach(|py| {
            let polled = match std::mem::replace(&mut self.stage, Stage::Finished) {
                Stage::Fresh(awaitable) => begin(&Owned::new(awaitable.into_bound(py)), context),
                Stage::Waiting { future, callback } => go_on(py, future, callback, context),
                Stage::Finished => Err(exception::<PyRuntimeError>(
                    py,
                    "a future is polled again after it was done",
                )),
            };
            match polled {
                Err(error) => Poll::Ready(Err(error)),
                Ok(Polled::Done(value)) => Poll::Ready(Ok(value)),
                Ok(Polled::Waits(stage)) => {
                    self.stage = stage;
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for PythonFuture {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Waiting { future, callback } => {
                // When the interpreter has ended there is nothing left to be cancelled.
                let _ended = Python::try_attach(|py| {
                    with_exception_aside(py, || {
                        if let Err(error) = give_up(py, &future, &callback) {
                            write_unraisable(py, error);
                        }
                        let_go(py, &future, &callback);
                    });
                });
            }
            // A thread without the GIL leaves the object to pyo3, and does not wait for the GIL.
            Stage::Fresh(awaitable) if Thread::with(Thread::touches_future) => {
                Python::attach(|py| with_exception_aside(py, || release(py, awaitable)));
            }
            Stage::Fresh(_) | Stage::Finished => {}
        }
    }
}

enum Polled {
    Done(Py<PyAny>),
    Waits(Stage),
}

/// `asyncio.ensure_future` makes a task of any awaitable, by the loop's own task factory, and of a
/// future nothing.
static ENSURE_FUTURE: OfAsyncio = OfAsyncio::new(c"ensure_future");
static GET_RUNNING_LOOP: OfAsyncio = OfAsyncio::new(c"_get_running_loop");

static ADD_DONE_CALLBACK: Name = Name::new(c"add_done_callback");
static REMOVE_DONE_CALLBACK: Name = Name::new(c"remove_done_callback");
static GET_LOOP: Name = Name::new(c"get_loop");
static IS_CLOSED: Name = Name::new(c"is_closed");
static CANCEL: Name = Name::new(c"cancel");
static CALL_SOON_THREADSAFE: Name = Name::new(c"call_soon_threadsafe");
static DONE: Name = Name::new(c"done");
static RESULT: Name = Name::new(c"result");

/// The first poll.
fn begin(awaitable: &Bound<'_, PyAny>, context: &Context<'_>) -> PyResult<Polled> {
    let py = awaitable.py();
    let ensure_future = ENSURE_FUTURE.get(py)?;
    let future = call(ensure_future, Some(awaitable))?;
    if is_done(&future)? {
        return result(&future).map(Polled::Done);
    }
    prepare_class::<DoneCallback>(py)?;
    let callback = Bound::new(py, DoneCallback::default())?;
    callback.get().wakes(py, context);
    let callback = Owned::new(callback.into_any());
    call_method(&future, ADD_DONE_CALLBACK.get(py)?, Some(&callback))?;
    let (held, held_callback) = (Held::default(), Held::default());
    held.set(future.into_bound().unbind());
    held_callback.set(callback.into_bound().unbind());
    Ok(Polled::Waits(Stage::Waiting {
        future: held,
        callback: held_callback,
    }))
}

fn go_on(py: Python<'_>, held: Held, callback: Held, context: &Context<'_>) -> PyResult<Polled> {
    let (Some(future), Some(done)) = (owned(py, &held), owned(py, &callback)) else {
        return Err(exception::<PyRuntimeError>(
            py,
            "a future has nothing to wait for",
        ));
    };
    if is_done(&future)? {
        let_go(py, &held, &callback);
        return result(&future).map(Polled::Done);
    }
    done.cast::<DoneCallback>()?.get().wakes(py, context);
    Ok(Polled::Waits(Stage::Waiting {
        future: held,
        callback,
    }))
}

/// Cancels the awaited object.
fn give_up(py: Python<'_>, held: &Held, callback: &Held) -> PyResult<()> {
    let (Some(future), Some(callback)) = (owned(py, held), owned(py, callback)) else {
        return Ok(());
    };
    if is_done(&future)? {
        return Ok(());
    }
    let done = callback.cast::<DoneCallback>()?;
    done.get().target.set(py, Target::Nobody);
    call_method(&future, REMOVE_DONE_CALLBACK.get(py)?, Some(&callback))?;
    let event_loop = call_method(&future, GET_LOOP.get(py)?, None)?;
    let is_closed = call_method(&event_loop, IS_CLOSED.get(py)?, None)?;
    if is_true(&is_closed)? {
        return Ok(());
    }
    let cancel = attribute(&future, CANCEL.get(py)?)?;
    let running = GET_RUNNING_LOOP.get(py)?;
    if call(running, None)?.is(&*event_loop) {
        call(&cancel, None)?;
    } else {
        // Another thread, or none: the loop does it when it can.
        call_method(&event_loop, CALL_SOON_THREADSAFE.get(py)?, Some(&cancel))?;
    }
    Ok(())
}

fn is_done(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    let is_done = call_method(future, DONE.get(future.py())?, None)?;
    is_true(&is_done)
}

fn result(future: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let result = call_method(future, RESULT.get(future.py())?, None)?;
    Ok(result.into_bound().unbind())
}

fn owned<'py>(py: Python<'py>, held: &Held) -> Option<Owned<'py>> {
    held.get(py).map(|object| Owned::new(object.into_bound(py)))
}

/// Releases the awaited object, and the callback it had.
fn let_go(py: Python<'_>, future: &Held, callback: &Held) {
    for object in [future.take(), callback.take()].into_iter().flatten() {
        release(py, object);
    }
}

/// A function of the package `asyncio`, which is imported when it is first needed.
struct OfAsyncio {
    name: Name,
    found: PyOnceLock<Py<PyAny>>,
}

impl OfAsyncio {
    const fn new(name: &'static CStr) -> Self {
        Self {
            name: Name::new(name),
            found: PyOnceLock::new(),
        }
    }

    fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        if let Some(function) = self.found.get(py) {
            return Ok(function.bind(py));
        }
        let asyncio = import(py, c"asyncio")?;
        let function = attribute(&asyncio, self.name.get(py)?)?;
        let function = function.into_bound().unbind();
        // Not around the import: a thread that is held in there would have all others wait for it.
        Ok(self.found.get_or_init(py, || function).bind(py))
    }
}

/// The callback that the loop calls when the task or future is done.
///
/// It holds the awaitable of a Rust future itself, and not one of its wakers, where it can: the
/// garbage collector understands that.
#[pyclass(frozen, module = "greenloop_bridge")]
#[derive(Default)]
struct DoneCallback {
    target: TargetCell,
}

#[derive(Default)]
enum Target {
    #[default]
    Nobody,
    Awaitable(Py<PyAny>),
    Waker(Waker),
}

#[derive(Default)]
struct TargetCell(Mutex<Target>);

impl TargetCell {
    /// Replaces the target. The old one is dropped when nothing is locked.
    fn set(&self, py: Python<'_>, target: Target) {
        match self.replace(target) {
            Target::Awaitable(awaitable) => release(py, awaitable),
            Target::Nobody | Target::Waker(_) => {}
        }
    }

    fn replace(&self, target: Target) -> Target {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *place, target)
    }
}

impl DoneCallback {
    /// Wakes the present poller.
    fn wakes(&self, py: Python<'_>, context: &Context<'_>) {
        let waker = context.waker();
        let target = match (polled_by(waker), known(py)) {
            (Some(polled), Some(table)) => {
                // SAFETY: the poll lasts; the result is a new reference.
                let awaitable = unsafe { Bound::from_owned_ptr(py, (table.awaitable)(polled)) };
                Target::Awaitable(awaitable.unbind())
            }
            _ => Target::Waker(waker.clone()),
        };
        self.target.set(py, target);
    }
}

#[pymethods]
impl DoneCallback {
    fn __call__(&self, py: Python<'_>, _future: &Bound<'_, PyAny>) {
        match self.target.replace(Target::Nobody) {
            Target::Nobody => {}
            Target::Waker(waker) => waker.wake(),
            Target::Awaitable(awaitable) => {
                if let Some(table) = known(py) {
                    // SAFETY: a valid object, and the GIL is held.
                    unsafe { (table.wake_awaitable)(awaitable.as_ptr()) };
                }
                release(py, awaitable);
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // One that is being replaced counts as held by others.
        match self.target.0.try_lock() {
            Ok(target) => match &*target {
                Target::Awaitable(awaitable) => visit.call(awaitable),
                Target::Nobody | Target::Waker(_) => Ok(()),
            },
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        // Called by the collector, which holds the GIL.
        Python::attach(|py| self.target.set(py, Target::Nobody));
    }
}
