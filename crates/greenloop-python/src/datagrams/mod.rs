//! The native half of `greenloop.datagrams.DatagramTransport`: receiving and sending.
//!
//! The class derives from asyncio's own datagram transport and is written in Python. asyncio's
//! functions handle the events that happen once in a transport's life, its properties, and
//! datagrams that wait for room. The work for each datagram is done here. The attributes that it
//! uses are slots of the class, so native code finds them at fixed places and Python sees them as
//! usual.
//!
//! Every special case (a socket of another class, an address that has to be resolved, a transport
//! that is closing) is left to the function of asyncio's class.

mod receiving;
mod sending;
mod state;

use std::sync::OnceLock;

use greenloop_cpython::making;
use greenloop_cpython::{Member, Native, Object, Result, Slotted, SlottedClass, fast, noargs};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::asyncio::globals;
use crate::event_loop::EventLoop;
use crate::sockets::plain;

use state::State;

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    state::make_class()
}

/// The key of the class of datagram transports.
enum Datagrams {}

/// A reference to a datagram transport.
type DatagramRef = Native<Slotted<Datagrams>>;

// SAFETY: the only place for the key.
static CLASS: SlottedClass<Datagrams> = unsafe { SlottedClass::new() };

/// The places of the attributes in an instance.
struct Places {
    address: Member<Datagrams>,
    buffer: Member<Datagrams>,
    conn_lost: Member<Datagrams>,
    event_loop: Member<Datagrams>,
    extra: Member<Datagrams>,
    max_size: Member<Datagrams>,
    protocol: Member<Datagrams>,
    socket: Member<Datagrams>,
    state: Member<Datagrams>,
}

static PLACES: OnceLock<Places> = OnceLock::new();

/// A `DatagramTransport` that a method was called on.
#[derive(Clone, Copy)]
struct Transport<'a> {
    this: &'a DatagramRef,
    places: &'static Places,
}

impl<'a> Transport<'a> {
    /// The receiver of a method that was installed in the class.
    fn of(this: &'a DatagramRef) -> Option<Self> {
        let places = PLACES.get()?;
        Some(Self { this, places })
    }

    /// The owner of a listener.
    fn of_owner(owner: &'a Object) -> Option<Self> {
        CLASS.instance(owner).and_then(Self::of)
    }

    /// The value of a slot, if it has one.
    #[inline]
    fn slot(&self, place: &Member<Datagrams>) -> Option<Object> {
        place.of(self.this)
    }

    /// Whether nothing is wrong and nothing has ended: `_conn_lost` is zero.
    #[inline]
    fn is_open(&self) -> bool {
        let count = self.slot(&self.places.conn_lost);
        count.is_some_and(|count| count.exact_int() == Some(0))
    }

    /// The native state.
    #[inline]
    fn state(&self) -> Option<Native<State>> {
        state::CLASS.claim(self.slot(&self.places.state)?).ok()
    }

    /// `super().name(*arguments)`: asyncio's own method.
    fn leave_to_asyncio(&self, name: &Object, arguments: &[&Object]) -> Result<Object> {
        let function = globals().asyncio.datagram_transport.attribute(name)?;
        let this: &Object = self.this;
        let all: Vec<_> = [this].iter().chain(arguments).copied().collect();
        function.call_with(&all)
    }

    /// `self._protocol`
    fn protocol(&self) -> Object {
        self.slot(&self.places.protocol)
            .unwrap_or_else(Object::none)
    }
}

/// Finish the class of datagram transports, whose attributes are slots: put the native methods into
/// it.
#[pyfunction]
#[pyo3(signature = (class, /), text_signature = "(class_, /)")]
pub fn finish_datagram_transport(class: &Bound<'_, PyType>) -> PyResult<()> {
    // A second class would have other places.
    if !CLASS.adopt(class) {
        let text = "there is a class of datagram transports already";
        return Err(making::runtime_error(text).into());
    }
    let places = Places {
        address: CLASS.member("_address")?,
        buffer: CLASS.member("_buffer")?,
        conn_lost: CLASS.member("_conn_lost")?,
        event_loop: CLASS.member("_loop")?,
        extra: CLASS.member("_extra")?,
        max_size: CLASS.member("max_size")?,
        protocol: CLASS.member("_protocol")?,
        socket: CLASS.member("_sock")?,
        state: CLASS.member("_receiving")?,
    };
    let _ = PLACES.set(places);
    let methods = [
        fast(
            c"sendto",
            sending::sendto,
            c"sendto($self, data, addr=None)\n--\n\n\
              Send a datagram without blocking; buffer it if the system has no room for it.",
        ),
        noargs(
            c"_read_ready",
            receiving::read_ready_method,
            c"Receive datagrams; called when the socket is readable.",
        ),
        fast(
            c"_listen",
            receiving::listen,
            c"_listen($self, fd)\n--\n\nStart receiving: watch the descriptor fd for readability.",
        ),
    ];
    Ok(CLASS.put_methods(methods)?)
}

#[pymethods]
impl EventLoop {
    /// Return whether a socket can have a native datagram transport: asyncio's own is for sockets
    /// of a class that may do something else, and for a loop whose watching of descriptors is
    /// watched.
    fn _carries_datagrams(&self, sock: Bound<'_, PyAny>) -> bool {
        !self.shows_readiness() && plain(&Object::from(sock)).is_some()
    }

    /// Return the native state of a datagram transport.
    #[staticmethod]
    fn _datagram_state(py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(state::CLASS.create()?.bound(py).unbind())
    }
}
