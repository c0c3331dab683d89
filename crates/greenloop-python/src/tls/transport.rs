//! `SSLTransport`: the transport that the application writes to, as a struct.
//!
//! It is a facade without state of its own but the flag that it was closed. Everything else is the
//! protocol's. The two hold each other, until `connection_lost` or a second `close` breaks the
//! cycle.

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_cpython::{
    BelowSlots, Class, Inheriting, Native, NativeSlot, Object, Raised, Result, Slot, Visited,
    Visitor, attached, making, type_error,
};
use pyo3::prelude::*;

use super::protocol::SslProtocol;

/// How many attributes asyncio's base classes keep in slots of theirs. They stay empty unless code
/// uses asyncio's descriptors.
const BASE_SLOTS: usize = 5;

/// The class.
pub static CLASS: Class<SslTransport> = Class::new();

/// An instance of the class.
pub type SslTransport = BelowSlots<Transport, BASE_SLOTS>;

/// A reference to a transport.
pub type TransportRef = Native<SslTransport>;

/// The fields of an `SSLTransport`.
pub struct Transport {
    /// The loop.
    pub event_loop: Slot,
    /// The `SSLProtocol`, until the transport is closed a second time. asyncio's transport releases
    /// it there too.
    pub protocol: NativeSlot<SslProtocol>,
    /// Set by `close` and its like, and by the end of the connection.
    pub closed: Cell<bool>,
}

// SAFETY: the loop and the protocol, a slot each.
unsafe impl Inheriting for Transport {
    fn visit(&self, visitor: &Visitor) -> Visited {
        self.event_loop.visit(visitor)?;
        self.protocol.visit(visitor)
    }

    fn clear(&self) {
        self.event_loop.clear();
        self.protocol.clear();
    }

    /// Warns of a connection that was not closed. It does not close the connection, as asyncio's
    /// finaliser does not. The flag is set first, so that it warns once.
    fn finalise(&self, _: &Object) -> Result<()> {
        if self.closed.replace(true) {
            return Ok(());
        }
        let py = attached();
        let category = py.get_type::<pyo3::exceptions::PyResourceWarning>();
        let text = c"unclosed transport <asyncio._SSLProtocolTransport object>";
        Ok(PyErr::warn(py, &category, text, 1)?)
    }
}

impl Transport {
    /// The protocol. After a second `close` there is None, which has no attribute of that name.
    /// Every method asks here first, and names the attribute that asyncio's method would look up on
    /// None.
    ///
    /// # Errors
    /// `AttributeError` in Python's own words.
    #[inline]
    pub fn protocol(&self, attribute: &CStr) -> Result<Native<SslProtocol>> {
        match self.protocol.get() {
            Some(protocol) => Ok(protocol),
            None => Err(missing(attribute)),
        }
    }
}

/// A transport of a protocol's. Only [`app_transport`](super::protocol::app_transport) calls it,
/// once for each protocol.
pub fn create(event_loop: &Object, protocol: &Native<SslProtocol>) -> Result<TransportRef> {
    CLASS.create_with(Transport {
        event_loop: Slot::holding(event_loop.clone()),
        protocol: NativeSlot::holding(protocol.clone()),
        closed: Cell::new(false),
    })
}

/// Raises the error of `None.attribute`.
#[cold]
fn missing(attribute: &CStr) -> Raised {
    match making::interned(attribute).and_then(|name| Object::none().attribute(&name)) {
        Ok(_) => type_error("a closed transport has no protocol"),
        Err(raised) => raised,
    }
}
