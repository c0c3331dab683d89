//! Tells whether a class has changed since it was looked at.
//!
//! The interpreter numbers its classes: no two ever have the same version. A class loses its
//! version when it or one of its bases changes, and gets another when an attribute of it is looked
//! up again. So one comparison proves that no method was replaced since. A class that was changed
//! very often gets no version any more, and counts as changed at every check.

use std::cell::Cell;
use std::ptr::NonNull;

use pyo3::ffi;

use super::error::Result;
use super::names::names;
use super::object::Object;

/// A version that no class has. Zero is that of a changed class.
pub const UNKNOWN_VERSION: u32 = u32::MAX;

/// A class that lives as long as the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LastingClass(NonNull<ffi::PyTypeObject>);

impl LastingClass {
    /// The class that `object` is, if it is one. An object that is borrowed for ever is never
    /// deallocated.
    pub fn of(object: &'static Object) -> Option<Self> {
        // SAFETY: the object is valid.
        if unsafe { ffi::PyType_Check(object.as_ptr()) } == 0 {
            return None;
        }
        NonNull::new(object.as_ptr().cast()).map(Self)
    }

    /// `object`.
    pub const fn root() -> Self {
        // SAFETY: only takes the address, which is not null.
        Self(unsafe { NonNull::new_unchecked(&raw mut ffi::PyBaseObject_Type) })
    }

    /// The class behind a pointer.
    ///
    /// # Safety
    /// It is a class that lives as long as the process.
    pub const unsafe fn new(class: NonNull<ffi::PyTypeObject>) -> Self {
        Self(class)
    }

    /// The class's version; 0 is none.
    #[inline]
    pub const fn version(self) -> u32 {
        // SAFETY: the class is valid.
        unsafe { (*self.0.as_ptr()).tp_version_tag }
    }

    /// The class's version. It gets one if it can.
    pub fn assign_version(self) -> Result<u32> {
        // SAFETY: the class is valid.
        assign(&unsafe { Object::from_borrowed(self.0.as_ptr().cast()) })?;
        Ok(known(self.version()))
    }
}

impl Object {
    /// The version of the object's class; 0 is none.
    #[inline]
    pub fn class_version(&self) -> u32 {
        // SAFETY: the class of a living object is valid.
        unsafe { (*self.class()).tp_version_tag }
    }

    /// The version of the object's class. It gets one if it can.
    pub fn assign_class_version(&self) -> Result<u32> {
        assign(&self.class_object())?;
        Ok(known(self.class_version()))
    }
}

/// Has a class get a version, as any lookup does that goes through the class's bases.
fn assign(class: &Object) -> Result<()> {
    class.attribute(&names().initialise).map(drop)
}

const fn known(version: u32) -> u32 {
    if version == 0 {
        UNKNOWN_VERSION
    } else {
        version
    }
}

/// The version that a class had when it was looked at.
pub struct SeenVersion(Cell<u32>);

impl SeenVersion {
    /// That of a class that was not looked at yet.
    pub const fn nothing() -> Self {
        Self(Cell::new(UNKNOWN_VERSION))
    }

    /// Whether the class with this version is the one that was looked at, and unchanged.
    #[inline]
    pub fn is(&self, version: u32) -> bool {
        version == self.0.get()
    }

    /// Remembers a version that was [assigned](LastingClass::assign_version) before the class was
    /// looked at.
    pub fn set(&self, version: u32) {
        self.0.set(version);
    }
}
