//! The timer of `wait(timeout=…)`, which ends a wait after a time.
//!
//! asyncio's `_wait` makes a future and a handle of `call_later`, whose callback is
//! `_release_waiter`. Here the awaitable stands in the heap itself, as `Job::Sleeper`, and shares
//! the steps of `sleep`: its `step` is `ASLEEP` while the heap's entry is to wake it, and `OVER`
//! afterwards.

use greenloop_core::Instant;
use greenloop_cpython::{Native, Object, Result};

use super::sleep::{ASLEEP, OVER, exact_seconds};
use super::{Awaitable, PackedState};
use crate::asyncio::{globals, running_loop};
use crate::future::future_of;
use crate::scheduler::{Job, Scheduler, stepping};

impl Awaitable {
    /// Gets ready to wait without a line, for at most `delay` seconds if there is a delay.
    ///
    /// Inside a native task the awaitable itself is among the timers, as a sleeper is. Anywhere
    /// else `call_later` is called, and its handle returned.
    ///
    /// `delay` is a number of seconds of any kind; what is neither a plain float nor a small int
    /// goes to `call_later`, which adds it to the loop's time by Python's own rules. The caller
    /// then returns `Progress::Blocked`, and cancels what was returned, or calls
    /// [`cancel_alarm`](Self::cancel_alarm), when the wait ends in another way. Raises a
    /// `RuntimeError` where no loop runs, and what `create_future` or `call_later` raise.
    pub fn prepare_alone(
        this: &Native<Awaitable>,
        delay: Option<&Object>,
    ) -> Result<Option<Object>> {
        let awaitable = this.get();
        if let Some(task) = stepping() {
            if let Some(scheduler) = future_of(&task).get().fast_loop() {
                let seconds = delay.map(exact_seconds);
                if seconds.is_none() {
                    awaitable.wait_natively(future_of(&task).get().event_loop());
                    return Ok(None);
                }
                if let (Some(seconds), false) = (seconds.flatten(), scheduler.has_own_timers()) {
                    awaitable.wait_natively(future_of(&task).get().event_loop());
                    awaitable.step.set(ASLEEP);
                    let deadline = Instant::new(scheduler.now().as_secs() + seconds);
                    scheduler.push_timer(deadline, Job::Sleeper(this.up().clone()));
                    return Ok(None);
                }
            }
        }
        let globals = globals();
        let event_loop = running_loop()?;
        awaitable.wait_on_future(&event_loop)?;
        let Some(delay) = delay else {
            return Ok(None);
        };
        let function = &globals.asyncio.release_waiter;
        let waiter = awaitable.future();
        event_loop
            .invoke(&globals.names.call_later, [delay, function, &waiter])
            .map(Some)
    }

    /// Cancels the timer that [`prepare_alone`](Self::prepare_alone) has set, if it has set one
    /// itself.
    ///
    /// Without effect once the timer was due, so a wait that ends in either way may call it.
    pub fn cancel_alarm(this: &Native<Awaitable>) {
        let awaitable = this.get();
        if awaitable.step.get() != ASLEEP {
            return;
        }
        // The timer stays in the heap until it is due or the heap is swept.
        awaitable.step.set(OVER);
        if let Some(scheduler) = Scheduler::of(&awaitable.event_loop.get_or_none()) {
            scheduler.note_cancelled_timer();
        }
    }

    /// Ends a wait that [`prepare_alone`](Self::prepare_alone) has begun, if nothing else has.
    ///
    /// For a notification of the objects that are waited for. A foreign wait is ended by asyncio's
    /// `_release_waiter`, which leaves a future that is done alone.
    pub fn release(this: &Native<Awaitable>) -> Result<()> {
        let awaitable = this.get();
        if awaitable.foreign.get() {
            let future = awaitable.future();
            let function = &globals().asyncio.release_waiter;
            return function.call([&future]).map(drop);
        }
        if awaitable.waiter_state.get() == PackedState::Waiting {
            return Self::wake(this);
        }
        Ok(())
    }
}
