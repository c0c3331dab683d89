//! `sock_recv`, `sock_recv_into`, `sock_recvfrom` and `sock_recvfrom_into`.
//!
//! Small amounts are received into the loop's buffer and copied: an attempt that finds nothing then
//! costs no allocation. If the last amount was large, the next is received into the bytes object
//! itself, as the socket's own method does.

use std::io::{self, ErrorKind};

use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{Arguments, BlankBytes, Buffer, Object, Result, fetch};
use greenloop_os::{datagram, socket};

use super::address::to_python;
use super::exchange::{Exchange, Request, call, call_with_pair, pair, pair_in};
use crate::asyncio::globals;
use crate::event_loop::{LoopRef, Side, os_error};

/// From how many bytes on a copy costs more than it saves.
const MUCH: usize = 16 * 1024;
/// The most that is received into the loop's buffer, which it keeps.
const MOST_COPIED: usize = 256 * 1024;

/// Tells "nothing yet" from other errors, which become exceptions.
///
/// # Errors
/// The `OSError` of the class that belongs to the number, such as `ConnectionResetError`.
pub fn unless_none_yet<T>(outcome: io::Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(os_error(&error)),
    }
}

/// A size that was given as an int, if it can be one. A negative number, an int of a subclass and
/// an object with `__index__` are left to the socket's method, which has the right exception or the
/// right answer.
fn size(given: &Object) -> Option<usize> {
    given
        .exact_int()
        .and_then(|size| usize::try_from(size).ok())
}

/// `sock_recv`: an empty `bytes` is the end of the stream (`recv(2)`).
struct Receive;

impl Exchange for Receive {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_recv";
    const SIDE: Side = Side::Reader;
    const METHODS: (&'static str, &'static str) = ("sock_recv", "_sock_recv");
    const RECEIVES: bool = true;

    /// One `recv(2)`. The choice follows the last amount on the whole loop, not on this socket: a
    /// hint is enough, since both ways are right.
    #[inline]
    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let given = request.given();
        match size(&given) {
            // No system call is needed then, and there may be no memory for a huge object.
            None | Some(0) => request.by_name(&globals().names.recv, &[&given]),
            Some(size) => {
                let last = request.event_loop.received_last.get();
                if size <= MUCH || (size <= MOST_COPIED && last < MUCH) {
                    receive_and_copy(request, size)
                } else {
                    receive_in_place(request, size)
                }
            }
        }
    }
}

/// Receives into the loop's buffer and copies, which costs less than cutting a new object to size
/// while the amounts are small. The buffer belongs to the loop, and no Python code runs while it is
/// in use.
#[inline]
fn receive_and_copy(request: &Request<'_>, size: usize) -> Result<Option<Object>> {
    let outcome = request.event_loop.receive(size, |buffer| {
        let received = socket::receive(request.plain.descriptor, buffer)?;
        request.event_loop.received_last.set(received.len());
        Ok(making::bytes(received))
    });
    unless_none_yet(outcome)?.transpose()
}

/// Receives into a new bytes object and cuts it to size, so that large amounts are not copied.
///
/// # Errors
/// `MemoryError` for a size that cannot be had, as the socket's own method raises it.
fn receive_in_place(request: &Request<'_>, size: usize) -> Result<Option<Object>> {
    let mut bytes = BlankBytes::new(size)?;
    let descriptor = request.plain.descriptor;
    let outcome = bytes.fill(size, |memory| socket::receive(descriptor, memory));
    let Some(count) = unless_none_yet(outcome)? else {
        return Ok(None);
    };
    request.event_loop.received_last.set(count);
    bytes.cut().map(Some)
}

/// `sock_recv_into`: the number of bytes, zero at the end of the stream or for an empty buffer.
struct ReceiveInto;

impl Exchange for ReceiveInto {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_recv_into";
    const SIDE: Side = Side::Reader;
    const METHODS: (&'static str, &'static str) = ("sock_recv_into", "_sock_recv_into");
    const RECEIVES: bool = true;

    /// The buffer is taken anew for each attempt and released before the wait, as the socket's own
    /// method does. So a `bytearray` may be resized while the task waits.
    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let buffer = request.given();
        let outcome = Buffer::writable(&buffer).map(|mut memory| {
            if memory.is_empty() {
                // The socket's own method asks the system for nothing then.
                return Ok(0);
            }
            memory.receive(request.plain.descriptor)
        });
        match outcome {
            Ok(outcome) => unless_none_yet(outcome)?.map(number).transpose(),
            Err(raised) => {
                drop(fetch(raised));
                request.by_name(&globals().names.recv_into, &[&buffer])
            }
        }
    }
}

/// A count of bytes as an int.
fn number(count: usize) -> Result<Object> {
    count.into_object()
}

/// `sock_recvfrom`: the pair of a datagram's bytes and its sender. Bytes beyond the size are lost,
/// as `recvfrom(2)` says.
struct ReceiveFrom;

impl Exchange for ReceiveFrom {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_recvfrom";
    const SIDE: Side = Side::Reader;
    const METHODS: (&'static str, &'static str) = ("sock_recvfrom", "_sock_recvfrom");
    const RECEIVES: bool = true;

    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let given = request.given();
        let by_name = || request.by_name(&globals().names.recvfrom, &[&given]);
        let Some(size) = size(&given).filter(|size| (1..=MOST_COPIED).contains(size)) else {
            return by_name();
        };
        if has_other_addresses(request) {
            return by_name();
        }
        let outcome = request.event_loop.receive(size, |buffer| {
            let (bytes, address) = datagram::receive_from(request.plain.descriptor, buffer)?;
            Ok((making::bytes(bytes), address))
        });
        let Some((data, address)) = unless_none_yet(outcome)? else {
            return Ok(None);
        };
        let (data, address) = (data?, to_python(&address));
        pair(&data, &address.unwrap_or_else(|| Ok(Object::none()))?).map(Some)
    }
}

/// Whether the socket's addresses are for its own methods to write. A socket of another family
/// never receives from one that is not.
fn has_other_addresses(request: &Request<'_>) -> bool {
    socket::Family::of(request.plain.family) == socket::Family::Other
}

/// `sock_recvfrom_into`: the pair of the number of bytes and the sender.
struct ReceiveFromInto;

impl Exchange for ReceiveFromInto {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_recvfrom_into";
    const SIDE: Side = Side::Reader;
    const METHODS: (&'static str, &'static str) = ("sock_recvfrom_into", "_sock_recvfrom_into");
    const RECEIVES: bool = true;
    const COUNT: usize = 2;

    /// Zero for `nbytes`, the default, means the length of the buffer, which asyncio determines
    /// here, once.
    fn begin(request: &Request<'_>) -> Result<Option<Object>> {
        let given = request.given();
        let [buffer, nbytes] = pair_in(&given)?;
        if !nbytes.is_true()? {
            let size = number(buffer.size()?)?;
            request.this.get().kept().set(pair(buffer, &size)?);
        }
        Self::attempt(request)
    }

    /// A buffer with less room than `nbytes` is left to the socket's method, which raises
    /// `ValueError`.
    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let given = request.given();
        let [buffer, nbytes] = pair_in(&given)?;
        let by_name = || request.by_name(&globals().names.recvfrom_into, &[buffer, nbytes]);
        let Some(size) = size(nbytes).filter(|size| *size > 0) else {
            return by_name();
        };
        if has_other_addresses(request) {
            return by_name();
        }
        let outcome = Buffer::writable(buffer)
            .map(|mut memory| memory.receive_from(request.plain.descriptor, size));
        match outcome {
            Ok(Some(outcome)) => {
                let Some((count, address)) = unless_none_yet(outcome)? else {
                    return Ok(None);
                };
                let address = to_python(&address).unwrap_or_else(|| Ok(Object::none()))?;
                pair(&number(count)?, &address).map(Some)
            }
            Ok(None) => by_name(),
            Err(raised) => {
                drop(fetch(raised));
                by_name()
            }
        }
    }
}

/// `loop.sock_recv(sock, n)`
pub fn sock_recv(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    call::<Receive>(this, arguments, &globals().names.n)
}

/// `loop.sock_recv_into(sock, buf)`
pub fn sock_recv_into(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    call::<ReceiveInto>(this, arguments, &globals().names.buf)
}

/// `loop.sock_recvfrom(sock, bufsize)`
pub fn sock_recvfrom(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    call::<ReceiveFrom>(this, arguments, &globals().names.bufsize)
}

/// `loop.sock_recvfrom_into(sock, buf, nbytes=0)`
pub fn sock_recvfrom_into(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.buf, &names.nbytes];
    call_with_pair::<ReceiveFromInto>(this, arguments, parameters, Some(number(0)?))
}
