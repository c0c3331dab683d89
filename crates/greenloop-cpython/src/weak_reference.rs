//! The objects that weak references refer to.

use pyo3::ffi;

use super::object::Object;
use super::slot::Slot;

/// The object that a slot leads to when it holds a weak reference.
pub enum Referent {
    /// There is none, or none any more.
    Gone,
    /// It is alive.
    Alive(Object),
    /// The slot holds this, which is no weak reference.
    NotWeak(Object),
}

impl Slot {
    /// The object that the held weak reference refers to.
    #[inline]
    pub fn referent(&self) -> Referent {
        let reference = self.as_ptr();
        if reference.is_null() {
            return Referent::Gone;
        }
        // SAFETY: a slot holds a valid object, which is asked for its referent if it is a weak
        // reference. No code runs meanwhile, so the slot goes on holding it.
        unsafe {
            if ffi::PyWeakref_CheckRef(reference) == 0 {
                return Referent::NotWeak(Object::from_borrowed(reference));
            }
            #[cfg(Py_3_13)]
            {
                let mut object = std::ptr::null_mut();
                if ffi::PyWeakref_GetRef(reference, &raw mut object) > 0 {
                    return Referent::Alive(Object::from_owned(object));
                }
            }
            #[cfg(not(Py_3_13))]
            {
                let object = ffi::PyWeakref_GetObject(reference);
                if object != ffi::Py_None() {
                    return Referent::Alive(Object::from_borrowed(object));
                }
            }
        }
        Referent::Gone
    }
}

impl Object {
    /// The object that a weak reference refers to, if it is still alive; nothing if `self` is no
    /// weak reference.
    #[cfg(Py_3_13)]
    pub fn referent(&self) -> Option<Object> {
        let mut found = std::ptr::null_mut();
        // SAFETY: it is a weak reference, and what is found is a new reference, or NULL.
        unsafe {
            if ffi::PyWeakref_Check(self.as_ptr()) == 0 {
                return None;
            }
            ffi::PyWeakref_GetRef(self.as_ptr(), &raw mut found);
            (!found.is_null()).then(|| Object::from_owned(found))
        }
    }

    /// The object that a weak reference refers to, if it is still alive; nothing if `self` is no
    /// weak reference.
    #[cfg(not(Py_3_13))]
    pub fn referent(&self) -> Option<Object> {
        // SAFETY: it is a weak reference; what is found is borrowed, and None if it is gone. One
        // whose destruction has begun, and which has no references any more, is not found.
        unsafe {
            if ffi::PyWeakref_Check(self.as_ptr()) == 0 {
                return None;
            }
            let found = ffi::PyWeakref_GetObject(self.as_ptr());
            let alive = found != ffi::Py_None() && ffi::Py_REFCNT(found) > 0;
            alive.then(|| Object::from_borrowed(found))
        }
    }
}
