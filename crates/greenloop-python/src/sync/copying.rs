//! Copying and pickling a primitive, by the attributes that asyncio's instances have. Objects that
//! hold a lock as an attribute are copied and pickled with it.

use greenloop_cpython::{Native, Object, Result, set_state, state_of};

use super::primitive::{Primitive, State};

/// A state that can be copied.
pub trait Copied: State {
    /// The attributes that it is made of, as far as the class has them, besides `_loop` and those
    /// that users have added.
    const ATTRIBUTES: &'static [&'static str];

    /// Sets one of them in the copy where that is more than setting an attribute. Returns whether
    /// it is.
    fn restore(_this: &Native<Primitive<Self>>, _name: &str, _value: &Object) -> Result<bool> {
        Ok(false)
    }
}

/// `__getstate__()`
///
/// `_loop` is part of the state only where the primitive is bound: asyncio's instance has no such
/// attribute before, only its class has.
pub fn getstate<S: Copied>(this: &Native<Primitive<S>>) -> Result<Object> {
    let bound = &this.get().bound;
    state_of(this, &bound.with_loop(S::ATTRIBUTES))
}

/// `__setstate__(state)`
pub fn setstate<S: Copied>(this: &Native<Primitive<S>>, state: &Object) -> Result<Object> {
    set_state(this, state, |name, value| S::restore(this, name, value))?;
    Ok(Object::none())
}
