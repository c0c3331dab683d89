//! The poller of an open loop and the waker beside it, and the errors of the operating system.
//!
//! They are opened and closed together. The poller holds the waker's descriptor under mark 0, which
//! no other registration has.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use greenloop_core::Interest;
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{ExceptionClass, Raised, Result, attached};
use greenloop_os::{Poller, Waker};

/// The poller and its companions, with which an open loop waits.
pub struct Polling {
    /// The epoll descriptor. It belongs to this loop alone, and is waited for by one thread at a
    /// time.
    pub poller: Poller,
    /// Reported by the poller. Shared with the inbox.
    pub waker: Arc<Waker>,
}

impl Polling {
    /// Fails if there are not two descriptors left.
    ///
    /// Raises the `OSError` of the system, such as `EMFILE`, and leaves no descriptor then.
    pub fn open() -> Result<Self> {
        let interest = Interest {
            read: true,
            write: false,
        };
        let attempt = || {
            let (poller, waker) = (Poller::new()?, Arc::new(Waker::new()?));
            poller.add(waker.as_fd().as_raw_fd(), interest)?;
            Ok(Self { poller, waker })
        };
        attempt().map_err(|error: std::io::Error| os_error(&error))
    }
}

/// An operating system error as the `OSError` subclass of its number.
///
/// `OSError(number, text)` chooses the subclass by itself, as `ConnectionResetError` for
/// `ECONNRESET` (PEP 3151).
pub fn os_error(error: &std::io::Error) -> Raised {
    let class = ExceptionClass::OSError;
    let py = attached();
    let raise = || match error.raw_os_error() {
        Some(number) => {
            let strerror = making::import(py, c"os")?.look_up(c"strerror")?;
            let text = strerror.invoke((number,))?;
            making::raise_with(class, (number, text))
        }
        None => making::raise_with(class, (error.to_string(),)),
    };
    raise().unwrap_or_else(|raised| raised)
}
