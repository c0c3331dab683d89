//! The watched descriptors of a loop: their listeners, and their registrations in the poller.
//!
//! Nothing here runs Python code or drops an object: a listener that has ended is handed to the
//! caller.
//!
//! ```text
//!   unknown ── add ──► Always (level-triggered) ── the last listener leaves ──► removed
//!            └─ add ─► OnChange (waits only) ── the waits end ──► silenced: Never ──► renewed
//! ```
//! A number says nothing about a file: it may have been closed and given out again. So an event
//! carries the mark of its registration, a wait compares the socket by a weak reference, and a
//! registration that cannot be modified means that the file is gone.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::os::fd::RawFd;

use greenloop_core::{Interest, Registered, Registrar, Registration};
use greenloop_cpython::{Native, Object, Result};
use greenloop_os::{Event, Poller};
use pyo3::gc::{PyTraverseError, PyVisit};

use crate::handle::{self, Handle};
use crate::scheduler::{Job, NativeListener};

/// The listener to a descriptor's readiness.
pub enum Listener {
    /// One of our `Handle`s, to run.
    Handle(Native<Handle>),
    /// Native code that is notified as long as its descriptor is ready, such as a transport.
    Native(NativeListener),
    /// Native code that waits until it is notified, and then listens again or is done.
    Wait(NativeListener),
}

impl Listener {
    fn object(&self) -> &Object {
        match self {
            Self::Handle(handle) => handle,
            Self::Native(native) | Self::Wait(native) => &native.owner,
        }
    }

    /// Retires a listener that is no longer notified: a handle that is queued already must not run.
    /// Native listeners compare their generations, and waits check whether they are over.
    pub fn retire(&self) -> Result<()> {
        match self {
            Self::Handle(handle) => handle::cancel(handle).map(drop),
            Self::Native(_) | Self::Wait(_) => Ok(()),
        }
    }

    /// The job that notifies the listener, or none if it is cancelled or due anyway.
    pub fn job(&self) -> Option<Job> {
        match self {
            Self::Handle(handle) if handle.get().is_cancelled() => None,
            Self::Handle(handle) => Some(Job::Handle(handle.up().clone())),
            Self::Native(native) | Self::Wait(native) => {
                let is_due = native.reaction.is_due;
                (!is_due.is_some_and(|is_due| is_due(&native.owner, native.generation)))
                    .then(|| Job::Ready(native.clone()))
            }
        }
    }
}

/// The listeners of one descriptor, and its registration in the poller.
#[derive(Default)]
pub struct Watch {
    reader: Option<Listener>,
    writer: Option<Listener>,
    /// A registration that waits have made stays when there are no more listeners.
    registered: Registered,
    /// A weak reference to the socket whose readability is registered edge-triggered.
    socket: Option<Object>,
    /// The object with a `fileno()` that was given for the number, if one was. Its watch can still
    /// be ended after it was closed, and as long as it is watched nothing else closes it.
    file: Option<Object>,
}

impl Watch {
    /// What the listeners wait for, whatever the poller was told.
    pub const fn interest(&self) -> Interest {
        Interest {
            read: self.reader.is_some(),
            write: self.writer.is_some(),
        }
    }

    /// The place of a side's listener.
    const fn side(&mut self, side: Side) -> &mut Option<Listener> {
        match side {
            Side::Reader => &mut self.reader,
            Side::Writer => &mut self.writer,
        }
    }

    /// The reader, then the writer: the order in which they are notified.
    pub fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.reader.iter().chain(&self.writer)
    }

    /// Whether each listener is a wait.
    fn are_waits(&self) -> bool {
        self.listeners()
            .all(|listener| matches!(listener, Listener::Wait(_)))
    }

    /// Registers the present listeners in the poller. `last_mark` counts the registrations.
    #[inline]
    fn register(&mut self, poller: &Poller, fd: RawFd, last_mark: &mut u32) -> io::Result<()> {
        let (interest, are_waits) = (self.interest(), self.are_waits());
        let registrar = Descriptor { poller, fd };
        self.registered
            .update(&registrar, interest, are_waits, last_mark)
    }

    /// Whether changes that make `socket` readable are reported already, and nothing else is.
    pub fn tells_of(&self, socket: &Object) -> bool {
        let same = self
            .socket
            .as_ref()
            .is_some_and(|known| known.is(socket.as_ptr()));
        self.registered.tells_of_bytes() && same && self.writer.is_none()
    }

    /// Schedules the jobs for an event, by `push`.
    pub fn tell(&self, event: Event, push: impl FnMut(Job)) {
        if !self.registered.is_marked(event.mark) {
            return;
        }
        let told = [
            self.reader.as_ref().filter(|_| event.readable),
            self.writer.as_ref().filter(|_| event.writable),
        ];
        told.into_iter()
            .flatten()
            .filter_map(Listener::job)
            .for_each(push);
    }
}

/// A descriptor in the poller.
struct Descriptor<'a> {
    poller: &'a Poller,
    fd: RawFd,
}

impl Registrar for Descriptor<'_> {
    type Error = io::Error;

    #[inline]
    fn add(&self, registration: Registration) -> io::Result<()> {
        self.poller.add(self.fd, registration)
    }

    #[inline]
    fn modify(&self, registration: Registration) -> io::Result<()> {
        self.poller.modify(self.fd, registration)
    }

    #[inline]
    fn remove(&self) -> io::Result<()> {
        self.poller.remove(self.fd)
    }
}

/// The side of a descriptor that a listener watches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// That the descriptor is readable.
    Reader,
    /// That the descriptor is writable.
    Writer,
}

/// How many waits may have ended that the poller still tells of in vain while the loop is busy.
const MOST_ENDED: usize = 128;

/// All watched descriptors. A map and not a vector: the number comes from the caller and may be
/// huge.
#[derive(Default)]
pub struct Watches {
    by_number: HashMap<RawFd, Watch, BuildHasherDefault<DescriptorHasher>>,
    /// The mark of the last registration. The waker's is 0.
    last_mark: u32,
    /// The number of descriptors with a listener for writing.
    writers: usize,
    /// Descriptors whose waits have ended since the last were silenced. Somebody may wait for them
    /// again.
    ended: Vec<RawFd>,
}

/// Spreads descriptors over a map. They are small numbers that the kernel gives out, so they cannot
/// be chosen to collide, and one multiplication suffices (Fibonacci hashing).
#[derive(Default)]
struct DescriptorHasher(u64);

impl Hasher for DescriptorHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i32((*byte).into());
        }
    }

    fn write_i32(&mut self, number: i32) {
        let number = i64::from(number) as u64;
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The outcome of a change of a watch. Dropping it may run user code, so the caller does that.
pub struct Change {
    /// The listener that was there, or the one that the poller refused.
    pub listener: Option<Listener>,
    /// The object by which the descriptor was known, if there is no listener any more.
    pub _file: Option<Object>,
    /// The poller's answer.
    pub outcome: io::Result<()>,
}

impl Watches {
    /// The watch of a descriptor, if it has one.
    pub fn get(&self, fd: RawFd) -> Option<&Watch> {
        self.by_number.get(&fd)
    }

    /// The descriptors that have a listener.
    pub fn listened(&self) -> impl Iterator<Item = RawFd> {
        let watches = self.by_number.iter();
        watches
            .filter(|(_, watch)| watch.reader.is_some() || watch.writer.is_some())
            .map(|(fd, _)| *fd)
    }

    /// Puts `listener` on one side of a descriptor's watch, and tells the poller.
    ///
    /// If the poller refuses, the listener before is back in its place, and the new one is
    /// returned.
    pub fn replace(
        &mut self,
        poller: &Poller,
        fd: RawFd,
        side: Side,
        listener: Option<Listener>,
    ) -> Change {
        let watch = self.by_number.entry(fd).or_default();
        let old = std::mem::replace(watch.side(side), listener);
        let outcome = watch.register(poller, fd, &mut self.last_mark);
        let listener = match outcome {
            Ok(()) => old,
            Err(_) => std::mem::replace(watch.side(side), old),
        };
        if outcome.is_ok() && side == Side::Writer {
            self.writers += usize::from(watch.writer.is_some());
            self.writers -= usize::from(listener.is_some());
        }
        let mut file = None;
        let interest = watch.interest();
        if interest.is_none() {
            file = watch.file.take();
            if watch.registered.is_ended(interest) {
                self.ended.push(fd);
            } else if watch.registered.is_unknown() {
                self.by_number.remove(&fd);
            }
        }
        Change {
            listener,
            _file: file,
            outcome,
        }
    }

    /// Puts a wait for `socket`, of which this is a weak reference, on the reading side of a watch
    /// that tells of its changes already. Gives the listener back if it does not.
    ///
    /// No system call: the registration reports the next change by itself.
    pub fn wait_again(
        &mut self,
        fd: RawFd,
        socket: &Object,
        listener: NativeListener,
    ) -> std::result::Result<Option<Listener>, NativeListener> {
        match self.by_number.get_mut(&fd) {
            Some(watch) if watch.tells_of(socket) => {
                Ok(watch.reader.replace(Listener::Wait(listener)))
            }
            _ => Err(listener),
        }
    }

    /// Whether any listener waits for room.
    pub const fn has_writers(&self) -> bool {
        self.writers > 0
    }

    /// Remembers the socket whose changes are reported. Returns the one remembered before.
    pub fn remember(&mut self, fd: RawFd, socket: Object) -> Option<Object> {
        let watch = self.by_number.get_mut(&fd)?;
        watch.socket.replace(socket)
    }

    /// Whether so many waits have ended that they are worth silencing although the loop is busy.
    pub fn many_ended(&self) -> bool {
        self.ended.len() > MOST_ENDED
    }

    /// Disables the registrations of ended waits in the poller. Returns the watches for the caller
    /// to drop.
    ///
    /// One system call for each, so it is done when the loop is about to wait, and not for a few
    /// while it is busy.
    pub fn silence_ended(&mut self, poller: &Poller) -> Vec<Watch> {
        let mut gone = Vec::new();
        for fd in std::mem::take(&mut self.ended) {
            let Some(watch) = self.by_number.get_mut(&fd) else {
                continue;
            };
            let interest = watch.interest();
            let registrar = Descriptor { poller, fd };
            if watch.registered.silence(&registrar, interest) {
                // It was closed before, and with that has left the poller (epoll(7)).
                gone.extend(self.by_number.remove(&fd));
            }
        }
        gone
    }

    /// Keeps the object by which the watched descriptor is known, if there is none yet.
    pub fn keep_file(&mut self, fd: RawFd, file: &Object) {
        if let Some(watch) = self.by_number.get_mut(&fd) {
            watch.file.get_or_insert_with(|| file.clone());
        }
    }

    /// The descriptor that is watched for this very object.
    ///
    /// Looks at all watches: for an object that was closed, and is to be watched no more.
    pub fn descriptor_of(&self, file: &Object) -> Option<RawFd> {
        let known = |watch: &Watch| {
            let watched = watch.file.as_ref();
            watched.is_some_and(|watched| watched.is(file.as_ptr()))
        };
        let mut watches = self.by_number.iter();
        watches.find_map(|(fd, watch)| known(watch).then_some(*fd))
    }

    /// Whether one side of a descriptor's watch is `owner`'s.
    pub fn is_of(&self, fd: RawFd, side: Side, owner: &Object) -> bool {
        let watch = self.by_number.get(&fd);
        let listener = watch.and_then(|watch| match side {
            Side::Reader => watch.reader.as_ref(),
            Side::Writer => watch.writer.as_ref(),
        });
        match listener {
            Some(Listener::Native(native) | Listener::Wait(native)) => {
                native.owner.is(owner.as_ptr())
            }
            Some(Listener::Handle(_)) | None => false,
        }
    }

    /// Shows the listeners to the garbage collector.
    pub fn visit(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        for watch in self.by_number.values() {
            for listener in watch.listeners() {
                visit.call(listener.object().as_py())?;
            }
            if let Some(file) = &watch.file {
                visit.call(file.as_py())?;
            }
        }
        Ok(())
    }
}
