//! The common part of the primitives' classes: the loop they are bound to, the line, and how both
//! are shown.
//!
//! Each class is a `Primitive<S>`, where `S` is the state that the core decides on. The traits say
//! how much of the common behaviour a state takes part in:
//!
//! ```text
//!   State          a name, an empty value, the collector's questions      all
//!    ├─ Copied     the attributes that make up a copy                     all (`copying`)
//!    └─ Lined      a line of waiters                                      all but Barrier
//!        ├─ Plain     an `__init__` without arguments                     Lock, Event
//!        └─ Acquire   `acquire`, `release`, `async with`                  Lock, Semaphore
//! ```
//! A primitive is bound to a loop by its first wait that blocks, not when it is made, as
//! `asyncio.mixins._LoopBoundMixin` does it. So it may be made before any loop runs.

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_core::WaitList as _;
use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Attribute, Held, Method, Native, Object, Result, Visited, Visitor, attribute,
    noargs, type_error,
};

use super::waiters::{self, Waiters};
use crate::awaitable::{Awaitable, Line, LoopBound};
use crate::observing::Number;

/// The state of one primitive.
///
/// # Safety
/// [`visit`](Self::visit) shows only references that the state owns, each once, and the waiters
/// that the awaitables in its line leave to it: see [`Visitor`].
pub unsafe trait State: Sized + 'static {
    /// The class's name.
    ///
    /// Used in the messages of `__init__` alone; a subclass is named by its base there.
    const NAME: &'static CStr;

    /// The state before `__init__`.
    ///
    /// This is the state that `__new__` leaves, so every method must be safe on it: a subclass may
    /// forget to call `__init__`.
    fn new() -> Self;

    /// Shows the Python objects it holds to the garbage collector.
    fn visit(&self, visitor: &Visitor) -> Visited;

    /// Lets go of everything, and stays valid.
    ///
    /// The garbage collector calls it while it breaks a cycle. Finalisers may call methods
    /// afterwards, which then find an empty primitive.
    fn clear(&self);
}

/// A state that `__init__` makes without arguments.
pub trait Plain: Lined {
    /// Resets it to a new one, except for its waiters.
    ///
    /// `__init__` calls it before it drops the waiters; no waiter is woken in between.
    fn begin_anew(&self);
}

/// A state with a line of waiters.
pub trait Lined: State {
    /// Whether `_waiters` is None until the first wait.
    ///
    /// asyncio's `Lock` and `Semaphore` make their deque with the first wait that blocks, `Event`
    /// and `Condition` in `__init__`. Programs and tests look at the attribute, so both are shown.
    const LINE_ON_DEMAND: bool;

    /// The waiters.
    fn line(&self) -> &Line;
}

/// A primitive: its state, and the loop it is bound to.
pub struct Primitive<S> {
    /// The loop, empty until a wait blocks or `_get_loop` is called.
    pub bound: LoopBound,
    /// Whether there was a wait, or `_waiters` was set.
    waited: Cell<bool>,
    /// Which one it is, for an observer.
    pub number: Number,
    /// What the core's logic works on, with the line in it.
    pub state: S,
}

impl<S: Lined> Primitive<S> {
    /// Gets `awaitable` ready to wait in the line, which it then joins.
    ///
    /// The awaitable is not in the line yet when this returns: the caller pushes it and reports
    /// `Progress::Blocked`.
    ///
    /// # Errors
    /// `RuntimeError` if the primitive is bound to another loop, `AttributeError` of None if no
    /// loop runs at all, as in asyncio, and any error of a foreign loop's `create_future`. The
    /// primitive has no new waiter then.
    #[inline]
    pub fn prepare(&self, awaitable: &Native<Awaitable>, owner: &Object) -> Result<()> {
        self.waited.set(true);
        Awaitable::prepare(awaitable, &self.bound, owner)
    }

    /// Drops the waiters for a second `__init__`: they are never woken any more, as in asyncio.
    ///
    /// A waiter that is popped keeps its task suspended, unless the task is cancelled.
    pub fn forget_waiters(&self) {
        self.waited.set(false);
        while self.state.line().pop().is_some() {}
    }
}

// SAFETY: the slot of the loop is none of the state's, which promises the same of itself.
unsafe impl<S: State> Held for Primitive<S> {
    fn new() -> Self {
        Self {
            bound: LoopBound::new(),
            waited: Cell::new(false),
            number: Number::none(),
            state: S::new(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.bound.slot().visit(visitor)?;
        self.state.visit(visitor)
    }

    fn clear(&self) {
        self.bound.slot().clear();
        self.state.clear();
    }
}

/// `_loop`: the loop the primitive is bound to, or None.
pub fn bound_loop<S: State>(this: &Native<Primitive<S>>) -> Result<Object> {
    Ok(this.get().bound.slot().get_or_none())
}

/// Sets `_loop`.
///
/// None and `del` both unbind, so that the next wait that blocks binds to the loop running then.
/// Tasks that wait meanwhile are not affected: a waiter knows the loop of its own task.
pub fn set_bound_loop<S: State>(this: &Native<Primitive<S>>, value: Option<&Object>) -> Result<()> {
    let value = value.filter(|value| !value.is_none());
    let bound = &this.get().bound;
    bound.slot().set_optional(value.cloned());
    Ok(())
}

/// `_get_loop()`: binds to the running loop, or raises if the primitive is bound to another.
///
/// Without a running loop it is None, and nothing is bound.
///
/// # Errors
/// `RuntimeError` in asyncio's words.
fn get_loop<S: State>(this: &Native<Primitive<S>>) -> Result<Object> {
    this.get().bound.running_loop(this)
}

/// `_waiters`: a view of the line.
///
/// Each call makes a new view object; two of them are different objects on the same line.
fn line<S: Lined>(this: &Native<Primitive<S>>) -> Result<Object> {
    let primitive = this.get();
    if S::LINE_ON_DEMAND && !primitive.waited.get() {
        return Ok(Object::none());
    }
    Waiters::create(this, |primitive| primitive.state.line())
}

/// Sets `_waiters`: the given waiters are in the line from now on, in that order.
///
/// A failure leaves the line as it was: the new waiters are collected before any leaves.
fn set_line<S: Lined>(this: &Native<Primitive<S>>, value: Option<&Object>) -> Result<()> {
    let primitive = this.get();
    let value = value.filter(|value| !value.is_none());
    waiters::replace(primitive.state.line(), value)?;
    primitive.waited.set(value.is_some());
    Ok(())
}

/// `object.__repr__()` with the state and the number of waiters in brackets.
pub fn repr<S: Lined>(this: &Native<Primitive<S>>, state: &str) -> Result<Object> {
    match this.get().state.line().len() {
        0 => repr_with(this, state),
        waiters => repr_with(this, &format!("{state}, waiters:{waiters}")),
    }
}

/// `object.__repr__()` with something in brackets.
///
/// The address and the class's name come from `object.__repr__`, so a subclass is shown by its own
/// name. asyncio slices the same text with `res[1:-1]`.
pub fn repr_with(this: &Object, brackets: &str) -> Result<Object> {
    let plain = this.plain_repr()?;
    let plain = making::shown(&plain)?;
    let plain = plain.strip_prefix('<').unwrap_or(&plain);
    let plain = plain.strip_suffix('>').unwrap_or(plain);
    let text = format!("<{plain} [{brackets}]>");
    making::text(&text)
}

/// `__init__` of a class that takes no arguments.
///
/// It may run again on a primitive in use, where asyncio would replace the deque: present waiters
/// are forgotten.
///
/// # Errors
/// `TypeError` for any argument, in the words of a method of Python's.
pub fn initialise<S: Plain>(this: &Native<Primitive<S>>, arguments: Arguments<'_>) -> Result<()> {
    refuse_arguments::<S>(&arguments)?;
    let primitive = this.get();
    primitive.state.begin_anew();
    primitive.forget_waiters();
    Ok(())
}

/// The count in the message includes `self`, as Python counts it.
fn refuse_arguments<S: State>(arguments: &Arguments<'_>) -> Result<()> {
    let class = S::NAME.to_string_lossy();
    if let Some((name, _)) = arguments.keywords().next() {
        let name = making::shown(name)?;
        return Err(type_error(&format!(
            "{class}.__init__() got an unexpected keyword argument '{name}'"
        )));
    }
    match arguments.positional().len() {
        0 => Ok(()),
        given => Err(type_error(&format!(
            "{class}.__init__() takes 1 positional argument but {} were given",
            given + 1
        ))),
    }
}

/// The attributes that all primitives with waiters have.
pub fn line_attributes<S: Lined>() -> Vec<Attribute<Primitive<S>>> {
    vec![
        attribute(c"_loop", bound_loop, set_bound_loop),
        attribute(c"_waiters", line, set_line),
    ]
}

/// `_get_loop`, which all primitives have.
pub fn loop_method<S: State>() -> Method<Primitive<S>> {
    noargs(
        c"_get_loop",
        get_loop,
        c"_get_loop($self)\n--\n\n\
                  Return the running loop, which the primitive is bound to from the first call \
                  on.",
    )
}
