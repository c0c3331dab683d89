//! Awaiting Python objects from native code: what `await` does, one step at a time.
//!
//! An operation such as `wait_for` or `sock_connect` awaits another object in the middle of its own
//! course. It calls [`begin`] in one step. If that waits, the operation returns what it is given,
//! and calls [`continue_with`] in its `resume` and its `interrupt`:
//!
//! ```text
//!   begin ──► Waits ──► (the task waits for the inner object) ──► continue_with ──► Waits …
//!     └─────► Returned or an exception ◄──────────────────────────────┘
//! ```
//! The rules are those of the interpreter's own `await`: PEP 492, and PEP 380 for `throw` and
//! `close`.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    ExceptionClass, Iteration as _, Native, Object, Raised, Result, Resumed, attached, ensure_room,
    is_of_class, raise, restore, resume, throw, type_error,
};
use pyo3::prelude::*;

use super::{Awaitable, Progress};
use crate::asyncio::edition::{AWAIT_NAMES_CLASS, AWAIT_SAYS_CANNOT_BE_AWAITED};
use crate::asyncio::globals;
use crate::future::{Future, PENDING};

/// The outcome of an awaitable that is delegated to.
pub enum Delegated {
    /// It waits; the operation returns this, and is resumed or interrupted later.
    Waits(Progress),
    /// It returned a value.
    Returned(Object),
}

/// Begins to await `object`. The awaitable's `value` holds the iterator from then on.
///
/// A future of ours needs no iterator. Anything else is asked for one, by `__await__`, which is
/// code of the program. Raises a `TypeError` for what cannot be awaited, a `RuntimeError` for a
/// coroutine that is awaited already, and what the object's first step raises.
pub fn begin(this: &Native<Awaitable>, object: &Object) -> Result<Delegated> {
    let inner = if Future::is_native(object) {
        object.clone()
    } else {
        iterator_of(object)?
    };
    let awaitable = this.get();
    awaitable.value().set(inner.clone());
    awaitable.delegates.set(true);
    go_on(&inner, None)
}

/// Continues the await that [`begin`] began, with an exception or without. Raises its exceptions.
///
/// A `GeneratorExit` closes the inner object first; any other exception is thrown into it, and it
/// may go on.
pub fn continue_with(this: &Native<Awaitable>, exception: Option<&Object>) -> Result<Delegated> {
    go_on(&this.get().value().get_or_none(), exception)
}

/// One `send(None)` or `throw` of the inner object.
#[inline]
fn go_on(inner: &Object, exception: Option<&Object>) -> Result<Delegated> {
    if let Some(inner) = Future::native(inner) {
        return go_on_with_future(inner, exception);
    }
    let resumed = match exception {
        None => resume(inner),
        Some(exception) if is_exit(exception) => return Err(close_for(inner, exception)?),
        Some(exception) => throw(inner, exception),
    };
    match resumed {
        Resumed::Yielded(object) => Ok(Delegated::Waits(Progress::Yielded(object))),
        Resumed::Returned(value) => Ok(Delegated::Returned(value)),
        Resumed::Failed(raised) => Err(raised),
    }
}

/// Whether it is exactly what `close` throws.
fn is_exit(exception: &Object) -> bool {
    is_of_class(exception, ExceptionClass::GeneratorExit)
}

/// The awaiting coroutine has to end: the object it awaits is closed, if it is not already, and not
/// thrown into.
#[cold]
fn close_for(inner: &Object, exit: &Object) -> Result<Raised> {
    ensure_room()?;
    if let Some(inner) = Awaitable::native(inner) {
        Awaitable::close(inner)?;
    } else {
        let py = attached();
        let close = inner.bound(py).look_up_optional(c"close")?;
        if let Some(close) = close {
            close.call0()?;
        }
    }
    Ok(restore(exit.clone()))
}

/// The behaviour of a future's iterator, without one.
#[inline]
fn go_on_with_future(inner: &Native<Future>, exception: Option<&Object>) -> Result<Delegated> {
    if let Some(exception) = exception {
        return Err(restore(exception.clone()));
    }
    let future = inner.get();
    if future.state() != PENDING {
        return future.outcome().map(Delegated::Returned);
    }
    if future.blocking().replace(true) {
        let class = ExceptionClass::RuntimeError;
        return Err(raise(class, c"await wasn't used with future"));
    }
    Ok(Delegated::Waits(Progress::Yielded(
        inner.clone().into_object(),
    )))
}

/// `object.__await__()`, as `await` asks for it.
fn iterator_of(object: &Object) -> Result<Object> {
    if let Some(awaitable) = Awaitable::native(object) {
        Awaitable::begin(awaitable)?;
        return Ok(object.clone());
    }
    if object.is_plain_coroutine() {
        return not_awaited_yet(object);
    }
    if let Some(iterator) = object.awaited()? {
        return checked_iterator(object, iterator);
    }
    if is_generator_based(object)? {
        return Ok(object.clone());
    }
    let name = making::class_name(object)?;
    Err(type_error(&if AWAIT_SAYS_CANNOT_BE_AWAITED {
        format!("'{name}' object can't be awaited")
    } else {
        format!("object {name} can't be used in 'await' expression")
    }))
}

/// A coroutine, unless it is awaited already.
fn not_awaited_yet(coroutine: &Object) -> Result<Object> {
    if coroutine.attribute(&globals().names.cr_await)?.is_none() {
        return Ok(coroutine.clone());
    }
    let class = ExceptionClass::RuntimeError;
    Err(raise(class, c"coroutine is being awaited already"))
}

/// The result of `__await__`, if it is an iterator and no coroutine.
fn checked_iterator(object: &Object, iterator: Object) -> Result<Object> {
    let is_iterator = iterator.is_iterator();
    let is_coroutine = iterator.is_plain_coroutine();
    if is_iterator && !is_coroutine {
        return Ok(iterator);
    }
    let (name, given) = (making::class_name(object)?, making::class_name(&iterator)?);
    Err(type_error(&match (AWAIT_NAMES_CLASS, is_coroutine) {
        (false, true) => "__await__() returned a coroutine".to_owned(),
        (false, false) => format!("__await__() returned non-iterator of type '{given}'"),
        (true, true) => format!("{name}.__await__() must return an iterator, not coroutine"),
        (true, false) => format!("{name}.__await__() must return an iterator, not {given}"),
    }))
}

/// Whether `object` is a generator that `types.coroutine` has made awaitable.
fn is_generator_based(object: &Object) -> Result<bool> {
    const CO_ITERABLE_COROUTINE: u32 = 0x100;
    if !object.is_plain_generator() {
        return Ok(false);
    }
    let py = attached();
    let flags = object.bound(py).look_up(c"gi_code")?.look_up(c"co_flags")?;
    Ok(flags.extract::<u32>()? & CO_ITERABLE_COROUTINE != 0)
}
