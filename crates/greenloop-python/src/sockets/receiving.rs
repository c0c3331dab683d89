//! `sock_recv`, `sock_recv_into`, `sock_recvfrom` and `sock_recvfrom_into`.
//!
//! Small amounts are received into the loop's buffer and copied: an attempt that finds nothing then
//! costs no allocation. If the last amount was large, the next is received into the bytes object
//! itself, as the socket's own method does.

use greenloop_cpython::making::IntoObject as _;
use std::ffi::c_int;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::raw::c_char;

use greenloop_cpython::{Arguments, Buffer, Object, Raised, Result, fetch};
use greenloop_os::{datagram, socket};
use pyo3::ffi;

use super::address::{small_number, to_python};
use super::exchange::{Exchange, Request, call, call_with_pair, item, pair};
use crate::asyncio::globals;
use crate::event_loop::{Side, os_error};

/// From how many bytes on a copy costs more than it saves.
const MUCH: usize = 16 * 1024;
/// The most that is received into the loop's buffer, which it keeps.
const MOST_COPIED: usize = 256 * 1024;

// PyO3 keeps it to itself.
unsafe extern "C" {
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> c_int;
}

/// Tells "nothing yet" from other errors, which become exceptions.
pub fn unless_none_yet<T>(outcome: io::Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(os_error(&error)),
    }
}

/// A size that was given as an int, if it can be one.
fn size(given: &Object) -> Option<usize> {
    // SAFETY: the object is valid.
    let size = unsafe { small_number(given.as_ptr()) };
    size.and_then(|size| usize::try_from(size).ok())
}

/// A bytes object of `count` bytes.
///
/// # Safety
/// `start` points to that many, or is null: then they are for the caller to write.
pub unsafe fn bytes_of(start: *const c_char, count: usize) -> Result<Object> {
    // SAFETY: promised by the caller; the result is a new reference or NULL with an exception set.
    unsafe {
        Object::from_returned(ffi::PyBytes_FromStringAndSize(
            start,
            count as ffi::Py_ssize_t,
        ))
    }
}

struct Receive;

impl Exchange for Receive {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_recv";
    const SIDE: Side = Side::Reader;
    const METHODS: (&'static str, &'static str) = ("sock_recv", "_sock_recv");
    const RECEIVES: bool = true;

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
/// while the amounts are small.
#[inline]
fn receive_and_copy(request: &Request<'_>, size: usize) -> Result<Option<Object>> {
    let outcome = request.event_loop.receive(size, |buffer| {
        let count = socket::receive(request.plain.descriptor, buffer)?;
        request.event_loop.received_last.set(count);
        // SAFETY: the call has written that many bytes to the beginning of the buffer, and making a
        // bytes object runs no Python code.
        Ok(unsafe { bytes_of(buffer.as_ptr().cast(), count) })
    });
    unless_none_yet(outcome)?.transpose()
}

/// Receives into a new bytes object and cuts it to size, so that large amounts are not copied.
fn receive_in_place(request: &Request<'_>, size: usize) -> Result<Option<Object>> {
    // SAFETY: nobody but us has the new object, whose memory is written before it is seen; to be
    // cut to size it is given away and comes back, or null with an exception set.
    unsafe {
        let object = bytes_of(std::ptr::null(), size)?;
        let start = ffi::PyBytes_AsString(object.as_ptr()).cast::<MaybeUninit<u8>>();
        let memory = std::slice::from_raw_parts_mut(start, size);
        let outcome = socket::receive(request.plain.descriptor, memory);
        let Some(count) = unless_none_yet(outcome)? else {
            return Ok(None);
        };
        request.event_loop.received_last.set(count);
        let mut pointer = object.into_ptr();
        if count < size && _PyBytes_Resize(&raw mut pointer, count as ffi::Py_ssize_t) < 0 {
            return Err(Raised);
        }
        Ok(Some(Object::from_owned(pointer)))
    }
}

struct ReceiveInto;

impl Exchange for ReceiveInto {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_recv_into";
    const SIDE: Side = Side::Reader;
    const METHODS: (&'static str, &'static str) = ("sock_recv_into", "_sock_recv_into");
    const RECEIVES: bool = true;

    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let buffer = request.given();
        let outcome = Buffer::writable(&buffer).map(|mut memory| match memory.room() {
            // The socket's own method asks the system for nothing then.
            [] => Ok(0),
            room => socket::receive(request.plain.descriptor, room),
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

fn number(count: usize) -> Result<Object> {
    count.into_object()
}

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
            let (count, address) = datagram::receive_from(request.plain.descriptor, buffer)?;
            // SAFETY: as in `receive_and_copy`.
            Ok((unsafe { bytes_of(buffer.as_ptr().cast(), count) }, address))
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

struct ReceiveFromInto;

impl Exchange for ReceiveFromInto {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_recvfrom_into";
    const SIDE: Side = Side::Reader;
    const METHODS: (&'static str, &'static str) = ("sock_recvfrom_into", "_sock_recvfrom_into");
    const RECEIVES: bool = true;
    const COUNT: usize = 2;

    fn begin(request: &Request<'_>) -> Result<Option<Object>> {
        let given = request.given();
        let (buffer, nbytes) = (item(&given, 0), item(&given, 1));
        if !nbytes.is_true()? {
            // SAFETY: the object is valid.
            let len = unsafe { ffi::PyObject_Size(buffer.as_ptr()) };
            let len = usize::try_from(len).map_err(|_| Raised)?;
            request.awaitable.kept().set(pair(&buffer, &number(len)?)?);
        }
        Self::attempt(request)
    }

    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let given = request.given();
        let (buffer, nbytes) = (item(&given, 0), item(&given, 1));
        let by_name = || request.by_name(&globals().names.recvfrom_into, &[&buffer, &nbytes]);
        let Some(size) = size(&nbytes).filter(|size| *size > 0) else {
            return by_name();
        };
        if has_other_addresses(request) {
            return by_name();
        }
        let outcome = Buffer::writable(&buffer).map(|mut memory| {
            let room = memory.room().get_mut(..size)?;
            Some(datagram::receive_from(request.plain.descriptor, room))
        });
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
pub fn sock_recv(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    call::<Receive>(this, arguments, &globals().names.n)
}

/// `loop.sock_recv_into(sock, buf)`
pub fn sock_recv_into(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    call::<ReceiveInto>(this, arguments, &globals().names.buf)
}

/// `loop.sock_recvfrom(sock, bufsize)`
pub fn sock_recvfrom(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    call::<ReceiveFrom>(this, arguments, &globals().names.bufsize)
}

/// `loop.sock_recvfrom_into(sock, buf, nbytes=0)`
pub fn sock_recvfrom_into(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.buf, &names.nbytes];
    call_with_pair::<ReceiveFromInto>(this, arguments, parameters, Some(number(0)?))
}
