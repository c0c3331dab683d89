//! The waker, by which another thread interrupts the loop's wait.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::sys;

/// A descriptor that any thread can make readable, to be registered with a
/// [`Poller`](crate::Poller).
///
/// ```text
///           wake                    ┌── wake: no effect
///  ┌───────┐ ──────────▶ ┌───────┐ ─┘
///  │ quiet │             │ awake │     readable while awake
///  └───────┘ ◀────────── └───────┘
///           drain
/// ```
///
/// A wake-up is a state and not a message: any number of them between two drains is one. So the
/// loop must drain *before* it looks at the messages of other threads; the other way round a
/// wake-up that falls in between is lost.
///
/// It cannot serve as `signal.set_wakeup_fd`: CPython writes a single byte there, which an eventfd
/// refuses (`eventfd(2)`, `EINVAL`).
pub struct Waker {
    signal: sys::Signal,
}

impl Waker {
    /// A quiet waker. Fails if the process or the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            signal: sys::Signal::new()?,
        })
    }

    /// Makes the descriptor readable. Never blocks; may be called from any thread and from a
    /// signal handler.
    pub fn wake(&self) {
        self.signal.set();
    }

    /// Makes the descriptor unreadable until the next [`wake`](Self::wake). Never blocks.
    pub fn drain(&self) {
        self.signal.clear();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Waker").field(&self.as_fd()).finish()
    }
}
