//! Observing a loop: what it tells an observer, and what can be learnt from that.
//!
//! An [`Event`] is one change, as `docs/trace-format.md` defines it. A loop tells its [`Observer`],
//! most often a [`Recorder`], whose [`Writer`] puts events into a [`Ring`] that keeps the latest of
//! them for readers on any thread.
//!
//! A [`Model`] folds events into the live state: how each task stands, who holds what and who waits
//! in which line. What it cannot know, because events were lost, it says to be unknown.
//!
//! A [`WaitGraph`] says who waits for whom at one moment, in whatever way the caller knows it.
//! [`find_stuck`] finds the tasks that can never run again and the [`Knot`]s that hold them.
//!
//! Nothing here reads a clock or runs user code: the caller says what time it is, and a loop that
//! nobody observes does nothing for it.

mod components;
mod deadlocks;
mod event;
mod histogram;
mod knots;
mod live;
mod model;
mod numbered;
mod observer;
mod primitives {
    pub use std::sync::Arc;
    pub use std::sync::atomic::{AtomicU64, Ordering, fence};
}
mod ring;
mod stuck;
mod wait_graph;

pub use event::{Event, EventBody, EventKind, Outcome, WaitKind, WakeCause};
pub use histogram::Histogram;
pub use knots::{
    Knot, Line, Member, OrphanWait, Sources, Stuck, find_broken_lines, find_orphan_waits,
    find_stuck,
};
pub use live::{Holder, Owners, Resource, Task, TaskState, Waiting};
pub use model::{Counters, LongestStep, Model};
pub use observer::{Numbers, Observer, Recorder};
pub use ring::{Ring, Writer};
pub use wait_graph::{Needs, Party, TaskWait, WaitGraph};
