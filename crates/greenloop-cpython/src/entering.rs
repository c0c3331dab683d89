//! Running our own code in a context.

use pyo3::ffi;

use super::error::{Raised, Result};
use super::object::Object;

impl Object {
    /// Whether it is exactly a `contextvars.Context`.
    #[inline]
    pub fn is_context(&self) -> bool {
        // SAFETY: a valid object.
        unsafe { ffi::PyContext_CheckExact(self.as_ptr()) != 0 }
    }

    /// Runs `body` in this context.
    ///
    /// # Errors
    /// Those of `body`, and the interpreter's if this is no context or is entered already.
    #[inline]
    pub fn inside<R>(&self, body: impl FnOnce() -> Result<R>) -> Result<R> {
        // SAFETY: the interpreter refuses other objects than contexts. Enter and Exit pair, also
        // when `body` raises.
        unsafe {
            if ffi::PyContext_Enter(self.as_ptr()) < 0 {
                return Err(Raised);
            }
            let outcome = body();
            if ffi::PyContext_Exit(self.as_ptr()) < 0 {
                return Err(Raised);
            }
            outcome
        }
    }

    /// `self.copy()` of a context.
    ///
    /// # Errors
    /// The interpreter's, if this is no context.
    pub fn context_copied(&self) -> Result<Object> {
        // SAFETY: the interpreter refuses other objects than contexts; the result is a new
        // reference, or NULL.
        unsafe { Object::from_returned(ffi::PyContext_Copy(self.as_ptr())) }
    }
}
