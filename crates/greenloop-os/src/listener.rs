//! Connections that come in at a listening socket, and who is at the other end.

use std::io;
use std::mem::offset_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{OwnedFd, RawFd};

use libc::{sockaddr_in, sockaddr_in6, sockaddr_storage, sockaddr_un};

use crate::sys;

pub use crate::sys::NON_BLOCKING;

/// The address of who has connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Over IPv4.
    V4(SocketAddrV4),
    /// Over IPv6. The flow is in the host's order.
    V6(SocketAddrV6),
    /// At the path of a Unix socket; empty for the many that have no name (`unix(7)`).
    Path(Vec<u8>),
    /// At a name of Linux' own that is no path, the NUL in front included.
    Abstract(Vec<u8>),
}

/// Takes the next connection, which is non-blocking and not inherited by children, without waiting if
/// the listening socket is non-blocking: `WouldBlock` if there is none. `None` stands for an address of
/// a family that is not listed above; the connection is taken, and closed with its descriptor.
pub fn accept(listener: RawFd) -> io::Result<(OwnedFd, Option<Peer>)> {
    let (descriptor, address, length) = sys::accept(listener)?;
    Ok((descriptor, peer(&address, length)))
}

/// The families whose addresses [`accept`] tells.
pub const fn is_known(family: libc::c_int) -> bool {
    matches!(family, libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX)
}

/// The text of a host's address as `inet_ntop(3)` writes it, which writes addresses of IPv6 whose first
/// 96 bits are zero as if they were of IPv4. Nobody uses those any more.
pub fn host_of(address: &Ipv6Addr) -> String {
    let [.., sixth, last] = address.segments();
    let compatible = address.segments()[..6] == [0; 6] && !(sixth == 0 && last <= 1);
    if !compatible {
        return address.to_string();
    }
    let [.., a, b, c, d] = address.octets();
    format!("::{}", Ipv4Addr::new(a, b, c, d))
}

fn peer(address: &sockaddr_storage, length: usize) -> Option<Peer> {
    let start = &raw const *address;
    match libc::c_int::from(address.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which struct it is; the storage is large enough for each.
            let address = unsafe { &*start.cast::<sockaddr_in>() };
            let host = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
            let port = u16::from_be(address.sin_port);
            Some(Peer::V4(SocketAddrV4::new(host, port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let address = unsafe { &*start.cast::<sockaddr_in6>() };
            Some(Peer::V6(SocketAddrV6::new(
                Ipv6Addr::from(address.sin6_addr.s6_addr),
                u16::from_be(address.sin6_port),
                u32::from_be(address.sin6_flowinfo),
                address.sin6_scope_id,
            )))
        }
        libc::AF_UNIX => {
            // SAFETY: as above; characters are bytes.
            let path = unsafe { (*start.cast::<sockaddr_un>()).sun_path };
            let length = length.saturating_sub(offset_of!(sockaddr_un, sun_path));
            let bytes: Vec<u8> = path
                .iter()
                .flat_map(|each| each.to_ne_bytes())
                .take(length)
                .collect();
            Some(match bytes.first() {
                Some(0) => Peer::Abstract(bytes),
                _ => Peer::Path(bytes.split(|&byte| byte == 0).next()?.to_vec()),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_connection_is_taken_with_the_address_of_its_peer() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has nothing to connect to.
            let Ok(listener) = TcpListener::bind(host) else {
                continue;
            };
            listener.set_nonblocking(true).expect("an option of all");
            let nothing = accept(listener.as_raw_fd()).expect_err("nobody has connected");
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
            let address = listener.local_addr().expect("it is bound");
            let client = TcpStream::connect(address).expect("it listens");
            let (descriptor, peer) = accept(listener.as_raw_fd()).expect("somebody has connected");
            let expected = match client.local_addr().expect("it is connected") {
                std::net::SocketAddr::V4(address) => Peer::V4(address),
                std::net::SocketAddr::V6(address) => Peer::V6(address),
            };
            assert_eq!(peer, Some(expected));
            let nothing =
                crate::socket::receive(descriptor.as_raw_fd(), &mut [MaybeUninit::uninit()]);
            assert_eq!(
                nothing.expect_err("nothing was sent").kind(),
                io::ErrorKind::WouldBlock
            );
        }
    }

    #[test]
    fn a_client_at_a_unix_socket_mostly_has_no_name() {
        let name = format!("greenloop-{}-{}", std::process::id(), line!());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).expect("a free path");
        let _client = UnixStream::connect(&path).expect("it listens");
        let taken = accept(listener.as_raw_fd());
        std::fs::remove_file(&path).expect("it is there");
        let (_descriptor, peer) = taken.expect("somebody has connected");
        assert_eq!(peer, Some(Peer::Path(Vec::new())));
    }

    #[test]
    fn hosts_are_written_as_the_system_writes_them() {
        let check = |segments: [u16; 8], text: &str| {
            assert_eq!(host_of(&Ipv6Addr::from(segments)), text);
        };
        check([0; 8], "::");
        check([0, 0, 0, 0, 0, 0, 0, 1], "::1");
        check([0, 0, 0, 0, 0, 0, 0, 5], "::0.0.0.5");
        check([0, 0, 0, 0, 0, 0, 0x0102, 0x0304], "::1.2.3.4");
        check([0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304], "::ffff:1.2.3.4");
        check([0xfe80, 0, 0, 0, 0, 0, 0, 1], "fe80::1");
    }
}
