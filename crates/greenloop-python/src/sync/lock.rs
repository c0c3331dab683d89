//! `Lock`.

use std::ffi::{CStr, c_void};

use greenloop_core::{WaitList as _, sync};
use greenloop_cpython::{
    ExceptionClass, Instance, Object, Raised, Result, Visited, Visitor, attribute, class_of, fast,
    noargs, one, raise, reducing, unary,
};
use pyo3::ffi;

use super::acquire::{Acquire, acquire, enter, exit};
use super::copying::{Copied, getstate, setstate};
use super::primitive::{
    Lined, Plain, Primitive, State, bound_loop, get_loop, initialise_without_arguments, line, repr,
    set_bound_loop, set_line,
};
use crate::asyncio::globals;
use crate::awaitable::Line;

/// A lock's state.
pub type Lock = sync::Lock<Line>;

impl State for Lock {
    const NAME: &'static CStr = c"Lock";

    fn new() -> Self {
        Self::new(Line::new())
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.waiters.visit(visitor)
    }

    fn clear(&self) {
        self.waiters.clear();
    }
}

impl Plain for Lock {
    fn begin_anew(&self) {
        self.set_locked(false);
    }
}

impl Copied for Lock {
    const ATTRIBUTES: &'static [&'static str] = &["_waiters", "_locked"];
}

impl Lined for Lock {
    const LINE_ON_DEMAND: bool = true;

    #[inline]
    fn line(&self) -> &Line {
        &self.waiters
    }
}

impl Acquire for Lock {
    const ACQUIRE_NAME: &'static CStr = c"Lock.acquire";

    #[inline]
    fn is_plain(this: &Object) -> bool {
        globals().classes.lock.is_untouched_class_of(this)
            && Instance::<Primitive<Self>>::has_no_attributes(this)
    }

    #[inline]
    fn try_acquire(&self, _this: &Object) -> Result<bool> {
        self.try_acquire()
    }

    #[inline]
    fn take_over(&self, waiter: &Object) -> Result<()> {
        self.take_over(waiter);
        Ok(())
    }

    fn give_up(&self, waiter: &Object) -> Result<()> {
        self.give_up(waiter)
    }

    fn abandon(&self, waiter: &Object) -> Result<()> {
        self.waiters.remove(waiter);
        Ok(())
    }

    #[inline]
    fn release(this: &Object) -> Result<Object> {
        release(this)
    }
}

/// The state of a lock.
#[inline]
pub fn of(this: &Object) -> &Lock {
    &Primitive::<Lock>::of(this).state
}

/// The method `release`.
#[inline]
pub fn release(this: &Object) -> Result<Object> {
    match of(this).release()? {
        Ok(()) => Ok(Object::none()),
        Err(sync::NotAcquired) => Err(not_acquired()),
    }
}

/// The error of releasing a lock that is not held.
#[cold]
pub fn not_acquired() -> Raised {
    let class = ExceptionClass::RuntimeError;
    raise(class, c"Lock is not acquired.")
}

fn locked(this: &Object) -> Result<Object> {
    Ok(Object::boolean(of(this).is_locked()))
}

fn set_locked(this: &Object, value: Option<&Object>) -> Result<()> {
    let locked = value.ok_or_else(crate::future::cannot_delete)?.is_true()?;
    of(this).set_locked(locked);
    Ok(())
}

fn repr_slot(this: &Object) -> Result<Object> {
    repr::<Lock>(
        this,
        if of(this).is_locked() {
            "locked"
        } else {
            "unlocked"
        },
    )
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Primitive<Lock>>(c"greenloop.Lock")
        .subclassable()
        .doc(c"Lock()\n--\n\nA lock for tasks, handed on in the order of asking; see asyncio.Lock.")
        .slot(
            ffi::Py_tp_init,
            initialise_without_arguments::<Lock> as *mut c_void,
        )
        .repr(unary!(repr_slot))
        .methods(vec![
            noargs!(
                leaf c"acquire",
                acquire::<Lock>,
                c"acquire($self)\n--\n\nWait for the lock and take it; return True."
            ),
            noargs!(
                c"release",
                release,
                c"release($self)\n--\n\nLet go of the lock and wake the first who waits."
            ),
            noargs!(
                leaf c"locked",
                locked,
                c"locked($self)\n--\n\nReturn whether somebody holds the lock."
            ),
            noargs!(
                leaf c"__aenter__",
                enter::<Lock>,
                c"__aenter__($self)\n--\n\nAcquire the lock."
            ),
            fast!(
                c"__aexit__",
                exit::<Lock>,
                c"__aexit__($self, exc_type, exc, tb)\n--\n\nRelease the lock."
            ),
            noargs!(
                c"__getstate__",
                getstate::<Lock>,
                c"__getstate__($self)\n--\n\nReturn what a copy is made of."
            ),
            one!(
                c"__setstate__",
                setstate::<Lock>,
                c"__setstate__($self, state, /)\n--\n\nMake this a copy."
            ),
            reducing(),
            noargs!(
                c"_get_loop",
                get_loop::<Lock>,
                c"_get_loop($self)\n--\n\nReturn the running loop, bound to."
            ),
        ])
        .attributes(vec![
            attribute!(c"_loop", bound_loop::<Lock>, set_bound_loop::<Lock>),
            attribute!(c"_waiters", line::<Lock>, set_line::<Lock>),
            attribute!(c"_locked", locked, set_locked),
        ])
        .build(None)
}
