//! The common part of the primitives' classes: the loop they are bound to, the line, and how both
//! are shown.

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

/// The state of one primitive.
pub trait State: Sized + 'static {
    /// The class's name.
    const NAME: &'static CStr;

    /// The state before `__init__`.
    fn new() -> Self;

    /// Shows the Python objects it holds to the garbage collector.
    fn visit(&self, visitor: &Visitor) -> Visited;

    /// Lets go of everything, and stays valid.
    fn clear(&self);
}

/// A state that `__init__` makes without arguments.
pub trait Plain: Lined {
    /// Resets it to a new one, except for its waiters.
    fn begin_anew(&self);
}

/// A state with a line of waiters.
pub trait Lined: State {
    /// Whether `_waiters` is None until the first wait.
    const LINE_ON_DEMAND: bool;

    /// The waiters.
    fn line(&self) -> &Line;
}

/// A primitive: its state, and the loop it is bound to.
pub struct Primitive<S> {
    pub bound: LoopBound,
    /// Whether there was a wait, or `_waiters` was set.
    waited: Cell<bool>,
    pub state: S,
}

impl<S: Lined> Primitive<S> {
    /// Gets `awaitable` ready to wait in the line, which it then joins.
    #[inline]
    pub fn prepare(&self, awaitable: &Native<Awaitable>, owner: &Object) -> Result<()> {
        self.waited.set(true);
        Awaitable::prepare(awaitable, &self.bound, owner)
    }

    /// Drops the waiters for a second `__init__`: they are never woken any more, as in asyncio.
    pub fn forget_waiters(&self) {
        self.waited.set(false);
        while self.state.line().pop().is_some() {}
    }
}

impl<S: State> Held for Primitive<S> {
    fn new() -> Self {
        Self {
            bound: LoopBound::new(),
            waited: Cell::new(false),
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
pub fn set_bound_loop<S: State>(this: &Native<Primitive<S>>, value: Option<&Object>) -> Result<()> {
    let value = value.filter(|value| !value.is_none());
    let bound = &this.get().bound;
    bound.slot().set_optional(value.cloned());
    Ok(())
}

/// `_get_loop()`: binds to the running loop, or raises if the primitive is bound to another.
fn get_loop<S: State>(this: &Native<Primitive<S>>) -> Result<Object> {
    this.get().bound.running_loop(this)
}

/// `_waiters`: a view of the line.
fn line<S: Lined>(this: &Native<Primitive<S>>) -> Result<Object> {
    let primitive = this.get();
    if S::LINE_ON_DEMAND && !primitive.waited.get() {
        return Ok(Object::none());
    }
    Waiters::create(this, |primitive| primitive.state.line())
}

/// Sets `_waiters`: the given waiters are in the line from now on, in that order.
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
pub fn repr_with(this: &Object, brackets: &str) -> Result<Object> {
    let plain = this.plain_repr()?;
    let plain = making::shown(&plain)?;
    let plain = plain.strip_prefix('<').unwrap_or(&plain);
    let plain = plain.strip_suffix('>').unwrap_or(plain);
    let text = format!("<{plain} [{brackets}]>");
    making::text(&text)
}

/// `__init__` of a class that takes no arguments.
pub fn initialise<S: Plain>(this: &Native<Primitive<S>>, arguments: Arguments<'_>) -> Result<()> {
    refuse_arguments::<S>(&arguments)?;
    let primitive = this.get();
    primitive.state.begin_anew();
    primitive.forget_waiters();
    Ok(())
}

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
