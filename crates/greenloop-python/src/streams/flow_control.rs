//! `FlowControlMixin`: the base of protocols whose writer waits while the transport's buffer is
//! full.
//!
//! [`StreamReaderProtocol`](super::protocol) inherits from it, and so does asyncio's protocol for
//! subprocesses, which is Python.
//!
//! ```text
//!                  pause_writing                       resume_writing, all waiters wake
//!    flowing ─────────────────────► paused ──────────────────────────────────────────► flowing
//!    drain returns at once          drain joins the line
//!       │                              │
//!       └───────── connection_lost ────┴──► lost: waiters wake or fail, drain raises
//! ```
//! Several tasks may wait in `drain`; they wake together, in the order in which they came.

use std::cell::Cell;

use greenloop_core::observe::WaitKind;
use greenloop_core::{WaitList as _, WaiterState};
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Arguments, Class, ExceptionClass, Held, Native, Object, Result, Slot, Visited, Visitor,
    attached, class_of, fast, noargs, raise, raise_bare, readonly, restore,
};

use super::attributes::{flag, required};
use super::reader::{assertion, is_debugging, loop_or_current};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Line, Operation, Progress, ready};
use crate::observing::{Number, Wait};
use crate::sync::Waiters;

/// The class.
///
/// Its base is `asyncio.Protocol`, so that `isinstance` holds.
pub static CLASS: Class<FlowControl> = Class::new();

/// The fields of a `FlowControlMixin`, with which the structs of native subclasses begin.
#[repr(C)]
pub struct FlowControl {
    /// `_loop`, empty before `__init__`.
    event_loop: Slot,
    /// The tasks that wait in `drain`.
    ///
    /// Shown as `_drain_waiters`.
    waiters: Line,
    /// Set while the transport's buffer is full.
    paused: Cell<bool>,
    /// Never cleared, except by `__init__` and by hand.
    connection_lost: Cell<bool>,
    /// Which one it is, for an observer.
    number: Number,
}

// SAFETY: the loop's slot, and the line of those that drain, which shows their waiters.
unsafe impl Held for FlowControl {
    fn new() -> Self {
        Self {
            event_loop: Slot::empty(),
            waiters: Line::new(),
            paused: Cell::new(false),
            connection_lost: Cell::new(false),
            number: Number::none(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.event_loop.visit(visitor)?;
        self.waiters.visit(visitor)
    }

    fn clear(&self) {
        self.event_loop.clear();
        self.waiters.clear();
    }
}

impl FlowControl {
    /// The protocol's loop.
    #[inline]
    pub const fn event_loop(&self) -> &Slot {
        &self.event_loop
    }

    /// `__init__`.
    ///
    /// Tasks that wait already are forgotten, not woken.
    pub fn initialise(&self, event_loop: Object) {
        self.paused.set(false);
        self.connection_lost.set(false);
        while self.waiters.pop().is_some() {}
        self.event_loop.set(event_loop);
    }

    /// Returns at once, or waits until the transport has room. An awaitable that waits leaves its
    /// line when it resumes.
    ///
    /// Used by the writer's `drain` and by `_drain_helper`. The wait belongs to the protocol's
    /// loop.
    ///
    /// # Errors
    /// `ConnectionResetError` after the end of the connection, whatever ended it.
    #[inline]
    pub fn drain(&self, waiter: &Native<Awaitable>) -> Result<Progress> {
        if self.connection_lost.get() {
            let class = ExceptionClass::ConnectionResetError;
            return Err(raise(class, c"Connection lost"));
        }
        if !self.paused.get() {
            return ready(Object::none());
        }
        Awaitable::prepare_on(waiter, &self.event_loop.get_or_none())?;
        self.waiters.push(waiter);
        Ok(Progress::Blocked)
    }

    /// The connection ended: the waiters resume, or fail with the connection's exception.
    ///
    /// `exception` is None for a connection that was closed in order. A protocol that is not paused
    /// has no waiters to wake.
    pub fn lose_connection(&self, exception: &Object) -> Result<()> {
        self.connection_lost.set(true);
        if !self.paused.get() {
            return Ok(());
        }
        if exception.is_none() {
            return self.waiters.wake_waiting(usize::MAX).map(drop);
        }
        for waiter in self.waiters.to_vec() {
            if Awaitable::waiter_state(&waiter)? == WaiterState::Waiting {
                Awaitable::fail(&waiter, exception)?;
            }
        }
        Ok(())
    }
}

/// Logs a change of the flow in debug mode.
///
/// To asyncio's logger; `text` has a place for the protocol's repr.
fn log(this: &Native<FlowControl>, text: &str) -> Result<()> {
    if is_debugging(&this.get().event_loop.get_or_none())? {
        let py = attached();
        let logger = making::import(py, c"asyncio.log")?.look_up(c"logger")?;
        logger.invoke_method(c"debug", (text, this.bound(py)))?;
    }
    Ok(())
}

/// `pause_writing()`. Like asyncio's it asserts that writing is not paused already.
///
/// The transport calls it when its buffer grows above the high water mark.
fn pause_writing(this: &Native<FlowControl>) -> Result<Object> {
    if this.get().paused.replace(true) {
        return Err(assertion(c""));
    }
    log(this, "%r pauses writing")?;
    Ok(Object::none())
}

/// `resume_writing()`, which wakes all waiters of `drain`.
///
/// The transport calls it when its buffer has shrunk to the low water mark.
fn resume_writing(this: &Native<FlowControl>) -> Result<Object> {
    if !this.get().paused.replace(false) {
        return Err(assertion(c""));
    }
    log(this, "%r resumes writing")?;
    this.get().waiters.wake_waiting(usize::MAX)?;
    Ok(Object::none())
}

/// For subclasses in Python, which call it by `super()`.
fn connection_lost(this: &Native<FlowControl>, arguments: Arguments<'_>) -> Result<Object> {
    let exception = arguments.single(c"FlowControlMixin.connection_lost", &globals().names.exc)?;
    this.get().lose_connection(exception)?;
    Ok(Object::none())
}

/// A writer of asyncio's awaits it; a writer of ours, for a protocol that it does not know.
fn drain_helper(this: &Native<FlowControl>) -> Result<Object> {
    Awaitable::create(&DRAIN_HELPER, this, None)
}

/// `wake_waiting` leaves a waiter in the line, so each leaves by itself.
static DRAIN_HELPER: Operation<Native<FlowControl>> = Operation {
    name: c"FlowControlMixin._drain_helper",
    start: |this, owner| owner.get().drain(this),
    resume: |this, _| {
        Awaitable::leave_line(this);
        ready(Object::none())
    },
    interrupt: |this, _, exception| {
        Awaitable::leave_line(this);
        Err(restore(exception))
    },
    waits: |_, owner| Some(Wait::on(WaitKind::StreamDrain, &owner.get().number)),
    inside: |_| &[],
    behind: None,
};

/// `wait_closed` calls it; a protocol for streams has its own.
fn close_waiter(_: &Native<FlowControl>, _: Arguments<'_>) -> Result<Object> {
    Err(raise_bare(ExceptionClass::NotImplementedError))
}

fn initialise(this: &Native<FlowControl>, arguments: Arguments<'_>) -> Result<()> {
    let names = [&globals().names.loop_];
    let [event_loop] = arguments.bind(c"FlowControlMixin.__init__", names, 1, 0)?;
    this.get().initialise(loop_or_current(event_loop)?);
    Ok(())
}

/// A view, as of a lock's `_waiters`.
fn drain_waiters(this: &Native<FlowControl>) -> Result<Object> {
    Waiters::create(this, |control| &control.waiters)
}

/// Makes the class, below `asyncio.Protocol`.
pub fn make_class() -> Result<()> {
    class_of::<FlowControl>(c"greenloop.FlowControlMixin")
        .subclassable()
        .doc(c"FlowControlMixin(loop=None)\n--\n\nFlow control for StreamWriter.drain().")
        .init_by(initialise)
        .methods(vec![
            noargs(
                c"pause_writing",
                pause_writing,
                c"Pause writing: drain() waits until resume_writing().",
            ),
            noargs(
                c"resume_writing",
                resume_writing,
                c"Resume writing: wake the waiters of drain().",
            ),
            fast(
                c"connection_lost",
                connection_lost,
                c"connection_lost($self, /, exc)\n--\n\n\
                  Wake the waiters of drain(), which raise exc unless it is None.",
            ),
            noargs(
                c"_drain_helper",
                drain_helper,
                c"Wait until writing is no longer paused.",
            ),
            fast(
                c"_get_close_waiter",
                close_waiter,
                c"Raise NotImplementedError: a subclass has to implement it.",
            ),
        ])
        .attributes(vec![
            required(c"_loop", |this: &FlowControl| &this.event_loop, || "_loop"),
            flag(c"_paused", |this: &FlowControl| &this.paused),
            flag(c"_connection_lost", |this: &FlowControl| {
                &this.connection_lost
            }),
            readonly(c"_drain_waiters", drain_waiters),
        ])
        .build_below_fieldless(&globals().asyncio.protocol, &CLASS)
}
