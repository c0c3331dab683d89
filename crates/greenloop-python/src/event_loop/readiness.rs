//! Readers and writers, which are notified that a descriptor became readable or writable.
//!
//! One is either a `Handle`, as `add_reader` makes it, or native code: a transport reacts to
//! readiness without a Python object per event, and so does a wait such as `sock_recv`'s.
//!
//! A descriptor that has only waits is registered edge-triggered, and stays registered when they
//! are over. When the loop next blocks, the registration is disabled until a wait renews it. With
//! any other listener the descriptor is level-triggered
//! ([0008](../../../../docs/decisions/0008-registrations-outlive-waits.md)).
//!
//! ```text
//!   listen, wait_for, add_reader ─► change ─► Watches::replace ─► Watch::register ─► epoll
//!   poll ─► dispatch ─► Watch::tell ─► Job::Ready or Job::Handle, in the same turn
//! ```

use std::os::fd::{AsFd, AsRawFd, RawFd};

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Arguments, ExceptionClass, Method, Object, Result, attached, fast, fetch};
use greenloop_os::{Events, Waker};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::call::{Call, leading};
use super::polling::os_error;
use super::watches::{Listener, Side, Watch};
use super::{EventLoop, LoopInstance, LoopRef};
use crate::asyncio::globals;
use crate::handle::{self, Handle};
use crate::scheduler::NativeListener;

impl EventLoop {
    /// Notifies `listener` of one side of a descriptor from now on, in place of the previous
    /// listener.
    ///
    /// Level-triggered: a listener that leaves bytes unread is notified in each poll. The previous
    /// listener's handle is cancelled. Raises a `RuntimeError` on a closed loop, and the `OSError`
    /// of the poller, which cannot watch regular files; then the previous listener stays.
    pub fn listen(&self, fd: RawFd, side: Side, listener: NativeListener) -> Result<()> {
        self.check_closed()?;
        match self.change(fd, side, Some(Listener::Native(listener)))? {
            Some(old) => old.retire(),
            None => Ok(()),
        }
    }

    /// As [`listen`](Self::listen), for a listener that has just found that it would block: only
    /// later changes are reported.
    ///
    /// The listener is notified once for a change, and stays the listener until it is replaced or
    /// stops listening.
    pub fn wait_for(&self, fd: RawFd, side: Side, listener: NativeListener) -> Result<()> {
        self.check_closed()?;
        match self.change(fd, side, Some(Listener::Wait(listener)))? {
            Some(old) => old.retire(),
            None => Ok(()),
        }
    }

    /// As [`wait_for`](Self::wait_for), to read from `socket`. If the last wait was for the same
    /// one and there was no poll since, no system call is needed.
    ///
    /// Raises also a `TypeError` for a socket without weak references.
    pub fn wait_to_read(&self, fd: RawFd, socket: &Object, listener: NativeListener) -> Result<()> {
        self.check_closed()?;
        let weak = making::weak_reference(socket)?;
        let again = self
            .watches
            .with(|watches| watches.wait_again(fd, &weak, listener));
        self.expect_input();
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

    /// Disables the registrations of ended waits in the poller: before the loop waits, if they are
    /// many, and when it stops. Until then the waits that ended may begin again at no cost.
    pub(super) fn silence_ended_waits(&self) {
        let ended = self.polling.borrow().as_ref().map(|polling| {
            self.watches
                .with(|watches| watches.silence_ended(&polling.poller))
        });
        drop(ended);
    }

    /// Whether `owner` is the listener of one side of a descriptor.
    pub fn is_listening(&self, fd: RawFd, side: Side, owner: &Object) -> bool {
        self.watches.with(|watches| watches.is_of(fd, side, owner))
    }

    /// Ends what [`listen`](Self::listen) or [`wait_for`](Self::wait_for) began, if `owner` is
    /// still the listener: the number of a closed descriptor may mean another file by now.
    ///
    /// Never fails.
    pub fn stop_listening(&self, fd: RawFd, side: Side, owner: &Object) {
        if self.is_listening(fd, side, owner) {
            // To remove cannot fail, see `change`; to narrow the interest fails for a descriptor
            // that was closed before, which then is not watched either.
            if let Err(closed_before) = self.change(fd, side, None) {
                drop(fetch(closed_before));
            }
        }
    }

    /// Has the next turn ask the operating system, as asyncio's next turn does: something was sent
    /// or closed, a descriptor is listened to from now on, or another thread has called. It may be
    /// ready already, and programs count the turns until it is seen.
    #[inline]
    pub fn expect_input(&self) {
        self.scheduler.queue(|queue| queue.budget.expect_input());
    }

    /// The job that runs has taken the input of its descriptor, has sent nothing, and has run only
    /// our code: that alone brings no input, so the next turn need not poll. This does not hold if
    /// a writer waits for room, which a receive may have made at the other end, if that is in this
    /// process.
    #[inline]
    pub fn settle(&self) {
        // SAFETY: the question compares the number of writers with zero.
        let has_writers = unsafe { self.watches.with_untested(|watches| watches.has_writers()) };
        if !has_writers {
            self.scheduler.queue(|queue| queue.budget.settled());
        }
    }

    /// Queues the callbacks of the events that the poller reported.
    ///
    /// Runs no Python code. An event for a descriptor without a watch, or of an earlier
    /// registration, is dropped.
    pub(super) fn dispatch(&self, events: &Events, waker: &Waker) {
        if events.is_empty() {
            return;
        }
        let awake = waker.as_fd().as_raw_fd();
        self.scheduler.queue(|queue| {
            let known = queue.ready.len();
            let mut woken = false;
            self.watches.with(|watches| {
                for event in events.iter() {
                    if event.exceptional {
                        // There is more behind the bytes, which asyncio's next poll reports.
                        queue.budget.part_came();
                    }
                    if event.fd == awake {
                        waker.drain();
                        woken = true;
                    } else if let Some(watch) = watches.get(event.fd) {
                        watch.tell(event, |job| queue.ready.push(job));
                    }
                }
            });
            // Jobs that would have been found without the poll are no reason for the next one.
            if woken || queue.ready.len() > known {
                queue.budget.input_came();
            }
        });
    }

    /// Sets or removes one side of a watch, tells the poller, and returns the listener that was
    /// there.
    ///
    /// The caller retires the listener that is returned, and drops it, when nothing is borrowed any
    /// more.
    fn change(
        &self,
        fd: RawFd,
        side: Side,
        listener: Option<Listener>,
    ) -> Result<Option<Listener>> {
        if listener.is_some() {
            self.expect_input();
        }
        let change = self.polling.borrow().as_ref().map(|polling| {
            self.watches
                .with(|watches| watches.replace(&polling.poller, fd, side, listener))
        });
        let Some(change) = change else {
            // A closed loop watches nothing.
            return Ok(None);
        };
        match &change.outcome {
            Ok(()) => Ok(change.listener),
            Err(error) => Err(os_error(error)),
        }
    }

    /// `_add_reader` and `_add_writer`, in the words of asyncio's: a new handle takes the place of
    /// the old one, which is cancelled. Raises a `RuntimeError` on a closed loop, a `ValueError` or
    /// `OverflowError` for what is no descriptor, and the `OSError` of the poller.
    fn add(this: &LoopRef, arguments: Arguments<'_>, side: Side) -> Result<Object> {
        let name = match side {
            Side::Reader => c"BaseSelectorEventLoop._add_reader",
            Side::Writer => c"BaseSelectorEventLoop._add_writer",
        };
        let file = leading(&arguments, name, &globals().names.fd)?;
        let call = Call::parse(name, &arguments, Some(&globals().names.fd))?;
        let native = Self::native_part(this);
        native.check_closed()?;
        let py = attached();
        let file = file.bound(py);
        let fd = native.watched_descriptor(&file)?;
        let class = &handle::CLASS;
        // asyncio's own transports give a context from 3.15 on.
        let (callback, arguments, context) = (call.callback, call.arguments, call.context);
        let scheduler = Some(&native.scheduler);
        let handle = Handle::create(class, callback, arguments, context, this, scheduler)?;
        handle.track();
        if let Some(old) = native.change(fd, side, Some(Listener::Handle(handle.clone())))? {
            old.retire()?;
        }
        if !file.is_instance_of::<PyInt>() {
            let file = Object::from(file);
            native.watches.with(|watches| watches.keep_file(fd, &file));
        }
        Ok(handle.into_object())
    }

    /// `_remove_reader` and `_remove_writer`: False where nothing was watched, and on a closed
    /// loop.
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

/// The methods `add_reader` and `add_writer`. Unlike PyO3's `*args` they need no tuple, and making
/// one panics without memory.
pub(super) fn methods() -> Vec<Method<LoopInstance>> {
    fn add_reader(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
        EventLoop::add(this, arguments, Side::Reader)
    }
    fn add_writer(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
        EventLoop::add(this, arguments, Side::Writer)
    }
    vec![
        fast(
            c"_add_reader",
            add_reader,
            c"_add_reader($self, /, fd, callback, *args, context=None)\n--\n\n\
              Call callback(*args) whenever fd is readable, in place of an earlier callback.",
        ),
        fast(
            c"_add_writer",
            add_writer,
            c"_add_writer($self, /, fd, callback, *args, context=None)\n--\n\n\
              Call callback(*args) whenever fd is writable, in place of an earlier callback.",
        ),
    ]
}

/// The number of a descriptor given as an int or as an object with `fileno()`, refused as the
/// `selectors` module refuses it.
///
/// `fileno()` is code of the program.
fn descriptor(fd: &Bound<'_, PyAny>) -> PyResult<RawFd> {
    // Asks no module for the common case, which also occurs when none can be imported any more.
    if fd.is_instance_of::<PyInt>() {
        match fd.extract::<RawFd>() {
            Ok(number) if number >= 0 => return Ok(number),
            Err(_) if fd.gt(0)? => {
                let text = "Python int too large to convert to C int";
                return Err(making::raise_text(ExceptionClass::OverflowError, text).into());
            }
            _ => {}
        }
    }
    let py = fd.py();
    making::import(py, c"selectors")?
        .look_up(c"_fileobj_to_fd")?
        .invoke((fd,))?
        .extract()
}

#[pymethods]
impl EventLoop {
    /// Return the watched events of `fd`: the sum of `selectors.EVENT_READ` and `EVENT_WRITE`.
    fn _watched_events(&self, fd: RawFd) -> u8 {
        let interest = self
            .watches
            .with(|watches| watches.get(fd).map(Watch::interest));
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
