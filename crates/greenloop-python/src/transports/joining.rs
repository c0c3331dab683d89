//! Joining: several writes of one job reach the peer as one packet, on connections that write so by
//! habit.
//!
//! A server that writes the head of a response and then its body pays for two packets, each of
//! which costs more than all other work for the request. So on a TCP connection on which one job
//! after another has written more than once, each send announces that more will follow
//! (`MSG_MORE`), and the kernel is told when the job is done.
//!
//! ```text
//!             1 a habit       2 more of the same job    3 the job is done, or somebody looks
//!   nothing ───────────► corked ──┐                  ┌── corked ────────────────────► nothing
//!                         ▲       └──────────────────┘
//! ```
//! All written data is handed to the kernel at once, in order: it arrives even if the process ends,
//! and before any data that is written past the transport. The only observable difference is that
//! the peer gets it when the job is done and not during it, or after 200 ms if the job takes
//! longer. Decision 0009 gives the reasons and the costs.

use std::cell::Cell;

use greenloop_cpython::{Object, fetch};
use greenloop_os::socket;
use pyo3::prelude::*;

use super::{SocketTransport, TransportRef};
use crate::event_loop::EventLoop;

/// How many jobs in a row have to write more than once before anything is joined.
const HABIT: u8 = 4;

/// The way in which a transport's writes have come so far.
pub struct Joining {
    /// Set if a send can announce that more will follow: for TCP.
    possible: Cell<bool>,
    /// How many pieces the present job has written. Not zero means that the loop's
    /// `EndOfJob` has it.
    pieces: Cell<u8>,
    /// How many jobs in a row have written several; up to [`HABIT`].
    habit: Cell<u8>,
    /// Set while the kernel expects more: by [`wait_for_more`], cleared by [`push`].
    corked: Cell<bool>,
}

impl Joining {
    /// Those of a connection that has written nothing.
    pub const fn new() -> Self {
        Self {
            possible: Cell::new(false),
            pieces: Cell::new(0),
            habit: Cell::new(0),
            corked: Cell::new(false),
        }
    }

    /// Whether the connection is one of TCP.
    pub fn is_possible(&self) -> bool {
        self.possible.get()
    }

    /// Says whether the connection is one of TCP.
    pub fn set_possible(&self, possible: bool) {
        self.possible.set(possible);
    }
}

/// The job that has written to a transport is done: its writes are complete.
fn end_job(this: &Object) {
    let Ok(this) = super::owner(this).map_err(|raised| drop(fetch(raised))) else {
        return;
    };
    let transport = this.get();
    let joining = &transport.joining;
    let several = joining.pieces.replace(0) > 1;
    let habit = joining.habit.get();
    joining
        .habit
        .set(if several { (habit + 1).min(HABIT) } else { 0 });
    push(transport);
}

/// Takes note of a write. Returns whether its send has to announce that more will follow.
#[inline]
pub fn expect_more(this: &TransportRef, native: &EventLoop) -> bool {
    let transport = this.get();
    let joining = &transport.joining;
    if !joining.possible.get() {
        return false;
    }
    if !native.runs_a_job() {
        return false;
    }
    if joining.pieces.get() == 0 {
        native.end_of_job.add(this, end_job);
    }
    joining.pieces.set(joining.pieces.get().saturating_add(1));
    joining.habit.get() == HABIT && native.joins_writes.get()
}

/// A piece was sent as one that more will follow.
#[inline]
pub fn wait_for_more(transport: &SocketTransport) {
    transport.joining.corked.set(true);
}

/// Sends the written data, since no more is known to follow.
#[inline]
pub fn push(transport: &SocketTransport) {
    if transport.joining.corked.replace(false) {
        // It fails if the socket is closed, by which the kernel has sent everything.
        let _closed = socket::push(transport.descriptor());
    }
}

impl EventLoop {
    /// Whether a job of this loop is being run, so that something will be done when it is over.
    #[inline]
    fn runs_a_job(&self) -> bool {
        self.scheduler.is_fast() && self.scheduler.is_turning() && !self.is_polling()
    }
}

#[pymethods]
impl EventLoop {
    /// Whether several writes of one job are joined, where they are a habit.
    #[getter]
    fn join_writes(&self) -> bool {
        self.joins_writes.get()
    }

    #[setter]
    fn set_join_writes(&self, join: bool) {
        self.joins_writes.set(join);
    }
}
