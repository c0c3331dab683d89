//! Receives that make a bytes object of exactly the bytes that have come.
//!
//! The core's `ReceiveSizePredictor` says whether they are copied out of the loop's buffer or
//! received into the object itself, and how many are asked for.

use std::io;

use greenloop_core::{Receive, ReceiveSizePredictor};
use greenloop_cpython::{FilledBytes, Result, making};
use greenloop_os::socket;

use super::SocketTransport;
use crate::event_loop::EventLoop;

/// The received bytes: a bytes object, or an exception from making one.
type Received = io::Result<Result<FilledBytes>>;

impl SocketTransport {
    /// Receives the bytes that have come, as many as one receive takes at most.
    #[inline]
    pub(super) fn receive_bytes(&self, native: &EventLoop) -> Received {
        match self.receive_size.get().next(self.max_size.get()) {
            Receive::Copied { most } => self.receive_and_copy(native, most),
            Receive::InPlace { room, most } => self.receive_in_place(native, room, most),
        }
    }

    /// Receives into the loop's buffer and copies.
    fn receive_and_copy(&self, native: &EventLoop, most: usize) -> Received {
        let descriptor = self.descriptor();
        native.receive(most, |buffer| {
            let room = buffer.len();
            let received = socket::receive(descriptor, buffer)?;
            self.note_receive(|predictor| predictor.copied(received.len(), room));
            Ok(making::bytes(received).map(FilledBytes::from))
        })
    }

    /// Receives into a bytes object with room for `room` bytes: nothing is copied, unless it is
    /// filled by so little that the bytes are copied, and the object is kept for the next receive.
    fn receive_in_place(&self, native: &EventLoop, room: usize, most: usize) -> Received {
        let descriptor = self.descriptor();
        let mut object = match native.spare.take(room) {
            Ok(taken) => taken,
            Err(raised) => return Ok(Err(raised)),
        };
        let room = object.room();
        let count = match object.fill(most, |memory| socket::receive(descriptor, memory)) {
            Ok(count) => count,
            Err(error) => {
                native.spare.keep(object);
                return Err(error);
            }
        };
        if self.note_receive(|predictor| predictor.received(count, room, most)) {
            return Ok(Ok(object.finish()));
        }
        let copy = object.copied();
        native.spare.keep(object);
        Ok(copy.map(FilledBytes::from))
    }

    /// The protocol has seen the object. If it has not kept it, the loop does.
    #[inline]
    pub(super) fn reuse(&self, native: Option<&EventLoop>, data: FilledBytes) {
        if !data.has_room() {
            return;
        }
        match (data.reclaim(), native) {
            (None, _) => self.note_receive(ReceiveSizePredictor::kept),
            (Some(object), Some(native)) => native.spare.keep(object),
            (Some(_), None) => {}
        }
    }

    /// Tells the predictor of a receive, which runs no Python code.
    #[inline]
    fn note_receive<R>(&self, note: impl FnOnce(&mut ReceiveSizePredictor) -> R) -> R {
        let mut predictor = self.receive_size.get();
        let result = note(&mut predictor);
        self.receive_size.set(predictor);
        result
    }
}

/// Whether an error says no more than that there is nothing to be had at the moment.
pub fn is_none_yet(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted)
}
