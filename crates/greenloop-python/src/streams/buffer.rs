//! A reader's buffer, which holds its bytes until they are read.
//!
//! Most messages arrive whole and are read whole, so a chunk that arrives at an empty buffer is
//! kept as the `bytes` object it is, and returned without a copy if all of it is read. Only chunks
//! that must be joined are gathered in our own memory.
//!
//! asyncio's buffer is a bytearray, and some programs change it. Reading `_buffer` returns a real
//! one, which holds the bytes from then on.
//!
//! ```text
//!             1 extend              2 extend                 4 expose
//!   empty ────────────► whole ────────────► gathered ────────────────► exposed
//!     ▲                   │  3 all is taken    │                         for ever
//!     └───────────────────┴────────────────────┘
//! ```

use std::cell::Cell;
use std::ffi::c_char;
use std::slice;

use greenloop_core::ReadBuffer;
use greenloop_cpython::{GilCell, Object, Raised, Result, Slot, Visited, Visitor, call_method};
use pyo3::ffi;

use crate::asyncio::globals;

/// The bytes.
pub struct Buffer {
    /// A chunk as it came: a `bytes` object.
    whole: Slot,
    /// How much of it has been read.
    consumed: Cell<usize>,
    gathered: GilCell<ReadBuffer>,
    /// The bytearray that Python code has asked for.
    exposed: Slot,
}

impl Buffer {
    pub const fn new() -> Self {
        Self {
            whole: Slot::empty(),
            consumed: Cell::new(0),
            gathered: GilCell::new(ReadBuffer::new()),
            exposed: Slot::empty(),
        }
    }

    /// How many bytes there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.with(<[u8]>::len)
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether Python code has asked for the bytearray, which may be of any class.
    #[inline]
    pub fn is_exposed(&self) -> bool {
        !self.exposed.is_empty()
    }

    /// Looks at the bytes. `body` must not run Python code.
    #[inline]
    pub fn with<R>(&self, body: impl FnOnce(&[u8]) -> R) -> R {
        let exposed = self.exposed.as_ptr();
        if !exposed.is_null() {
            // SAFETY: it is a bytearray, which nobody can change while no Python code runs.
            return body(unsafe { content_of_bytearray(exposed) });
        }
        let whole = self.whole.as_ptr();
        if whole.is_null() {
            return self.gathered.with(|gathered| body(gathered.as_slice()));
        }
        // SAFETY: it is a bytes object, which the slot keeps alive while no Python code runs.
        body(&unsafe { content_of_bytes(whole) }[self.consumed.get()..])
    }

    /// Puts `data` at the end: bytes, an object with a buffer, or numbers, as `bytearray.extend`
    /// takes them.
    #[inline]
    pub fn extend(&self, data: &Object) -> Result<()> {
        if let Some(exposed) = self.exposed.get() {
            let arguments = [exposed.as_ptr(), data.as_ptr()];
            return call_method(&globals().names.extend, &arguments).map(drop);
        }
        // SAFETY: `data` is a valid object.
        if unsafe { ffi::PyBytes_CheckExact(data.as_ptr()) } == 0 {
            return self.extend_by_buffer(data);
        }
        if self.is_empty() {
            self.consumed.set(0);
            self.whole.set(data.clone());
        } else {
            self.gather();
            // SAFETY: it is a bytes object that the caller holds.
            let bytes = unsafe { content_of_bytes(data.as_ptr()) };
            self.gathered.with(|gathered| gathered.extend(bytes));
        }
        Ok(())
    }

    /// Appends data of any other class: the memory it exposes, or the numbers that it iterates
    /// over.
    #[cold]
    fn extend_by_buffer(&self, data: &Object) -> Result<()> {
        // SAFETY: `data` is a valid object.
        if unsafe { ffi::PyObject_CheckBuffer(data.as_ptr()) } == 0 {
            // SAFETY: an empty bytearray is made, or an exception set.
            let numbers = unsafe {
                Object::from_returned(ffi::PyByteArray_FromStringAndSize(std::ptr::null(), 0))?
            };
            let arguments = [numbers.as_ptr(), data.as_ptr()];
            call_method(&globals().names.extend, &arguments)?;
            return self.extend_by_buffer(&numbers);
        }
        let view = greenloop_cpython::Buffer::of(data)?;
        self.gather();
        self.gathered.with(|gathered| gathered.extend(view.bytes()));
        Ok(())
    }

    /// Moves a chunk to the memory of our own.
    fn gather(&self) {
        if let Some(whole) = self.whole.take() {
            // SAFETY: it is a bytes object that is held here.
            let bytes = unsafe { content_of_bytes(whole.as_ptr()) };
            let rest = &bytes[self.consumed.replace(0)..];
            self.gathered.with(|gathered| gathered.extend(rest));
        }
    }

    /// Takes the first `count` bytes out, or all if there are fewer, as a `bytes` object.
    #[inline]
    pub fn take(&self, count: usize) -> Result<Object> {
        if self.consumed.get() == 0 {
            let whole = self.whole.as_ptr();
            // SAFETY: `whole` holds a bytes object.
            if !whole.is_null() && unsafe { content_of_bytes(whole) }.len() <= count {
                return Ok(self.whole.take().unwrap_or_else(Object::none));
            }
        }
        let taken = self.with(|content| {
            let taken = &content[..count.min(content.len())];
            // SAFETY: copies the bytes into a new object; no Python code runs.
            unsafe {
                let start = taken.as_ptr().cast::<c_char>();
                let length = taken.len() as ffi::Py_ssize_t;
                Object::from_returned(ffi::PyBytes_FromStringAndSize(start, length))
            }
        })?;
        self.discard(count)?;
        Ok(taken)
    }

    /// Removes the first `count` bytes, or all if there are fewer.
    pub fn discard(&self, count: usize) -> Result<()> {
        if let Some(exposed) = self.exposed.get() {
            let count = ffi::Py_ssize_t::try_from(count).unwrap_or(ffi::Py_ssize_t::MAX);
            // SAFETY: it is a bytearray.
            let code = unsafe { ffi::PySequence_DelSlice(exposed.as_ptr(), 0, count) };
            return if code == 0 { Ok(()) } else { Err(Raised) };
        }
        if self.whole.is_empty() {
            self.gathered.with(|gathered| gathered.consume(count));
        } else if count < self.len() {
            self.consumed.set(self.consumed.get() + count);
        } else {
            self.consumed.set(0);
            self.whole.clear();
        }
        Ok(())
    }

    /// The bytes as a bytearray, which holds them from now on.
    pub fn expose(&self) -> Result<Object> {
        if let Some(exposed) = self.exposed.get() {
            return Ok(exposed);
        }
        // SAFETY: copies the bytes into a new object; no Python code runs.
        let exposed = self.with(|content| unsafe {
            let start = content.as_ptr().cast::<c_char>();
            let length = content.len() as ffi::Py_ssize_t;
            Object::from_returned(ffi::PyByteArray_FromStringAndSize(start, length))
        })?;
        self.replace(exposed.clone());
        Ok(exposed)
    }

    /// Holds the bytes in this bytearray from now on, in place of any earlier ones.
    pub fn replace(&self, bytearray: Object) {
        self.exposed.set(bytearray);
        self.gathered.with(ReadBuffer::clear);
        self.consumed.set(0);
        self.whole.clear();
    }

    /// Shows the held object to the garbage collector: a bytearray may be of a subclass.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        self.exposed.visit(visitor)
    }

    /// Releases all references.
    pub fn clear(&self) {
        self.gathered.with(ReadBuffer::clear);
        self.consumed.set(0);
        self.whole.clear();
        self.exposed.clear();
    }
}

/// The content of a `bytes` object.
///
/// # Safety
/// `bytes` is one, and stays alive as long as the slice is used.
#[inline]
pub unsafe fn content_of_bytes<'a>(bytes: *mut ffi::PyObject) -> &'a [u8] {
    // SAFETY: promised by the caller; a bytes object never changes.
    unsafe {
        let start = ffi::PyBytes_AsString(bytes).cast::<u8>();
        slice::from_raw_parts(start, ffi::PyBytes_Size(bytes) as usize)
    }
}

/// The content of a bytearray.
///
/// # Safety
/// `bytearray` is one, stays alive and is not changed as long as the slice is used.
unsafe fn content_of_bytearray<'a>(bytearray: *mut ffi::PyObject) -> &'a [u8] {
    // SAFETY: promised by the caller.
    unsafe {
        let start = ffi::PyByteArray_AsString(bytearray).cast::<u8>();
        slice::from_raw_parts(start, ffi::PyByteArray_Size(bytearray) as usize)
    }
}
