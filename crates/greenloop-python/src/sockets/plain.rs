//! The sockets that native code may use by their descriptors: those of exactly the standard class,
//! in non-blocking mode.
//!
//! A socket's state is read each time, because it may be closed or change its mode at any time. It
//! is not read through its methods, since that would cost more than all the rest. The beginning of
//! its C struct has been the same since Python 3.7. That is verified once, on sockets whose numbers
//! and modes are known; if it does not hold, every socket is used through its methods.

use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;
use std::sync::OnceLock;

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Object, attached, fetch};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::asyncio::globals;

/// The beginning of the C struct of `_socket.socket`.
#[repr(C)]
struct SocketObject {
    header: ffi::PyObject,
    /// -1 once it is closed or detached.
    descriptor: c_int,
    family: c_int,
    kind: c_int,
    protocol: c_int,
    error_handler: *mut c_void,
    /// In nanoseconds; 0 if the socket does not block, negative if it waits for ever.
    timeout: i64,
}

/// The present state of a plain socket.
#[derive(Clone, Copy)]
pub struct Plain {
    /// -1 once it is closed or detached, which every system call refuses.
    pub descriptor: RawFd,
    pub family: c_int,
    pub kind: c_int,
    pub protocol: c_int,
}

/// A socket of exactly the standard class that does not block.
#[inline]
pub fn plain(socket: &Object) -> Option<Plain> {
    if !socket.is_exactly(globals().asyncio.socket.as_ptr().cast()) || !is_known() {
        return None;
    }
    // SAFETY: the object is laid out like this, which was looked at.
    let fields = unsafe { &*socket.as_ptr().cast::<SocketObject>() };
    (fields.timeout == 0).then(|| fields.known())
}

impl Plain {
    /// The present state of a socket that was plain when a wait for it began.
    pub fn now(socket: &Object) -> Self {
        let class = globals().asyncio.socket.as_ptr().cast();
        // SAFETY: both are valid; an instance of a subclass begins as one of the class does.
        let fields = unsafe {
            (ffi::PyObject_TypeCheck(socket.as_ptr(), class) != 0)
                .then(|| &*socket.as_ptr().cast::<SocketObject>())
        };
        fields.map_or(
            Self {
                descriptor: -1,
                family: -1,
                kind: -1,
                protocol: -1,
            },
            SocketObject::known,
        )
    }
}

impl SocketObject {
    const fn known(&self) -> Plain {
        Plain {
            descriptor: self.descriptor,
            family: self.family,
            kind: self.kind,
            protocol: self.protocol,
        }
    }
}

#[inline]
fn is_known() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return *known;
    }
    look(&KNOWN)
}

/// If there was no answer, for want of descriptors, the next call tries again.
#[cold]
fn look(known: &OnceLock<bool>) -> bool {
    let py = attached();
    match fits(py) {
        Ok(fits) => *known.get_or_init(|| fits),
        Err(error) => {
            drop(fetch(error.into()));
            false
        }
    }
}

/// Whether the layout fits two sockets of two kinds, in each of three modes.
fn fits(py: Python<'_>) -> PyResult<bool> {
    let class = globals().asyncio.socket.bound(py);
    // SAFETY: it is a class.
    let size = unsafe { (*class.as_ptr().cast::<ffi::PyTypeObject>()).tp_basicsize };
    if (size as usize) < size_of::<SocketObject>() {
        return Ok(false);
    }
    let numbers = &globals().socket_numbers;
    let module = making::import(py, c"socket")?;
    for kind in [("AF_INET", "SOCK_STREAM"), ("AF_UNIX", "SOCK_DGRAM")] {
        let socket = class.invoke((module.look_up(kind.0)?, module.look_up(kind.1)?))?;
        let number = |getter: &Object| -> PyResult<c_int> {
            getter
                .bound(py)
                .invoke_method(c"__get__", (&socket,))?
                .extract()
        };
        let expected = [
            socket.invoke_method(c"fileno", ())?.extract()?,
            number(&numbers.family)?,
            number(&numbers.kind)?,
            number(&numbers.protocol)?,
        ];
        for (timeout, nanoseconds) in [
            (Some(1.5), 1_500_000_000..=1_500_000_000),
            (None, i64::MIN..=-1),
            (Some(0.0), 0..=0),
        ] {
            let timeout = timeout.map_or_else(|| Ok(Object::none()), Object::float)?;
            socket.invoke_method(c"settimeout", (timeout,))?;
            // SAFETY: the object is large enough, and any bytes make valid numbers.
            let fields = unsafe { &*socket.as_ptr().cast::<SocketObject>() };
            let found = [
                fields.descriptor,
                fields.family,
                fields.kind,
                fields.protocol,
            ];
            if found != expected || !nanoseconds.contains(&fields.timeout) {
                return Ok(false);
            }
        }
        socket.invoke_method(c"close", ())?;
        // SAFETY: as above.
        if unsafe { (*socket.as_ptr().cast::<SocketObject>()).descriptor } != -1 {
            return Ok(false);
        }
    }
    Ok(true)
}
