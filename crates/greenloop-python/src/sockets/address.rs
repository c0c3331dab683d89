//! Addresses in Python, in the form of the standard library's sockets, and in the system's form.
//!
//! Only addresses in the form that the socket's own methods produce are converted here: pairs and
//! tuples of four of the internet families, names of Unix sockets. All others are left to those
//! methods.
//!
//! Both directions are plain computations: no name is looked up, no system call is made, and no
//! code of the program runs.

use std::net::{Ipv4Addr, Ipv6Addr};

use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{Object, Result};
use greenloop_os::address::{Address, Parts, host_of};
use greenloop_os::socket::Family;

/// The address as `recvfrom` returns it, or `None` if that is for the socket's own method to say. A
/// family whose addresses have another form is such a case.
///
/// # Errors
/// A failed allocation.
pub fn to_python(address: &Address) -> Option<Result<Object>> {
    Some(match address.parts() {
        Parts::Nothing => Ok(Object::none()),
        Parts::V4(host, port) => ipv4(host, port),
        Parts::V6(host, port, flow, scope) => ipv6(host, port, flow, scope),
        Parts::Unix(name) => unix(name),
        Parts::Other => return None,
    })
}

/// The pair `(host, port)` of an IPv4 address, with the host in dotted form.
fn ipv4(host: Ipv4Addr, port: u16) -> Result<Object> {
    Object::tuple_of([making::text(&host.to_string())?, number(port.into())?])
}

/// The tuple `(host, port, flowinfo, scope_id)` of an IPv6 address.
fn ipv6(host: Ipv6Addr, port: u16, flow: u32, scope: u32) -> Result<Object> {
    Object::tuple_of([
        making::text(&host_of(&host))?,
        number(port.into())?,
        number(flow.into())?,
        number(scope.into())?,
    ])
}

/// A path is a str in the file system's encoding, an abstract name is bytes. `unix(7)` explains the
/// two kinds.
fn unix(name: &[u8]) -> Result<Object> {
    if name.first() == Some(&0) {
        making::bytes(name)
    } else {
        Object::file_name(name)
    }
}

/// A port or a number of IPv6's, as an int.
fn number(value: u64) -> Result<Object> {
    value.into_object()
}

/// The address that a socket of `family` means by `(host, port)`, if the host is numeric and no
/// lookup is needed; otherwise `None`, and no exception. A tuple of four is such a case too, since
/// it has a flow and a scope. So are a host with a zone (`%eth0`), an int of a subclass, and a port
/// that is out of range, for which the socket's own method has the right exception.
pub fn from_python(family: Family, address: &Object) -> Option<Address> {
    let [host, port] = address.as_tuple()? else {
        return None;
    };
    let port = port.exact_int()?;
    let host = host.as_str().filter(|host| host.is_ascii())?;
    let port = u16::try_from(port).ok()?;
    match family {
        Family::V4 => Some(Address::v4(host.parse().ok()?, port)),
        Family::V6 => Some(Address::v6(host.parse().ok()?, port, 0, 0)),
        Family::Unix | Family::Other => None,
    }
}
