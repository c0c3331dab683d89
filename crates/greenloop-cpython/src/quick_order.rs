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

/// An object, with the number that decides most comparisons, read once.
pub struct Ranked {
    rank: Rank,
    object: Object,
}

/// What is known of an object for comparisons. Its number never changes.
#[derive(Clone, Copy)]
enum Rank {
    /// It is exactly an `int`.
    Int(i64),
    /// It is exactly a `float`.
    Float(f64),
    /// It is exactly a `tuple` that begins with such an `int`.
    FirstInt(i64),
    /// It is anything else.
    Unknown,
}

impl Ranked {
    /// The object with its number.
    #[inline]
    pub fn new(object: Object) -> Self {
        Self {
            rank: Rank::of(&object),
            object,
        }
    }

    /// `self < other`, or `None` if that might run code of the program, or raises.
    #[inline]
    pub fn is_less(&self, other: &Self) -> Option<bool> {
        match (self.rank, other.rank) {
            (Rank::Int(one), Rank::Int(other)) => Some(one < other),
            (Rank::Float(one), Rank::Float(other)) => Some(one < other),
            (Rank::FirstInt(one), Rank::FirstInt(other)) if one != other => Some(one < other),
            _ => Some(order(&self.object, &other.object, DEEPEST)? == Order::Less),
        }
    }

    /// The object.
    #[inline]
    pub const fn object(&self) -> &Object {
        &self.object
    }

    /// The reference to it.
    #[inline]
    pub fn into_object(self) -> Object {
        self.object
    }
}

impl Rank {
    #[inline]
    fn of(object: &Object) -> Self {
        if let Some(number) = object.exact_int() {
            return Self::Int(number);
        }
        if let Some(number) = object.exact_float() {
            return Self::Float(number);
        }
        if !object.is_plain_tuple() {
            return Self::Unknown;
        }
        let first = object.tuple_items().and_then(<[Object]>::first);
        match first.and_then(Object::exact_int) {
            Some(number) => Self::FirstInt(number),
            None => Self::Unknown,
        }
    }
}

/// Objects of one kind compare without code of the program. A `str` and a `bytes` do not, which may
/// warn.
#[derive(PartialEq, Eq)]
enum Scalar {
    Number,
    Text,
    Bytes,
}

impl Scalar {
    /// Of which kind an object is exactly.
    fn of(object: &Object) -> Option<Self> {
        let object = object.as_ptr();
        // SAFETY: a valid object.
        unsafe {
            if ffi::PyLong_CheckExact(object) != 0 || ffi::PyFloat_CheckExact(object) != 0 {
                Some(Self::Number)
            } else if ffi::PyUnicode_CheckExact(object) != 0 {
                Some(Self::Text)
            } else if ffi::PyBytes_CheckExact(object) != 0 {
                Some(Self::Bytes)
            } else {
                None
            }
        }
    }
}

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
    if Scalar::of(one)? == Scalar::of(other)? {
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
