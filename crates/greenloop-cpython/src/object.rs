//! An owned reference to a Python object, dropped without a check whether the GIL is held.

use std::ptr::NonNull;

use pyo3::{Bound, Py, PyAny, Python, ffi};

use super::error::{Raised, Result, clear, matches};
use super::exceptions::ExceptionClass;

/// One strong reference. Cloning and dropping are a plain increment and decrement.
#[repr(transparent)]
pub struct Object(NonNull<ffi::PyObject>);

impl Object {
    /// Takes over a reference that the caller owns.
    ///
    /// # Safety
    /// `pointer` is a valid object and one reference to it belongs to the caller.
    #[inline]
    pub unsafe fn from_owned(pointer: *mut ffi::PyObject) -> Self {
        debug_assert!(!pointer.is_null());
        // SAFETY: the caller promises a valid, hence non-null, object.
        Self(unsafe { NonNull::new_unchecked(pointer) })
    }

    /// Takes a new reference to a borrowed object.
    ///
    /// # Safety
    /// `pointer` is a valid object.
    #[inline]
    pub unsafe fn from_borrowed(pointer: *mut ffi::PyObject) -> Self {
        // SAFETY: the caller promises a valid object; the increment makes the reference ours.
        unsafe {
            ffi::Py_INCREF(pointer);
            Self::from_owned(pointer)
        }
    }

    /// Takes over the result of a C API function: a new reference, or NULL with an exception set.
    ///
    /// # Safety
    /// `pointer` comes from such a function.
    #[inline]
    pub unsafe fn from_returned(pointer: *mut ffi::PyObject) -> Result<Self> {
        // SAFETY: a non-null result is a new reference, by the C API's convention.
        unsafe {
            if pointer.is_null() {
                Err(Raised)
            } else {
                Ok(Self::from_owned(pointer))
            }
        }
    }

    /// `None`.
    #[inline]
    pub fn none() -> Self {
        // SAFETY: None is always valid.
        unsafe { Self::from_borrowed(ffi::Py_None()) }
    }

    /// `True` or `False`.
    #[inline]
    pub fn boolean(value: bool) -> Self {
        // SAFETY: True and False are always valid.
        unsafe {
            let object = if value {
                ffi::Py_True()
            } else {
                ffi::Py_False()
            };
            Self::from_borrowed(object)
        }
    }

    /// A new `float`.
    #[inline]
    pub fn float(value: f64) -> Result<Self> {
        // SAFETY: returns a new reference or NULL with an exception set.
        unsafe { Self::from_returned(ffi::PyFloat_FromDouble(value)) }
    }

    /// The object, borrowed.
    #[inline]
    pub const fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// Gives the reference away, to C or to a [`super::Slot`].
    #[inline]
    pub fn into_ptr(self) -> *mut ffi::PyObject {
        let pointer = self.0.as_ptr();
        std::mem::forget(self);
        pointer
    }

    /// The same object in PyO3's words, for cold code.
    pub fn bound<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        // SAFETY: `self` keeps the object valid while the new reference is taken.
        unsafe { Bound::from_borrowed_ptr(py, self.as_ptr()) }
    }

    /// The same reference seen as a `Py`, which PyO3's garbage collection visitor takes.
    #[inline]
    pub fn as_py(&self) -> &Py<PyAny> {
        // SAFETY: `Py` is a transparent `NonNull<PyObject>`, as `Object` is.
        unsafe { &*std::ptr::from_ref(self).cast::<Py<PyAny>>() }
    }

    /// Whether both are the same object.
    #[inline]
    pub fn is(&self, other: *mut ffi::PyObject) -> bool {
        self.as_ptr() == other
    }

    /// The object's type, borrowed.
    #[inline]
    pub fn class(&self) -> *mut ffi::PyTypeObject {
        // SAFETY: `self` is a valid object.
        unsafe { ffi::Py_TYPE(self.as_ptr()) }
    }

    /// The object's type as an object: `type(self)`.
    #[must_use]
    #[inline]
    pub fn class_object(&self) -> Object {
        // SAFETY: the class of a living object is valid.
        unsafe { Object::from_borrowed(self.class().cast()) }
    }

    /// Whether the object's type is exactly `class`.
    #[inline]
    pub fn is_exactly(&self, class: *mut ffi::PyTypeObject) -> bool {
        // SAFETY: `self` is a valid object.
        unsafe { ffi::Py_TYPE(self.as_ptr()) == class }
    }

    /// Whether the object is `None`.
    #[inline]
    pub fn is_none(&self) -> bool {
        // SAFETY: only compares addresses.
        self.is(unsafe { ffi::Py_None() })
    }

    /// The object's truth, which may run user code.
    #[inline]
    pub fn is_true(&self) -> Result<bool> {
        // SAFETY: `self` is a valid object.
        match unsafe { ffi::PyObject_IsTrue(self.as_ptr()) } {
            -1 => Err(Raised),
            truth => Ok(truth != 0),
        }
    }

    /// `self.name`.
    #[inline]
    pub fn attribute(&self, name: &Object) -> Result<Object> {
        // SAFETY: both are valid objects.
        unsafe { Object::from_returned(ffi::PyObject_GetAttr(self.as_ptr(), name.as_ptr())) }
    }

    /// `getattr(self, name, missing)`: `None` where the attribute does not exist.
    #[inline]
    pub fn optional_attribute(&self, name: &Object) -> Result<Option<Object>> {
        if let Ok(value) = self.attribute(name) {
            return Ok(Some(value));
        }
        if !matches(ExceptionClass::AttributeError) {
            return Err(Raised);
        }
        clear(Raised);
        Ok(None)
    }

    /// `self.name = value`.
    #[inline]
    pub fn set_attribute(&self, name: &Object, value: &Object) -> Result<()> {
        // SAFETY: all three are valid objects.
        let code = unsafe { ffi::PyObject_SetAttr(self.as_ptr(), name.as_ptr(), value.as_ptr()) };
        if code == 0 { Ok(()) } else { Err(Raised) }
    }
}

impl Clone for Object {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: `self` is a valid object.
        unsafe { Self::from_borrowed(self.as_ptr()) }
    }
}

impl Drop for Object {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `self` owns one reference and the GIL is held (the rule of this module).
        unsafe { ffi::Py_DECREF(self.as_ptr()) }
    }
}

impl From<Bound<'_, PyAny>> for Object {
    fn from(bound: Bound<'_, PyAny>) -> Self {
        // SAFETY: `into_ptr` gives an owned reference away.
        unsafe { Self::from_owned(bound.into_ptr()) }
    }
}
