//! `Lock`.
//!
//! The whole logic is `greenloop_core::sync::Lock`: a flag and a line. This file translates it into
//! `asyncio.Lock` with its private attributes `_locked` and `_waiters`, which programs read.
//!
//! A release wakes at most one waiter, which runs in the next turn. Between the two the flag is
//! clear, and still `acquire` waits behind the woken one: a lock is handed on in the order of
//! asking.

use std::ffi::CStr;

use greenloop_core::observe::WaitKind;
use greenloop_core::{WaitList as _, sync};
use greenloop_cpython::{
    Class, ExceptionClass, Native, Object, Raised, Result, Visited, Visitor, attribute, class_of,
    copied, fast, leaf_noargs, noargs, raise,
};

use super::acquire::{Acquire, acquire, enter, exit};
use super::copying::{Copied, getstate, setstate};
use super::primitive::{
    Lined, Plain, Primitive, State, initialise, line_attributes, loop_method, repr,
};
use crate::awaitable::{Awaitable, Line};
use crate::observing::{is_observed, tell_released};
use crate::task::stepping_number;

/// A reference to a lock.
///
/// Its instance may be of a subclass.
pub type LockRef = Native<Primitive<Lock>>;

/// The class.
///
/// It stands beside the state, not beside the table of methods; other files ask it for a lock's
/// type.
pub static CLASS: Class<Primitive<Lock>> = Class::new();

/// A lock's state.
///
/// Any task may release it: a lock has no owner in asyncio.
pub type Lock = sync::Lock<Line>;

// SAFETY: a lock holds nothing but its line, which shows the waiters.
unsafe impl State for Lock {
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
    /// A second `__init__` frees the lock without waking anybody.
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
    const WAITS: WaitKind = WaitKind::Lock;

    #[inline]
    fn is_plain(this: &Native<Primitive<Self>>) -> bool {
        CLASS.is_untouched_class_of(this) && this.has_no_attributes()
    }

    /// asyncio asks `self._locked` here, never the method `locked`, so there is no way by name.
    #[inline]
    fn try_acquire(this: &Native<Primitive<Self>>) -> Result<bool> {
        this.get().state.try_acquire()
    }

    #[inline]
    fn take_over(&self, waiter: &Native<Awaitable>) -> Result<()> {
        self.take_over(waiter);
        Ok(())
    }

    fn give_up(&self, waiter: &Native<Awaitable>) -> Result<()> {
        self.give_up(waiter)
    }

    /// A wake-up that this waiter had is lost with it, as in asyncio.
    fn abandon(&self, waiter: &Native<Awaitable>) -> Result<()> {
        self.waiters.remove(waiter);
        Ok(())
    }

    #[inline]
    fn release(this: &Native<Primitive<Self>>) -> Result<Object> {
        release(this)
    }
}

/// The method `release`.
///
/// The woken waiter runs in the next turn; nothing of it runs inside this call, unless a foreign
/// waiter's `set_result` does.
///
/// # Errors
/// `RuntimeError` if the lock is not held, and those of a foreign waiter.
#[inline]
pub fn release(this: &LockRef) -> Result<Object> {
    if is_observed() {
        tell_released(WaitKind::Lock, &this.get().number, 0, stepping_number);
    }
    match this.get().state.release()? {
        Ok(()) => Ok(Object::none()),
        Err(sync::NotAcquired) => Err(not_acquired()),
    }
}

/// The error of releasing a lock that is not held.
///
/// A condition raises it too, when its lock is freed behind its back.
#[cold]
pub fn not_acquired() -> Raised {
    let class = ExceptionClass::RuntimeError;
    raise(class, c"Lock is not acquired.")
}

fn locked(this: &LockRef) -> Result<Object> {
    Ok(Object::boolean(this.get().state.is_locked()))
}

/// Sets the flag alone: no waiter is woken, as assigning asyncio's attribute wakes none.
fn set_locked(this: &LockRef, value: Option<&Object>) -> Result<()> {
    let locked = value.ok_or_else(crate::future::cannot_delete)?.is_true()?;
    this.get().state.set_locked(locked);
    Ok(())
}

fn repr_slot(this: &LockRef) -> Result<Object> {
    repr::<Lock>(
        this,
        if this.get().state.is_locked() {
            "locked"
        } else {
            "unlocked"
        },
    )
}

/// Makes the class.
///
/// `acquire`, `locked` and `__aenter__` are leaves: they run no code but ours, which their trap
/// relies on.
pub fn make_class() -> Result<()> {
    let methods = vec![
        leaf_noargs(
            c"acquire",
            acquire,
            c"acquire($self)\n--\n\n\
              Acquire the lock, waiting until it is free; return True.\n\n\
              Cancelling the waiting task leaves the lock as it is; a wake-up that came at \
              the same time goes to the next waiter.",
        ),
        noargs(
            c"release",
            release,
            c"release($self)\n--\n\n\
              Release the lock and wake its first waiter.\n\n\
              Any task may call it. RuntimeError is raised if the lock is not held. The \
              waiter runs in the loop's next turn.",
        ),
        leaf_noargs(
            c"locked",
            locked,
            c"locked($self)\n--\n\nReturn whether a task holds the lock.",
        ),
        leaf_noargs(
            c"__aenter__",
            enter,
            c"__aenter__($self)\n--\n\nAcquire the lock.",
        ),
        fast(
            c"__aexit__",
            exit,
            c"__aexit__($self, exc_type, exc, tb)\n--\n\nRelease the lock.",
        ),
        loop_method(),
    ];
    class_of::<Primitive<Lock>>(c"greenloop.Lock")
        .subclassable()
        .doc(
            c"Lock()\n--\n\n\
               A lock for tasks, handed on in the order of asking; see asyncio.Lock.\n\n\
               The lock is fair: a task that asks later never overtakes one that waits. It is \
               not reentrant and has no owner. Use it as `async with lock:`.",
        )
        .init_by(initialise)
        .repr_by(repr_slot)
        .methods(copied(getstate, setstate))
        .methods(methods)
        .attributes(line_attributes())
        .attributes(vec![attribute(c"_locked", locked, set_locked)])
        .build_into(&CLASS)
}
