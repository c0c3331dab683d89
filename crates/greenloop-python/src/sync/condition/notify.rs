//! Notifying the waiters of a condition.
//!
//! A notification wakes a waiter, which is in the condition's line until it runs and then competes
//! for the lock. asyncio sets the result of the waiter's future in the same place. Notifying
//! without the lock is refused; the waiters could miss it otherwise.

use greenloop_core::observe::{EventKind, WaitKind};
use greenloop_cpython::{Arguments, Comparison, ExceptionClass, Object, Raised, Result, raise};

use super::{ConditionRef, by_name, native_lock};
use crate::asyncio::edition::CONDITIONS_HAND_ON;
use crate::asyncio::globals;
use crate::observing::{is_recording, tell};
use crate::sync::primitive::Lined as _;

/// `notify(n=1)`. From Python 3.13 on it calls `_notify`.
///
/// # Errors
/// `RuntimeError` if the lock is not held, and those of foreign waiters.
pub(super) fn notify_method(this: &ConditionRef, arguments: Arguments<'_>) -> Result<Object> {
    let globals = globals();
    if is_recording() {
        tell(
            EventKind::Notified,
            WaitKind::Condition,
            &this.get().number,
            1,
        );
    }
    let [limit] = arguments.bind(c"Condition.notify", [&globals.names.n], 1, 0)?;
    if let Some(lock) = native_lock(this) {
        check(lock.get().state.is_locked())?;
        match limit {
            None => this.get().state.logic.notify(1)?,
            Some(limit) => notify_some(this, limit)?,
        }
        return Ok(Object::none());
    }
    check(by_name(&globals.names.locked, this)?.is_true()?)?;
    match limit {
        None => notify_by_name(this, &Object::int(1)?)?,
        Some(limit) => notify_by_name(this, limit)?,
    }
    Ok(Object::none())
}

/// `notify_all()`, which calls `notify`.
///
/// It is `self.notify(len(self._waiters))` in asyncio; natively no waiter is counted.
pub(super) fn notify_all_method(this: &ConditionRef) -> Result<Object> {
    if is_recording() {
        let waiters = i64::try_from(this.get().state.line().len()).unwrap_or(i64::MAX);
        tell(
            EventKind::Notified,
            WaitKind::Condition,
            &this.get().number,
            waiters,
        );
    }
    if let Some(lock) = native_lock(this) {
        check(lock.get().state.is_locked())?;
        this.get().state.logic.notify(usize::MAX)?;
        return Ok(Object::none());
    }
    let all = Object::size_of(this.get().state.line().len())?;
    this.invoke(&globals().names.notify, [&all])?;
    Ok(Object::none())
}

/// `_notify(n)`, which does not check that the lock is held.
///
/// The method exists from Python 3.13 on, where `notify` and `wait` share it.
#[cfg(Py_3_13)]
pub(super) fn notify_private_method(this: &ConditionRef, limit: &Object) -> Result<Object> {
    notify_some(this, limit)?;
    Ok(Object::none())
}

/// `this.notify_all()`.
///
/// For a barrier: a subclass of its condition may have its own `notify_all`.
pub fn notify_all(this: &ConditionRef) -> Result<()> {
    if native_lock(this).is_some() {
        notify_all_method(this).map(drop)
    } else {
        by_name(&globals().names.notify_all, this).map(drop)
    }
}

/// Notifies the next one in place of one that fails, in asyncio's words `this._notify(1)`.
///
/// A notification may have reached the failed waiter or not; one too many is harmless, since
/// waiters of a condition expect to be woken for nothing. Before Python 3.13 the notification is
/// lost.
pub(super) fn hand_on(this: &ConditionRef) -> Result<()> {
    if native_lock(this).is_some() {
        this.get().state.logic.fail()
    } else if CONDITIONS_HAND_ON {
        notify_by_name(this, &Object::int(1)?)
    } else {
        Ok(())
    }
}

/// By name only where asyncio has the private method; before, `notify` did the work itself.
fn notify_by_name(this: &ConditionRef, limit: &Object) -> Result<()> {
    if CONDITIONS_HAND_ON {
        this.invoke(&globals().names.notify_privately, [limit])
            .map(drop)
    } else {
        notify_some(this, limit)
    }
}

/// Notifies as many as asked for. A number that does not fit is cut off, at either end.
///
/// A float or another object is compared with a count, as asyncio does.
fn notify_some(this: &ConditionRef, limit: &Object) -> Result<()> {
    let limit = match limit.saturating_int().filter(|_| limit.is_int()) {
        Some(limit) => usize::try_from(limit).unwrap_or(0),
        None => by_comparison(this, limit)?,
    };
    this.get().state.logic.notify(limit)
}

/// The limit meant by an object that is no int, up to the number of waiters: before each of them
/// asyncio asks `count >= limit`.
///
/// # Errors
/// Those of the comparison, which is user code and may change the line.
#[cold]
fn by_comparison(this: &ConditionRef, limit: &Object) -> Result<usize> {
    let mut count = 0;
    while count < this.get().state.line().len() {
        if Object::size_of(count)?.compares(Comparison::GreaterOrEqual, limit)? {
            break;
        }
        count += 1;
    }
    Ok(count)
}

/// The one condition under which notifying is allowed.
#[inline]
fn check(locked: bool) -> Result<()> {
    if locked { Ok(()) } else { Err(cannot_notify()) }
}

#[cold]
fn cannot_notify() -> Raised {
    let class = ExceptionClass::RuntimeError;
    raise(class, c"cannot notify on un-acquired lock")
}
