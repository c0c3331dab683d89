//! The items of sequences and mappings.

use pyo3::ffi;

use super::error::{Raised, Result};
use super::object::Object;

impl Object {
    /// `self[key]`
    pub fn item(&self, key: &Object) -> Result<Object> {
        // SAFETY: both are valid objects; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::PyObject_GetItem(self.as_ptr(), key.as_ptr())) }
    }

    /// `self[key] = value`
    pub fn set_item(&self, key: &Object, value: &Object) -> Result<()> {
        // SAFETY: all three are valid objects.
        done(unsafe { ffi::PyObject_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) })
    }

    /// `item in self`
    pub fn contains(&self, item: &Object) -> Result<bool> {
        // SAFETY: both are valid objects.
        match unsafe { ffi::PySequence_Contains(self.as_ptr(), item.as_ptr()) } {
            -1 => Err(Raised),
            answer => Ok(answer != 0),
        }
    }

    /// `self[from:to]`
    pub fn slice(&self, from: usize, to: usize) -> Result<Object> {
        let (from, to) = (place(from), place(to));
        // SAFETY: the object is valid; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::PySequence_GetSlice(self.as_ptr(), from, to)) }
    }

    /// `del self[from:to]`
    pub fn delete_slice(&self, from: usize, to: usize) -> Result<()> {
        // SAFETY: the object is valid.
        done(unsafe { ffi::PySequence_DelSlice(self.as_ptr(), place(from), place(to)) })
    }

    /// `self.append(item)` of a `list`; anything else is refused.
    pub fn append(&self, item: &Object) -> Result<()> {
        // SAFETY: both are valid objects, and what is no list raises.
        done(unsafe { ffi::PyList_Append(self.as_ptr(), item.as_ptr()) })
    }

    /// The item of a `list` that has no other.
    pub fn only_item(&self) -> Option<Object> {
        // SAFETY: the object is valid, and asked for an item if it is a list that has one.
        unsafe {
            if ffi::PyList_Check(self.as_ptr()) == 0 || ffi::PyList_Size(self.as_ptr()) != 1 {
                return None;
            }
            Some(Object::from_borrowed(ffi::PyList_GetItem(self.as_ptr(), 0)))
        }
    }
}

/// A place in a sequence; one behind the end of memory is behind the end of any.
fn place(index: usize) -> ffi::Py_ssize_t {
    ffi::Py_ssize_t::try_from(index).unwrap_or(ffi::Py_ssize_t::MAX)
}

/// The answer of a function that returns 0 or, with an exception set, -1.
fn done(answer: std::ffi::c_int) -> Result<()> {
    if answer == 0 { Ok(()) } else { Err(Raised) }
}
