//! Descriptors that cannot be registered, that were closed, and whose numbers have gone to other
//! files.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use greenloop_core::Mode;
use greenloop_os::{Event, Poller};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd};

use super::expectations::{READ, WRITE, code, marked, readable, ready};

#[test]
fn wrong_registrations_are_errors_with_their_codes() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, _there) = UnixStream::pair()?;
    let fd = here.as_raw_fd();
    assert_eq!(code(poller.modify(fd, READ)), Some(libc::ENOENT));
    assert_eq!(code(poller.remove(fd)), Some(libc::ENOENT));
    poller.add(fd, READ)?;
    assert_eq!(code(poller.add(fd, WRITE)), Some(libc::EEXIST));

    for closed in [-1, RawFd::MIN, RawFd::MAX] {
        assert_eq!(
            code(poller.add(closed, READ)),
            Some(libc::EBADF),
            "{closed}"
        );
        assert_eq!(
            code(poller.modify(closed, READ)),
            Some(libc::EBADF),
            "{closed}"
        );
        assert_eq!(code(poller.remove(closed)), Some(libc::EBADF), "{closed}");
    }

    let regular = File::open(std::env::current_exe()?)?;
    assert_eq!(
        code(poller.add(regular.as_raw_fd(), READ)),
        Some(libc::EPERM)
    );
    let itself = poller.as_fd().as_raw_fd();
    assert_eq!(code(poller.add(itself, READ)), Some(libc::EINVAL));
    Ok(())
}

#[test]
fn descriptors_are_closed_on_exec() -> io::Result<()> {
    assert!(fcntl_getfd(&Poller::new()?)?.contains(FdFlags::CLOEXEC));
    Ok(())
}

/// Tests run at once in threads that open and close descriptors; what one is to be the next user
/// of a number, or none at all, uses numbers from here on that no other test comes near.
const FIRST_PRIVATE_NUMBER: RawFd = 600;

fn moved_to(number: RawFd, fd: impl AsFd) -> io::Result<OwnedFd> {
    let moved = fcntl_dupfd_cloexec(fd, number)?;
    assert_eq!(moved.as_raw_fd(), number, "the number was to be free");
    Ok(moved)
}

#[test]
fn a_closed_descriptor_does_no_harm() -> io::Result<()> {
    const NUMBER: RawFd = FIRST_PRIVATE_NUMBER;
    let poller = Poller::new()?;
    let (here, mut there) = UnixStream::pair()?;
    let registered = moved_to(NUMBER, here)?;
    poller.add(NUMBER, READ)?;
    there.write_all(b"a")?;
    assert_eq!(ready(&poller), [readable(&registered)]);

    drop(registered);
    assert_eq!(ready(&poller), []);
    assert_eq!(code(poller.remove(NUMBER)), Some(libc::EBADF));

    // The number is given to another file, which is not registered by that.
    let (other, mut peer) = UnixStream::pair()?;
    peer.write_all(b"b")?;
    let other = moved_to(NUMBER, other)?;
    assert_eq!(ready(&poller), []);
    assert_eq!(code(poller.remove(NUMBER)), Some(libc::ENOENT));
    poller.add(NUMBER, READ)?;
    assert_eq!(ready(&poller), [readable(&other)]);
    Ok(())
}

#[test]
fn a_closed_descriptor_with_a_duplicate_goes_on_being_reported() -> io::Result<()> {
    const NUMBER: RawFd = FIRST_PRIVATE_NUMBER + 1;
    let poller = Poller::new()?;
    let (duplicate, mut there) = UnixStream::pair()?;
    let registered = moved_to(NUMBER, &duplicate)?;
    poller.add(NUMBER, READ)?;
    there.write_all(b"a")?;
    drop(registered);
    assert_eq!(ready(&poller), [readable(&NUMBER)]);
    assert_eq!(code(poller.remove(NUMBER)), Some(libc::EBADF));
    drop(duplicate);
    assert_eq!(ready(&poller), []);
    Ok(())
}

#[test]
fn a_mark_tells_a_file_from_the_one_that_had_its_number_before() -> io::Result<()> {
    const NUMBER: RawFd = FIRST_PRIVATE_NUMBER + 2;
    let poller = Poller::new()?;
    let (duplicate, mut there) = UnixStream::pair()?;
    let registered = moved_to(NUMBER, &duplicate)?;
    poller.add(NUMBER, marked(READ, Mode::Edge, 1))?;
    drop(registered);
    let (other, mut peer) = UnixStream::pair()?;
    let other = moved_to(NUMBER, other)?;
    assert_eq!(
        code(poller.modify(NUMBER, marked(READ, Mode::Edge, 2))),
        Some(libc::ENOENT)
    );
    poller.add(NUMBER, marked(READ, Mode::Edge, 2))?;
    there.write_all(b"a")?;
    let with_mark = |mark| Event {
        mark,
        ..readable(&other)
    };
    assert_eq!(ready(&poller), [with_mark(1)]);
    peer.write_all(b"b")?;
    assert_eq!(ready(&poller), [with_mark(2)]);
    Ok(())
}
