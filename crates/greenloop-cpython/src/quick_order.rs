//! Comparisons that run no code of the program: of numbers, strings, and tuples of them.
//!
//! The classes are exactly Python's own, whose comparisons are known. They need not be looked up
//! then, and what is being compared cannot change meanwhile.

use std::cmp::Ordering;

use pyo3::ffi;

use super::error::{Raised, clear};
use super::object::Object;
use super::operators::Comparison;

/// How deep tuples are looked into.
const DEEPEST: u32 = 8;

/// How one object compares to another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Less,
    Equal,
    /// Greater, or neither: a NaN is.
    Other,
}

impl Object {
    /// `self < other`, or `None` if that might run code of the program, or raises.
    #[inline]
    pub fn is_quickly_less(&self, other: &Object) -> Option<bool> {
        Some(order(self, other, DEEPEST)? == Order::Less)
    }

    /// Of which kind of scalars it is exactly. Those of one kind compare without code of the
    /// program; a `str` and a `bytes` do not, which may warn.
    fn scalar(&self) -> Option<Scalar> {
        // SAFETY: a valid object.
        unsafe {
            let object = self.as_ptr();
            if ffi::PyLong_CheckExact(object) != 0 || ffi::PyFloat_CheckExact(object) != 0 {
                Some(Scalar::Number)
            } else if ffi::PyUnicode_CheckExact(object) != 0 {
                Some(Scalar::Text)
            } else if ffi::PyBytes_CheckExact(object) != 0 {
                Some(Scalar::Bytes)
            } else {
                None
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Scalar {
    Number,
    Text,
    Bytes,
}

#[inline]
fn order(one: &Object, other: &Object, depth: u32) -> Option<Order> {
    if let (Some(one), Some(other)) = (one.exact_int(), other.exact_int()) {
        return Some(match one.cmp(&other) {
            Ordering::Less => Order::Less,
            Ordering::Equal => Order::Equal,
            Ordering::Greater => Order::Other,
        });
    }
    if let (Some(one), Some(other)) = (one.exact_float(), other.exact_float()) {
        return Some(match one.partial_cmp(&other) {
            Some(Ordering::Less) => Order::Less,
            Some(Ordering::Equal) => Order::Equal,
            Some(Ordering::Greater) | None => Order::Other,
        });
    }
    if one.is_plain_tuple() && other.is_plain_tuple() {
        return order_of_tuples(one, other, depth.checked_sub(1)?);
    }
    if one.scalar()? == other.scalar()? {
        return order_of_scalars(one, other);
    }
    None
}

/// As [`order`], by the interpreter.
fn order_of_scalars(one: &Object, other: &Object) -> Option<Order> {
    let ask = |comparison| {
        one.compares(comparison, other)
            .map_err(|Raised| clear(Raised))
    };
    if ask(Comparison::Less).ok()? {
        return Some(Order::Less);
    }
    Some(if ask(Comparison::Equal).ok()? {
        Order::Equal
    } else {
        Order::Other
    })
}

/// The first items that differ decide. An item equals itself, without a question.
fn order_of_tuples(one: &Object, other: &Object, depth: u32) -> Option<Order> {
    let (one, other) = (one.tuple_items()?, other.tuple_items()?);
    for (each, another) in one.iter().zip(other) {
        if each.is(another.as_ptr()) {
            continue;
        }
        match order(each, another, depth)? {
            Order::Equal => {}
            decided => return Some(decided),
        }
    }
    Some(match one.len().cmp(&other.len()) {
        Ordering::Less => Order::Less,
        Ordering::Equal => Order::Equal,
        Ordering::Greater => Order::Other,
    })
}
