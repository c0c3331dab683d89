//! Python's operators and built-in functions on objects.

use std::ffi::c_int;

use pyo3::ffi;

use super::class_cell::ClassCell;
use super::error::{Raised, Result};
use super::object::Object;

/// One of Python's comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Comparison {
    /// `<`
    Less = ffi::Py_LT,
    /// `<=`
    LessOrEqual = ffi::Py_LE,
    /// `==`
    Equal = ffi::Py_EQ,
    /// `!=`
    Unequal = ffi::Py_NE,
    /// `>`
    Greater = ffi::Py_GT,
    /// `>=`
    GreaterOrEqual = ffi::Py_GE,
}

impl Comparison {
    /// The comparison that the interpreter asks a slot for.
    pub(super) const fn from_operation(operation: c_int) -> Self {
        match operation {
            ffi::Py_LT => Self::Less,
            ffi::Py_LE => Self::LessOrEqual,
            ffi::Py_EQ => Self::Equal,
            ffi::Py_NE => Self::Unequal,
            ffi::Py_GT => Self::Greater,
            _ => Self::GreaterOrEqual,
        }
    }
}

impl Object {
    /// `len(self)`
    pub fn size(&self) -> Result<usize> {
        // SAFETY: the object is valid.
        let size = unsafe { ffi::PyObject_Size(self.as_ptr()) };
        usize::try_from(size).map_err(|_| Raised)
    }

    /// Whether `self` compares to `other` in that way. Identical objects count as equal, without a
    /// look at their `__eq__`.
    pub fn compares(&self, comparison: Comparison, other: &Object) -> Result<bool> {
        let comparison = comparison as c_int;
        // SAFETY: both are valid objects.
        truth(unsafe { ffi::PyObject_RichCompareBool(self.as_ptr(), other.as_ptr(), comparison) })
    }

    /// The result of the comparison, which may be any object.
    pub fn compared(&self, comparison: Comparison, other: &Object) -> Result<Object> {
        let comparison = comparison as c_int;
        // SAFETY: both are valid objects; the result is a new reference, or NULL.
        unsafe {
            Object::from_returned(ffi::PyObject_RichCompare(
                self.as_ptr(),
                other.as_ptr(),
                comparison,
            ))
        }
    }

    /// `iter(self)`
    pub fn iterator(&self) -> Result<Object> {
        // SAFETY: the object is valid; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::PyObject_GetIter(self.as_ptr())) }
    }

    /// `self + other`
    pub fn plus(&self, other: &Object) -> Result<Object> {
        // SAFETY: both are valid objects; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::PyNumber_Add(self.as_ptr(), other.as_ptr())) }
    }

    /// `types.GenericAlias(self, item)`: what `self[item]` is of a class that is generic for type
    /// checkers.
    pub fn generic_alias(&self, item: &Object) -> Result<Object> {
        // SAFETY: both are valid objects; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::Py_GenericAlias(self.as_ptr(), item.as_ptr())) }
    }

    /// `isinstance(self, class)`
    pub fn is_instance(&self, class: &Object) -> Result<bool> {
        // SAFETY: both are valid objects.
        truth(unsafe { ffi::PyObject_IsInstance(self.as_ptr(), class.as_ptr()) })
    }

    /// `issubclass(self, class)`
    pub fn is_subclass(&self, class: &Object) -> Result<bool> {
        // SAFETY: both are valid objects.
        truth(unsafe { ffi::PyObject_IsSubclass(self.as_ptr(), class.as_ptr()) })
    }

    /// Whether the object is of the class or of a subclass, regardless of its `__class__`.
    #[inline]
    pub fn is_of(&self, class: &ClassCell) -> bool {
        // SAFETY: the object is valid, and so is the class of a cell or its absence.
        !class.as_ptr().is_null()
            && unsafe { ffi::PyObject_TypeCheck(self.as_ptr(), class.as_ptr()) != 0 }
    }

    /// `repr(self)`
    pub fn repr(&self) -> Result<Object> {
        // SAFETY: the object is valid; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::PyObject_Repr(self.as_ptr())) }
    }

    /// `object.__repr__(self)`: the text of an object without a repr of its own.
    pub fn plain_repr(&self) -> Result<Object> {
        // SAFETY: the object is valid, and `object`'s own repr is always there; the result is a new
        // reference, or NULL.
        unsafe {
            match ffi::PyBaseObject_Type.tp_repr {
                Some(repr) => Object::from_returned(repr(self.as_ptr())),
                None => self.repr(),
            }
        }
    }
}

/// The answer of a function that returns 1, 0 or, with an exception set, -1.
fn truth(answer: c_int) -> Result<bool> {
    match answer {
        -1 => Err(Raised),
        answer => Ok(answer != 0),
    }
}
