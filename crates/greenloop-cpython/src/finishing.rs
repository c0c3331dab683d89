//! Small objects of one class that have a finaliser and mostly are finished before they die, as
//! coroutines are.
//!
//! A finished object holds nothing, so that all its deallocation does is to keep its memory for the
//! next one. That short way is a leaf; what else may be to do stands in functions of their own,
//! which it jumps to. The objects of the class may have structs of several lengths, each with a
//! list of its own.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

use pyo3::ffi;

use super::class::ClassBuilder;
use super::error::{Raised, Result, restore, take_raised};
use super::freelist::Freelist;
use super::gc::{self, Visited, Visitor};
use super::method::receiver;
use super::native::{Class, Extends, Layout, Native};
use super::nesting;
use super::object::Object;
use super::record::{Dead, Tracked};

/// How many dead objects a list keeps.
const KEPT: usize = 256;

/// A struct that is the whole of an object.
///
/// # Safety
/// It is `repr(C)`, begins with a [`Header`](super::Header), and is valid when all its bytes are
/// zero. Its [`Layout::OFFSET`] is 0. One class is built for it, from which
/// none can be derived. [`is_finished`](Self::is_finished) says yes only to what holds nothing.
/// [`finish`](Self::finish) and [`visit`](Self::visit) keep no reference to the object, and
/// [`bury`](Self::bury) gives the memory to the list that it came from. `visit` shows only
/// references that are the struct's to show, each once: see [`Visitor`].
pub unsafe trait Finishing: Layout {
    /// The dead objects whose struct is this one.
    fn spare() -> &'static SpareAlike<Self>;

    /// Whether the garbage collector tracks the object.
    fn tracked(&self) -> &Tracked;

    /// Whether it is finished.
    fn is_finished(&self) -> bool;

    /// Whether a finished one has to be [buried](Self::bury), and not only kept.
    fn has_more_to_end(&self) -> bool;

    /// The object is about to be deallocated or collected, and is not finished. This may bring it
    /// back to life.
    fn finalise(this: &Native<Self>);

    /// Lets go of everything: the object is finished.
    fn finish(this: &Native<Self>);

    /// Shows the objects it holds to the garbage collector.
    fn visit(this: &Native<Self>, visitor: &Visitor) -> Visited;

    /// Gives the memory of a dead object to its list.
    fn bury(dead: Dead<Self>);

    /// Has the garbage collector track the object, if it does not yet.
    #[inline]
    fn track(this: &Native<Self>) {
        if !this.get().tracked().replace(true) {
            // SAFETY: a complete object of a garbage collected class, by the trait; the flag says
            // that it is not tracked yet.
            unsafe { ffi::PyObject_GC_Track(this.as_ptr().cast()) };
        }
    }
}

/// Dead objects of the one class that is built for `T`, for new ones.
pub struct SpareAlike<T> {
    list: Freelist<KEPT>,
    kept: PhantomData<fn() -> T>,
}

impl<T: Finishing> SpareAlike<T> {
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
        // SAFETY: the class is the one that was built for `T`, and so is that of each object in
        // the list, which has room for a `T` and nothing of the program's in front of it.
        unsafe {
            let block = match self.list.revive_alike::<T>() {
                Some(block) => block.as_ptr(),
                None => Freelist::<KEPT>::allocate_anew(class.as_ptr())?,
            };
            Ok(Native::from_object(Object::from_owned(block.cast())))
        }
    }

    /// Keeps the memory of a dead object, or frees it.
    #[inline]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a dead object can be given up once"
    )]
    pub fn keep(&self, dead: Dead<T>) {
        // SAFETY: the object is dead, empty, untracked and of the class.
        unsafe { self.list.free(dead.0) };
    }
}

impl<T: Finishing> Default for SpareAlike<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A struct that goes on behind that of a class's other objects.
///
/// # Safety
/// It is `repr(C)` and begins with a `T`. It is valid when the first [`ZEROED`](Self::ZEROED) bytes
/// are zero and the others are either zero too, or as the last object in the memory has left them.
pub unsafe trait Longer<T: Finishing>: Extends<T> {
    /// How many bytes are zeroed for a new object, at least those of a `T`.
    const ZEROED: usize;
}

/// Dead objects of the class that is built for `T`, which carry a `U`.
pub struct SpareLonger<U, T> {
    list: Freelist<KEPT>,
    kept: PhantomData<fn() -> (U, T)>,
}

impl<T: Finishing, U: Longer<T>> SpareLonger<U, T> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: Freelist::new(),
            kept: PhantomData,
        }
    }

    /// An object that the garbage collector does not track, zeroed as far as `U` says.
    #[inline]
    pub fn allocate(&self, class: &Class<T>) -> Result<Native<U>> {
        const { assert!(U::ZEROED >= size_of::<T>() && U::ZEROED <= size_of::<U>()) }
        // SAFETY: the class is the one that was built for `T`, and all objects in the list are of
        // it and have room for a `U`.
        unsafe {
            let block = self.list.allocate_as_left::<U>(class.as_ptr(), U::ZEROED)?;
            Ok(Native::from_object(Object::from_owned(block.cast())))
        }
    }

    /// Whether the memory of another object would be kept.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.list.has_room()
    }

    /// Keeps the memory of a dead object, or frees it.
    #[inline]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a dead object can be given up once"
    )]
    pub fn keep(&self, dead: Dead<U>) {
        // SAFETY: the object is dead, empty, untracked, of the class, and as long as a `U`.
        unsafe { self.list.free(dead.0) };
    }
}

impl<T: Finishing, U: Longer<T>> Default for SpareLonger<U, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Finishing> Dead<T> {
    /// The same dead object, of which the caller knows that its struct is longer.
    ///
    /// # Safety
    /// It carries a `U`.
    #[inline]
    pub unsafe fn down<U: Longer<T>>(self) -> Dead<U> {
        Dead(self.0, PhantomData)
    }
}

impl<T: Finishing> ClassBuilder<T> {
    /// A class of such objects. Only the extension makes instances.
    pub fn of_finishing(name: &'static std::ffi::CStr) -> Self {
        Self::new(name)
            .not_callable()
            .slot(ffi::Py_tp_dealloc, deallocate::<T> as *mut c_void)
            .slot(ffi::Py_tp_finalize, finalise::<T> as *mut c_void)
            .slot(ffi::Py_tp_traverse, traverse::<T> as *mut c_void)
            .slot(ffi::Py_tp_clear, clear::<T> as *mut c_void)
    }
}

unsafe extern "C" fn deallocate<T: Finishing>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead object of the class. One that is finished holds
    // nothing, and one that has no more to end is as long as the list's.
    unsafe {
        let record = &*this.cast::<T>();
        if !record.is_finished() || record.has_more_to_end() {
            deallocate_otherwise::<T>(this);
        } else if record.tracked().get() {
            deallocate_tracked::<T>(this);
        } else if !T::spare().list.keep_alike(this) {
            deallocate_otherwise::<T>(this);
        }
    }
}

/// As [`deallocate`], of a finished one that the collector knows. It is of C's convention as well,
/// so that it is only jumped to.
#[inline(never)]
unsafe extern "C" fn deallocate_tracked<T: Finishing>(this: *mut ffi::PyObject) {
    // SAFETY: passed on from the caller.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        (*this.cast::<T>()).tracked().replace(false);
        if !T::spare().list.keep_alike(this) {
            deallocate_otherwise::<T>(this);
        }
    }
}

/// As [`deallocate`], of any other.
#[inline(never)]
unsafe extern "C" fn deallocate_otherwise<T: Finishing>(this: *mut ffi::PyObject) {
    // SAFETY: passed on from the caller.
    unsafe {
        if (*this.cast::<T>()).is_finished() {
            end::<T>(this);
        } else {
            nesting::deallocate(this, end::<T>);
        }
    }
}

unsafe fn end<T: Finishing>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead object of exactly the class, by the trait. The
    // finaliser may bring it back to life.
    unsafe {
        let record = &*this.cast::<T>();
        let finished = record.is_finished();
        if !finished && ffi::PyObject_CallFinalizerFromDealloc(this) < 0 {
            return;
        }
        if record.tracked().get() {
            ffi::PyObject_GC_UnTrack(this.cast());
        }
        if !finished {
            T::finish(receiver(&this));
        }
        T::bury(Dead(this, PhantomData));
    }
}

unsafe extern "C" fn finalise<T: Finishing>(this: *mut ffi::PyObject) {
    // The exception that may be set is somebody else's and is put back.
    let pending = take_raised();
    // SAFETY: called by the interpreter on an object that is about to die.
    let record = unsafe { Native::from_object(Object::from_borrowed(this)) };
    T::finalise(&record);
    drop(record);
    if let Some(pending) = pending {
        let Raised = restore(pending);
    }
}

unsafe extern "C" fn traverse<T: Finishing>(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on an object of the class, with its own visitor.
    unsafe {
        gc::traverse(this, visit, arg, |visitor| {
            T::visit(receiver(&this), visitor)
        })
    }
}

unsafe extern "C" fn clear<T: Finishing>(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on an object of the class, after its finaliser.
    unsafe { T::finish(receiver(&this)) };
    0
}
