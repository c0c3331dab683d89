//! A field of a C struct that holds an object or nothing.
//!
//! A zeroed slot is an empty one, so that memory fresh from the interpreter's allocator is already
//! a valid struct of slots. All operations take `&self` and leave the slot in its new state
//! *before* an old value is dropped: dropping may run `__del__`, which may use this very slot.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr;

use pyo3::ffi;

use super::gc::{Visited, Visitor};
use super::object::Object;

/// An optional strong reference.
#[repr(transparent)]
pub struct Slot(Cell<*mut ffi::PyObject>);

impl Default for Slot {
    fn default() -> Self {
        Self::empty()
    }
}

impl Slot {
    /// An empty slot.
    #[inline]
    pub const fn empty() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }

    /// A slot that holds `object`.
    #[inline]
    pub fn holding(object: Object) -> Self {
        Self(Cell::new(object.into_ptr()))
    }

    /// The object, borrowed, or null: for comparing addresses and for C calls that take a borrow.
    #[inline]
    pub fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.get()
    }

    /// Whether nothing is held.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.as_ptr().is_null()
    }

    /// A new reference to the held object.
    #[inline]
    pub fn get(&self) -> Option<Object> {
        let pointer = self.as_ptr();
        // SAFETY: what a slot holds is valid.
        (!pointer.is_null()).then(|| unsafe { Object::from_borrowed(pointer) })
    }

    /// A new reference to the held object, or to `None`.
    #[inline]
    pub fn get_or_none(&self) -> Object {
        self.get().unwrap_or_else(Object::none)
    }

    /// The held object, or `None`, without a new reference.
    ///
    /// # Safety
    /// The slot goes on holding it for as long as the result is used.
    #[inline]
    pub unsafe fn borrowed_or_none(&self) -> ManuallyDrop<Object> {
        let pointer = self.as_ptr();
        // SAFETY: what a slot holds is valid, and None always; the reference is not dropped.
        ManuallyDrop::new(unsafe {
            if pointer.is_null() {
                Object::from_owned(ffi::Py_None())
            } else {
                Object::from_owned(pointer)
            }
        })
    }

    /// Empties the slot.
    #[inline]
    pub fn take(&self) -> Option<Object> {
        let pointer = self.0.replace(ptr::null_mut());
        // SAFETY: the reference the slot owned is now ours.
        (!pointer.is_null()).then(|| unsafe { Object::from_owned(pointer) })
    }

    /// Empties the slot and drops its object.
    #[inline]
    pub fn clear(&self) {
        drop(self.take());
    }

    /// Holds `value` from now on; the old value is dropped last.
    #[inline]
    pub fn set(&self, value: Object) {
        let old = self.0.replace(value.into_ptr());
        if !old.is_null() {
            // SAFETY: the reference the slot owned is now ours.
            drop(unsafe { Object::from_owned(old) });
        }
    }

    /// Holds `value` from now on, in a struct that was made just now: there is nothing to drop.
    #[inline]
    pub fn fill(&self, value: Object) {
        debug_assert!(self.is_empty(), "a slot of a new struct holds nothing");
        self.0.set(value.into_ptr());
    }

    /// Holds `value` from now on and forgets the old value, whose reference was given away.
    #[inline]
    pub fn replace_moved(&self, value: Object) {
        self.0.set(value.into_ptr());
    }

    /// Holds `value` or nothing from now on.
    #[inline]
    pub fn set_optional(&self, value: Option<Object>) {
        match value {
            Some(value) => self.set(value),
            None => self.clear(),
        }
    }

    /// Shows the object to the garbage collector.
    #[inline]
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        let pointer = self.as_ptr();
        if pointer.is_null() {
            return Ok(());
        }
        // SAFETY: a slot holds nothing or a valid object.
        unsafe { visitor.show_pointer(pointer) }
    }
}

/// Shows the objects in `slots` to the garbage collector.
#[inline]
pub fn visit_slots<'a>(visitor: &Visitor, slots: impl IntoIterator<Item = &'a Slot>) -> Visited {
    slots.into_iter().try_for_each(|slot| slot.visit(visitor))
}
