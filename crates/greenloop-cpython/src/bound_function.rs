//! Built-in functions bound to one object, which other code calls back through them.

use std::ptr;

use pyo3::ffi;

use super::error::Result;
use super::object::Object;

/// The definition of such a function, made by `noargs!`, `one!` or `fast!`. It lives for ever.
///
/// The interpreter takes it by a pointer to mutable memory, but does not change it.
pub struct BoundFunction(ffi::PyMethodDef);

// SAFETY: never changed after it is made.
unsafe impl Send for BoundFunction {}
// SAFETY: as above.
unsafe impl Sync for BoundFunction {}

impl BoundFunction {
    /// A function of that definition.
    pub const fn new(definition: ffi::PyMethodDef) -> Self {
        Self(definition)
    }

    /// The function for `receiver`.
    pub fn bind(&'static self, receiver: &Object) -> Result<Object> {
        let definition = (&raw const self.0).cast_mut();
        // SAFETY: the definition lives for ever, and `receiver` is a valid object.
        unsafe {
            let module = ptr::null_mut();
            Object::from_returned(ffi::PyCFunction_NewEx(
                definition,
                receiver.as_ptr(),
                module,
            ))
        }
    }
}
