//! Numbers of any kind as floats.

use pyo3::ffi;

use super::error::{Raised, Result, fetch, matches};
use super::exceptions::ExceptionClass;
use super::object::Object;

/// The value of a number. An int that is too large for a float is infinite: it is larger than any
/// number it is compared with, or smaller if it is negative.
pub fn saturating_float(number: &Object) -> Result<f64> {
    // SAFETY: `number` is a valid object.
    let value = unsafe { ffi::PyFloat_AsDouble(number.as_ptr()) };
    #[expect(
        clippy::float_cmp,
        reason = "exactly this number may stand for an error"
    )]
    let suspicious = value == -1.0;
    // SAFETY: may be asked at any time while the GIL is held.
    if suspicious && !unsafe { ffi::PyErr_Occurred() }.is_null() {
        return infinity(number);
    }
    Ok(value)
}

/// The infinity for a number that could not be converted, if it is an int.
#[cold]
fn infinity(number: &Object) -> Result<f64> {
    // SAFETY: the object and the exception's class are valid; an int is asked for its sign.
    unsafe {
        if ffi::PyLong_Check(number.as_ptr()) == 0 || !matches(ExceptionClass::OverflowError) {
            return Err(Raised);
        }
        drop(fetch(Raised));
        let mut overflow = 0;
        ffi::PyLong_AsLongAndOverflow(number.as_ptr(), &raw mut overflow);
        Ok(f64::INFINITY.copysign(f64::from(overflow)))
    }
}
