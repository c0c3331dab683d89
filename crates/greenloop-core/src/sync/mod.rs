//! The logic of everything that waits, without a word about who the waiters are.
//!
//! Each primitive is its own small state over a [`WaitList`](crate::WaitList), and each says the
//! same things: what succeeds at once, what a woken waiter does when it runs, and what one that
//! gives up hands on. The order of waking is `asyncio`'s to the letter; where that changed, the
//! newer rule is the default of a type parameter.
//!
//! All methods take `&self` and leave the state complete before anybody is woken, because waking
//! may come back.

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
