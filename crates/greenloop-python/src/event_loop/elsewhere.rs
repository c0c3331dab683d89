//! Waiting in the process's own selector, where gevent or the like has replaced asyncio's.
//!
//! In such a process the loop shares its thread with others, and blocking in the poller would stop
//! them all. The poller's own descriptor is readable when it has events, so the loop waits for it
//! in that selector, and then polls without blocking.
//!
//! ```text
//!   poll ── wait_elsewhere ──► select(timeout): others run ──► the poller, without blocking
//! ```
//! Without such a selector the cost is one test of a slot per poll.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use greenloop_cpython::{Object, Result};
use pyo3::prelude::*;

use super::EventLoop;

impl EventLoop {
    /// Waits in the other selector, if there is one. Returns how long to wait in the poller.
    ///
    /// Raises what the selector's function raises.
    #[inline]
    pub(super) fn wait_elsewhere(&self, timeout: Option<Duration>) -> Result<Option<Duration>> {
        match self.select_elsewhere.get() {
            None => Ok(timeout),
            Some(select) => {
                self.select(&select, timeout)?;
                Ok(Some(Duration::ZERO))
            }
        }
    }

    /// Calls `select` with the timeout in seconds, or None for ever. Any code may run during the
    /// call.
    #[cold]
    fn select(&self, select: &Object, timeout: Option<Duration>) -> Result<()> {
        let timeout = match timeout {
            Some(timeout) => Object::float(timeout.as_secs_f64())?,
            None => Object::none(),
        };
        // Code that runs meanwhile, even in this thread, may have work for the loop.
        self.asleep.set(true);
        let outcome = select.call([&timeout]);
        self.asleep.set(false);
        outcome.map(drop)
    }
}

#[pymethods]
impl EventLoop {
    /// Wait by `select(timeout)` from now on, which returns when `_poller_fileno()` is readable.
    fn _wait_by(&self, select: Bound<'_, PyAny>) {
        self.select_elsewhere.set(Object::from(select));
    }

    /// Return the poller's descriptor.
    ///
    /// Raise RuntimeError if the loop is closed.
    fn _poller_fileno(&self) -> PyResult<RawFd> {
        self.check_closed()?;
        let polling = self.polling.borrow();
        Ok(polling
            .as_ref()
            .map_or(-1, |polling| polling.poller.as_fd().as_raw_fd()))
    }
}
