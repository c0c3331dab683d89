//! Waiting where the lock is not a plain native one or a method may have been replaced: each of
//! asyncio's calls is made by name. The awaitable's `value` holds the object that is awaited.

use greenloop_core::WaitList as _;
use greenloop_cpython::{Native, Result, fetch};

use super::wait::{WAITING, cannot_wait, conclude, fail, keep_cancellation, keep_refusal, locking};
use super::{ConditionRef, by_name};
use crate::asyncio::{globals, is_cancellation};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress};

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
    behind: None,
};

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

fn relock_by_name(this: &Native<Awaitable>, owner: &ConditionRef) -> Result<Progress> {
    locking(this);
    let delegated = by_name(&globals().names.acquire, owner)
        .and_then(|awaited| delegate::begin(this, &awaited));
    relocked_by_name(this, owner, delegated)
}

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
    behind: None,
};

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
