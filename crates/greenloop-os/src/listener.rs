//! Incoming connections of a listening socket, and their peers.

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use crate::address::Address;
use crate::sys;

pub use crate::sys::NON_BLOCKING;

/// Takes the next connection, which is non-blocking and not inherited by children, without waiting
/// if the listening socket is non-blocking: `WouldBlock` if there is none. The address is the
/// peer's.
pub fn accept(listener: RawFd) -> io::Result<(OwnedFd, Address)> {
    sys::accept(listener)
}

/// The families whose addresses have [`Parts`](crate::address::Parts).
pub const fn is_known(family: libc::c_int) -> bool {
    matches!(family, libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX)
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;
    use crate::address::Parts;

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
                SocketAddr::V4(address) => Parts::V4(*address.ip(), address.port()),
                SocketAddr::V6(address) => Parts::V6(*address.ip(), address.port(), 0, 0),
            };
            assert_eq!(peer.parts(), expected);
            let mut buffer = [MaybeUninit::uninit()];
            let nothing = crate::socket::receive(descriptor.as_raw_fd(), &mut buffer);
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
        assert_eq!(peer.parts(), Parts::Unix(b""));
    }
}
