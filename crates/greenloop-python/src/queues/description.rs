//! The `repr` of a queue.

use greenloop_cpython::making;
use greenloop_cpython::{Object, Result, call_method, no_attribute, trap};
use pyo3::ffi;

use super::queue::Queue;
use crate::asyncio::globals;

pub unsafe extern "C" fn repr_slot(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid queue.
        let this = unsafe { Object::from_borrowed(this) };
        described(&this, &format!(" at {:p}", this.as_ptr()))
    })
}

pub unsafe extern "C" fn str_slot(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid queue.
        let this = unsafe { Object::from_borrowed(this) };
        described(&this, "")
    })
}

/// The text of `repr` and `str`: the class, `place`, and the result of `_format`, which a subclass
/// may replace.
fn described(this: &Object, place: &str) -> Result<Object> {
    let format = call_method(&globals().names.format, &[this.as_ptr()])?;
    let text = format!(
        "<{}{place} {}>",
        making::class_name(this)?,
        making::shown(&format)?
    );
    making::text(&text)
}

/// `_format`: the state.
pub fn format(this: &Object) -> Result<Object> {
    let queue = Queue::of(this);
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
