//! A socket that replaces the real one: `transport._sock = wrapper`.
//!
//! Tests do so to simulate a network that is slow or broken. Its methods are called by name, as
//! asyncio's transport calls those of every socket.

use greenloop_cpython::making;
use greenloop_cpython::making::IntoObject as _;
use greenloop_cpython::{
    ExceptionClass, Object, Raised, Result, attached, call_method, fetch, matches,
};
use pyo3::prelude::*;

use super::SocketTransport;
use super::opening::is_plain;
use crate::asyncio::globals;

impl SocketTransport {
    /// Whether the socket has to be asked by its methods.
    #[inline]
    pub fn is_foreign(&self) -> bool {
        self.foreign.get()
    }

    /// `sock.recv(max_size)`, or `None` if there is nothing yet.
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

    /// The same for several chunks: `sock.sendmsg(chunks)`, or up to 3.11 `sock.send(data)`.
    #[cold]
    pub fn send_all_by_name(&self, chunks: &[Vec<u8>]) -> Result<Option<usize>> {
        if cfg!(not(Py_3_12)) {
            return self.send_by_name(&making::bytes(&chunks.concat())?);
        }
        let chunks = chunks.iter().map(|chunk| making::bytes(chunk));
        let chunks = making::list(chunks.collect::<Result<_>>()?)?;
        count_of(self.ask(&globals().names.sendmsg, &chunks)?)
    }

    /// Calls a method of the socket, which returns `None` if it would block.
    fn ask(&self, name: &Object, argument: &Object) -> Result<Option<Object>> {
        let socket = self.socket.get_or_none();
        match call_method(name, &[socket.as_ptr(), argument.as_ptr()]) {
            Ok(answer) => Ok(Some(answer)),
            Err(raised) if is_none_yet() => {
                drop(fetch(raised));
                Ok(None)
            }
            Err(raised) => Err(raised),
        }
    }
}

fn count_of(answer: Option<Object>) -> Result<Option<usize>> {
    let py = attached();
    answer
        .map(|count| count.bound(py).extract().map_err(Raised::from))
        .transpose()
}

fn is_none_yet() -> bool {
    matches(ExceptionClass::BlockingIOError) || matches(ExceptionClass::InterruptedError)
}

/// `_sock = value`
pub fn set_socket(this: &Object, value: Option<&Object>) -> Result<()> {
    let transport = SocketTransport::of(this);
    let Some(socket) = value.filter(|value| !value.is_none()) else {
        transport.foreign.set(false);
        transport.socket.clear();
        return Ok(());
    };
    let foreign = !is_plain(socket)?;
    // In this order: native code looks into the object in the slot only if it is not foreign.
    transport.foreign.set(true);
    transport.socket.set(socket.clone());
    transport.foreign.set(foreign);
    Ok(())
}

/// `_read_ready_cb`, which asyncio's transport forgets when it is closed, from 3.12 on.
pub fn read_ready_callback(this: &Object) -> Result<Object> {
    if cfg!(Py_3_12) && SocketTransport::of(this).closing.get() {
        return Ok(Object::none());
    }
    this.attribute(&globals().names.read_ready)
}
