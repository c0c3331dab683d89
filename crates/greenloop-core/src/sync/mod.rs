//! The logic of the synchronisation primitives, which knows nothing about who the waiters are.
//!
//! Each primitive is a small state over a [`WaitList`](crate::WaitList), and each defines the same
//! things: which calls succeed at once, what a woken waiter does when it runs, and what a waiter
//! passes on when it gives up. The order of waking is `asyncio`'s to the letter; where that
//! changed, the newer rule is the default of a type parameter.
//!
//! All methods take `&self` and leave the state complete before they wake a waiter, because waking
//! may call back into the primitive.

mod barrier;
mod condition;
mod event;
mod lock;
mod queue;
mod semaphore;
mod several;

pub use barrier::{Barrier, BarrierState, Broken, Notify};
pub use condition::Condition;
pub use event::Event;
pub use lock::{Lock, NotAcquired};
pub use queue::{Admission, NothingUnfinished, Queue, Refusal, Refused, Store};
pub use semaphore::{ReleasedTooOften, Semaphore};
pub use several::{Countdown, Gathering, ReturnWhen, Verdict};
