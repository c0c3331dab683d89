//! The creation of a transport, and the sockets that it supports.

use std::ffi::c_int;
use std::os::fd::RawFd;

use greenloop_core::FlowControl;
use greenloop_core::WriteQueue;
use greenloop_cpython::making;
use greenloop_cpython::{
    ExceptionClass, GilCell, Object, Raised, Result, attached, call_function, call_method, fetch,
    matches, restore,
};
use greenloop_os::socket::{is_tcp, set_no_delay};
use pyo3::ffi;
use pyo3::prelude::*;

use super::closing::force_close;
use super::{SocketObject, SocketTransport, TransportTable, reading};
use crate::asyncio::globals;
use crate::event_loop::{EventLoop, os_error};

/// The number of bytes that asyncio's transports receive at once.
const MAX_SIZE: usize = 256 * 1024;

#[pymethods]
impl EventLoop {
    /// Return a transport for a connected socket, or None if it has to be asyncio's own: for a
    /// socket of a class that may do something else, and on a loop whose watching of descriptors is
    /// watched.
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
            event_loop: slf.clone().into_any().into(),
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
        let transport = connection.open(slf.get())?;
        Ok(Some(transport.bound(py).unbind()))
    }
}

/// The parts of a transport.
pub struct Connection {
    pub event_loop: Object,
    pub socket: Object,
    pub protocol: Object,
    /// A future that is woken when the transport is ready.
    pub waiter: Option<Object>,
    /// A dictionary of the entries that `get_extra_info` has already.
    pub extra: Object,
    pub server: Option<Object>,
    pub context: Option<Object>,
    /// Whether the socket is TCP's, if that is known.
    pub tcp: Option<bool>,
}

impl Connection {
    /// Raises if the loop has a transport already for the descriptor: from 3.12 on asyncio does.
    pub fn refuse_taken_descriptor(&self) -> Result<()> {
        if !cfg!(Py_3_12) {
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
        call_method(name, &[self.event_loop.as_ptr(), self.socket.as_ptr()]).map(drop)
    }

    /// Makes the transport. If that fails half way, the partial transport closes the socket when it
    /// is deallocated.
    pub fn open(self, native: &EventLoop) -> Result<Object> {
        let number = fileno(&self.socket)?;
        let names = &globals().names;
        let this = SocketTransport::create()?;
        let transport = SocketTransport::of(&this);
        transport.native_loop.set(native);
        transport.event_loop.set(self.event_loop);
        describe(&self.socket, &self.extra)?;
        transport.extra.set(self.extra);
        transport.number.set(number);
        transport.socket.set(self.socket);
        transport.context.set_optional(self.context);
        reading::set_protocol(&this, &self.protocol)?;
        if let Some(server) = self.server {
            transport.server.set(server.clone());
            attach(&server, &this)?;
        }
        transport.enter_table(&this)?;
        transport.send_small_packets_at_once(self.tcp)?;
        let made = self.protocol.attribute(&names.connection_made)?;
        transport.call_soon(&made, std::slice::from_ref(&this))?;
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
    /// Once `connection_made` was called the protocol expects data.
    fn begin(&self, this: &Object, waiter: Option<Object>) -> Result<()> {
        self.call_soon(&this.attribute(&globals().names.add_reader)?, &[])?;
        let Some(waiter) = waiter else { return Ok(()) };
        let wake = &globals().asyncio.set_result_unless_cancelled;
        self.call_soon(wake, &[waiter, Object::none()])
    }

    /// A transport without a socket: all slots are empty.
    fn create() -> Result<Object> {
        let class = globals().classes.socket_transport.as_ptr();
        // SAFETY: the allocator gives a zeroed block laid out as the struct, or null with an
        // exception set. Slots and cells are valid when zeroed; the two fields that are not are
        // written before anything can look at them.
        unsafe {
            let object = Object::from_returned(ffi::PyType_GenericAlloc(class, 0))?;
            let transport = object.as_ptr().cast::<Self>();
            (&raw mut (*transport).pending).write(GilCell::new(WriteQueue::new()));
            (*transport).flow.set(FlowControl::new());
            (*transport).max_size.set(MAX_SIZE);
            Ok(object)
        }
    }

    /// `loop._transports[fd] = self`, by which the loop refuses to watch the descriptor for others.
    fn enter_table(&self, this: &Object) -> Result<()> {
        let table = table_of(&self.event_loop.get_or_none())?;
        if let Some(table) = native_table(&table) {
            return table.enter(self.number.get(), this);
        }
        // SAFETY: all are valid objects.
        unsafe {
            let key = Object::from_returned(ffi::PyLong_FromLong(self.number.get().into()))?;
            if ffi::PyObject_SetItem(table.as_ptr(), key.as_ptr(), this.as_ptr()) < 0 {
                return Err(Raised);
            }
        }
        Ok(())
    }

    /// Turns off Nagle's algorithm, which holds small packets back until the peer has acknowledged
    /// the one before. asyncio requires the protocol's number to be TCP's; here 0 suffices too: an
    /// accepted socket has the number of the listening one, and servers make those with 0.
    fn send_small_packets_at_once(&self, tcp: Option<bool>) -> Result<()> {
        let tcp = if let Some(tcp) = tcp {
            tcp
        } else {
            let [family, kind, protocol] = socket_numbers(&self.socket.get_or_none())?;
            is_tcp(family, kind, protocol)
        };
        self.joining.set_possible(tcp);
        if tcp {
            set_no_delay(self.descriptor()).map_err(|error| os_error(&error))?;
        }
        Ok(())
    }
}

/// `loop._transports`
fn table_of(event_loop: &Object) -> Result<Object> {
    event_loop.attribute(&globals().names.transports)
}

/// The native part of the table, unless it was replaced by another one.
pub fn native_table(table: &Object) -> Option<&TransportTable> {
    let py = attached();
    let table = table.as_py().bind(py).cast::<TransportTable>();
    table.ok().map(Bound::get)
}

/// A socket's family, kind and protocol, as `socket(2)` takes them.
pub fn socket_numbers(socket: &Object) -> Result<[c_int; 3]> {
    let py = attached();
    let getters = &globals().socket_numbers;
    let number = |getter: &Object| -> Result<c_int> {
        let get = &globals().names.get_descriptor;
        let value = call_method(get, &[getter.as_ptr(), socket.as_ptr()])?;
        Ok(value.bound(py).extract()?)
    };
    Ok([
        number(&getters.family)?,
        number(&getters.kind)?,
        number(&getters.protocol)?,
    ])
}

/// Whether an object is a socket of the standard class, with the descriptor where we look for it.
pub fn is_plain(socket: &Object) -> Result<bool> {
    let class = &globals().asyncio.socket;
    if !socket.is_exactly(class.as_ptr().cast()) {
        return Ok(false);
    }
    // SAFETY: the object's class is valid, and its size says that the field is within the object.
    let descriptor = unsafe {
        let size = (*socket.class()).tp_basicsize as usize;
        if size < size_of::<SocketObject>() {
            return Ok(false);
        }
        (*socket.as_ptr().cast::<SocketObject>()).descriptor
    };
    Ok(fileno(socket)? == descriptor)
}

/// The descriptor of a [plain](is_plain) socket, or -1 if it is closed.
pub fn descriptor_of_plain(socket: &Object) -> RawFd {
    // SAFETY: the struct of a plain socket begins like this.
    unsafe { (*socket.as_ptr().cast::<SocketObject>()).descriptor }
}

fn fileno(socket: &Object) -> Result<c_int> {
    let number = call_method(&globals().names.fileno, &[socket.as_ptr()])?;
    let py = attached();
    Ok(number.bound(py).extract()?)
}

/// Puts into `extra` the entries of `get_extra_info` about the socket.
fn describe(socket: &Object, extra: &Object) -> Result<()> {
    let names = &globals().names;
    let wrapped = call_function(&globals().asyncio.transport_socket, &[socket.as_ptr()])?;
    set_item(extra, &names.socket, &wrapped)?;
    let name = or_none(call_method(&names.getsockname, &[socket.as_ptr()]))?;
    set_item(extra, &names.sockname, &name)?;
    // SAFETY: both are valid objects.
    match unsafe { ffi::PySequence_Contains(extra.as_ptr(), names.peername.as_ptr()) } {
        -1 => Err(Raised),
        0 => {
            let name = or_none(call_method(&names.getpeername, &[socket.as_ptr()]))?;
            set_item(extra, &names.peername, &name)
        }
        _ => Ok(()),
    }
}

/// `None` in place of an `OSError`.
fn or_none(name: Result<Object>) -> Result<Object> {
    name.or_else(|raised| {
        if !matches(ExceptionClass::OSError) {
            return Err(raised);
        }
        drop(greenloop_cpython::fetch(raised));
        Ok(Object::none())
    })
}

fn set_item(mapping: &Object, key: &Object, value: &Object) -> Result<()> {
    // SAFETY: all are valid objects.
    let code = unsafe { ffi::PyObject_SetItem(mapping.as_ptr(), key.as_ptr(), value.as_ptr()) };
    if code == 0 { Ok(()) } else { Err(Raised) }
}

/// From 3.13 on a server knows its connections and not only how many there are.
fn attach(server: &Object, this: &Object) -> Result<()> {
    let attach = &globals().names.attach;
    if cfg!(Py_3_13) {
        call_method(attach, &[server.as_ptr(), this.as_ptr()]).map(drop)
    } else {
        call_method(attach, &[server.as_ptr()]).map(drop)
    }
}
