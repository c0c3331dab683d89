//! Observing a loop: its events, its live state, and its deadlocks.
//!
//! An [`Event`] is one change, as `docs/trace-format.md` defines it. A loop tells its [`Observer`],
//! most often a [`Recorder`], whose [`Writer`] puts events into a [`Ring`] that keeps the latest of
//! them for readers on any thread.
//!
//! A [`Model`] folds events into the live state: the state of each task, the owners of each lock,
//! the order of waiters. It says that something is unknown where lost events may have changed it.
//!
//! A [`WaitGraph`] is the wait-for graph at one moment, from a model or from any other source.
//! [`find_stuck`] finds the tasks that can never run again and the [`Knot`]s that hold them.
//!
//! Who can set an event, no event says. A [`Heap`] knows who could: [`find_dead`] finds the tasks
//! that wait for something which nothing that runs can reach, and makes a wait-for graph of them.
//!
//! Nothing here reads a clock or runs user code: the caller gives the time, and a loop without an
//! observer does nothing.

mod components;
mod deadlocks;
mod event;
mod heap;
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
mod reach;
mod referrers;
mod ring;
mod stuck;
mod wait_graph;

pub use event::{Event, EventBody, EventKind, Outcome, WaitKind, WakeCause};
pub use heap::{Givers, Heap, HeapTask};
pub use histogram::Histogram;
pub use knots::{
    Knot, Line, Member, OrphanWait, Sources, Stuck, find_broken_lines, find_orphan_waits,
    find_stuck,
};
pub use live::{Holder, Owners, Resource, Task, TaskState, Waiting};
pub use model::{Counters, LongestStep, Model};
pub use observer::{Numbers, Observer, Recorder};
pub use reach::{Dead, find_dead};
pub use ring::{Ring, Writer};
pub use wait_graph::{Needs, Party, TaskWait, WaitGraph};
