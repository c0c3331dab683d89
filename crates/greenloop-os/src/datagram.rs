//! Datagrams through a socket, with where they come from and go to, without waiting.
//!
//! As in [`socket`](crate::socket), no call here blocks or raises a signal. A datagram is received and
//! sent whole or not at all; an empty one is one too.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;

use libc::{c_int, c_void, sa_family_t, sockaddr_storage, socklen_t};

/// The address of a socket, as the system has it.
#[derive(Clone, Copy)]
pub struct Address {
    /// The first `len` bytes are the address; the others are zero.
    storage: sockaddr_storage,
    len: socklen_t,
}

/// What an [`Address`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parts<'a> {
    /// Nothing: the socket is connected, or its peer has no name.
    Nothing,
    /// An address of `AF_INET` and a port.
    V4(Ipv4Addr, u16),
    /// An address of `AF_INET6`, a port, the flow information and the scope.
    V6(Ipv6Addr, u16, u32, u32),
    /// A path of `AF_UNIX`, or on Linux an abstract name, which begins with a zero.
    Unix(&'a [u8]),
    /// An address of another family.
    Other,
}

/// The family in an address, from its number as `socket(2)` takes it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are small and not negative"
)]
const fn family(number: c_int) -> sa_family_t {
    number as sa_family_t
}

/// The size of a kind of address, as the system takes it.
#[expect(clippy::cast_possible_truncation, reason = "addresses are small")]
const fn size<T>() -> socklen_t {
    const { assert!(size_of::<T>() <= size_of::<sockaddr_storage>()) };
    size_of::<T>() as socklen_t
}

impl Address {
    /// An address of `AF_INET`.
    pub fn v4(address: Ipv4Addr, port: u16) -> Self {
        // SAFETY: all zeroes is an address.
        let mut inner: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        inner.sin_family = family(libc::AF_INET);
        inner.sin_port = port.to_be();
        inner.sin_addr.s_addr = u32::from(address).to_be();
        Self::of(&inner)
    }

    /// An address of `AF_INET6`.
    pub fn v6(address: Ipv6Addr, port: u16, flow: u32, scope: u32) -> Self {
        // SAFETY: all zeroes is an address.
        let mut inner: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
        inner.sin6_family = family(libc::AF_INET6);
        inner.sin6_port = port.to_be();
        inner.sin6_addr.s6_addr = address.octets();
        inner.sin6_flowinfo = flow.to_be();
        inner.sin6_scope_id = scope;
        Self::of(&inner)
    }

    /// What it says.
    pub fn parts(&self) -> Parts<'_> {
        let start = &raw const self.storage;
        let offset = size_of::<sa_family_t>();
        let len = (self.len as usize).min(size_of::<sockaddr_storage>());
        if len <= offset && i32::from(self.storage.ss_family) != libc::AF_UNIX {
            return Parts::Nothing;
        }
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: an address of this family is laid out like this, within the storage.
                let inner = unsafe { &*start.cast::<libc::sockaddr_in>() };
                let address = Ipv4Addr::from(u32::from_be(inner.sin_addr.s_addr));
                Parts::V4(address, u16::from_be(inner.sin_port))
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let inner = unsafe { &*start.cast::<libc::sockaddr_in6>() };
                Parts::V6(
                    Ipv6Addr::from(inner.sin6_addr.s6_addr),
                    u16::from_be(inner.sin6_port),
                    u32::from_be(inner.sin6_flowinfo),
                    inner.sin6_scope_id,
                )
            }
            libc::AF_UNIX => {
                let room = len.saturating_sub(offset);
                // SAFETY: the path follows the family, within the storage.
                let path =
                    unsafe { std::slice::from_raw_parts(start.cast::<u8>().add(offset), room) };
                match path.first() {
                    None | Some(0) => Parts::Unix(path),
                    Some(_) => {
                        let end = path.iter().position(|&byte| byte == 0);
                        Parts::Unix(&path[..end.unwrap_or(room)])
                    }
                }
            }
            _ => Parts::Other,
        }
    }

    fn of<T>(inner: &T) -> Self {
        let mut address = Self::unwritten();
        // SAFETY: the storage is large and aligned enough for every kind of address.
        unsafe {
            let storage = (&raw mut address.storage).cast::<T>();
            storage.copy_from_nonoverlapping(inner, 1);
        }
        address.len = size::<T>();
        address
    }

    const fn unwritten() -> Self {
        Self {
            // SAFETY: all zeroes is an address of no family.
            storage: unsafe { std::mem::zeroed() },
            len: 0,
        }
    }

    const fn bytes(&self) -> &[u8] {
        // SAFETY: the storage is initialised as a whole.
        unsafe {
            std::slice::from_raw_parts(
                (&raw const self.storage).cast(),
                size_of::<sockaddr_storage>(),
            )
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        let len = self.len as usize;
        self.len == other.len && self.bytes().get(..len) == other.bytes().get(..len)
    }
}

impl Eq for Address {}

/// Receives a datagram into the beginning of `buffer`, and returns how many bytes were written there
/// and who sent it. What there is no room for is lost. `WouldBlock` if there is none (`recvfrom(2)`).
pub fn receive_from(fd: RawFd, buffer: &mut [MaybeUninit<u8>]) -> io::Result<(usize, Address)> {
    let mut address = Address::unwritten();
    address.len = size::<sockaddr_storage>();
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
    match usize::try_from(outcome) {
        Ok(count) => Ok((count, address)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Sends `bytes` as one datagram to `address`, and returns how many bytes it has. `WouldBlock` if there
/// is no room for it (`sendto(2)`).
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
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn received(fd: RawFd) -> io::Result<(Vec<u8>, Address)> {
        let mut buffer = [MaybeUninit::uninit(); 100];
        let (count, address) = receive_from(fd, &mut buffer)?;
        // SAFETY: the call has written that many bytes.
        let bytes = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), count) };
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
    fn an_address_says_what_it_was_made_of() {
        let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 1, 2, 3, 4);
        let made = Address::v6(address, 80, 5, 6);
        assert_eq!(made.parts(), Parts::V6(address, 80, 5, 6));
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
