//! The class `Timeout` as Python sees it, and the functions that make one.

use std::ffi::c_void;

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Arguments, Object, Result, attached, attribute, class_of, copied, fast, init, noargs, one,
    restore, set_state, state_of, type_error, unary,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::{SPARE, State, Timeout, create, create_after, enter, expire, leave, of, reschedule};
use crate::asyncio::{globals, running_loop};
use crate::awaitable::{Awaitable, Operation, Progress, completed, ready};
use crate::event_loop::alarm_handle;
use crate::scheduler::Alarm;
use crate::scopes::expiry;
use crate::scopes::running_rules::rules;

fn aenter(this: &Object) -> Result<Object> {
    Awaitable::create(&ENTER, this, None)
}

static ENTER: Operation = Operation {
    name: c"Timeout.__aenter__",
    start: |this| {
        let owner = Awaitable::of(this).owner().get_or_none();
        enter(&owner)?;
        ready(owner)
    },
    resume: never_waits,
    interrupt: |_, exception| Err(restore(exception)),
    behind: None,
};

/// `__aexit__(exc_type, exc_val, exc_tb)`: turns the cancellation of an expired scope into
/// `TimeoutError`.
fn aexit(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
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
    // SAFETY: both are valid objects.
    let raised = unsafe { ffi::PyTuple_Pack(2, class.as_ptr(), exception.as_ptr()) };
    // SAFETY: it is a new reference, or NULL with an exception set.
    let raised = unsafe { Object::from_returned(raised)? };
    Awaitable::create(&EXIT, this, Some(&raised))
}

static EXIT: Operation = Operation {
    name: c"Timeout.__aexit__",
    start: |this| {
        let awaitable = Awaitable::of(this);
        let owner = awaitable.owner().get_or_none();
        let (class, exception) = pair(&awaitable.value().get_or_none());
        leave(&owner, Some((&class, &exception)))?;
        ready(Object::none())
    },
    resume: never_waits,
    interrupt: |_, exception| Err(restore(exception)),
    behind: None,
};

/// The two objects of a tuple that was made of two.
pub fn pair(tuple: &Object) -> (Object, Object) {
    // SAFETY: the callers pass tuples of two.
    unsafe {
        let item = |index| Object::from_borrowed(ffi::PyTuple_GET_ITEM(tuple.as_ptr(), index));
        (item(0), item(1))
    }
}

fn never_waits(_this: &Object) -> Result<Progress> {
    ready(Object::none())
}

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let [when] = arguments.bind(c"Timeout.__init__", [&globals().names.when], 1, 1)?;
    let timeout = of(this);
    timeout.state.set(State::Created);
    timeout.timer.clear();
    timeout.task.clear();
    timeout.set_when(when);
    Ok(())
}

fn when_method(this: &Object) -> Result<Object> {
    of(this).when()
}

fn reschedule_method(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [when] = arguments.bind(c"Timeout.reschedule", [&globals().names.when], 1, 1)?;
    let none = Object::none();
    reschedule(this, when.unwrap_or(&none))?;
    Ok(Object::none())
}

fn expired(this: &Object) -> Result<Object> {
    let state = of(this).state.get();
    Ok(Object::boolean(matches!(
        state,
        State::Expiring | State::Expired
    )))
}

fn on_timeout(this: &Object) -> Result<Object> {
    expire(this)?;
    Ok(Object::none())
}

fn insert_timeout_error(_class: &Object, exception: &Object) -> Result<Object> {
    expiry::insert_timeout_error(exception)?;
    Ok(Object::none())
}

fn repr_slot(this: &Object) -> Result<Object> {
    let py = attached();
    let timeout = of(this);
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
fn state_attribute(this: &Object) -> Result<Object> {
    let py = attached();
    let states = making::import(py, c"asyncio.timeouts")?.look_up(c"_State")?;
    Ok(states.invoke((of(this).state.get().as_str(),))?.into())
}

fn task_attribute(this: &Object) -> Result<Object> {
    Ok(of(this).task.get_or_none())
}

/// `_timeout_handler`: the handle of the timer, which is made for an alarm when it is asked for.
fn timer_attribute(this: &Object) -> Result<Object> {
    match of(this).timer.get() {
        Some(timer) if Alarm::is_alarm(&timer) => alarm_handle(&timer),
        timer => Ok(timer.unwrap_or_else(Object::none)),
    }
}

fn requests_attribute(this: &Object) -> Result<Object> {
    // SAFETY: returns a new reference or NULL with an exception set.
    unsafe { Object::from_returned(ffi::PyLong_FromLongLong(of(this).requests.get())) }
}

/// `__getstate__()`, for objects that have a timeout among their attributes.
fn getstate(this: &Object) -> Result<Object> {
    let names: &[&str] = &["_state", "_timeout_handler", "_task", "_when"];
    state_of(this, names)
}

/// `__setstate__(state)`. A copy is never entered, even if the original is.
fn setstate(this: &Object, state: &Object) -> Result<Object> {
    if matches!(of(this).state.get(), State::Entered | State::Expiring) {
        return Err(type_error("a timeout that is entered cannot become a copy"));
    }
    set_state(this, state, |this, name, value| {
        let timeout = of(this);
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
pub fn timeout(_module: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [delay] = arguments.bind(c"timeout", [&globals().names.delay], 1, 1)?;
    let Some(delay) = delay.filter(|delay| !delay.is_none()) else {
        running_loop()?;
        return create(None);
    };
    create_after(delay)
}

/// `timeout_at(when)`.
pub fn timeout_at(_module: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [when] = arguments.bind(c"timeout_at", [&globals().names.when], 1, 1)?;
    create(when)
}

unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: called last in a deallocation, with a block of this class or of a subclass.
    unsafe { SPARE.keep(block.cast(), globals().classes.timeout.as_ptr()) };
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    let mut methods = vec![
        noargs!(
            c"when",
            when_method,
            c"Return the deadline in seconds on the loop's clock, or None."
        ),
        fast!(
            c"reschedule",
            reschedule_method,
            c"reschedule($self, /, when)\n--\n\n\
              Set a new deadline, in seconds on the loop's clock; None is no deadline."
        ),
        noargs!(
            c"expired",
            expired,
            c"Return whether the deadline has passed before the body ended."
        ),
        noargs!(
            c"__aenter__",
            aenter,
            c"Enter the scope: the current task is cancelled at the deadline."
        ),
        fast!(
            c"__aexit__",
            aexit,
            c"Leave the scope; raise TimeoutError if the deadline cancelled the body."
        ),
        noargs!(
            c"_on_timeout",
            on_timeout,
            c"Cancel the task, at the deadline."
        ),
    ];
    methods.extend(copied!(getstate, setstate));
    if rules().timeout.inserts_error {
        let mut method = one!(
            c"_insert_timeout_error",
            insert_timeout_error,
            c"Put a TimeoutError before a CancelledError in the contexts of an exception."
        );
        method.ml_flags |= ffi::METH_CLASS;
        methods.push(method);
    }
    let class = class_of::<Timeout>(c"greenloop.Timeout")
        .subclassable()
        .doc(
            c"Timeout(when)\n--\n\n\
             An asynchronous context manager that cancels overdue coroutines; see asyncio.Timeout.",
        )
        .init(init!(initialise))
        .slot(ffi::Py_tp_free, free as *mut c_void)
        .repr(unary!(repr_slot))
        .methods(methods)
        .attributes(vec![
            attribute!(c"_state", state_attribute),
            attribute!(c"_when", when_method),
            attribute!(c"_task", task_attribute),
            attribute!(c"_timeout_handler", timer_attribute),
            attribute!(c"_cancelling", requests_attribute),
        ])
        .build(None)?;
    if cfg!(not(Py_3_14)) {
        let py = attached();
        // `typing.final` does the same.
        class.bound(py).put(c"__final__", true)?;
    }
    Ok(class)
}
