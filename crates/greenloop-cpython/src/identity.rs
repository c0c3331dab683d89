//! Which object it is, of which class, and whether it is compared as `object` is.

use std::ptr;

use pyo3::ffi;

use super::object::Object;

impl Object {
    /// Whether it is a `list`, `set`, `frozenset`, `tuple` or `dict`, and of no subclass.
    #[inline]
    pub fn is_plain_collection(&self) -> bool {
        // SAFETY: a valid object.
        unsafe {
            ffi::PyList_CheckExact(self.as_ptr()) != 0
                || ffi::PyAnySet_CheckExact(self.as_ptr()) != 0
                || ffi::PyTuple_CheckExact(self.as_ptr()) != 0
                || ffi::PyDict_CheckExact(self.as_ptr()) != 0
        }
    }

    /// Whether its class hashes and compares as `object` does, so that it equals only itself, and
    /// what says otherwise.
    #[inline]
    pub fn is_compared_by_identity(&self) -> bool {
        // SAFETY: both classes are valid.
        unsafe {
            let plain = &raw const ffi::PyBaseObject_Type;
            let (class, plain) = (&*self.class(), &*plain);
            let hashes = (class.tp_hash, plain.tp_hash);
            let comparisons = (class.tp_richcompare, plain.tp_richcompare);
            matches!(hashes, (Some(one), Some(other)) if ptr::fn_addr_eq(one, other))
                && matches!(comparisons, (Some(one), Some(other)) if ptr::fn_addr_eq(one, other))
        }
    }

    /// Whether both are the same object.
    #[inline]
    pub fn same_as(&self, other: &Object) -> bool {
        self.is(other.as_ptr())
    }

    /// Whether it is exactly of the class that is given as an object.
    #[inline]
    pub fn has_class(&self, class: &Object) -> bool {
        self.is_exactly(class.as_ptr().cast())
    }
}
