//! `sleep`.

use greenloop_core::{Instant, Standing};
use greenloop_cpython::{
    Arguments, ExceptionClass, Object, Raised, Result, call_method, is_raised, raise, restore,
    type_error,
};
use pyo3::ffi;

use super::{Awaitable, Operation, Progress, Stands};
use crate::asyncio::{globals, running_loop};
use crate::future::Future;
use crate::handle::Handle;
use crate::scheduler::{Job, Scheduler, stepping};

/// `sleep(delay, result=None)`: the delay in seconds is in `owner`, the result in `value`.
pub fn sleep(_module: &Object, arguments: Arguments<'_>) -> Result<Object> {
    if let Some(delay) = arguments.only() {
        if exact_seconds(delay).is_some() {
            // A plain number leads nowhere.
            return Awaitable::create_untracked(&SLEEP, delay, None);
        }
        return Awaitable::create(&SLEEP, delay, None);
    }
    sleep_with_result(arguments)
}

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
    start,
    resume,
    interrupt,
    behind: None,
};

/// The step of a `sleep` of no time at all, which lets all other tasks run once.
const YIELDED: u8 = 1;
/// The step of a sleep whose timer is in the heap.
pub(super) const ASLEEP: u8 = 2;
/// The step of a sleep whose timer is not in the heap any more, or counts as cancelled there.
pub(super) const OVER: u8 = 3;

fn start(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    if awaitable.owner().as_ptr() == globals().zero.as_ptr() {
        awaitable.step.set(YIELDED);
        return Ok(Progress::Paused);
    }
    let delay = awaitable.owner().get_or_none();
    let Some(seconds) = exact_seconds(&delay) else {
        return start_by_name(this, &delay);
    };
    if seconds <= 0.0 {
        awaitable.step.set(YIELDED);
        return Ok(Progress::Paused);
    }
    if seconds.is_nan() && globals().sleep_refuses_nan {
        return Err(not_a_number());
    }
    if let Some(task) = stepping() {
        if let Some(scheduler) = Future::of(&task).fast_loop() {
            if !scheduler.has_own_timers() {
                awaitable.wait_natively(Future::of(&task).event_loop());
                awaitable.step.set(ASLEEP);
                let deadline = Instant::new(scheduler.now().as_secs() + seconds);
                scheduler.push_timer(deadline, Job::Sleeper(this.clone()));
                return Ok(Progress::Blocked);
            }
        }
    }
    sleep_by_call_later(this, &delay)
}

/// The number of seconds of a plain float or small int, which most delays are.
#[inline]
pub fn exact_seconds(delay: &Object) -> Option<f64> {
    // SAFETY: `delay` is a valid object, and the conversions are of exactly the classes they are
    // for.
    unsafe {
        if ffi::PyFloat_CheckExact(delay.as_ptr()) != 0 {
            return Some(ffi::PyFloat_AS_DOUBLE(delay.as_ptr()));
        }
        if ffi::PyLong_CheckExact(delay.as_ptr()) != 0 {
            let mut overflow = 0;
            let seconds = ffi::PyLong_AsLongAndOverflow(delay.as_ptr(), &raw mut overflow);
            // A larger one than a float has exactly is left to the general way.
            if overflow == 0 && seconds.unsigned_abs() < 1 << 53 {
                #[expect(clippy::cast_precision_loss, reason = "it was just tested to be exact")]
                return Some(seconds as f64);
            }
        }
    }
    None
}

/// A delay of another kind: its own comparison with 0 decides, as in asyncio, and then its own sum
/// with the loop's time.
#[cold]
fn start_by_name(this: &Object, delay: &Object) -> Result<Progress> {
    let zero = &globals().zero;
    // SAFETY: both are valid objects.
    match unsafe { ffi::PyObject_RichCompareBool(delay.as_ptr(), zero.as_ptr(), ffi::Py_LE) } {
        -1 => return Err(Raised),
        0 => {}
        _ => {
            Awaitable::of(this).step.set(YIELDED);
            return Ok(Progress::Paused);
        }
    }
    if globals().sleep_refuses_nan {
        // SAFETY: a valid object; the error is asked for while the GIL is held.
        let (seconds, failed) = unsafe {
            let seconds = ffi::PyFloat_AsDouble(delay.as_ptr());
            (seconds, is_raised())
        };
        if failed {
            return Err(Raised);
        }
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
fn sleep_by_call_later(this: &Object, delay: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let globals = globals();
    let event_loop = running_loop()?;
    awaitable.wait_on_future(&event_loop)?;
    let (future, result) = (awaitable.future(), awaitable.value().get_or_none());
    let handle = call_method(
        &globals.names.call_later,
        &[
            event_loop.as_ptr(),
            delay.as_ptr(),
            globals.asyncio.set_result_unless_cancelled.as_ptr(),
            future.as_ptr(),
            result.as_ptr(),
        ],
    )?;
    // From here on the owner is the handle that has to be cancelled.
    awaitable.owner().set(handle);
    Ok(Progress::Blocked)
}

fn resume(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    if awaitable.foreign.get() && awaitable.step.get() != OVER {
        // Not by its own timer: the future has the result.
        let future = awaitable.future();
        stop_timer(awaitable)?;
        let result = call_method(&globals().names.result, &[future.as_ptr()])?;
        return Ok(Progress::Returned(result));
    }
    Ok(Progress::Returned(awaitable.value().get_or_none()))
}

fn interrupt(this: &Object, exception: Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    if awaitable.foreign.get() {
        stop_timer(awaitable)?;
    } else if awaitable.step.get() == ASLEEP && awaitable.standing.get() != Stands::Woken {
        awaitable.standing.set(Stands::Cancelled);
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
            if let Some(handle) = awaitable.owner().take() {
                call_method(&globals().names.cancel, &[handle.as_ptr()])?;
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

/// A sleeper's timer is due.
pub fn run_sleeper(this: &Object) -> Result<()> {
    let awaitable = Awaitable::of(this);
    if awaitable.step.replace(OVER) == ASLEEP && Awaitable::standing(this)? == Standing::Waiting {
        return Awaitable::wake(this);
    }
    Ok(())
}

/// Whether the timer has no sleeper to wake any more.
pub fn is_cancelled(this: &Object) -> bool {
    Awaitable::of(this).step.get() != ASLEEP
}

/// A handle that represents a sleeper's timer, for code that looks at the heap.
pub fn sleeper_handle(this: &Object) -> Result<Object> {
    let event_loop = Awaitable::of(this).event_loop.get_or_none();
    let class = globals().classes.handle.as_ptr();
    let function = &globals().asyncio.set_result_unless_cancelled;
    Handle::create(
        class,
        function,
        std::slice::from_ref(this),
        None,
        &event_loop,
        None,
    )
}
