//! The capacity of a queue: asyncio only requires an object that compares with numbers.
//!
//! Nearly all queues have a small int, for which the comparison is one of machine words. A float or
//! an object that compares with numbers is possible: a float is translated once, other objects are
//! compared each time.

use std::cell::Cell;

use greenloop_cpython::making::IntoObject as _;
use greenloop_cpython::{Comparison, Object, Result, Slot};

/// The object that `maxsize` is, and the limit it means.
pub struct Maxsize {
    /// The object itself is kept, because `maxsize` returns it.
    object: Slot,
    /// Always the one of `object`.
    limit: Cell<Limit>,
}

/// The limit that the object states.
#[derive(Clone, Copy)]
enum Limit {
    /// Never full.
    None,
    /// Full with so many items.
    Items(usize),
    /// It has to be asked each time.
    Asked,
}

impl Maxsize {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            object: Slot::empty(),
            limit: Cell::new(Limit::None),
        }
    }

    /// The object.
    pub const fn slot(&self) -> &Slot {
        &self.object
    }

    /// Sets the object.
    pub fn set(&self, object: Object) {
        self.limit.set(limit_of(&object));
        self.object.set(object);
    }

    /// Whether `maxsize > 0` and `items >= maxsize`.
    ///
    /// `items` counts the items, and is not called where there is no limit.
    #[inline]
    pub fn is_reached_by(&self, items: impl FnOnce() -> Result<usize>) -> Result<bool> {
        match self.limit.get() {
            Limit::None => Ok(false),
            Limit::Items(limit) => Ok(items()? >= limit),
            Limit::Asked => self.ask(|| items()?.into_object()),
        }
    }

    /// The same by the objects' own comparisons.
    ///
    /// The order of the two comparisons is asyncio's, and both may be user code.
    #[cold]
    pub fn ask(&self, items: impl FnOnce() -> Result<Object>) -> Result<bool> {
        let maxsize = self.object.get_or_none();
        let zero = 0_i32.into_object()?;
        if maxsize.compares(Comparison::LessOrEqual, &zero)? {
            return Ok(false);
        }
        items()?.compares(Comparison::GreaterOrEqual, &maxsize)
    }

    /// Drops the object.
    pub fn clear(&self) {
        self.limit.set(Limit::None);
        self.object.clear();
    }
}

/// A limit that no number of items in memory reaches is none. So is one that is not a number: no
/// comparison with it is true.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the float is a whole number below 2 ** 53"
)]
/// The number of items at which a queue is full, for the comparison that asyncio makes with the
/// object itself.
fn limit_of(object: &Object) -> Limit {
    const UNREACHABLE: f64 = 9_007_199_254_740_992.0;
    if let Some(limit) = object.exact_int() {
        return match usize::try_from(limit) {
            Ok(limit) if limit > 0 => Limit::Items(limit),
            _ => Limit::None,
        };
    }
    if let Some(limit) = object.exact_float().map(f64::ceil) {
        if limit > 0.0 && limit < UNREACHABLE {
            return Limit::Items(limit as usize);
        }
        return Limit::None;
    }
    // So is an int that fits into no machine word: its comparisons find the same.
    Limit::Asked
}
