//! `Arrival`: an accepted connection that gets its protocol and its transport in the next turn.
//!
//! asyncio starts a task for each connection, whose first step calls the factory in the turn after
//! `accept(2)`. An arrival stands for that first step. It is a job of the loop, and an object only
//! because a program that looks at the loop's queue has to see something callable there.
//!
//! ```text
//!          1 queue                2 admit, in the next turn           3 the turn after
//!   fd ──────────────► Arrival ─────────────────────────► transport ──────────► connection_made()
//!                         │ the loop is closed              │ the factory raises
//!                         ▼                                 ▼
//!                    socket closed                     socket closed, reported in debug mode
//! ```

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
///
/// It is callable, which is how the handle that represents it admits the connection by hand.
#[pyclass(frozen, module = "greenloop._native", name = "_Arrival")]
pub struct Arrival(GilBound<Accepted>);

/// What is known of such a connection.
struct Accepted {
    /// Keeps what the connections of one server have in common alive, even if the server stops
    /// serving before the next turn.
    acceptor: Py<Acceptor>,
    /// The socket, until it has a transport: the first `admit` takes it out, so that a second call
    /// has nothing to do.
    socket: Slot,
    /// The peer's address, as `getpeername` returns it: `accept(2)` has reported it already, so
    /// that the transport asks the system no more.
    peer: Object,
    /// The context in which the factory is called: a copy of the server's from 3.15 on, else of the
    /// one in which the acceptor reacted.
    context: Object,
}

#[pymethods]
impl Arrival {
    /// Give the connection its protocol and its transport.
    ///
    /// # Errors
    /// As for `admit`.
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

/// A job runs in no particular context, so the reaction enters that of the connection. The handle
/// does so by itself, because it is made with the context.
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
    ///
    /// # Errors
    /// `RuntimeError` for any other object, which no program can cause.
    fn of<'py>(object: &Object) -> Result<&Bound<'py, Self>> {
        let arrival = object.as_py().bind(attached()).cast::<Self>();
        arrival.map_err(|_| making::runtime_error("an arrival was expected"))
    }

    /// Has a connection admitted in the next turn.
    ///
    /// The job is pushed behind all others that are ready, where asyncio puts the first step of its
    /// task. The descriptor is owned by a `socket.socket` from the first line on, so it is closed
    /// whichever allocation fails later.
    ///
    /// An address of an unusual family is asked for by the socket's own `getpeername`.
    ///
    /// # Errors
    /// A failed allocation, or the `OSError` of `getpeername`. The acceptor's reaction ends with
    /// it, and the connections that still wait are reported again by the poller.
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
            generation: 0,
        }));
        Ok(())
    }
}

impl Accepted {
    /// The fields that all connections of the server share.
    fn listening(&self) -> &Listening {
        self.acceptor.get().listening()
    }

    /// Makes the protocol and the transport. asyncio does so in a task whose exception is not
    /// reported, except in debug mode and if it ends the program.
    ///
    /// Both calls run user code, which may close the server or the loop. The arrival is done with
    /// its socket by then: it has handed it to the transport, or drops it.
    ///
    /// # Errors
    /// Only an exception that leaves the loop, which is a `SystemExit` or a `KeyboardInterrupt`.
    /// Every other one is dropped, or reported in debug mode.
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
    ///
    /// `protocol` is an output and not the result: if the transport cannot be made, the caller
    /// reports the error with the protocol that exists by then.
    ///
    /// # Errors
    /// What the factory raises; `RuntimeError` if the descriptor belongs to a transport already,
    /// which from 3.12 on asyncio checks as well; what `Connection::open` raises.
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
    ///
    /// Only debug mode reports here, as asyncio does. The entry `transport` is missing, since a
    /// transport that failed half way was never handed out.
    ///
    /// # Errors
    /// What the exception handler raises.
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
