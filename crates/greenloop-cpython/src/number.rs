//! Numbers of Python's as numbers of Rust's: values, sizes and counts.

use pyo3::ffi;

use super::error::{Raised, Result, clear, fetch, is_raised, matches};
use super::exceptions::ExceptionClass;
use super::object::Object;

impl Object {
    /// A new `int`.
    #[inline]
    pub fn int(value: i64) -> Result<Object> {
        // SAFETY: returns a new reference or NULL with an exception set.
        unsafe { Object::from_returned(ffi::PyLong_FromLongLong(value)) }
    }

    /// A new `int` for a size.
    #[inline]
    pub fn size_of(value: usize) -> Result<Object> {
        // SAFETY: as above.
        unsafe { Object::from_returned(ffi::PyLong_FromSize_t(value)) }
    }

    /// Whether it is an `int`, of a subclass too.
    #[inline]
    pub fn is_int(&self) -> bool {
        // SAFETY: a valid object.
        unsafe { ffi::PyLong_Check(self.as_ptr()) != 0 }
    }

    /// The value, if it is exactly a `float`.
    #[inline]
    pub fn exact_float(&self) -> Option<f64> {
        // SAFETY: a valid object, whose value is read if it is exactly a float.
        unsafe {
            let exact = ffi::PyFloat_CheckExact(self.as_ptr()) != 0;
            exact.then(|| ffi::PyFloat_AS_DOUBLE(self.as_ptr()))
        }
    }

    /// `float(self)`, but of a number only.
    pub fn float_value(&self) -> Result<f64> {
        // SAFETY: a valid object.
        let value = unsafe { ffi::PyFloat_AsDouble(self.as_ptr()) };
        if is_raised() { Err(Raised) } else { Ok(value) }
    }

    /// The value, if it is exactly an `int` and fits.
    #[inline]
    pub fn exact_int(&self) -> Option<i64> {
        // SAFETY: a valid object, which is asked for its value if it is exactly an int: that raises
        // nothing.
        unsafe {
            if ffi::PyLong_CheckExact(self.as_ptr()) == 0 {
                return None;
            }
            let mut overflow = 0;
            let value = ffi::PyLong_AsLongAndOverflow(self.as_ptr(), &raw mut overflow);
            (overflow == 0).then_some(value)
        }
    }

    /// The value of an `int`, or of an object that has `__index__`.
    pub fn to_int(&self) -> Result<i64> {
        // SAFETY: a valid object; -1 may be an error or itself.
        let value = unsafe { ffi::PyLong_AsLongLong(self.as_ptr()) };
        if value == -1 && is_raised() {
            return Err(Raised);
        }
        Ok(value)
    }

    /// The value of an `int` that a machine word holds. Anything else raises.
    pub fn to_isize(&self) -> Result<isize> {
        // SAFETY: a valid object; -1 may stand for an error.
        let value = unsafe { ffi::PyLong_AsSsize_t(self.as_ptr()) };
        if value == -1 && is_raised() {
            return Err(Raised);
        }
        Ok(value)
    }

    /// The value of a whole number, cut off at either end; `None` for an object that is none.
    pub fn saturating_int(&self) -> Option<i64> {
        // SAFETY: a valid object; the exception that is cleared is the one that was just set.
        unsafe {
            let number = ffi::PyNumber_Index(self.as_ptr());
            if number.is_null() {
                clear(Raised);
                return None;
            }
            let number = Object::from_owned(number);
            let mut overflow = 0;
            let value = ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &raw mut overflow);
            Some(match overflow {
                0 => value,
                1 => i64::MAX,
                _ => i64::MIN,
            })
        }
    }

    /// The value of a whole number, cut off at either end of what fits. An object that is none
    /// raises.
    #[inline]
    pub fn clipped(&self) -> Result<isize> {
        // SAFETY: the object is valid.
        let number = unsafe { ffi::PyNumber_AsSsize_t(self.as_ptr(), std::ptr::null_mut()) };
        if number == -1 && is_raised() {
            return Err(Raised);
        }
        Ok(number)
    }

    /// The value of an `int` that counts something. One below zero counts nothing; one that does
    /// not fit, and an object that is none, raises.
    #[inline]
    pub fn count(&self) -> Result<usize> {
        // SAFETY: the object is valid.
        let count = unsafe { ffi::PyLong_AsSsize_t(self.as_ptr()) };
        if count < 0 {
            if !is_raised() {
                return Ok(0);
            }
            return Err(Raised);
        }
        Ok(count as usize)
    }

    /// The value of a `float`, of a subclass too.
    pub fn as_float(&self) -> Option<f64> {
        // SAFETY: the object is valid, and asked for its value if it is a float, which cannot fail.
        unsafe {
            let is_float = ffi::PyFloat_Check(self.as_ptr()) != 0;
            is_float.then(|| ffi::PyFloat_AsDouble(self.as_ptr()))
        }
    }
}

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
