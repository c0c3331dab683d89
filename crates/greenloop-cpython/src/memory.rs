//! The memory of Python objects, which Python code may change whenever it runs.
//!
//! A `&[u8]` says that its bytes do not change while it lives, and no type can promise that nobody
//! runs Python code meanwhile. So a [`Memory`] is a pointer and a length, and its operations run
//! none: it is copied, sent, or shown to a native function.

use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::ops::Range;
use std::os::fd::RawFd;
use std::slice;

use greenloop_os::address::Address;
use greenloop_os::{datagram, socket};

use super::byte_strings::ByteString;
use super::error::Result;
use super::making;
use super::object::Object;

/// Bytes that stay where they are for `'a`, and may change.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    start: *const u8,
    length: usize,
    owner: PhantomData<&'a [u8]>,
}

impl<'a> Memory<'a> {
    /// So many bytes from `start` on, which may be null if there are none.
    ///
    /// # Safety
    /// They may be read for `'a`.
    #[inline]
    pub(super) const unsafe fn new(start: *const u8, length: usize) -> Self {
        Self {
            start,
            length,
            owner: PhantomData,
        }
    }

    /// How many bytes there are.
    #[inline]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Some of the bytes; none if there are not that many.
    #[inline]
    #[must_use]
    pub fn part(self, range: Range<usize>) -> Self {
        if range.start > range.end || range.end > self.length {
            return Self::from(&[][..]);
        }
        // SAFETY: the part is within the memory.
        unsafe { Self::new(self.start.wrapping_add(range.start), range.len()) }
    }

    /// Where the first byte is.
    #[inline]
    pub(super) const fn as_ptr(self) -> *const u8 {
        self.start
    }

    /// The bytes as a slice.
    ///
    /// # Safety
    /// No Python code runs while the slice is used, and the GIL is not released.
    #[inline]
    pub unsafe fn as_slice(self) -> &'a [u8] {
        match self.length {
            // There may be no memory at all.
            0 => &[],
            // SAFETY: the memory may be read for `'a`, and the caller keeps it unchanged.
            length => unsafe { slice::from_raw_parts(self.start, length) },
        }
    }

    /// A copy as a `bytes` object.
    ///
    /// # Errors
    /// `MemoryError`.
    #[inline]
    pub fn copied(self) -> Result<ByteString> {
        // SAFETY: neither the allocation nor the copy runs Python code.
        ByteString::new(unsafe { self.as_slice() })
    }

    /// A copy as a `bytearray` object.
    ///
    /// # Errors
    /// `MemoryError`.
    pub fn copied_to_bytearray(&self) -> Result<Object> {
        // SAFETY: as above.
        making::bytearray(unsafe { self.as_slice() })
    }

    /// A copy.
    pub fn to_vec(self) -> Vec<u8> {
        // SAFETY: as above.
        unsafe { self.as_slice() }.to_vec()
    }
}

/// System calls, which run no Python code.
///
/// # Errors
/// As for the functions of `greenloop-os` that have these names.
impl Memory<'_> {
    /// [`socket::send`]
    #[inline]
    pub fn send(self, descriptor: RawFd) -> io::Result<usize> {
        // SAFETY: a system call only, with the GIL held.
        socket::send(descriptor, unsafe { self.as_slice() })
    }

    /// [`socket::send_more`]
    #[inline]
    pub fn send_more(self, descriptor: RawFd) -> io::Result<usize> {
        // SAFETY: as above.
        socket::send_more(descriptor, unsafe { self.as_slice() })
    }

    /// [`datagram::send_to`]
    #[inline]
    pub fn send_to(self, descriptor: RawFd, address: &Address) -> io::Result<usize> {
        // SAFETY: as above.
        datagram::send_to(descriptor, unsafe { self.as_slice() }, address)
    }

    /// [`socket::send_vectored`]
    pub fn send_vectored<'a>(
        descriptor: RawFd,
        pieces: impl IntoIterator<Item = Memory<'a>>,
    ) -> io::Result<usize> {
        // All are made before the first is a slice. The second vector takes over the memory.
        let pieces: Vec<_> = pieces.into_iter().collect();
        let slices: Vec<_> = pieces
            .into_iter()
            // SAFETY: as above; only the other slices and the call follow.
            .map(|piece| IoSlice::new(unsafe { piece.as_slice() }))
            .collect();
        socket::send_vectored(descriptor, &slices)
    }
}

impl<'a> From<&'a [u8]> for Memory<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        // SAFETY: a slice may be read for its lifetime.
        unsafe { Self::new(bytes.as_ptr(), bytes.len()) }
    }
}
