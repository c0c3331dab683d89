//! `Acceptor`: a listening socket, and the handling of its new connections.
//!
//! An acceptor is made by `_start_serving`, and lives as long as its registration:
//!
//! ```text
//!             1 _accept_natively      2 the socket is readable       3 _stop_serving, close
//!   nothing ────────────────────► listening ──┐              ┌── listening ────────────► dropped
//!                                     ▲       └──────────────┘
//! ```
//! Whether a connection is taken natively is asked at each event and not once: a program may turn
//! on debug mode or replace a method while it serves. In that case the event calls
//! `_accept_connection` by its name, with the arguments that `_start_serving` was given.

use std::io::ErrorKind;
use std::os::fd::RawFd;

use greenloop_cpython::{GilBound, Object, Result, Socket, attached, copy_context};
use greenloop_cpython::{Native, making};
use greenloop_os::listener;
use greenloop_os::socket::is_tcp;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::arrival::Arrival;
use crate::asyncio::edition::SERVERS_ACCEPT_ONE_MORE;
use crate::asyncio::globals;
use crate::event_loop::{EventLoop, LoopRef, Side};
use crate::handle::{self, Handle};
use crate::scheduler::{HandleKind, NativeListener, Reaction};
use crate::transports::is_plain;

/// A listening socket that the loop watches.
///
/// Python never sees more of it than the private name: it has no methods, and only the garbage
/// collector looks inside.
#[pyclass(frozen, module = "greenloop._native", name = "_Acceptor")]
pub struct Acceptor(GilBound<Listening>);

/// What the acceptor of a listening socket knows.
pub struct Listening {
    /// The loop.
    ///
    /// Held strongly, and the loop holds the acceptor: `__traverse__` shows the cycle to the
    /// collector.
    pub event_loop: LoopRef,
    /// Makes the protocol of a connection.
    ///
    /// Called without arguments, once for each connection, in the turn after the one that accepted
    /// it.
    pub factory: Object,
    /// The server that the connections belong to, if there is one. It is given to the transport,
    /// which tells it when the connection begins and when it ends.
    pub server: Option<Object>,
    /// The context in which `start_serving` was called.
    ///
    /// It is the copy that asyncio's `add_reader` makes for its handle. A native listener has no
    /// handle, so the acceptor enters the context itself.
    context: Object,
    /// The context of which each connection has a copy, where the server has one (3.15).
    ///
    /// `None` makes each connection inherit a copy of the context of the acceptor instead.
    pub of_connections: Option<Object>,
    /// The listening socket. Its descriptor is read from it each time, since it knows when it was
    /// closed: a kept number might mean another file by then.
    socket: Socket,
    /// The arguments of asyncio's `_accept_connection`.
    ///
    /// They are kept whole for the calls that go back to asyncio: timeouts and what later versions
    /// add are among them, and native code looks only at the factory, the socket, the server and
    /// the backlog.
    arguments: Vec<Object>,
    /// Its descriptor when it began, by which it is watched.
    ///
    /// A comparison with the table of watches needs the number under which it was registered, even
    /// after the socket was closed.
    number: RawFd,
    /// How many connections are taken in one turn at most.
    ///
    /// It is the fifth argument of `_accept_connection`, which is also what `listen(2)` was given.
    backlog: usize,
    /// The family, the kind and the protocol of its connections.
    ///
    /// An accepted socket has those of the listening one, so that no `getsockopt(2)` is needed to
    /// make its Python object.
    pub numbers: [i32; 3],
    /// Whether its connections are TCP's.
    ///
    /// It decides whether Nagle's algorithm is turned off and whether writes may be joined.
    pub tcp: bool,
}

#[pymethods]
impl Acceptor {
    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        let listening = &self.0;
        let held = [
            &*listening.event_loop,
            &listening.factory,
            &listening.context,
            &listening.socket,
        ];
        let optional = listening.server.iter().chain(&listening.of_connections);
        for object in held.into_iter().chain(&listening.arguments).chain(optional) {
            visit.call(object.as_py())?;
        }
        Ok(())
    }
}

/// The loop holds an acceptor without knowing its class; these functions get it back from the
/// owner. The generation is unused, since an acceptor is registered once: `is_listening` tells
/// whether it still is.
static REACTION: Reaction = Reaction {
    react: |this, _| Acceptor::of(this)?.get().0.react(this),
    handle: |this| Acceptor::of(this)?.get().0.handle(),
    is_due: None,
};

#[pymethods]
impl EventLoop {
    /// Watch a listening socket and take its connections natively. `arguments` are those of
    /// asyncio's `_accept_connection`; of `context` each connection gets a copy, unless it is None.
    /// Return False, having done nothing, if asyncio has to do it.
    ///
    /// It is asyncio's own work if the socket is of another class than `socket.socket`, is closed,
    /// has a family whose addresses are not known here, if the backlog is no number of connections,
    /// or if the program has replaced a method that sees how descriptors are watched.
    ///
    /// # Errors
    /// `RuntimeError` if the loop is closed, `OSError` if the poller refuses the descriptor.
    #[pyo3(signature = (arguments, context))]
    fn _accept_natively(
        slf: &Bound<'_, Self>,
        arguments: &Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let native = slf.get();
        let context = context.map(Object::from);
        let Some(listening) = Listening::new(slf, arguments, context)? else {
            return Ok(false);
        };
        let number = listening.number;
        let acceptor = Acceptor(GilBound::new(listening));
        let owner = Bound::new(slf.py(), acceptor)?.into_any().into();
        let listener = NativeListener {
            reaction: &REACTION,
            owner,
            generation: 0,
        };
        native.listen(number, Side::Reader, listener)?;
        Ok(true)
    }
}

impl Acceptor {
    /// The acceptor that a reaction's owner is: only this file makes such listeners.
    ///
    /// # Errors
    /// `RuntimeError` for any other object, which no program can cause.
    pub fn of<'py>(object: &Object) -> Result<&Bound<'py, Self>> {
        let acceptor = object.as_py().bind(attached()).cast::<Self>();
        acceptor.map_err(|_| making::runtime_error("an acceptor was expected"))
    }

    /// What it knows of its connections.
    ///
    /// It is shared by reference: an `Arrival` reads the factory, the server and the numbers from
    /// here a turn later, so they are not copied for each connection.
    pub fn listening(&self) -> &Listening {
        &self.0
    }
}

impl Listening {
    /// An acceptor for the arguments of `_accept_connection`, or `None` if the socket or a hook
    /// needs asyncio's own.
    ///
    /// The context is copied here, in the caller's turn, as `add_reader` does. Of the socket's
    /// methods only `fileno` is called, and its answer has to be the descriptor in the object.
    fn new(
        event_loop: &Bound<'_, EventLoop>,
        arguments: &Bound<'_, PyTuple>,
        of_connections: Option<Object>,
    ) -> PyResult<Option<Self>> {
        let socket = Object::from(arguments.get_item(1)?);
        if event_loop.get().shows_readiness() || !is_plain(&socket)? {
            return Ok(None);
        }
        let Some(socket) = Socket::exactly(&socket) else {
            return Ok(None);
        };
        let numbers = socket.get().numbers();
        let [family, kind, protocol] = numbers;
        let number = socket.get().descriptor();
        let Ok(backlog) = arguments.get_item(4)?.extract::<usize>() else {
            return Ok(None);
        };
        if number < 0 || !listener::is_known(family) {
            return Ok(None);
        }
        let context = copy_context()?;
        let server = Object::from(arguments.get_item(3)?);
        Ok(Some(Self {
            event_loop: EventLoop::reference_to(event_loop),
            factory: arguments.get_item(0)?.into(),
            server: (!server.is_none()).then_some(server),
            context,
            of_connections,
            socket: socket.clone(),
            arguments: arguments.iter().map(Object::from).collect(),
            number,
            backlog,
            numbers,
            tcp: is_tcp(family, kind, protocol),
        }))
    }

    /// The loop's native part.
    pub fn native(&self) -> &EventLoop {
        EventLoop::native_part(&self.event_loop)
    }

    /// The listening socket is readable, or was when this was queued.
    ///
    /// The job may be older than the registration: another callback of the same turn may have
    /// stopped serving, or another listener may have taken the descriptor. Both are seen by
    /// `is_listening`, and nothing is accepted then.
    ///
    /// # Errors
    /// What `_accept_connection` raises if it is called by name, or a failed allocation. The turn
    /// hands it to the loop's exception handler.
    fn react(&self, this: &Object) -> Result<()> {
        let native = self.native();
        if !native.is_listening(self.number, Side::Reader, this) {
            return Ok(());
        }
        self.context.inside(|| {
            if native.accepts_natively() {
                self.accept_all(native, this)
            } else {
                self.accept_by_name()
            }
        })
    }

    /// Accepts the waiting connections, as many as the backlog allows. As in asyncio, from 3.14 on
    /// it accepts one more, since one may wait even with a backlog of zero.
    ///
    /// Each pass costs one `accept(2)` and the objects of an arrival. The last pass usually finds
    /// nothing, which costs one more call, unless the backlog ends the loop first.
    ///
    /// User code does not run in between. Factories are called in the next turn, so a factory that
    /// closes the server does not stop the connections that were accepted with its own.
    fn accept_all(&self, native: &EventLoop, this: &Object) -> Result<()> {
        let most = self
            .backlog
            .saturating_add(usize::from(SERVERS_ACCEPT_ONE_MORE));
        for _ in 0..most {
            match listener::accept(self.socket.get().descriptor()) {
                Ok((descriptor, peer)) => {
                    Arrival::queue(self, &native.scheduler, this, descriptor, &peer)?;
                }
                Err(error) if ends_quietly(error.kind()) => return Ok(()),
                // It gets the error too, and handles it.
                Err(_) => return self.accept_by_name(),
            }
        }
        Ok(())
    }

    /// `loop._accept_connection(…)`, which is asyncio's unless it was replaced.
    ///
    /// asyncio's function handles the errors that end accepting for a while: without descriptors or
    /// memory (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`) it reports the error, stops watching, and
    /// starts to serve again after a second.
    fn accept_by_name(&self) -> Result<()> {
        let arguments: Vec<_> = self.arguments.iter().collect();
        let name = &globals().names.accept_connection;
        self.event_loop.invoke_with(name, &arguments).map(drop)
    }

    /// A handle that represents the reaction to a new connection, for messages.
    ///
    /// It shows the callback and the arguments that asyncio's own handle would have, so that a
    /// program which reads the loop's queue finds what it expects.
    fn handle(&self) -> Result<Native<HandleKind>> {
        let names = &globals().names;
        let callback = self.event_loop.attribute(&names.accept_connection)?;
        let context = Some(&self.context);
        Handle::create(
            &handle::CLASS,
            &callback,
            &self.arguments,
            context,
            &self.event_loop,
            None,
        )
        .map(Native::into_up)
    }
}

/// Whether an error of `accept` only means that no connection waits, or no longer.
///
/// `accept(2)` names the third: the peer has gone between its handshake and this call.
const fn ends_quietly(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
    )
}
