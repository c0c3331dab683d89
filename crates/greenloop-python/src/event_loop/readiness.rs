//! Readers and writers: who is told that a descriptor became readable or writable.
//!
//! That is a `Handle`, as `add_reader` makes one, or native code: a transport reacts to readiness
//! without a Python object per event, and so does a wait such as `sock_recv`'s.
//!
//! A descriptor with nothing but waits is reported when something has come, and stays registered when
//! they are over: until the next poll, after which it is silent until a wait renews it. Whoever else
//! listens is told as long as that lasts ([0008](../../../../docs/decisions/0008-registrations-outlive-waits.md)).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use greenloop_os::{Event, Events, Interest, Poller, Registration, Told, Waker};
use pyo3::exceptions::{PyOSError, PyOverflowError, PyValueError};
use pyo3::ffi;
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
    /// Native code that waits until it is told, and then listens again or is done.
    Wait(NativeListener),
}

impl Listener {
    const fn object(&self) -> &Object {
        match self {
            Self::Handle(handle) => handle,
            Self::Native(native) | Self::Wait(native) => &native.owner,
        }
    }

    /// What a listener does that is no longer told: a handle that is queued already must not run.
    /// Native listeners look at their tickets, and waits at whether they are over.
    fn retire(&self) -> Result<()> {
        match self {
            Self::Handle(handle) => handle::cancel(handle).map(drop),
            Self::Native(_) | Self::Wait(_) => Ok(()),
        }
    }

    fn job(&self) -> Option<Job> {
        match self {
            Self::Handle(handle) if Handle::of(handle).is_cancelled() => None,
            Self::Handle(handle) => Some(Job::Handle(handle.clone())),
            Self::Native(native) | Self::Wait(native) => Some(Job::Ready(native.clone())),
        }
    }
}

/// The listeners of one descriptor, and what the poller has been told of it.
#[derive(Default)]
struct Watch {
    reader: Option<Listener>,
    writer: Option<Listener>,
    /// `None` if the poller does not know the descriptor. What waits have registered stays here when
    /// nobody listens any more.
    registered: Option<Registration>,
    /// A weak reference to the socket whose readability is registered so that only changes are told.
    socket: Option<Object>,
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

    fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.reader.iter().chain(&self.writer)
    }

    /// When who listens now wants to be told: waits have tried before.
    fn told(&self) -> Told {
        let waits = |listener| matches!(listener, &Listener::Wait(_));
        if self.listeners().all(waits) {
            Told::OnChange
        } else {
            Told::Always
        }
    }

    /// Whether the poller tells of changes and nobody wants to know.
    fn is_unwanted(&self) -> bool {
        let told = self.registered.map(|known| known.told);
        told == Some(Told::OnChange) && self.listeners().next().is_none()
    }

    /// Tells the poller who listens now. `next_mark` counts the registrations.
    fn register(&mut self, poller: &Poller, fd: RawFd, next_mark: &mut u32) -> io::Result<()> {
        let interest = self.interest();
        let Some(known) = self.registered else {
            if !interest.read && !interest.write {
                return Ok(());
            }
            return self.register_anew(poller, fd, next_mark);
        };
        if !interest.read && !interest.write {
            // What tells of changes is silenced before the next poll, unless somebody waits by then.
            if known.told == Told::Always {
                self.registered = None;
                // A descriptor that was closed first has left the poller by itself (epoll(7)).
                let _closed_before = poller.remove(fd);
            }
            return Ok(());
        }
        let wanted = Registration {
            interest,
            told: self.told(),
            ..known
        };
        // A change that has been told is not told again, so that is always renewed.
        if wanted == known && wanted.told == Told::Always {
            return Ok(());
        }
        match poller.modify(fd, wanted) {
            Ok(()) => {
                self.registered = Some(wanted);
                Ok(())
            }
            // The descriptor was closed and its number given to a new file: it is watched anew.
            Err(_) => self.register_anew(poller, fd, next_mark),
        }
    }

    fn register_anew(&mut self, poller: &Poller, fd: RawFd, next_mark: &mut u32) -> io::Result<()> {
        *next_mark = next_mark.wrapping_add(1);
        let registration = Registration {
            interest: self.interest(),
            told: self.told(),
            mark: *next_mark,
        };
        self.registered = None;
        poller.add(fd, registration)?;
        self.registered = Some(registration);
        Ok(())
    }

    /// Whether changes that make `socket` readable are told already, and nothing else is.
    fn tells_of(&self, socket: &Object) -> bool {
        let armed = self.registered.is_some_and(|known| {
            known.told == Told::OnChange && known.interest.read && !known.interest.write
        });
        let same = self
            .socket
            .as_ref()
            .is_some_and(|known| known.is(socket.as_ptr()));
        armed && same && self.writer.is_none()
    }

    /// What is to be run because of an event, pushed by `push`.
    fn tell(&self, event: Event, push: impl FnMut(Job)) {
        if self.registered.is_none_or(|known| known.mark != event.mark) {
            // It is about a file that had the number before, whose description lives on elsewhere.
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

/// What a listener is told of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// That the descriptor is readable.
    Reader,
    /// That the descriptor is writable.
    Writer,
}

/// All watched descriptors. A map and not a vector: the number comes from the caller and may be huge.
#[derive(Default)]
pub struct Watches {
    by_number: HashMap<RawFd, Watch, BuildHasherDefault<DescriptorHasher>>,
    /// The mark of the last registration. The waker's is 0.
    last_mark: u32,
    /// Descriptors whose waits have ended since the last poll. Somebody may wait for them again.
    ended: Vec<RawFd>,
}

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

/// What a change of a watch comes to. To drop it may run user code, so it is not done in here.
struct Change {
    /// The listener that was there, or the one that the poller refused.
    listener: Option<Listener>,
    /// The object by which the descriptor was known, if nobody listens any more.
    _file: Option<Object>,
    outcome: io::Result<()>,
}

impl Watches {
    /// Puts `listener` on one side of a descriptor's watch, and tells the poller.
    fn replace(
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
        let mut file = None;
        if watch.listeners().next().is_none() {
            file = watch.file.take();
            if watch.is_unwanted() {
                self.ended.push(fd);
            } else if watch.registered.is_none() {
                self.by_number.remove(&fd);
            }
        }
        Change {
            listener,
            _file: file,
            outcome,
        }
    }

    /// Puts a wait for `socket`, of which this is a weak reference, on the reading side of a watch that
    /// tells of its changes already. Gives the listener back if it does not.
    fn wait_again(
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

    /// Remembers which socket's changes are told of. Returns what was remembered before.
    fn remember(&mut self, fd: RawFd, socket: Object) -> Option<Object> {
        let watch = self.by_number.get_mut(&fd)?;
        watch.socket.replace(socket)
    }

    /// Has the poller say nothing of what nobody waits for any more. Returns what is to be dropped.
    fn silence_ended(&mut self, poller: &Poller) -> Vec<Watch> {
        let mut gone = Vec::new();
        for fd in std::mem::take(&mut self.ended) {
            let Some(watch) = self.by_number.get_mut(&fd) else {
                continue;
            };
            let Some(known) = watch.registered.filter(|_| watch.is_unwanted()) else {
                continue;
            };
            let silent = Registration {
                told: Told::Never,
                ..known
            };
            watch.registered = Some(silent);
            if poller.modify(fd, silent).is_err() {
                // It was closed before, and with that has left the poller (epoll(7)).
                gone.extend(self.by_number.remove(&fd));
            }
        }
        gone
    }

    /// Keeps the object by which the watched descriptor is known, if there is none yet.
    fn keep_file(&mut self, fd: RawFd, file: &Object) {
        if let Some(watch) = self.by_number.get_mut(&fd) {
            watch.file.get_or_insert_with(|| file.clone());
        }
    }

    /// The descriptor that is watched for this very object.
    fn descriptor_of(&self, file: &Object) -> Option<RawFd> {
        let known = |watch: &Watch| {
            let watched = watch.file.as_ref();
            watched.is_some_and(|watched| watched.is(file.as_ptr()))
        };
        let mut watches = self.by_number.iter();
        watches.find_map(|(fd, watch)| known(watch).then_some(*fd))
    }

    /// Whether one side of a descriptor's watch is `owner`'s.
    fn is_of(&self, fd: RawFd, side: Side, owner: &Object) -> bool {
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

    /// As [`listen`](Self::listen), for somebody who has just found that it would block: told is what
    /// comes after that.
    pub fn wait_for(&self, fd: RawFd, side: Side, listener: NativeListener) -> Result<()> {
        self.check_closed()?;
        match self.change(fd, side, Some(Listener::Wait(listener)))? {
            Some(old) => old.retire(),
            None => Ok(()),
        }
    }

    /// As [`wait_for`](Self::wait_for), to read from `socket`. If the last wait was for the same one and
    /// there was no poll since, the system need not be told.
    pub fn wait_to_read(&self, fd: RawFd, socket: &Object, listener: NativeListener) -> Result<()> {
        self.check_closed()?;
        // SAFETY: the socket is valid; it has one weak reference without a callback, which is returned
        // each time as long as somebody has it.
        let weak = unsafe {
            Object::from_returned(ffi::PyWeakref_NewRef(socket.as_ptr(), std::ptr::null_mut()))?
        };
        let again = self
            .watches
            .with(|watches| watches.wait_again(fd, &weak, listener));
        match again {
            Ok(Some(old)) => old.retire(),
            Ok(None) => Ok(()),
            Err(listener) => {
                self.wait_for(fd, Side::Reader, listener)?;
                drop(self.watches.with(|watches| watches.remember(fd, weak)));
                Ok(())
            }
        }
    }

    /// Has the poller say nothing of what nobody waits for any more: before each poll, and when the loop
    /// stops. Until then the waits that ended may begin again at no cost.
    pub(super) fn silence_ended_waits(&self) {
        drop(
            self.watches
                .with(|watches| watches.silence_ended(&self.poller)),
        );
    }

    /// Whether `owner` is who is told of one side of a descriptor.
    pub fn is_listening(&self, fd: RawFd, side: Side, owner: &Object) -> bool {
        self.watches.with(|watches| watches.is_of(fd, side, owner))
    }

    /// Ends what [`listen`](Self::listen) or [`wait_for`](Self::wait_for) began, if `owner` still is who is told: the number of a
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
                    } else if let Some(watch) = watches.by_number.get(&event.fd) {
                        watch.tell(event, |job| queue.ready.push(job));
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
        let change = self
            .watches
            .with(|watches| watches.replace(&self.poller, fd, side, listener));
        match &change.outcome {
            Ok(()) => Ok(change.listener),
            Err(error) => Err(os_error(error)),
        }
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
            .with(|watches| watches.by_number.get(&fd).map(Watch::interest));
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
