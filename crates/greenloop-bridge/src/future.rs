//! `into_future`: a Python awaitable as a Rust future.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::aside::with_exception_aside;
use crate::held::Held;
use crate::import::known;
use crate::waker::polled_by;

/// Makes a Rust future of what Python can await: a coroutine, a future, a task, any object with
/// `__await__`.
///
/// It begins when it is first polled, by a thread in which a loop runs: within a future that was given to
/// [`into_awaitable`](crate::into_awaitable), or any other. A coroutine becomes a task then, in a copy of the present context;
/// a future or a task is taken as it is. Its result is the future's, and what it raises is its error, a
/// `CancelledError` too.
///
/// Dropping the future cancels the task or the future that it waits for, without waiting for that to
/// have its effect. If it was never polled, nothing was begun.
pub fn into_future(awaitable: Bound<'_, PyAny>) -> PythonFuture {
    PythonFuture {
        stage: Stage::Fresh(awaitable.unbind()),
    }
}

/// What [`into_future`] returns.
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
                Stage::Fresh(awaitable) => begin(awaitable.into_bound(py), context),
                Stage::Waiting { future, callback } => go_on(py, future, callback, context),
                Stage::Finished => Err(PyRuntimeError::new_err(
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
                            error.write_unraisable(py, None);
                        }
                        drop((future.take(), callback.take()));
                    });
                });
            }
            Stage::Fresh(_) | Stage::Finished => {}
        }
    }
}

enum Polled {
    Done(Py<PyAny>),
    Waits(Stage),
}

/// `asyncio.ensure_future` makes a task of any awaitable, by the loop's own task factory, and of a future
/// nothing.
static ENSURE_FUTURE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The first poll.
fn begin(awaitable: Bound<'_, PyAny>, context: &Context<'_>) -> PyResult<Polled> {
    let py = awaitable.py();
    let ensure_future = ENSURE_FUTURE.import(py, "asyncio", "ensure_future")?;
    let future = ensure_future.call1((awaitable,))?;
    if is_done(&future)? {
        return result(&future).map(Polled::Done);
    }
    let callback = Bound::new(py, DoneCallback::default())?;
    callback.get().wakes(py, context);
    future.call_method1(intern!(py, "add_done_callback"), (&callback,))?;
    let (held, held_callback) = (Held::default(), Held::default());
    held.set(future.unbind());
    held_callback.set(callback.into_any().unbind());
    Ok(Polled::Waits(Stage::Waiting {
        future: held,
        callback: held_callback,
    }))
}

fn go_on(py: Python<'_>, held: Held, callback: Held, context: &Context<'_>) -> PyResult<Polled> {
    let (Some(future), Some(done)) = (held.get(py), callback.get(py)) else {
        return Err(PyRuntimeError::new_err("a future has nothing to wait for"));
    };
    let bound = future.bind(py);
    if is_done(bound)? {
        drop((held.take(), callback.take()));
        return result(bound).map(Polled::Done);
    }
    done.bind(py)
        .cast::<DoneCallback>()?
        .get()
        .wakes(py, context);
    Ok(Polled::Waits(Stage::Waiting {
        future: held,
        callback,
    }))
}

/// Cancels what is waited for.
fn give_up(py: Python<'_>, held: &Held, callback: &Held) -> PyResult<()> {
    let (Some(future), Some(callback)) = (held.get(py), callback.get(py)) else {
        return Ok(());
    };
    let future = future.bind(py);
    if is_done(future)? {
        return Ok(());
    }
    let done = callback.bind(py).cast::<DoneCallback>()?;
    done.get().target.set(Target::Nobody);
    future.call_method1(intern!(py, "remove_done_callback"), (done,))?;
    let event_loop = future.call_method0(intern!(py, "get_loop"))?;
    if event_loop
        .call_method0(intern!(py, "is_closed"))?
        .is_truthy()?
    {
        return Ok(());
    }
    let cancel = future.getattr(intern!(py, "cancel"))?;
    let running = RUNNING_LOOP.import(py, "asyncio", "_get_running_loop")?;
    if running.call0()?.is(&event_loop) {
        cancel.call0()?;
    } else {
        // Another thread, or none: the loop does it when it can.
        event_loop.call_method1(intern!(py, "call_soon_threadsafe"), (cancel,))?;
    }
    Ok(())
}

fn is_done(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    future
        .call_method0(intern!(future.py(), "done"))?
        .is_truthy()
}

fn result(future: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    future
        .call_method0(intern!(future.py(), "result"))
        .map(Bound::unbind)
}

/// What the loop calls when the task or future is done.
///
/// It holds the awaitable of a Rust future itself, and not one of its wakers, where it can: the garbage
/// collector understands that.
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
    fn set(&self, target: Target) {
        drop(self.replace(target));
    }

    fn replace(&self, target: Target) -> Target {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *place, target)
    }
}

impl DoneCallback {
    /// Wakes whoever polls now.
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
        self.target.set(target);
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
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // One that is being replaced counts as held by somebody else.
        match self.target.0.try_lock() {
            Ok(target) => match &*target {
                Target::Awaitable(awaitable) => visit.call(awaitable),
                Target::Nobody | Target::Waker(_) => Ok(()),
            },
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        self.target.set(Target::Nobody);
    }
}
