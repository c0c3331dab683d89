//! Addresses in Python, in the form of the standard library's sockets, and in the system's form.
//!
//! Only addresses in the form that the socket's own methods produce are converted here: pairs and
//! tuples of four of the internet families, names of Unix sockets. All others are left to those
//! methods.

use greenloop_cpython::making::IntoObject as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::raw::c_char;

use greenloop_cpython::{Object, Raised, Result, clear};
use greenloop_os::address::{Address, Parts, host_of};
use greenloop_os::socket::Family;
use pyo3::ffi;

/// The address as `recvfrom` returns it, or `None` if that is for the socket's own method to say.
pub fn to_python(address: &Address) -> Option<Result<Object>> {
    Some(match address.parts() {
        Parts::Nothing => Ok(Object::none()),
        Parts::V4(host, port) => ipv4(host, port),
        Parts::V6(host, port, flow, scope) => ipv6(host, port, flow, scope),
        Parts::Unix(name) => unix(name),
        Parts::Other => return None,
    })
}

fn ipv4(host: Ipv4Addr, port: u16) -> Result<Object> {
    tuple([text(&host.to_string())?, number(port.into())?])
}

/// The tuple `(host, port, flowinfo, scope_id)` of an IPv6 address.
fn ipv6(host: Ipv6Addr, port: u16, flow: u32, scope: u32) -> Result<Object> {
    tuple([
        text(&host_of(&host))?,
        number(port.into())?,
        number(flow.into())?,
        number(scope.into())?,
    ])
}

/// A path is a str in the file system's encoding, an abstract name is bytes.
fn unix(name: &[u8]) -> Result<Object> {
    let (start, len) = (
        name.as_ptr().cast::<c_char>(),
        name.len() as ffi::Py_ssize_t,
    );
    // SAFETY: the bytes are there; the result is a new reference or NULL with an exception set.
    unsafe {
        Object::from_returned(if name.first() == Some(&0) {
            ffi::PyBytes_FromStringAndSize(start, len)
        } else {
            ffi::PyUnicode_DecodeFSDefaultAndSize(start, len)
        })
    }
}

fn text(text: &str) -> Result<Object> {
    let (start, len) = (
        text.as_ptr().cast::<c_char>(),
        text.len() as ffi::Py_ssize_t,
    );
    // SAFETY: as above.
    unsafe { Object::from_returned(ffi::PyUnicode_FromStringAndSize(start, len)) }
}

fn number(value: u64) -> Result<Object> {
    value.into_object()
}

fn tuple<const N: usize>(items: [Object; N]) -> Result<Object> {
    // SAFETY: a new tuple's places are filled with references of their own before anybody sees it.
    unsafe {
        let tuple = Object::from_returned(ffi::PyTuple_New(N as ffi::Py_ssize_t))?;
        for (index, item) in items.into_iter().enumerate() {
            ffi::PyTuple_SetItem(tuple.as_ptr(), index as ffi::Py_ssize_t, item.into_ptr());
        }
        Ok(tuple)
    }
}

/// The address that a socket of `family` means by `(host, port)`, if the host is numeric and no
/// lookup is needed; otherwise `None`, and no exception.
pub fn from_python(family: Family, address: &Object) -> Option<Address> {
    // SAFETY: the object is valid; the items of a tuple are borrowed from it.
    let (host, port) = unsafe {
        let tuple = address.as_ptr();
        if ffi::PyTuple_CheckExact(tuple) == 0 || ffi::PyTuple_GET_SIZE(tuple) != 2 {
            return None;
        }
        let port = small_number(ffi::PyTuple_GET_ITEM(tuple, 1))?;
        (ascii(ffi::PyTuple_GET_ITEM(tuple, 0))?, port)
    };
    let port = u16::try_from(port).ok()?;
    match family {
        Family::V4 => Some(Address::v4(host.parse().ok()?, port)),
        Family::V6 => Some(Address::v6(host.parse().ok()?, port, 0, 0)),
        Family::Unix | Family::Other => None,
    }
}

/// The text of a str, if it is ASCII.
///
/// # Safety
/// `object` is valid and held as long as the text is used.
unsafe fn ascii<'a>(object: *mut ffi::PyObject) -> Option<&'a str> {
    // SAFETY: the text is there as long as the str, which is valid; the exception that may be set
    // says that there is none.
    unsafe {
        if ffi::PyUnicode_CheckExact(object) == 0 {
            return None;
        }
        let mut len = 0;
        let start = ffi::PyUnicode_AsUTF8AndSize(object, &raw mut len);
        if start.is_null() {
            clear(Raised);
            return None;
        }
        let text = std::slice::from_raw_parts(start.cast::<u8>(), len as usize);
        std::str::from_utf8(text)
            .ok()
            .filter(|text| text.is_ascii())
    }
}

/// The value of exactly an int that a C `long` holds.
///
/// # Safety
/// `object` is valid.
pub unsafe fn small_number(object: *mut ffi::PyObject) -> Option<i64> {
    let mut overflow = 0;
    // SAFETY: the function is for the class that was tested, and raises for no int.
    unsafe {
        if ffi::PyLong_CheckExact(object) == 0 {
            return None;
        }
        let value = ffi::PyLong_AsLongLongAndOverflow(object, &raw mut overflow);
        (overflow == 0).then_some(value)
    }
}
