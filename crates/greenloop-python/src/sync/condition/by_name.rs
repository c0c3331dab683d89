//! Waiting where the lock is not a plain native one or a method may have been replaced: each of
//! asyncio's calls is made by name. The awaitable's `value` holds the object that is awaited.

use greenloop_core::WaitList as _;
use greenloop_cpython::{Object, Result, call_function, fetch};

use super::wait::{WAITING, cannot_wait, conclude, fail, keep_cancellation, keep_refusal, locking};
use super::{Condition, by_name, of};
use crate::asyncio::{globals, is_cancellation};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::sync::primitive::Primitive;

pub(super) static WAIT_BY_NAME: Operation = Operation {
    name: c"Condition.wait",
    start: begin_by_name,
    resume: |this| match Awaitable::of(this).step().get() {
        WAITING => {
            leave(this);
            relock_by_name(this)
        }
        _ => relocked_by_name(this, delegate::continue_with(this, None)),
    },
    interrupt: |this, exception| {
        let awaitable = Awaitable::of(this);
        if awaitable.step().get() == WAITING {
            awaitable.kept().set(exception);
            leave(this);
            return relock_by_name(this);
        }
        relocked_by_name(this, delegate::continue_with(this, Some(&exception)))
    },
    behind: None,
};

fn begin_by_name(this: &Object) -> Result<Progress> {
    let names = &globals().names;
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    if !by_name(&names.locked, &owner)?.is_true()? {
        return Err(cannot_wait());
    }
    let condition = Primitive::<Condition>::of(&owner);
    if let Err(raised) = condition.prepare(this, &owner) {
        keep_refusal(awaitable, raised)?;
        by_name(&names.release, &owner)?;
        return relock_by_name(this);
    }
    by_name(&names.release, &owner)?;
    condition.state.logic.waiters.push(this);
    Ok(Progress::Blocked)
}

fn leave(this: &Object) {
    let owner = Awaitable::of(this).owner().get_or_none();
    of(&owner).logic.waiters.remove(this);
}

fn relock_by_name(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    locking(awaitable);
    let owner = awaitable.owner().get_or_none();
    let delegated = by_name(&globals().names.acquire, &owner)
        .and_then(|awaited| delegate::begin(this, &awaited));
    relocked_by_name(this, delegated)
}

fn relocked_by_name(this: &Object, delegated: Result<Delegated>) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    match delegated {
        Ok(Delegated::Waits(progress)) => Ok(progress),
        Ok(Delegated::Returned(_)) => conclude(this, &owner),
        Err(raised) => {
            let exception = fetch(raised);
            if !is_cancellation(&exception) {
                return fail(&owner, exception);
            }
            keep_cancellation(awaitable, exception)?;
            relock_by_name(this)
        }
    }
}

/// The predicate is in `kept`.
pub(super) static WAIT_FOR_BY_NAME: Operation = Operation {
    name: c"Condition.wait_for",
    start: |this| {
        let awaitable = Awaitable::of(this);
        awaitable.kept().set_optional(awaitable.value().take());
        until_by_name(this)
    },
    resume: |this| check_by_name(this, delegate::continue_with(this, None)?),
    interrupt: |this, exception| {
        check_by_name(this, delegate::continue_with(this, Some(&exception))?)
    },
    behind: None,
};

fn until_by_name(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    loop {
        let predicate = awaitable.kept().get_or_none();
        let result = call_function(&predicate, &[])?;
        if result.is_true()? {
            return Ok(Progress::Returned(result));
        }
        let awaited = by_name(&globals().names.wait, &owner)?;
        if let Delegated::Waits(progress) = delegate::begin(this, &awaited)? {
            return Ok(progress);
        }
    }
}

fn check_by_name(this: &Object, delegated: Delegated) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(_) => until_by_name(this),
    }
}
