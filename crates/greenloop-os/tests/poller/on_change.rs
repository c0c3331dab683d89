//! Registrations that report each change once, with their mark, and those that report nothing.

use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use greenloop_core::Mode;
use greenloop_os::{Event, Poller};
use rustix::net::{SendFlags, send};

use super::expectations::{BOTH, READ, broken, marked, readable, ready, ready_soon, writable};

fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    Ok((here, listener.accept()?.0))
}

#[test]
fn a_change_is_reported_once_and_again_when_there_is_more() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, mut there) = UnixStream::pair()?;
    let event = |mark| Event {
        mark,
        ..readable(&here)
    };
    poller.add(here.as_raw_fd(), marked(READ, Mode::Edge, 7))?;
    there.write_all(b"a")?;
    assert_eq!(ready(&poller), [event(7)]);
    assert_eq!(ready(&poller), []);
    there.write_all(b"b")?;
    assert_eq!(ready(&poller), [event(7)]);
    // To be registered anew is to be asked what there is.
    poller.modify(here.as_raw_fd(), marked(READ, Mode::Edge, 8))?;
    assert_eq!(ready(&poller), [event(8)]);
    assert_eq!(ready(&poller), []);
    Ok(())
}

#[test]
fn the_end_of_a_stream_is_told_from_bytes_on_change() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, mut there) = tcp_pair()?;
    poller.add(here.as_raw_fd(), marked(BOTH, Mode::Edge, 1))?;
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
    poller.add(here.as_raw_fd(), marked(READ, Mode::Edge, 1))?;
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
    poller.add(here.as_raw_fd(), marked(READ, Mode::Edge, 1))?;
    poller.modify(here.as_raw_fd(), marked(BOTH, Mode::Disabled, 1))?;
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
    poller.modify(here.as_raw_fd(), marked(READ, Mode::Level, 1))?;
    assert_eq!(ready(&poller), [event]);
    assert_eq!(ready(&poller), [event]);
    Ok(())
}
