//! Blocks of freed objects kept for the next one of the same class.

use std::alloc::Layout;
use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;

use pyo3::ffi;

use super::error::{Raised, Result, raise};
use super::exceptions::ExceptionClass;

/// Up to `N` dead objects of one class, or of some with one layout, without a `__dict__`. An
/// allocation costs about 9 ns less than the interpreter's, and does not count towards the next
/// garbage collection.
pub struct Freelist<const N: usize> {
    blocks: UnsafeCell<[*mut ffi::PyObject; N]>,
    len: Cell<usize>,
}

// SAFETY: used with the GIL held only.
unsafe impl<const N: usize> Sync for Freelist<N> {}

impl<const N: usize> Default for Freelist<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Freelist<N> {
    /// An empty list.
    #[inline]
    pub const fn new() -> Self {
        Self {
            blocks: UnsafeCell::new([std::ptr::null_mut(); N]),
            len: Cell::new(0),
        }
    }

    /// A zeroed, untracked object of `class`, whose struct is `T`. It does not count towards the
    /// next garbage collection, as `PyObject_GC_New`'s would: the collector need not know of most
    /// of them.
    ///
    /// # Safety
    /// `class` is null, which raises, or a garbage collected heap type without items whose
    /// instances have the layout of `T`, and only blocks of such classes, with the same words in
    /// front of an object, are given to this list.
    #[inline]
    pub unsafe fn allocate<T>(&self, class: *mut ffi::PyTypeObject) -> Result<*mut T> {
        // SAFETY: passed on from the caller.
        unsafe { self.allocate_as_left(class, size_of::<T>()) }
    }

    /// As [`allocate`](Self::allocate), but the memory behind the first `zeroed` bytes is as the
    /// last object in the block has left it. In a new block it is zeroed.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate), but `T` may be longer than the instances of the class
    /// are, if all blocks that are given to this list are.
    #[inline]
    pub unsafe fn allocate_as_left<T>(
        &self,
        class: *mut ffi::PyTypeObject,
        zeroed: usize,
    ) -> Result<*mut T> {
        // SAFETY: the blocks below `len` are dead objects of such classes; what is behind the
        // header is zeroed as far as told, and the header made anew. In front is room for the
        // collector's words, zeroed too, which is what an untracked object has there that was never
        // finalised.
        unsafe {
            let len = self.len.get();
            if len == 0 {
                return Self::allocate_anew(class);
            }
            self.len.set(len - 1);
            let block = (*self.blocks.get())[len - 1];
            let header = size_of::<ffi::PyObject>();
            zero_in_front(block, class);
            block
                .cast::<u8>()
                .add(header)
                .write_bytes(0, zeroed - header);
            let kept = ffi::Py_TYPE(block);
            if kept == class {
                revive(block);
            } else {
                // Another one of the classes: the block releases the one that it has held.
                ffi::PyObject_Init(block, class);
                ffi::Py_DECREF(kept.cast());
            }
            Ok(block.cast())
        }
    }

    /// A block for an object like the dead one that was in it: zeroed behind its header, alive,
    /// with the class that it had. Nothing if none is kept.
    ///
    /// # Safety
    /// All blocks that are given to this list are of one class, of which
    /// [`allocate`](Self::allocate) asks the same, and which keeps nothing in front of its
    /// instances but the collector's words.
    #[inline]
    pub unsafe fn revive_alike<T>(&self) -> Option<NonNull<T>> {
        // SAFETY: the blocks below `len` are dead objects of that class, with the words in front.
        unsafe {
            let last = self.len.get().checked_sub(1)?;
            self.len.set(last);
            let block = *(*self.blocks.get()).get_unchecked(last);
            let header = size_of::<ffi::PyObject>();
            block.cast::<[usize; 2]>().sub(1).write_bytes(0, 1);
            block
                .cast::<u8>()
                .add(header)
                .write_bytes(0, size_of::<T>() - header);
            revive(block);
            Some(NonNull::new_unchecked(block.cast()))
        }
    }

    /// A new object for a list that has none: see [`revive_alike`](Self::revive_alike).
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate).
    #[inline(never)]
    pub unsafe fn allocate_anew<T>(class: *mut ffi::PyTypeObject) -> Result<*mut T> {
        if class.is_null() {
            return Err(not_made());
        }
        // SAFETY: passed on from `allocate`. What was allocated is zeroed before anybody sees it.
        unsafe {
            let front = words_in_front((*class).tp_flags) * size_of::<usize>();
            let size = Layout::new::<T>().size();
            let memory = ffi::PyObject_Malloc(front + size);
            if memory.is_null() {
                ffi::PyErr_NoMemory();
                return Err(Raised);
            }
            let block: *mut ffi::PyObject = memory.cast::<u8>().add(front).cast();
            zero_in_front(block, class);
            block.cast::<u8>().write_bytes(0, size);
            ffi::PyObject_Init(block, class);
            Ok(block.cast())
        }
    }

    /// Whether another block would be kept.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.len.get() < N
    }

    /// Takes a dead object as [`free`](Self::free) does, and says so; or leaves it, where the list
    /// is full.
    ///
    /// # Safety
    /// As for [`free`](Self::free).
    #[inline]
    pub unsafe fn keep_alike(&self, object: *mut ffi::PyObject) -> bool {
        let len = self.len.get();
        if len >= N {
            return false;
        }
        // SAFETY: nothing refers to the object any more.
        unsafe { (*self.blocks.get())[len] = object };
        self.len.set(len + 1);
        true
    }

    /// Takes a dead, untracked, emptied object. One that is kept goes on holding its class.
    ///
    /// # Safety
    /// Called at the end of the class's `tp_dealloc`, for an object of the class this list is for.
    #[inline]
    pub unsafe fn free(&self, object: *mut ffi::PyObject) {
        // SAFETY: nothing refers to the object any more; a heap type is referenced by each
        // instance.
        unsafe {
            let len = self.len.get();
            if len < N {
                (*self.blocks.get())[len] = object;
                self.len.set(len + 1);
            } else {
                let class = ffi::Py_TYPE(object);
                let front = words_in_front((*class).tp_flags) * size_of::<usize>();
                ffi::PyObject_Free(object.cast::<u8>().sub(front).cast());
                ffi::Py_DECREF(class.cast());
            }
        }
    }

    /// A zeroed, tracked object of `class`, as its `tp_alloc` gives it, of a class whose instances
    /// may have a `__dict__` and a finaliser. If the interpreter keeps attributes inside the object
    /// (3.14+, for classes like ours), nothing is reused.
    ///
    /// # Safety
    /// As for [`allocate`](Self::allocate); `T` is the whole struct of the class, and
    /// [`keep`](Self::keep) its `tp_free`.
    pub unsafe fn allocate_with_attributes<T>(
        &self,
        class: *mut ffi::PyTypeObject,
    ) -> Result<*mut T> {
        // SAFETY: the blocks below `len` are dead objects of this class; what stands in front of
        // them and everything behind their header is zeroed, as in a new block.
        unsafe {
            let len = self.len.get();
            if len == 0 {
                if class.is_null() {
                    return Err(not_made());
                }
                let fresh = ffi::PyType_GenericAlloc(class, 0);
                return if fresh.is_null() {
                    Err(Raised)
                } else {
                    Ok(fresh.cast())
                };
            }
            self.len.set(len - 1);
            let block = (*self.blocks.get())[len - 1];
            let header = size_of::<ffi::PyObject>();
            let behind = Layout::new::<T>().size() - header;
            zero_in_front(block, class);
            block.cast::<u8>().add(header).write_bytes(0, behind);
            ffi::PyObject_Init(block, class);
            ffi::PyObject_GC_Track(block.cast());
            Ok(block.cast())
        }
    }

    /// Takes the block of a dead object of `class`, or frees it: a class's `tp_free`.
    ///
    /// # Safety
    /// Called as `tp_free` is: last, with the object's class still in its header.
    #[inline]
    pub unsafe fn keep(&self, object: *mut ffi::PyObject, class: *mut ffi::PyTypeObject) {
        // SAFETY: nothing refers to the object any more.
        unsafe {
            let len = self.len.get();
            let exact = ffi::Py_TYPE(object) == class;
            if exact && len < N && (*class).tp_flags & ATTRIBUTES_INSIDE == 0 {
                (*self.blocks.get())[len] = object;
                self.len.set(len + 1);
            } else {
                ffi::PyObject_GC_Del(object.cast());
            }
        }
    }
}

/// Raises: an instance was asked for of a class that the module's import has not made yet.
#[cold]
pub fn not_made() -> Raised {
    raise(ExceptionClass::SystemError, c"the class is not made yet")
}

/// Makes a dead object that still has its class a living one with one reference.
///
/// It does not notify `tracemalloc`, for which the block stays what it was when it was allocated:
/// `PyObject_Init` does, and takes as long as the rest of the allocation.
///
/// # Safety
/// Nothing refers to the object.
#[inline]
pub unsafe fn revive(object: *mut ffi::PyObject) {
    // SAFETY: the count is the first word; newer versions have parts of it, which one reference
    // sets to what a new object has there.
    unsafe { object.cast::<isize>().write(1) };
}

/// `Py_TPFLAGS_INLINE_VALUES`: attributes are kept behind the object, in a form that only a new
/// block has. Exists from 3.13 on; before, no class has the flag.
const ATTRIBUTES_INSIDE: std::ffi::c_ulong = 1 << 2;
/// `Py_TPFLAGS_MANAGED_WEAKREF` and `Py_TPFLAGS_MANAGED_DICT`: their pointers are in front of the
/// object.
const POINTERS_IN_FRONT: std::ffi::c_ulong = 1 << 3 | 1 << 4;

/// Whether an object has neither a `__dict__` nor weak references, as far as its class keeps these
/// in front of it. If attributes are kept inside, the answer is not known.
///
/// # Safety
/// `object` is one of a garbage collected class, and its memory is not freed yet.
#[inline]
pub unsafe fn attributes_are_untouched(object: *mut ffi::PyObject) -> bool {
    // SAFETY: the words are there if the flags say so: weak references, `__dict__`, and the
    // collector's.
    unsafe {
        let flags = (*ffi::Py_TYPE(object)).tp_flags;
        if flags & ATTRIBUTES_INSIDE != 0 {
            return false;
        }
        let front = object.cast::<usize>();
        flags & POINTERS_IN_FRONT == 0 || *front.sub(4) | *front.sub(3) == 0
    }
}

/// Zeroes the words in front of an object, in steps of two: a constant number of bytes costs no
/// call.
///
/// # Safety
/// `block` is a dead object of `class`.
#[inline]
unsafe fn zero_in_front(block: *mut ffi::PyObject, class: *mut ffi::PyTypeObject) {
    let front = block.cast::<[usize; 2]>();
    // SAFETY: the words are there; see `words_in_front`.
    unsafe {
        front.sub(1).write_bytes(0, 1);
        if words_in_front((*class).tp_flags) > 2 {
            front.sub(2).write_bytes(0, 1);
        }
    }
}

/// The number of words in front of an object: the garbage collector's two, among whose bits is
/// whether the object was finalised, and for classes with managed attributes two more.
const fn words_in_front(flags: std::ffi::c_ulong) -> usize {
    if flags & POINTERS_IN_FRONT == 0 { 2 } else { 4 }
}
