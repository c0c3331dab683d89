//! `Semaphore` and `BoundedSemaphore`.

use greenloop_cpython::making::IntoObject as _;
use std::cell::Cell;
use std::ffi::CStr;

use greenloop_core::sync;
use greenloop_cpython::{
    Arguments, ClassBuilder, ExceptionClass, Instance, Object, Raised, Result, Visited, Visitor,
    attached, attribute, call_function, call_method, class_of, clear, fast, fetch, init, noargs,
    one, raise, reducing, restore, type_error, unary,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::acquire::{Acquire, acquire, enter, exit};
use super::copying::{Copied, getstate, setstate};
use super::primitive::{
    Lined, Primitive, State, bound_loop, get_loop, line, repr, set_bound_loop, set_line,
};
use crate::asyncio::globals;
use crate::awaitable::Line;

/// Since Python 3.13 a waiter that leaves wakes as many as the value allows.
const WAKES_ALL: bool = cfg!(Py_3_13);

/// A semaphore's state.
pub struct Semaphore {
    logic: sync::Semaphore<Line, WAKES_ALL>,
    /// The bound that `BoundedSemaphore.release` never exceeds.
    bound: Cell<i64>,
}

impl State for Semaphore {
    const NAME: &'static CStr = c"Semaphore";

    fn new() -> Self {
        Self {
            logic: sync::Semaphore::new(1, Line::new()),
            bound: Cell::new(1),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.logic.waiters.visit(visitor)
    }

    fn clear(&self) {
        self.logic.waiters.clear();
    }
}

impl Copied for Semaphore {
    const ATTRIBUTES: &'static [&'static str] = &["_waiters", "_value", "_bound_value"];
}

impl Lined for Semaphore {
    const LINE_ON_DEMAND: bool = true;

    #[inline]
    fn line(&self) -> &Line {
        &self.logic.waiters
    }
}

impl Acquire for Semaphore {
    const ACQUIRE_NAME: &'static CStr = c"Semaphore.acquire";

    #[inline]
    fn is_plain(this: &Object) -> bool {
        let classes = &globals().classes;
        let class = if this.is_exactly(classes.bounded_semaphore.as_ptr()) {
            &classes.bounded_semaphore
        } else {
            &classes.semaphore
        };
        class.is_untouched_class_of(this) && Instance::<Primitive<Self>>::has_no_attributes(this)
    }

    #[inline]
    fn try_acquire(&self, this: &Object) -> Result<bool> {
        if Self::is_plain(this) {
            return self.logic.try_acquire();
        }
        let free = !call_method(&globals().names.locked, &[this.as_ptr()])?.is_true()?;
        if free {
            self.logic.take();
        }
        Ok(free)
    }

    #[inline]
    fn take_over(&self, waiter: &Object) -> Result<()> {
        self.logic.take_over(waiter)
    }

    fn give_up(&self, waiter: &Object) -> Result<()> {
        self.logic.give_up(waiter)
    }

    fn abandon(&self, waiter: &Object) -> Result<()> {
        self.logic.abandon(waiter)
    }

    #[inline]
    fn release(this: &Object) -> Result<Object> {
        if this.is_exactly(globals().classes.bounded_semaphore.as_ptr()) {
            release_bounded(this)
        } else {
            release(this)
        }
    }
}

#[inline]
fn of(this: &Object) -> &Semaphore {
    &Primitive::<Semaphore>::of(this).state
}

fn release(this: &Object) -> Result<Object> {
    of(this).logic.release()?;
    Ok(Object::none())
}

fn release_bounded(this: &Object) -> Result<Object> {
    let semaphore = of(this);
    let bound = semaphore.bound.get();
    if let Err(sync::ReleasedTooOften) = semaphore.logic.release_below(bound)? {
        let class = ExceptionClass::ValueError;
        return Err(raise(class, c"BoundedSemaphore released too many times"));
    }
    Ok(Object::none())
}

fn locked(this: &Object) -> Result<Object> {
    Ok(Object::boolean(of(this).logic.is_locked()?))
}

fn wake_up_next(this: &Object) -> Result<Object> {
    let woken = of(this).logic.wake_next()?;
    // Its result follows the newer rule.
    Ok(if WAKES_ALL {
        Object::boolean(woken)
    } else {
        Object::none()
    })
}

/// A number of permits. Infinity, and any number too large for a machine word, is one that is never
/// counted down.
fn permits(value: &Object) -> Result<i64> {
    // SAFETY: `value` is valid; the exception that is cleared is the one that was just set.
    unsafe {
        let number = ffi::PyNumber_Index(value.as_ptr());
        if !number.is_null() {
            let number = Object::from_owned(number);
            let mut overflow = 0;
            let permits = ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &raw mut overflow);
            return Ok(match overflow {
                0 => permits,
                1 => i64::MAX,
                _ => i64::MIN,
            });
        }
        clear(Raised);
    }
    let py = attached();
    match value.bound(py).extract::<f64>() {
        Ok(number) if number == f64::INFINITY => Ok(i64::MAX),
        _ => Err(type_error(
            "the value of a semaphore has to be an integer or infinity",
        )),
    }
}

fn integer(number: i64) -> Result<Object> {
    number.into_object()
}

fn value(this: &Object) -> Result<Object> {
    integer(of(this).logic.value())
}

fn set_value(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = permits(value.ok_or_else(crate::future::cannot_delete)?)?;
    of(this).logic.set_value(value);
    Ok(())
}

fn bound_value(this: &Object) -> Result<Object> {
    integer(of(this).bound.get())
}

fn set_bound_value(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = permits(value.ok_or_else(crate::future::cannot_delete)?)?;
    of(this).bound.set(value);
    Ok(())
}

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    set_up(this, c"Semaphore.__init__", arguments)
}

fn initialise_bounded(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    set_up(this, c"BoundedSemaphore.__init__", arguments)
}

fn set_up(this: &Object, function: &CStr, arguments: Arguments<'_>) -> Result<()> {
    let globals = globals();
    let [value] = arguments.bind(function, [&globals.names.value], 1, 0)?;
    let permits = match value {
        None => 1,
        Some(value) => match permits(value) {
            Ok(permits @ 0..) => permits,
            refused => {
                // asyncio's own class refuses it in its own words, if it does.
                let refused = refused.map_err(fetch);
                call_function(&globals.asyncio.semaphore, &[value.as_ptr()])?;
                refused.map_err(restore)?
            }
        },
    };
    let primitive = Primitive::<Semaphore>::of(this);
    primitive.state.bound.set(permits);
    primitive.state.logic.set_value(permits);
    primitive.forget_waiters();
    Ok(())
}

fn repr_slot(this: &Object) -> Result<Object> {
    let semaphore = &of(this).logic;
    let locked = call_method(&globals().names.locked, &[this.as_ptr()])?;
    if locked.is_true()? {
        repr::<Semaphore>(this, "locked")
    } else {
        let value = semaphore.value();
        repr::<Semaphore>(this, &format!("unlocked, value:{value}"))
    }
}

/// The parts that both classes have in common.
fn class(name: &'static CStr) -> ClassBuilder {
    class_of::<Primitive<Semaphore>>(name)
        .subclassable()
        .repr(unary!(repr_slot))
}

/// Makes the class `Semaphore`.
pub fn make_class() -> Result<Object> {
    class(c"greenloop.Semaphore")
        .init(init!(initialise))
        .doc(
            c"Semaphore(value=1)\n--\n\n\
              A number of permits, handed on in the order of asking; see asyncio.Semaphore.",
        )
        .methods(vec![
            noargs!(
                leaf c"acquire",
                acquire::<Semaphore>,
                c"acquire($self)\n--\n\nWait for a permit and take it; return True."
            ),
            noargs!(
                c"release",
                release,
                c"release($self)\n--\n\nGive a permit back, to the first who waits."
            ),
            noargs!(
                c"locked",
                locked,
                c"locked($self)\n--\n\nReturn whether whoever asks now has to wait."
            ),
            noargs!(
                leaf c"__aenter__",
                enter::<Semaphore>,
                c"__aenter__($self)\n--\n\nAcquire the semaphore."
            ),
            fast!(
                c"__aexit__",
                exit::<Semaphore>,
                c"__aexit__($self, exc_type, exc, tb)\n--\n\nRelease the semaphore."
            ),
            noargs!(
                c"__getstate__",
                getstate::<Semaphore>,
                c"__getstate__($self)\n--\n\nReturn what a copy is made of."
            ),
            one!(
                c"__setstate__",
                setstate::<Semaphore>,
                c"__setstate__($self, state, /)\n--\n\nMake this a copy."
            ),
            reducing(),
            noargs!(
                c"_get_loop",
                get_loop::<Semaphore>,
                c"_get_loop($self)\n--\n\nReturn the running loop, bound to."
            ),
            noargs!(
                c"_wake_up_next",
                wake_up_next,
                c"_wake_up_next($self)\n--\n\nTake a permit for the first who waits and wake it."
            ),
        ])
        .attributes(vec![
            attribute!(
                c"_loop",
                bound_loop::<Semaphore>,
                set_bound_loop::<Semaphore>
            ),
            attribute!(c"_waiters", line::<Semaphore>, set_line::<Semaphore>),
            attribute!(c"_value", value, set_value),
        ])
        .build(None)
}

/// Makes the class `BoundedSemaphore`.
pub fn make_bounded_class(semaphore_class: &Object) -> Result<Object> {
    class(c"greenloop.BoundedSemaphore")
        .init(init!(initialise_bounded))
        .doc(
            c"BoundedSemaphore(value=1)\n--\n\n\
              A semaphore that refuses to be released more often than it was acquired.",
        )
        .methods(vec![noargs!(
            c"release",
            release_bounded,
            c"release($self)\n--\n\nGive a permit back; raise ValueError if nobody can have had it."
        )])
        .attributes(vec![attribute!(
            c"_bound_value",
            bound_value,
            set_bound_value
        )])
        .build(Some(semaphore_class))
}
