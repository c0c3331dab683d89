//! The `repr` of a queue.
//!
//! The texts are those of `asyncio.Queue.__repr__`, `__str__` and `_format`. They show numbers of
//! waiters and not the waiters, and the items by their own reprs, which is user code.

use greenloop_cpython::{Object, Result, making, no_attribute};

use super::queue::QueueRef;
use crate::asyncio::globals;

/// `repr(queue)`, with its address.
pub fn repr(this: &QueueRef) -> Result<Object> {
    described(this, &format!(" at {:p}", this.as_ptr()))
}

/// `str(queue)`
pub fn str(this: &QueueRef) -> Result<Object> {
    described(this, "")
}

/// The text of `repr` and `str`: the class, `place`, and the result of `_format`, which a subclass
/// may replace.
///
/// `place` is the address with a leading space, or nothing.
fn described(this: &Object, place: &str) -> Result<Object> {
    let format = this.invoke(&globals().names.format, [])?;
    let text = format!(
        "<{}{place} {}>",
        making::class_name(this)?,
        making::shown(&format)?
    );
    making::text(&text)
}

/// `_format`: the state.
///
/// Native items are listed in a list made for this, so that looking at a queue does not turn its
/// store into an object.
///
/// # Errors
/// `AttributeError` before `__init__`, and those of the items' reprs.
pub fn format(this: &QueueRef) -> Result<Object> {
    let queue = this.get();
    let maxsize = queue.maxsize.slot().get();
    let maxsize = maxsize.ok_or_else(|| no_attribute(this, "_maxsize"))?;
    let mut words = vec![format!("maxsize={}", making::represented(&maxsize)?)];
    if queue.items.has_any()? {
        let items = queue.items.to_list()?;
        words.push(format!("_queue={}", making::represented(&items)?));
    }
    let logic = &queue.logic;
    for (name, count) in [
        ("_getters", logic.getters.len()),
        ("_putters", logic.putters.len()),
    ] {
        if count > 0 {
            words.push(format!("{name}[{count}]"));
        }
    }
    match logic.unfinished().get() {
        0 => {}
        unfinished => words.push(format!("tasks={unfinished}")),
    }
    if logic.shut_down_flag().get() {
        words.push("shutdown".to_owned());
    }
    let text = words.join(" ");
    making::text(&text)
}
