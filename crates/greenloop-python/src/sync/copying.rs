//! Copying and pickling a primitive, as objects that have a lock among their attributes are: by the
//! attributes that asyncio's instances have.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::primitive::{Primitive, State};
use crate::interop::making::{self, ByName as _, Enter as _};
use crate::interop::{Object, Result, type_error};

/// A state that can be copied.
pub trait Copied: State {
    /// The attributes that it is made of, as far as the class has them, besides `_loop` and those that
    /// users have added.
    const ATTRIBUTES: &'static [&'static str];

    /// Sets one of them in the copy where that is more than setting an attribute. Returns whether it is.
    fn restore(_this: &Object, _name: &str, _value: &Object) -> Result<bool> {
        Ok(false)
    }
}

/// `__getstate__()`
pub fn getstate<S: Copied>(this: &Object) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let primitive = this.bound(py);
    let state = making::dict(py)?;
    for name in S::ATTRIBUTES {
        let Some(mut value) = primitive.look_up_optional(*name)? else {
            continue;
        };
        if *name == "_waiters" && !value.is_none() {
            let all = value.try_iter()?.map(|item| Ok(item?.into()));
            value = making::list(all.collect::<Result<_>>()?)?.bound(py);
        }
        state.enter(*name, value)?;
    }
    if !Primitive::<S>::of(this).bound.slot().is_empty() {
        state.enter("_loop", primitive.look_up(c"_loop")?)?;
    }
    let attributes = primitive.look_up(c"__dict__")?;
    state.update(
        attributes
            .cast::<PyDict>()
            .map_err(PyErr::from)?
            .as_mapping(),
    )?;
    Ok(state.into_any().into())
}

/// `__setstate__(state)`
pub fn setstate<S: Copied>(this: &Object, state: &Object) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let state = state.bound(py);
    let state = state
        .cast::<PyDict>()
        .map_err(|_| type_error("the state of a primitive has to be a dict"))?;
    for (name, value) in state {
        let restored = S::restore(this, &name.extract::<String>()?, &value.clone().into())?;
        if !restored {
            this.set_attribute(&name.into(), &value.into())?;
        }
    }
    Ok(Object::none())
}
