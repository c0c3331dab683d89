//! Acquiring, waiting in line for it, and `async with`: the common part of locks and semaphores.
//!
//! asyncio has this in `_ContextManagerMixin`, which calls the instance's own `acquire` and
//! `release`. [`enter`] does the same for an instance that may have replaced them; any other takes
//! the short cut.
//!
//! The life of one `acquire()`:
//!
//! ```text
//!              begin: free                                  returned
//!   created ─────────────────────────────────────────────────► True
//!      │        begin: held              wake
//!      └──────────► in line ──────────────► woken ── resume ──► True
//!                     │                      │
//!                     └──── interrupt ───────┴───────────────► raised
//! ```
//! A waiter that was woken does not hold the lock until it runs, in the next turn. Until then it
//! keeps its place in the line, and no later caller overtakes it: `try_acquire` refuses while
//! anybody in the line is not cancelled. If it is cancelled in that window, `give_up` passes the
//! wake-up on.

use std::ffi::CStr;

use greenloop_core::WaitList as _;
use greenloop_core::observe::WaitKind;
use greenloop_cpython::{Arguments, Native, Object, Result, restore};

use super::primitive::{Lined, Primitive};
use crate::asyncio::{globals, is_cancellation};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, completed, ready};
use crate::observing::{Wait, is_observed, tell_acquired};
use crate::task::stepping_number;

/// A primitive that can be acquired.
pub trait Acquire: Lined {
    /// The name of the coroutine of `acquire`.
    ///
    /// Shown as `__qualname__` and in the warning about an awaitable that was never awaited.
    const ACQUIRE_NAME: &'static CStr;
    /// What a task in the line waits for, for an observer.
    const WAITS: WaitKind;

    /// Whether `this` is an instance of exactly the class and has no attributes.
    ///
    /// Only then may native code stand in for a call of `acquire`, `release` or `locked`: nothing
    /// can have replaced them. No name is looked up for the answer.
    fn is_plain(this: &Native<Primitive<Self>>) -> bool;

    /// Acquires if there is no need to wait.
    ///
    /// # Errors
    /// Those of foreign waiters in the line, which are asked whether they are cancelled, and those
    /// of a replaced `locked()`.
    fn try_acquire(this: &Native<Primitive<Self>>) -> Result<bool>;

    /// A woken waiter runs.
    ///
    /// It leaves the line and holds what it waited for. A semaphore also wakes others, if its value
    /// allows.
    fn take_over(&self, waiter: &Native<Awaitable>) -> Result<()>;

    /// A waiter is cancelled.
    ///
    /// It leaves the line. If it had been woken already, the wake-up goes to the next waiter, so
    /// that a cancellation never loses one.
    fn give_up(&self, waiter: &Native<Awaitable>) -> Result<()>;

    /// A waiter ends by another exception, which comes from code that drives it by hand.
    ///
    /// It leaves the line. asyncio has no `except` for this case, so a lock's wake-up is not passed
    /// on.
    fn abandon(&self, waiter: &Native<Awaitable>) -> Result<()>;

    /// The method `release`.
    ///
    /// Returns None. It is called directly only for a plain instance.
    fn release(this: &Native<Primitive<Self>>) -> Result<Object>;

    /// `acquire()`.
    ///
    /// A constant of the trait, so that each class has its own compiled steps.
    const ACQUIRE: &'static Operation<Native<Primitive<Self>>> = &Operation {
        name: Self::ACQUIRE_NAME,
        start: |this, owner| begin(this, owner, true),
        resume: |this, owner| resume(this, owner, true),
        interrupt: |this, owner, exception| interrupt(this, owner, exception),
        waits: |_, owner| Some(Wait::on(Self::WAITS, &owner.get().number)),
        inside: |_| &[],
        behind: None,
    };

    /// `async with`.
    ///
    /// The same steps with another result: `async with lock as x` binds None, as in asyncio.
    const ENTER: &'static Operation<Native<Primitive<Self>>> = &Operation {
        name: ENTER_NAME,
        start: |this, owner| begin(this, owner, false),
        resume: |this, owner| resume(this, owner, false),
        interrupt: |this, owner, exception| interrupt(this, owner, exception),
        waits: |_, owner| Some(Wait::on(Self::WAITS, &owner.get().number)),
        inside: |_| const { &[Self::ACQUIRE_NAME] },
        behind: None,
    };
}

const ENTER_NAME: &CStr = c"_ContextManagerMixin.__aenter__";

/// `acquire()` returns True, `__aenter__()` None.
///
/// Both results are immortal or shared constants; nothing is allocated.
#[inline]
fn acquired(says_so: bool) -> Result<Progress> {
    ready(if says_so {
        Object::boolean(true)
    } else {
        Object::none()
    })
}

/// The first step, in the turn in which the task awaits. Without contention the whole operation is
/// this step, and the task is not suspended.
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

/// The step after a wake-up. The primitive was not taken by anybody else meanwhile, as nobody
/// overtakes a waiter in the line.
#[inline]
fn resume<S: Acquire>(
    this: &Native<Awaitable>,
    owner: &Native<Primitive<S>>,
    says_so: bool,
) -> Result<Progress> {
    owner.get().state.take_over(this)?;
    if is_observed() {
        tell_acquired(S::WAITS, &owner.get().number, stepping_number);
    }
    acquired(says_so)
}

/// The step in which an exception arrives: a cancellation of the task, or `throw` by a program that
/// drives the awaitable by hand. The same exception object is raised again.
fn interrupt<S: Acquire>(
    this: &Native<Awaitable>,
    owner: &Native<Primitive<S>>,
    exception: Object,
) -> Result<Progress> {
    leave(this, owner, &exception)?;
    Err(restore(exception))
}

/// Acquires `owner` and returns true, or has the awaitable join its line.
///
/// A condition uses this as well, for a waiter that gets its lock back: one awaitable then moves
/// from the condition's line into the lock's.
#[inline]
pub fn acquire_or_join<S: Acquire>(
    awaitable: &Native<Awaitable>,
    owner: &Native<Primitive<S>>,
) -> Result<bool> {
    if S::try_acquire(owner)? {
        if is_observed() {
            tell_acquired(S::WAITS, &owner.get().number, stepping_number);
        }
        return Ok(true);
    }
    join(awaitable, owner)?;
    Ok(false)
}

/// Kept out of line: an uncontended acquisition should not carry the code of waiting with it.
#[inline(never)]
fn join<S: Acquire>(awaitable: &Native<Awaitable>, owner: &Native<Primitive<S>>) -> Result<()> {
    let primitive = owner.get();
    primitive.prepare(awaitable, owner)?;
    primitive.state.line().push(awaitable);
    Ok(())
}

/// The awaitable leaves the line of `owner` because of an exception. asyncio hands a wake-up on for
/// a cancellation only.
///
/// # Errors
/// Those of waking the next waiter. They replace `exception`, as an error in asyncio's `except`
/// block would.
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
///
/// A new awaitable, from the freelist in the common case; it holds a reference to the primitive.
pub fn acquire<S: Acquire>(this: &Native<Primitive<S>>) -> Result<Object> {
    Awaitable::create(S::ACQUIRE, this, None)
}

/// The method `__aenter__`.
///
/// The interpreter calls it for `async with`. The decision between the two ways is made now; a
/// method that is replaced before the awaitable runs is not seen.
pub fn enter<S: Acquire>(this: &Native<Primitive<S>>) -> Result<Object> {
    if S::is_plain(this) {
        Awaitable::create(S::ENTER, this, None)
    } else {
        enter_by_name(this)
    }
}

/// The method `__aexit__`.
///
/// The release happens in the call itself, not when the result is awaited. The result is an
/// awaitable that is done, shared by all, so leaving costs no object and no turn.
///
/// # Errors
/// `TypeError` for a wrong number of arguments, and the errors of `release`. An exception of the
/// body is not looked at: the body's exception is never suppressed.
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
///
/// The interpreter always gives three positional ones. Keywords are bound to the names that
/// `_ContextManagerMixin.__aexit__` has, and refused in the same words.
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
///
/// `acquire` is looked up when the awaitable runs its first step, as in the coroutine that asyncio
/// has here. It may return any awaitable.
pub fn enter_by_name(this: &Object) -> Result<Object> {
    Awaitable::create(&ENTER_BY_NAME, this, None)
}

/// `this.release()`, as an awaitable that is done already.
///
/// # Errors
/// Any that the program's `release` raises.
pub fn exit_by_name(this: &Object) -> Result<Object> {
    this.invoke(&globals().names.release, [])?;
    completed()
}

/// The awaited object is in the awaitable's `value`; see `awaitable::delegate`.
static ENTER_BY_NAME: Operation = Operation {
    name: ENTER_NAME,
    start: |this, owner| {
        let awaited = owner.invoke(&globals().names.acquire, [])?;
        entered(delegate::begin(this, &awaited)?)
    },
    resume: |this, _| entered(delegate::continue_with(this, None)?),
    interrupt: |this, _, exception| entered(delegate::continue_with(this, Some(&exception))?),
    waits: |_, _| None,
    inside: |_| &[],
    behind: None,
};

/// The result of `acquire` is dropped, whatever it is, as `await self.acquire()` does.
fn entered(delegated: Delegated) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(_) => acquired(false),
    }
}
