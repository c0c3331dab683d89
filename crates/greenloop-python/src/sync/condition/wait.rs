//! Waiting natively: one awaitable is in the condition's line, and then in the lock's.
//!
//! It is asyncio's `Condition.wait` step by step. An exception that ends the wait is kept until the
//! lock is held again, whatever happens meanwhile.

use greenloop_core::sync;
use greenloop_cpython::{
    Arguments, ExceptionClass, Object, Raised, Result, call_function, fetch, raise, restore,
};
use pyo3::ffi;

use super::by_name::{WAIT_BY_NAME, WAIT_FOR_BY_NAME};
use super::notify::hand_on;
use super::{Condition, SINCE_3_13, by_name, lock_of, native_lock, of};
use crate::asyncio::{globals, is_cancellation};
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::sync::acquire::{acquire_or_join, leave};
use crate::sync::lock::{self, Lock};
use crate::sync::primitive::Primitive;

/// `this.wait()`.
pub fn wait(this: &Object) -> Result<Object> {
    if native_lock(this).is_some() {
        return Awaitable::create(&WAIT, this, None);
    }
    by_name(&globals().names.wait, this)
}

pub(super) fn wait_method(this: &Object) -> Result<Object> {
    let native = native_lock(this).is_some();
    Awaitable::create(if native { &WAIT } else { &WAIT_BY_NAME }, this, None)
}

pub(super) fn wait_for(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [predicate] = arguments.bind(c"Condition.wait_for", [&globals().names.predicate], 1, 1)?;
    let native = native_lock(this).is_some();
    let operation = if native { &WAIT_FOR } else { &WAIT_FOR_BY_NAME };
    Awaitable::create(operation, this, predicate)
}

/// The awaitable is in the condition's line.
pub(super) const WAITING: u8 = 0;
/// The awaitable is in the lock's line, or awaits the result of `acquire`.
const LOCKING: u8 = 1;
/// The same, and it was cancelled meanwhile.
const CANCELLED: u8 = 2;

pub(super) fn locking(awaitable: &Awaitable) {
    if awaitable.step().get() == WAITING {
        awaitable.step().set(LOCKING);
    }
}

/// The exception that a wait ends with once it has the lock again is in `kept`.
static WAIT: Operation = Operation {
    name: c"Condition.wait",
    start: begin,
    resume: go_on,
    interrupt,
    behind: None,
};

/// The predicate is in `value`.
static WAIT_FOR: Operation = Operation {
    name: c"Condition.wait_for",
    start: until,
    resume: |this| check_again(this, go_on(this)),
    interrupt: |this, exception| check_again(this, interrupt(this, exception)),
    behind: None,
};

fn begin(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let condition = Primitive::<Condition>::of(&owner);
    let lock = lock_of(&owner)?;
    let native = lock::of(&lock);
    if !native.is_locked() {
        return Err(cannot_wait());
    }
    awaitable.step().set(WAITING);
    if let Err(raised) = condition.prepare(this, &owner) {
        keep_refusal(awaitable, raised)?;
        lock::release(&lock)?;
        return relock(this);
    }
    match condition.state.logic.begin(native, this)? {
        Ok(()) => Ok(Progress::Blocked),
        Err(sync::NotAcquired) => Err(lock::not_acquired()),
    }
}

/// There is no waiting, because the condition belongs to another loop. Up to Python 3.12 asyncio
/// releases the lock before it notices that, and raises when it has the lock again.
pub(super) fn keep_refusal(awaitable: &Awaitable, raised: Raised) -> Result<()> {
    if SINCE_3_13 {
        return Err(raised);
    }
    awaitable.kept().set(fetch(raised));
    Ok(())
}

fn go_on(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    if awaitable.step().get() == WAITING {
        return relock(this);
    }
    let owner = awaitable.owner().get_or_none();
    lock::of(&lock_of(&owner)?).take_over(this);
    conclude(this, &owner)
}

fn interrupt(this: &Object, exception: Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    if awaitable.step().get() == WAITING {
        awaitable.kept().set(exception);
        return relock(this);
    }
    let owner = awaitable.owner().get_or_none();
    let lock = lock_of(&owner)?;
    leave::<Lock>(this, &lock, &exception)?;
    if !is_cancellation(&exception) {
        return fail(&owner, exception);
    }
    keep_cancellation(awaitable, exception)?;
    relock(this)
}

/// The wait is over, and the lock has to be acquired again in any case.
fn relock(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let condition = of(&owner);
    let lock = lock_of(&owner)?;
    let locked = match condition.logic.relock(lock::of(&lock), this) {
        Ok(true) => Ok(true),
        Ok(false) => acquire_or_join::<Lock>(this, &lock),
        Err(raised) => Err(raised),
    };
    match locked {
        Ok(true) => conclude(this, &owner),
        Ok(false) => {
            locking(awaitable);
            Ok(Progress::Blocked)
        }
        Err(raised) => fail(&owner, fetch(raised)),
    }
}

/// The wait ends with the cancellation that comes while it waits for the lock: the last one, or up
/// to Python 3.12 a new one. Its context is the exception that interrupted the wait before.
pub(super) fn keep_cancellation(awaitable: &Awaitable, exception: Object) -> Result<()> {
    let again = awaitable.step().replace(CANCELLED) == CANCELLED;
    if again && !SINCE_3_13 {
        return Ok(());
    }
    let exception = if SINCE_3_13 {
        exception
    } else {
        call_function(&globals().asyncio.cancelled_error, &[])?
    };
    let Some(before) = awaitable.kept().take() else {
        awaitable.kept().set(exception);
        return Ok(());
    };
    // SAFETY: both are exceptions, and the reference to the context is given away.
    unsafe {
        let context = if again {
            ffi::PyException_GetContext(before.as_ptr())
        } else {
            before.into_ptr()
        };
        if context == exception.as_ptr() {
            ffi::Py_DECREF(context);
        } else {
            ffi::PyException_SetContext(exception.as_ptr(), context);
        }
    }
    awaitable.kept().set(exception);
    Ok(())
}

/// The lock is held again.
pub(super) fn conclude(this: &Object, owner: &Object) -> Result<Progress> {
    match Awaitable::of(this).kept().take() {
        None => ready(Object::boolean(true)),
        Some(exception) => fail(owner, exception),
    }
}

/// The wait ends by an exception, with or without the lock.
pub(super) fn fail(owner: &Object, exception: Object) -> Result<Progress> {
    hand_on(owner)?;
    Err(restore(exception))
}

/// Waits until the predicate holds.
fn until(this: &Object) -> Result<Progress> {
    loop {
        let predicate = Awaitable::of(this).value().get_or_none();
        let result = call_function(&predicate, &[])?;
        if result.is_true()? {
            return Ok(Progress::Returned(result));
        }
        match begin(this)? {
            Progress::Returned(_) => {}
            waits => return Ok(waits),
        }
    }
}

fn check_again(this: &Object, waited: Result<Progress>) -> Result<Progress> {
    match waited? {
        Progress::Returned(_) => until(this),
        waits => Ok(waits),
    }
}

#[cold]
pub(super) fn cannot_wait() -> Raised {
    let class = ExceptionClass::RuntimeError;
    raise(class, c"cannot wait on un-acquired lock")
}
