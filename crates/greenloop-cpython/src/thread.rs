//! The calling thread as Python names it, whether there is an interpreter, and running without the
//! GIL.

unsafe extern "C" {
    /// `threading.get_ident()`.
    fn PyThread_get_thread_ident() -> std::ffi::c_ulong;
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
    unsafe { pyo3::ffi::Py_IsInitialized() != 0 }
}

/// Runs `body` without the GIL, so that other threads run Python meanwhile.
///
/// # Safety
/// `body` touches no object, and nothing that the GIL guards.
pub unsafe fn without_gil<R>(body: impl FnOnce() -> R) -> R {
    // SAFETY: the GIL is held, and is taken back before anything of Python's is touched.
    unsafe {
        let state = pyo3::ffi::PyEval_SaveThread();
        let result = body();
        super::thread_exit::restore_thread(state);
        result
    }
}
