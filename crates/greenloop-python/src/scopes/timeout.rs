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
//! On a loop of ours the deadline is an [`Alarm`]; on others, in debug mode and for a subclass it is what
//! asyncio makes: a handle for the method `_on_timeout`.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use greenloop_core::{Host as _, Instant};
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;

use super::alarm::{Alarm, Bell};
use super::expiry;
use super::running_rules::rules;
use crate::awaitable::{Awaitable, Operation, Progress, exact_seconds, ready};
use crate::event_loop::EventLoop;
use crate::future::Future;
use crate::interop::{
    Arguments, Held, Instance, Object, Raised, Result, Slot, attribute, call_function, call_method,
    class_of, fast, globals, initialise_with, noargs, one, raise, restore, trap,
};
use crate::task;

/// What a `Timeout` holds.
pub struct Timeout {
    state: Cell<State>,
    /// The deadline as the user gave it, or nothing for None.
    when: Slot,
    /// The task that entered.
    task: Slot,
    /// What will end the wait: an alarm, or a handle of another loop.
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
            task: Slot::empty(),
            timer: Slot::empty(),
            requests: Cell::new(0),
        }
    }

    unsafe fn visit(&self, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
        for slot in [&self.when, &self.task, &self.timer] {
            // SAFETY: passed on from the caller.
            let stop = unsafe { slot.visit(visit, arg) };
            if stop != 0 {
                return stop;
            }
        }
        0
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
    this.is_exactly(globals().classes.timeout.as_ptr())
}

/// A `Timeout` at `when`, not entered yet.
pub fn create(when: Option<Object>) -> Result<Object> {
    let this = Instance::<Timeout>::create(globals().classes.timeout.as_ptr())?;
    of(&this).when.set_optional(when);
    Ok(this)
}

/// The deadline on the running loop's clock of a delay that begins now.
pub fn deadline_after(delay: &Object) -> Result<Object> {
    let task = task::stepping();
    let native = task.as_ref().and_then(native_clock);
    let now = native.map_or_else(time_of_running_loop, |native| float(native.now().as_secs()))?;
    // SAFETY: both are valid objects.
    unsafe { Object::from_returned(ffi::PyNumber_Add(now.as_ptr(), delay.as_ptr())) }
}

/// `events.get_running_loop().time()`.
fn time_of_running_loop() -> Result<Object> {
    let event_loop = running_loop()?;
    call_method(&globals().names.time, &[event_loop.as_ptr()])
}

/// The loop of a task of ours, if deadlines can go straight into its heap.
#[inline]
pub fn native_clock(task: &Object) -> Option<&EventLoop> {
    if !task.is_exactly(globals().classes.task.as_ptr()) {
        return None;
    }
    let native = Future::of(task).fast_loop()?;
    (!native.has_own_time()).then_some(native)
}

/// `events.get_running_loop()`.
pub fn running_loop() -> Result<Object> {
    call_function(&globals().asyncio.get_running_loop, &[])
}

fn float(seconds: f64) -> Result<Object> {
    // SAFETY: returns a new reference or NULL with an exception set.
    unsafe { Object::from_returned(ffi::PyFloat_FromDouble(seconds)) }
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
    let when = timeout.when.get_or_none();
    if is_exact(this) {
        return reschedule(this, &when);
    }
    let arguments = [this.as_ptr(), when.as_ptr()];
    call_method(&globals().names.reschedule, &arguments).map(drop)
}

/// The error of a timeout that no task enters.
pub fn outside_of_a_task() -> Raised {
    runtime_error(c"Timeout should be used inside a task")
}

fn runtime_error(text: &std::ffi::CStr) -> Raised {
    // SAFETY: RuntimeError is always valid.
    raise(unsafe { ffi::PyExc_RuntimeError }, text)
}

/// Moves the deadline, or takes it away if it is None.
fn reschedule(this: &Object, when: &Object) -> Result<()> {
    let timeout = of(this);
    match timeout.state.get() {
        State::Entered => {}
        State::Created => return Err(runtime_error(c"Timeout has not been entered")),
        state => {
            let text = format!("Cannot change state of {} Timeout", state.as_str());
            return Err(PyRuntimeError::new_err(text).into());
        }
    }
    timeout
        .when
        .set_optional(Some(when).filter(|when| !when.is_none()).cloned());
    timeout.cancel_timer()?;
    if when.is_none() {
        return Ok(());
    }
    let timer = match set_alarm(this, when)? {
        Some(alarm) => alarm,
        None => set_timer_by_name(this, when)?,
    };
    timeout.timer.set(timer);
    Ok(())
}

/// An alarm at `when`, if the running loop is the task's and ours, and `when` a plain number.
fn set_alarm(this: &Object, when: &Object) -> Result<Option<Object>> {
    let Some(task) = of(this).task.get() else {
        return Ok(None);
    };
    let (Some(native), Some(seconds)) = (native_clock(&task), exact_seconds(when)) else {
        return Ok(None);
    };
    let runs = task::stepping().is_some_and(|stepping| stepping.is(task.as_ptr()));
    if !is_exact(this) || !(runs || running_loop()?.is(Future::of(&task).event_loop().as_ptr())) {
        return Ok(None);
    }
    if seconds <= native.now().as_secs() {
        return Alarm::soon(native, &BELL, this).map(Some);
    }
    Alarm::at(native, Instant::new(seconds), &BELL, this).map(Some)
}

/// What asyncio does: `call_soon` for a deadline that has passed, and `call_at`.
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
    pyo3::exceptions::PyAssertionError::new_err(()).into()
}

impl Timeout {
    fn cancel_timer(&self) -> Result<()> {
        let Some(timer) = self.timer.take() else {
            return Ok(());
        };
        if Alarm::is_alarm(&timer) {
            let task = self.task.get();
            // An alarm was set on the loop of a task of ours.
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
};

fn aexit(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.exc_type, &names.exc_val, &names.exc_tb];
    let [class, exception, _] = arguments.bind(c"__aexit__", parameters, 3, 3)?;
    let (Some(class), Some(exception)) = (class, exception) else {
        return Err(Raised);
    };
    if class.is_none() {
        return Awaitable::create(&EXIT, this, None);
    }
    // SAFETY: both are valid objects; the result is a new reference or null.
    let raised =
        unsafe { Object::from_returned(ffi::PyTuple_Pack(2, class.as_ptr(), exception.as_ptr()))? };
    Awaitable::create(&EXIT, this, Some(&raised))
}

static EXIT: Operation = Operation {
    name: c"Timeout.__aexit__",
    start: |this| {
        let awaitable = Awaitable::of(this);
        let owner = awaitable.owner().get_or_none();
        match awaitable.value().get() {
            None => leave(&owner, None)?,
            Some(raised) => {
                let (class, exception) = pair(&raised);
                leave(&owner, Some((&class, &exception)))?;
            }
        }
        ready(Object::none())
    },
    resume: never_waits,
    interrupt: |_, exception| Err(restore(exception)),
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
    let [when] = arguments.bind(c"Timeout", [&globals().names.when], 1, 1)?;
    let timeout = of(this);
    timeout.state.set(State::Created);
    timeout.timer.clear();
    timeout.task.clear();
    timeout
        .when
        .set_optional(when.filter(|when| !when.is_none()).cloned());
    Ok(())
}

unsafe extern "C" fn initialise_slot(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: the interpreter passes a timeout, a tuple and a dict or null.
    unsafe { initialise_with(this, args, kwargs, initialise) }
}

fn when_method(this: &Object) -> Result<Object> {
    Ok(of(this).when.get_or_none())
}

fn reschedule_method(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [when] = arguments.bind(c"reschedule", [&globals().names.when], 1, 1)?;
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

unsafe extern "C" fn repr_slot(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid timeout; the GIL is held.
        let (this, py) = unsafe { (Object::from_borrowed(this), Python::assume_attached()) };
        let timeout = of(&this);
        let state = timeout.state.get();
        let mut text = format!("<Timeout [{}]>", state.as_str());
        if state == State::Entered {
            let mut when = timeout.when.get_or_none().bound(py).clone();
            if !when.is_none() {
                when = py.import("builtins")?.call_method1("round", (when, 3))?;
            }
            text = format!("<Timeout [{}] when={when}>", state.as_str());
        }
        Ok(pyo3::types::PyString::new(py, &text).into_any().into())
    })
}

/// The member of asyncio's own enumeration.
fn state_attribute(this: &Object) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let states = py.import("asyncio.timeouts")?.getattr("_State")?;
    Ok(states.call1((of(this).state.get().as_str(),))?.into())
}

fn task_attribute(this: &Object) -> Result<Object> {
    Ok(of(this).task.get_or_none())
}

fn timer_attribute(this: &Object) -> Result<Object> {
    match of(this).timer.get() {
        Some(timer) if Alarm::is_alarm(&timer) => Alarm::of(&timer).handle(),
        timer => Ok(timer.unwrap_or_else(Object::none)),
    }
}

fn requests_attribute(this: &Object) -> Result<Object> {
    // SAFETY: returns a new reference or NULL with an exception set.
    unsafe { Object::from_returned(ffi::PyLong_FromLongLong(of(this).requests.get())) }
}

/// `timeout(delay)`.
pub fn timeout(_module: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [delay] = arguments.bind(c"timeout", [&globals().names.delay], 1, 1)?;
    let Some(delay) = delay.filter(|delay| !delay.is_none()) else {
        running_loop()?;
        return create(None);
    };
    create(Some(deadline_after(delay)?))
}

/// `timeout_at(when)`.
pub fn timeout_at(_module: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [when] = arguments.bind(c"timeout_at", [&globals().names.when], 1, 1)?;
    create(when.filter(|when| !when.is_none()).cloned())
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    let mut methods = vec![
        noargs!(c"when", when_method, c"Return the current deadline."),
        fast!(c"reschedule", reschedule_method, c"Reschedule the timeout."),
        noargs!(c"expired", expired, c"Is timeout expired during execution?"),
        noargs!(
            c"__aenter__",
            aenter,
            c"Begin; the current task is cancelled when the time is up."
        ),
        fast!(
            c"__aexit__",
            aexit,
            c"End; raise TimeoutError if the time was up."
        ),
        noargs!(
            c"_on_timeout",
            on_timeout,
            c"Cancel the task: the time is up."
        ),
    ];
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
        .doc(c"Timeout(when)\n--\n\nAn asynchronous context manager that cancels overdue coroutines; see asyncio.Timeout.")
        .slot(ffi::Py_tp_init, initialise_slot as *mut c_void)
        .slot(ffi::Py_tp_repr, repr_slot as *mut c_void)
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
        // SAFETY: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        // What `typing.final` does.
        class.bound(py).setattr("__final__", true)?;
    }
    Ok(class)
}
