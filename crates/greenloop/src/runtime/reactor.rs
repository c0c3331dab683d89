//! The registered descriptors, their readiness, and the tasks that wait for them.
//!
//! A descriptor is registered once, for both directions and edge-triggered. So a wait needs no
//! system call: an operation is tried, and if it would block, its task waits for the next change.
//! ([ADR 0008](../../../docs/decisions/0008-registrations-outlive-waits.md))
//!
//! An operation that is ready does not wait, so a task whose peer sends faster than it reads would
//! never yield the thread. Each step of a task therefore has a budget of operations; when it is
//! used up, the task waits for the next turn.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use greenloop_core::{Interest, Mode, Registration};
use greenloop_os::{Event, Events, Poller, Waker};
use slab::Slab;

use crate::waiting::WakeTarget;

/// The mark of the loop's own waker; no table of descriptors is that long.
const WAKER: u32 = u32::MAX;

/// The number of events that one poll takes from the kernel; the next reports the rest.
const EVENTS: usize = 256;

/// How many operations a step of a task may try. One of 64 KiB takes some 10 µs, so that others
/// wait for a fraction of a millisecond at most; and a turn costs little beside so many system
/// calls.
const BUDGET: u32 = 32;

/// See the module's text.
pub struct Reactor {
    poller: Poller,
    /// How many operations the present step of a task may still try.
    budget: Cell<u32>,
    events: RefCell<Events>,
    /// The registered descriptors; a mark is a place here.
    watches: RefCell<Slab<Rc<Watch>>>,
}

/// A registered descriptor.
pub struct Watch {
    fd: RawFd,
    mark: u32,
    /// Set when the kernel reports that a read tells more than bytes, and never cleared: the end of
    /// the stream is for good, and the others are rare.
    exceptional: Cell<bool>,
    reading: Direction,
    writing: Direction,
}

/// Reading or writing.
struct Direction {
    /// Cleared when an operation would have blocked, set when the kernel reports a change.
    may_be_ready: Cell<bool>,
    /// The first waiter: nearly always the only one.
    first: RefCell<Option<WakeTarget>>,
    /// The others. Nobody is here while there is no first one.
    others: RefCell<Vec<WakeTarget>>,
}

/// The readiness that an operation waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    Reading,
    Writing,
}

impl Reactor {
    pub fn new(waker: &Waker) -> io::Result<Self> {
        let poller = Poller::new()?;
        let registration = Registration {
            interest: Interest {
                read: true,
                write: false,
            },
            mode: Mode::Level,
            mark: WAKER,
        };
        poller.add(waker.as_fd().as_raw_fd(), registration)?;
        Ok(Self {
            poller,
            budget: Cell::new(BUDGET),
            events: RefCell::new(Events::with_capacity(EVENTS)),
            watches: RefCell::default(),
        })
    }

    /// Registers a descriptor, which its owner keeps open until it calls [`remove`](Self::remove).
    pub fn add(&self, descriptor: BorrowedFd<'_>) -> io::Result<Rc<Watch>> {
        let fd = descriptor.as_raw_fd();
        let mut watches = self.watches.borrow_mut();
        let entry = watches.vacant_entry();
        let mark = u32::try_from(entry.key()).unwrap_or(WAKER);
        let registration = Registration {
            interest: Interest {
                read: true,
                write: true,
            },
            mode: Mode::Edge,
            mark,
        };
        self.poller.add(fd, registration)?;
        let watch = Rc::new(Watch {
            fd,
            mark,
            exceptional: Cell::new(false),
            reading: Direction::new(),
            writing: Direction::new(),
        });
        entry.insert(Rc::clone(&watch));
        Ok(watch)
    }

    /// Forgets a descriptor that is about to be closed.
    pub fn remove(&self, watch: &Watch) {
        // It can only fail if the descriptor was closed under its owner; then there is no
        // registration to remove.
        let _gone = self.poller.remove(watch.fd);
        let removed = self.watches.borrow_mut().try_remove(watch.mark as usize);
        drop(removed);
    }

    /// A task is about to be stepped.
    #[inline]
    pub fn renew_allowance(&self) {
        self.budget.set(BUDGET);
    }

    /// Tries `operation` on the source of `watch`. If it would block, or the step has tried enough,
    /// the task of `context` is woken when another try is worth while.
    pub fn poll_with<R>(
        &self,
        watch: &Watch,
        readiness: Readiness,
        context: &Context<'_>,
        operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let direction = watch.direction(readiness);
        if direction.may_be_ready.get() {
            let Some(rest) = self.budget.get().checked_sub(1) else {
                context.waker().wake_by_ref();
                return Poll::Pending;
            };
            self.budget.set(rest);
        }
        direction.poll_with(context, operation)
    }

    /// Waits for descriptors no longer than `timeout`, and wakes the waiters for those that are
    /// ready.
    pub fn poll(&self, timeout: Option<Duration>, waker: &Waker) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        match self.poller.wait(&mut events, timeout) {
            Ok(()) => {}
            // A signal's handler has run. The next turn waits for the rest of the time.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        for event in events.iter() {
            if event.mark == WAKER {
                waker.drain();
            } else {
                self.dispatch(event);
            }
        }
        Ok(())
    }

    fn dispatch(&self, event: Event) {
        let watch = self.watches.borrow().get(event.mark as usize).cloned();
        if let Some(watch) = watch {
            if event.exceptional {
                watch.exceptional.set(true);
            }
            if event.readable {
                watch.reading.report();
            }
            if event.writable {
                watch.writing.report();
            }
        }
    }
}

impl Watch {
    const fn direction(&self, readiness: Readiness) -> &Direction {
        match readiness {
            Readiness::Reading => &self.reading,
            Readiness::Writing => &self.writing,
        }
    }

    /// A read has returned bytes, and fewer than it had room for, from a socket of which that
    /// proves that there are no more: the next read waits for a change without asking the kernel
    /// first.
    ///
    /// It proves nothing if the end of the stream, or an error, follows the bytes. Those that had
    /// come before the last poll were reported by it; those that came after are reported by the
    /// next one.
    pub fn note_short_read(&self) {
        if !self.exceptional.get() {
            self.reading.may_be_ready.set(false);
        }
    }
}

impl Direction {
    const fn new() -> Self {
        Self {
            may_be_ready: Cell::new(true),
            first: RefCell::new(None),
            others: RefCell::new(Vec::new()),
        }
    }

    fn poll_with<R>(
        &self,
        context: &Context<'_>,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        if self.may_be_ready.get() {
            loop {
                match operation() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    outcome => return Poll::Ready(outcome),
                }
            }
            // A change since the operation was tried is reported by the next poll.
            self.may_be_ready.set(false);
        }
        self.wait(context);
        Poll::Pending
    }

    fn wait(&self, context: &Context<'_>) {
        if self.knows(context) {
            return;
        }
        // Nothing is borrowed meanwhile: to clone a foreign waker may be to run anything.
        let wake_target = WakeTarget::of(context);
        let first = &mut *self.first.borrow_mut();
        if first.is_none() {
            *first = Some(wake_target);
        } else {
            self.others.borrow_mut().push(wake_target);
        }
    }

    /// Whether the task of `context` waits already.
    fn knows(&self, context: &Context<'_>) -> bool {
        let first = self.first.borrow();
        first.as_ref().is_some_and(|first| {
            first.is_of(context)
                || self
                    .others
                    .borrow()
                    .iter()
                    .any(|other| other.is_of(context))
        })
    }

    fn report(&self) {
        self.may_be_ready.set(true);
        // Taken out before any waiter is woken: a foreign waker may make one wait again.
        let Some(first) = self.first.take() else {
            return;
        };
        let others = self.others.take();
        first.wake();
        others.into_iter().for_each(WakeTarget::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;

    /// A loop's end of a connection.
    struct Near {
        reactor: Reactor,
        waker: Waker,
        watch: Rc<Watch>,
        /// Keeps the descriptor open.
        _stream: TcpStream,
    }

    impl Near {
        fn new() -> (Self, TcpStream) {
            let waker = Waker::new().expect("a descriptor");
            let reactor = Reactor::new(&waker).expect("a descriptor");
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let stream = TcpStream::connect(address).expect("it listens");
            let (far, _) = listener.accept().expect("it was connected to");
            let watch = reactor.add(stream.as_fd()).expect("a descriptor");
            let near = Self {
                reactor,
                waker,
                watch,
                _stream: stream,
            };
            near.look();
            (near, far)
        }

        fn look(&self) {
            let patience = Some(Duration::from_secs(10));
            let looked = self.reactor.poll(patience, &self.waker);
            looked.expect("it is a poller");
        }

        /// Whether a read would be tried.
        fn tries(&self) -> bool {
            let context = Context::from_waker(std::task::Waker::noop());
            let polled = self.watch.reading.poll_with(&context, || Ok(()));
            polled.is_ready()
        }
    }

    #[test]
    fn nobody_tries_to_read_after_a_short_read_before_more_has_come() {
        let (near, mut far) = Near::new();
        assert!(near.tries());
        near.watch.note_short_read();
        assert!(!near.tries());
        far.write_all(b"x").expect("there is room");
        near.look();
        assert!(near.tries());
        near.watch.note_short_read();
        assert!(!near.tries());
    }

    #[test]
    fn a_short_read_is_not_the_last_one_once_the_stream_has_ended() {
        let (near, far) = Near::new();
        far.shutdown(Shutdown::Write).expect("it is connected");
        near.look();
        near.watch.note_short_read();
        assert!(near.tries());
    }
}
