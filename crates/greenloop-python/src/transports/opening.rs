//! The creation of a transport, and the sockets that it supports.
//!
//! What asyncio's constructor does, in its order:
//!
//! ```text
//!   turn n    the object, the entries of get_extra_info, server._attach, the table, TCP_NODELAY
//!   turn n+1  protocol.connection_made(transport), then _add_reader, then the waiter's result
//! ```
//! So a protocol hears of its connection before its first bytes, and the program that awaits
//! `create_connection` goes on after both, in turn n+2.

use std::os::fd::RawFd;

use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{
    ExceptionClass, Object, Result, Socket, attached, fetch, matches, restore,
};
use greenloop_os::socket::{is_tcp, set_no_delay};
use pyo3::prelude::*;

use super::closing::force_close;
use super::{CLASS, SocketTransport, TransportRef, TransportTable, reading};
use crate::asyncio::edition::{SERVERS_KNOW_CONNECTIONS, TRANSPORTS_REFUSE_TAKEN_DESCRIPTORS};
use crate::asyncio::globals;
use crate::event_loop::{EventLoop, LoopRef, os_error};

/// The number of bytes that asyncio's transports receive at once.
const MAX_SIZE: usize = 256 * 1024;

#[pymethods]
impl EventLoop {
    /// Return a transport for a connected socket, or None if it has to be asyncio's own: for a
    /// socket of a class that may do something else, and on a loop whose watching of descriptors is
    /// watched.
    ///
    /// `extra` is used and extended, not copied. `waiter` is a future of the loop, or None.
    /// `context` is what the protocol's methods run in from 3.15 on.
    ///
    /// # Errors
    /// As for [`Connection::open`].
    #[pyo3(signature = (sock, protocol, waiter, extra, server, context=None))]
    fn _open_socket_transport(
        slf: &Bound<'_, Self>,
        sock: Bound<'_, PyAny>,
        protocol: Bound<'_, PyAny>,
        waiter: Option<Bound<'_, PyAny>>,
        extra: Option<Bound<'_, PyAny>>,
        server: Option<Bound<'_, PyAny>>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        let socket = Object::from(sock);
        if slf.get().shows_readiness() || !is_plain(&socket)? {
            return Ok(None);
        }
        let connection = Connection {
            event_loop: EventLoop::reference_to(slf),
            socket,
            protocol: protocol.into(),
            waiter: waiter.map(Object::from),
            extra: match extra {
                Some(extra) => extra.into(),
                None => making::dict(py)?.into_any().into(),
            },
            server: server.map(Object::from),
            context: context.map(Object::from),
            tcp: None,
        };
        let transport = connection.open()?;
        Ok(Some(transport.bound(py).unbind()))
    }
}

/// The parts of a transport. It is filled in two places: from Python's arguments, and for a
/// server's arrival.
pub struct Connection {
    /// The loop.
    pub event_loop: LoopRef,
    /// The connected socket.
    pub socket: Object,
    /// The protocol that the transport serves.
    pub protocol: Object,
    /// A future that is woken when the transport is ready. A waiter that was cancelled meanwhile is
    /// left alone.
    pub waiter: Option<Object>,
    /// A dictionary of the entries that `get_extra_info` has already. A server has the entry
    /// `peername` already, which saves a `getpeername(2)`.
    pub extra: Object,
    /// The server that the connection belongs to.
    pub server: Option<Object>,
    /// The context in which everything is called, where the loop was given one (3.15).
    pub context: Option<Object>,
    /// Whether the socket is TCP's, if that is known. `None` makes the transport look at the
    /// socket's numbers.
    pub tcp: Option<bool>,
}

impl Connection {
    /// Raises if the loop has a transport already for the descriptor: from 3.12 on asyncio does.
    ///
    /// # Errors
    /// `RuntimeError` in asyncio's words if that transport is not closing.
    pub fn refuse_taken_descriptor(&self) -> Result<()> {
        if !TRANSPORTS_REFUSE_TAKEN_DESCRIPTORS {
            return Ok(());
        }
        let table = table_of(&self.event_loop)?;
        let found = match native_table(&table) {
            Some(table) => table.find(fileno(&self.socket)?).is_some(),
            None => true,
        };
        if !found {
            return Ok(());
        }
        let name = &globals().names.ensure_fd_no_transport;
        self.event_loop.invoke(name, [&self.socket]).map(drop)
    }

    /// Makes the transport. If that fails half way, the partial transport closes the socket when it
    /// is deallocated. Nothing of the protocol's is called here, only looked up. System calls:
    /// `getsockname(2)`, `getpeername(2)` unless it is known, and `setsockopt(2)` for TCP.
    ///
    /// # Errors
    /// `AttributeError` for a protocol without `connection_made`; `OSError` of the socket option;
    /// `RuntimeError` if the loop is closed.
    pub fn open(self) -> Result<TransportRef> {
        let number = fileno(&self.socket)?;
        let names = &globals().names;
        let this = CLASS.create_with(SocketTransport::new(MAX_SIZE))?;
        let transport = this.get();
        transport.event_loop.set(self.event_loop);
        describe(&self.socket, &self.extra)?;
        transport.extra.set(self.extra);
        transport.number.set(number);
        match Socket::exactly(&self.socket) {
            Some(plain) => transport.socket.set(plain.clone()),
            None => transport.foreign.set(self.socket),
        }
        transport.context.set_optional(self.context);
        reading::set_protocol(&this, &self.protocol)?;
        if let Some(server) = self.server {
            transport.server.set(server.clone());
            attach(&server, &this)?;
        }
        transport.enter_table(&this)?;
        transport.send_small_packets_at_once(self.tcp)?;
        let made = self.protocol.attribute(&names.connection_made)?;
        transport.call_soon(&made, std::slice::from_ref(&*this))?;
        if let Err(raised) = transport.begin(&this, self.waiter) {
            // The protocol would be notified of a connection that is never read from.
            let exception = fetch(raised);
            if let Err(raised) = force_close(&this, &exception) {
                drop(fetch(raised));
            }
            return Err(restore(exception));
        }
        Ok(this)
    }
}

impl SocketTransport {
    /// Once `connection_made` was called the protocol expects data. The protocol may pause reading
    /// in `connection_made`: so the reader is added behind it, by a method that looks whether it
    /// may still read.
    fn begin(&self, this: &TransportRef, waiter: Option<Object>) -> Result<()> {
        self.call_soon(&this.attribute(&globals().names.add_reader)?, &[])?;
        let Some(waiter) = waiter else { return Ok(()) };
        let wake = &globals().asyncio.set_result_unless_cancelled;
        self.call_soon(wake, &[waiter, Object::none()])
    }

    /// `loop._transports[fd] = self`, by which the loop refuses to watch the descriptor for others.
    /// A program may have replaced the table by a dict of its own, which gets an ordinary item.
    fn enter_table(&self, this: &TransportRef) -> Result<()> {
        let table = table_of(&self.event_loop.get_or_none())?;
        if let Some(table) = native_table(&table) {
            return table.enter(self.number.get(), this);
        }
        table.set_item(&self.number.get().into_object()?, this)
    }

    /// Turns off Nagle's algorithm, which holds small packets back until the peer has acknowledged
    /// the one before. asyncio requires the protocol's number to be TCP's; here 0 suffices too: an
    /// accepted socket has the number of the listening one, and servers make those with 0.
    /// asyncio's `_set_nodelay` does so.
    ///
    /// # Errors
    /// The `OSError` of `setsockopt(2)`.
    fn send_small_packets_at_once(&self, tcp: Option<bool>) -> Result<()> {
        let tcp = if let Some(tcp) = tcp {
            tcp
        } else {
            let socket = self.socket.get();
            socket.is_some_and(|socket| {
                let [family, kind, protocol] = socket.get().numbers();
                is_tcp(family, kind, protocol)
            })
        };
        self.set_tcp(tcp);
        if tcp {
            set_no_delay(self.descriptor()).map_err(|error| os_error(&error))?;
        }
        Ok(())
    }
}

/// `loop._transports`
///
/// It is looked up on the loop each time, since it is an attribute that programs may set.
fn table_of(event_loop: &Object) -> Result<Object> {
    event_loop.attribute(&globals().names.transports)
}

/// The native part of the table, unless it was replaced by another one.
pub fn native_table(table: &Object) -> Option<&TransportTable> {
    let py = attached();
    let table = table.as_py().bind(py).cast::<TransportTable>();
    table.ok().map(Bound::get)
}

/// Whether an object is a socket of the standard class, with the descriptor that its methods say.
/// The two differ where a program has patched the class.
///
/// # Errors
/// What `fileno` raises.
pub fn is_plain(socket: &Object) -> Result<bool> {
    match Socket::exactly(socket) {
        Some(plain) => Ok(fileno(socket)? == plain.get().descriptor()),
        None => Ok(false),
    }
}

/// # Errors
/// What the method raises, or `TypeError` for an answer that is no int.
fn fileno(socket: &Object) -> Result<RawFd> {
    let number = socket.invoke(&globals().names.fileno, [])?;
    let py = attached();
    Ok(number.bound(py).extract()?)
}

/// Puts into `extra` the entries of `get_extra_info` about the socket. They are `socket` (a
/// `TransportSocket`, which has no methods that would disturb the transport), `sockname` and
/// `peername`. An address that cannot be had is None.
fn describe(socket: &Object, extra: &Object) -> Result<()> {
    let names = &globals().names;
    let wrapped = globals().asyncio.transport_socket.call([socket])?;
    extra.set_item(&names.socket, &wrapped)?;
    let name = or_none(socket.invoke(&names.getsockname, []))?;
    extra.set_item(&names.sockname, &name)?;
    if extra.contains(&names.peername)? {
        return Ok(());
    }
    let name = or_none(socket.invoke(&names.getpeername, []))?;
    extra.set_item(&names.peername, &name)
}

/// `None` in place of an `OSError`.
fn or_none(name: Result<Object>) -> Result<Object> {
    name.or_else(|raised| {
        if !matches(ExceptionClass::OSError) {
            return Err(raised);
        }
        drop(fetch(raised));
        Ok(Object::none())
    })
}

/// Tells the server of its new connection. From 3.13 on a server knows its connections and not only
/// how many there are; it holds its transports weakly, so that it keeps none alive.
fn attach(server: &Object, this: &TransportRef) -> Result<()> {
    let attach = &globals().names.attach;
    if SERVERS_KNOW_CONNECTIONS {
        server.invoke(attach, [this]).map(drop)
    } else {
        server.invoke(attach, []).map(drop)
    }
}
