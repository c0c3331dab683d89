//! A socket that replaces the real one: `transport._sock = wrapper`.
//!
//! Tests do so to simulate a network that is slow or broken. Its methods are called by name, as
//! asyncio's transport calls those of every socket.
//!
//! The descriptor stays that of the socket which the transport was opened with, and so does the
//! registration in the poller: the wrapper sees the bytes, not the readiness. Nothing is joined,
//! lent or received in place for it, since its methods may keep what they are given.

use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{ExceptionClass, Object, Raised, Result, Socket, attached, fetch, matches};
use pyo3::prelude::*;

use super::opening::is_plain;
use super::{SocketTransport, TransportRef};
use crate::asyncio::edition::{CLOSING_FORGETS_READ_CALLBACK, TRANSPORTS_KEEP_CHUNKS};
use crate::asyncio::globals;

impl SocketTransport {
    /// Whether the socket has to be asked by its methods.
    #[inline]
    pub fn is_foreign(&self) -> bool {
        !self.foreign.is_empty()
    }

    /// `sock.recv(max_size)`, or `None` if there is nothing yet.
    ///
    /// # Errors
    /// What the method raises, except that it would block.
    #[cold]
    pub fn receive_by_name(&self) -> Result<Option<Object>> {
        let most = self.max_size.get().into_object()?;
        self.ask(&globals().names.recv, &most)
    }

    /// `sock.recv_into(buffer)`, or `None` if there is nothing yet.
    #[cold]
    pub fn receive_into_by_name(&self, buffer: &Object) -> Result<Option<usize>> {
        count_of(self.ask(&globals().names.recv_into, buffer)?)
    }

    /// `sock.send(data)`, or `None` if there is no room.
    #[cold]
    pub fn send_by_name(&self, data: &Object) -> Result<Option<usize>> {
        count_of(self.ask(&globals().names.send, data)?)
    }

    /// The same for several chunks: `sock.sendmsg(chunks)`, or `sock.send(data)` if the running
    /// asyncio joins them.
    #[cold]
    pub fn send_all_by_name(&self, chunks: &[Vec<u8>]) -> Result<Option<usize>> {
        if !TRANSPORTS_KEEP_CHUNKS {
            return self.send_by_name(&making::bytes(&chunks.concat())?);
        }
        let chunks = chunks.iter().map(|chunk| making::bytes(chunk));
        let chunks = making::list(chunks.collect::<Result<_>>()?)?;
        count_of(self.ask(&globals().names.sendmsg, &chunks)?)
    }

    /// Calls a method of the socket, which returns `None` if it would block.
    fn ask(&self, name: &Object, argument: &Object) -> Result<Option<Object>> {
        match self.socket().invoke(name, [argument]) {
            Ok(answer) => Ok(Some(answer)),
            Err(raised) if is_none_yet() => {
                drop(fetch(raised));
                Ok(None)
            }
            Err(raised) => Err(raised),
        }
    }
}

/// # Errors
/// `TypeError` if the method has returned anything but an int.
fn count_of(answer: Option<Object>) -> Result<Option<usize>> {
    let py = attached();
    answer
        .map(|count| count.bound(py).extract().map_err(Raised::from))
        .transpose()
}

/// Whether the exception that is set means to wait for readiness: the two classes that asyncio
/// catches.
fn is_none_yet() -> bool {
    matches(ExceptionClass::BlockingIOError) || matches(ExceptionClass::InterruptedError)
}

/// `_sock = value`
///
/// A plain socket is used by its descriptor again; None, or a deletion, leaves the transport
/// without one.
///
/// # Errors
/// What the socket's `fileno` raises.
pub fn set_socket(this: &TransportRef, value: Option<&Object>) -> Result<()> {
    let transport = this.get();
    let Some(socket) = value.filter(|value| !value.is_none()) else {
        transport.foreign.clear();
        transport.socket.clear();
        return Ok(());
    };
    match Socket::exactly(socket) {
        Some(plain) if is_plain(socket)? => {
            transport.socket.set(plain.clone());
            transport.foreign.clear();
        }
        _ => {
            transport.foreign.set(socket.clone());
            transport.socket.clear();
        }
    }
    Ok(())
}

/// `_sock`
///
/// The socket, or the object that a program has put in its place; None after the end.
pub fn socket(this: &TransportRef) -> Result<Object> {
    Ok(this.get().socket())
}

/// `_read_ready_cb`, which asyncio's transport forgets when it is closed, from 3.12 on. Before that
/// version it stays the method.
pub fn read_ready_callback(this: &TransportRef) -> Result<Object> {
    if CLOSING_FORGETS_READ_CALLBACK && this.get().closing.get() {
        return Ok(Object::none());
    }
    this.attribute(&globals().names.read_ready)
}
