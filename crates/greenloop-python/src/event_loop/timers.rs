//! `call_later`, `call_at` and the loop's clock.
//!
//! A deadline is a float of seconds on the monotonic clock, exactly as in asyncio, so that
//! arithmetic with `loop.time()` gives the same deadlines and the same order on both.
//!
//! `call_later` is `call_at(time() + delay)`, and where neither was replaced the sum is taken here.
//! A delay of another kind than float, such as an int or a `Fraction`, is added by Python's own
//! rules, and the deadline that the program sees in `when()` is that sum. For the heap it is
//! converted to a float.

use greenloop_core::Instant;
use greenloop_cpython::{
    Arguments, Object, Result, making, report_unraisable, saturating_float, type_error,
};
use greenloop_os as os;
use pyo3::prelude::*;

use super::call::{Call, check_callback, leading};
use super::{EventLoop, LoopRef};
use crate::asyncio::globals;
use crate::handle::Handle;
use crate::scheduler::Job;

impl EventLoop {
    /// The result of an overridden `time`. A clock that raises is reported, and stands still.
    ///
    /// Usually called by the turn, where nobody could handle an exception.
    pub(super) fn overridden_time(&self) -> Instant {
        let this = self.scheduler.event_loop().get_or_none();
        let told = this
            .invoke(&globals().names.time, [])
            .and_then(|time| saturating_float(&time));
        match told {
            Ok(seconds) => Instant::new(seconds),
            Err(raised) => {
                report_unraisable(raised, &this);
                os::monotonic()
            }
        }
    }

    /// Sets a timer for `when`, a number of any kind.
    ///
    /// An int too large for a float is infinite: never due. Raises a `TypeError` for what is no
    /// number.
    fn schedule_at(&self, this: &Object, when: &Object, call: &Call<'_>) -> Result<Object> {
        let deadline = Instant::new(saturating_float(when)?);
        let plain = when.exact_float().is_some();
        self.schedule_timer(this, deadline, (!plain).then(|| when.clone()), call)
    }

    /// Makes the handle and pushes it into the heap: a push of logarithmic cost, and no allocation
    /// as a rule.
    #[inline]
    fn schedule_timer(
        &self,
        this: &Object,
        deadline: Instant,
        when: Option<Object>,
        call: &Call<'_>,
    ) -> Result<Object> {
        let Call {
            callback,
            arguments,
            context,
        } = *call;
        let scheduler = &self.scheduler;
        let handle = Handle::create_timer(
            deadline, when, callback, arguments, context, this, scheduler,
        )?;
        scheduler.push_timer(deadline, Job::Handle(handle.up().clone()));
        Ok(handle.into_object())
    }
}

/// `loop.time()`: seconds of `CLOCK_MONOTONIC`, as a float, or those of a virtual clock.
pub(super) fn time(this: &LoopRef) -> Result<Object> {
    let scheduler = &EventLoop::native_part(this).scheduler;
    if !scheduler.follows_replaced_clock() {
        return Object::float(scheduler.now().as_secs());
    }
    // asyncio's own method is called, since the replacement of the clock may give asyncio's loops
    // the real one, as freezegun does with `real_asyncio=True`.
    let method = globals()
        .asyncio
        .unix_event_loop
        .attribute(&globals().names.time)?;
    method.call([this])
}

/// `call_later(delay, callback, *args, context=None)`: the delay is in seconds and may be negative,
/// for the next turn. Raises a `TypeError` for None and for what cannot be added to a float, a
/// `RuntimeError` as `call_soon`.
pub(super) fn call_later(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    let event_loop = EventLoop::native_part(this);
    if let Some(function) = event_loop.replacement_when_idle(this, &globals().names.call_later)? {
        return arguments.forward_to(&function, this);
    }
    let (name, parameter) = (c"BaseEventLoop.call_later", &globals().names.delay);
    let delay = leading(&arguments, name, parameter)?;
    let call = Call::parse(name, &arguments, Some(parameter))?;
    if delay.is_none() {
        return Err(type_error("delay must not be None"));
    }
    event_loop.check_closed()?;
    if event_loop.scheduler.debug() {
        event_loop.check_thread()?;
        // asyncio's `call_later` goes through `call_at`, whose name is in its message.
        check_callback(this, call.callback, "call_at")?;
    }
    let now = if event_loop.scheduler.has_own_timers() {
        let now = this.invoke(&globals().names.time, [])?;
        if event_loop.has_own_deadlines() {
            return call_at_by_name(this, &now, delay, &call);
        }
        now
    } else {
        let now = event_loop.scheduler.now().as_secs();
        if let Some(delay) = delay.exact_float() {
            let deadline = Instant::new(now + delay);
            return event_loop.schedule_timer(this, deadline, None, &call);
        }
        Object::float(now)?
    };
    let when = now.plus(delay)?;
    event_loop.schedule_at(this, &when, &call)
}

/// `call_at(when, callback, *args, context=None)`: seconds on the loop's clock. Raises as
/// [`call_later`] does.
pub(super) fn call_at(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    let event_loop = EventLoop::native_part(this);
    if let Some(function) = event_loop.replacement_when_idle(this, &globals().names.call_at)? {
        return arguments.forward_to(&function, this);
    }
    let (name, parameter) = (c"BaseEventLoop.call_at", &globals().names.when);
    let when = leading(&arguments, name, parameter)?;
    let call = Call::parse(name, &arguments, Some(parameter))?;
    if when.is_none() {
        return Err(type_error("when cannot be None"));
    }
    event_loop.check_closed()?;
    if event_loop.scheduler.debug() {
        event_loop.check_thread()?;
        check_callback(this, call.callback, "call_at")?;
    }
    event_loop.schedule_at(this, when, &call)
}

/// `this.call_at(now + delay, ...)`, for a `call_at` that was replaced.
#[cold]
fn call_at_by_name(
    this: &LoopRef,
    now: &Object,
    delay: &Object,
    call: &Call<'_>,
) -> Result<Object> {
    let when = now.plus(delay)?;
    let mut all = vec![&when, call.callback];
    all.extend(call.arguments);
    let (name, keywords) = (&globals().names.call_at, &globals().keywords.context);
    let none = Object::none();
    this.invoke_all(name, &all, keywords, [call.context.unwrap_or(&none)])
}

#[pymethods]
impl EventLoop {
    /// Return the timers that are set, cancelled ones included, in no particular order, as handles,
    /// for diagnostics.
    fn _timer_handles(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let jobs = self
            .scheduler
            .queue(|queue| queue.timers.iter().map(Job::clone).collect::<Vec<_>>());
        let handles = jobs.iter().map(Self::handle_of).collect::<Result<_>>()?;
        Ok(making::list(handles)?.bound(py).unbind())
    }
}
