//! Waiting natively: one awaitable is in the condition's line, and then in the lock's.
//!
//! It is asyncio's `Condition.wait` step by step. An exception that ends the wait is kept until the
//! lock is held again, whatever happens meanwhile.

use greenloop_core::sync;
use greenloop_cpython::{
    Arguments, ExceptionClass, Native, Object, Raised, Result, context_of_exception, fetch, raise,
    restore, set_context,
};

use super::by_name::{WAIT_BY_NAME, WAIT_FOR_BY_NAME};
use super::notify::hand_on;
use super::{ConditionRef, by_name, lock_of, native_lock};
use crate::asyncio::edition::CONDITIONS_HAND_ON;
use crate::asyncio::{globals, is_cancellation};
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::sync::acquire::{acquire_or_join, leave};
use crate::sync::lock;

/// `this.wait()`.
pub fn wait(this: &ConditionRef) -> Result<Object> {
    if native_lock(this).is_some() {
        return Awaitable::create(&WAIT, this, None);
    }
    by_name(&globals().names.wait, this)
}

pub(super) fn wait_method(this: &ConditionRef) -> Result<Object> {
    let native = native_lock(this).is_some();
    Awaitable::create(if native { &WAIT } else { &WAIT_BY_NAME }, this, None)
}

pub(super) fn wait_for(this: &ConditionRef, arguments: Arguments<'_>) -> Result<Object> {
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

pub(super) fn locking(this: &Native<Awaitable>) {
    let awaitable = this.get();
    if awaitable.step().get() == WAITING {
        awaitable.step().set(LOCKING);
    }
}

/// The exception that a wait ends with once it has the lock again is in `kept`.
static WAIT: Operation<ConditionRef> = Operation {
    name: c"Condition.wait",
    start: begin,
    resume: go_on,
    interrupt,
    behind: None,
};

/// The predicate is in `value`.
static WAIT_FOR: Operation<ConditionRef> = Operation {
    name: c"Condition.wait_for",
    start: until,
    resume: |this, owner| check_again(this, owner, go_on(this, owner)),
    interrupt: |this, owner, exception| check_again(this, owner, interrupt(this, owner, exception)),
    behind: None,
};

fn begin(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    let lock = lock_of(owner)?;
    let native = &lock.get().state;
    if !native.is_locked() {
        return Err(cannot_wait());
    }
    this.get().step().set(WAITING);
    if let Err(raised) = owner.get().prepare(this, owner) {
        keep_refusal(this, raised)?;
        lock::release(&lock)?;
        return relock(this, owner);
    }
    match owner.get().state.logic.begin(native, this)? {
        Ok(()) => Ok(Progress::Blocked),
        Err(sync::NotAcquired) => Err(lock::not_acquired()),
    }
}

/// There is no waiting, because the condition belongs to another loop. Up to Python 3.12 asyncio
/// releases the lock before it notices that, and raises when it has the lock again.
pub(super) fn keep_refusal(this: &Native<Awaitable>, raised: Raised) -> Result<()> {
    if CONDITIONS_HAND_ON {
        return Err(raised);
    }
    this.get().kept().set(fetch(raised));
    Ok(())
}

fn go_on(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    if this.get().step().get() == WAITING {
        return relock(this, owner);
    }
    lock_of(owner)?.get().state.take_over(this);
    conclude(this, owner)
}

fn interrupt(
    this: &Native<Awaitable>,
    owner: &ConditionRef,
    exception: Object,
) -> Result<Progress> {
    if this.get().step().get() == WAITING {
        this.get().kept().set(exception);
        return relock(this, owner);
    }
    leave(this, &lock_of(owner)?, &exception)?;
    if !is_cancellation(&exception) {
        return fail(owner, exception);
    }
    keep_cancellation(this, exception)?;
    relock(this, owner)
}

/// The wait is over, and the lock has to be acquired again in any case.
fn relock(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    let lock = lock_of(owner)?;
    let locked = match owner.get().state.logic.relock(&lock.get().state, this) {
        Ok(true) => Ok(true),
        Ok(false) => acquire_or_join(this, &lock),
        Err(raised) => Err(raised),
    };
    match locked {
        Ok(true) => conclude(this, owner),
        Ok(false) => {
            locking(this);
            Ok(Progress::Blocked)
        }
        Err(raised) => fail(owner, fetch(raised)),
    }
}

/// The wait ends with the cancellation that comes while it waits for the lock: the last one, or up
/// to Python 3.12 a new one. Its context is the exception that interrupted the wait before.
pub(super) fn keep_cancellation(this: &Native<Awaitable>, exception: Object) -> Result<()> {
    let awaitable = this.get();
    let again = awaitable.step().replace(CANCELLED) == CANCELLED;
    if again && !CONDITIONS_HAND_ON {
        return Ok(());
    }
    let exception = if CONDITIONS_HAND_ON {
        exception
    } else {
        globals().asyncio.cancelled_error.call([])?
    };
    if let Some(before) = awaitable.kept().take() {
        let context = if again {
            context_of_exception(&before)
        } else {
            Some(before)
        };
        match context {
            Some(context) if context.is(exception.as_ptr()) => {}
            context => set_context(&exception, context),
        }
    }
    awaitable.kept().set(exception);
    Ok(())
}

/// The lock is held again.
pub(super) fn conclude(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    match this.get().kept().take() {
        None => ready(Object::boolean(true)),
        Some(exception) => fail(owner, exception),
    }
}

/// The wait ends by an exception, with or without the lock.
pub(super) fn fail(owner: &ConditionRef, exception: Object) -> Result<Progress> {
    hand_on(owner)?;
    Err(restore(exception))
}

/// Waits until the predicate holds.
fn until(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    loop {
        let predicate = this.get().value().get_or_none();
        let result = predicate.call([])?;
        if result.is_true()? {
            return Ok(Progress::Returned(result));
        }
        match begin(this, owner)? {
            Progress::Returned(_) => {}
            waits => return Ok(waits),
        }
    }
}

fn check_again(
    this: &Native<Awaitable>,
    owner: &ConditionRef,
    waited: Result<Progress>,
) -> Result<Progress> {
    match waited? {
        Progress::Returned(_) => until(this, owner),
        waits => Ok(waits),
    }
}

#[cold]
pub(super) fn cannot_wait() -> Raised {
    let class = ExceptionClass::RuntimeError;
    raise(class, c"cannot wait on un-acquired lock")
}
