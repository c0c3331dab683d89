//! `Semaphore` and `BoundedSemaphore`.
//!
//! The value counts the permits that nobody holds and nobody has been promised: a release that
//! finds a waiter takes the permit for it at once, so that a task that comes before the waiter has
//! run cannot take it.
//!
//! One struct serves both classes. `BoundedSemaphore` adds a bound, `_bound_value`, and a `release`
//! that refuses to exceed it.

use greenloop_core::observe::WaitKind;
use greenloop_cpython::making::IntoObject as _;
use std::cell::Cell;
use std::ffi::CStr;

use greenloop_core::sync;
use greenloop_cpython::{
    Arguments, Class, ClassBuilder, ExceptionClass, Native, Object, Result, Visited, Visitor,
    attached, attribute, class_of, copied, fast, fetch, leaf_noargs, noargs, raise, restore,
    type_error,
};

use pyo3::prelude::*;

use super::acquire::{Acquire, acquire, enter, exit};
use super::copying::{Copied, getstate, setstate};
use super::primitive::{Lined, Primitive, State, line_attributes, loop_method, repr};
use crate::asyncio::edition::SEMAPHORES_WAKE_ALL;
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Line};
use crate::observing::{is_observed, tell_released};
use crate::task::stepping_number;

/// A reference to a semaphore.
///
/// Its class may be either of the two, or a subclass of one.
pub type SemaphoreRef = Native<Primitive<Semaphore>>;

/// The class `Semaphore`.
///
/// The base of the other one.
pub static CLASS: Class<Primitive<Semaphore>> = Class::new();
/// The class `BoundedSemaphore`.
///
/// Built below the first, and shares its struct.
pub static BOUNDED: Class<Primitive<Semaphore>> = Class::new();

/// A semaphore's state.
pub struct Semaphore {
    logic: sync::Semaphore<Line, SEMAPHORES_WAKE_ALL>,
    /// The bound that `BoundedSemaphore.release` never exceeds.
    ///
    /// `Semaphore` has the field and never reads it, so that one layout serves both classes.
    bound: Cell<i64>,
}

// SAFETY: of a semaphore only the line of the waiters is shown.
unsafe impl State for Semaphore {
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
    const WAITS: WaitKind = WaitKind::Semaphore;

    /// Each of the two classes has to be tested as itself, since an untouched base says nothing
    /// about methods that were replaced in the class below it.
    #[inline]
    fn is_plain(this: &Native<Primitive<Self>>) -> bool {
        let class = if BOUNDED.is_class_of(this) {
            &BOUNDED
        } else {
            &CLASS
        };
        class.is_untouched_class_of(this) && this.has_no_attributes()
    }

    /// asyncio's `acquire` calls `self.locked()`, which a subclass may override to limit by other
    /// things than the number of permits; so it is called by name on any instance that is not
    /// plain.
    #[inline]
    fn try_acquire(this: &Native<Primitive<Self>>) -> Result<bool> {
        let logic = &this.get().state.logic;
        if Self::is_plain(this) {
            return logic.try_acquire();
        }
        let free = !this.invoke(&globals().names.locked, [])?.is_true()?;
        if free {
            logic.take();
        }
        Ok(free)
    }

    #[inline]
    fn take_over(&self, waiter: &Native<Awaitable>) -> Result<()> {
        self.logic.take_over(waiter)
    }

    fn give_up(&self, waiter: &Native<Awaitable>) -> Result<()> {
        self.logic.give_up(waiter)
    }

    /// The permit that was taken for a woken waiter is lost, as in asyncio.
    fn abandon(&self, waiter: &Native<Awaitable>) -> Result<()> {
        self.logic.abandon(waiter)
    }

    /// Which of the two `release` methods it is follows from the class, without a lookup.
    #[inline]
    fn release(this: &Native<Primitive<Self>>) -> Result<Object> {
        if BOUNDED.is_class_of(this) {
            release_bounded(this)
        } else {
            release(this)
        }
    }
}

/// Tells an observer of a release, before it wakes anybody.
#[inline]
fn tell_release(this: &SemaphoreRef) {
    if is_observed() {
        let free = this.get().state.logic.value().saturating_add(1);
        tell_released(
            WaitKind::Semaphore,
            &this.get().number,
            free,
            stepping_number,
        );
    }
}

/// The value grows without limit, or the permit goes straight to the first waiter.
fn release(this: &SemaphoreRef) -> Result<Object> {
    tell_release(this);
    this.get().state.logic.release()?;
    Ok(Object::none())
}

/// The value is compared before anything changes, so that a refused release has no effect.
///
/// # Errors
/// `ValueError` if all permits are free.
fn release_bounded(this: &SemaphoreRef) -> Result<Object> {
    let semaphore = &this.get().state;
    let bound = semaphore.bound.get();
    tell_release(this);
    if let Err(sync::ReleasedTooOften) = semaphore.logic.release_below(bound)? {
        let class = ExceptionClass::ValueError;
        return Err(raise(class, c"BoundedSemaphore released too many times"));
    }
    Ok(Object::none())
}

/// True also while permits are free but earlier waiters have not run yet: a new request waits
/// behind them.
fn locked(this: &SemaphoreRef) -> Result<Object> {
    Ok(Object::boolean(this.get().state.logic.is_locked()?))
}

/// Private in asyncio, and called by programs all the same. From Python 3.13 on it returns whether
/// it found a waiter, before that None.
fn wake_up_next(this: &SemaphoreRef) -> Result<Object> {
    let woken = this.get().state.logic.wake_next()?;
    // Its result follows the newer rule.
    Ok(if SEMAPHORES_WAKE_ALL {
        Object::boolean(woken)
    } else {
        Object::none()
    })
}

/// A number of permits. Infinity, and any number too large for a machine word, is one that is never
/// counted down.
///
/// No program acquires as many, so such a semaphore never locks.
///
/// # Errors
/// `TypeError` for other objects. asyncio accepts any object that compares and counts with ints; a
/// machine word cannot stand for one.
fn permits(value: &Object) -> Result<i64> {
    if let Some(permits) = value.saturating_int() {
        return Ok(permits);
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

fn value(this: &SemaphoreRef) -> Result<Object> {
    integer(this.get().state.logic.value())
}

/// No waiter is woken, even if permits are free afterwards.
fn set_value(this: &SemaphoreRef, value: Option<&Object>) -> Result<()> {
    let value = permits(value.ok_or_else(crate::future::cannot_delete)?)?;
    this.get().state.logic.set_value(value);
    Ok(())
}

fn bound_value(this: &SemaphoreRef) -> Result<Object> {
    integer(this.get().state.bound.get())
}

fn set_bound_value(this: &SemaphoreRef, value: Option<&Object>) -> Result<()> {
    let value = permits(value.ok_or_else(crate::future::cannot_delete)?)?;
    this.get().state.bound.set(value);
    Ok(())
}

/// A separate function for each class, as the message of a wrong call names it.
fn initialise(this: &SemaphoreRef, arguments: Arguments<'_>) -> Result<()> {
    set_up(this, c"Semaphore.__init__", arguments)
}

fn initialise_bounded(this: &SemaphoreRef, arguments: Arguments<'_>) -> Result<()> {
    set_up(this, c"BoundedSemaphore.__init__", arguments)
}

/// `Semaphore.__init__(value=1)`: a second call drops the waiters.
///
/// # Errors
/// asyncio's `ValueError` for a negative number. A value that asyncio takes and a word cannot hold
/// is a `TypeError`.
fn set_up(this: &SemaphoreRef, function: &CStr, arguments: Arguments<'_>) -> Result<()> {
    let globals = globals();
    let [value] = arguments.bind(function, [&globals.names.value], 1, 0)?;
    let permits = match value {
        None => 1,
        Some(value) => match permits(value) {
            Ok(permits @ 0..) => permits,
            refused => {
                // asyncio's own class refuses it in its own words, if it does.
                let refused = refused.map_err(fetch);
                globals.asyncio.semaphore.call([value])?;
                refused.map_err(restore)?
            }
        },
    };
    let primitive = this.get();
    primitive.state.bound.set(permits);
    primitive.state.logic.set_value(permits);
    primitive.forget_waiters();
    Ok(())
}

/// `locked()` is called by name, which may be a subclass's.
fn repr_slot(this: &SemaphoreRef) -> Result<Object> {
    let semaphore = &this.get().state.logic;
    let locked = this.invoke(&globals().names.locked, [])?;
    if locked.is_true()? {
        repr::<Semaphore>(this, "locked")
    } else {
        let value = semaphore.value();
        repr::<Semaphore>(this, &format!("unlocked, value:{value}"))
    }
}

/// The parts that both classes have in common.
fn class(name: &'static CStr) -> ClassBuilder<Primitive<Semaphore>> {
    class_of::<Primitive<Semaphore>>(name)
        .subclassable()
        .repr_by(repr_slot)
}

/// Makes the class `Semaphore`.
pub fn make_class() -> Result<()> {
    class(c"greenloop.Semaphore")
        .init_by(initialise)
        .doc(
            c"Semaphore(value=1)\n--\n\n\
              A number of permits, handed on in the order of asking; see asyncio.Semaphore.\n\n\
              The value is the number of tasks that may hold it at a time; a negative one \
              raises ValueError. Waiters get permits in the order in which they asked.",
        )
        .methods(copied(getstate, setstate))
        .methods(vec![
            leaf_noargs(
                c"acquire",
                acquire,
                c"acquire($self)\n--\n\n\
                  Acquire a permit, waiting for one if none is free; return True.\n\n\
                  A cancelled wait takes no permit; one that was reserved for it goes to the \
                  next waiter.",
            ),
            noargs(
                c"release",
                release,
                c"release($self)\n--\n\nRelease a permit and wake the first waiter.",
            ),
            noargs(
                c"locked",
                locked,
                c"locked($self)\n--\n\nReturn whether acquire() would wait.",
            ),
            leaf_noargs(
                c"__aenter__",
                enter,
                c"__aenter__($self)\n--\n\nAcquire the semaphore.",
            ),
            fast(
                c"__aexit__",
                exit,
                c"__aexit__($self, exc_type, exc, tb)\n--\n\nRelease the semaphore.",
            ),
            loop_method(),
            noargs(
                c"_wake_up_next",
                wake_up_next,
                c"_wake_up_next($self)\n--\n\n\
                  Reserve a permit for the first waiter and wake it.\n\n\
                  From Python 3.13 on it returns whether there was one to wake.",
            ),
        ])
        .attributes(line_attributes())
        .attributes(vec![attribute(c"_value", value, set_value)])
        .build_into(&CLASS)
}

/// Makes the class `BoundedSemaphore`.
pub fn make_bounded_class() -> Result<()> {
    class(c"greenloop.BoundedSemaphore")
        .init_by(initialise_bounded)
        .doc(
            c"BoundedSemaphore(value=1)\n--\n\n\
              A semaphore that refuses to be released more often than it was acquired.\n\n\
              The bound is the initial value. A release beyond it raises ValueError, which \
              finds programs that release twice.",
        )
        .methods(vec![noargs(
            c"release",
            release_bounded,
            c"release($self)\n--\n\n\
                  Release a permit; raise ValueError if all permits are free.",
        )])
        .attributes(vec![attribute(
            c"_bound_value",
            bound_value,
            set_bound_value,
        )])
        .build_below(&CLASS, &BOUNDED)
}
