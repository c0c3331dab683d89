//! `Direction`: the flow control of one direction of a connection.
//!
//! The core's `FlowControl` decides; here are its water marks as the program gave them, any
//! numbers, which are given back to it.

use std::cell::Cell;

use greenloop_core::{FlowControl, Transition};
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Object, Result, Slot, attached, saturating_float};
use pyo3::prelude::*;

/// The flow of one direction, and its two water marks as they were given.
pub struct Direction {
    /// Its marks are in bytes: from the high one on the side is paused, at the low one it resumes.
    flow: Cell<FlowControl>,
    /// Empty if the mark is a default.
    given_high: Slot,
    given_low: Slot,
}

impl Direction {
    /// One that flows, without marks yet.
    pub const fn new() -> Self {
        let mut flow = FlowControl::new();
        flow.set_high(0);
        flow.set_low(0);
        Self {
            flow: Cell::new(flow),
            given_high: Slot::empty(),
            given_low: Slot::empty(),
        }
    }

    /// Sets the default marks: from so many KiB down to a quarter.
    pub fn set_default(&self, kilobytes: usize) {
        let high = kilobytes * 1024;
        self.change(|flow| flow.set_high(high));
        self.change(|flow| flow.set_low(FlowControl::default_low(high)));
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
        let bytes = bytes_of(&high, f64::ceil)?;
        self.change(|flow| flow.set_high(bytes));
        let bytes = bytes_of(&low, f64::floor)?;
        self.change(|flow| flow.set_low(bytes));
        self.given_high.set(high.into());
        self.given_low.set(low.into());
        Ok(())
    }

    /// So many bytes wait now: whether the side has to be paused or resumed.
    #[inline]
    pub fn control(&self, waiting: usize) -> Option<Transition> {
        self.change(|flow| flow.control(waiting))
    }

    /// Whether the side was paused and not yet resumed.
    #[inline]
    pub fn is_paused(&self) -> bool {
        self.flow.get().is_paused()
    }

    /// Changes the flow control, which runs no Python code.
    #[inline]
    fn change<R>(&self, change: impl FnOnce(&mut FlowControl) -> R) -> R {
        let mut flow = self.flow.get();
        let result = change(&mut flow);
        self.flow.set(flow);
        result
    }

    /// The mark from which on a side is paused, as it was given.
    pub fn high(&self) -> Result<Object> {
        self.given_high
            .get()
            .map_or_else(|| Object::size_of(self.flow.get().high()), Ok)
    }

    /// The mark at which it resumes, as it was given.
    pub fn low(&self) -> Result<Object> {
        self.given_low
            .get()
            .map_or_else(|| Object::size_of(self.flow.get().low()), Ok)
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
