//! Views of memory: `memoryview` objects.

use pyo3::ffi;

use super::error::Result;
use super::object::Object;

impl Object {
    /// `memoryview(self)`
    pub fn memory_view(&self) -> Result<Object> {
        // SAFETY: the object is valid; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::PyMemoryView_FromObject(self.as_ptr())) }
    }

    /// Whether it is a `memoryview`.
    #[inline]
    pub fn is_memory_view(&self) -> bool {
        // SAFETY: the object is valid.
        unsafe { ffi::PyMemoryView_Check(self.as_ptr()) != 0 }
    }
}
