//! `Marks`: the two water marks of one direction of a connection.

use std::cell::Cell;

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Object, Result, Slot, attached, saturating_float};
use pyo3::prelude::*;

/// Two water marks in bytes: any numbers, given back as they were given.
pub struct Marks {
    /// From this count of bytes on a side is paused.
    pub high: Cell<usize>,
    /// At this count it resumes.
    pub low: Cell<usize>,
    given_high: Slot,
    given_low: Slot,
}

impl Marks {
    /// No marks yet.
    pub const fn new() -> Self {
        Self {
            high: Cell::new(0),
            low: Cell::new(0),
            given_high: Slot::empty(),
            given_low: Slot::empty(),
        }
    }

    /// The defaults: from so many KiB down to a quarter.
    pub fn set_default(&self, kilobytes: usize) {
        self.high.set(kilobytes * 1024);
        self.low.set(kilobytes * 1024 / 4);
        self.given_high.clear();
        self.given_low.clear();
    }

    /// Sets the marks that asyncio's function makes of two arguments, either of which may be None.
    pub fn set(&self, high: &Object, low: &Object, kilobytes: &Object) -> Result<()> {
        let py = attached();
        let complete =
            making::import(py, c"asyncio.sslproto")?.look_up(c"add_flowcontrol_defaults")?;
        let marks = Object::from(complete).call([high, low, kilobytes])?;
        let (high, low) = marks
            .bound(py)
            .extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        self.high.set(bytes_of(&high, f64::ceil)?);
        self.low.set(bytes_of(&low, f64::floor)?);
        self.given_high.set(high.into());
        self.given_low.set(low.into());
        Ok(())
    }

    /// The mark from which on a side is paused, as it was given.
    pub fn high(&self) -> Result<Object> {
        self.given_high
            .get()
            .map_or_else(|| Object::size_of(self.high.get()), Ok)
    }

    /// The mark at which it resumes, as it was given.
    pub fn low(&self) -> Result<Object> {
        self.given_low
            .get()
            .map_or_else(|| Object::size_of(self.low.get()), Ok)
    }

    /// What a garbage collector has to see.
    pub const fn slots(&self) -> [&Slot; 2] {
        [&self.given_high, &self.given_low]
    }
}

/// A mark as a count of bytes, rounded so that it compares with a count as the number does.
fn bytes_of(number: &Bound<'_, PyAny>, round: fn(f64) -> f64) -> Result<usize> {
    if let Ok(bytes) = number.extract::<usize>() {
        return Ok(bytes);
    }
    // Not an int, or too large a one: a float saturates.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was rounded, is not negative, and a cast saturates"
    )]
    let bytes = round(saturating_float(&number.clone().into())?) as usize;
    Ok(bytes)
}
