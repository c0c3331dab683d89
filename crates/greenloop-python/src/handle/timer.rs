//! `TimerHandle`: a handle with a deadline, ordered by it.

use std::ffi::{c_int, c_void};

use greenloop_core::Instant;
use pyo3::ffi;
use pyo3::prelude::*;

use super::class::{clear_slot, deallocate, fill, repr_info, traverse};
use super::{Handle, cancel};
use crate::event_loop::EventLoop;
use crate::interop::making::{self, ByName as _};
use crate::interop::{
    Arguments, ClassBuilder, Object, Raised, Result, attribute, call_method, globals,
    initialise_with, noargs, trap,
};

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
        native: &EventLoop,
    ) -> Result<Object> {
        let class = globals().classes.timer_handle.as_ptr();
        let object = Handle::create(
            class,
            callback,
            arguments,
            context,
            event_loop,
            Some(native),
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

unsafe extern "C" fn initialise_slot(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: the interpreter passes a timer, a tuple and a dict or null.
    unsafe { initialise_with(this, args, kwargs, initialise) }
}

fn cancel_timer(this: &Object) -> Result<Object> {
    let handle = Handle::of(this);
    if !handle.is_cancelled() {
        let event_loop = handle.event_loop.get_or_none();
        if let Some(native) = EventLoop::of(&event_loop) {
            if handle.is_scheduled() {
                native.note_cancelled_timer();
            }
        } else {
            let name = &globals().names.timer_handle_cancelled;
            call_method(name, &[event_loop.as_ptr(), this.as_ptr()])?;
        }
    }
    cancel(this)
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
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
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
            let answer = match operation {
                ffi::Py_EQ => equal(&left, &right)?,
                ffi::Py_NE => !equal(&left, &right)?,
                ffi::Py_LT | ffi::Py_GT => compare_when(&left, &right, operation)?,
                ffi::Py_LE => compare_when(&left, &right, ffi::Py_LT)? || equal(&left, &right)?,
                _ => compare_when(&left, &right, ffi::Py_GT)? || equal(&left, &right)?,
            };
            Ok(Object::boolean(answer))
        }
    })
}

fn compare_objects(left: &Object, right: &Object, operation: c_int) -> Result<bool> {
    // SAFETY: both are valid objects.
    match unsafe { ffi::PyObject_RichCompareBool(left.as_ptr(), right.as_ptr(), operation) } {
        -1 => Err(Raised),
        answer => Ok(answer != 0),
    }
}

fn compare_when(left: &Object, right: &Object, operation: c_int) -> Result<bool> {
    compare_objects(&when(left)?, &when(right)?, operation)
}

/// Two timers are equal if deadline, callback, arguments and cancellation are.
fn equal(left: &Object, right: &Object) -> Result<bool> {
    let (one, other) = (Handle::of(left), Handle::of(right));
    Ok(compare_when(left, right, ffi::Py_EQ)?
        && compare_objects(
            &one.callback.get_or_none(),
            &other.callback.get_or_none(),
            ffi::Py_EQ,
        )?
        && compare_objects(
            &one.arguments_or_none()?,
            &other.arguments_or_none()?,
            ffi::Py_EQ,
        )?
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
        .slot(ffi::Py_tp_init, initialise_slot as *mut c_void)
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
