//! `bytes` and `bytearray` objects, and what they contain.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Deref;
use std::slice;

use pyo3::ffi;

use super::error::Result;
use super::memory::Memory;
use super::object::Object;
use super::slot::Slot;

impl Object {
    /// Whether it is a `bytes`, of a subclass too.
    #[inline]
    pub fn is_bytes(&self) -> bool {
        // SAFETY: the object is valid.
        unsafe { ffi::PyBytes_Check(self.as_ptr()) != 0 }
    }

    /// Whether it is a `bytearray`, of a subclass too.
    #[inline]
    pub fn is_bytearray(&self) -> bool {
        // SAFETY: as above.
        unsafe { ffi::PyByteArray_Check(self.as_ptr()) != 0 }
    }

    /// Whether it is a `bytes`, a `bytearray` or a `memoryview`.
    #[inline]
    pub fn is_bytes_like(&self) -> bool {
        self.is_bytes() || self.is_bytearray() || self.is_memory_view()
    }

    /// The truth of data, which mostly are a `bytes`: whether there are any.
    ///
    /// Of anything else it may run code of the program.
    #[inline]
    pub fn has_content(&self) -> Result<bool> {
        ByteString::exactly(self).map_or_else(|| self.is_true(), |bytes| Ok(!bytes.is_empty()))
    }

    /// Whether it has a buffer.
    #[inline]
    pub fn has_buffer(&self) -> bool {
        // SAFETY: as above.
        unsafe { ffi::PyObject_CheckBuffer(self.as_ptr()) != 0 }
    }
}

/// A `bytes` object, whose content never changes.
#[derive(Clone)]
#[repr(transparent)]
pub struct ByteString(Object);

impl ByteString {
    /// A copy of the content.
    pub fn new(content: &[u8]) -> Result<Self> {
        super::making::bytes(content).map(Self)
    }

    /// The object, if it is exactly a `bytes`.
    #[inline]
    pub fn exactly(object: &Object) -> Option<&Self> {
        // SAFETY: the object is valid, and a string is transparent over one.
        unsafe {
            let exact = ffi::PyBytes_CheckExact(object.as_ptr()) != 0;
            exact.then(|| &*std::ptr::from_ref(object).cast::<Self>())
        }
    }

    /// The number of its bytes.
    #[inline]
    pub fn len(&self) -> usize {
        // SAFETY: it is a `bytes`.
        unsafe { length_of(self.0.as_ptr()) }
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes.
    #[inline]
    pub fn content(&self) -> &[u8] {
        // SAFETY: it is a `bytes`, which the reference keeps alive.
        unsafe {
            let start = ffi::PyBytes_AS_STRING(self.0.as_ptr()).cast::<u8>();
            slice::from_raw_parts(start, self.len())
        }
    }

    /// The reference without what is known of its object.
    #[inline]
    pub fn into_object(self) -> Object {
        self.0
    }
}

impl Deref for ByteString {
    type Target = Object;

    #[inline]
    fn deref(&self) -> &Object {
        &self.0
    }
}

/// A field that holds a `bytes` or nothing.
///
/// The garbage collector need not see it: a `bytes` refers to nothing.
#[derive(Default)]
pub struct ByteStringSlot(Slot);

impl ByteStringSlot {
    /// An empty slot.
    #[inline]
    pub const fn empty() -> Self {
        Self(Slot::empty())
    }

    /// Whether nothing is held.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of bytes, if a string is held.
    #[inline]
    pub fn len(&self) -> Option<usize> {
        let held = self.0.as_ptr();
        // SAFETY: what is held is a `bytes`.
        (!held.is_null()).then(|| unsafe { length_of(held) })
    }

    /// A new reference to the held string.
    #[inline]
    pub fn get(&self) -> Option<ByteString> {
        self.0.get().map(ByteString)
    }

    /// Empties the slot.
    #[inline]
    pub fn take(&self) -> Option<ByteString> {
        self.0.take().map(ByteString)
    }

    /// Holds `value` from now on.
    #[inline]
    pub fn set(&self, value: ByteString) {
        self.0.set(value.0);
    }

    /// Empties the slot and drops its string.
    #[inline]
    pub fn clear(&self) {
        self.0.clear();
    }
}

/// The number of bytes of a `bytes`.
///
/// # Safety
/// It is one.
#[inline]
unsafe fn length_of(bytes: *mut ffi::PyObject) -> usize {
    // SAFETY: promised by the caller.
    unsafe { ffi::Py_SIZE(bytes) as usize }
}

/// The content of a `bytearray`, which keeps its size until this is dropped.
///
/// It asks the class `bytearray` itself, past what a subclass may have in place of its buffer.
pub struct ByteArrayContent(ManuallyDrop<ffi::Py_buffer>);

impl ByteArrayContent {
    /// The content of `object`, if it is a `bytearray`.
    pub fn of(object: &Object) -> Option<Self> {
        if !object.is_bytearray() {
            return None;
        }
        let mut view = MaybeUninit::<ffi::Py_buffer>::uninit();
        // SAFETY: it is a `bytearray`, whose class fills the view, and fails for no valid one.
        unsafe {
            let functions = ffi::PyByteArray_Type.tp_as_buffer.as_ref()?;
            let code =
                functions.bf_getbuffer?(object.as_ptr(), view.as_mut_ptr(), ffi::PyBUF_SIMPLE);
            (code == 0).then(|| Self(ManuallyDrop::new(view.assume_init())))
        }
    }
}

impl ByteArrayContent {
    /// The bytes.
    pub fn memory(&self) -> Memory<'_> {
        // SAFETY: the bytearray keeps that much memory in place until the view is released.
        unsafe { Memory::new(self.0.buf.cast(), self.0.len as usize) }
    }
}

impl Drop for ByteArrayContent {
    fn drop(&mut self) {
        // SAFETY: the view was filled by the class, which is told of its end once; the view has a
        // reference of its own to the bytearray, which is given back last.
        unsafe {
            let bytearray = self.0.obj;
            let functions = ffi::PyByteArray_Type.tp_as_buffer.as_ref();
            if let Some(release) = functions.and_then(|functions| functions.bf_releasebuffer) {
                release(bytearray, &raw mut *self.0);
            }
            ffi::Py_DECREF(bytearray);
        }
    }
}

/// A new `bytearray` of that size, whose bytes are whatever was in its memory.
pub fn bytearray_of_size(size: usize) -> Result<Object> {
    let size = size as ffi::Py_ssize_t;
    // SAFETY: without a source the bytes are left as they are.
    unsafe { Object::from_returned(ffi::PyByteArray_FromStringAndSize(std::ptr::null(), size)) }
}
