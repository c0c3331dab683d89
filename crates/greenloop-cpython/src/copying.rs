//! Copying and pickling an object like a Python object whose state is in attributes. asyncio's
//! classes are written in Python, so objects that hold one as an attribute can be copied and
//! pickled.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::attached::attached;
use super::call::type_error;
use super::error::Result;
use super::making::{self, ByName as _, Enter as _};
use super::method::{self, Method};
use super::native::{Layout, Native};
use super::object::Object;

/// `__getstate__()`: those of the attributes `names` that `this` has, and then the attributes that
/// users have added.
pub fn state_of(this: &Object, names: &[&str]) -> Result<Object> {
    let py = attached();
    let object = this.bound(py);
    let state = making::dict(py)?;
    for name in names {
        if let Some(value) = object.look_up_optional(*name)? {
            state.enter(*name, value)?;
        }
    }
    // The answer of `object`: a dict or None, and in a pair with it the slots that a subclass has.
    let added = py
        .get_type::<PyAny>()
        .invoke_method(c"__getstate__", (this,))?;
    let (attributes, slots) = match added.cast::<PyTuple>() {
        Ok(pair) => (pair.get_item(0)?, Some(pair.get_item(1)?)),
        Err(_) => (added, None),
    };
    if let Ok(attributes) = attributes.cast::<PyDict>() {
        state.update(attributes.as_mapping())?;
    }
    let state: Object = state.into_any().into();
    match slots {
        Some(slots) => making::tuple(vec![state, slots.into()]),
        None => Ok(state),
    }
}

/// `__setstate__(state)`: sets each attribute, unless `restore` handles it.
pub fn set_state(
    this: &Object,
    state: &Object,
    restore: impl Fn(&str, &Object) -> Result<bool>,
) -> Result<()> {
    let py = attached();
    let state = state.bound(py);
    let parts = match state.cast::<PyTuple>() {
        Ok(pair) if pair.len() == 2 => vec![pair.get_item(0)?, pair.get_item(1)?],
        _ => vec![state.clone()],
    };
    for part in parts {
        let attributes = part
            .cast::<PyDict>()
            .map_err(|_| type_error("the state of a copy has to be a dict"))?;
        // A copy of the dict, since setting an attribute may run user code.
        for (name, value) in attributes.copy()? {
            let (name, value): (Object, Object) = (name.into(), value.into());
            let text = name.bound(py);
            let text = text.cast::<PyString>().map_err(PyErr::from)?;
            // A name that is no UTF-8 is none of those which matter to `restore`.
            let restored = match text.to_str() {
                Ok(text) => restore(text, &value)?,
                Err(_) => false,
            };
            if !restored {
                this.set_attribute(&name, &value)?;
            }
        }
    }
    Ok(())
}

/// `__reduce_ex__(protocol)`, with the newest way in the place of the oldest, which knows no class
/// that is not written in Python.
fn reduce(this: &Object, protocol: &Object) -> Result<Object> {
    let py = attached();
    let protocol: i32 = protocol.bound(py).extract()?;
    let reduced = py
        .get_type::<PyAny>()
        .invoke_method(c"__reduce_ex__", (this, protocol.max(2)))?;
    Ok(reduced.into())
}

/// The methods of a class whose instances are copied, from its `__getstate__` and `__setstate__`.
pub fn copied<T, G, S>(getstate: G, setstate: S) -> [Method<T>; 3]
where
    T: Layout,
    G: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    S: Fn(&Native<T>, &Object) -> Result<Object> + Copy + 'static,
{
    [
        method::noargs(
            c"__getstate__",
            getstate,
            c"__getstate__($self)\n--\n\nReturn what a copy is made of.",
        ),
        method::one(
            c"__setstate__",
            setstate,
            c"__setstate__($self, state, /)\n--\n\nMake this a copy.",
        ),
        reducing(),
    ]
}

/// The method `__reduce_ex__`, which also refuses in the newest way's words where there is no
/// state.
pub fn reducing<T: Layout>() -> Method<T> {
    method::one(
        c"__reduce_ex__",
        |this, protocol| reduce(this, protocol),
        c"__reduce_ex__($self, protocol, /)\n--\n\nReturn how a copy is made.",
    )
}
