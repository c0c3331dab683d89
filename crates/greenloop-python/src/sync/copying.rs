//! Copying and pickling a primitive, by the attributes that asyncio's instances have. Objects that
//! hold a lock as an attribute are copied and pickled with it.

use greenloop_cpython::{Object, Result, set_state, state_of};

use super::primitive::{Primitive, State};

/// A state that can be copied.
pub trait Copied: State {
    /// The attributes that it is made of, as far as the class has them, besides `_loop` and those
    /// that users have added.
    const ATTRIBUTES: &'static [&'static str];

    /// Sets one of them in the copy where that is more than setting an attribute. Returns whether
    /// it is.
    fn restore(_this: &Object, _name: &str, _value: &Object) -> Result<bool> {
        Ok(false)
    }
}

/// `__getstate__()`
pub fn getstate<S: Copied>(this: &Object) -> Result<Object> {
    let bound = &Primitive::<S>::of(this).bound;
    state_of(this, &bound.with_loop(S::ATTRIBUTES))
}

/// `__setstate__(state)`
pub fn setstate<S: Copied>(this: &Object, state: &Object) -> Result<Object> {
    set_state(this, state, S::restore)?;
    Ok(Object::none())
}
