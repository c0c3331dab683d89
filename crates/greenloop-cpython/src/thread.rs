//! The calling thread as Python names it, whether there is an interpreter, and running without the
//! GIL.

use pyo3::ffi;

unsafe extern "C" {
    /// `threading.get_ident()`.
    fn PyThread_get_thread_ident() -> std::ffi::c_ulong;
}

/// Whether Python runs, or waits, in a thread beside the calling one, which holds the GIL.
pub fn has_other_threads() -> bool {
    // SAFETY: the calling thread has a state, whose interpreter has a list of all. Threads enter
    // and leave it with the GIL held, as far as others can see them.
    unsafe {
        let interpreter = ffi::PyInterpreterState_Get();
        let first = ffi::PyInterpreterState_ThreadHead(interpreter);
        !ffi::PyThreadState_Next(first).is_null()
    }
}

/// The calling thread, as `threading.get_ident()` names it.
#[inline]
pub fn current_thread() -> u64 {
    // SAFETY: may be called at any time.
    unsafe { PyThread_get_thread_ident() }
}

/// Whether the interpreter has begun, and has not ended.
pub fn is_initialised() -> bool {
    // SAFETY: may be asked at any time.
    unsafe { ffi::Py_IsInitialized() != 0 }
}

/// Whether the calling thread holds the GIL. Any thread may ask. `PyGILState_Check` says yes to
/// every thread once there was a second interpreter.
#[inline]
pub fn holds_gil() -> bool {
    // SAFETY: both may be called by any thread at any time.
    unsafe {
        let current = ffi::compat::PyThreadState_GetUnchecked();
        !current.is_null() && current == ffi::PyGILState_GetThisThreadState()
    }
}

/// Runs `body` without the GIL, so that other threads run Python meanwhile.
///
/// # Safety
/// `body` touches no object, and nothing that the GIL guards.
pub unsafe fn without_gil<R>(body: impl FnOnce() -> R) -> R {
    // SAFETY: the GIL is held, and is taken back before anything of Python's is touched.
    unsafe {
        let state = ffi::PyEval_SaveThread();
        let result = body();
        super::thread_exit::restore_thread(state);
        result
    }
}

/// The same for a `body` that has nothing of Python's with it: what may be given to another thread.
/// Objects may not.
pub fn apart<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    // SAFETY: no object is `Send`, so that neither the body nor its result has one.
    unsafe { without_gil(body) }
}
