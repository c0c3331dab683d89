//! The local variables of a frame, read so that nobody notices.
//!
//! Until 3.12 the attribute `f_locals` of a function's frame is a dictionary that the frame keeps.
//! It holds objects that the variables have let go of since, and if the program has called
//! `locals()`, it is that dictionary. So on 3.12 each variable is read by itself. 3.11 cannot do
//! that: there the dictionary is emptied again, unless the program has it as well. From 3.13 on
//! nothing is kept. The frame of a module, of a class or of code that is executed has no local
//! variables but those of its namespace, which stays as it is.

use pyo3::ffi;

use super::call::type_error;
use super::dict::Dict;
use super::error::Result;
#[cfg(all(Py_3_12, not(Py_3_13)))]
use super::error::clear;
#[cfg(not(Py_3_13))]
use super::making::interned;
use super::object::Object;

/// The local variables of a frame by their names, in a new dictionary.
///
/// Runs Python code only if the namespace of the frame is a mapping of a class of the program's.
pub fn locals_of(frame: &Object) -> Result<Object> {
    // SAFETY: a valid object.
    if unsafe { ffi::PyFrame_Check(frame.as_ptr()) } == 0 {
        return Err(type_error("locals are those of a frame"));
    }
    #[cfg(not(Py_3_13))]
    {
        // SAFETY: it is a frame, which always has code; the result is a new reference.
        let code =
            unsafe { Object::from_owned(ffi::PyFrame_GetCode(frame.as_ptr().cast()).cast()) };
        let flags = code.attribute(&interned(c"co_flags")?)?.to_int()?;
        if flags & i64::from(ffi::CO_OPTIMIZED) != 0 {
            return variables_of(frame, &code);
        }
    }
    let locals = shown_locals(frame)?;
    copied(&locals)
}

/// The attribute `f_locals` of a frame.
fn shown_locals(frame: &Object) -> Result<Object> {
    // SAFETY: it is a frame; the result is a new reference, or NULL with an exception set.
    unsafe { Object::from_returned(ffi::PyFrame_GetLocals(frame.as_ptr().cast())) }
}

fn copied(mapping: &Object) -> Result<Object> {
    let copy = Dict::new()?;
    copy.update(mapping)?;
    Ok(copy.into_object())
}

/// The variables of a function's frame that have a value.
#[cfg(all(Py_3_12, not(Py_3_13)))]
fn variables_of(frame: &Object, code: &Object) -> Result<Object> {
    let variables = Dict::new()?;
    for names in [c"co_varnames", c"co_cellvars", c"co_freevars"] {
        let names = code.attribute(&interned(names)?)?;
        for name in names.tuple_items().unwrap_or_default() {
            // SAFETY: a frame and a string; the result is a new reference, or NULL with an
            // exception set.
            let value = unsafe {
                Object::from_returned(ffi::PyFrame_GetVar(frame.as_ptr().cast(), name.as_ptr()))
            };
            match value {
                Ok(value) => variables.set(name, &value)?,
                // It has no value now.
                Err(raised) => clear(raised),
            }
        }
    }
    Ok(variables.into_object())
}

/// The variables of a function's frame that have a value.
#[cfg(not(Py_3_12))]
fn variables_of(frame: &Object, _: &Object) -> Result<Object> {
    let locals = shown_locals(frame)?;
    let copy = copied(&locals)?;
    // SAFETY: what optimised code shows is a dictionary, which the frame refers to as well. Between
    // the count and the end no code runs that could ask for it: the copy keeps what it holds.
    unsafe {
        if ffi::Py_REFCNT(locals.as_ptr()) == 2 {
            ffi::PyDict_Clear(locals.as_ptr());
        }
    }
    Ok(copy)
}
