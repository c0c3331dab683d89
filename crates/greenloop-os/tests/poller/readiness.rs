//! Which descriptors and what about them a wait reports.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use greenloop_core::Interest;
use greenloop_os::{Event, Events, Poller};
use rustix::pipe::pipe;

use super::expectations::{BOTH, NOTHING, READ, WRITE, both, broken, readable, ready, writable};

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
    let end = Event {
        exceptional: true,
        ..readable(&here)
    };
    assert_eq!(ready(&poller), [end]);
    Ok(())
}

#[test]
fn the_end_is_not_reported_to_a_registration_for_writing_only() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), WRITE)?;
    there.shutdown(Shutdown::Write)?;
    assert_eq!(ready(&poller), [writable(&here)]);
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
