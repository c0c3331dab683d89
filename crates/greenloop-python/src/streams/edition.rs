//! The differences between the running asyncio's streams and those of other releases.
//!
//! Some differences came with a version of Python and are known at compile time. Others came with a
//! bug fix within a version, so they are read off asyncio's own functions, once.

use greenloop_cpython::attached;
use std::sync::OnceLock;

use greenloop_cpython::making::ByName as _;
use pyo3::prelude::*;
use pyo3::types::{PyCode, PyTuple};

use crate::asyncio::globals;

/// The differences.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one bug fix or feature, and any can come without the others"
)]
pub struct Edition {
    /// A plain `client_connected_cb` that raises is reported and its connection closed.
    pub guards_callback: bool,
    /// A task of `client_connected_cb` that was cancelled is no error.
    pub expects_cancellation: bool,
    /// A protocol keeps the writer it made.
    pub keeps_writer: bool,
    /// `start_tls` gives the reader the new transport.
    pub replaces_reader_transport: bool,
    /// A writer that is dropped without being closed closes its transport and warns.
    pub writer_warns: bool,
    /// `readuntil` takes a tuple of separators.
    pub several_separators: bool,
}

static EDITION: OnceLock<Edition> = OnceLock::new();

/// The running asyncio's.
#[inline]
pub fn edition() -> Edition {
    *EDITION.get_or_init(|| {
        let py = attached();
        read(py).unwrap_or(Edition {
            guards_callback: false,
            expects_cancellation: true,
            keeps_writer: !cfg!(Py_3_13),
            replaces_reader_transport: cfg!(Py_3_14),
            writer_warns: true,
            several_separators: cfg!(Py_3_13),
        })
    })
}

/// Reads the edition off asyncio's classes: their methods, and the names that these use.
fn read(py: Python<'_>) -> PyResult<Edition> {
    let asyncio = &globals().asyncio;
    let reader = asyncio.stream_reader.bound(py);
    let protocol = asyncio.stream_reader_protocol.bound(py);
    let writer = asyncio.stream_writer.bound(py);
    let connection_made = protocol.look_up(c"connection_made")?.look_up(c"__code__")?;
    let constants = connection_made
        .look_up(c"co_consts")?
        .cast_into::<PyTuple>()?;
    let callback = constants
        .iter()
        .find(PyAnyMethods::is_instance_of::<PyCode>);
    let readuntil = reader.look_up(c"readuntil")?.look_up(c"__code__")?;
    let expects_cancellation = match callback {
        Some(callback) => callback.look_up(c"co_names")?.has("cancelled")?,
        None => true,
    };
    Ok(Edition {
        guards_callback: constants.has("Unhandled exception in client_connected_cb")?,
        expects_cancellation,
        keeps_writer: protocol.look_up_optional("_replace_writer")?.is_some(),
        replaces_reader_transport: reader.look_up_optional("_replace_transport")?.is_some(),
        writer_warns: writer.look_up_optional("__del__")?.is_some(),
        several_separators: readuntil.look_up(c"co_names")?.has("tuple")?,
    })
}
