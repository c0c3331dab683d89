//! What the poller reports, and what it withstands.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::thread::JoinHandleExt;
use std::thread;
use std::time::{Duration, Instant};

use greenloop_os::{Event, Events, Interest, Poller, Registration, Told};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{SendFlags, send};
use rustix::pipe::pipe;

const NOTHING: Interest = Interest {
    read: false,
    write: false,
};
const READ: Interest = Interest {
    read: true,
    write: false,
};
const WRITE: Interest = Interest {
    read: false,
    write: true,
};
const BOTH: Interest = Interest {
    read: true,
    write: true,
};

const fn marked(interest: Interest, told: Told, mark: u32) -> Registration {
    Registration {
        interest,
        told,
        mark,
    }
}

/// What is ready right now.
fn ready(poller: &Poller) -> Vec<Event> {
    let mut events = Events::with_capacity(16);
    poller
        .wait(&mut events, Some(Duration::ZERO))
        .expect("a poll of an open poller that does not wait succeeds");
    events.iter().collect()
}

/// What is ready as soon as anything is: what was sent over TCP may take a moment.
fn ready_soon(poller: &Poller) -> Vec<Event> {
    let mut events = Events::with_capacity(16);
    poller
        .wait(&mut events, Some(Duration::from_secs(10)))
        .expect("nobody interrupts");
    events.iter().collect()
}

fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    Ok((here, listener.accept()?.0))
}

fn readable(fd: &impl AsRawFd) -> Event {
    Event {
        fd: fd.as_raw_fd(),
        mark: 0,
        readable: true,
        writable: false,
        exceptional: false,
    }
}

fn writable(fd: &impl AsRawFd) -> Event {
    Event {
        fd: fd.as_raw_fd(),
        mark: 0,
        readable: false,
        writable: true,
        exceptional: false,
    }
}

fn both(fd: &impl AsRawFd) -> Event {
    Event {
        fd: fd.as_raw_fd(),
        mark: 0,
        readable: true,
        writable: true,
        exceptional: false,
    }
}

/// After an error or a hang-up.
fn broken(fd: &impl AsRawFd) -> Event {
    Event {
        exceptional: true,
        ..both(fd)
    }
}

fn code(outcome: io::Result<()>) -> Option<i32> {
    outcome.expect_err("the call was to fail").raw_os_error()
}

#[test]
fn a_descriptor_is_reported_for_as_long_as_it_is_ready() -> io::Result<()> {
    let poller = Poller::new()?;
    let (mut here, mut there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), READ)?;
    assert_eq!(ready(&poller), []);
    there.write_all(b"ab")?;
    assert_eq!(ready(&poller), [readable(&here)]);
    here.read_exact(&mut [0])?;
    assert_eq!(ready(&poller), [readable(&here)]);
    here.read_exact(&mut [0])?;
    assert_eq!(ready(&poller), []);
    Ok(())
}

#[test]
fn only_what_is_of_interest_is_reported() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, mut there) = UnixStream::pair()?;
    there.write_all(b"a")?;
    poller.add(here.as_raw_fd(), NOTHING)?;
    let check = |interest: Interest, expected: &[Event]| {
        poller.modify(here.as_raw_fd(), interest)?;
        assert_eq!(ready(&poller), expected, "{interest:?}");
        io::Result::Ok(())
    };
    check(READ, &[readable(&here)])?;
    check(WRITE, &[writable(&here)])?;
    check(BOTH, &[both(&here)])?;
    check(NOTHING, &[])
}

#[test]
fn a_removed_descriptor_is_not_reported() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, _there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), WRITE)?;
    assert_eq!(ready(&poller), [writable(&here)]);
    poller.remove(here.as_raw_fd())?;
    assert_eq!(ready(&poller), []);
    Ok(())
}

#[test]
fn errors_and_hang_ups_count_as_both_whatever_the_interest() -> io::Result<()> {
    for interest in [NOTHING, READ, WRITE, BOTH] {
        let poller = Poller::new()?;

        let (reader, writer) = pipe()?;
        poller.add(writer.as_raw_fd(), interest)?;
        drop(reader);
        assert_eq!(
            ready(&poller),
            [broken(&writer)],
            "no reader is left, {interest:?}"
        );
        poller.remove(writer.as_raw_fd())?;

        let (reader, writer) = pipe()?;
        poller.add(reader.as_raw_fd(), interest)?;
        drop(writer);
        assert_eq!(
            ready(&poller),
            [broken(&reader)],
            "no writer is left, {interest:?}"
        );
    }
    Ok(())
}

#[test]
fn the_end_of_what_a_peer_sends_is_no_hang_up() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), READ)?;
    there.shutdown(Shutdown::Write)?;
    assert_eq!(ready(&poller), [readable(&here)]);
    Ok(())
}

#[test]
fn a_full_buffer_leaves_the_other_events_for_the_next_wait() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), WRITE)?;
    poller.add(there.as_raw_fd(), WRITE)?;
    let mut events = Events::with_capacity(0);
    let mut seen = Vec::new();
    for _ in 0..2 {
        poller.wait(&mut events, None)?;
        assert_eq!(events.len(), 1);
        seen.extend(events.iter().map(|event| event.fd));
    }
    seen.sort_unstable();
    let mut expected = [here.as_raw_fd(), there.as_raw_fd()];
    expected.sort_unstable();
    assert_eq!(seen, expected);
    Ok(())
}

#[test]
fn a_wait_never_ends_early() -> io::Result<()> {
    let poller = Poller::new()?;
    let mut events = Events::with_capacity(1);
    for nanoseconds in [
        0, 1, 999, 50_000, 300_000, 999_999, 1_000_000, 1_000_001, 2_500_000,
    ] {
        let timeout = Duration::from_nanos(nanoseconds);
        for _ in 0..5 {
            let start = Instant::now();
            poller.wait(&mut events, Some(timeout))?;
            let elapsed = start.elapsed();
            assert!(elapsed >= timeout, "{elapsed:?} instead of {timeout:?}");
            assert!(events.is_empty());
        }
    }
    Ok(())
}

#[test]
fn a_wait_of_less_than_a_millisecond_can_take_less_than_one() -> io::Result<()> {
    let poller = Poller::new()?;
    let mut events = Events::with_capacity(1);
    let timeout = Duration::from_micros(50);
    let mut measure = || {
        let start = Instant::now();
        poller
            .wait(&mut events, Some(timeout))
            .map(|()| start.elapsed())
    };
    // The best of many, since a busy machine may keep any one of them.
    let shortest = (0..200)
        .map(|_| measure())
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .min();
    assert!(shortest < Some(Duration::from_micros(900)), "{shortest:?}");
    Ok(())
}

#[test]
fn each_wait_replaces_the_events_of_the_last() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, _there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), WRITE)?;
    let mut events = Events::with_capacity(4);
    poller.wait(&mut events, None)?;
    assert_eq!(events.iter().collect::<Vec<_>>(), [writable(&here)]);
    poller.remove(here.as_raw_fd())?;
    poller.wait(&mut events, Some(Duration::from_nanos(1)))?;
    assert!(events.is_empty());
    Ok(())
}

#[test]
fn very_long_timeouts_are_accepted() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, _there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), WRITE)?;
    let mut events = Events::with_capacity(1);
    for timeout in [
        Duration::from_secs(u64::MAX),
        Duration::MAX,
        Duration::from_secs(u64::from(u32::MAX)),
    ] {
        poller.wait(&mut events, Some(timeout))?;
        assert_eq!(events.len(), 1, "{timeout:?}");
    }
    Ok(())
}

#[test]
fn a_signal_interrupts_a_wait() -> io::Result<()> {
    extern "C" fn ignore(_signal: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = ignore;
    // SAFETY: the handler does nothing, which is safe at any point of any thread.
    let previous = unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    assert_ne!(previous, libc::SIG_ERR);

    for timeout in [None, Some(Duration::from_nanos(3_600_000_000_001))] {
        let poller = Poller::new()?;
        let waiting = thread::spawn(move || poller.wait(&mut Events::with_capacity(1), timeout));
        while !waiting.is_finished() {
            // SAFETY: a thread that has not been joined has a valid identifier.
            let outcome = unsafe { libc::pthread_kill(waiting.as_pthread_t(), libc::SIGUSR1) };
            assert_eq!(outcome, 0);
            thread::yield_now();
        }
        let outcome = waiting.join().expect("the thread only waits");
        assert_eq!(
            outcome.map_err(|error| error.kind()),
            Err(ErrorKind::Interrupted)
        );
    }
    Ok(())
}

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
fn a_change_is_reported_once_and_again_when_there_is_more() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, mut there) = UnixStream::pair()?;
    let event = |mark| Event {
        mark,
        ..readable(&here)
    };
    poller.add(here.as_raw_fd(), marked(READ, Told::OnChange, 7))?;
    there.write_all(b"a")?;
    assert_eq!(ready(&poller), [event(7)]);
    assert_eq!(ready(&poller), []);
    there.write_all(b"b")?;
    assert_eq!(ready(&poller), [event(7)]);
    // To be registered anew is to be asked what there is.
    poller.modify(here.as_raw_fd(), marked(READ, Told::OnChange, 8))?;
    assert_eq!(ready(&poller), [event(8)]);
    assert_eq!(ready(&poller), []);
    Ok(())
}

#[test]
fn the_end_of_a_stream_is_told_from_bytes_on_change() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, mut there) = tcp_pair()?;
    poller.add(here.as_raw_fd(), marked(BOTH, Told::OnChange, 1))?;
    let event = |readable, exceptional| Event {
        mark: 1,
        readable,
        exceptional,
        ..writable(&here)
    };
    assert_eq!(ready_soon(&poller), [event(false, false)]);
    there.write_all(b"a")?;
    assert_eq!(ready_soon(&poller), [event(true, false)]);
    there.shutdown(Shutdown::Write)?;
    assert_eq!(ready_soon(&poller), [event(true, true)]);
    assert_eq!(ready(&poller), []);
    Ok(())
}

#[test]
fn urgent_data_are_told_from_bytes_on_change_and_never_else() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, mut there) = tcp_pair()?;
    poller.add(here.as_raw_fd(), marked(READ, Told::OnChange, 1))?;
    send(&there, b"a", SendFlags::OOB)?;
    let told = Event {
        mark: 1,
        exceptional: true,
        ..readable(&here)
    };
    assert_eq!(ready_soon(&poller), [told]);
    assert_eq!(ready(&poller), []);
    poller.modify(here.as_raw_fd(), READ)?;
    assert_eq!(ready(&poller), []);
    there.write_all(b"b")?;
    assert_eq!(ready_soon(&poller), [readable(&here)]);
    Ok(())
}

#[test]
fn what_is_never_to_be_told_is_not_forgotten() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, mut there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), marked(READ, Told::OnChange, 1))?;
    poller.modify(here.as_raw_fd(), marked(BOTH, Told::Never, 1))?;
    there.write_all(b"a")?;
    assert_eq!(ready(&poller), []);
    // A hang-up is, once, whatever the interest.
    drop(there);
    let event = Event {
        mark: 1,
        ..broken(&here)
    };
    assert_eq!(ready(&poller), [event]);
    assert_eq!(ready(&poller), []);
    poller.modify(here.as_raw_fd(), marked(READ, Told::Always, 1))?;
    assert_eq!(ready(&poller), [event]);
    assert_eq!(ready(&poller), [event]);
    Ok(())
}

#[test]
fn a_mark_tells_a_file_from_the_one_that_had_its_number_before() -> io::Result<()> {
    const NUMBER: RawFd = FIRST_PRIVATE_NUMBER + 2;
    let poller = Poller::new()?;
    let (duplicate, mut there) = UnixStream::pair()?;
    let registered = moved_to(NUMBER, &duplicate)?;
    poller.add(NUMBER, marked(READ, Told::OnChange, 1))?;
    drop(registered);
    let (other, mut peer) = UnixStream::pair()?;
    let other = moved_to(NUMBER, other)?;
    assert_eq!(
        code(poller.modify(NUMBER, marked(READ, Told::OnChange, 2))),
        Some(libc::ENOENT)
    );
    poller.add(NUMBER, marked(READ, Told::OnChange, 2))?;
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
