//! Interests, what a poller reports now or soon, and the events that are expected of it.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use greenloop_core::{Interest, Mode, Registration};
use greenloop_os::{Event, Events, Poller};

pub const NOTHING: Interest = Interest {
    read: false,
    write: false,
};
pub const READ: Interest = Interest {
    read: true,
    write: false,
};
pub const WRITE: Interest = Interest {
    read: false,
    write: true,
};
pub const BOTH: Interest = Interest {
    read: true,
    write: true,
};

pub const fn marked(interest: Interest, mode: Mode, mark: u32) -> Registration {
    Registration {
        interest,
        mode,
        mark,
    }
}

/// What is ready right now.
pub fn ready(poller: &Poller) -> Vec<Event> {
    let mut events = Events::with_capacity(16);
    poller
        .wait(&mut events, Some(Duration::ZERO))
        .expect("a poll of an open poller that does not wait succeeds");
    events.iter().collect()
}

/// What is ready as soon as anything is: what was sent over TCP may take a moment.
pub fn ready_soon(poller: &Poller) -> Vec<Event> {
    let mut events = Events::with_capacity(16);
    poller
        .wait(&mut events, Some(Duration::from_secs(10)))
        .expect("nobody interrupts");
    events.iter().collect()
}

pub fn readable(fd: &impl AsRawFd) -> Event {
    Event {
        fd: fd.as_raw_fd(),
        mark: 0,
        readable: true,
        writable: false,
        exceptional: false,
    }
}

pub fn writable(fd: &impl AsRawFd) -> Event {
    Event {
        fd: fd.as_raw_fd(),
        mark: 0,
        readable: false,
        writable: true,
        exceptional: false,
    }
}

pub fn both(fd: &impl AsRawFd) -> Event {
    Event {
        fd: fd.as_raw_fd(),
        mark: 0,
        readable: true,
        writable: true,
        exceptional: false,
    }
}

/// After an error or a hang-up.
pub fn broken(fd: &impl AsRawFd) -> Event {
    Event {
        exceptional: true,
        ..both(fd)
    }
}

pub fn code(outcome: io::Result<()>) -> Option<i32> {
    outcome.expect_err("the call was to fail").raw_os_error()
}
