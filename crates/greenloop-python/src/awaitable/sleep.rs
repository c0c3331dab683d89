//! `sleep`.
//!
//! ```text
//!   start: 0 or less ──► YIELDED: yields None, returns in the next turn
//!          plain number, native task ──► ASLEEP: in the heap ──► due, or cancelled ──► OVER
//!          anything else ──► a future and `call_later`, as asyncio's
//! ```
//! A native sleep costs one awaitable from the list of dead ones and one entry of the heap: no
//! future, no handle. The deadline is the loop's time at the first step plus the delay, in the same
//! arithmetic of floats as asyncio's, so the order of sleepers is the same.

use greenloop_core::observe::WaitKind;
use greenloop_core::{Instant, WaiterState};
use greenloop_cpython::{
    Arguments, Comparison, ExceptionClass, Native, Object, Raised, Result, raise, restore,
    type_error,
};

use super::{Awaitable, Operation, PackedState, Progress};
use crate::asyncio::edition::SLEEP_REFUSES_NAN;
use crate::asyncio::{globals, running_loop};
use crate::future::future_of;
use crate::handle::{self, Handle};
use crate::observing::Wait;
use crate::scheduler::{Job, Scheduler, SleeperKind, with_stepping};

/// `sleep(delay, result=None)`: the delay in seconds is in `owner`, the result in `value`.
///
/// Makes the coroutine and does nothing else: the time begins to count when it is awaited. A delay
/// that cannot be compared with 0 raises at that time. Raises a `TypeError` for wrong arguments.
pub fn sleep(arguments: Arguments<'_>) -> Result<Object> {
    if let Some(delay) = arguments.only() {
        if exact_seconds(delay).is_some() {
            // A plain number leads nowhere.
            return Awaitable::create_untracked(&SLEEP, delay, None).map(Native::into_object);
        }
        return Awaitable::create(&SLEEP, delay, None);
    }
    sleep_with_result(arguments)
}

/// The general form, with names or a result.
#[cold]
fn sleep_with_result(arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.delay, &names.result];
    let [delay, result] = arguments.bind(c"sleep", parameters, 2, 1)?;
    let Some(delay) = delay else {
        return Err(type_error(
            "sleep() missing 1 required positional argument: 'delay'",
        ));
    };
    Awaitable::create(&SLEEP, delay, result)
}

static SLEEP: Operation = Operation {
    name: c"sleep",
    start: |this, _| start(this),
    resume: |this, _| resume(this),
    interrupt: |this, _, exception| interrupt(this, exception),
    waits: |this, _| Some(this.get().waits_asleep()),
    inside: |this| match this.step.get() {
        YIELDED => &[c"__sleep0"],
        _ => &[],
    },
    behind: None,
};

/// The step of a `sleep` of no time at all, which lets all other tasks run once.
const YIELDED: u8 = 1;
/// The step of a sleep whose timer is in the heap.
pub(super) const ASLEEP: u8 = 2;
/// The step of a sleep whose timer is not in the heap any more, or counts as cancelled there.
pub(super) const OVER: u8 = 3;

impl Awaitable {
    /// What a sleep waits for.
    fn waits_asleep(&self) -> Wait {
        let seconds = exact_seconds(&self.owner.get_or_none());
        Wait {
            remaining: seconds,
            ..Wait::of(WaitKind::Sleep)
        }
    }
}

/// The first step. Raises a `ValueError` for a delay that is not a number, from 3.13 on.
fn start(this: &Native<Awaitable>) -> Result<Progress> {
    let awaitable = this.get();
    if awaitable.owner.as_ptr() == globals().zero.as_ptr() {
        awaitable.step.set(YIELDED);
        return Ok(Progress::Paused);
    }
    let delay = awaitable.owner.get_or_none();
    let Some(seconds) = exact_seconds(&delay) else {
        return start_by_name(this, &delay);
    };
    if seconds <= 0.0 {
        awaitable.step.set(YIELDED);
        return Ok(Progress::Paused);
    }
    if seconds.is_nan() && SLEEP_REFUSES_NAN {
        return Err(not_a_number());
    }
    let is_native = with_stepping(|task| {
        let Some(future) = task.map(|task| future_of(task).get()) else {
            return false;
        };
        let scheduler = future.fast_loop();
        let Some(scheduler) = scheduler.filter(|scheduler| !scheduler.has_own_timers()) else {
            return false;
        };
        awaitable.wait_natively(future.event_loop());
        awaitable.step.set(ASLEEP);
        let deadline = Instant::new(scheduler.now().as_secs() + seconds);
        scheduler.push_timer(deadline, Job::Sleeper(this.up().clone()));
        true
    });
    if is_native {
        return Ok(Progress::Blocked);
    }
    sleep_by_call_later(this, &delay)
}

/// The number of seconds of a plain float or small int, which most delays are.
#[inline]
pub fn exact_seconds(delay: &Object) -> Option<f64> {
    delay.exact_float().or_else(|| {
        // A larger one than a float has exactly is left to the general way.
        let seconds = delay.exact_int()?;
        #[expect(clippy::cast_precision_loss, reason = "it is tested to be exact")]
        (seconds.unsigned_abs() < 1 << 53).then_some(seconds as f64)
    })
}

/// A delay of another kind: its own comparison with 0 decides, as in asyncio, and then its own sum
/// with the loop's time.
///
/// Such delays are a `Decimal`, a `Fraction`, a large int, or whatever a program compares with 0.
#[cold]
fn start_by_name(this: &Native<Awaitable>, delay: &Object) -> Result<Progress> {
    if delay.compares(Comparison::LessOrEqual, &globals().zero)? {
        this.get().step.set(YIELDED);
        return Ok(Progress::Paused);
    }
    if SLEEP_REFUSES_NAN {
        let seconds = delay.float_value()?;
        if seconds.is_nan() {
            return Err(not_a_number());
        }
    }
    sleep_by_call_later(this, delay)
}

#[cold]
fn not_a_number() -> Raised {
    raise(
        ExceptionClass::ValueError,
        c"Invalid delay: NaN (not a number)",
    )
}

/// On a loop that is not ours, or whose clock was replaced, or for a delay of another kind: a
/// future and `call_later`.
///
/// The callback is asyncio's `_set_result_unless_cancelled`, with the future and the result.
fn sleep_by_call_later(this: &Native<Awaitable>, delay: &Object) -> Result<Progress> {
    let awaitable = this.get();
    let globals = globals();
    let event_loop = running_loop()?;
    awaitable.wait_on_future(&event_loop)?;
    let (future, result) = (awaitable.future(), awaitable.value().get_or_none());
    let handle = event_loop.invoke(
        &globals.names.call_later,
        [
            delay,
            &globals.asyncio.set_result_unless_cancelled,
            &future,
            &result,
        ],
    )?;
    // From here on the owner is the handle that has to be cancelled.
    awaitable.owner.set(handle);
    Ok(Progress::Blocked)
}

/// The wait is over: by the timer, or because the program has ended the future or the awaitable
/// itself.
fn resume(this: &Native<Awaitable>) -> Result<Progress> {
    let awaitable = this.get();
    if awaitable.foreign.get() && awaitable.step.get() != OVER {
        // Not by its own timer: the future has the result.
        let future = awaitable.future();
        stop_timer(awaitable)?;
        let result = future.invoke(&globals().names.result, [])?;
        return Ok(Progress::Returned(result));
    }
    Ok(Progress::Returned(awaitable.value().get_or_none()))
}

/// Cancelled, closed or thrown into: the timer does not count any more, and the exception goes on.
fn interrupt(this: &Native<Awaitable>, exception: Object) -> Result<Progress> {
    let awaitable = this.get();
    if awaitable.foreign.get() {
        stop_timer(awaitable)?;
    } else if awaitable.step.get() == ASLEEP && awaitable.waiter_state.get() != PackedState::Woken {
        awaitable.waiter_state.set(PackedState::Cancelled);
        leave_heap(awaitable);
    }
    Err(restore(exception))
}

/// The timer of a foreign wait no longer wakes: a handle, or, of a wait that became foreign, the
/// sleeper itself.
fn stop_timer(awaitable: &Awaitable) -> Result<()> {
    match awaitable.step.get() {
        ASLEEP => leave_heap(awaitable),
        OVER => {}
        _ => {
            if let Some(handle) = awaitable.owner.take() {
                handle.invoke(&globals().names.cancel, [])?;
            }
        }
    }
    Ok(())
}

/// The timer stays in the heap until it is due or the heap is swept.
fn leave_heap(awaitable: &Awaitable) {
    awaitable.step.set(OVER);
    if let Some(scheduler) = Scheduler::of(&awaitable.event_loop.get_or_none()) {
        scheduler.note_cancelled_timer();
    }
}

/// The awaitable that a job holds.
#[inline]
fn of_job(sleeper: &Native<SleeperKind>) -> &Native<Awaitable> {
    // SAFETY: only `Awaitable` extends the kind.
    unsafe { Native::from_ref(sleeper) }
}

/// A sleeper's timer is due.
///
/// Wakes the task, which is stepped in the next turn, as with asyncio's timer, future and callback.
/// An entry that was cancelled meanwhile does nothing.
pub fn run_sleeper(this: &Native<SleeperKind>) -> Result<()> {
    let this = of_job(this);
    let awaitable = this.get();
    if awaitable.step.replace(OVER) == ASLEEP
        && Awaitable::waiter_state(this)? == WaiterState::Waiting
    {
        return Awaitable::wake(this);
    }
    Ok(())
}

/// Whether the timer has no sleeper to wake any more.
pub fn is_cancelled(this: &Native<SleeperKind>) -> bool {
    of_job(this).get().step.get() != ASLEEP
}

/// A handle that represents a sleeper's timer, for code that looks at the heap.
pub fn sleeper_handle(this: &Native<SleeperKind>) -> Result<Native<Handle>> {
    let event_loop = of_job(this).get().event_loop.get_or_none();
    let class = &handle::CLASS;
    let function = &globals().asyncio.set_result_unless_cancelled;
    Handle::create(
        class,
        function,
        &[this.clone().into_object()],
        None,
        &event_loop,
        None,
    )
}
