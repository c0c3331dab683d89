//! What tasks wait with: asyncio's locks and signs, on the logic of `greenloop-core`, which is also
//! behind Greenloop's Python classes.
//!
//! Everybody waits in the order of asking and is woken in it. All of them work on any
//! single-threaded executor, since they need no more than the waker that a future is polled with;
//! on a greenloop runtime waking a task costs no more than a push into its ring.
//!
//! *Cancel safety* is the same for all: the future of a wait may be dropped at any time. Who has
//! not been woken leaves the line, and who has been hands on to the next what it was woken for.
//! Futures that are never awaited do nothing.

mod barrier;
mod condition;
mod event;
mod lock;
mod semaphore;

pub use barrier::{Barrier, BarrierBroken};
pub use condition::Condition;
pub use event::Event;
pub(crate) use event::WaitForIt;
pub use lock::{Lock, LockGuard};
pub use semaphore::{Permit, Semaphore};
