//! Finding Greenloop.

use pyo3::exceptions::{PyImportError, PyMemoryError};
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::abi::{CAPSULE, Table, VERSION};
use crate::{attached, making, python};

static TABLE: PyOnceLock<&'static Table> = PyOnceLock::new();

/// Greenloop's functions, looked for at the first call.
///
/// Raises `ImportError` if Greenloop is not installed, or is one that speaks another version.
#[inline]
pub fn table(py: Python<'_>) -> PyResult<&'static Table> {
    match TABLE.get(py) {
        Some(table) => Ok(table),
        None => import(py),
    }
}

/// The table, where an awaitable was made before, which needed it.
#[inline]
pub fn known(py: Python<'_>) -> Option<&'static Table> {
    TABLE.get(py).copied()
}

#[cold]
fn import(py: Python<'_>) -> PyResult<&'static Table> {
    let refused = |text: &str, cause: Option<PyErr>| match cause {
        Some(cause) if cause.is_instance_of::<PyMemoryError>(py) => cause,
        cause => {
            let error = making::exception::<PyImportError>(py, text);
            error.set_cause(py, cause);
            error
        }
    };
    // The package's errors say more clearly than its extension's where it does not run.
    if let Err(error) = python::import(py, c"greenloop") {
        return Err(refused(
            "a Rust future needs the package greenloop, which cannot be imported",
            Some(error),
        ));
    }
    let pointer = python::import_capsule(py, CAPSULE).map_err(|error| {
        let text = "the installed greenloop is too old for Rust futures: it has no bridge";
        refused(text, Some(error))
    })?;
    // SAFETY: a capsule of this name holds a table that lives for ever. Version and size come first
    // in every version, and nothing else is read of one that is not ours.
    let table = unsafe { pointer.cast::<Table>().as_ref() };
    if table.version != VERSION || (table.size as usize) < size_of::<Table>() {
        return Err(refused(
            &format!(
                "this extension speaks version {VERSION} of greenloop's bridge, and the installed \
                 greenloop version {}: update the older of the two",
                table.version
            ),
            None,
        ));
    }
    // pyo3 looks at this class whenever an exception is fetched.
    making::prepare_class::<PanicException>(py)?;
    attached::prepare(py)?;
    // Not around the import: a thread that is held in there would have all others wait for it.
    Ok(TABLE.get_or_init(py, || table))
}
