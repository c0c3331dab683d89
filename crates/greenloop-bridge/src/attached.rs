//! Makes pyo3 see the thread as attached where C calls with the GIL held.
//!
//! pyo3 keeps its own count of whether a thread is attached. When Greenloop polls, that count may
//! be zero, and dropping a `Py` would be deferred. `Python::attach` corrects the count but also
//! asks CPython for the GIL, which made awaiting a ready future 7 % slower. A function that Python
//! calls has the GIL, and pyo3 counts it without asking. So such a function, made by pyo3, does the
//! polling. It takes no arguments and finds its work in [`Thread`].

use std::ffi::c_void;
use std::ptr;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::thread::Thread;

/// A call that waits to be made, by a frame further up the stack.
#[derive(Clone, Copy)]
pub struct PendingCall {
    run: unsafe fn(*mut c_void, Python<'_>),
    data: *mut c_void,
}

/// The function that pyo3 has made of [`run_errand`].
static TRAMPOLINE: OnceLock<ffi::PyCFunction> = OnceLock::new();

/// Finds the function. Without effect from the second time on, or if pyo3 should make another kind
/// of function of it one day.
pub fn prepare(py: Python<'_>) -> PyResult<()> {
    let function = wrap_pyfunction!(run_errand, py)?;
    // SAFETY: an object of the type that these want, which says how its C function is to be called.
    // That is a part of this library and outlives the object.
    unsafe {
        if ffi::PyCFunction_GetFlags(function.as_ptr()) == ffi::METH_NOARGS {
            if let Some(function) = ffi::PyCFunction_GetFunction(function.as_ptr()) {
                TRAMPOLINE.get_or_init(|| function);
            }
        }
    }
    Ok(())
}

#[pyfunction]
fn run_errand(py: Python<'_>) {
    if let Some(pending_call) = Thread::with(|thread| thread.pending_call.take()) {
        // SAFETY: whoever left it waits for it to be done.
        unsafe { (pending_call.run)(pending_call.data, py) };
    }
}

/// Runs `call`, which must not unwind, attached.
///
/// # Safety
/// The GIL is held.
#[inline]
pub unsafe fn attached<R, F: FnOnce(Python<'_>) -> R>(thread: &Thread, call: F) -> R {
    let mut visit = Visit {
        call: Some(call),
        result: None,
    };
    if let Some(trampoline) = TRAMPOLINE.get() {
        thread.pending_call.set(Some(PendingCall {
            run: Visit::<R, F>::run,
            data: (&raw mut visit).cast(),
        }));
        // SAFETY: called as the interpreter calls a function without arguments that belongs to no
        // module. It returns a new reference.
        unsafe { ffi::Py_XDECREF(trampoline(ptr::null_mut(), ptr::null_mut())) };
    }
    match visit {
        Visit {
            result: Some(result),
            ..
        } => result,
        Visit { call, .. } => {
            let call = call.expect("what has not been called has no result");
            Python::attach(call)
        }
    }
}

/// A call, and then its result.
struct Visit<R, F> {
    call: Option<F>,
    result: Option<R>,
}

impl<R, F: FnOnce(Python<'_>) -> R> Visit<R, F> {
    unsafe fn run(data: *mut c_void, py: Python<'_>) {
        // SAFETY: `attached` has left it, and touches it again only afterwards.
        let visit = unsafe { &mut *data.cast::<Self>() };
        if let Some(call) = visit.call.take() {
            visit.result = Some(call(py));
        }
    }
}
