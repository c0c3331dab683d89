//! `TimerHandle`: a handle with a deadline, by which handles are ordered.

use std::ffi::{c_int, c_void};

use greenloop_core::Instant;
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Arguments, ClassBuilder, Comparison, Object, Raised, Result, attached, attribute, call_method,
    init, noargs, trap,
};
use pyo3::ffi;

use super::class::{cancel_first, clear_slot, deallocate, fill, repr_info, traverse};
use super::{Handle, cancel};
use crate::asyncio::globals;
use crate::scheduler::Scheduler;

impl Handle {
    /// A timer for `callback(*arguments)` at `deadline`, which the caller gave as `when` if that is
    /// anything but a plain float.
    #[inline]
    pub fn create_timer(
        deadline: Instant,
        when: Option<Object>,
        callback: &Object,
        arguments: &[Object],
        context: Option<&Object>,
        event_loop: &Object,
        scheduler: &Scheduler,
    ) -> Result<Object> {
        let class = globals().classes.timer_handle.as_ptr();
        let object = Handle::create(
            class,
            callback,
            arguments,
            context,
            event_loop,
            Some(scheduler),
        )?;
        let handle = Handle::of(&object);
        handle.deadline_or_thread.set(deadline.as_secs().to_bits());
        if when.is_some() {
            handle.set_rare(|rare| &rare.when, when);
        }
        handle.set_scheduled(true);
        Ok(object)
    }
}

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let [when, callback, args, event_loop, context] = arguments.bind(
        c"TimerHandle.__init__",
        [
            &names.when,
            &names.callback,
            &names.args,
            &names.loop_,
            &names.context,
        ],
        5,
        4,
    )?;
    let handle = Handle::of(this);
    fill(handle, callback, args, event_loop, context)?;
    handle.set_rare(|rare| &rare.when, when.cloned());
    handle.set_scheduled(false);
    Ok(())
}

fn cancel_timer(this: &Object) -> Result<Object> {
    let handle = Handle::of(this);
    if handle.is_cancelled() {
        return Ok(Object::none());
    }
    let event_loop = handle.event_loop.get_or_none();
    let Some(scheduler) = Scheduler::of(&event_loop) else {
        let name = &globals().names.timer_handle_cancelled;
        call_method(name, &[event_loop.as_ptr(), this.as_ptr()])?;
        return cancel(this);
    };
    if handle.is_scheduled() {
        scheduler.note_cancelled_timer();
    }
    cancel_first(this, |_| Ok(scheduler.debug()))?;
    Ok(Object::none())
}

fn when(this: &Object) -> Result<Object> {
    let handle = Handle::of(this);
    match handle.rare(|rare| &rare.when) {
        Some(when) => Ok(when),
        None => Object::float(f64::from_bits(handle.deadline_or_thread.get())),
    }
}

fn scheduled(this: &Object) -> Result<Object> {
    Ok(Object::boolean(Handle::of(this).is_scheduled()))
}

fn set_scheduled(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.map(Object::is_true).transpose()?;
    Handle::of(this).set_scheduled(value.unwrap_or(false));
    Ok(())
}

fn timer_repr_info(this: &Object) -> Result<Object> {
    let handle = Handle::of(this);
    let py = attached();
    let info = repr_info(this)?;
    let place = if handle.is_cancelled() { 2 } else { 1 };
    let text = format!("when={}", making::shown(&when(this)?)?);
    info.bound(py).invoke_method(c"insert", (place, text))?;
    Ok(info)
}

unsafe extern "C" fn hash(this: *mut ffi::PyObject) -> ffi::Py_hash_t {
    // SAFETY: the interpreter passes a valid timer; `when` is held during the call.
    unsafe {
        match when(&Object::from_borrowed(this)) {
            Ok(when) => ffi::PyObject_Hash(when.as_ptr()),
            Err(Raised) => -1,
        }
    }
}

unsafe extern "C" fn compare(
    left: *mut ffi::PyObject,
    right: *mut ffi::PyObject,
    operation: c_int,
) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the interpreter passes valid objects, the left one a timer.
        unsafe {
            let class = globals().classes.timer_handle.as_ptr();
            if ffi::PyObject_TypeCheck(right, class) == 0 {
                return Ok(Object::from_borrowed(ffi::Py_NotImplemented()));
            }
            let (left, right) = (Object::from_borrowed(left), Object::from_borrowed(right));
            let (less, greater) = (Comparison::Less, Comparison::Greater);
            let answer = match operation {
                ffi::Py_EQ => equal(&left, &right)?,
                ffi::Py_NE => !equal(&left, &right)?,
                ffi::Py_LT => compare_when(&left, less, &right)?,
                ffi::Py_GT => compare_when(&left, greater, &right)?,
                ffi::Py_LE => compare_when(&left, less, &right)? || equal(&left, &right)?,
                _ => compare_when(&left, greater, &right)? || equal(&left, &right)?,
            };
            Ok(Object::boolean(answer))
        }
    })
}

fn compare_when(left: &Object, comparison: Comparison, right: &Object) -> Result<bool> {
    when(left)?.compares(comparison, &when(right)?)
}

/// Two timers are equal if deadline, callback, arguments and cancellation are.
fn equal(left: &Object, right: &Object) -> Result<bool> {
    let (one, other) = (Handle::of(left), Handle::of(right));
    let same = Comparison::Equal;
    let callback = one.callback.get_or_none();
    Ok(compare_when(left, same, right)?
        && callback.compares(same, &other.callback.get_or_none())?
        && one
            .arguments_or_none()?
            .compares(same, &other.arguments_or_none()?)?
        && one.is_cancelled() == other.is_cancelled())
}

/// Makes the class `TimerHandle`.
pub fn make_class(handle_class: &Object) -> Result<Object> {
    ClassBuilder::new::<Handle>(c"greenloop.TimerHandle")
        .subclassable()
        .doc(
            c"TimerHandle(when, callback, args, loop, context=None)\n--\n\n\
             A callback that an event loop will run at a deadline; see asyncio.TimerHandle.",
        )
        .init(init!(initialise))
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .slot(ffi::Py_tp_clear, clear_slot as *mut c_void)
        .slot(ffi::Py_tp_hash, hash as *mut c_void)
        .slot(ffi::Py_tp_richcompare, compare as *mut c_void)
        .methods(vec![
            noargs!(
                c"cancel",
                cancel_timer,
                c"Cancel the callback: it will not be run."
            ),
            noargs!(
                c"when",
                when,
                c"Return the deadline in seconds on the loop's clock."
            ),
            noargs!(
                c"_repr_info",
                timer_repr_info,
                c"Return the parts of the repr."
            ),
        ])
        .attributes(vec![
            attribute!(c"_when", when),
            attribute!(c"_scheduled", scheduled, set_scheduled),
        ])
        .build(Some(handle_class))
}
