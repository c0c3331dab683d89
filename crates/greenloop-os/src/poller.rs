//! The poller, which reports the descriptors that are ready to be read or written.
//!
//! A registration is level-triggered by default ([`Mode::Level`]), as Python's `selectors` are: a
//! descriptor is reported at every wait for as long as it is ready. The callbacks of `add_reader`
//! need that, since they may read as little as they like and count on being called again. A waiter
//! that reads until the call would block registers edge-triggered ([`Mode::Edge`]), and a
//! registration can stay in place while nobody listens ([`Mode::Disabled`]).
//!
//! # Descriptors that user code closes
//!
//! The kernel's registration belongs to an open file description and not to a number (`epoll(7)`,
//! questions 6 and 7). If user code closes a descriptor that is still registered, then
//!
//! * usually the registration is gone with it, and [`Poller::remove`] reports `EBADF`, or
//!   `ENOENT` once the number has been given to another file;
//! * if the description lives on in a duplicate or in a child process, events keep arriving
//!   under the old number. No call by that number reaches the registration any more; closing
//!   the duplicate, or the poller, ends it.
//!
//! Neither harms the poller. It cannot tell the two apart, so it reports both, and the caller, who
//! knows its registrations, decides.
//!
//! [`Mode::Level`]: greenloop_core::Mode::Level
//! [`Mode::Edge`]: greenloop_core::Mode::Edge
//! [`Mode::Disabled`]: greenloop_core::Mode::Disabled

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::time::Duration;

use greenloop_core::Registration;

use crate::sys;

/// The kernel's set of registered descriptors, and the wait for one of them to be ready.
///
/// It takes descriptors as numbers, because `add_reader` gets numbers from Python: such a number
/// need not be open, and a wrong one is an error and nothing worse.
pub struct Poller {
    selector: sys::Selector,
}

impl Poller {
    /// An empty set. Fails if the process or the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            selector: sys::Selector::new()?,
        })
    }

    /// Registers a descriptor.
    ///
    /// Errors of note: `EEXIST` if it is registered, `EPERM` if its kind is always ready (regular
    /// files, directories), `EBADF` if it is not open, `ENOSPC` if the user's limit on
    /// registrations is reached.
    pub fn add(&self, fd: RawFd, registration: impl Into<Registration>) -> io::Result<()> {
        self.selector.add(fd, registration.into())
    }

    /// Replaces the registration of a descriptor, and reports it if it is ready now. `ENOENT` if it
    /// is not registered: also if its number was, for another file.
    pub fn modify(&self, fd: RawFd, registration: impl Into<Registration>) -> io::Result<()> {
        self.selector.modify(fd, registration.into())
    }

    /// Forgets a descriptor. `EBADF` or `ENOENT` if it was closed before; see the module's text.
    pub fn remove(&self, fd: RawFd) -> io::Result<()> {
        self.selector.remove(fd)
    }

    /// Waits until a registered descriptor is ready, and replaces the content of `events`.
    ///
    /// Without a timeout it waits for ever; with one it leaves `events` empty when that has
    /// passed, and never before. It fails with [`io::ErrorKind::Interrupted`] if a signal handler
    /// ran: the time that is left is for the caller to work out, after it has seen to the signal.
    // A loop that has work waits for no time at all, and a call that knows it is a third shorter.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the compiler decided otherwise as soon as its caller had grown by a few lines"
    )]
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.selector.wait(&mut events.buffer, timeout)
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.selector.as_fd()
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Poller")
            .field(&self.as_fd())
            .finish()
    }
}

/// A descriptor that is ready.
///
/// An error or a hang-up sets both flags, as in Python's `selectors.EpollSelector`: the next read
/// or write returns the error. A flag may therefore be set that no interest asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// The number under which the descriptor was registered.
    pub fd: RawFd,
    /// The mark with which it was registered.
    pub mark: u32,
    /// Whether a read would not block.
    pub readable: bool,
    /// Whether a write would not block.
    pub writable: bool,
    /// Whether there is more to learn than bytes and room: an error, a hang-up, for a reader that
    /// the peer has ended its side (`EPOLLRDHUP`), and for a registration [on
    /// change](greenloop_core::Mode::Edge) also that there are urgent data (`EPOLLPRI`).
    ///
    /// Without it, a read of a TCP connection that returns fewer bytes than it had room for has
    /// taken all that there are (`epoll(7)`, question 9), except those behind an urgent byte that
    /// was not reported. Bytes that come later are reported.
    pub exceptional: bool,
}

/// The events of one wait, in a buffer that is used again for the next.
pub struct Events {
    buffer: sys::EventBuffer,
}

impl Events {
    /// A buffer for up to `capacity` events, and for one at least.
    ///
    /// If more descriptors are ready than it holds, the next waits report them: the kernel goes
    /// round the ready ones, so that none starves (`epoll_wait(2)`, notes).
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            buffer: sys::EventBuffer::with_capacity(capacity.max(1)),
        }
    }

    /// The events, in the order in which the kernel gives them.
    pub fn iter(&self) -> impl Iterator<Item = Event> {
        self.buffer.iter()
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets the events and keeps the buffer.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}
