//! `sock_sendall` and `sock_sendto`.

use greenloop_cpython::{Arguments, Bytes, Object, Raised, Result, audit, call_method, fetch};
use greenloop_os::socket::Family;
use greenloop_os::{datagram, socket};
use pyo3::ffi;

use super::address::from_python;
use super::exchange::{Exchange, Request, call, call_with_pair, item};
use super::receiving::unless_none_yet;
use crate::asyncio::globals;
use crate::event_loop::Side;

struct SendAll;

impl Exchange for SendAll {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_sendall";
    const SIDE: Side = Side::Writer;
    const METHODS: (&'static str, &'static str) = ("sock_sendall", "_sock_sendall");

    /// While it waits, a memoryview of the rest replaces the data, which keeps their memory in
    /// place.
    #[inline]
    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let data = request.given();
        let (sent, all) = match Bytes::of(&data) {
            Ok(bytes) => {
                let outcome = socket::send(request.plain.descriptor, &bytes);
                request.event_loop.expect_input();
                (unless_none_yet(outcome)?.unwrap_or(0), bytes.len())
            }
            Err(raised) => {
                drop(fetch(raised));
                return send_by_name(request, &data);
            }
        };
        if sent == all {
            return Ok(Some(Object::none()));
        }
        request.awaitable.kept().set(rest(&data, sent)?);
        Ok(None)
    }
}

/// The socket's own method refuses an object without bytes.
#[cold]
fn send_by_name(request: &Request<'_>, data: &Object) -> Result<Option<Object>> {
    let sent = request.by_name(&globals().names.send, &[data])?;
    Ok(sent.map(|_| Object::none()))
}

/// `memoryview(data).cast("B")[sent:]`
#[cold]
fn rest(data: &Object, sent: usize) -> Result<Object> {
    // SAFETY: all are valid objects; each function returns a new reference or NULL with an
    // exception set.
    unsafe {
        let view = Object::from_returned(ffi::PyMemoryView_FromObject(data.as_ptr()))?;
        let format = Object::from_returned(ffi::PyUnicode_FromStringAndSize(c"B".as_ptr(), 1))?;
        let view = call_method(&globals().names.cast, &[view.as_ptr(), format.as_ptr()])?;
        let len = ffi::PyObject_Size(view.as_ptr());
        if len < 0 {
            return Err(Raised);
        }
        Object::from_returned(ffi::PySequence_GetSlice(
            view.as_ptr(),
            sent as ffi::Py_ssize_t,
            len,
        ))
    }
}

struct SendTo;

impl Exchange for SendTo {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_sendto";
    const SIDE: Side = Side::Writer;
    const METHODS: (&'static str, &'static str) = ("sock_sendto", "_sock_sendto");
    const COUNT: usize = 2;

    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let given = request.given();
        let (data, address) = (item(&given, 0), item(&given, 1));
        let by_name = || request.by_name(&globals().names.sendto, &[&data, &address]);
        let family = Family::of(request.plain.family);
        let Some(target) = from_python(family, &address) else {
            return by_name();
        };
        audit(c"socket.sendto", &request.socket, &address)?;
        let outcome = match Bytes::of(&data) {
            Ok(bytes) => datagram::send_to(request.plain.descriptor, &bytes, &target),
            Err(raised) => {
                drop(fetch(raised));
                return by_name();
            }
        };
        request.event_loop.expect_input();
        let Some(count) = unless_none_yet(outcome)? else {
            return Ok(None);
        };
        // SAFETY: returns a new reference or NULL with an exception set.
        unsafe { Object::from_returned(ffi::PyLong_FromSize_t(count)).map(Some) }
    }
}

/// `loop.sock_sendall(sock, data)`
pub fn sock_sendall(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    call::<SendAll>(this, arguments, &globals().names.data)
}

/// `loop.sock_sendto(sock, data, address)`
pub fn sock_sendto(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    call_with_pair::<SendTo>(this, arguments, [&names.data, &names.address], None)
}
