//! `Lock`.

use std::ffi::{c_int, c_void};

use greenloop_core::{WaitList as _, sync};
use pyo3::ffi;

use super::waiters::{as_deque, bound_loop, repr, set_bound_loop};
use crate::awaitable::{Awaitable, Line, LoopBound, Operation, Progress, completed, ready};
use crate::interop::{
    Arguments, Held, Instance, Object, Result, attribute, class_of, fast, noargs, raise, restore,
    trap,
};

pub struct Lock {
    bound: LoopBound,
    lock: sync::Lock<Line>,
}

impl Held for Lock {
    fn new() -> Self {
        Self {
            bound: LoopBound::new(),
            lock: sync::Lock::new(Line::new()),
        }
    }

    unsafe fn visit(&self, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: passed on from the caller.
        unsafe {
            match self.bound.slot().visit(visit, arg) {
                0 => self.lock.waiters.visit(visit, arg),
                stop => stop,
            }
        }
    }

    fn clear(&self) {
        self.bound.slot().clear();
        self.lock.waiters.clear();
    }
}

fn of(this: &Object) -> &Lock {
    Instance::<Lock>::of(this)
}

fn acquire(this: &Object) -> Result<Object> {
    Awaitable::create(&ACQUIRE, this, None)
}

static ACQUIRE: Operation = Operation {
    name: c"Lock.acquire",
    start: |this| match start(this)? {
        None => ready(Object::boolean(true)),
        Some(blocked) => Ok(blocked),
    },
    resume: |this| {
        take_over(this);
        ready(Object::boolean(true))
    },
    interrupt,
};

/// Takes the lock, or joins the line.
#[inline]
fn start(this: &Object) -> Result<Option<Progress>> {
    let owner = Awaitable::of(this).owner().get_or_none();
    let lock = of(&owner);
    if lock.lock.try_acquire()? {
        return Ok(None);
    }
    Awaitable::prepare(this, &lock.bound, &owner)?;
    lock.lock.waiters.push(this);
    Ok(Some(Progress::Blocked))
}

#[inline]
fn take_over(this: &Object) {
    of(&Awaitable::of(this).owner().get_or_none())
        .lock
        .take_over(this);
}

/// asyncio hands the wake-up on for a cancellation only: any other exception comes from a coroutine
/// driven by hand.
fn interrupt(this: &Object, exception: Object) -> Result<Progress> {
    let owner = Awaitable::of(this).owner().get_or_none();
    let lock = &of(&owner).lock;
    if crate::interop::is_cancellation(&exception) {
        lock.give_up(this)?;
    } else {
        lock.waiters.remove(this);
    }
    Err(restore(exception))
}

fn release(this: &Object) -> Result<Object> {
    match of(this).lock.release()? {
        Ok(()) => Ok(Object::none()),
        // SAFETY: RuntimeError is always valid.
        Err(sync::NotAcquired) => Err(raise(
            unsafe { ffi::PyExc_RuntimeError },
            c"Lock is not acquired.",
        )),
    }
}

/// `async with lock`. A subclass may have overridden `acquire`.
fn enter(this: &Object) -> Result<Object> {
    Awaitable::create(&ENTER, this, None)
}

static ENTER: Operation = Operation {
    name: c"_ContextManagerMixin.__aenter__",
    start: |this| match start(this)? {
        None => ready(Object::none()),
        Some(blocked) => Ok(blocked),
    },
    resume: |this| {
        take_over(this);
        ready(Object::none())
    },
    interrupt,
};

fn exit(this: &Object, _arguments: Arguments<'_>) -> Result<Object> {
    release(this)?;
    completed()
}

fn locked(this: &Object) -> Result<Object> {
    Ok(Object::boolean(of(this).lock.is_locked()))
}

unsafe extern "C" fn repr_slot(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid lock.
        let this = unsafe { Object::from_borrowed(this) };
        let lock = &of(&this).lock;
        let state = if lock.is_locked() {
            "locked"
        } else {
            "unlocked"
        };
        repr(&this, state, lock.waiters.len())
    })
}

fn loop_attribute(this: &Object) -> Result<Object> {
    Ok(bound_loop(&of(this).bound))
}

fn set_loop_attribute(this: &Object, value: Option<&Object>) -> Result<()> {
    set_bound_loop(&of(this).bound, value);
    Ok(())
}

fn waiters(this: &Object) -> Result<Object> {
    as_deque(&of(this).lock.waiters)
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Lock>(c"greenloop.Lock")
        .subclassable()
        .doc(c"Lock()\n--\n\nA lock for tasks, handed on in the order of asking; see asyncio.Lock.")
        .slot(ffi::Py_tp_repr, repr_slot as *mut c_void)
        .methods(vec![
            noargs!(
                c"acquire",
                acquire,
                c"Wait for the lock and take it; return True."
            ),
            noargs!(
                c"release",
                release,
                c"Let go of the lock and wake the first who waits."
            ),
            noargs!(
                c"locked",
                locked,
                c"Return whether somebody holds the lock."
            ),
            noargs!(c"__aenter__", enter, c"Acquire the lock."),
            fast!(c"__aexit__", exit, c"Release the lock."),
        ])
        .attributes(vec![
            attribute!(c"_loop", loop_attribute, set_loop_attribute),
            attribute!(c"_waiters", waiters),
            attribute!(c"_locked", locked),
        ])
        .build(None)
}
