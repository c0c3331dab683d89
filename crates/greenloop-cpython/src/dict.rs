//! Dictionaries, by their own functions: a subclass's methods are never called.

use pyo3::ffi;

use super::error::{Raised, Result, clear, is_raised, matches};
use super::exceptions::ExceptionClass;
use super::object::Object;

/// A reference to a `dict`.
#[derive(Clone)]
pub struct Dict(Object);

impl Dict {
    /// A new one without entries.
    pub fn new() -> Result<Self> {
        // SAFETY: the result is a new reference, or NULL with an exception set.
        unsafe { Object::from_returned(ffi::PyDict_New()).map(Self) }
    }

    /// The object, if it is a `dict`.
    pub fn of(object: &Object) -> Option<Self> {
        // SAFETY: a valid object.
        let is_dict = unsafe { ffi::PyDict_Check(object.as_ptr()) != 0 };
        is_dict.then(|| Self(object.clone()))
    }

    /// The object, if it is exactly a `dict`.
    pub fn exactly(object: &Object) -> Option<Self> {
        // SAFETY: a valid object.
        let is_dict = unsafe { ffi::PyDict_CheckExact(object.as_ptr()) != 0 };
        is_dict.then(|| Self(object.clone()))
    }

    /// The dictionary, as any object.
    pub fn into_object(self) -> Object {
        self.0
    }

    /// The dictionary, for C.
    #[inline]
    pub(super) const fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// `self.get(key)`
    #[inline]
    pub fn get(&self, key: &Object) -> Result<Option<Object>> {
        // SAFETY: a dict and a key; the result is borrowed, or NULL with or without an exception.
        unsafe {
            let value = ffi::PyDict_GetItemWithError(self.as_ptr(), key.as_ptr());
            if value.is_null() {
                return if is_raised() { Err(Raised) } else { Ok(None) };
            }
            Ok(Some(Object::from_borrowed(value)))
        }
    }

    /// `self[key] = value`
    #[inline]
    pub fn set(&self, key: &Object, value: &Object) -> Result<()> {
        // SAFETY: a dict and two valid objects.
        match unsafe { ffi::PyDict_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised),
        }
    }

    /// `key in self`
    pub fn contains(&self, key: &Object) -> Result<bool> {
        // SAFETY: a dict and a key.
        match unsafe { ffi::PyDict_Contains(self.as_ptr(), key.as_ptr()) } {
            -1 => Err(Raised),
            answer => Ok(answer != 0),
        }
    }

    /// `self.update(mapping)`
    pub fn update(&self, mapping: &Object) -> Result<()> {
        // SAFETY: a dict and a valid object.
        match unsafe { ffi::PyDict_Update(self.as_ptr(), mapping.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised),
        }
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        // SAFETY: a dict.
        unsafe { ffi::PyDict_Size(self.as_ptr()) == 0 }
    }

    /// `del self[key]`, if there is such a key.
    pub fn remove(&self, key: &Object) -> Result<()> {
        // SAFETY: a dict and a key.
        if unsafe { ffi::PyDict_DelItem(self.as_ptr(), key.as_ptr()) } < 0 {
            if !matches(ExceptionClass::KeyError) {
                return Err(Raised);
            }
            clear(Raised);
        }
        Ok(())
    }
}
