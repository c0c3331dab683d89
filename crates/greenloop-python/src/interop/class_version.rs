//! Whether a class is still what it was when it was looked at.
//!
//! The interpreter numbers its classes: no two ever have the same version, a class loses its own
//! when it or one of its bases changes, and gets another when an attribute of it is looked up
//! again. So one comparison tells that nobody has replaced a method since. A class that was changed
//! very often gets no version any more, and counts as changed at every look.

use std::cell::Cell;

use pyo3::ffi;

use super::error::Result;
use super::globals::globals;
use super::object::Object;

/// What no class has as its version. Zero is what a changed class has.
pub const UNKNOWN_VERSION: u32 = u32::MAX;

/// The version of the class of a living object; 0 is none.
#[inline]
pub const fn version(class: *mut ffi::PyTypeObject) -> u32 {
    // SAFETY: the class of a living object is valid.
    unsafe { (*class).tp_version_tag }
}

/// The version of a class, which gets one if it can.
pub fn assign_version(class: *mut ffi::PyTypeObject) -> Result<u32> {
    // SAFETY: as above.
    let object = unsafe { Object::from_borrowed(class.cast()) };
    // Any lookup that goes through the class's bases does.
    object.attribute(&globals().names.initialise)?;
    Ok(match version(class) {
        0 => UNKNOWN_VERSION,
        version => version,
    })
}

/// The version that a class had when it was looked at.
pub struct SeenVersion(Cell<u32>);

impl SeenVersion {
    /// That of a class that was not looked at yet.
    pub const fn nothing() -> Self {
        Self(Cell::new(UNKNOWN_VERSION))
    }

    /// Whether `class` is the one that was looked at, and unchanged.
    #[inline]
    pub fn is_of(&self, class: *mut ffi::PyTypeObject) -> bool {
        version(class) == self.0.get()
    }

    /// Remembers a version that [`assign_version`] has returned before the class was looked at.
    pub fn set(&self, version: u32) {
        self.0.set(version);
    }
}
