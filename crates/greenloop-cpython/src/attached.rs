//! PyO3's token for a thread that holds the GIL.

use pyo3::Python;

/// The token, for calls of PyO3's in cold code.
///
/// The rule of this crate makes it sound: all of it runs with the GIL held, and nothing that comes
/// of the token outlives the call that asked for it.
#[inline]
pub fn attached<'py>() -> Python<'py> {
    // SAFETY: the rule of this crate.
    unsafe {
        debug_assert!(pyo3::ffi::PyGILState_Check() == 1, "called without the GIL");
        Python::assume_attached()
    }
}
