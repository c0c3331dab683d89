//! `Timeout`, `timeout` and `timeout_at`.
//!
//! ```text
//!            1 enter            3 exit
//!   Created ─────────► Entered ───────────────► Exited
//!                         │ 2 the deadline comes; the task is cancelled
//!                         ▼
//!                     Expiring ───────────────► Expired
//!                               4 exit, which makes a TimeoutError of the cancellation
//! ```
//! On our loop the deadline is an [`Alarm`]. On other loops, in debug mode and for a subclass it is
//! a handle for the method `_on_timeout`, as in asyncio.
//!
//! Nothing is scheduled without a deadline, and leaving in time costs a flag in the alarm: it stays
//! in the loop's heap until the sweep of dead entries finds it.

mod class;

use std::cell::Cell;

use greenloop_core::Instant;
use greenloop_cpython::{
    Comparison, ExceptionClass, Held, Native, Object, Raised, RecyclingClass, Result, Slot,
    Visited, Visitor, making, raise, raise_bare, visit_slots,
};

use super::expiry;
use crate::asyncio::{globals, running_loop};
use crate::awaitable::exact_seconds;
use crate::future::{self, Future};
use crate::scheduler::{ALARM, Alarm, Bell, Scheduler, stepping};
use crate::task;

pub use class::{make_class, timeout, timeout_at};

/// The class, which keeps some dead timeouts for new ones.
pub static CLASS: RecyclingClass<Timeout, 64> = RecyclingClass::new();

/// A reference to a timeout.
///
/// Its instance may be of a subclass.
pub type TimeoutRef = Native<Timeout>;

/// The fields of a `Timeout`.
///
/// `when` and `seconds` are never both set.
pub struct Timeout {
    state: Cell<State>,
    /// The deadline as the user gave it, or nothing for None or if it is in `seconds` only.
    when: Slot,
    /// The deadline that `timeout` computed, of which a float is made on request.
    seconds: Cell<Option<f64>>,
    /// The task that entered.
    task: Slot,
    /// The timer that will end the wait: an alarm, or a handle of another loop.
    timer: Slot,
    /// How many requests for cancellation the task had when it entered.
    ///
    /// If as many are left at the exit, the cancellation was the timeout's.
    requests: Cell<i64>,
}

/// See the picture above.
///
/// Names of our own; `as_str` has asyncio's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Created,
    Entered,
    Expiring,
    Expired,
    Exited,
}

impl State {
    /// The value of asyncio's own enumeration.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Entered => "active",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Exited => "finished",
        }
    }
}

// SAFETY: three slots of the struct, each once.
unsafe impl Held for Timeout {
    fn new() -> Self {
        Self {
            state: Cell::new(State::Created),
            when: Slot::empty(),
            seconds: Cell::new(None),
            task: Slot::empty(),
            timer: Slot::empty(),
            requests: Cell::new(0),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, [&self.when, &self.task, &self.timer])
    }

    fn clear(&self) {
        for slot in [&self.when, &self.task, &self.timer] {
            slot.clear();
        }
    }
}

/// Whether no method can have been overridden.
///
/// Then no method is called by name.
fn is_exact(this: &TimeoutRef) -> bool {
    CLASS.is_untouched_class_of(this)
}

/// A `Timeout` at `when`, not entered yet.
///
/// `when` is in seconds on the loop's clock; None and nothing are no deadline. `__init__` is not
/// called.
pub fn create(when: Option<&Object>) -> Result<TimeoutRef> {
    let this = CLASS.create_from_spare()?;
    this.get().set_when(when);
    Ok(this)
}

/// A `Timeout` that begins now and ends after `delay`, on the running loop's clock.
///
/// The clock is read now, not when the scope is entered, as in asyncio. A sum of floats is made in
/// Rust and becomes an object only if a program asks.
///
/// # Errors
/// `RuntimeError` without a running loop, and those of adding the delay to its time.
pub fn create_after(delay: &Object) -> Result<TimeoutRef> {
    let task = stepping();
    let native = task.as_deref().and_then(native_clock);
    if let (Some(native), Some(seconds)) = (native, exact_seconds(delay)) {
        let this = create(None)?;
        let deadline = native.now().as_secs() + seconds;
        this.get().seconds.set(Some(deadline));
        return Ok(this);
    }
    let event_loop = running_loop()?;
    let now = event_loop.invoke(&globals().names.time, [])?;
    let when = now.plus(delay)?;
    create(Some(&when))
}

/// The loop of one of our tasks, if deadlines can go straight into its heap.
///
/// `None` for a task that is not exactly ours, a loop whose ready queue may not be used, and one
/// whose methods for timers or the time were replaced: then the timers go by its methods.
#[inline]
pub fn native_clock(task: &Object) -> Option<&Scheduler> {
    let task = task::CLASS.exactly(task)?.up::<Future>();
    let native = task.get().fast_loop()?;
    (!native.has_own_timers()).then_some(native)
}

/// Begins the scope in the current task.
///
/// # Errors
/// `RuntimeError` if it was entered before or there is no current task, and those of the loop's
/// timers.
pub fn enter(this: &TimeoutRef) -> Result<()> {
    let timeout = this.get();
    if timeout.state.get() != State::Created {
        return Err(runtime_error(c"Timeout has already been entered"));
    }
    let Some(task) = task::current_task(None)? else {
        return Err(outside_of_a_task());
    };
    timeout.state.set(State::Entered);
    timeout.task.set(task.clone());
    timeout.requests.set(task::cancelling(&task)?);
    if is_exact(this) {
        // The current task is the running loop's.
        return start_timer(this, native_clock(&task));
    }
    let when = timeout.when()?;
    this.invoke(&globals().names.reschedule, [&when]).map(drop)
}

/// The error of a timeout that no task enters.
pub fn outside_of_a_task() -> Raised {
    runtime_error(c"Timeout should be used inside a task")
}

fn runtime_error(text: &std::ffi::CStr) -> Raised {
    raise(ExceptionClass::RuntimeError, text)
}

/// Moves the deadline, or takes it away if it is None.
///
/// A deadline that has passed takes effect in the next turn.
///
/// # Errors
/// `RuntimeError` unless the scope is entered and its time is not up.
fn reschedule(this: &TimeoutRef, when: &Object) -> Result<()> {
    let timeout = this.get();
    match timeout.state.get() {
        State::Entered => {}
        State::Created => return Err(runtime_error(c"Timeout has not been entered")),
        state => {
            let text = format!("Cannot change state of {} Timeout", state.as_str());
            return Err(making::runtime_error(&text));
        }
    }
    timeout.set_when(Some(when));
    timeout.cancel_timer()?;
    let task = timeout.task.get();
    let native = task
        .as_ref()
        .filter(|_| is_exact(this))
        .and_then(native_clock);
    let native = match (native, &task) {
        (Some(native), Some(task)) if is_running_loop_of(task)? => Some(native),
        _ => None,
    };
    start_timer(this, native)
}

/// Whether the running loop is a task's own. Code outside a timeout's task may reschedule it.
fn is_running_loop_of(task: &Object) -> Result<bool> {
    if stepping().is_some_and(|stepping| stepping.is(task.as_ptr())) {
        return Ok(true);
    }
    let running = running_loop()?;
    let own = future::NATIVE.instance(task).map(future::event_loop_of);
    Ok(own.is_some_and(|own| running.is(own.as_ptr())))
}

/// Has the task cancelled at the deadline, if there is one. `native` is given if the running loop
/// is ours and takes alarms.
///
/// Called with no timer set.
fn start_timer(this: &TimeoutRef, native: Option<&Scheduler>) -> Result<()> {
    let timeout = this.get();
    if let (Some(native), Some(seconds)) = (native, timeout.exact_seconds()) {
        let alarm = if seconds <= native.now().as_secs() {
            Alarm::soon(native, &BELL, this)
        } else {
            Alarm::at(native, Instant::new(seconds), &BELL, this)
        };
        timeout.timer.set(alarm?.into_object());
        return Ok(());
    }
    let when = timeout.when()?;
    if !when.is_none() {
        timeout.timer.set(set_timer_by_name(this, &when)?);
    }
    Ok(())
}

/// Sets the timer as asyncio does: by `call_soon` for a deadline that has passed, else by
/// `call_at`.
///
/// The callback is the bound method `_on_timeout`, which a subclass may replace.
fn set_timer_by_name(this: &TimeoutRef, when: &Object) -> Result<Object> {
    let names = &globals().names;
    let event_loop = running_loop()?;
    let now = event_loop.invoke(&names.time, [])?;
    let callback = this.attribute(&names.on_timeout)?;
    if when.compared(Comparison::LessOrEqual, &now)?.is_true()? {
        return event_loop.invoke(&names.call_soon, [&callback]);
    }
    event_loop.invoke(&names.call_at, [when, &callback])
}

/// How a timeout's alarm rings, and how it is shown.
///
/// The alarm's target is the timeout, not the task.
static BELL: Bell = Bell {
    ring: |timeout| match CLASS.instance(timeout) {
        Some(timeout) => expire(timeout),
        None => Ok(()),
    },
    shown: |this| {
        let callback = this.attribute(&globals().names.on_timeout)?;
        let task = CLASS.instance(this).and_then(|this| this.get().task.get());
        let future = task.as_ref().and_then(|task| future::NATIVE.instance(task));
        let event_loop = future.map_or_else(Object::none, future::event_loop_of);
        Ok((callback, event_loop))
    },
};

/// The deadline has come.
///
/// Runs in a job of its own, and only requests the cancellation; the task sees it in a later step.
///
/// # Errors
/// `AssertionError` if the scope is not entered, as asyncio asserts, and those of `cancel`.
fn expire(this: &TimeoutRef) -> Result<()> {
    let timeout = this.get();
    if timeout.state.get() != State::Entered {
        return Err(assertion_failed());
    }
    task::cancel(&timeout.task.get_or_none())?;
    timeout.state.set(State::Expiring);
    timeout.timer.clear();
    Ok(())
}

/// Without a text, as of a plain `assert`.
#[cold]
fn assertion_failed() -> Raised {
    raise_bare(ExceptionClass::AssertionError)
}

impl Timeout {
    /// The deadline, or None.
    ///
    /// Moves a computed deadline from `seconds` to `when`.
    fn when(&self) -> Result<Object> {
        if let Some(seconds) = self.seconds.take() {
            self.when.set(Object::float(seconds)?);
        }
        Ok(self.when.get_or_none())
    }

    /// The timer is not touched.
    fn set_when(&self, when: Option<&Object>) {
        self.seconds.set(None);
        self.when
            .set_optional(when.filter(|when| !when.is_none()).cloned());
    }

    /// The deadline, if it is a plain number.
    fn exact_seconds(&self) -> Option<f64> {
        self.seconds
            .get()
            .or_else(|| exact_seconds(&self.when.get()?))
    }

    /// Cancels the timer, an alarm of ours or the handle of another loop.
    fn cancel_timer(&self) -> Result<()> {
        let Some(timer) = self.timer.take() else {
            return Ok(());
        };
        if let Some(alarm) = ALARM.exactly(&timer) {
            let task = self.task.get();
            // An alarm was set on the loop of one of our tasks.
            let future = task.as_ref().and_then(|task| Future::native(task));
            let native = future.and_then(|future| future.get().native_loop());
            alarm.get().silence(native);
            return Ok(());
        }
        timer.invoke(&globals().names.cancel, []).map(drop)
    }
}

/// Ends the scope. `raised` is the class and the value of the exception that came out of its body.
///
/// # Errors
/// `TimeoutError` if the time was up and the exception is the timeout's own cancellation;
/// `AssertionError` if the scope was not entered. Other exceptions of the body are left to the
/// caller.
pub fn leave(this: &TimeoutRef, raised: Option<(&Object, &Object)>) -> Result<()> {
    let timeout = this.get();
    if !matches!(timeout.state.get(), State::Entered | State::Expiring) {
        return Err(assertion_failed());
    }
    timeout.cancel_timer()?;
    if timeout.state.get() == State::Entered {
        timeout.state.set(State::Exited);
        return Ok(());
    }
    timeout.state.set(State::Expired);
    let left = task::uncancel(&timeout.task.get_or_none())?;
    match raised {
        // Without new requests for cancellation the exception is this timeout's to handle.
        Some((class, exception)) if left <= timeout.requests.get() => {
            expiry::convert(class, exception)
        }
        _ => Ok(()),
    }
}
