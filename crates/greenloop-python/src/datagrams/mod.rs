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
//!
//! ```text
//!           1 _listen(fd)        2 the descriptor is readable, or a look is due    3 close, abort
//!   opened ─────────────► listening ──┐                        ┌── listening ────────────► closed
//!                             ▲       └── datagram_received() ─┘
//! ```
//! The transitions belong to asyncio's class. It calls `_add_reader` right behind
//! `connection_made`, which is transition 1 here, and its `close` removes the reader, after which a
//! job that is still queued finds that the loop no longer listens for the transport.

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
///
/// Each is a slot of the Python class or of one of asyncio's base classes, found once by
/// `finish_datagram_transport`. Reading one is a load at a fixed offset, where an attribute would
/// be a look-up in the class.
struct Places {
    /// `_address`: the peer to which a transport was bound by `remote_addr`, or None.
    address: Member<Datagrams>,
    /// `_buffer`: asyncio's deque of the datagrams that wait for room.
    buffer: Member<Datagrams>,
    /// `_conn_lost`: zero until the transport begins to end.
    conn_lost: Member<Datagrams>,
    /// `_loop`, which `connection_lost` sets to None.
    event_loop: Member<Datagrams>,
    /// `_extra`: the dict of `get_extra_info`.
    extra: Member<Datagrams>,
    /// `max_size`: the most bytes of one datagram. A program may change it at any time.
    max_size: Member<Datagrams>,
    protocol: Member<Datagrams>,
    socket: Member<Datagrams>,
    /// `_receiving`: the [`State`] that native code keeps for itself.
    state: Member<Datagrams>,
}

/// Set once, before the first instance exists: a module makes the class and finishes it in its next
/// line.
static PLACES: OnceLock<Places> = OnceLock::new();

/// A `DatagramTransport` that a method was called on.
#[derive(Clone, Copy)]
struct Transport<'a> {
    this: &'a DatagramRef,
    places: &'static Places,
}

impl<'a> Transport<'a> {
    /// The receiver of a method that was installed in the class.
    ///
    /// `None` as long as the class is not finished, in which case the caller does nothing or asks
    /// asyncio.
    fn of(this: &'a DatagramRef) -> Option<Self> {
        let places = PLACES.get()?;
        Some(Self { this, places })
    }

    /// The owner of a listener.
    ///
    /// `None` for any other object. A subclass of the transport is one too, since its slots are at
    /// the same places.
    fn of_owner(owner: &'a Object) -> Option<Self> {
        CLASS.instance(owner).and_then(Self::of)
    }

    /// The value of a slot, if it has one.
    #[inline]
    fn slot(&self, place: &Member<Datagrams>) -> Option<Object> {
        place.of(self.this)
    }

    /// Whether nothing is wrong and nothing has ended: `_conn_lost` is zero.
    ///
    /// asyncio counts there how often `connection_lost` was scheduled and how many sends were lost
    /// since.
    #[inline]
    fn is_open(&self) -> bool {
        let count = self.slot(&self.places.conn_lost);
        count.is_some_and(|count| count.exact_int() == Some(0))
    }

    /// The native state.
    ///
    /// `None` for a transport whose constructor has not come that far.
    #[inline]
    fn state(&self) -> Option<Native<State>> {
        state::CLASS.claim(self.slot(&self.places.state)?).ok()
    }

    /// `super().name(*arguments)`: asyncio's own method.
    ///
    /// # Errors
    /// What the method raises.
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
///
/// # Errors
/// `RuntimeError` if a class was finished before, another error if the class lacks one of the
/// slots.
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
    ///
    /// Each transport needs one of its own, before asyncio's constructor runs: that may start to
    /// listen.
    #[staticmethod]
    fn _datagram_state(py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(state::CLASS.create()?.bound(py).unbind())
    }
}
