//! `into_awaitable`: a Rust future as a Python awaitable.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi::{PyObject, visitproc};
use pyo3::panic::PanicException;
use pyo3::prelude::*;

use crate::abi::{Kind, PENDING, RAISED, READY, Table};
use crate::aside::with_exception_aside;
use crate::attached::attached;
use crate::held::HeldObjects;
use crate::import::table;
use crate::making::{converted, exception, from_result, restore};
use crate::python::write_unraisable;
use crate::thread::Thread;
use crate::waker::with_waker;

/// Gives Python an awaitable that is `future`.
///
/// It is polled by the task that awaits it, on the loop's thread, in the task's context and with
/// the GIL held: so it may use Python objects at any time, and must release the GIL (`py.detach`)
/// for long work. Like a coroutine it does nothing until it is awaited, warns if it never is, and
/// can be awaited once.
///
/// - The future's output is converted and is the result of the `await`. An error is raised
///   unchanged.
/// - A panic raises pyo3's `PanicException`. The future is dropped, and the loop goes on.
/// - Without memory for its result or its error the `await` raises `MemoryError`.
/// - Cancelling the task drops the future where it waits, and raises `CancelledError` from the
///   `await`.
/// - A waker may be used by any thread at any time, also when the loop is closed. A waker keeps the
///   task alive.
///
/// The future need not be `Send`, so only the thread that called this function polls and drops it.
/// If another thread awaits it, it raises `RuntimeError` and is leaked. If another thread drops the
/// last reference to the awaitable, the future is leaked and `sys.unraisablehook` called.
///
/// # Errors
/// `ImportError` if Greenloop is not installed or does not understand this crate's version, and
/// `MemoryError`.
pub fn into_awaitable<'py, F, T>(py: Python<'py>, future: F) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = PyResult<T>> + 'static,
    T: for<'any> IntoPyObject<'any> + 'static,
{
    create(py, future, Thread::with(Thread::number))
}

/// As [`into_awaitable`], for a future that may be awaited and dropped by another thread than the
/// calling one.
///
/// # Errors
/// As for [`into_awaitable`].
pub fn into_awaitable_send<'py, F, T>(py: Python<'py>, future: F) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = PyResult<T>> + Send + 'static,
    T: for<'any> IntoPyObject<'any> + 'static,
{
    create(py, future, ANY_THREAD)
}

fn create<'py, F, T>(py: Python<'py>, future: F, thread: u64) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = PyResult<T>> + 'static,
    T: for<'any> IntoPyObject<'any> + 'static,
{
    let table = table(py)?;
    let fits = size_of::<InPlace<F>>() <= table.room && align_of::<InPlace<F>>() <= table.alignment;
    if fits {
        place(py, table, thread, future)
    } else {
        place(py, table, thread, Box::pin(future))
    }
}

/// A future in the place that the table gave.
struct InPlace<F> {
    table: &'static Table,
    /// The only thread that may touch the future, or [`ANY_THREAD`].
    thread: u64,
    held_objects: HeldObjects,
    future: F,
}

fn place<'py, F, T>(
    py: Python<'py>,
    table: &'static Table,
    thread: u64,
    future: F,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = PyResult<T>> + 'static,
    T: for<'any> IntoPyObject<'any> + 'static,
{
    let mut memory = ptr::null_mut();
    // SAFETY: the kind tells what is moved into the place, which has been found large enough.
    unsafe {
        let awaitable = (table.create)(InPlace::<F>::KIND, &raw mut memory);
        let awaitable = from_result(py, awaitable)?;
        memory.cast::<InPlace<F>>().write(InPlace {
            table,
            thread,
            held_objects: HeldObjects::default(),
            future,
        });
        Ok(awaitable)
    }
}

impl<F, T> InPlace<F>
where
    F: Future<Output = PyResult<T>> + 'static,
    T: for<'any> IntoPyObject<'any> + 'static,
{
    const KIND: &'static Kind = &Kind {
        poll: Self::poll,
        drop: Self::drop,
        traverse: Self::traverse,
    };

    unsafe extern "C" fn poll(
        memory: *mut c_void,
        polled: *const c_void,
        result: *mut *mut PyObject,
    ) -> c_int {
        // SAFETY: the place holds one of these, and nobody moves it before it is dropped.
        let (this, future) = unsafe {
            let this = memory.cast::<Self>();
            let future = Pin::new_unchecked(&mut (*this).future);
            (
                (&(*this).table, &(*this).thread, &(*this).held_objects),
                future,
            )
        };
        let (table, owner, held_objects) = this;
        let poll = |py: Python<'_>, thread: &Thread| {
            if !may_touch(*owner, thread) {
                let text = "a Rust future is awaited by another thread than the one that made it";
                restore(py, exception::<PyRuntimeError>(py, text));
                return RAISED;
            }
            let poll = || {
                let step = |waker: &_| future.poll(&mut Context::from_waker(waker));
                match with_waker(table, polled, step) {
                    Poll::Pending => Ok(None),
                    Poll::Ready(Err(error)) => Err(error),
                    Poll::Ready(Ok(value)) => converted(py, value).map(Some),
                }
            };
            let polled = held_objects.during(thread, || catch_unwind(AssertUnwindSafe(poll)));
            if !matches!(polled, Ok(Ok(None))) {
                // SAFETY: it is not polled again, and not dropped again.
                report(py, unsafe { drop_in_place(py, memory.cast::<Self>()) });
            }
            match polled {
                Ok(Ok(None)) => PENDING,
                Ok(Ok(Some(value))) => {
                    // SAFETY: the caller passes a place for the result.
                    unsafe { *result = value.into_ptr() };
                    READY
                }
                Ok(Err(error)) => {
                    restore(py, error);
                    RAISED
                }
                Err(panic) => {
                    restore(py, panicked(py, panic));
                    RAISED
                }
            }
        };
        // SAFETY: the caller holds the GIL, and a panic is caught above.
        Thread::with(|thread| unsafe { attached(thread, |py| poll(py, thread)) })
    }

    unsafe extern "C" fn drop(memory: *mut c_void) {
        let this = memory.cast::<Self>();
        let drop = |py: Python<'_>, thread: &Thread| {
            with_exception_aside(py, || {
                // SAFETY: the place holds one of these until now.
                let dropped = unsafe {
                    if may_touch((*this).thread, thread) {
                        drop_in_place(py, this)
                    } else {
                        Err(exception::<PyRuntimeError>(
                            py,
                            "a Rust future is leaked: another thread than the one that made it was \
                             the last to hold its awaitable",
                        ))
                    }
                };
                report(py, dropped);
            });
        };
        // Not `Python::attach`: it panics when the interpreter ends, which is when the last futures
        // are dropped.
        // SAFETY: the caller holds the GIL, and a panic is caught above.
        Thread::with(|thread| unsafe { attached(thread, |py| drop(py, thread)) });
    }

    unsafe extern "C" fn traverse(
        memory: *mut c_void,
        visit: visitproc,
        arg: *mut c_void,
    ) -> c_int {
        // SAFETY: the place holds one of these, whose held objects are never borrowed mutably; the
        // rest is passed on from the collector.
        unsafe { (*memory.cast::<Self>()).held_objects.visit(visit, arg) }
    }
}

/// Drops the value at `place`, with the GIL held. A panic is an error.
///
/// # Safety
/// As for the function of this name in `std::ptr`.
unsafe fn drop_in_place<T>(py: Python<'_>, place: *mut T) -> PyResult<()> {
    let drop = || {
        // SAFETY: passed on from the caller.
        catch_unwind(AssertUnwindSafe(|| unsafe { place.drop_in_place() }))
    };
    Thread::with(|thread| thread.during_drop(drop)).map_err(|panic| panicked(py, panic))
}

/// Tells `sys.unraisablehook` of an error in a destructor.
fn report(py: Python<'_>, dropped: PyResult<()>) {
    if let Err(error) = dropped {
        write_unraisable(py, error);
    }
}

/// The exception that pyo3 makes of a panic in a function.
#[cold]
fn panicked(py: Python<'_>, panic: Box<dyn Any + Send>) -> PyErr {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic from Rust code");
    let error = exception::<PanicException>(py, text);
    // A panic's payload may panic again when it is dropped.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    error
}

/// In the place of a thread's number: the future is `Send`.
const ANY_THREAD: u64 = 0;

#[inline]
fn may_touch(owner: u64, thread: &Thread) -> bool {
    owner == ANY_THREAD || owner == thread.number()
}
