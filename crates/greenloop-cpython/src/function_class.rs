//! A subclass of `function` whose instances have their native entry called: at all on CPython 3.11,
//! and sooner from 3.13 on.
//!
//! 3.11 enters an exact Python function at its code and never looks at its entry for calls; for any
//! other object it does. From 3.13 on a call of any object but an exact Python function has a
//! specialised instruction, while for an exact one each call checks anew what it is. So a function
//! with a native entry becomes an instance of this class, which adds nothing: it is a
//! `types.FunctionType` to `isinstance`, and is bound as one.

use std::ptr;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;

use super::attached::attached;
use super::call::type_error;
use super::error::Raised;
use super::making::ByName as _;
use super::method::{Anything, Method, noargs};
use super::native::Native;
use super::object::Object;

/// The class, which lives as long as the process.
struct FunctionClass(*mut ffi::PyTypeObject);

// SAFETY: the class is used with the GIL held only.
unsafe impl Send for FunctionClass {}
// SAFETY: as above.
unsafe impl Sync for FunctionClass {}

static CLASS: OnceLock<FunctionClass> = OnceLock::new();

/// Sets where calls of `function` enter.
///
/// # Safety
/// It is an exact Python function, and the entry has all that it needs.
pub unsafe fn set_entry(function: &Bound<'_, PyAny>, entry: ffi::vectorcallfunc) -> PyResult<()> {
    let class = class()?;
    // SAFETY: `function` is an exact Python function, as the caller promises. Its class says where
    // its entry stands; the new class has the same layout, and is static as the old one is, so
    // that neither is counted by its instances.
    unsafe {
        let offset = ffi::PyFunction_Type.tp_vectorcall_offset;
        let place = function.as_ptr().byte_offset(offset);
        place.cast::<ffi::vectorcallfunc>().write(entry);
        (*function.as_ptr()).ob_type = class;
    }
    Ok(())
}

fn class() -> PyResult<*mut ffi::PyTypeObject> {
    if let Some(class) = CLASS.get() {
        return Ok(class.0);
    }
    let class = make_class()?;
    Ok(CLASS.get_or_init(|| FunctionClass(class)).0)
}

/// A static class, since `function` cannot be inherited from by a class that is made of a
/// specification.
fn make_class() -> PyResult<*mut ffi::PyTypeObject> {
    let methods = vec![
        Method::into_definition(noargs(
            c"__reduce__",
            reduce,
            c"Return the name by which pickle and copy find the function.",
        )),
        ffi::PyMethodDef::zeroed(),
    ];
    // SAFETY: all zeroes is a class with nothing but what its base has, and `PyType_Ready`
    // completes it. It is leaked, as are its methods.
    unsafe {
        let class = Box::leak(Box::<ffi::PyTypeObject>::new(std::mem::zeroed()));
        ffi::Py_INCREF(ptr::from_mut(class).cast());
        class.tp_name = c"function".as_ptr();
        class.tp_base = &raw mut ffi::PyFunction_Type;
        class.tp_basicsize = ffi::PyFunction_Type.tp_basicsize;
        class.tp_flags = ffi::Py_TPFLAGS_DEFAULT
            | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR
            | ffi::Py_TPFLAGS_HAVE_VECTORCALL;
        class.tp_methods = methods.leak().as_mut_ptr();
        if ffi::PyType_Ready(class) < 0 {
            return Err(Raised.into());
        }
        // A class without documentation has None, which would hide that of the functions.
        if ffi::PyDict_DelItemString(class.tp_dict, c"__doc__".as_ptr()) < 0 {
            return Err(Raised.into());
        }
        ffi::PyType_Modified(class);
        if class.tp_vectorcall_offset != ffi::PyFunction_Type.tp_vectorcall_offset {
            return Err(type_error("functions have an unknown layout").into());
        }
        Ok(class)
    }
}

/// `pickle` and `copy` know exact functions by their class; others they ask.
fn reduce(this: &Native<Anything>) -> super::error::Result<Object> {
    Ok(this.bound(attached()).look_up("__qualname__")?.into())
}
