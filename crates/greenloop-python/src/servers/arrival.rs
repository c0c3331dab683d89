//! `Arrival`: an accepted connection that gets its protocol and its transport in the next turn.

use std::os::fd::OwnedFd;

use greenloop_cpython::making::{self, Enter as _};
use greenloop_cpython::{
    Object, Raised, Result, Slot, attached, call_function, call_method, fetch,
};
use greenloop_os::address::Address;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::acceptor::Acceptor;
use crate::asyncio::globals;
use crate::handle::{Handle, leaves_the_loop};
use crate::scheduler::{Job, NativeListener, Reaction, Scheduler};
use crate::sockets::address::to_python;
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
    is_due: None,
};

impl Arrival {
    /// The struct behind an `Arrival`.
    fn of(object: &Object) -> &Self {
        // SAFETY: the GIL is held, and the callers pass owners of this file's own listeners.
        unsafe {
            let py = attached();
            object.as_py().bind(py).cast_unchecked::<Self>().get()
        }
    }

    fn acceptor(&self) -> &Acceptor {
        // SAFETY: the GIL is held, and `queue` was given the object of an acceptor.
        unsafe {
            let py = attached();
            let acceptor = self.acceptor.as_py().bind(py);
            acceptor.cast_unchecked::<Acceptor>().get()
        }
    }

    /// Has a connection admitted in the next turn.
    pub fn queue(
        acceptor: &Acceptor,
        scheduler: &Scheduler,
        acceptor_object: &Object,
        descriptor: OwnedFd,
        peer: &Address,
    ) -> Result<()> {
        let py = attached();
        let numbers = [acceptor.family, acceptor.kind, acceptor.protocol];
        let socket = crate::transports::plain_sockets().make(numbers, descriptor)?;
        let arrival = Self {
            acceptor: acceptor_object.clone(),
            socket: Slot::empty(),
            peer: match to_python(peer) {
                Some(peer) => peer?,
                None => call_method(&globals().names.getpeername, &[socket.as_ptr()])?,
            },
            // SAFETY: each returns a new reference or NULL with an exception set, also for what is
            // no context.
            context: unsafe {
                Object::from_returned(match &acceptor.of_connections {
                    Some(context) => ffi::PyContext_Copy(context.as_ptr()),
                    None => ffi::PyContext_CopyCurrent(),
                })?
            },
        };
        arrival.socket.set(socket);
        let owner = Bound::new(py, arrival)?.into_any().into();
        scheduler.push(Job::Ready(NativeListener {
            reaction: &REACTION,
            owner,
            ticket: 0,
        }));
        Ok(())
    }

    /// Makes the protocol and the transport. asyncio does so in a task whose exception is not
    /// reported, except in debug mode and if it ends the program.
    fn admit(&self) -> Result<()> {
        let mut protocol = None;
        let outcome = self.make_transport(&mut protocol);
        let Err(raised) = outcome else { return Ok(()) };
        if leaves_the_loop() {
            return Err(raised);
        }
        let exception = fetch(raised);
        if self.acceptor().native().scheduler.debug() {
            return self.report(&exception, protocol.as_ref());
        }
        Ok(())
    }

    /// Calls the protocol factory and makes the connection's transport, in that order, as asyncio
    /// does.
    fn make_transport(&self, protocol: &mut Option<Object>) -> Result<()> {
        let Some(socket) = self.socket.take() else {
            return Ok(());
        };
        let acceptor = self.acceptor();
        let protocol = protocol.insert(call_function(&acceptor.factory, &[])?);
        let py = attached();
        let extra = making::dict(py)?;
        let peername = &globals().names.peername;
        extra.enter(peername, &self.peer)?;
        let connection = Connection {
            event_loop: acceptor.event_loop.clone(),
            socket,
            protocol: protocol.clone(),
            waiter: None,
            extra: extra.into_any().into(),
            server: acceptor.server.clone(),
            context: acceptor
                .of_connections
                .as_ref()
                .map(|_| self.context.clone()),
            tcp: Some(acceptor.tcp),
        };
        connection.refuse_taken_descriptor()?;
        connection.open(acceptor.native()).map(drop)
    }

    /// Reports an exception of the factory or the protocol to the loop's exception handler.
    fn report(&self, exception: &Object, protocol: Option<&Object>) -> Result<()> {
        let py = attached();
        let names = &globals().names;
        let context = making::dict(py)?;
        let message = "Error on transport creation for incoming connection";
        context.enter(&names.message, message)?;
        context.enter(&names.exception, exception.bound(py))?;
        if let Some(protocol) = protocol {
            context.enter(&names.protocol, protocol.bound(py))?;
        }
        let arguments = [self.acceptor().event_loop.as_ptr(), context.as_ptr()];
        call_method(&names.call_exception_handler, &arguments).map(drop)
    }
}
