//! Observing a loop: what it tells an observer, and what can be learnt from that.
//!
//! An [`Event`] is one change, as `docs/trace-format.md` defines it. A loop tells its [`Observer`],
//! most often a [`Recorder`], whose [`Writer`] puts events into a [`Ring`] that keeps the latest of
//! them for readers on any thread.
//!
//! Nothing here reads a clock or runs user code: the caller says what time it is, and a loop that
//! nobody observes does nothing for it.

mod event;
mod numbered;
mod observer;
mod primitives {
    pub use std::sync::Arc;
    pub use std::sync::atomic::{AtomicU64, Ordering, fence};
}
mod ring;

pub use event::{Event, EventBody, EventKind, Outcome, WaitKind, WakeCause};
pub use observer::{Numbers, Observer, Recorder};
pub use ring::{Ring, Writer};
