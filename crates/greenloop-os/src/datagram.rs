//! Non-blocking datagrams through a socket, with their source and destination.
//!
//! As in [`socket`](crate::socket), no call here blocks or raises a signal. A datagram is received
//! and sent whole or not at all; an empty one counts as a datagram.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use libc::c_void;

use crate::address::Address;

/// Receives a datagram into the beginning of `buffer`, and returns the bytes written there and the
/// sender. Bytes without room are lost. `WouldBlock` if there is no datagram
/// (`recvfrom(2)`).
pub fn receive_from(fd: RawFd, buffer: &mut [MaybeUninit<u8>]) -> io::Result<(&mut [u8], Address)> {
    let mut address = Address::room();
    // SAFETY: the buffer and the storage are valid for writes of the lengths that are given.
    let outcome = unsafe {
        libc::recvfrom(
            fd,
            buffer.as_mut_ptr().cast::<c_void>(),
            buffer.len(),
            libc::MSG_DONTWAIT,
            (&raw mut address.storage).cast(),
            &raw mut address.len,
        )
    };
    let Ok(count) = usize::try_from(outcome) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the call has written that many bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<u8>(), count) };
    Ok((bytes, address))
}

/// Sends `bytes` as one datagram to `address`, and returns how many bytes it has. `WouldBlock` if
/// there is no room for it (`sendto(2)`).
pub fn send_to(fd: RawFd, bytes: &[u8], address: &Address) -> io::Result<usize> {
    // SAFETY: the slice and the storage are valid for reads of the lengths that are given.
    let outcome = unsafe {
        libc::sendto(
            fd,
            bytes.as_ptr().cast::<c_void>(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            (&raw const address.storage).cast(),
            address.len,
        )
    };
    usize::try_from(outcome).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::address::Parts;

    fn received(fd: RawFd) -> io::Result<(Vec<u8>, Address)> {
        let mut buffer = [MaybeUninit::uninit(); 100];
        let (bytes, address) = receive_from(fd, &mut buffer)?;
        Ok((bytes.to_vec(), address))
    }

    #[test]
    fn a_datagram_goes_to_an_address_and_comes_with_one() {
        let near = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let far = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let nothing = received(far.as_raw_fd())
            .map(drop)
            .expect_err("nothing was sent");
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        let Ok(SocketAddr::V4(address)) = far.local_addr() else {
            panic!("it is bound to an address of the family");
        };
        let address = Address::v4(*address.ip(), address.port());
        for text in [b"abc".as_slice(), b""] {
            assert_eq!(
                send_to(near.as_raw_fd(), text, &address).expect("room"),
                text.len()
            );
            let (bytes, from) = received(far.as_raw_fd()).expect("it was sent");
            assert_eq!(bytes, text);
            let port = near.local_addr().expect("it is bound").port();
            assert_eq!(from.parts(), Parts::V4(Ipv4Addr::LOCALHOST, port));
            assert!(from == Address::v4(Ipv4Addr::LOCALHOST, port));
            assert!(from != address);
        }
    }

    #[test]
    fn a_unix_socket_has_a_path_a_name_or_nothing() {
        let (near, far) = UnixDatagram::pair().expect("a pair of sockets");
        near.send(b"x").expect("room");
        let (_, from) = received(far.as_raw_fd()).expect("it was sent");
        assert_eq!(from.parts(), Parts::Nothing);
        let folder = std::env::temp_dir();
        let path = folder.join(format!("greenloop-datagram-{}", std::process::id()));
        let bound = UnixDatagram::bind(&path).expect("a free path");
        let other = folder.join(format!("greenloop-datagram-{}-b", std::process::id()));
        let listening = UnixDatagram::bind(&other).expect("a free path");
        bound.send_to(b"y", &other).expect("room");
        let (_, from) = received(listening.as_raw_fd()).expect("it was sent");
        assert_eq!(
            from.parts(),
            Parts::Unix(path.as_os_str().as_encoded_bytes())
        );
        for path in [path, other] {
            std::fs::remove_file(path).expect("it was made here");
        }
    }
}
