//! Addresses: those of peers, and those that names resolve to.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs as _};

use greenloop_os::address::{Address, Parts};

use crate::task::JoinError;

/// The addresses of a host, in the order of the system's preference: `loop.getaddrinfo`.
///
/// A numeric address is looked up at once, anything else in a thread of the pool, as by
/// [`spawn_blocking`](crate::spawn_blocking).
///
/// # Errors
/// If the name is not known.
///
/// ```
/// let addresses = greenloop::run(greenloop::net::lookup("127.0.0.1", 80)).unwrap();
/// assert_eq!(addresses, ["127.0.0.1:80".parse().unwrap()]);
/// ```
pub async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = String::from(host);
    let asked = crate::spawn_blocking(move || (host.as_str(), port).to_socket_addrs()).await;
    let addresses = asked
        .map_err(JoinError::resume_panic)
        .map_err(io::Error::other)?;
    addresses.map(Iterator::collect)
}

/// The address that the system gives for a peer of the internet families.
pub fn internet(address: &Address) -> io::Result<SocketAddr> {
    match address.parts() {
        Parts::V4(host, port) => Ok(SocketAddrV4::new(host, port).into()),
        Parts::V6(host, port, flow, scope) => Ok(SocketAddrV6::new(host, port, flow, scope).into()),
        Parts::Nothing | Parts::Unix(_) | Parts::Other => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the peer has no address of the internet families",
        )),
    }
}
