//! The calling thread, as Python names it.

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
