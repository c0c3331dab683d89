//! Readers and writers: who is told that a descriptor became readable or writable.
//!
//! That is a `Handle`, as `add_reader` makes one, or native code: a transport reacts to readiness
//! without a Python object per event.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::fd::{AsFd, AsRawFd, RawFd};

use greenloop_os::{Events, Interest, Poller, Waker};
use pyo3::exceptions::{PyOSError, PyOverflowError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyTuple};

use super::{EventLoop, Job};
use crate::handle::{self, Handle};
use crate::interop::{Object, Result, globals};

/// What native code does when a descriptor of its is ready.
pub struct Reaction {
    /// Runs in no particular context. The ticket is that of the registration which was told: if the
    /// owner has ended that one since, there is nothing to do.
    pub react: fn(owner: &Object, ticket: u32) -> Result<()>,
    /// A handle that stands for the reaction, for messages.
    pub handle: fn(owner: &Object) -> Result<Object>,
}

/// One side of a descriptor that native code listens to.
#[derive(Clone)]
pub struct NativeListener {
    pub reaction: &'static Reaction,
    pub owner: Object,
    pub ticket: u32,
}

/// Who is told that a descriptor is ready.
pub enum Listener {
    /// A `Handle` of ours, to be run.
    Handle(Object),
    Native(NativeListener),
}

impl Listener {
    const fn object(&self) -> &Object {
        match self {
            Self::Handle(handle) => handle,
            Self::Native(native) => &native.owner,
        }
    }

    /// What a listener does that is no longer told: a handle that is queued already must not run.
    /// Native listeners look at their tickets.
    fn retire(&self) -> Result<()> {
        match self {
            Self::Handle(handle) => handle::cancel(handle).map(drop),
            Self::Native(_) => Ok(()),
        }
    }

    fn job(&self) -> Option<Job> {
        match self {
            Self::Handle(handle) if Handle::of(handle).is_cancelled() => None,
            Self::Handle(handle) => Some(Job::Handle(handle.clone())),
            Self::Native(native) => Some(Job::Ready(native.clone())),
        }
    }
}

/// The listeners of one descriptor.
#[derive(Default)]
struct Watch {
    reader: Option<Listener>,
    writer: Option<Listener>,
    /// The object with a `fileno()` that was given for the number, if one was. Who has closed it can
    /// still end its watch, and as long as it is watched nothing else closes it.
    file: Option<Object>,
}

impl Watch {
    const fn interest(&self) -> Interest {
        Interest {
            read: self.reader.is_some(),
            write: self.writer.is_some(),
        }
    }

    const fn side(&mut self, side: Side) -> &mut Option<Listener> {
        match side {
            Side::Reader => &mut self.reader,
            Side::Writer => &mut self.writer,
        }
    }
}

/// What a listener is told of.
#[derive(Clone, Copy)]
pub enum Side {
    /// That the descriptor is readable.
    Reader,
    /// That the descriptor is writable.
    Writer,
}

/// All watched descriptors. A map and not a vector: the number comes from the caller and may be huge.
#[derive(Default)]
pub struct Watches(HashMap<RawFd, Watch, BuildHasherDefault<DescriptorHasher>>);

/// Spreads descriptors over a map. They are small numbers that the kernel gives out, so nobody can
/// choose them to collide, and one multiplication does (Fibonacci hashing).
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

/// What a change of a watch comes to.
struct Change {
    /// The listener that was there.
    old: Option<Listener>,
    /// What the poller had to report before.
    before: Interest,
    /// What it has to report now.
    after: Interest,
    /// The watch, if it has ended. To drop it may run user code, so it is not done in here.
    ended: Option<Watch>,
}

impl Watches {
    /// Puts `listener` on one side of a descriptor's watch.
    fn replace(&mut self, fd: RawFd, side: Side, listener: Option<Listener>) -> Change {
        let watch = self.0.entry(fd).or_default();
        let before = watch.interest();
        let old = std::mem::replace(watch.side(side), listener);
        let after = watch.interest();
        let ended = if after.read || after.write {
            None
        } else {
            self.0.remove(&fd)
        };
        Change {
            old,
            before,
            after,
            ended,
        }
    }

    /// Keeps the object by which the watched descriptor is known, if there is none yet.
    fn keep_file(&mut self, fd: RawFd, file: &Object) {
        if let Some(watch) = self.0.get_mut(&fd) {
            watch.file.get_or_insert_with(|| file.clone());
        }
    }

    /// The descriptor that is watched for this very object.
    fn descriptor_of(&self, file: &Object) -> Option<RawFd> {
        let known = |watch: &Watch| {
            let watched = watch.file.as_ref();
            watched.is_some_and(|watched| watched.is(file.as_ptr()))
        };
        let mut watches = self.0.iter();
        watches.find_map(|(fd, watch)| known(watch).then_some(*fd))
    }

    /// Whether one side of a descriptor's watch is `owner`'s.
    fn is_of(&self, fd: RawFd, side: Side, owner: &Object) -> bool {
        let watch = self.0.get(&fd);
        let listener = watch.and_then(|watch| match side {
            Side::Reader => watch.reader.as_ref(),
            Side::Writer => watch.writer.as_ref(),
        });
        listener.is_some_and(
            |listener| matches!(listener, Listener::Native(native) if native.owner.is(owner.as_ptr())),
        )
    }

    /// Shows the listeners to the garbage collector.
    pub fn visit(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        for watch in self.0.values() {
            for listener in [&watch.reader, &watch.writer].into_iter().flatten() {
                visit.call(listener.object().as_py())?;
            }
            if let Some(file) = &watch.file {
                visit.call(file.as_py())?;
            }
        }
        Ok(())
    }
}

/// An operating system error as the `OSError` subclass that its number stands for.
pub fn os_error(error: &std::io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => Python::attach(|py| {
            let text = py.import("os").and_then(|os| {
                os.getattr("strerror")?
                    .call1((number,))?
                    .extract::<String>()
            });
            match text {
                Ok(text) => PyOSError::new_err((number, text)),
                Err(failure) => failure,
            }
        }),
        None => PyOSError::new_err(error.to_string()),
    }
}

/// Has the poller report the waker's descriptor.
pub fn watch_waker(poller: &Poller, waker: &Waker) -> PyResult<()> {
    let interest = Interest {
        read: true,
        write: false,
    };
    poller
        .add(waker.as_fd().as_raw_fd(), interest)
        .map_err(|error| os_error(&error))
}

impl EventLoop {
    /// Has `listener` told of what happens to one side of a descriptor, instead of who was told before.
    pub fn listen(&self, fd: RawFd, side: Side, listener: NativeListener) -> Result<()> {
        self.check_closed()?;
        match self.change(fd, side, Some(Listener::Native(listener)))? {
            Some(old) => old.retire(),
            None => Ok(()),
        }
    }

    /// Ends what [`listen`](Self::listen) began, if `owner` still is who is told: the number of a
    /// descriptor that was closed may be somebody else's by now.
    pub fn stop_listening(&self, fd: RawFd, side: Side, owner: &Object) {
        if self.is_listening(fd, side, owner) {
            // To remove cannot fail, see `change`; to narrow the interest fails for a descriptor that
            // was closed before, which then is not watched either.
            let _closed_before = self.change(fd, side, None);
        }
    }

    /// Has the next turn ask the operating system, because native code has just sent something or the loop
    /// begins to run.
    #[inline]
    pub fn expect_input(&self) {
        self.queue.with(|queue| queue.budget.expect_input());
    }

    /// Whether one side of a descriptor is listened to by `owner`.
    pub fn is_listening(&self, fd: RawFd, side: Side, owner: &Object) -> bool {
        self.watches.with(|watches| watches.is_of(fd, side, owner))
    }

    /// Queues the callbacks of what the poller reported.
    pub(super) fn dispatch(&self, events: &Events) {
        if events.is_empty() {
            return;
        }
        let waker = self.waker.as_fd().as_raw_fd();
        self.queue.with(|queue| {
            self.watches.with(|watches| {
                for event in events.iter() {
                    if event.fd == waker {
                        self.waker.drain();
                    } else if let Some(watch) = watches.0.get(&event.fd) {
                        let readable = watch.reader.as_ref().filter(|_| event.readable);
                        let writable = watch.writer.as_ref().filter(|_| event.writable);
                        for listener in [readable, writable].into_iter().flatten() {
                            if let Some(job) = listener.job() {
                                queue.ready.push(job);
                            }
                        }
                    }
                }
            });
        });
    }

    /// Sets or removes one side of a watch, tells the poller, and returns the listener that was there.
    fn change(
        &self,
        fd: RawFd,
        side: Side,
        listener: Option<Listener>,
    ) -> PyResult<Option<Listener>> {
        let Change {
            old,
            before,
            after,
            ended,
        } = self
            .watches
            .with(|watches| watches.replace(fd, side, listener));
        let watched = |interest: Interest| interest.read || interest.write;
        let outcome = match (watched(before), watched(after)) {
            (false, false) => Ok(()),
            (false, true) => self.poller.add(fd, after),
            (true, false) => {
                // A descriptor that was closed first has left the poller by itself (epoll(7)).
                let _closed_before = self.poller.remove(fd);
                Ok(())
            }
            (true, true) if before == after => Ok(()),
            // The descriptor was closed and its number given to a new file: it is watched anew.
            (true, true) => self
                .poller
                .modify(fd, after)
                .or_else(|_| self.poller.add(fd, after)),
        };
        if let Err(error) = outcome {
            let refused = self.watches.with(|watches| watches.replace(fd, side, old));
            drop(refused);
            return Err(os_error(&error));
        }
        drop(ended);
        Ok(old)
    }

    fn add(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        side: Side,
        callback: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let this = slf.get();
        this.check_closed()?;
        let file = fd;
        let fd = this.watched_descriptor(file)?;
        let callback = Object::from(callback.clone());
        let arguments: Vec<Object> = args.iter().map(Object::from).collect();
        let event_loop = Object::from(slf.clone().into_any());
        let class = globals().classes.handle.as_ptr();
        // asyncio's own transports give one from 3.15 on.
        let context = context.map(Object::from);
        let context = context.as_ref();
        let native = Some(this);
        let handle = Handle::create(class, &callback, &arguments, context, &event_loop, native)?;
        Handle::track(&handle);
        if let Some(old) = this.change(fd, side, Some(Listener::Handle(handle.clone())))? {
            old.retire()?;
        }
        if !file.is_instance_of::<PyInt>() {
            let file = Object::from(file.clone());
            this.watches.with(|watches| watches.keep_file(fd, &file));
        }
        Ok(handle.bound(slf.py()).unbind())
    }

    fn remove(&self, fd: &Bound<'_, PyAny>, side: Side) -> PyResult<bool> {
        if self.closed.get() {
            return Ok(false);
        }
        let fd = match self.watched_descriptor(fd) {
            // No descriptor has a number that large.
            Err(error) if error.is_instance_of::<PyOverflowError>(fd.py()) => return Ok(false),
            fd => fd?,
        };
        match self.change(fd, side, None)? {
            Some(old) => {
                old.retire()?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// The number of a descriptor, also of an object that was closed since it is watched.
    fn watched_descriptor(&self, fd: &Bound<'_, PyAny>) -> PyResult<RawFd> {
        descriptor(fd).or_else(|error| {
            if !error.is_instance_of::<PyValueError>(fd.py()) {
                return Err(error);
            }
            let file = Object::from(fd.clone());
            let watched = self.watches.with(|watches| watches.descriptor_of(&file));
            watched.ok_or(error)
        })
    }
}

/// The number of a descriptor given as an int or as an object with `fileno()`, refused as the
/// `selectors` module refuses it.
fn descriptor(fd: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    // Asks no module for the common case, which also occurs when none can be imported any more.
    if fd.is_instance_of::<PyInt>() {
        let number = fd.extract::<RawFd>()?;
        if number >= 0 {
            return Ok(number);
        }
    }
    let py = fd.py();
    py.import(intern!(py, "selectors"))?
        .getattr("_fileobj_to_fd")?
        .call1((fd,))?
        .extract()
}

#[pymethods]
impl EventLoop {
    /// Call `callback(*args)` whenever `fd` is readable, instead of what was called before.
    /// `context` is what asyncio's own transports give from 3.15 on.
    #[pyo3(signature = (fd, callback, *args, context=None))]
    fn _add_reader(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        callback: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        Self::add(slf, fd, Side::Reader, callback, args, context)
    }

    /// Call `callback(*args)` whenever `fd` is writable, instead of what was called before.
    #[pyo3(signature = (fd, callback, *args, context=None))]
    fn _add_writer(
        slf: &Bound<'_, Self>,
        fd: &Bound<'_, PyAny>,
        callback: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        Self::add(slf, fd, Side::Writer, callback, args, context)
    }

    /// Which events of `fd` are watched: the sum of `selectors.EVENT_READ` and `EVENT_WRITE`.
    fn _watched_events(&self, fd: RawFd) -> u8 {
        let interest = self
            .watches
            .with(|watches| watches.0.get(&fd).map(Watch::interest));
        interest.map_or(0, |interest| {
            u8::from(interest.read) + 2 * u8::from(interest.write)
        })
    }

    /// Stop watching `fd` for readability. Return whether it was watched.
    fn _remove_reader(&self, fd: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.remove(fd, Side::Reader)
    }

    /// Stop watching `fd` for writability. Return whether it was watched.
    fn _remove_writer(&self, fd: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.remove(fd, Side::Writer)
    }
}
