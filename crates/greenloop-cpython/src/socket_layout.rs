//! The struct of `socket.socket`: the one place that knows how it is laid out.
//!
//! A socket's state is read each time, because it may be closed or change its mode at any time. It
//! is not read through its methods, since that would cost more than all the rest. The beginning of
//! its C struct has been the same since Python 3.7. That is verified once, at import, on sockets
//! whose numbers and modes are known; if it does not hold, no object is found to be a socket here.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;

use super::attached::attached;
use super::error::fetch;
use super::making::{self, ByName as _};
use super::native::{Class, Layout, Native, NativeSlot};
use super::object::Object;

/// The beginning of the C struct of `_socket.socket`.
#[repr(C)]
pub struct SocketObject {
    header: ffi::PyObject,
    /// -1 once it is closed or detached.
    descriptor: Cell<c_int>,
    family: Cell<c_int>,
    kind: Cell<c_int>,
    protocol: Cell<c_int>,
    error_handler: Cell<*mut c_void>,
    /// In nanoseconds; 0 if the socket does not block, negative if it waits for ever.
    timeout: Cell<i64>,
}

// SAFETY: `look` compares what it finds there with what sockets say of themselves, and fills the
// class only if it fits.
unsafe impl Layout for SocketObject {
    const OFFSET: usize = 0;
}

/// A socket of the standard class.
pub type Socket = Native<SocketObject>;

/// `socket.socket`, once it is known how its instances are laid out.
static CLASS: Class<SocketObject> = Class::new();

/// Whether that was found out, in either way. It is not if there was no descriptor for a socket.
struct Looked(Cell<bool>);

// SAFETY: touched with the GIL held only, as everything of this crate.
unsafe impl Sync for Looked {}

static LOOKED: Looked = Looked(Cell::new(false));

impl SocketObject {
    /// The descriptor, or -1 if the socket is closed or detached, which every system call refuses.
    #[inline]
    pub fn descriptor(&self) -> c_int {
        self.descriptor.get()
    }

    /// The family, the kind and the protocol, as `socket(2)` takes them.
    #[inline]
    pub fn numbers(&self) -> [c_int; 3] {
        [self.family.get(), self.kind.get(), self.protocol.get()]
    }

    /// Whether a method of the socket may wait.
    #[inline]
    pub fn blocks(&self) -> bool {
        self.timeout.get() != 0
    }
}

impl Socket {
    /// The object, if it is exactly a `socket.socket`.
    #[inline]
    pub fn exactly(object: &Object) -> Option<&Self> {
        match CLASS.exactly(object) {
            None if !LOOKED.0.get() => look_again(object),
            found => found,
        }
    }

    /// The object, if it is a `socket.socket` or derives from it.
    #[inline]
    pub fn instance(object: &Object) -> Option<&Self> {
        CLASS.instance(object)
    }
}

impl NativeSlot<SocketObject> {
    /// The descriptor of the held socket, or -1 if it is closed or there is none.
    #[inline]
    pub fn descriptor(&self) -> c_int {
        self.look(SocketObject::descriptor).unwrap_or(-1)
    }
}

/// Whether the layout was found to fit.
pub fn is_known() -> bool {
    !CLASS.as_ptr().is_null()
}

#[cold]
fn look_again(object: &Object) -> Option<&Socket> {
    look(attached());
    CLASS.exactly(object)
}

/// Finds out whether the layout fits. If there is no answer, for want of descriptors, the first use
/// tries again.
pub fn look(py: Python<'_>) {
    if LOOKED.0.get() {
        return;
    }
    match fits(py) {
        Ok(class) => {
            LOOKED.0.set(true);
            if let Some(class) = class {
                CLASS.fill(class);
            }
        }
        Err(error) => drop(fetch(error.into())),
    }
}

/// The class, if the layout fits two sockets of two kinds, in each of three modes.
fn fits(py: Python<'_>) -> PyResult<Option<Object>> {
    let module = making::import(py, c"socket")?;
    let class = module.look_up(c"socket")?;
    // SAFETY: it is a class.
    let size = unsafe { (*class.as_ptr().cast::<ffi::PyTypeObject>()).tp_basicsize };
    if (size as usize) < size_of::<SocketObject>() {
        return Ok(None);
    }
    // The Python class turns the numbers into enumerations.
    let base = making::import(py, c"_socket")?.look_up(c"socket")?;
    for kind in [("AF_INET", "SOCK_STREAM"), ("AF_UNIX", "SOCK_DGRAM")] {
        let socket = class.invoke((module.look_up(kind.0)?, module.look_up(kind.1)?))?;
        let number = |name: &str| -> PyResult<c_int> {
            base.look_up(name)?
                .invoke_method(c"__get__", (&socket,))?
                .extract()
        };
        let numbers = [number("family")?, number("type")?, number("proto")?];
        let descriptor: c_int = socket.invoke_method(c"fileno", ())?.extract()?;
        // SAFETY: the object is large enough, and any bytes make valid numbers.
        let fields = unsafe { &*socket.as_ptr().cast::<SocketObject>() };
        for (timeout, nanoseconds) in [
            (Some(1.5), 1_500_000_000..=1_500_000_000),
            (None, i64::MIN..=-1),
            (Some(0.0), 0..=0),
        ] {
            let timeout = timeout.map_or_else(|| Ok(Object::none()), Object::float)?;
            socket.invoke_method(c"settimeout", (timeout,))?;
            if fields.descriptor() != descriptor
                || fields.numbers() != numbers
                || !nanoseconds.contains(&fields.timeout.get())
            {
                return Ok(None);
            }
        }
        socket.invoke_method(c"close", ())?;
        if fields.descriptor() != -1 {
            return Ok(None);
        }
    }
    Ok(Some(class.into()))
}
