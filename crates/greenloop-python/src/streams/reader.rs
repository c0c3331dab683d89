//! `StreamReader`: its state and the methods that feed it. [`reading`](super::reading) reads from
//! it.
//!
//! ```text
//!               feed_data            > 2 * limit unread                 <= limit unread
//!    flowing ────────────► flowing ─────────────────────► paused ──────────────────────► flowing
//!                             pause_reading                     resume_reading
//!    any ── feed_eof ──► the end, once the buffer is read        any ── set_exception ──► raises
//! ```
//! A reader holds its transport up while it has far more than its limit, and lets it go on when a
//! task has read enough, or waits. One task at most may wait.
//!
//! The reader never asks a transport for bytes: it is fed. So it works with any protocol, and
//! asyncio's own functions can run on it, which find all their attributes.

mod class;

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_core::{Limit, WaitList as _, WaiterState};
use greenloop_cpython::{
    Class, Comparison, ExceptionClass, Held, Native, Object, Raised, Result, Slot, Visited,
    Visitor, fetch, matches, raise, raise_anything, visit_slots,
};

use super::buffer::Buffer;
use crate::asyncio::{creation_stack, current_loop, globals};
use crate::awaitable::{Awaitable, Line};
use crate::observing::Number;
use crate::scheduler::Scheduler;

pub use class::make_class;

/// The limit of a reader that is given none: 64 KiB.
///
/// asyncio's `_DEFAULT_LIMIT`, in bytes.
pub const DEFAULT_LIMIT: usize = 1 << 16;

/// The class.
///
/// Its `plain` tells the readers on which native code may work without calls by name.
pub static CLASS: Class<Reader> = Class::new();

/// The fields of a `StreamReader`.
pub struct Reader {
    /// The unread bytes.
    pub(super) buffer: Buffer,
    /// In bytes: the longest line, and half of what may be unread before the transport is paused.
    limit: Cell<usize>,
    /// The limit as the program gave it, or empty for the default.
    given_limit: Slot,
    /// `_loop`, empty before `__init__`.
    pub(super) event_loop: Slot,
    /// Raised by every read from then on, even if bytes are left.
    exception: Slot,
    /// Empty until `set_transport`, and again if it cannot be paused.
    transport: Slot,
    /// Where the reader was made, in debug mode.
    source_traceback: Slot,
    /// The task that waits for bytes: one at most.
    pub(super) waiter: Line,
    /// The object that a program has put in the waiter's place.
    foreign_waiter: Slot,
    /// How many of the buffered bytes belong to no separator that is searched for. Zero again
    /// whenever bytes leave.
    pub(super) searched: Cell<usize>,
    /// Never cleared, except by `__init__` and by hand.
    eof: Cell<bool>,
    /// Set when the transport was paused, cleared when it is resumed.
    paused: Cell<bool>,
    /// Which one it is, for an observer.
    pub(super) number: Number,
}

// SAFETY: the reader owns its slots and its bytearray, and the awaitable that waits leaves its
// waiter to the line.
unsafe impl Held for Reader {
    fn new() -> Self {
        Self {
            buffer: Buffer::new(),
            limit: Cell::new(DEFAULT_LIMIT),
            given_limit: Slot::empty(),
            event_loop: Slot::empty(),
            exception: Slot::empty(),
            transport: Slot::empty(),
            source_traceback: Slot::empty(),
            waiter: Line::new(),
            foreign_waiter: Slot::empty(),
            searched: Cell::new(0),
            eof: Cell::new(false),
            paused: Cell::new(false),
            number: Number::none(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.buffer.visit(visitor)?;
        self.waiter.visit(visitor)
    }

    fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
        self.buffer.clear();
        self.waiter.clear();
    }
}

impl Reader {
    /// A reader with this limit on this loop.
    ///
    /// `limit` is in bytes.
    ///
    /// # Errors
    /// `ValueError` for a limit that is not above 0, and those of comparing it.
    pub fn create(limit: Option<&Object>, event_loop: &Object) -> Result<Native<Self>> {
        let this = CLASS.create()?;
        this.get().initialise(limit, event_loop.clone())?;
        Ok(this)
    }

    /// A failure leaves a reader that was initialised before as it was.
    fn initialise(&self, limit: Option<&Object>, event_loop: Object) -> Result<()> {
        let size = limit.map_or(Ok(DEFAULT_LIMIT), size_of_limit)?;
        let debug = is_debugging(&event_loop)?;
        let stack = if debug { Some(creation_stack()?) } else { None };
        // From here on nothing fails. The old state of an initialised reader is gone, and its
        // waiters are not woken.
        self.limit.set(size);
        self.searched.set(0);
        self.eof.set(false);
        self.paused.set(false);
        while self.waiter.pop().is_some() {}
        self.buffer.clear();
        self.given_limit.set_optional(limit.cloned());
        self.source_traceback.set_optional(stack);
        for slot in [&self.exception, &self.transport, &self.foreign_waiter] {
            slot.clear();
        }
        self.event_loop.set(event_loop);
        Ok(())
    }

    /// Sets the limit in bytes, and keeps the object for `_limit`.
    ///
    /// # Errors
    /// As in [`create`](Self::create). asyncio's attribute takes anything, and fails when it is
    /// used.
    fn set_limit(&self, limit: &Object) -> Result<()> {
        let size = size_of_limit(limit)?;
        self.limit.set(size);
        self.given_limit.set(limit.clone());
        Ok(())
    }

    /// How many bytes are kept without holding the sender up.
    #[inline]
    pub fn limit(&self) -> Limit {
        Limit(self.limit.get())
    }

    /// Whether nothing comes any more.
    ///
    /// Bytes may still be in the buffer.
    #[inline]
    pub fn is_eof(&self) -> bool {
        self.eof.get()
    }

    /// Raises the exception that the connection ended with, if there is one.
    ///
    /// The same object each time, so that its traceback grows, as in asyncio.
    #[inline]
    pub fn raise_exception(&self) -> Result<()> {
        self.exception()
            .map_or(Ok(()), |exception| Err(raise_anything(&exception)))
    }

    /// The exception that the connection ended with.
    #[inline]
    pub fn exception(&self) -> Option<Object> {
        self.exception.get()
    }

    /// Whether a task waits for bytes.
    ///
    /// A second task that wants to wait gets a `RuntimeError`.
    #[inline]
    pub fn is_awaited(&self) -> bool {
        !self.waiter.is_empty() || !self.foreign_waiter.is_empty()
    }

    /// Resumes the transport, because a task is about to wait for bytes.
    ///
    /// User code, if the transport is not ours. The flag is cleared first, as it may feed at once.
    #[inline]
    pub fn resume_transport(&self) -> Result<()> {
        if self.paused.replace(false) {
            let transport = self.transport.get_or_none();
            transport.invoke(&globals().names.resume_reading, [])?;
        }
        Ok(())
    }

    /// Bytes have left: the transport resumes if there is room now.
    ///
    /// asyncio's `_maybe_resume_transport`. To be called after each removal, as a search has to
    /// begin anew.
    #[inline]
    pub fn note_consumed(&self) -> Result<()> {
        self.searched.set(0);
        if self.paused.get() && self.limit().has_room(self.buffer.len()) {
            return self.resume_transport();
        }
        Ok(())
    }

    /// Wakes the task that waits for bytes.
    ///
    /// The task resumes in the next turn, looks at the buffer, and waits again if that does not
    /// suffice.
    #[inline]
    fn wake_waiter(&self) -> Result<()> {
        self.waiter.pop_and_wake()?;
        if let Some(waiter) = self.foreign_waiter.take() {
            let names = &globals().names;
            if !waiter.invoke(&names.cancelled, [])?.is_true()? {
                let none = Object::none();
                waiter.invoke(&names.set_result, [&none])?;
            }
        }
        Ok(())
    }

    /// Whether it takes bytes and wakes its waiter without a call that the program may have
    /// replaced.
    ///
    /// A foreign waiter's `set_result` and an exposed bytearray's `extend` are calls of Python's.
    #[inline]
    fn is_fed_natively(&self) -> bool {
        let wakes = |waiter: Native<Awaitable>| waiter.get().is_on_fast_loop();
        !self.buffer.is_exposed()
            && self.foreign_waiter.is_empty()
            && self.waiter.first().is_none_or(wakes)
    }

    /// Pauses a transport that has sent far more than was read. Returns whether it had to.
    ///
    /// # Errors
    /// Those of `pause_reading`, except `NotImplementedError`.
    #[inline]
    fn pause_if_flooded(&self) -> Result<bool> {
        if self.paused.get() || !self.limit().is_flooded(self.buffer.len()) {
            return Ok(false);
        }
        let Some(transport) = self.transport.get() else {
            return Ok(false);
        };
        match transport.invoke(&globals().names.pause_reading, []) {
            Ok(_) => self.paused.set(true),
            Err(raised) if matches(ExceptionClass::NotImplementedError) => {
                // It cannot be held up, and is not asked again: everything has to be buffered.
                drop(fetch(raised));
                self.transport.clear();
            }
            Err(raised) => return Err(raised),
        }
        Ok(true)
    }

    const fn slots(&self) -> [&Slot; 6] {
        [
            &self.given_limit,
            &self.event_loop,
            &self.exception,
            &self.transport,
            &self.source_traceback,
            &self.foreign_waiter,
        ]
    }
}

/// `reader.feed_data(data)`. Returns whether no code but ours has run, and the transport was let
/// alone.
///
/// The answer lets the transport receive again without looking whether it was closed or paused
/// meanwhile. Empty data are ignored.
///
/// # Errors
/// `AssertionError` after the end of the stream, and those of the buffer.
#[inline]
pub fn feed_data(this: &Native<Reader>, data: &Object) -> Result<bool> {
    let reader = this.get();
    if reader.eof.get() {
        return Err(assertion(c"feed_data after feed_eof"));
    }
    if !data.has_content()? {
        return Ok(false);
    }
    let natively = reader.is_fed_natively();
    reader.buffer.extend(data)?;
    wake(this)?;
    Ok(!reader.pause_if_flooded()? && natively && this.is_plain(&CLASS))
}

/// `reader.feed_eof()`.
///
/// It may be called several times.
pub fn feed_eof(this: &Native<Reader>) -> Result<()> {
    this.get().eof.set(true);
    wake(this)
}

/// `reader._wakeup_waiter()`, which a subclass may have replaced.
///
/// # Errors
/// Those of the replaced method, or of a foreign waiter.
#[inline]
fn wake(this: &Native<Reader>) -> Result<()> {
    let name = &globals().names.wakeup_waiter;
    if this.overrides(&CLASS, &[name])? {
        return this.invoke(name, []).map(drop);
    }
    this.get().wake_waiter()
}

/// `reader.set_exception(exception)`.
///
/// The task that waits fails with it in the next turn; later reads raise it at once. None clears
/// it.
pub fn set_exception(this: &Native<Reader>, exception: &Object) -> Result<()> {
    let reader = this.get();
    let some = (!exception.is_none()).then(|| exception.clone());
    reader.exception.set_optional(some);
    if let Some(waiter) = reader.waiter.pop() {
        if Awaitable::waiter_state(&waiter)? == WaiterState::Waiting {
            Awaitable::fail(&waiter, exception)?;
        }
    }
    if let Some(waiter) = reader.foreign_waiter.take() {
        let names = &globals().names;
        if !waiter.invoke(&names.cancelled, [])?.is_true()? {
            waiter.invoke(&names.set_exception, [exception])?;
        }
    }
    Ok(())
}

/// `reader.set_transport(transport)`.
///
/// # Errors
/// `AssertionError` if there is one.
pub fn set_transport(this: &Native<Reader>, transport: &Object) -> Result<()> {
    let reader = this.get();
    if !reader.transport.is_empty() {
        return Err(assertion(c"Transport already set"));
    }
    reader.transport.set(transport.clone());
    Ok(())
}

/// `reader._replace_transport(transport)`, of newer releases.
///
/// After `start_tls`: the new one is paused from then on.
///
/// # Errors
/// `AssertionError` if there was none.
pub fn replace_transport(this: &Native<Reader>, transport: &Object) -> Result<()> {
    let reader = this.get();
    if reader.transport.is_empty() {
        return Err(assertion(c"Transport not set"));
    }
    reader.transport.set(transport.clone());
    Ok(())
}

/// Whether a loop is in debug mode; our own needs no call.
///
/// A loop whose ready queue may be used is in no debug mode.
pub fn is_debugging(event_loop: &Object) -> Result<bool> {
    if Scheduler::of(event_loop).is_some_and(Scheduler::is_fast) {
        return Ok(false);
    }
    event_loop.invoke(&globals().names.get_debug, [])?.is_true()
}

/// The loop that a stream without one belongs to.
///
/// # Errors
/// Those of asyncio's `get_event_loop`, if no loop is running.
pub fn loop_or_current(event_loop: Option<&Object>) -> Result<Object> {
    match event_loop.filter(|event_loop| !event_loop.is_none()) {
        Some(event_loop) => Ok(event_loop.clone()),
        None => current_loop(),
    }
}

/// The error of a failed `assert`.
///
/// asyncio's streams use `assert` for the mistakes of protocols; the class and the text are kept.
pub fn assertion(text: &CStr) -> Raised {
    raise(ExceptionClass::AssertionError, text)
}

/// A limit in bytes: that of a number which is larger than memory is the largest there is.
///
/// Any number that compares with 0 is a limit, floats and infinity included.
///
/// # Errors
/// `ValueError` if it is not above 0, `TypeError` for what is no number.
fn size_of_limit(limit: &Object) -> Result<usize> {
    if limit.compares(Comparison::LessOrEqual, &globals().zero)? {
        let class = ExceptionClass::ValueError;
        return Err(raise(class, c"Limit cannot be <= 0"));
    }
    if let Some(limit) = limit.as_float() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is compared with it is whole, and infinity becomes the largest"
        )]
        return Ok(limit as usize);
    }
    Ok(usize::try_from(limit.clipped()?).unwrap_or(usize::MAX))
}
