//! Copying and pickling a queue, by the attributes that asyncio's instances have. Objects that hold
//! a queue as an attribute are copied and pickled with it.

use greenloop_cpython::{Object, Result, set_state, state_of};

use super::attributes::set_finished;
use super::queue::QueueRef;

/// The attributes of asyncio's queues, in the order in which it makes them.
const ATTRIBUTES: &[&str] = &[
    "_maxsize",
    "_getters",
    "_putters",
    "_unfinished_tasks",
    "_finished",
    "_queue",
    #[cfg(Py_3_13)]
    "_is_shutdown",
];

/// `__getstate__()`. As with asyncio, a shallow copy shares the items.
pub fn getstate(this: &QueueRef) -> Result<Object> {
    let bound = &this.get().bound;
    state_of(this, &bound.with_loop(ATTRIBUTES))
}

/// `__setstate__(state)`
///
/// The order of the attributes does not matter, as each is set by itself.
pub fn setstate(this: &QueueRef, state: &Object) -> Result<Object> {
    set_state(this, state, |name, value| {
        let is_finished = name == "_finished";
        if is_finished {
            set_finished(this, value)?;
        }
        Ok(is_finished)
    })?;
    Ok(Object::none())
}
