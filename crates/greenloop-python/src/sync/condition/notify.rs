//! Notifying the waiters of a condition.

use greenloop_cpython::making::IntoObject as _;
use greenloop_cpython::{Arguments, ExceptionClass, Object, Raised, Result, call_method, raise};
use pyo3::ffi;

use super::{SINCE_3_13, by_name, native_lock, of};
use crate::asyncio::globals;
use crate::sync::lock;
use crate::sync::primitive::Lined as _;

/// `notify(n=1)`. From Python 3.13 on it calls `_notify`.
pub(super) fn notify_method(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let globals = globals();
    let [limit] = arguments.bind(c"Condition.notify", [&globals.names.n], 1, 0)?;
    if let Some(lock) = native_lock(this) {
        check(lock::of(&lock).is_locked())?;
        match limit {
            None => of(this).logic.notify(1)?,
            Some(limit) => notify_some(this, limit)?,
        }
        return Ok(Object::none());
    }
    check(by_name(&globals.names.locked, this)?.is_true()?)?;
    match limit {
        None => notify_by_name(this, &integer(1)?)?,
        Some(limit) => notify_by_name(this, limit)?,
    }
    Ok(Object::none())
}

/// `notify_all()`, which calls `notify`.
pub(super) fn notify_all_method(this: &Object) -> Result<Object> {
    if let Some(lock) = native_lock(this) {
        check(lock::of(&lock).is_locked())?;
        of(this).logic.notify(usize::MAX)?;
        return Ok(Object::none());
    }
    let all = integer(of(this).line().len())?;
    call_method(&globals().names.notify, &[this.as_ptr(), all.as_ptr()])?;
    Ok(Object::none())
}

/// `_notify(n)`, which does not check that the lock is held.
#[cfg(Py_3_13)]
pub(super) fn notify_private_method(this: &Object, limit: &Object) -> Result<Object> {
    notify_some(this, limit)?;
    Ok(Object::none())
}

/// `this.notify_all()`.
pub fn notify_all(this: &Object) -> Result<()> {
    if native_lock(this).is_some() {
        notify_all_method(this).map(drop)
    } else {
        by_name(&globals().names.notify_all, this).map(drop)
    }
}

/// Notifies the next one in place of one that fails, in asyncio's words `this._notify(1)`.
pub(super) fn hand_on(this: &Object) -> Result<()> {
    if native_lock(this).is_some() {
        of(this).logic.fail()
    } else if SINCE_3_13 {
        notify_by_name(this, &integer(1)?)
    } else {
        Ok(())
    }
}

fn notify_by_name(this: &Object, limit: &Object) -> Result<()> {
    if SINCE_3_13 {
        let arguments = [this.as_ptr(), limit.as_ptr()];
        call_method(&globals().names.notify_privately, &arguments).map(drop)
    } else {
        notify_some(this, limit)
    }
}

fn notify_some(this: &Object, limit: &Object) -> Result<()> {
    // SAFETY: `limit` is valid. What does not fit is cut off, at either end.
    let limit = unsafe {
        if ffi::PyLong_Check(limit.as_ptr()) == 0 {
            by_comparison(this, limit)?
        } else {
            let limit = ffi::PyNumber_AsSsize_t(limit.as_ptr(), std::ptr::null_mut());
            usize::try_from(limit).unwrap_or(0)
        }
    };
    of(this).logic.notify(limit)
}

/// The limit meant by an object that is no int, up to the number of waiters: before each of them
/// asyncio asks `count >= limit`.
#[cold]
fn by_comparison(this: &Object, limit: &Object) -> Result<usize> {
    let mut count = 0;
    while count < of(this).line().len() {
        let number = integer(count)?;
        // SAFETY: both are valid objects.
        let reached =
            unsafe { ffi::PyObject_RichCompareBool(number.as_ptr(), limit.as_ptr(), ffi::Py_GE) };
        match reached {
            0 => count += 1,
            1 => break,
            _ => return Err(Raised),
        }
    }
    Ok(count)
}

fn integer(number: usize) -> Result<Object> {
    number.into_object()
}

#[inline]
fn check(locked: bool) -> Result<()> {
    if locked { Ok(()) } else { Err(cannot_notify()) }
}

#[cold]
fn cannot_notify() -> Raised {
    let class = ExceptionClass::RuntimeError;
    raise(class, c"cannot notify on un-acquired lock")
}
