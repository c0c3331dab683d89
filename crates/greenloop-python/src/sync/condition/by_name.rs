//! Waiting where the lock is not a plain native one or a method may have been replaced: each of
//! asyncio's calls is made by name. The awaitable's `value` holds the object that is awaited.
//!
//! The steps are those of `wait`, but the lock's methods are the attributes `locked`, `release` and
//! `acquire` of the condition, and `acquire` may return any awaitable. Each of these calls is user
//! code. `wait_for` calls `self.wait()`, which a subclass may replace.
//!
//! The condition's line stays native all the same: only the lock is foreign.

use greenloop_core::WaitList as _;
use greenloop_core::observe::WaitKind;
use greenloop_cpython::{Native, Result, fetch};

use super::wait::{WAITING, cannot_wait, conclude, fail, keep_cancellation, keep_refusal, locking};
use super::{ConditionRef, by_name};
use crate::asyncio::{globals, is_cancellation};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::observing::Wait;

/// `step` tells whether the condition's line or the lock is waited for, as in `wait`.
pub(super) static WAIT_BY_NAME: Operation<ConditionRef> = Operation {
    name: c"Condition.wait",
    start: begin_by_name,
    resume: |this, owner| match this.get().step().get() {
        WAITING => {
            owner.get().state.logic.waiters.remove(this);
            relock_by_name(this, owner)
        }
        _ => relocked_by_name(this, owner, delegate::continue_with(this, None)),
    },
    interrupt: |this, owner, exception| {
        let awaitable = this.get();
        if awaitable.step().get() == WAITING {
            awaitable.kept().set(exception);
            owner.get().state.logic.waiters.remove(this);
            return relock_by_name(this, owner);
        }
        relocked_by_name(this, owner, delegate::continue_with(this, Some(&exception)))
    },
    waits: |_, owner| Some(Wait::on(WaitKind::Condition, &owner.get().number)),
    inside: |_| &[],
    behind: None,
};

/// In the order of asyncio 3.13: the waiter is made, the lock is released, and then the waiter
/// joins the line, so a notification that `release` itself makes does not reach it.
///
/// # Errors
/// `RuntimeError` if `locked()` is false, and any of the calls.
fn begin_by_name(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    let names = &globals().names;
    if !by_name(&names.locked, owner)?.is_true()? {
        return Err(cannot_wait());
    }
    let condition = owner.get();
    if let Err(raised) = condition.prepare(this, owner) {
        keep_refusal(this, raised)?;
        by_name(&names.release, owner)?;
        return relock_by_name(this, owner);
    }
    by_name(&names.release, owner)?;
    condition.state.logic.waiters.push(this);
    Ok(Progress::Blocked)
}

/// A call of `acquire` that fails at once is treated like an await of it that fails.
fn relock_by_name(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    locking(this);
    let delegated = by_name(&globals().names.acquire, owner)
        .and_then(|awaited| delegate::begin(this, &awaited));
    relocked_by_name(this, owner, delegated)
}

/// Goes on with the outcome of `acquire`: a cancellation is kept and the lock is asked for again,
/// as in asyncio's `while True`; any other exception ends the wait without the lock.
fn relocked_by_name(
    this: &Native<Awaitable>,
    owner: &ConditionRef,
    delegated: Result<Delegated>,
) -> Result<Progress> {
    match delegated {
        Ok(Delegated::Waits(progress)) => Ok(progress),
        Ok(Delegated::Returned(_)) => conclude(this, owner),
        Err(raised) => {
            let exception = fetch(raised);
            if !is_cancellation(&exception) {
                return fail(owner, exception);
            }
            keep_cancellation(this, exception)?;
            relock_by_name(this, owner)
        }
    }
}

/// The predicate is in `kept`.
///
/// It moves there from `value`, which holds the awaited object instead.
pub(super) static WAIT_FOR_BY_NAME: Operation<ConditionRef> = Operation {
    name: c"Condition.wait_for",
    start: |this, owner| {
        let awaitable = this.get();
        awaitable.kept().set_optional(awaitable.value().take());
        until_by_name(this, owner)
    },
    resume: |this, owner| check_by_name(this, owner, delegate::continue_with(this, None)?),
    interrupt: |this, owner, exception| {
        check_by_name(
            this,
            owner,
            delegate::continue_with(this, Some(&exception))?,
        )
    },
    waits: |_, owner| Some(Wait::on(WaitKind::Condition, &owner.get().number)),
    inside: |_| &[],
    behind: None,
};

/// The loop goes on without a turn where `wait()` returns without waiting.
fn until_by_name(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    loop {
        let predicate = this.get().kept().get_or_none();
        let result = predicate.call([])?;
        if result.is_true()? {
            return Ok(Progress::Returned(result));
        }
        let awaited = by_name(&globals().names.wait, owner)?;
        if let Delegated::Waits(progress) = delegate::begin(this, &awaited)? {
            return Ok(progress);
        }
    }
}

/// The result of `wait()` does not matter: the predicate decides.
fn check_by_name(
    this: &Native<Awaitable>,
    owner: &ConditionRef,
    delegated: Delegated,
) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(_) => until_by_name(this, owner),
    }
}
