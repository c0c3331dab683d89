//! `Acceptor`: a listening socket, and the handling of its new connections.

use std::ffi::c_int;
use std::io::ErrorKind;
use std::os::fd::RawFd;

use greenloop_cpython::{Object, Raised, Result, attached, call_method, copy_context};
use greenloop_os::listener;
use greenloop_os::socket::is_tcp;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::arrival::Arrival;
use crate::asyncio::globals;
use crate::event_loop::{EventLoop, Side};
use crate::handle::Handle;
use crate::scheduler::{NativeListener, Reaction};
use crate::transports::{descriptor_of_plain, is_plain, socket_numbers};

/// A listening socket that the loop watches.
#[pyclass(frozen, module = "greenloop._native", name = "_Acceptor")]
pub struct Acceptor {
    pub event_loop: Object,
    pub factory: Object,
    pub server: Option<Object>,
    /// The context in which `start_serving` was called.
    context: Object,
    /// The context of which each connection has a copy, where the server has one (3.15).
    pub of_connections: Option<Object>,
    /// The listening socket. Its descriptor is read from it each time, since it knows when it was
    /// closed: a kept number might mean another file by then.
    socket: Object,
    /// The arguments of asyncio's `_accept_connection`.
    arguments: Object,
    /// Its descriptor when it began, by which it is watched.
    number: RawFd,
    /// How many connections are taken in one turn at most.
    backlog: usize,
    pub family: c_int,
    pub kind: c_int,
    pub protocol: c_int,
    /// Whether its connections are TCP's.
    pub tcp: bool,
}

// SAFETY: touched with the GIL held only, as everything of this crate.
unsafe impl Send for Acceptor {}
// SAFETY: as above.
unsafe impl Sync for Acceptor {}

#[pymethods]
impl Acceptor {
    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        let held = [
            &self.event_loop,
            &self.factory,
            &self.context,
            &self.socket,
            &self.arguments,
        ];
        let optional = self.server.iter().chain(&self.of_connections);
        for object in held.into_iter().chain(optional) {
            visit.call(object.as_py())?;
        }
        Ok(())
    }
}

static REACTION: Reaction = Reaction {
    react: |this, _| Acceptor::of(this).react(this),
    handle: |this| Acceptor::of(this).handle(),
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
        let Some(acceptor) = Acceptor::new(slf, arguments, context)? else {
            return Ok(false);
        };
        let number = acceptor.number;
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
    /// The struct behind an `Acceptor`.
    fn of(object: &Object) -> &Self {
        // SAFETY: the GIL is held, and the callers pass owners of this file's own listeners.
        unsafe {
            let py = attached();
            object.as_py().bind(py).cast_unchecked::<Self>().get()
        }
    }

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
        let [family, kind, protocol] = socket_numbers(&socket)?;
        let number = descriptor_of_plain(&socket);
        let Ok(backlog) = arguments.get_item(4)?.extract::<usize>() else {
            return Ok(None);
        };
        if number < 0 || !listener::is_known(family) {
            return Ok(None);
        }
        let context = copy_context()?;
        let server = Object::from(arguments.get_item(3)?);
        Ok(Some(Self {
            event_loop: event_loop.clone().into_any().into(),
            factory: arguments.get_item(0)?.into(),
            server: (!server.is_none()).then_some(server),
            context,
            of_connections,
            socket,
            arguments: arguments.clone().into_any().into(),
            number,
            backlog,
            family,
            kind,
            protocol,
            tcp: is_tcp(family, kind, protocol),
        }))
    }

    /// The loop's native part.
    pub fn native(&self) -> &EventLoop {
        // SAFETY: the GIL is held, and `new` was given a loop of ours.
        unsafe {
            let py = attached();
            let event_loop = self.event_loop.as_py().bind(py);
            event_loop.cast_unchecked::<EventLoop>().get()
        }
    }

    /// The listening socket is readable, or was when this was queued.
    fn react(&self, this: &Object) -> Result<()> {
        let native = self.native();
        if !native.is_listening(self.number, Side::Reader, this) {
            return Ok(());
        }
        // SAFETY: the context is valid; Enter and Exit are paired.
        unsafe {
            if ffi::PyContext_Enter(self.context.as_ptr()) < 0 {
                return Err(Raised);
            }
            let outcome = if native.accepts_natively() {
                self.accept_all(native, this)
            } else {
                self.accept_by_name()
            };
            if ffi::PyContext_Exit(self.context.as_ptr()) < 0 {
                return Err(Raised);
            }
            outcome
        }
    }

    /// Accepts the waiting connections, as many as the backlog allows. As in asyncio, from 3.14 on
    /// it accepts one more, since one may wait even with a backlog of zero.
    fn accept_all(&self, native: &EventLoop, this: &Object) -> Result<()> {
        let most = self.backlog.saturating_add(usize::from(cfg!(Py_3_14)));
        for _ in 0..most {
            match listener::accept(descriptor_of_plain(&self.socket)) {
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
        let mut all = vec![self.event_loop.as_ptr()];
        // SAFETY: `arguments` is a tuple, which keeps what it holds valid.
        unsafe {
            for index in 0..ffi::PyTuple_GET_SIZE(self.arguments.as_ptr()) {
                all.push(ffi::PyTuple_GET_ITEM(self.arguments.as_ptr(), index));
            }
        }
        call_method(&globals().names.accept_connection, &all).map(drop)
    }

    /// A handle that represents the reaction to a new connection, for messages.
    fn handle(&self) -> Result<Object> {
        let py = attached();
        let names = &globals().names;
        let callback = self.event_loop.attribute(&names.accept_connection)?;
        let arguments: Vec<Bound<'_, PyAny>> = self.arguments.bound(py).extract()?;
        let arguments: Vec<Object> = arguments.into_iter().map(Object::from).collect();
        let class = globals().classes.handle.as_ptr();
        let context = Some(&self.context);
        Handle::create(
            class,
            &callback,
            &arguments,
            context,
            &self.event_loop,
            None,
        )
    }
}

/// Whether an error of `accept` only means that no connection waits, or no longer.
const fn ends_quietly(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
    )
}
