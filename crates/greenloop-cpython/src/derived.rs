//! Classes that derive from one of a library's whose struct is known only at import, and use none
//! of its fields.
//!
//! The fields of the base exist all the same, and so do the `__dict__`, the weak references and
//! whatever else the base's own code writes. The base's slots handle all of these, so that nothing
//! here depends on their positions. Our struct comes behind the room for the largest base.
//!
//! The base's `__init__` never runs on such an instance: what the base's own code finds in its
//! fields are the zeroes of the allocation, as in an instance of the base that was made by
//! `__new__` alone.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

use pyo3::ffi;

use super::class::ClassBuilder;
use super::error::Result;
use super::freelist::{Freelist, attributes_are_untouched};
use super::gc::{Visited, Visitor, answer};
use super::making;
use super::native::{Class, Layout, Native};
use super::nesting;
use super::object::Object;

/// The room for the base's struct: that of `_asyncio.Task` of 3.11.
const BASE_SIZE: usize = 176;

/// The part of an instance that belongs to the base.
#[repr(transparent)]
pub struct BasePart(UnsafeCell<[u8; BASE_SIZE]>);

/// Our struct behind a base's.
///
/// # Safety
/// It is `repr(C)`, begins with a [`BasePart`] or with a struct that does, and is valid when all
/// its bytes are zero. Its [`Layout::OFFSET`] is 0. The base's zeroed struct is valid for whatever
/// the interpreter calls on it. [`visit`](Self::visit) shows only references that are the struct's
/// to show, each once: see [`Visitor`].
pub unsafe trait Derived: Layout {
    /// The base.
    fn base() -> &'static Object;
    /// Our class.
    fn class() -> &'static Class<Self>;
    /// The dead instances of exactly that class.
    fn spare() -> &'static SpareDerived<Self>;
    /// Whether [`finalise`](Self::finalise) has anything to do.
    fn has_something_to_report(&self) -> bool;
    /// Reports an exception that would be lost with the object, which is about to be deallocated.
    fn finalise(this: &Native<Self>);
    /// Shows the objects that the struct holds to the garbage collector.
    fn visit(&self, visitor: &Visitor) -> Visited;
    /// Lets go of everything.
    fn clear(&self);
}

/// Dead instances of one class, for new ones.
pub struct SpareDerived<T> {
    list: Freelist<256>,
    kept: PhantomData<fn() -> T>,
}

impl<T: Derived> SpareDerived<T> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: Freelist::new(),
            kept: PhantomData,
        }
    }
}

impl<T: Derived> Default for SpareDerived<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Derived> Native<T> {
    /// A zeroed instance of exactly the class.
    #[inline]
    pub fn allocate() -> Result<Self> {
        // SAFETY: `T` is the whole struct of the class, and the list serves it alone.
        unsafe {
            let list = &T::spare().list;
            let object = list.allocate_with_attributes::<T>(T::class().as_ptr())?;
            Ok(Self::from_object(Object::from_owned(object.cast())))
        }
    }
}

impl<T: Derived> ClassBuilder<T> {
    /// A class below `T`'s base, with the slots of an instance's life.
    pub fn derived(name: &'static std::ffi::CStr) -> Self {
        Self::new(name)
            .only_below(T::base())
            .slot(ffi::Py_tp_dealloc, deallocate::<T> as *mut c_void)
            .slot(ffi::Py_tp_free, free::<T> as *mut c_void)
            .slot(ffi::Py_tp_finalize, finalise::<T> as *mut c_void)
            .slot(ffi::Py_tp_traverse, traverse::<T> as *mut c_void)
            .slot(ffi::Py_tp_clear, clear::<T> as *mut c_void)
    }

    /// Makes the class. Refuses a base that has outgrown its room, whose fields would be ours.
    pub fn build_derived(self) -> Result<()> {
        if !T::base().is_class() {
            return Err(making::import_error("the base of a class is none"));
        }
        // SAFETY: tested to be a class.
        let size = unsafe { (*T::base().as_ptr().cast::<ffi::PyTypeObject>()).tp_basicsize };
        if usize::try_from(size).is_ok_and(|size| size <= BASE_SIZE) {
            // SAFETY: the base's struct fits, and the trait promises the rest.
            return unsafe { self.build_below_foreign(T::base(), T::class()) };
        }
        let text = "greenloop does not fit this version of Python: asyncio's tasks are too large";
        Err(making::import_error(text))
    }
}

unsafe extern "C" fn finalise<T: Derived>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on an instance that is about to die.
    let this = unsafe { Native::from_object(Object::from_borrowed(this)) };
    T::finalise(&this);
}

unsafe extern "C" fn deallocate<T: Derived>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead object.
    unsafe { nesting::deallocate(this, end::<T>) }
}

unsafe fn end<T: Derived>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead object. The finaliser may bring it back to life.
    // The base's deallocation clears the base, frees the block and lets go of a heap class.
    unsafe {
        let derived = &*this.cast::<T>();
        // The base asks for the finaliser again; that is enough where there is nothing to report.
        if derived.has_something_to_report() && ffi::PyObject_CallFinalizerFromDealloc(this) < 0 {
            return;
        }
        ffi::PyObject_GC_UnTrack(this.cast());
        derived.clear();
        deallocate_base(this, T::base().as_ptr().cast());
    }
}

unsafe extern "C" fn free<T: Derived>(block: *mut c_void) {
    // SAFETY: called last in a deallocation, with a block of this class or of a subclass.
    unsafe { T::spare().list.keep(block.cast(), T::class().as_ptr()) };
}

unsafe extern "C" fn traverse<T: Derived>(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on an object, with its own visitor. A heap class's
    // traverse shows the object's class itself.
    unsafe {
        let visitor = Visitor::new(visit, arg);
        let base: *mut ffi::PyTypeObject = T::base().as_ptr().cast();
        let held = || -> Visited {
            (*this.cast::<T>()).visit(&visitor)?;
            if (*base).tp_flags & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
                visitor.show_pointer(ffi::Py_TYPE(this).cast())?;
            }
            let Some(traverse) = (*base).tp_traverse else {
                return Ok(());
            };
            visitor.hand_on(|visit, arg| traverse(this, visit, arg))
        };
        answer(held())
    }
}

unsafe extern "C" fn clear<T: Derived>(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on an object.
    unsafe {
        (*this.cast::<T>()).clear();
        clear_base(this, T::base().as_ptr().cast())
    }
}

/// Ends a deallocation with that of the base class.
///
/// # Safety
/// Called last in a `tp_dealloc`, with the class of `_asyncio` that the object's class derives
/// from.
unsafe fn deallocate_base(this: *mut ffi::PyObject, base: *mut ffi::PyTypeObject) {
    // SAFETY: as for this function.
    if unsafe { is_untouched(this) } {
        // SAFETY: the object is dead, and nothing but its block and its class are left of it.
        unsafe {
            let class = ffi::Py_TYPE(this);
            let free = (*class).tp_free.unwrap_or(ffi::PyObject_GC_Del);
            free(this.cast());
            ffi::Py_DECREF(class.cast());
        }
        return;
    }
    // SAFETY: the base takes an object that is untracked and finalised already; on 3.11, where it
    // is a static class, it does not let go of the object's own class.
    unsafe {
        let class = ffi::Py_TYPE(this);
        let static_base = (*base).tp_flags & ffi::Py_TPFLAGS_HEAPTYPE == 0;
        if let Some(deallocate) = (*base).tp_dealloc {
            deallocate(this);
        }
        if static_base {
            ffi::Py_DECREF(class.cast());
        }
    }
}

/// Whether the base's part of a dead object is as it was when it was allocated: no attribute was
/// set, no weak reference taken and no method of the base called. Then there is nothing for the
/// base to clear, which would take about a third of the cost of a task's deallocation.
#[inline]
unsafe fn is_untouched(this: *mut ffi::PyObject) -> bool {
    // SAFETY: an instance of a class of ours has `BASE_SIZE` bytes, and in front of it what its
    // class's flags say.
    unsafe {
        if !attributes_are_untouched(this) {
            return false;
        }
        let header = size_of::<ffi::PyObject>() / size_of::<usize>();
        let words = BASE_SIZE / size_of::<usize>() - header;
        let fields = std::slice::from_raw_parts(this.cast::<usize>().add(header), words);
        fields.iter().fold(0, |all, field| all | field) == 0
    }
}

/// Clears the base's fields.
///
/// # Safety
/// Called from a `tp_clear`, with the class of `_asyncio` that the object's class derives from.
unsafe fn clear_base(this: *mut ffi::PyObject, base: *mut ffi::PyTypeObject) -> c_int {
    // SAFETY: passed on from the caller.
    unsafe { (*base).tp_clear.map_or(0, |clear| clear(this)) }
}
