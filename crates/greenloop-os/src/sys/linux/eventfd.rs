//! A flag that is a descriptor.
//!
//! An eventfd holds a 64-bit counter and is readable while that is not zero; a read takes all of
//! it. It needs one descriptor and eight bytes of kernel memory, where a pipe needs two descriptors
//! and a buffer that can fill up (`eventfd(2)`, notes).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

pub(crate) struct Signal {
    counter: OwnedFd,
}

impl Signal {
    pub(crate) fn new() -> io::Result<Self> {
        let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { counter })
    }

    pub(crate) fn set(&self) {
        // EAGAIN: the counter is at its maximum, so the flag is set, which is all we want.
        accept_again(rustix::io::write(&self.counter, &1_u64.to_ne_bytes()));
    }

    pub(crate) fn clear(&self) {
        // EAGAIN: the counter was zero, so the flag was clear.
        accept_again(rustix::io::read(&self.counter, &mut [0; 8]));
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }
}

/// Checks that the outcome of a transfer is one that `eventfd(2)` allows.
///
/// A non-blocking one of eight bytes on an open eventfd, with a value other than `u64::MAX`, can
/// only succeed or return `EAGAIN`. Anything else means that our descriptor was closed under us,
/// which the loop, woken or not, could not repair.
fn accept_again(outcome: Result<usize, Errno>) {
    debug_assert!(
        matches!(outcome, Ok(8) | Err(Errno::AGAIN)),
        "the descriptor of the waker is no longer ours: {outcome:?}"
    );
}
