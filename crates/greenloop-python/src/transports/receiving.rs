//! Two ways to make a bytes object of exactly the bytes that have arrived.
//!
//! Their number is not known beforehand. Small amounts are received into the loop's buffer and
//! copied. That costs less than an object made too large and cut to size, which takes an `mmap` and
//! a page fault per page each time. If the last amount was large (16 KiB and more), the next is
//! received into the bytes object itself. When the protocol has not kept it, the next receive goes
//! into the same one: no copy, no allocation. A protocol that keeps its data is noticed the first
//! time, and gets copies from then on, so that only once does it hold more memory than it has
//! bytes.

use std::cell::Cell;
use std::ffi::c_char;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use greenloop_cpython::{Object, Raised, Result};
use greenloop_os::socket;
use pyo3::ffi;

use crate::event_loop::EventLoop;

/// From how many bytes on a copy costs more than it saves.
const MUCH: usize = 16 * 1024;

/// The most that one receive takes, even if more has come: the bytes that the kernel has written
/// are still in the cache when the program reads them, and the memory of an object of this size is
/// reused where a larger one is mapped anew. A gibibyte costs a fifth less than in receives of 256
/// KiB, and 5 % less than in receives of 32 KiB.
const MOST_AT_ONCE: usize = 64 * 1024;

/// The sizes of a connection's receives so far.
pub struct Habit {
    /// How much came the last time; twice as much if that was all there was room for.
    expected: Cell<usize>,
    /// Set once the protocol has kept a large object.
    keeps: Cell<bool>,
    /// The room of the object that is with the protocol now, or 0.
    lent: Cell<usize>,
    /// Set if the last receive has taken less than there was room for.
    short: Cell<bool>,
}

/// The received bytes: a bytes object, or an exception from making one.
type Received = io::Result<Result<Object>>;

impl Habit {
    /// Receives the bytes that have come, `most` at most.
    #[inline]
    pub fn receive(&self, native: &EventLoop, descriptor: RawFd, most: usize) -> Received {
        self.lent.set(0);
        let most = most.min(MOST_AT_ONCE);
        if self.expected.get() < MUCH || self.keeps.get() {
            self.receive_and_copy(native, descriptor, most)
        } else {
            self.receive_in_place(native, descriptor, most)
        }
    }

    /// Receives into the loop's buffer and copies: cheaper while the amounts are small.
    fn receive_and_copy(&self, native: &EventLoop, descriptor: RawFd, most: usize) -> Received {
        native.receive(most, |buffer| {
            let count = socket::receive(descriptor, buffer)?;
            self.short.set(count < buffer.len());
            self.expected.set(count);
            // SAFETY: the call has written that many bytes to the beginning of the buffer, and
            // making a bytes object runs no Python code.
            Ok(unsafe { bytes(buffer.as_ptr().cast(), count) })
        })
    }

    /// Receives into a new bytes object of the expected size: nothing is copied. Of an object that
    /// is filled by less than half the bytes are copied, and it is kept for the next receive.
    fn receive_in_place(&self, native: &EventLoop, descriptor: RawFd, most: usize) -> Received {
        let room = self.expected.get().next_power_of_two().min(most).max(1);
        let (object, room) = match native.spare.take(room) {
            Ok(taken) => taken,
            Err(raised) => return Ok(Err(raised)),
        };
        // SAFETY: nobody but us has the object, which has room for that many bytes and a NUL.
        let memory = unsafe {
            let start = ffi::PyBytes_AsString(object.as_ptr());
            std::slice::from_raw_parts_mut(start.cast::<MaybeUninit<u8>>(), room.min(most))
        };
        let count = match socket::receive(descriptor, memory) {
            Ok(count) => count,
            Err(error) => {
                native.spare.keep(object, room);
                return Err(error);
            }
        };
        let full = count == memory.len();
        self.short.set(!full);
        self.expected.set(if full { 2 * count } else { count });
        if count < room / 2 {
            // SAFETY: the call has written that many bytes.
            let copy = unsafe { bytes(memory.as_ptr().cast(), count) };
            native.spare.keep(object, room);
            return Ok(copy);
        }
        // SAFETY: as above.
        unsafe { set_length(&object, count) };
        self.lent.set(room);
        Ok(Ok(object))
    }

    /// Whether the last receive has taken less than there was room for: of a TCP connection, all
    /// that there was.
    #[inline]
    pub fn was_short(&self) -> bool {
        self.short.get()
    }

    /// The protocol has seen the object. If it has not kept it, the loop does.
    #[inline]
    pub fn done(&self, native: Option<&EventLoop>, data: Object) {
        let room = self.lent.replace(0);
        if room == 0 {
            return;
        }
        // SAFETY: the object is valid; one reference is ours.
        let kept = unsafe { ffi::Py_REFCNT(data.as_ptr()) } > 1;
        if kept {
            self.keeps.set(true);
        } else if let Some(native) = native {
            native.spare.keep(data, room);
        }
    }
}

/// # Safety
/// `start` points to `count` bytes.
unsafe fn bytes(start: *const c_char, count: usize) -> Result<Object> {
    let count = ffi::Py_ssize_t::try_from(count).map_err(|_| Raised)?;
    // SAFETY: passed on from the caller; the result is a new reference or NULL with an exception
    // set.
    unsafe { Object::from_returned(ffi::PyBytes_FromStringAndSize(start, count)) }
}

/// Gives a bytes object the length of the bytes written into it, and the state of a new one.
///
/// # Safety
/// Nobody else has the object, and it has room for `length` bytes and a NUL.
unsafe fn set_length(object: &Object, length: usize) {
    // SAFETY: promised by the caller. The hash of what it was before is forgotten: -1 is "not
    // known".
    unsafe {
        let header = object.as_ptr().cast::<ffi::PyBytesObject>();
        (*header).ob_base.ob_size = length as ffi::Py_ssize_t;
        #[expect(deprecated, reason = "there is no function to forget a hash with")]
        let hash = &raw mut (*header).ob_shash;
        hash.write(-1);
        ffi::PyBytes_AsString(object.as_ptr()).add(length).write(0);
    }
}

/// Whether an error says no more than that there is nothing to be had at the moment.
pub fn is_none_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
