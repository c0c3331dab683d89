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

mod class;

use std::cell::Cell;

use greenloop_core::Instant;
use greenloop_cpython::making;
use greenloop_cpython::{
    ExceptionClass, Freelist, Held, Instance, Object, Raised, Result, Slot, Visited, Visitor,
    call_method, raise, raise_bare, visit_slots,
};
use pyo3::ffi;

use super::expiry;
use crate::asyncio::{globals, running_loop};
use crate::awaitable::exact_seconds;
use crate::future::Future;
use crate::scheduler::{Alarm, Bell, Scheduler, stepping};
use crate::task;

pub use class::{make_class, pair, timeout, timeout_at};

/// How many dead timeouts are kept for new ones.
static SPARE: Freelist<64> = Freelist::new();

/// The fields of a `Timeout`.
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
    requests: Cell<i64>,
}

/// See the picture above.
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

impl Held for Timeout {
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

fn of(this: &Object) -> &Timeout {
    Instance::<Timeout>::of(this)
}

/// Whether no method can have been overridden.
fn is_exact(this: &Object) -> bool {
    globals().classes.timeout.is_untouched_class_of(this)
}

/// A `Timeout` at `when`, not entered yet.
pub fn create(when: Option<&Object>) -> Result<Object> {
    let this = Instance::<Timeout>::create_from(&SPARE, &globals().classes.timeout)?;
    of(&this).set_when(when);
    Ok(this)
}

/// A `Timeout` that begins now and ends after `delay`, on the running loop's clock.
pub fn create_after(delay: &Object) -> Result<Object> {
    let task = stepping();
    let native = task.as_ref().and_then(native_clock);
    if let (Some(native), Some(seconds)) = (native, exact_seconds(delay)) {
        let this = create(None)?;
        of(&this)
            .seconds
            .set(Some(native.now().as_secs() + seconds));
        return Ok(this);
    }
    let event_loop = running_loop()?;
    let now = call_method(&globals().names.time, &[event_loop.as_ptr()])?;
    let when = now.plus(delay)?;
    create(Some(&when))
}

/// The loop of one of our tasks, if deadlines can go straight into its heap.
#[inline]
pub fn native_clock(task: &Object) -> Option<&Scheduler> {
    if !task.is_exactly(globals().classes.task.as_ptr()) {
        return None;
    }
    let native = Future::of(task).fast_loop()?;
    (!native.has_own_timers()).then_some(native)
}

/// Begins the scope in the current task.
pub fn enter(this: &Object) -> Result<()> {
    let timeout = of(this);
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
    let arguments = [this.as_ptr(), when.as_ptr()];
    call_method(&globals().names.reschedule, &arguments).map(drop)
}

/// The error of a timeout that no task enters.
pub fn outside_of_a_task() -> Raised {
    runtime_error(c"Timeout should be used inside a task")
}

fn runtime_error(text: &std::ffi::CStr) -> Raised {
    raise(ExceptionClass::RuntimeError, text)
}

/// Moves the deadline, or takes it away if it is None.
fn reschedule(this: &Object, when: &Object) -> Result<()> {
    let timeout = of(this);
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
    let is_stepping = stepping().is_some_and(|stepping| stepping.is(task.as_ptr()));
    Ok(is_stepping || running_loop()?.is(Future::of(task).event_loop().as_ptr()))
}

/// Has the task cancelled at the deadline, if there is one. `native` is given if the running loop
/// is ours and takes alarms.
fn start_timer(this: &Object, native: Option<&Scheduler>) -> Result<()> {
    let timeout = of(this);
    if let (Some(native), Some(seconds)) = (native, timeout.exact_seconds()) {
        let alarm = if seconds <= native.now().as_secs() {
            Alarm::soon(native, &BELL, this)
        } else {
            Alarm::at(native, Instant::new(seconds), &BELL, this)
        };
        timeout.timer.set(alarm?);
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
fn set_timer_by_name(this: &Object, when: &Object) -> Result<Object> {
    let names = &globals().names;
    let event_loop = running_loop()?;
    let now = call_method(&names.time, &[event_loop.as_ptr()])?;
    let callback = this.attribute(&names.on_timeout)?;
    // SAFETY: both are valid objects.
    let due = unsafe {
        let order = ffi::PyObject_RichCompare(when.as_ptr(), now.as_ptr(), ffi::Py_LE);
        Object::from_returned(order)?.is_true()?
    };
    if due {
        return call_method(&names.call_soon, &[event_loop.as_ptr(), callback.as_ptr()]);
    }
    let arguments = [event_loop.as_ptr(), when.as_ptr(), callback.as_ptr()];
    call_method(&names.call_at, &arguments)
}

/// How a timeout's alarm rings, and how it is shown.
static BELL: Bell = Bell {
    ring: expire,
    shown: |this| {
        let callback = this.attribute(&globals().names.on_timeout)?;
        let task = of(this).task.get();
        let event_loop = task.map_or_else(Object::none, |task| crate::future::event_loop_of(&task));
        Ok((callback, event_loop))
    },
};

/// The deadline has come.
fn expire(this: &Object) -> Result<()> {
    let timeout = of(this);
    if timeout.state.get() != State::Entered {
        return Err(assertion_failed());
    }
    task::cancel(&timeout.task.get_or_none())?;
    timeout.state.set(State::Expiring);
    timeout.timer.clear();
    Ok(())
}

#[cold]
fn assertion_failed() -> Raised {
    raise_bare(ExceptionClass::AssertionError)
}

impl Timeout {
    /// The deadline, or None.
    fn when(&self) -> Result<Object> {
        if let Some(seconds) = self.seconds.take() {
            // SAFETY: returns a new reference or NULL with an exception set.
            let when = unsafe { Object::from_returned(ffi::PyFloat_FromDouble(seconds))? };
            self.when.set(when);
        }
        Ok(self.when.get_or_none())
    }

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
        if Alarm::is_alarm(&timer) {
            let task = self.task.get();
            // An alarm was set on the loop of one of our tasks.
            let native = task
                .as_ref()
                .and_then(|task| Future::of(task).native_loop());
            Alarm::of(&timer).silence(native);
            return Ok(());
        }
        call_method(&globals().names.cancel, &[timer.as_ptr()]).map(drop)
    }
}

/// Ends the scope. `raised` is the class and the value of the exception that came out of its body.
pub fn leave(this: &Object, raised: Option<(&Object, &Object)>) -> Result<()> {
    let timeout = of(this);
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
