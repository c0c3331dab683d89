//! Small objects that are made and dropped often: a struct behind a header, no attributes, and dead
//! ones that are kept for new ones.
//!
//! ```text
//!   Spare::allocate ──► zeroed, untracked ──► track ──► no reference left ──► bury ──► Spare::keep
//! ```
//! A record that the collector need not know of is not shown to it, which is the caller's decision:
//! `track` is called when a cycle becomes possible. A program's subclass of an open record goes the
//! interpreter's way instead of the list's.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use pyo3::ffi;

use super::class::ClassBuilder;
use super::error::Result;
use super::freelist::Freelist;
use super::gc::{self, Visited, Visitor};
use super::native::{Class, Layout, Native};
use super::nesting;
use super::object::Object;

/// The header of an object, with which the struct of a [`Record`] begins.
#[repr(transparent)]
pub struct Header(UnsafeCell<ffi::PyObject>);

/// A struct that is the whole of an object.
///
/// # Safety
/// It is `repr(C)`, begins with a [`Header`], and is valid when all its bytes are zero. Its
/// [`Layout::OFFSET`] is 0. `is_ours` says yes to the classes that are built for the struct and to
/// no other: where programs can derive classes, it has to be defined. `weak_references` returns a
/// field of the struct. [`visit`](Self::visit) shows only references that are the struct's to
/// show, each once: see [`Visitor`].
pub unsafe trait Record: Layout {
    /// Whether the garbage collector tracks the object; `None` for a kind that it never does.
    fn tracked(&self) -> Option<&Tracked>;

    /// Shows the objects it holds to the garbage collector.
    fn visit(&self, visitor: &Visitor) -> Visited;

    /// Lets go of everything, and stays valid.
    fn clear(&self);

    /// Whether it holds nothing, so that nothing is dropped with it.
    fn is_empty(&self) -> bool;

    /// Gives a dead object of exactly one of our classes to the list that it came from.
    fn bury(dead: Dead<Self>);

    /// Whether a class is exactly one of ours, and none that a program has derived from it.
    fn is_ours(_class: ClassPointer) -> bool {
        true
    }

    /// The weak references to the object, if there may be any.
    fn weak_references(&self) -> Option<&WeakReferences> {
        None
    }
}

/// The address of a class, for comparing.
pub type ClassPointer = *mut ffi::PyTypeObject;

/// The place of the weak references to an object, which are the interpreter's.
#[repr(transparent)]
pub struct WeakReferences(Cell<*mut ffi::PyObject>);

/// Whether the garbage collector tracks an object.
pub struct Tracked(Cell<bool>);

impl Tracked {
    #[inline]
    pub(super) fn get(&self) -> bool {
        self.0.get()
    }

    #[inline]
    pub(super) fn replace(&self, tracked: bool) -> bool {
        self.0.replace(tracked)
    }
}

/// A dead object, whose memory is about to be given back.
pub struct Dead<T>(pub(super) *mut ffi::PyObject, pub(super) PhantomData<T>);

impl<T: Layout> Dead<T> {
    /// What is left of its value.
    #[inline]
    pub fn get(&self) -> &T {
        // SAFETY: the memory is given back when the dead object is kept, which consumes it.
        unsafe { &*self.0.byte_add(T::OFFSET).cast::<T>() }
    }

    /// The address that it had as an object.
    #[inline]
    pub fn address(&self) -> usize {
        self.0.addr()
    }
}

/// Dead objects of one class, or of several with one layout, for new ones.
pub struct Spare<T, const N: usize> {
    list: Freelist<N>,
    kept: PhantomData<fn() -> T>,
}

impl<T: Record, const N: usize> Spare<T, N> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: Freelist::new(),
            kept: PhantomData,
        }
    }

    /// A zeroed object, which the garbage collector does not track.
    #[inline]
    pub fn allocate(&self, class: &Class<T>) -> Result<Native<T>> {
        // SAFETY: the class was built for `T`, which is its whole struct; only objects of such
        // classes get into the list.
        unsafe {
            let object = self.list.allocate::<T>(class.as_ptr())?;
            Ok(Native::from_object(Object::from_owned(object.cast())))
        }
    }

    /// Keeps the memory of a dead object, or frees it.
    #[inline]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a dead object can be given up once"
    )]
    pub fn keep(&self, dead: Dead<T>) {
        // SAFETY: the object is dead, empty, untracked and of a class for `T`.
        unsafe { self.list.free(dead.0) };
    }
}

impl<T: Record, const N: usize> Default for Spare<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Record> Native<T> {
    /// Has the garbage collector track the object, if it does not yet.
    #[inline]
    pub fn track(&self) {
        if let Some(tracked) = self.get().tracked() {
            if !tracked.replace(true) {
                // SAFETY: a complete object of a garbage collected class that is not tracked yet.
                unsafe { ffi::PyObject_GC_Track(self.as_ptr().cast()) };
            }
        }
    }
}

impl<T: Record> ClassBuilder<T> {
    /// A class of records that programs can make, and derive classes from.
    pub fn of_open_records(name: &'static std::ffi::CStr) -> Self {
        let weak_references = place_of_weak_references::<T>().map(|place| ffi::PyMemberDef {
            name: c"__weaklistoffset__".as_ptr(),
            type_code: ffi::Py_T_PYSSIZET,
            offset: place as ffi::Py_ssize_t,
            flags: ffi::Py_READONLY,
            doc: std::ptr::null(),
        });
        Self::lives(name)
            .subclassable()
            .slot(ffi::Py_tp_new, make::<T> as *mut c_void)
            .members(weak_references.into_iter().collect())
    }

    /// The same for a class that derives from one of those.
    pub fn of_derived_records(name: &'static std::ffi::CStr) -> Self {
        Self::lives(name).subclassable()
    }

    /// A class of records. Only the extension makes instances.
    pub fn of_records(name: &'static std::ffi::CStr) -> Self {
        Self::lives(name).not_callable()
    }

    fn lives(name: &'static std::ffi::CStr) -> Self {
        Self::new(name)
            .slot(ffi::Py_tp_dealloc, deallocate::<T> as *mut c_void)
            .slot(ffi::Py_tp_traverse, traverse::<T> as *mut c_void)
            .slot(ffi::Py_tp_clear, clear::<T> as *mut c_void)
    }
}

/// Where a record has the place of its weak references, in bytes.
fn place_of_weak_references<T: Record>() -> Option<usize> {
    let zeroed = MaybeUninit::<T>::zeroed();
    // SAFETY: the trait asks for a struct that is valid when all its bytes are zero.
    let record = unsafe { zeroed.assume_init_ref() };
    let place = ptr::from_ref(record.weak_references()?);
    Some(place.addr() - ptr::from_ref(record).addr())
}

unsafe extern "C" fn deallocate<T: Record>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead object of the class.
    unsafe {
        if (*this.cast::<T>()).is_empty() {
            end::<T>(this);
        } else {
            nesting::deallocate(this, end::<T>);
        }
    }
}

unsafe fn end<T: Record>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead object. Only those of exactly our classes have
    // the size of the blocks that are kept; others are freed as their class says.
    unsafe {
        let record = &*this.cast::<T>();
        let class = ffi::Py_TYPE(this);
        let ours = T::is_ours(class);
        // The interpreter tracks an instance of a program's class in any case.
        if !ours || record.tracked().is_some_and(Tracked::get) {
            ffi::PyObject_GC_UnTrack(this.cast());
        }
        let weak_references = record.weak_references();
        if weak_references.is_some_and(|references| !references.0.get().is_null()) {
            ffi::PyObject_ClearWeakRefs(this);
        }
        record.clear();
        if ours {
            T::bury(Dead(this, PhantomData));
        } else {
            if let Some(free) = (*class).tp_free {
                free(this.cast());
            }
            ffi::Py_DECREF(class.cast());
        }
    }
}

/// Makes an instance for a call of the class.
unsafe extern "C" fn make<T: Record>(
    class: *mut ffi::PyTypeObject,
    _: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the class's own allocator gives a zeroed, tracked object or NULL with an exception.
    unsafe {
        let allocate = (*class).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
        let object = allocate(class, 0);
        if !object.is_null() {
            if let Some(tracked) = (*object.cast::<T>()).tracked() {
                tracked.replace(true);
            }
        }
        object
    }
}

unsafe extern "C" fn traverse<T: Record>(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on an object of the class, with its own visitor.
    unsafe {
        gc::traverse(this, visit, arg, |visitor| {
            (*this.cast::<T>()).visit(visitor)
        })
    }
}

unsafe extern "C" fn clear<T: Record>(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on an object of the class.
    unsafe { (*this.cast::<T>()).clear() };
    0
}
