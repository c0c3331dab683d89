//! Non-blocking reads and writes of a connected socket.
//!
//! No call here blocks, whether the socket was made non-blocking or not: each asks for that by
//! itself (`MSG_DONTWAIT`). A peer that is gone is an error of the call and never a signal
//! (`MSG_NOSIGNAL`): a library must not end the process because of one connection.
//!
//! Descriptors are numbers, as everywhere in this crate: a wrong one is an error, and the caller
//! ensures that the number has not been given to another file.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use libc::{c_int, c_void, ssize_t};

use crate::address::Address;
use crate::sys;

/// How many slices one call of [`send_vectored`] takes: `IOV_MAX` of Linux, the BSDs and macOS.
pub const MOST_SLICES: usize = 1024;

/// Receives into the beginning of `buffer` and returns the bytes that were written there: none at
/// the end of the stream. `WouldBlock` if there is nothing yet (`recv(2)`).
pub fn receive(fd: RawFd, buffer: &mut [MaybeUninit<u8>]) -> io::Result<&mut [u8]> {
    // SAFETY: the buffer is valid for writes of its length during the call.
    let count = transferred(unsafe {
        libc::recv(
            fd,
            buffer.as_mut_ptr().cast::<c_void>(),
            buffer.len(),
            libc::MSG_DONTWAIT,
        )
    })?;
    // SAFETY: the call has written that many bytes.
    Ok(unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<u8>(), count) })
}

/// Sends the beginning of `bytes` and returns how many were taken. `WouldBlock` if none
/// (`send(2)`).
pub fn send(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    send_with(fd, bytes, 0)
}

/// As [`send`], on a TCP connection to which more will be written at once: the kernel may delay the
/// last packet until then, or until [`push`], for 200 ms at most (`tcp(7)`, `MSG_MORE` in
/// `send(2)`). A platform without that sends it at once.
pub fn send_more(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    send_with(fd, bytes, sys::MORE_FOLLOWS)
}

/// Makes the kernel send the bytes of [`send_more`] without further delay. Fails for other sockets
/// than TCP's.
pub fn push(fd: RawFd) -> io::Result<()> {
    set_option(fd, sys::CORK, 0)
}

#[inline]
fn send_with(fd: RawFd, bytes: &[u8], flags: c_int) -> io::Result<usize> {
    // SAFETY: the slice is valid for reads of its length during the call.
    transferred(unsafe {
        libc::send(
            fd,
            bytes.as_ptr().cast::<c_void>(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | flags,
        )
    })
}

/// Sends the beginning of the slices' bytes in order, and returns how many were taken. `WouldBlock`
/// if none; at most [`MOST_SLICES`] are looked at (`sendmsg(2)`).
pub fn send_vectored(fd: RawFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let count = slices.len().min(MOST_SLICES);
    // SAFETY: all zeroes is a message without address, control data and slices.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = slices.as_ptr().cast::<libc::iovec>().cast_mut();
    // The type of the field differs between C libraries; the number is small.
    message.msg_iovlen = count as _;
    // SAFETY: an `IoSlice` is laid out as an `iovec`, and what it points to outlives the call,
    // which writes to neither.
    transferred(unsafe {
        libc::sendmsg(
            fd,
            &raw const message,
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    })
}

/// The size of a `c_int`, as `setsockopt` takes it.
const SIZE_OF_INT: libc::socklen_t = 4;
const _: () = assert!(size_of::<c_int>() == SIZE_OF_INT as usize);

/// Has small packets sent at once instead of after the last one was acknowledged (`tcp(7)`,
/// `TCP_NODELAY`).
pub fn set_no_delay(fd: RawFd) -> io::Result<()> {
    set_option(fd, libc::TCP_NODELAY, 1)
}

/// Sets an option of TCP.
fn set_option(fd: RawFd, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the value is valid for reads of the size that is given.
    let outcome = unsafe {
        libc::setsockopt(
            fd,
            libc::IPPROTO_TCP,
            option,
            (&raw const value).cast::<c_void>(),
            SIZE_OF_INT,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Takes the error that a socket has pending, such as why a connection could not be made: the
/// outcome of a connect that was begun without waiting (`connect(2)`, `EINPROGRESS`).
pub fn take_error(fd: RawFd) -> io::Result<Option<io::Error>> {
    let mut error: c_int = 0;
    let mut size = SIZE_OF_INT;
    // SAFETY: value and size are valid for writes, and the size is that of the value.
    let outcome = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut error).cast::<c_void>(),
            &raw mut size,
        )
    };
    match (outcome, error) {
        (0, 0) => Ok(None),
        (0, error) => Ok(Some(io::Error::from_raw_os_error(error))),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The address of the peer of a connected socket (`getpeername(2)`).
pub fn peer(fd: RawFd) -> io::Result<Address> {
    address_by(fd, libc::getpeername)
}

/// The address that a socket itself has (`getsockname(2)`).
pub fn own_address(fd: RawFd) -> io::Result<Address> {
    address_by(fd, libc::getsockname)
}

/// The two calls that tell an address have one signature.
type TellAddress = unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int;

fn address_by(fd: RawFd, tell: TellAddress) -> io::Result<Address> {
    let mut address = Address::room();
    // SAFETY: the storage is valid for writes of the length that is given.
    let outcome = unsafe { tell(fd, (&raw mut address.storage).cast(), &raw mut address.len) };
    if outcome == 0 {
        Ok(address)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether a connect that did not wait goes on by itself: it is over when the socket can be
/// written, and [`take_error`] says how (`connect(2)`, `EINPROGRESS`).
pub fn is_connecting(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Whether sockets of these three numbers, as `socket(2)` takes them, are TCP's: with protocol 0
/// they are, because it is the one protocol that a stream of these families has by default.
pub const fn is_tcp(family: c_int, kind: c_int, protocol: c_int) -> bool {
    matches!(family, libc::AF_INET | libc::AF_INET6)
        && kind == libc::SOCK_STREAM
        && matches!(protocol, 0 | libc::IPPROTO_TCP)
}

/// The kind of a socket's addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// `AF_INET`
    V4,
    /// `AF_INET6`
    V6,
    /// `AF_UNIX`
    Unix,
    /// Any other.
    Other,
}

impl Family {
    /// The family of a number, as `socket(2)` takes it.
    pub const fn of(number: c_int) -> Self {
        match number {
            libc::AF_INET => Self::V4,
            libc::AF_INET6 => Self::V6,
            libc::AF_UNIX => Self::Unix,
            _ => Self::Other,
        }
    }
}

/// Whether internet sockets of these two numbers, as `socket(2)` takes them, are TCP's or UDP's,
/// whose addresses have ports.
pub const fn has_ports(kind: c_int, protocol: c_int) -> bool {
    matches!(kind, libc::SOCK_STREAM | libc::SOCK_DGRAM)
        && matches!(protocol, 0 | libc::IPPROTO_TCP | libc::IPPROTO_UDP)
}

fn transferred(outcome: ssize_t) -> io::Result<usize> {
    usize::try_from(outcome).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn received(fd: RawFd, room: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![MaybeUninit::uninit(); room];
        Ok(receive(fd, &mut buffer)?.to_vec())
    }

    #[test]
    fn receiving_takes_what_there_is_and_never_waits() {
        let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
        let fd = near.as_raw_fd();
        let nothing = received(fd, 10).expect_err("nothing was sent");
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        far.write_all(b"abcdef").expect("there is room");
        assert_eq!(received(fd, 4).expect("some is there"), b"abcd");
        assert_eq!(received(fd, 4).expect("the rest is there"), b"ef");
        drop(far);
        assert_eq!(received(fd, 4).expect("the end"), b"");
    }

    #[test]
    fn sending_takes_what_has_room_and_never_waits() {
        let (near, far) = UnixStream::pair().expect("a pair of sockets");
        let bytes = vec![7; 1 << 22];
        let first = send(near.as_raw_fd(), &bytes).expect("there is room");
        assert!(0 < first && first < bytes.len());
        let full = loop {
            if let Err(error) = send(near.as_raw_fd(), &bytes) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        drop(far);
    }

    #[test]
    fn slices_are_sent_in_order_however_many_there_are() {
        let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cd")];
        assert_eq!(send_vectored(near.as_raw_fd(), &slices).expect("room"), 4);
        let mut got = [0; 4];
        far.read_exact(&mut got).expect("it is there");
        assert_eq!(&got, b"abcd");
        let many = vec![IoSlice::new(b"x"); MOST_SLICES + 5];
        let sent = send_vectored(near.as_raw_fd(), &many).expect("room");
        assert_eq!(sent, MOST_SLICES);
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error_and_no_signal() {
        let (near, far) = UnixStream::pair().expect("a pair of sockets");
        drop(far);
        let error = send(near.as_raw_fd(), b"x").expect_err("nobody is there");
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
        let slices = [IoSlice::new(b"x")];
        let error = send_vectored(near.as_raw_fd(), &slices).expect_err("nobody is there");
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
    }

    #[test]
    fn a_descriptor_that_is_none_is_an_error() {
        let error = received(-1, 1).expect_err("no descriptor is negative");
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn small_packets_are_sent_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).expect("it listens");
        assert!(!stream.nodelay().expect("an option of TCP"));
        set_no_delay(stream.as_raw_fd()).expect("an option of TCP");
        assert!(stream.nodelay().expect("an option of TCP"));
        let (unix, _far) = UnixStream::pair().expect("a pair of sockets");
        set_no_delay(unix.as_raw_fd()).expect_err("no option of Unix sockets");
    }

    #[test]
    fn what_more_follows_waits_for_it_or_for_a_push_or_for_the_end() {
        let check = |go_on: fn(&TcpStream), expected: &[u8]| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let near = TcpStream::connect(address).expect("it listens");
            let (mut far, _) = listener.accept().expect("it was connected to");
            let first = send_more(near.as_raw_fd(), b"ab").expect("there is room");
            assert_eq!(first, 2);
            go_on(&near);
            let mut got = vec![0; expected.len()];
            far.read_exact(&mut got).expect("it has arrived");
            assert_eq!(got, expected);
        };
        check(
            |near| {
                let sent = send(near.as_raw_fd(), b"cd").expect("there is room");
                assert_eq!(sent, 2);
            },
            b"abcd",
        );
        check(
            |near| push(near.as_raw_fd()).expect("an option of TCP"),
            b"ab",
        );
        check(
            |near| {
                near.shutdown(std::net::Shutdown::Write)
                    .expect("it is connected");
            },
            b"ab",
        );
        // The kernel's own patience is short.
        check(|_| (), b"ab");
    }

    #[test]
    fn a_pending_error_is_taken_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let near = TcpStream::connect(address).expect("it listens");
        let (far, _) = listener.accept().expect("it was connected to");
        assert!(take_error(near.as_raw_fd()).expect("a socket").is_none());
        // Closed with bytes that nobody has read, a connection is reset.
        (&near).write_all(b"x").expect("there is room");
        received(far.as_raw_fd(), 0).expect("it has arrived");
        drop(far);
        let error = take_error(near.as_raw_fd()).expect("a socket");
        let code = error.and_then(|error| error.raw_os_error());
        assert_eq!(code, Some(libc::ECONNRESET));
        assert!(take_error(near.as_raw_fd()).expect("a socket").is_none());
        take_error(-1).expect_err("no descriptor is negative");
    }

    #[test]
    fn the_default_protocol_of_internet_streams_is_tcp() {
        let check = |family, kind, protocol, expected| {
            assert_eq!(is_tcp(family, kind, protocol), expected);
        };
        check(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP, true);
        check(libc::AF_INET6, libc::SOCK_STREAM, 0, true);
        check(libc::AF_INET, libc::SOCK_DGRAM, 0, false);
        check(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_UDP, false);
        check(libc::AF_UNIX, libc::SOCK_STREAM, 0, false);
    }

    #[test]
    fn a_family_and_a_kind_say_what_addresses_look_like() {
        assert_eq!(Family::of(libc::AF_INET), Family::V4);
        assert_eq!(Family::of(libc::AF_INET6), Family::V6);
        assert_eq!(Family::of(libc::AF_UNIX), Family::Unix);
        assert_eq!(Family::of(libc::AF_NETLINK), Family::Other);
        assert!(has_ports(libc::SOCK_STREAM, 0));
        assert!(has_ports(libc::SOCK_DGRAM, libc::IPPROTO_UDP));
        assert!(!has_ports(libc::SOCK_RAW, libc::IPPROTO_UDP));
        assert!(!has_ports(libc::SOCK_STREAM, libc::IPPROTO_SCTP));
    }
}
