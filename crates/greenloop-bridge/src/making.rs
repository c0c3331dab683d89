//! New Python objects and exceptions that raise `MemoryError` where pyo3's own constructors panic.
//!
//! `intern!` and every `PyRuntimeError::new_err` panic if the interpreter has no memory left.
//! Greenloop calls this crate through C functions, and a panic out of one ends the process. So this
//! is the only file of the crate that makes objects of Rust values: its `clippy.toml` forbids those
//! constructors, and `tests/surface/test_memory_rules.py` forbids what clippy cannot see.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pyo3::BoundObject;
use pyo3::PyTypeInfo;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

/// A name that becomes a `str` when it is first needed.
pub struct Name {
    text: &'static CStr,
    made: PyOnceLock<Py<PyString>>,
}

impl Name {
    pub const fn new(text: &'static CStr) -> Self {
        Self {
            text,
            made: PyOnceLock::new(),
        }
    }

    /// The `str`.
    #[inline]
    pub fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyString>> {
        let made = self.made.get_or_try_init(py, || {
            // SAFETY: the text ends with a NUL; returns a new `str`, or NULL with an exception set.
            unsafe {
                let made = from_result(py, ffi::PyUnicode_InternFromString(self.text.as_ptr()))?;
                Ok::<_, PyErr>(made.cast_into_unchecked().unbind())
            }
        })?;
        Ok(made.bind(py))
    }
}

/// Makes a class of pyo3's or of this crate unless it is made: pyo3 does that when the class is
/// first asked for, and panics if it cannot.
pub fn prepare_class<T: PyTypeInfo>(py: Python<'_>) -> PyResult<()> {
    let class = catch_unwind(AssertUnwindSafe(|| T::type_object_raw(py)));
    class.map(drop).map_err(|_| no_memory(py))
}

/// The result of a function that returns a new reference, or NULL with an exception set.
///
/// # Safety
/// It is one.
#[inline]
pub unsafe fn from_result(py: Python<'_>, result: *mut PyObject) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: passed on from the caller.
    unsafe { Bound::from_owned_ptr_or_opt(py, result) }.ok_or_else(|| fetch(py))
}

/// Takes the exception that is set. Without memory the interpreter loses some, which are
/// `MemoryError`s then.
#[cold]
pub fn fetch(py: Python<'_>) -> PyErr {
    PyErr::take(py).unwrap_or_else(|| no_memory(py))
}

/// A `MemoryError`, which is always possible: the interpreter keeps some for this.
#[cold]
fn no_memory(py: Python<'_>) -> PyErr {
    loop {
        // SAFETY: the GIL is held.
        unsafe { ffi::PyErr_NoMemory() };
        if let Some(error) = PyErr::take(py) {
            return error;
        }
    }
}

/// Sets an exception. One that pyo3 has not made yet, such as another crate's
/// `PyValueError::new_err`, is made only now.
#[expect(clippy::disallowed_methods, reason = "this is what is called instead")]
pub fn restore(py: Python<'_>, error: PyErr) {
    if catch_unwind(AssertUnwindSafe(|| error.restore(py))).is_err() {
        // SAFETY: the GIL is held.
        unsafe { ffi::PyErr_NoMemory() };
    }
}

/// The object that a future's result is, by pyo3's conversions or another crate's.
///
/// Those of pyo3 panic without memory, with this text after they have reported the `MemoryError`.
pub fn converted<T>(py: Python<'_>, value: T) -> PyResult<Py<PyAny>>
where
    T: for<'any> IntoPyObject<'any>,
{
    let convert = || {
        let object = value.into_pyobject(py).map_err(Into::into)?;
        Ok(object.into_any().into_bound().unbind())
    };
    catch_unwind(AssertUnwindSafe(convert)).unwrap_or_else(|panic| {
        match panic.downcast_ref::<&str>() {
            Some(&"PyObject pointer is null") => Err(no_memory(py)),
            _ => resume_unwind(panic),
        }
    })
}

/// A new exception of a class, with a text.
#[cold]
pub fn exception<E: PyTypeInfo>(py: Python<'_>, text: &str) -> PyErr {
    let make = || {
        #[expect(
            clippy::cast_possible_wrap,
            reason = "nothing in Rust is larger than isize::MAX"
        )]
        let size = text.len() as ffi::Py_ssize_t;
        // SAFETY: the text is valid for the call, which returns a new reference or NULL with an
        // exception set, as does a call of a class with one argument and the NULL that ends the
        // arguments.
        unsafe {
            let text = ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), size);
            let text = from_result(py, text)?;
            let end = std::ptr::null_mut::<PyObject>();
            let class = py.get_type::<E>();
            from_result(
                py,
                ffi::PyObject_CallFunctionObjArgs(class.as_ptr(), text.as_ptr(), end),
            )
        }
    };
    make().map_or_else(|error| error, PyErr::from_value)
}
