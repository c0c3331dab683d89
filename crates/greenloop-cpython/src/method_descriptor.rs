//! The descriptors by which a class that is written in C has its methods.

use pyo3::ffi;

use super::class_cell::ClassCell;
use super::object::Object;

impl ClassCell {
    /// Whether `found` is the class's own native method of that name: an interned string.
    pub fn has_native_method(&self, found: &Object, name: &Object) -> bool {
        // SAFETY: a valid object, which is read as a descriptor if it is one; such an object begins
        // with that struct.
        unsafe {
            if !found.is_exactly(&raw mut ffi::PyMethodDescr_Type) {
                return false;
            }
            let descriptor = &*found.as_ptr().cast::<ffi::PyDescrObject>();
            name.is(descriptor.d_name) && descriptor.d_type == self.as_ptr()
        }
    }
}
