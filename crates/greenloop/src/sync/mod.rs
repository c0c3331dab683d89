//! asyncio's synchronisation primitives, on the logic of `greenloop-core`, which is also behind
//! Greenloop's Python classes.
//!
//! Tasks wait in the order of their requests and are woken in it. All primitives work on any
//! single-threaded executor, since they only need the waker that a future is polled with. On a
//! greenloop runtime waking a task costs no more than a push into its ring.
//!
//! *Cancel safety* is the same for all: the future of a wait may be dropped at any time. A waiter
//! that has not been woken leaves the line; one that has been woken passes the wake-up on to the
//! next. Futures that are never awaited do nothing.

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
