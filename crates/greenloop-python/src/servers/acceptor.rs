//! `Acceptor`: a listening socket, and the handling of its new connections.

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
#[pyclass(frozen, module = "greenloop._native", name = "_Acceptor")]
pub struct Acceptor(GilBound<Listening>);

/// What the acceptor of a listening socket knows.
pub struct Listening {
    /// The loop.
    pub event_loop: LoopRef,
    /// Makes the protocol of a connection.
    pub factory: Object,
    /// The server that the connections belong to, if there is one.
    pub server: Option<Object>,
    /// The context in which `start_serving` was called.
    context: Object,
    /// The context of which each connection has a copy, where the server has one (3.15).
    pub of_connections: Option<Object>,
    /// The listening socket. Its descriptor is read from it each time, since it knows when it was
    /// closed: a kept number might mean another file by then.
    socket: Socket,
    /// The arguments of asyncio's `_accept_connection`.
    arguments: Vec<Object>,
    /// Its descriptor when it began, by which it is watched.
    number: RawFd,
    /// How many connections are taken in one turn at most.
    backlog: usize,
    /// The family, the kind and the protocol of its connections.
    pub numbers: [i32; 3],
    /// Whether its connections are TCP's.
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
            ticket: 0,
        };
        native.listen(number, Side::Reader, listener)?;
        Ok(true)
    }
}

impl Acceptor {
    /// The acceptor that a reaction's owner is: only this file makes such listeners.
    pub fn of<'py>(object: &Object) -> Result<&Bound<'py, Self>> {
        let acceptor = object.as_py().bind(attached()).cast::<Self>();
        acceptor.map_err(|_| making::runtime_error("an acceptor was expected"))
    }

    /// What it knows of its connections.
    pub fn listening(&self) -> &Listening {
        &self.0
    }
}

impl Listening {
    /// An acceptor for the arguments of `_accept_connection`, or `None` if the socket or a hook
    /// needs asyncio's own.
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

    /// Accepts the waiting connections, as many as the backlog allows, and one more if the
    /// running asyncio does.
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
    fn accept_by_name(&self) -> Result<()> {
        let arguments: Vec<_> = self.arguments.iter().collect();
        let name = &globals().names.accept_connection;
        self.event_loop.invoke_with(name, &arguments).map(drop)
    }

    /// A handle that represents the reaction to a new connection, for messages.
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
const fn ends_quietly(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
    )
}
