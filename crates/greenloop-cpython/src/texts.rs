//! Strings as Rust's, and in the file system's encoding.

use pyo3::ffi;

use super::error::{Raised, Result, clear};
use super::object::Object;

impl Object {
    /// The text, if it is exactly a `str` and has a form in UTF-8.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        // SAFETY: the class is tested. A `str` never changes, and it keeps the form in UTF-8 that
        // is made at the first call; an exception says that there is none.
        unsafe {
            if ffi::PyUnicode_CheckExact(self.as_ptr()) == 0 {
                return None;
            }
            let mut len = 0;
            let start = ffi::PyUnicode_AsUTF8AndSize(self.as_ptr(), &raw mut len);
            if start.is_null() {
                clear(Raised);
                return None;
            }
            let text = std::slice::from_raw_parts(start.cast::<u8>(), len as usize);
            Some(std::str::from_utf8_unchecked(text))
        }
    }

    /// The `str` for a name of the file system: `os.fsdecode(name)`.
    pub fn file_name(name: &[u8]) -> Result<Object> {
        // SAFETY: the bytes are valid for the call; the result is a new reference, or NULL.
        unsafe {
            Object::from_returned(ffi::PyUnicode_DecodeFSDefaultAndSize(
                name.as_ptr().cast(),
                name.len() as ffi::Py_ssize_t,
            ))
        }
    }
}
