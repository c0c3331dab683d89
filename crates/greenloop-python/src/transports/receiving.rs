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
use std::io;
use std::os::fd::RawFd;

use greenloop_cpython::{FilledBytes, Result, making};
use greenloop_os::socket;

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
    /// Set if the last receive has taken less than there was room for.
    short: Cell<bool>,
}

/// The received bytes: a bytes object, or an exception from making one.
type Received = io::Result<Result<FilledBytes>>;

impl Habit {
    /// That of a connection that has received nothing.
    pub const fn new() -> Self {
        Self {
            expected: Cell::new(0),
            keeps: Cell::new(false),
            short: Cell::new(false),
        }
    }

    /// Receives the bytes that have come, `most` at most.
    #[inline]
    pub fn receive(&self, native: &EventLoop, descriptor: RawFd, most: usize) -> Received {
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
            let room = buffer.len();
            let received = socket::receive(descriptor, buffer)?;
            self.short.set(received.len() < room);
            self.expected.set(received.len());
            Ok(making::bytes(received).map(FilledBytes::from))
        })
    }

    /// Receives into a new bytes object of the expected size: nothing is copied. Of an object that
    /// is filled by less than half the bytes are copied, and it is kept for the next receive.
    fn receive_in_place(&self, native: &EventLoop, descriptor: RawFd, most: usize) -> Received {
        let room = self.expected.get().next_power_of_two().min(most).max(1);
        let mut object = match native.spare.take(room) {
            Ok(taken) => taken,
            Err(raised) => return Ok(Err(raised)),
        };
        let room = object.room();
        let count = match object.fill(most, |memory| socket::receive(descriptor, memory)) {
            Ok(count) => count,
            Err(error) => {
                native.spare.keep(object);
                return Err(error);
            }
        };
        let full = count == room.min(most);
        self.short.set(!full);
        self.expected.set(if full { 2 * count } else { count });
        if count < room / 2 {
            let copy = object.copied();
            native.spare.keep(object);
            return Ok(copy.map(FilledBytes::from));
        }
        Ok(Ok(object.finish()))
    }

    /// Whether the last receive has taken less than there was room for: of a TCP connection, all
    /// that there was.
    #[inline]
    pub fn was_short(&self) -> bool {
        self.short.get()
    }

    /// The protocol has seen the object. If it has not kept it, the loop does.
    #[inline]
    pub fn done(&self, native: Option<&EventLoop>, data: FilledBytes) {
        if !data.has_room() {
            return;
        }
        match (data.reclaim(), native) {
            (None, _) => self.keeps.set(true),
            (Some(object), Some(native)) => native.spare.keep(object),
            (Some(_), None) => {}
        }
    }
}

/// Whether an error says no more than that there is nothing to be had at the moment.
pub fn is_none_yet(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted)
}
