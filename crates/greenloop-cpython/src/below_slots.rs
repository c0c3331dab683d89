//! Instances of classes below one of a library's that is written in Python.
//!
//! Such a base keeps its attributes in slots, if it keeps any, and they stay empty unless code uses
//! the base's own descriptors. Behind them is what an [instance](crate::Instance) of any class of
//! ours has: attributes, weak references and a value.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::offset_of;
use std::ops::Deref;

use pyo3::ffi;

use super::class::ClassBuilder;
use super::error::{Raised, Result, report_unraisable, restore, take_raised};
use super::freelist::not_made;
use super::gc;
use super::instance::Held;
use super::making;
use super::native::{Class, Layout, Native};
use super::nesting;
use super::object::Object;
use super::slot::{Slot, visit_slots};
use super::trap::trap_int;

/// The value of an instance.
///
/// # Safety
/// [`visit`](Self::visit) shows only references that are the value's to show, each once: see
/// [`Visitor`](gc::Visitor).
pub unsafe trait Inheriting: Sized + 'static {
    /// Shows the objects it holds to the garbage collector.
    fn visit(&self, visitor: &gc::Visitor) -> gc::Visited;

    /// Lets go of everything, and stays valid.
    fn clear(&self);

    /// The class's `__del__`, given the value and its object. It may raise, and is called once in
    /// an instance's life.
    fn finalise(&self, this: &Object) -> Result<()>;
}

/// The C struct of an instance that carries a `T` behind as many slots of its base.
#[repr(C)]
pub struct BelowSlots<T, const SLOTS: usize> {
    header: ffi::PyObject,
    base: [Slot; SLOTS],
    /// `__dict__`, once there is one.
    attributes: Slot,
    /// The list of weak references, which is the interpreter's.
    weak_references: Cell<*mut ffi::PyObject>,
    value: T,
}

// SAFETY: the struct is the whole instance, whose value `create` writes before anybody sees it; all
// else is valid when it is zeroed.
unsafe impl<T: Inheriting, const SLOTS: usize> Layout for BelowSlots<T, SLOTS> {
    const OFFSET: usize = 0;
}

impl<T, const SLOTS: usize> Deref for BelowSlots<T, SLOTS> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Inheriting, const SLOTS: usize> BelowSlots<T, SLOTS> {
    fn visit(&self, visitor: &gc::Visitor) -> gc::Visited {
        visit_slots(visitor, &self.base)?;
        self.attributes.visit(visitor)?;
        self.value.visit(visitor)
    }

    fn clear(&self) {
        for slot in &self.base {
            slot.clear();
        }
        self.attributes.clear();
        self.value.clear();
    }
}

impl<T: Inheriting, const SLOTS: usize> Class<BelowSlots<T, SLOTS>> {
    /// The object, if it is exactly of this class and has no attributes, and no method of either
    /// was replaced.
    #[inline]
    pub fn plain<'a>(&self, object: &'a Object) -> Option<&'a Native<BelowSlots<T, SLOTS>>> {
        let is_plain = |this: &&Native<BelowSlots<T, SLOTS>>| this.get().has_no_dict();
        if self.is_untouched_class_of(object) {
            self.exactly(object).filter(is_plain)
        } else {
            None
        }
    }

    /// A new instance that holds `value`.
    pub fn create_with(&self, value: T) -> Result<Native<BelowSlots<T, SLOTS>>> {
        if self.as_ptr().is_null() {
            return Err(not_made());
        }
        // SAFETY: the class was built for the struct, and its allocator gives a zeroed block, or
        // null with an exception set. The value is written before anybody sees the instance.
        unsafe {
            let object = Object::from_returned(ffi::PyType_GenericAlloc(self.as_ptr(), 0))?;
            let instance = object.as_ptr().cast::<BelowSlots<T, SLOTS>>();
            (&raw mut (*instance).value).write(value);
            Ok(Native::from_object(object))
        }
    }
}

impl<T: Inheriting, const SLOTS: usize> BelowSlots<T, SLOTS> {
    /// Whether the instance has no `__dict__`, hence no attribute that might replace a method.
    #[inline]
    pub fn has_no_dict(&self) -> bool {
        self.attributes.is_empty()
    }
}

/// Begins a class whose instances carry a `T` behind the slots of their base. Instances are made by
/// [`create_with`](Class::create_with) only.
pub fn class_below_slots<T: Inheriting, const SLOTS: usize>(
    name: &'static CStr,
) -> ClassBuilder<BelowSlots<T, SLOTS>> {
    let offset = |name: &'static CStr, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: std::ptr::null(),
    };
    ClassBuilder::<BelowSlots<T, SLOTS>>::new(name)
        .not_callable()
        .slot(ffi::Py_tp_finalize, finalise::<T, SLOTS> as *mut c_void)
        .slot(ffi::Py_tp_dealloc, deallocate::<T, SLOTS> as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse::<T, SLOTS> as *mut c_void)
        .slot(ffi::Py_tp_clear, clear::<T, SLOTS> as *mut c_void)
        .with_dict()
        .members(vec![
            offset(
                c"__dictoffset__",
                offset_of!(BelowSlots<T, SLOTS>, attributes),
            ),
            offset(
                c"__weaklistoffset__",
                offset_of!(BelowSlots<T, SLOTS>, weak_references),
            ),
        ])
}

impl<T: Inheriting, const SLOTS: usize> ClassBuilder<BelowSlots<T, SLOTS>> {
    /// Makes the class below one that is written in Python, and keeps it in its place.
    ///
    /// # Errors
    /// An `ImportError` if the base has more slots than there are places for, or other fields.
    pub fn build_below_slots(
        self,
        base: &Object,
        place: &Class<BelowSlots<T, SLOTS>>,
    ) -> Result<()> {
        require_slots(base, offset_of!(BelowSlots<T, SLOTS>, attributes))?;
        // SAFETY: the base's struct has fitting slots, each of which is empty when it is zeroed.
        unsafe { self.build_below_foreign(base, place) }
    }
}

impl<T: Held> ClassBuilder<T> {
    /// Makes a class of plain [instances](crate::Instance) below one that is written in Python and
    /// has no fields, and keeps it in its place.
    ///
    /// # Errors
    /// An `ImportError` if the base has fields.
    pub fn build_below_fieldless(self, base: &Object, place: &Class<T>) -> Result<()> {
        require_slots(base, size_of::<ffi::PyObject>())?;
        // SAFETY: the base's struct is the header that each instance begins with.
        unsafe { self.build_below_foreign(base, place) }
    }
}

/// Refuses to import where a base class has fields that ours leave no room for.
fn require_slots(base: &Object, most: usize) -> Result<()> {
    if consists_of_slots(base, most)? {
        return Ok(());
    }
    let name = making::represented(base)?;
    Err(making::import_error(&format!(
        "greenloop does not fit this version of Python: {name} has other fields"
    )))
}

/// Whether instances of `base`, and of each class it derives from, have nothing but slots for
/// attributes behind their header, and at most `most` bytes in all.
fn consists_of_slots(base: &Object, most: usize) -> Result<bool> {
    let slots = making::interned(c"__slots__")?;
    // SAFETY: what is tested to be a class is read as one, and its base, if there is one, is one.
    unsafe {
        if ffi::PyType_Check(base.as_ptr()) == 0 {
            return Ok(false);
        }
        let mut class = base.as_ptr().cast::<ffi::PyTypeObject>();
        let fits = usize::try_from((*class).tp_basicsize).is_ok_and(|size| size <= most);
        while !class.is_null() && class != &raw mut ffi::PyBaseObject_Type {
            let written_in_python = (*class).tp_flags & ffi::Py_TPFLAGS_HEAPTYPE != 0
                && Object::from_borrowed(class.cast())
                    .optional_attribute(&slots)?
                    .is_some();
            let has_more = (*class).tp_dictoffset != 0 || (*class).tp_weaklistoffset != 0;
            if !written_in_python || has_more {
                return Ok(false);
            }
            class = (*class).tp_base;
        }
        Ok(fits)
    }
}

unsafe extern "C" fn deallocate<T: Inheriting, const SLOTS: usize>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead instance.
    unsafe { nesting::deallocate(this, end::<T, SLOTS>) }
}

unsafe fn end<T: Inheriting, const SLOTS: usize>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead instance, which the finaliser may bring back to
    // life. The value is dropped once, last of all.
    unsafe {
        if ffi::PyObject_CallFinalizerFromDealloc(this) < 0 {
            return;
        }
        ffi::PyObject_GC_UnTrack(this.cast());
        let instance = this.cast::<BelowSlots<T, SLOTS>>();
        if !(*instance).weak_references.get().is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        (*instance).clear();
        (&raw mut (*instance).value).drop_in_place();
        let class = ffi::Py_TYPE(this);
        let free = (*class).tp_free.unwrap_or(ffi::PyObject_GC_Del);
        free(this.cast());
        ffi::Py_DECREF(class.cast());
    }
}

unsafe extern "C" fn finalise<T: Inheriting, const SLOTS: usize>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on an instance that is about to die, whatever exception is
    // set: it is put back.
    unsafe {
        let pending = take_raised();
        let object = Object::from_borrowed(this);
        let value = &(*this.cast::<BelowSlots<T, SLOTS>>()).value;
        if trap_int(|| value.finalise(&object)) < 0 {
            report_unraisable(Raised, &object);
        }
        drop(object);
        if let Some(exception) = pending {
            let Raised = restore(exception);
        }
    }
}

unsafe extern "C" fn traverse<T: Inheriting, const SLOTS: usize>(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on an instance, with its own visitor.
    unsafe {
        gc::traverse(this, visit, arg, |visitor| {
            (*this.cast::<BelowSlots<T, SLOTS>>()).visit(visitor)
        })
    }
}

unsafe extern "C" fn clear<T: Inheriting, const SLOTS: usize>(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on an instance.
    unsafe { (*this.cast::<BelowSlots<T, SLOTS>>()).clear() };
    0
}
