//! Sending: a datagram is sent at once, or asyncio's function keeps it until there is room.
//!
//! A send is native if nothing can go wrong that asyncio would word: the transport is open and
//! nothing waits, the data is a bytes-like object that is not empty, the address needs no lookup,
//! and the socket is plain. Every other call is forwarded to asyncio's `sendto` with its original
//! arguments, before anything was sent.
//!
//! A socket without room (`EAGAIN`) is such a case as well: asyncio's function tries once more,
//! fails in the same way, and appends the datagram to its buffer, whose writer then sends it.

use greenloop_cpython::{Arguments, Bytes, Dict, Object, Result, audit, clear, fetch};
use greenloop_os::socket::Family;

use super::{DatagramRef, Transport};
use crate::asyncio::globals;
use crate::event_loop::EventLoop;
use crate::sockets::address::from_python;
use crate::sockets::{plain, unless_none_yet};

/// `sendto(data, addr=None)`
///
/// # Errors
/// What asyncio's method raises for wrong arguments, and for an address other than that of a
/// connected transport. An `OSError` of the system goes to the protocol's `error_received` instead.
pub fn sendto(this: &DatagramRef, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let (data, address) = match arguments.positional() {
        [data] if arguments.has_no_keywords() => (data, None),
        [data, address] if arguments.has_no_keywords() => (data, Some(address)),
        _ => {
            let function = globals()
                .asyncio
                .datagram_transport
                .attribute(&names.sendto)?;
            return arguments.forward_to(&function, this);
        }
    };
    let address = address.filter(|address| !address.is_none());
    let transport = Transport::of(this);
    if let Some(transport) = transport {
        if let Some(sent) = send_now(&transport, data, address)? {
            return Ok(sent);
        }
    }
    let function = globals()
        .asyncio
        .datagram_transport
        .attribute(&names.sendto)?;
    arguments.forward_to(&function, this)
}

/// Sends at once: `None` if that is for asyncio to do, or to keep. The arguments are unchanged
/// then.
///
/// One `send(2)` on a connected socket, else one `sendto(2)` after the audit event `socket.sendto`
/// (PEP 578), which the socket's own method raises too. An audit hook is user code, and so is
/// `error_received`.
///
/// # Errors
/// What an audit hook or `error_received` raises.
#[inline]
fn send_now(
    transport: &Transport<'_>,
    data: &Object,
    address: Option<&Object>,
) -> Result<Option<Object>> {
    let places = transport.places;
    if !may_be_sent(data) || !transport.is_open() || something_waits(transport)? {
        return Ok(None);
    }
    let Some(socket) = transport.slot(&places.socket) else {
        return Ok(None);
    };
    let fixed = transport
        .slot(&places.address)
        .filter(|fixed| !fixed.is_none());
    let allowed = match (&fixed, address) {
        (Some(fixed), Some(address)) => address.is(fixed.as_ptr()),
        _ => true,
    };
    let (Some(plain), Some(connected), true) = (plain(&socket), is_connected(transport), allowed)
    else {
        return Ok(None);
    };
    let outcome = if connected {
        let Some(bytes) = bytes_of(data) else {
            return Ok(None);
        };
        bytes.memory().send(plain.descriptor)
    } else {
        let Some(address) = fixed.as_ref().or(address) else {
            return Ok(None);
        };
        let target = transport
            .state()
            .and_then(|state| state.get().recognise(address))
            .or_else(|| from_python(Family::of(plain.family), address));
        let (Some(target), Some(bytes)) = (target, bytes_of(data)) else {
            return Ok(None);
        };
        audit(c"socket.sendto", &socket, address)?;
        bytes.memory().send_to(plain.descriptor, &target)
    };
    match unless_none_yet(outcome) {
        Ok(Some(_)) => {
            expect_answer(transport);
            Ok(Some(Object::none()))
        }
        Ok(None) => Ok(None),
        // It is an `OSError`: nothing else comes of a system call.
        Err(raised) => {
            let error = fetch(raised);
            let protocol = transport.protocol();
            protocol.invoke(&globals().names.error_received, [&error])?;
            Ok(Some(Object::none()))
        }
    }
}

/// Has the next turn ask for input, unless that would hold up a burst.
///
/// The peer may be a socket of the same loop, and with asyncio the next turn would see its answer.
/// In the midst of a burst the next turn looks for a datagram anyway, and a poll would cost more
/// than the send.
fn expect_answer(transport: &Transport<'_>) {
    let state = transport.state();
    if state.is_some_and(|state| state.get().expectation.is_amid_a_burst()) {
        return;
    }
    let event_loop = transport.slot(&transport.places.event_loop);
    if let Some(native) = event_loop.as_ref().and_then(EventLoop::of) {
        native.expect_input();
    }
}

/// Whether asyncio would send it, and it is not empty: 3.11 drops an empty datagram, and later
/// versions send it.
fn may_be_sent(data: &Object) -> bool {
    if data.is_bytes() {
        return Bytes::of(data).is_ok_and(|bytes| !bytes.memory().is_empty());
    }
    data.is_bytes_like() && data.size().map_err(clear).is_ok_and(|size| size > 0)
}

/// The bytes of something bytes-like, without a copy. An exporter that refuses is left to asyncio,
/// whose socket raises the right exception.
fn bytes_of(data: &Object) -> Option<Bytes<'_>> {
    Bytes::of(data).map_err(|raised| drop(fetch(raised))).ok()
}

/// Whether datagrams are buffered, behind which the next one has to queue. A transport without a
/// buffer is one whose constructor has failed, and nothing is sent past it.
fn something_waits(transport: &Transport<'_>) -> Result<bool> {
    match transport.slot(&transport.places.buffer) {
        Some(buffer) => buffer.is_true(),
        None => Ok(true),
    }
}

/// Whether the socket is connected, as `get_extra_info("peername")` says; `None` if that says
/// nothing.
fn is_connected(transport: &Transport<'_>) -> Option<bool> {
    let extra = transport.slot(&transport.places.extra)?;
    let peer = Dict::exactly(&extra)?
        .get(&globals().names.peername)
        .map_err(clear)
        .ok()??;
    peer.is_true().map_err(clear).ok()
}
