//! Addresses of sockets as Python writes them (the `socket` module's "socket families").

use greenloop_os::listener::{Peer, host_of};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::interop::{Object, Result};

/// The address of a peer.
pub fn to_python(peer: &Peer) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    Ok(match peer {
        Peer::V4(address) => {
            let both = (address.ip().to_string(), address.port()).into_pyobject(py)?;
            both.into_any().into()
        }
        Peer::V6(address) => {
            let (host, port) = (host_of(address.ip()), address.port());
            let all = (host, port, address.flowinfo(), address.scope_id()).into_pyobject(py)?;
            all.into_any().into()
        }
        // SAFETY: the bytes are valid for their length; the result is a new reference or NULL with an
        // exception set.
        Peer::Path(path) => unsafe {
            Object::from_returned(ffi::PyUnicode_DecodeFSDefaultAndSize(
                path.as_ptr().cast(),
                path.len() as ffi::Py_ssize_t,
            ))?
        },
        Peer::Abstract(name) => PyBytes::new(py, name).into_any().into(),
    })
}
