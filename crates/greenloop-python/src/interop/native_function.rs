//! Python functions whose calls are native.
//!
//! `asyncio.sleep` is a coroutine function, and programs ask for that: `inspect.iscoroutinefunction`,
//! signatures, and `unittest.mock.patch`, which puts an `AsyncMock` in place of one. A built-in
//! function cannot be marked as one. So what is offered is a Python function like asyncio's own, with
//! its code object, of which only the entry for calls is ours. The interpreter looks at that entry
//! before it enters the code, from 3.12 on; a call costs as much as one of a built-in function.

use std::ffi::c_int;
use std::mem;

use pyo3::ffi;
use pyo3::prelude::*;

use super::call::type_error;
use super::gil_cell::GilCell;
use super::making;

/// Where the calls of one function go. The built-in function is held for ever.
#[derive(Clone, Copy)]
struct Destination {
    call: ffi::PyCFunctionFastWithKeywords,
    receiver: *mut ffi::PyObject,
}

// SAFETY: `receiver` is used with the GIL held only.
unsafe impl Send for Destination {}

/// As many functions of a module can be native as there are places: asyncio has `sleep`, `wait` and
/// `wait_for`. An entry is given no data of its own, so each place has its own entry.
static DESTINATIONS: [GilCell<Option<Destination>>; 4] = [const { GilCell::new(None) }; 4];
const ENTRIES: [ffi::vectorcallfunc; 4] = [enter::<0>, enter::<1>, enter::<2>, enter::<3>];

unsafe extern "C" fn enter<const PLACE: usize>(
    _function: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    match DESTINATIONS[PLACE].with(|destination| *destination) {
        // SAFETY: the function was made for this convention, and its receiver is held.
        Some(to) => unsafe {
            (to.call)(to.receiver, values, ffi::PyVectorcall_NARGS(count), names)
        },
        None => std::ptr::null_mut(),
    }
}

/// Let calls of `function`, a Python function, go to `builtin`, a built-in one.
#[pyfunction]
#[pyo3(name = "_enter_natively")]
pub fn enter_natively(function: &Bound<'_, PyAny>, builtin: Bound<'_, PyAny>) -> PyResult<()> {
    const CONVENTION: c_int = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;
    // SAFETY: `builtin` is a valid object, and asked for what a built-in function has after the test.
    let destination = unsafe {
        if ffi::PyCFunction_CheckExact(builtin.as_ptr()) == 0
            || ffi::PyFunction_Check(function.as_ptr()) == 0
            || ffi::PyCFunction_GetFlags(builtin.as_ptr()) != CONVENTION
        {
            return Err(type_error("a function and a fast built-in one are needed").into());
        }
        let Some(call) = ffi::PyCFunction_GetFunction(builtin.as_ptr()) else {
            return Err(type_error("a built-in function without an entry").into());
        };
        Destination {
            // The flags tell the convention; C has one type for all of them.
            call: mem::transmute::<ffi::PyCFunction, ffi::PyCFunctionFastWithKeywords>(call),
            receiver: ffi::PyCFunction_GetSelf(builtin.as_ptr()),
        }
    };
    let free = DESTINATIONS
        .iter()
        .position(|place| place.with(|destination| destination.is_none()));
    let Some(place) = free else {
        return Err(making::runtime_error("too many native functions").into());
    };
    DESTINATIONS[place].with(|there| *there = Some(destination));
    mem::forget(builtin);
    // SAFETY: tested above to be a Python function.
    unsafe { PyFunction_SetVectorcall(function.as_ptr(), ENTRIES[place]) };
    Ok(())
}

unsafe extern "C" {
    // Missing from `pyo3::ffi`.
    fn PyFunction_SetVectorcall(function: *mut ffi::PyObject, entry: ffi::vectorcallfunc);
}
