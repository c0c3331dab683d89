//! `ClassCell`: the place of a class, and a check whether a method of it was replaced since import.

use std::cell::{Cell, OnceCell};
use std::ptr::NonNull;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::call::same_string;
use super::class_version::{LastingClass, SeenVersion};
use super::error::{Raised, Result, clear};
use super::making::ByName as _;
use super::object::Object;

/// A class, once it has been made. It lives as long as the process.
pub struct ClassCell {
    class: Cell<*mut ffi::PyTypeObject>,
    /// The attributes that the class had and inherited when it was made, if its methods may be
    /// replaced.
    originals: OnceCell<Vec<(Object, Object)>>,
    /// The version with which it was last seen to have all of that.
    untouched: SeenVersion,
    /// The version with which it was last seen to have something else.
    touched: SeenVersion,
}

// SAFETY: touched with the GIL held only, as everything of this crate.
unsafe impl Sync for ClassCell {}

impl Default for ClassCell {
    fn default() -> Self {
        Self::new()
    }
}

impl ClassCell {
    /// The place of a class that is not made yet.
    #[inline]
    pub const fn new() -> Self {
        Self {
            class: Cell::new(std::ptr::null_mut()),
            originals: OnceCell::new(),
            untouched: SeenVersion::nothing(),
            touched: SeenVersion::nothing(),
        }
    }

    /// Keeps the class, which the caller has made or tested to be one. Called once, by the module's
    /// import.
    #[inline]
    pub(super) fn set(&self, class: Object) {
        self.class.set(class.into_ptr().cast());
    }

    /// Remembers the attributes of the complete class, for
    /// [`is_untouched_class_of`](Self::is_untouched_class_of).
    pub fn remember_originals(&self, py: Python<'_>) -> PyResult<()> {
        let class = self.object();
        let class = class.bound(py).cast::<PyType>()?.clone();
        let mut originals = Vec::new();
        for base in class.mro() {
            if base.is(py.get_type::<PyAny>()) {
                break;
            }
            for name in base.look_up(c"__dict__")?.try_iter()? {
                let name = name?.cast_into::<PyString>()?;
                let value = class.look_up(&name)?;
                // Short cuts never bypass an attribute that is bound anew at each look.
                if value.is(&class.look_up(&name)?) {
                    originals.push((Object::from(name.into_any()), Object::from(value)));
                }
            }
        }
        let _ = self.originals.set(originals);
        Ok(())
    }

    /// Whether `object` is of exactly this class, and no method of it was replaced.
    #[inline]
    pub fn is_untouched_class_of(&self, object: &Object) -> bool {
        self.untouched.is(object.class_version()) || self.look_again(object)
    }

    #[cold]
    fn look_again(&self, object: &Object) -> bool {
        let class = self.as_ptr();
        if !object.is_exactly(class) || self.touched.is(self.lasting().version()) {
            return false;
        }
        // A class in which something cannot be looked up is not as it was.
        self.compare().unwrap_or_else(|Raised| {
            clear(Raised);
            false
        })
    }

    fn compare(&self) -> Result<bool> {
        let version = self.lasting().assign_version()?;
        let class = self.object();
        let Some(originals) = self.originals.get() else {
            return Ok(false);
        };
        for (name, original) in originals {
            if !class.attribute(name)?.is(original.as_ptr()) {
                self.touched.set(version);
                return Ok(false);
            }
        }
        self.untouched.set(version);
        Ok(true)
    }

    /// The attribute that the class had under a name when it was made.
    #[inline]
    pub fn original(&self, name: &Object) -> Option<&Object> {
        let originals = self.originals.get()?.iter();
        let mut originals = originals.filter(|(other, _)| same_string(other, name));
        originals.next().map(|(_, original)| original)
    }

    /// The class as an object, once it has been made; `object` itself before.
    #[inline]
    pub fn object(&self) -> Object {
        let class: *mut ffi::PyObject = self.as_ptr().cast();
        let class = if class.is_null() {
            (&raw mut ffi::PyBaseObject_Type).cast()
        } else {
            class
        };
        // SAFETY: both are valid classes.
        unsafe { Object::from_borrowed(class) }
    }

    /// The class, once it has been made; `object` itself before.
    #[inline]
    pub fn lasting(&self) -> LastingClass {
        match NonNull::new(self.as_ptr()) {
            // SAFETY: the cell never lets go of its class.
            Some(class) => unsafe { LastingClass::new(class) },
            None => LastingClass::root(),
        }
    }

    /// The class, or null before it is made, which no instance outlives to see.
    #[inline]
    pub fn as_ptr(&self) -> *mut ffi::PyTypeObject {
        self.class.get()
    }
}
