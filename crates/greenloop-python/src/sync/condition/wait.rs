//! Waiting natively: one awaitable is in the condition's line, and then in the lock's.
//!
//! It is asyncio's `Condition.wait` step by step. An exception that ends the wait is kept until the
//! lock is held again, whatever happens meanwhile.
//!
//! ```text
//!                notified, or an exception (kept)           lock free
//!   WAITING ──────────────────────────────────► relock ─────────────────► conclude
//!                                                 │ lock held               ▲
//!                                                 ▼          woken          │
//!                                              LOCKING ─────────────────────┤
//!                                                 │ cancelled (kept)        │
//!                                                 ▼          woken          │
//!                                             CANCELLED ────────────────────┘
//!                                              └──► again, as often as it is cancelled
//! ```
//! So a cancellation never ends the wait without the lock: the body of `async with condition`
//! relies on holding it. An exception of another kind that arrives while the lock is awaited does
//! end it, as it would leave asyncio's loop `while True: try: await self.acquire()`.
//!
//! `wait_for` is the same wait in a loop around the predicate, without a second awaitable.

use greenloop_core::observe::WaitKind;
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
use crate::observing::{Wait, is_observed, tell_acquired, tell_released};
use crate::sync::acquire::{acquire_or_join, leave};
use crate::sync::lock;
use crate::task::stepping_number;

/// `this.wait()`.
///
/// For a barrier. By name it runs the method of a subclass.
pub fn wait(this: &ConditionRef) -> Result<Object> {
    if native_lock(this).is_some() {
        return Awaitable::create(&WAIT, this, None);
    }
    by_name(&globals().names.wait, this)
}

/// The way is chosen once, when the method is called.
pub(super) fn wait_method(this: &ConditionRef) -> Result<Object> {
    let native = native_lock(this).is_some();
    Awaitable::create(if native { &WAIT } else { &WAIT_BY_NAME }, this, None)
}

/// # Errors
/// `TypeError` for wrong arguments. The predicate is called at the first step, not now.
pub(super) fn wait_for(this: &ConditionRef, arguments: Arguments<'_>) -> Result<Object> {
    let [predicate] = arguments.bind(c"Condition.wait_for", [&globals().names.predicate], 1, 1)?;
    let native = native_lock(this).is_some();
    let operation = if native { &WAIT_FOR } else { &WAIT_FOR_BY_NAME };
    Awaitable::create(operation, this, predicate)
}

/// The awaitable is in the condition's line.
///
/// Zero, so a new awaitable begins with it.
pub(super) const WAITING: u8 = 0;
/// The awaitable is in the lock's line, or awaits the result of `acquire`.
///
/// An exception now means to leave the lock's line, not the condition's.
const LOCKING: u8 = 1;
/// The same, and it was cancelled meanwhile.
///
/// A further cancellation replaces the kept one, or before Python 3.13 changes nothing.
const CANCELLED: u8 = 2;

/// A wait that was cancelled stays so.
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
    waits,
    inside: |this| match this.step().get() {
        WAITING => &[],
        _ => &[c"Lock.acquire"],
    },
    behind: None,
};

/// The predicate is in `value`.
static WAIT_FOR: Operation<ConditionRef> = Operation {
    name: c"Condition.wait_for",
    start: until,
    resume: |this, owner| check_again(this, owner, go_on(this, owner)),
    interrupt: |this, owner, exception| check_again(this, owner, interrupt(this, owner, exception)),
    waits,
    inside: |this| match this.step().get() {
        WAITING => &[c"Condition.wait"],
        _ => &[c"Condition.wait", c"Lock.acquire"],
    },
    behind: None,
};

/// Waits for a notification, or for the lock behind it.
#[expect(
    clippy::unnecessary_wraps,
    reason = "an operation may wait for nothing"
)]
fn waits(this: &Native<Awaitable>, owner: &ConditionRef) -> Option<Wait> {
    if this.get().step().get() == WAITING {
        return Some(Wait::on(WaitKind::Condition, &owner.get().number));
    }
    Some(match lock_of(owner) {
        Ok(lock) => Wait::on(WaitKind::Lock, &lock.get().number),
        Err(raised) => {
            drop(fetch(raised));
            Wait::of(WaitKind::Lock)
        }
    })
}

/// asyncio makes the waiter's future before or after the release, by version; a failure to make it
/// is what `keep_refusal` is about. Releasing wakes the lock's first waiter, which runs after this
/// step.
///
/// # Errors
/// `RuntimeError` if the lock is not held.
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
        Ok(()) => {
            if is_observed() {
                tell_released(WaitKind::Lock, &lock.get().number, 0, stepping_number);
            }
            Ok(Progress::Blocked)
        }
        Err(sync::NotAcquired) => Err(lock::not_acquired()),
    }
}

/// There is no waiting, because the condition belongs to another loop. Up to Python 3.12 asyncio
/// releases the lock before it notices that, and raises when it has the lock again.
///
/// The kept exception is raised by `conclude`.
pub(super) fn keep_refusal(this: &Native<Awaitable>, raised: Raised) -> Result<()> {
    if CONDITIONS_HAND_ON {
        return Err(raised);
    }
    this.get().kept().set(fetch(raised));
    Ok(())
}

/// The awaitable was woken, by a notification or by the lock.
fn go_on(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    if this.get().step().get() == WAITING {
        return relock(this, owner);
    }
    let lock = lock_of(owner)?;
    lock.get().state.take_over(this);
    if is_observed() {
        tell_acquired(WaitKind::Lock, &lock.get().number, stepping_number);
    }
    conclude(this, owner)
}

/// In the condition's line any exception is kept until the lock is held. In the lock's line a
/// cancellation passes on the wake-up that it may have had, and the wait for the lock begins again,
/// at the end of the line.
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
///
/// The same awaitable is pushed into the lock's line; a free lock takes no turn.
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
///
/// Called for each cancellation; `CANCELLED` tells the first from a later one.
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
///
/// Returns True, or raises what was kept.
pub(super) fn conclude(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    match this.get().kept().take() {
        None => ready(Object::boolean(true)),
        Some(exception) => fail(owner, exception),
    }
}

/// The wait ends by an exception, with or without the lock.
///
/// Another waiter is notified first, in case this one had been.
pub(super) fn fail(owner: &ConditionRef, exception: Object) -> Result<Progress> {
    hand_on(owner)?;
    Err(restore(exception))
}

/// Waits until the predicate holds.
///
/// The predicate is user code and runs in the task's own step. The result is what it returned, not
/// True. `begin` returns at once only where a refusal is kept, which it raises.
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

/// A wait of the loop has ended; an exception of it ends the loop.
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
