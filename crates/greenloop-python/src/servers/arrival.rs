//! `Arrival`: a connection that was taken and gets its protocol and its transport in the next turn.

use std::ffi::c_int;
use std::os::fd::{AsRawFd as _, IntoRawFd as _, OwnedFd};

use greenloop_os::listener::{NON_BLOCKING, Peer};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::acceptor::Acceptor;
use super::address;
use crate::event_loop::{EventLoop, Job, NativeListener, Reaction};
use crate::handle::{Handle, leaves_the_loop};
use crate::interop::{Object, Raised, Result, Slot, call_function, call_method, fetch, globals};
use crate::transports::Connection;

/// A connection without a protocol.
#[pyclass(frozen, module = "greenloop._native", name = "_Arrival")]
pub struct Arrival {
    acceptor: Object,
    /// The socket, until it has a transport.
    socket: Slot,
    peer: Object,
    context: Object,
}

// SAFETY: touched with the GIL held only, as everything of this crate.
unsafe impl Send for Arrival {}
// SAFETY: as above.
unsafe impl Sync for Arrival {}

#[pymethods]
impl Arrival {
    /// Give the connection its protocol and its transport.
    fn __call__(&self) -> PyResult<()> {
        Ok(self.admit()?)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        for object in [&self.acceptor, &self.peer, &self.context] {
            visit.call(object.as_py())?;
        }
        match self.socket.get() {
            Some(socket) => visit.call(socket.as_py()),
            None => Ok(()),
        }
    }
}

static REACTION: Reaction = Reaction {
    react: |this, _| {
        let arrival = Arrival::of(this);
        // SAFETY: the context is valid; Enter and Exit are paired.
        unsafe {
            if ffi::PyContext_Enter(arrival.context.as_ptr()) < 0 {
                return Err(Raised);
            }
            let outcome = arrival.admit();
            if ffi::PyContext_Exit(arrival.context.as_ptr()) < 0 {
                return Err(Raised);
            }
            outcome
        }
    },
    handle: |this| {
        let arrival = Arrival::of(this);
        let event_loop = &arrival.acceptor().event_loop;
        let class = globals().classes.handle.as_ptr();
        Handle::create(class, this, &[], Some(&arrival.context), event_loop, None)
    },
};

impl Arrival {
    /// The struct behind an `Arrival`.
    fn of(object: &Object) -> &Self {
        // SAFETY: the GIL is held, and the callers pass owners of this file's own listeners.
        unsafe {
            let py = Python::assume_attached();
            object.as_py().bind(py).cast_unchecked::<Self>().get()
        }
    }

    fn acceptor(&self) -> &Acceptor {
        // SAFETY: the GIL is held, and `queue` was given the object of an acceptor.
        unsafe {
            let py = Python::assume_attached();
            let acceptor = self.acceptor.as_py().bind(py);
            acceptor.cast_unchecked::<Acceptor>().get()
        }
    }

    /// Has a connection admitted in the next turn.
    pub fn queue(
        acceptor: &Acceptor,
        native: &EventLoop,
        acceptor_object: &Object,
        descriptor: OwnedFd,
        peer: Option<Peer>,
    ) -> Result<()> {
        // SAFETY: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let socket = globals().socket_maker.make(acceptor, descriptor)?;
        let arrival = Self {
            acceptor: acceptor_object.clone(),
            socket: Slot::empty(),
            peer: match peer {
                Some(peer) => address::to_python(&peer)?,
                None => call_method(&globals().names.getpeername, &[socket.as_ptr()])?,
            },
            // SAFETY: returns a new reference or NULL with an exception set.
            context: unsafe { Object::from_returned(ffi::PyContext_CopyCurrent())? },
        };
        arrival.socket.set(socket);
        let owner = Bound::new(py, arrival)?.into_any().into();
        native.push(Job::Ready(NativeListener {
            reaction: &REACTION,
            owner,
            ticket: 0,
        }));
        Ok(())
    }

    /// Makes the protocol and the transport. asyncio does so in a task of whose exception nobody
    /// learns, but for debug mode and but for what ends the program.
    fn admit(&self) -> Result<()> {
        let mut protocol = None;
        let outcome = self.make_transport(&mut protocol);
        let Err(raised) = outcome else { return Ok(()) };
        if leaves_the_loop() {
            return Err(raised);
        }
        let exception = fetch(raised);
        if self.acceptor().native().debug() {
            return self.report(&exception, protocol.as_ref());
        }
        Ok(())
    }

    fn make_transport(&self, protocol: &mut Option<Object>) -> Result<()> {
        let Some(socket) = self.socket.take() else {
            return Ok(());
        };
        let acceptor = self.acceptor();
        let protocol = protocol.insert(call_function(&acceptor.factory, &[])?);
        // SAFETY: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let extra = PyDict::new(py);
        let peername = &globals().names.peername;
        extra.set_item(peername.bound(py), self.peer.bound(py))?;
        let connection = Connection {
            event_loop: acceptor.event_loop.clone(),
            socket,
            protocol: protocol.clone(),
            waiter: None,
            extra: extra.into_any().into(),
            server: acceptor.server.clone(),
            context: None,
            tcp: Some(acceptor.tcp),
        };
        connection.refuse_taken_descriptor()?;
        connection.open(acceptor.native()).map(drop)
    }

    fn report(&self, exception: &Object, protocol: Option<&Object>) -> Result<()> {
        // SAFETY: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let names = &globals().names;
        let context = PyDict::new(py);
        let message = "Error on transport creation for incoming connection";
        context.set_item(names.message.bound(py), message)?;
        context.set_item(names.exception.bound(py), exception.bound(py))?;
        if let Some(protocol) = protocol {
            context.set_item(names.protocol.bound(py), protocol.bound(py))?;
        }
        let arguments = [self.acceptor().event_loop.as_ptr(), context.as_ptr()];
        call_method(&names.call_exception_handler, &arguments).map(drop)
    }
}

/// Makes `socket.socket` objects for descriptors, as `socket.accept` does, without its Python code.
pub struct SocketMaker {
    /// `_socket.socket`, whose `__init__` `socket.socket` calls first.
    base: Object,
    io_refs: Object,
    closed: Object,
    zero: Object,
}

impl SocketMaker {
    /// Looks up what is needed.
    pub fn new(py: Python<'_>) -> PyResult<Self> {
        let intern = |text| pyo3::types::PyString::intern(py, text).into_any().into();
        Ok(Self {
            base: py.import("_socket")?.getattr("socket")?.into(),
            io_refs: intern("_io_refs"),
            closed: intern("_closed"),
            zero: 0_i32
                .into_pyobject(py)
                .map_err(PyErr::from)?
                .into_any()
                .into(),
        })
    }

    /// A non-blocking socket of the acceptor's family, kind and protocol.
    fn make(&self, acceptor: &Acceptor, descriptor: OwnedFd) -> Result<Object> {
        let class: *mut ffi::PyTypeObject = globals().asyncio.socket.as_ptr().cast();
        let number = descriptor.as_raw_fd();
        // The flag in the kind says that the descriptor does not block, so it need not be made so.
        let kind = acceptor.kind | NON_BLOCKING;
        let arguments = tuple_of_numbers([acceptor.family, kind, acceptor.protocol, number])?;
        // SAFETY: the classes are valid, and sockets can be made and initialised like this.
        let socket = unsafe {
            let base: *mut ffi::PyTypeObject = self.base.as_ptr().cast();
            let (Some(new), Some(initialise)) = ((*base).tp_new, (*base).tp_init) else {
                let class = ffi::PyExc_RuntimeError;
                return Err(crate::interop::raise(class, c"sockets cannot be made"));
            };
            let none = globals().no_arguments.as_ptr();
            let socket = Object::from_returned(new(class, none, std::ptr::null_mut()))?;
            if initialise(socket.as_ptr(), arguments.as_ptr(), std::ptr::null_mut()) < 0 {
                return Err(Raised);
            }
            socket
        };
        // The descriptor is the socket's from now on.
        let _: c_int = descriptor.into_raw_fd();
        socket.set_attribute(&self.io_refs, &self.zero)?;
        socket.set_attribute(&self.closed, &Object::boolean(false))?;
        Ok(socket)
    }
}

fn tuple_of_numbers<const N: usize>(numbers: [c_int; N]) -> Result<Object> {
    // SAFETY: a new tuple's places are filled with new references before anybody sees it.
    unsafe {
        let tuple = Object::from_returned(ffi::PyTuple_New(N as ffi::Py_ssize_t))?;
        for (index, number) in (0..).zip(numbers) {
            let number = Object::from_returned(ffi::PyLong_FromLong(number.into()))?;
            ffi::PyTuple_SetItem(tuple.as_ptr(), index, number.into_ptr());
        }
        Ok(tuple)
    }
}
