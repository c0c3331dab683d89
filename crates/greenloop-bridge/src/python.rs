//! How the bridge enters Python: each call with a guard against the end of the interpreter.
//!
//! [`thread_exit`](crate::thread_exit) explains why pyo3's methods would not do. The functions
//! belong to the stable ABI, because an extension for several versions of Python has no others.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::hint::black_box;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::ptr::{self, NonNull};

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::making::{fetch, from_result, restore};
use crate::thread_exit::guarded;

/// A function of `pyo3::ffi`, by the type of one that may unwind. The compiler knows those
/// functions by their names, so it must not see which one is called.
macro_rules! unwinding {
    ($function:path as $kind:ty) => {
        mem::transmute::<*const (), $kind>(black_box($function as *const ()))
    };
}

type Import = unsafe extern "C-unwind" fn(*const c_char) -> *mut PyObject;
type ImportCapsule = unsafe extern "C-unwind" fn(*const c_char, c_int) -> *mut c_void;
type GetAttribute = unsafe extern "C-unwind" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
type Call = unsafe extern "C-unwind" fn(*mut PyObject, ...) -> *mut PyObject;
type CallMethod = unsafe extern "C-unwind" fn(*mut PyObject, *mut PyObject, ...) -> *mut PyObject;
type IsTrue = unsafe extern "C-unwind" fn(*mut PyObject) -> c_int;
type Release = unsafe extern "C-unwind" fn(*mut PyObject);

/// A reference whose end, which may be the object's and run a destructor, is guarded too.
pub struct Owned<'py>(ManuallyDrop<Bound<'py, PyAny>>);

impl<'py> Owned<'py> {
    pub fn new(object: Bound<'py, PyAny>) -> Self {
        Self(ManuallyDrop::new(object))
    }

    pub fn into_bound(self) -> Bound<'py, PyAny> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: not used again, and not dropped.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }

    /// The result of a function that returns a new reference, or NULL with an exception set.
    ///
    /// # Safety
    /// It is one.
    unsafe fn from_result(py: Python<'py>, result: *mut PyObject) -> PyResult<Self> {
        // SAFETY: passed on from the caller.
        unsafe { from_result(py, result) }.map(Self::new)
    }
}

impl<'py> Deref for Owned<'py> {
    type Target = Bound<'py, PyAny>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        let py = self.0.py();
        // SAFETY: not used again.
        release(py, unsafe { ManuallyDrop::take(&mut self.0) }.unbind());
    }
}

/// Releases an object.
pub fn release(_py: Python<'_>, object: Py<PyAny>) {
    let object = object.into_ptr();
    // SAFETY: the type is the function's own but for the unwinding; the reference is given away.
    guarded(|| unsafe { unwinding!(ffi::Py_DecRef as Release)(object) });
}

/// Imports a module.
pub fn import<'py>(py: Python<'py>, name: &CStr) -> PyResult<Owned<'py>> {
    // SAFETY: the type is the function's own but for the unwinding.
    let module =
        guarded(|| unsafe { unwinding!(ffi::PyImport_ImportModule as Import)(name.as_ptr()) });
    // SAFETY: a new reference, or NULL with an exception set.
    unsafe { Owned::from_result(py, module) }
}

/// Imports the pointer of the capsule of this name.
pub fn import_capsule(py: Python<'_>, name: &CStr) -> PyResult<NonNull<c_void>> {
    // SAFETY: as above.
    let pointer =
        guarded(|| unsafe { unwinding!(ffi::PyCapsule_Import as ImportCapsule)(name.as_ptr(), 0) });
    NonNull::new(pointer).ok_or_else(|| fetch(py))
}

/// `object.name`
pub fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Owned<'py>> {
    let (object_pointer, name) = (object.as_ptr(), name.as_ptr());
    // SAFETY: the type is the function's own but for the unwinding, and the objects are valid.
    let value = guarded(|| unsafe {
        unwinding!(ffi::PyObject_GetAttr as GetAttribute)(object_pointer, name)
    });
    // SAFETY: a new reference, or NULL with an exception set.
    unsafe { Owned::from_result(object.py(), value) }
}

/// `callable()` or `callable(argument)`
pub fn call<'py>(
    callable: &Bound<'py, PyAny>,
    argument: Option<&Bound<'py, PyAny>>,
) -> PyResult<Owned<'py>> {
    let argument = argument.map_or(ptr::null_mut(), Bound::as_ptr);
    let end = ptr::null_mut::<PyObject>();
    // SAFETY: the type is the function's own but for the unwinding, the objects are valid, and NULL
    // ends the arguments.
    let result = guarded(|| unsafe {
        unwinding!(ffi::PyObject_CallFunctionObjArgs as Call)(callable.as_ptr(), argument, end)
    });
    // SAFETY: a new reference, or NULL with an exception set.
    unsafe { Owned::from_result(callable.py(), result) }
}

/// `object.name()` or `object.name(argument)`
pub fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    argument: Option<&Bound<'py, PyAny>>,
) -> PyResult<Owned<'py>> {
    let (object_pointer, name) = (object.as_ptr(), name.as_ptr());
    let argument = argument.map_or(ptr::null_mut(), Bound::as_ptr);
    let end = ptr::null_mut::<PyObject>();
    // SAFETY: as above.
    let result = guarded(|| unsafe {
        let function = unwinding!(ffi::PyObject_CallMethodObjArgs as CallMethod);
        function(object_pointer, name, argument, end)
    });
    // SAFETY: a new reference, or NULL with an exception set.
    unsafe { Owned::from_result(object.py(), result) }
}

/// `bool(object)`
pub fn is_true(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    // SAFETY: the type is the function's own but for the unwinding, and the object is valid.
    let truth = guarded(|| unsafe { unwinding!(ffi::PyObject_IsTrue as IsTrue)(object.as_ptr()) });
    match truth {
        -1 => Err(fetch(object.py())),
        truth => Ok(truth != 0),
    }
}

/// Reports an error that has no receiver to `sys.unraisablehook`.
pub fn write_unraisable(py: Python<'_>, error: PyErr) {
    restore(py, error);
    // SAFETY: the type is the function's own but for the unwinding; an exception is set, and no
    // object is named.
    guarded(|| unsafe { unwinding!(ffi::PyErr_WriteUnraisable as Release)(ptr::null_mut()) });
}
