//! Acquiring, waiting in line for it, and `async with`: the common part of locks and semaphores.
//!
//! asyncio has this in `_ContextManagerMixin`, which calls the instance's own `acquire` and
//! `release`. [`enter`] does the same for an instance that may have replaced them; any other takes
//! the short cut.

use std::ffi::CStr;

use greenloop_core::WaitList as _;
use greenloop_cpython::{Arguments, Native, Object, Result, restore};

use super::primitive::{Lined, Primitive};
use crate::asyncio::{globals, is_cancellation};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, completed, ready};

/// A primitive that can be acquired.
pub trait Acquire: Lined {
    /// The name of the coroutine of `acquire`.
    const ACQUIRE_NAME: &'static CStr;

    /// Whether `this` is an instance of exactly the class and has no attributes.
    fn is_plain(this: &Native<Primitive<Self>>) -> bool;

    /// Acquires if there is no need to wait.
    fn try_acquire(this: &Native<Primitive<Self>>) -> Result<bool>;

    /// A woken waiter runs.
    fn take_over(&self, waiter: &Native<Awaitable>) -> Result<()>;

    /// A waiter is cancelled.
    fn give_up(&self, waiter: &Native<Awaitable>) -> Result<()>;

    /// A waiter ends by another exception, which comes from code that drives it by hand.
    fn abandon(&self, waiter: &Native<Awaitable>) -> Result<()>;

    /// The method `release`.
    fn release(this: &Native<Primitive<Self>>) -> Result<Object>;

    /// `acquire()`.
    const ACQUIRE: &'static Operation<Native<Primitive<Self>>> = &Operation {
        name: Self::ACQUIRE_NAME,
        start: |this, owner| begin(this, owner, true),
        resume: |this, owner| resume(this, owner, true),
        interrupt: |this, owner, exception| interrupt(this, owner, exception),
        behind: None,
    };

    /// `async with`.
    const ENTER: &'static Operation<Native<Primitive<Self>>> = &Operation {
        name: ENTER_NAME,
        start: |this, owner| begin(this, owner, false),
        resume: |this, owner| resume(this, owner, false),
        interrupt: |this, owner, exception| interrupt(this, owner, exception),
        behind: None,
    };
}

const ENTER_NAME: &CStr = c"_ContextManagerMixin.__aenter__";

/// `acquire()` returns True, `__aenter__()` None.
#[inline]
fn acquired(says_so: bool) -> Result<Progress> {
    ready(if says_so {
        Object::boolean(true)
    } else {
        Object::none()
    })
}

#[inline]
fn begin<S: Acquire>(
    this: &Native<Awaitable>,
    owner: &Native<Primitive<S>>,
    says_so: bool,
) -> Result<Progress> {
    if acquire_or_join(this, owner)? {
        acquired(says_so)
    } else {
        Ok(Progress::Blocked)
    }
}

#[inline]
fn resume<S: Acquire>(
    this: &Native<Awaitable>,
    owner: &Native<Primitive<S>>,
    says_so: bool,
) -> Result<Progress> {
    owner.get().state.take_over(this)?;
    acquired(says_so)
}

fn interrupt<S: Acquire>(
    this: &Native<Awaitable>,
    owner: &Native<Primitive<S>>,
    exception: Object,
) -> Result<Progress> {
    leave(this, owner, &exception)?;
    Err(restore(exception))
}

/// Acquires `owner` and returns true, or has the awaitable join its line.
#[inline]
pub fn acquire_or_join<S: Acquire>(
    awaitable: &Native<Awaitable>,
    owner: &Native<Primitive<S>>,
) -> Result<bool> {
    if S::try_acquire(owner)? {
        return Ok(true);
    }
    join(awaitable, owner)?;
    Ok(false)
}

#[inline(never)]
fn join<S: Acquire>(awaitable: &Native<Awaitable>, owner: &Native<Primitive<S>>) -> Result<()> {
    let primitive = owner.get();
    primitive.prepare(awaitable, owner)?;
    primitive.state.line().push(awaitable);
    Ok(())
}

/// The awaitable leaves the line of `owner` because of an exception. asyncio hands a wake-up on for
/// a cancellation only.
pub fn leave<S: Acquire>(
    awaitable: &Native<Awaitable>,
    owner: &Native<Primitive<S>>,
    exception: &Object,
) -> Result<()> {
    let state = &owner.get().state;
    if is_cancellation(exception) {
        state.give_up(awaitable)
    } else {
        state.abandon(awaitable)
    }
}

/// The method `acquire`.
pub fn acquire<S: Acquire>(this: &Native<Primitive<S>>) -> Result<Object> {
    Awaitable::create(S::ACQUIRE, this, None)
}

/// The method `__aenter__`.
pub fn enter<S: Acquire>(this: &Native<Primitive<S>>) -> Result<Object> {
    if S::is_plain(this) {
        Awaitable::create(S::ENTER, this, None)
    } else {
        enter_by_name(this)
    }
}

/// The method `__aexit__`.
pub fn exit<S: Acquire>(this: &Native<Primitive<S>>, arguments: Arguments<'_>) -> Result<Object> {
    check_exit(&arguments)?;
    if S::is_plain(this) {
        S::release(this)?;
        completed()
    } else {
        exit_by_name(this)
    }
}

/// Refuses arguments of `__aexit__` that are not three.
#[inline]
pub fn check_exit(arguments: &Arguments<'_>) -> Result<()> {
    if arguments.positional().len() == 3 && arguments.has_no_keywords() {
        return Ok(());
    }
    let names = &globals().names;
    let parameters = [&names.exc_type, &names.exc, &names.tb];
    let bound = arguments.bind(c"_ContextManagerMixin.__aexit__", parameters, 3, 3);
    bound.map(drop)
}

/// `await this.acquire()`, and None.
pub fn enter_by_name(this: &Object) -> Result<Object> {
    Awaitable::create(&ENTER_BY_NAME, this, None)
}

/// `this.release()`, as an awaitable that is done already.
pub fn exit_by_name(this: &Object) -> Result<Object> {
    this.invoke(&globals().names.release, [])?;
    completed()
}

static ENTER_BY_NAME: Operation = Operation {
    name: ENTER_NAME,
    start: |this, owner| {
        let awaited = owner.invoke(&globals().names.acquire, [])?;
        entered(delegate::begin(this, &awaited)?)
    },
    resume: |this, _| entered(delegate::continue_with(this, None)?),
    interrupt: |this, _, exception| entered(delegate::continue_with(this, Some(&exception))?),
    behind: None,
};

fn entered(delegated: Delegated) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(_) => acquired(false),
    }
}
