//! The class `Timeout` as Python sees it, and the functions that make one.
//!
//! The methods translate between Python's arguments and the functions of `timeout`. `__aenter__`
//! and a failing `__aexit__` return awaitables that never wait: asyncio's are coroutine functions,
//! so their effect comes when they are awaited.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Anything, Arguments, Native, Object, Result, attached, class_of, copied, fast, noargs,
    of_class, readonly, restore, set_state, state_of, type_error,
};
use pyo3::prelude::*;

use super::{
    CLASS, State, Timeout, TimeoutRef, create, create_after, enter, expire, leave, reschedule,
};
use crate::asyncio::edition::{TIMEOUT_IS_FINAL, edition};
use crate::asyncio::{globals, running_loop};
use crate::awaitable::{Awaitable, Operation, Progress, completed, ready};
use crate::event_loop::alarm_handle;
use crate::scheduler::ALARM;
use crate::scopes::expiry;

/// The scope is entered when the awaitable is awaited.
fn aenter(this: &TimeoutRef) -> Result<Object> {
    Awaitable::create(&ENTER, this, None)
}

/// Returns the timeout itself, for `as`.
static ENTER: Operation<TimeoutRef> = Operation {
    name: c"Timeout.__aenter__",
    start: |_, timeout| {
        enter(timeout)?;
        ready(timeout.clone().into_object())
    },
    resume: |_, _| never_waits(),
    interrupt: |_, _, exception| Err(restore(exception)),
    waits: |_, _| None,
    inside: |_| &[],
    behind: None,
};

/// `__aexit__(exc_type, exc_val, exc_tb)`: turns the cancellation of an expired scope into
/// `TimeoutError`.
///
/// A body that ended without an exception is left at once, in the call; the shared completed
/// awaitable is returned, so that a scope in time costs no object for its exit.
///
/// # Errors
/// `TypeError` for wrong arguments.
fn aexit(this: &TimeoutRef, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.exc_type, &names.exc_val, &names.exc_tb];
    let [class, exception, _] = arguments.bind(c"Timeout.__aexit__", parameters, 3, 3)?;
    let none = Object::none();
    let (class, exception) = (class.unwrap_or(&none), exception.unwrap_or(&none));
    if class.is_none() {
        // The outcome needs no handling beyond this call.
        leave(this, None)?;
        return completed();
    }
    let raised = making::pair(class, exception)?;
    Awaitable::create(&EXIT, this, Some(&raised))
}

/// The exception's class and value are a pair in `value`. The result None lets the exception go on.
static EXIT: Operation<TimeoutRef> = Operation {
    name: c"Timeout.__aexit__",
    start: |this, timeout| {
        let raised = this.get().value().get_or_none().as_pair();
        let raised = raised.as_ref();
        leave(timeout, raised.map(|(class, exception)| (class, exception)))?;
        ready(Object::none())
    },
    resume: |_, _| never_waits(),
    interrupt: |_, _, exception| Err(restore(exception)),
    waits: |_, _| None,
    inside: |_| &[],
    behind: None,
};

/// The steps after a wait are required of an operation and not reached.
fn never_waits() -> Result<Progress> {
    ready(Object::none())
}

/// `Timeout(when)`: a timeout may be initialised again, even if it is entered, as an object of
/// Python's may. Its timer is forgotten then, not cancelled.
fn initialise(this: &TimeoutRef, arguments: Arguments<'_>) -> Result<()> {
    let [when] = arguments.bind(c"Timeout.__init__", [&globals().names.when], 1, 1)?;
    let timeout = this.get();
    timeout.state.set(State::Created);
    timeout.timer.clear();
    timeout.task.clear();
    timeout.set_when(when);
    Ok(())
}

fn when_method(this: &TimeoutRef) -> Result<Object> {
    this.get().when()
}

/// `reschedule(when)`.
fn reschedule_method(this: &TimeoutRef, arguments: Arguments<'_>) -> Result<Object> {
    let [when] = arguments.bind(c"Timeout.reschedule", [&globals().names.when], 1, 1)?;
    let none = Object::none();
    reschedule(this, when.unwrap_or(&none))?;
    Ok(Object::none())
}

/// True from the deadline on, also before the body has ended.
fn expired(this: &TimeoutRef) -> Result<Object> {
    let state = this.get().state.get();
    Ok(Object::boolean(matches!(
        state,
        State::Expiring | State::Expired
    )))
}

/// For loops that call it by name, and for programs that test with it.
fn on_timeout(this: &TimeoutRef) -> Result<Object> {
    expire(this)?;
    Ok(Object::none())
}

/// A static method in asyncio, of the releases that have it.
fn insert_timeout_error(_class: &Object, exception: &Object) -> Result<Object> {
    expiry::insert_timeout_error(exception)?;
    Ok(Object::none())
}

/// The deadline is shown only while the scope is entered, rounded to milliseconds.
fn repr(this: &TimeoutRef) -> Result<Object> {
    let py = attached();
    let timeout = this.get();
    let state = timeout.state.get();
    let mut text = format!("<Timeout [{}]>", state.as_str());
    if state == State::Entered {
        let mut when = timeout.when()?.bound(py).clone();
        if !when.is_none() {
            when = making::import(py, c"builtins")?.invoke_method(c"round", (when, 3))?;
        }
        text = format!("<Timeout [{}] when={when}>", state.as_str());
    }
    making::text(&text)
}

/// The member of asyncio's own enumeration.
///
/// The enumeration is called with the value, so programs can compare with `is`.
fn state_attribute(this: &TimeoutRef) -> Result<Object> {
    let py = attached();
    let states = making::import(py, c"asyncio.timeouts")?.look_up(c"_State")?;
    Ok(states.invoke((this.get().state.get().as_str(),))?.into())
}

fn task_attribute(this: &TimeoutRef) -> Result<Object> {
    Ok(this.get().task.get_or_none())
}

/// `_timeout_handler`: the handle of the timer, which is made for an alarm when it is asked for.
///
/// None without a timer. A handle that is made for an alarm can be cancelled like any other.
fn timer_attribute(this: &TimeoutRef) -> Result<Object> {
    let timer = this.get().timer.get_or_none();
    match ALARM.exactly(&timer) {
        Some(alarm) => alarm_handle(alarm).map(Native::into_object),
        None => Ok(timer),
    }
}

fn requests_attribute(this: &TimeoutRef) -> Result<Object> {
    Object::int(this.get().requests.get())
}

/// `__getstate__()`, for objects that have a timeout among their attributes.
///
/// Deep copies and pickles fail where asyncio's do: on the task and the handle of one that is
/// entered.
fn getstate(this: &TimeoutRef) -> Result<Object> {
    let names: &[&str] = &["_state", "_timeout_handler", "_task", "_when"];
    state_of(this, names)
}

/// `__setstate__(state)`. A copy is never entered, even if the original is.
///
/// The task and the timer of the original are not taken over.
///
/// # Errors
/// `TypeError` for a timeout that a task is in.
fn setstate(this: &TimeoutRef, state: &Object) -> Result<Object> {
    if matches!(this.get().state.get(), State::Entered | State::Expiring) {
        return Err(type_error("a timeout that is entered cannot become a copy"));
    }
    set_state(this, state, |name, value| {
        let timeout = this.get();
        match name {
            "_when" => timeout.set_when(Some(value)),
            "_state" => timeout.state.set(state_of_member(value)?),
            "_task" | "_timeout_handler" => {}
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Object::none())
}

/// The state that a member of asyncio's enumeration means for a timeout that no task is in.
fn state_of_member(member: &Object) -> Result<State> {
    let py = attached();
    let value: String = member.bound(py).look_up(c"value")?.extract()?;
    let states = [State::Exited, State::Expired];
    let ended = states.into_iter().find(|state| state.as_str() == value);
    Ok(ended.unwrap_or(State::Created))
}

/// `timeout(delay)`.
///
/// `delay` is in seconds; None is no limit.
///
/// # Errors
/// `RuntimeError` without a running loop, whether or not there is a limit.
pub fn timeout(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let [delay] = arguments.bind(c"timeout", [&globals().names.delay], 1, 1)?;
    let Some(delay) = delay.filter(|delay| !delay.is_none()) else {
        running_loop()?;
        return create(None).map(Native::into_object);
    };
    create_after(delay).map(Native::into_object)
}

/// `timeout_at(when)`.
///
/// `when` is in seconds on the loop's clock, and is not looked at before the scope is entered.
pub fn timeout_at(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let [when] = arguments.bind(c"timeout_at", [&globals().names.when], 1, 1)?;
    create(when).map(Native::into_object)
}

/// Makes the class.
///
/// The class keeps some dead instances for new ones, which saves an allocation for each
/// `async with timeout(…)`.
pub fn make_class() -> Result<()> {
    let mut class = class_of::<Timeout>(c"greenloop.Timeout")
        .subclassable()
        .doc(
            c"Timeout(when)\n--\n\n\
             An asynchronous context manager that cancels overdue coroutines; see asyncio.Timeout.",
        )
        .init_by(initialise)
        .repr_by(repr)
        .methods([
            noargs(
                c"when",
                when_method,
                c"Return the deadline in seconds on the loop's clock, or None.",
            ),
            fast(
                c"reschedule",
                reschedule_method,
                c"reschedule($self, /, when)\n--\n\n\
                  Set a new deadline, in seconds on the loop's clock; None is no deadline.",
            ),
            noargs(
                c"expired",
                expired,
                c"Return whether the deadline has passed before the body ended.",
            ),
            noargs(
                c"__aenter__",
                aenter,
                c"Enter the scope: the current task is cancelled at the deadline.",
            ),
            fast(
                c"__aexit__",
                aexit,
                c"Leave the scope; raise TimeoutError if the deadline cancelled the body.",
            ),
            noargs(
                c"_on_timeout",
                on_timeout,
                c"Cancel the task, at the deadline.",
            ),
        ])
        .methods(copied(getstate, setstate))
        .attributes([
            readonly(c"_state", state_attribute),
            readonly(c"_when", when_method),
            readonly(c"_task", task_attribute),
            readonly(c"_timeout_handler", timer_attribute),
            readonly(c"_cancelling", requests_attribute),
        ]);
    if edition().timeout.inserts_error {
        class = class.methods([of_class(
            c"_insert_timeout_error",
            insert_timeout_error,
            c"Put a TimeoutError before a CancelledError in the contexts of an exception.",
        )]);
    }
    class.build_recycling(|| &CLASS)?;
    if TIMEOUT_IS_FINAL {
        // `typing.final` does the same.
        CLASS.object().bound(attached()).put(c"__final__", true)?;
    }
    Ok(())
}
