//! Attributes that show a field of a struct and cannot be set.

use std::cell::Cell;
use std::ffi::CStr;

use super::method::{Attribute, readonly};
use super::native::{Layout, Native};
use super::object::Object;
use super::slot::Slot;

/// A slot; an empty one is None.
pub fn readonly_slot<T, F>(name: &'static CStr, field: F) -> Attribute<T>
where
    T: Layout,
    F: Fn(&T) -> &Slot + Copy + 'static,
{
    readonly(name, move |this: &Native<T>| {
        Ok(field(this.get()).get_or_none())
    })
}

/// A flag.
pub fn readonly_flag<T, F>(name: &'static CStr, field: F) -> Attribute<T>
where
    T: Layout,
    F: Fn(&T) -> &Cell<bool> + Copy + 'static,
{
    readonly(name, move |this: &Native<T>| {
        Ok(Object::boolean(field(this.get()).get()))
    })
}
