//! [`BoundMethod`]: a built-in function bound to an object, which other code calls back by it.

use std::ptr;
use std::sync::OnceLock;

use pyo3::ffi;

use super::error::Result;
use super::method::Method;
use super::native::{Layout, Native};
use super::object::Object;

/// A method that is bound to an object outside of its class. Its definition is made at the first
/// time and lives for ever.
pub struct BoundMethod<T> {
    definition: OnceLock<Definition>,
    make: fn() -> Method<T>,
}

struct Definition(ffi::PyMethodDef);

// SAFETY: never changed after it is made.
unsafe impl Send for Definition {}
// SAFETY: as above.
unsafe impl Sync for Definition {}

impl<T: Layout> BoundMethod<T> {
    /// The method that `make` makes.
    #[must_use]
    pub const fn new(make: fn() -> Method<T>) -> Self {
        Self {
            definition: OnceLock::new(),
            make,
        }
    }

    /// The method for `receiver`.
    pub fn bind(&'static self, receiver: &Native<T>) -> Result<Object> {
        let definition = self
            .definition
            .get_or_init(|| Definition((self.make)().into_definition()));
        // SAFETY: the definition lives for ever, and the receiver carries what it asks for.
        unsafe {
            Object::from_returned(ffi::PyCFunction_NewEx(
                (&raw const definition.0).cast_mut(),
                receiver.as_ptr(),
                ptr::null_mut(),
            ))
        }
    }
}
