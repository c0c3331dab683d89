//! The attributes of the streams' classes that are fields, which Python reads, sets and deletes.
//!
//! An attribute is a getter and a setter over a field. The four functions differ in what an empty
//! field and None mean:
//!
//! ```text
//!                        reading an empty slot      setting None           del
//!    slot                None                       empties                empties
//!    emptied_by_none     AttributeError             empties                empties
//!    required            AttributeError             None is the value      empties
//!    flag                (never empty)              False                  refused
//! ```
//! The field is given as a function of the struct, so that one function serves all structs.

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_cpython::{Attribute, Layout, Native, Object, Slot, attribute, no_attribute};

/// A slot: None represents an empty one, both ways, and a deleted attribute is None.
///
/// For fields that asyncio sets to None in `__init__`.
pub fn slot<T, F>(name: &'static CStr, field: F) -> Attribute<T>
where
    T: Layout,
    F: Fn(&T) -> &Slot + Copy + 'static,
{
    attribute(
        name,
        move |this: &Native<T>| Ok(field(this.get()).get_or_none()),
        move |this: &Native<T>, value: Option<&Object>| {
            set_unless_none(field(this.get()), value);
            Ok(())
        },
    )
}

/// A slot that `__init__` fills: reading an empty one is an `AttributeError` with the name that
/// `text` returns, and None empties it as deletion does.
pub fn emptied_by_none<T, F, N>(name: &'static CStr, field: F, text: N) -> Attribute<T>
where
    T: Layout,
    F: Fn(&T) -> &Slot + Copy + 'static,
    N: Fn() -> &'static str + Copy + 'static,
{
    attribute(
        name,
        move |this: &Native<T>| {
            let value = field(this.get()).get();
            value.ok_or_else(|| no_attribute(this, text()))
        },
        move |this: &Native<T>, value: Option<&Object>| {
            set_unless_none(field(this.get()), value);
            Ok(())
        },
    )
}

/// The same where None is a value as any other.
///
/// A writer's `_reader` is None for a connection that is only written to.
pub fn required<T, F, N>(name: &'static CStr, field: F, text: N) -> Attribute<T>
where
    T: Layout,
    F: Fn(&T) -> &Slot + Copy + 'static,
    N: Fn() -> &'static str + Copy + 'static,
{
    attribute(
        name,
        move |this: &Native<T>| {
            let value = field(this.get()).get();
            value.ok_or_else(|| no_attribute(this, text()))
        },
        move |this: &Native<T>, value: Option<&Object>| {
            field(this.get()).set_optional(value.cloned());
            Ok(())
        },
    )
}

/// A flag, which cannot be deleted.
///
/// Any object is taken for its truth, which may be user code.
pub fn flag<T, F>(name: &'static CStr, field: F) -> Attribute<T>
where
    T: Layout,
    F: Fn(&T) -> &Cell<bool> + Copy + 'static,
{
    attribute(
        name,
        move |this: &Native<T>| Ok(Object::boolean(field(this.get()).get())),
        move |this: &Native<T>, value: Option<&Object>| {
            let value = value.ok_or_else(crate::future::cannot_delete)?;
            field(this.get()).set(value.is_true()?);
            Ok(())
        },
    )
}

/// The old value is dropped after the slot has the new one.
fn set_unless_none(slot: &Slot, value: Option<&Object>) {
    let value = value.filter(|value| !value.is_none());
    slot.set_optional(value.cloned());
}
