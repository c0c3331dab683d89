//! `Arrival`: an accepted connection that gets its protocol and its transport in the next turn.

use std::os::fd::OwnedFd;

use greenloop_cpython::making::{self, Enter as _};
use greenloop_cpython::{
    GilBound, Native, Object, Result, Slot, attached, copy_context, fetch, plain_sockets,
};
use greenloop_os::address::Address;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::acceptor::{Acceptor, Listening};
use crate::asyncio::globals;
use crate::handle::{self, Handle, leaves_the_loop};
use crate::scheduler::{Job, NativeListener, Reaction, Scheduler};
use crate::sockets::address::to_python;
use crate::transports::Connection;

/// A connection without a protocol.
#[pyclass(frozen, module = "greenloop._native", name = "_Arrival")]
pub struct Arrival(GilBound<Accepted>);

/// What is known of such a connection.
struct Accepted {
    acceptor: Py<Acceptor>,
    /// The socket, until it has a transport.
    socket: Slot,
    peer: Object,
    context: Object,
}

#[pymethods]
impl Arrival {
    /// Give the connection its protocol and its transport.
    fn __call__(&self) -> PyResult<()> {
        Ok(self.0.admit()?)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        let accepted = &self.0;
        visit.call(&accepted.acceptor)?;
        for object in [&accepted.peer, &accepted.context] {
            visit.call(object.as_py())?;
        }
        match accepted.socket.get() {
            Some(socket) => visit.call(socket.as_py()),
            None => Ok(()),
        }
    }
}

static REACTION: Reaction = Reaction {
    react: |this, _| {
        let accepted = &Arrival::of(this)?.get().0;
        accepted.context.inside(|| accepted.admit())
    },
    handle: |this| {
        let accepted = &Arrival::of(this)?.get().0;
        let event_loop = &accepted.listening().event_loop;
        let context = Some(&accepted.context);
        Handle::create(&handle::CLASS, this, &[], context, event_loop, None).map(Native::into_up)
    },
    is_due: None,
};

impl Arrival {
    /// The arrival that a reaction's owner is: only this file makes such listeners.
    fn of<'py>(object: &Object) -> Result<&Bound<'py, Self>> {
        let arrival = object.as_py().bind(attached()).cast::<Self>();
        arrival.map_err(|_| making::runtime_error("an arrival was expected"))
    }

    /// Has a connection admitted in the next turn.
    pub fn queue(
        listening: &Listening,
        scheduler: &Scheduler,
        acceptor: &Object,
        descriptor: OwnedFd,
        peer: &Address,
    ) -> Result<()> {
        let py = attached();
        let socket = plain_sockets().make(listening.numbers, descriptor)?;
        let accepted = Accepted {
            acceptor: Acceptor::of(acceptor)?.clone().unbind(),
            socket: Slot::empty(),
            peer: match to_python(peer) {
                Some(peer) => peer?,
                None => socket.invoke(&globals().names.getpeername, [])?,
            },
            context: match &listening.of_connections {
                Some(context) => context.context_copied()?,
                None => copy_context()?,
            },
        };
        accepted.socket.set(socket);
        let arrival = Self(GilBound::new(accepted));
        let owner = Bound::new(py, arrival)?.into_any().into();
        scheduler.push(Job::Ready(NativeListener {
            reaction: &REACTION,
            owner,
            ticket: 0,
        }));
        Ok(())
    }
}

impl Accepted {
    fn listening(&self) -> &Listening {
        self.acceptor.get().listening()
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
        if self.listening().native().scheduler.debug() {
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
        let listening = self.listening();
        let protocol = protocol.insert(listening.factory.call([])?);
        let py = attached();
        let extra = making::dict(py)?;
        let peername = &globals().names.peername;
        extra.enter(peername, &self.peer)?;
        let connection = Connection {
            event_loop: listening.event_loop.clone(),
            socket,
            protocol: protocol.clone(),
            waiter: None,
            extra: extra.into_any().into(),
            server: listening.server.clone(),
            context: listening
                .of_connections
                .as_ref()
                .map(|_| self.context.clone()),
            tcp: Some(listening.tcp),
        };
        connection.refuse_taken_descriptor()?;
        connection.open().map(drop)
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
        let context = Object::from(context.into_any());
        let name = &names.call_exception_handler;
        let event_loop = &self.listening().event_loop;
        event_loop.invoke(name, [&context]).map(drop)
    }
}
