//! Write coalescing: several writes of one job reach the peer as one packet, on connections that
//! write so by habit.
//!
//! The core's `WriteCoalescer` says which do. Each write of theirs announces that more will follow
//! (`MSG_MORE`), and the kernel is told when the job is done (`TCP_CORK`, cleared).
//!
//! All written data is handed to the kernel at once, in order: it arrives even if the process ends,
//! and before any data that is written past the transport. The only observable difference is that
//! the peer gets it when the job is done and not during it, or after 200 ms if the job takes
//! longer. Decision 0009 gives the reasons and the costs.

use greenloop_core::WriteCoalescer;
use greenloop_cpython::{Object, fetch};
use greenloop_os::socket;
use pyo3::prelude::*;

use super::{SocketTransport, TransportRef};
use crate::event_loop::EventLoop;

impl SocketTransport {
    /// Tells the coalescer of something, which runs no Python code.
    #[inline]
    fn change_coalescing<R>(&self, change: impl FnOnce(&mut WriteCoalescer) -> R) -> R {
        let mut coalescer = self.coalescer.get();
        let result = change(&mut coalescer);
        self.coalescer.set(coalescer);
        result
    }

    /// Whether the connection is one of TCP, so that a send can announce that more will follow.
    #[inline]
    pub(super) fn is_tcp(&self) -> bool {
        self.coalescer.get().is_possible()
    }

    /// Says whether the connection is one of TCP.
    pub(super) fn set_tcp(&self, tcp: bool) {
        self.change_coalescing(|coalescer| coalescer.set_possible(tcp));
    }
}

/// The job that has written to a transport is done: its writes are complete.
fn end_job(this: &Object) {
    let Ok(this) = super::owner(this).map_err(|raised| drop(fetch(raised))) else {
        return;
    };
    let transport = this.get();
    if transport.change_coalescing(WriteCoalescer::end_job) {
        tell_kernel(transport);
    }
}

/// Takes note of a write. Returns whether its send has to announce that more will follow.
#[inline]
pub fn expect_more(this: &TransportRef, native: &EventLoop) -> bool {
    let transport = this.get();
    if !transport.is_tcp() || !native.runs_a_job() {
        return false;
    }
    let write = transport.change_coalescing(WriteCoalescer::write);
    if write.is_first {
        native.end_of_job.add(this, end_job);
    }
    write.announces_more && native.joins_writes.get()
}

/// A piece was sent as one that more will follow.
#[inline]
pub fn wait_for_more(transport: &SocketTransport) {
    transport.change_coalescing(WriteCoalescer::cork);
}

/// Sends the written data, since no more is known to follow.
#[inline]
pub fn push(transport: &SocketTransport) {
    if transport.change_coalescing(WriteCoalescer::uncork) {
        tell_kernel(transport);
    }
}

/// Has the kernel send what it holds back.
fn tell_kernel(transport: &SocketTransport) {
    // It fails if the socket is closed, by which the kernel has sent everything.
    let _closed = socket::push(transport.descriptor());
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
