//! Sets, by their own functions: a subclass's methods are never called.

use pyo3::ffi;

use super::error::{Raised, Result};
use super::object::Object;

impl Object {
    /// `frozenset(items)`
    pub fn frozen_set(items: &Object) -> Result<Object> {
        // SAFETY: a valid object; the result is a new reference, or NULL with an exception set.
        unsafe { Object::from_returned(ffi::PyFrozenSet_New(items.as_ptr())) }
    }

    /// Whether it is a `set`, of a subclass too.
    pub fn is_set(&self) -> bool {
        // SAFETY: a valid object.
        unsafe { ffi::PySet_Check(self.as_ptr()) != 0 }
    }

    /// The number of a set's members, or 0 for an object that is no set.
    #[inline]
    pub fn set_size(&self) -> usize {
        // SAFETY: a valid object, which is asked for its size if it is a set.
        unsafe {
            if ffi::PyAnySet_Check(self.as_ptr()) == 0 {
                return 0;
            }
            ffi::PySet_Size(self.as_ptr()) as usize
        }
    }

    /// `set.add(self, item)`. An object that is no set raises.
    #[inline]
    pub fn set_add(&self, item: &Object) -> Result<()> {
        // SAFETY: both are valid objects; the function refuses what is no set.
        let code = unsafe { ffi::PySet_Add(self.as_ptr(), item.as_ptr()) };
        if code < 0 { Err(Raised) } else { Ok(()) }
    }

    /// `set.discard(self, item)`. Returns whether the item was there. An object that is no set
    /// raises.
    #[inline]
    pub fn set_discard(&self, item: &Object) -> Result<bool> {
        // SAFETY: both are valid objects; the function refuses what is no set.
        match unsafe { ffi::PySet_Discard(self.as_ptr(), item.as_ptr()) } {
            -1 => Err(Raised),
            found => Ok(found != 0),
        }
    }

    /// `set.clear(self)`. An object that is no set raises.
    pub fn set_clear(&self) -> Result<()> {
        // SAFETY: a valid object; the function refuses what is no set.
        let code = unsafe { ffi::PySet_Clear(self.as_ptr()) };
        if code < 0 { Err(Raised) } else { Ok(()) }
    }
}
