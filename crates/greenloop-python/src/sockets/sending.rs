//! `sock_sendall` and `sock_sendto`.
//!
//! After each send the next turn polls, since the peer may be a socket of the same loop, and with
//! asyncio its readiness would be seen in that turn.

use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{Arguments, Bytes, Object, Result, audit, fetch};
use greenloop_os::socket::Family;

use super::address::from_python;
use super::exchange::{Exchange, Request, call, call_with_pair, pair_in};
use super::receiving::unless_none_yet;
use crate::asyncio::globals;
use crate::event_loop::{LoopRef, Side};

/// `sock_sendall`: returns None when the kernel has taken the last byte, which is not when the peer
/// has it.
struct SendAll;

impl Exchange for SendAll {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_sendall";
    const SIDE: Side = Side::Writer;
    const METHODS: (&'static str, &'static str) = ("sock_sendall", "_sock_sendall");

    /// While it waits, a memoryview of the rest replaces the data, which keeps their memory in
    /// place. So the caller may change the data of a `bytearray` during the wait, with asyncio's
    /// effect, but not its size.
    ///
    /// One `send(2)` for each attempt, which takes as much as fits into the socket's buffer.
    ///
    /// # Errors
    /// The `OSError` of `send(2)`. How much was sent before is not known to the caller then, as
    /// with asyncio.
    #[inline]
    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let data = request.given();
        let (sent, all) = match Bytes::of(&data) {
            Ok(bytes) => {
                let memory = bytes.memory();
                let outcome = memory.send(request.plain.descriptor);
                request.event_loop.expect_input();
                (unless_none_yet(outcome)?.unwrap_or(0), memory.len())
            }
            Err(raised) => {
                drop(fetch(raised));
                return send_by_name(request, &data);
            }
        };
        if sent == all {
            return Ok(Some(Object::none()));
        }
        request.this.get().kept().set(rest(&data, sent)?);
        Ok(None)
    }
}

/// The socket's own method refuses an object without bytes. It raises `TypeError` in its own words.
#[cold]
fn send_by_name(request: &Request<'_>, data: &Object) -> Result<Option<Object>> {
    let sent = request.by_name(&globals().names.send, &[data])?;
    Ok(sent.map(|_| Object::none()))
}

/// `memoryview(data).cast("B")[sent:]`
///
/// An exchange that waits a second time slices a memoryview of the first one, which copies nothing
/// either.
#[cold]
fn rest(data: &Object, sent: usize) -> Result<Object> {
    let view = data
        .memory_view()?
        .invoke(&globals().names.cast, [&making::text("B")?])?;
    view.slice(sent, view.size()?)
}

/// `sock_sendto`: returns the number of bytes. A datagram is sent whole or not at all (`udp(7)`).
struct SendTo;

impl Exchange for SendTo {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_sendto";
    const SIDE: Side = Side::Writer;
    const METHODS: (&'static str, &'static str) = ("sock_sendto", "_sock_sendto");
    const COUNT: usize = 2;

    /// An address that needs a lookup, or of a family that is not known here, goes to the socket's
    /// own `sendto`, which looks names up and blocks the loop for it, as asyncio's does. The audit
    /// event `socket.sendto` (PEP 578) precedes each attempt.
    ///
    /// # Errors
    /// What an audit hook raises, and the `OSError` of `sendto(2)`, for instance `EMSGSIZE`.
    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let given = request.given();
        let [data, address] = pair_in(&given)?;
        let by_name = || request.by_name(&globals().names.sendto, &[data, address]);
        let family = Family::of(request.plain.family);
        let Some(target) = from_python(family, address) else {
            return by_name();
        };
        audit(c"socket.sendto", &request.socket, address)?;
        let outcome = match Bytes::of(data) {
            Ok(bytes) => bytes.memory().send_to(request.plain.descriptor, &target),
            Err(raised) => {
                drop(fetch(raised));
                return by_name();
            }
        };
        request.event_loop.expect_input();
        let Some(count) = unless_none_yet(outcome)? else {
            return Ok(None);
        };
        count.into_object().map(Some)
    }
}

/// `loop.sock_sendall(sock, data)`
pub fn sock_sendall(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    call::<SendAll>(this, arguments, &globals().names.data)
}

/// `loop.sock_sendto(sock, data, address)`
pub fn sock_sendto(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    call_with_pair::<SendTo>(this, arguments, [&names.data, &names.address], None)
}
