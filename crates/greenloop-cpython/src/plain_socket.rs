//! Making and closing sockets of the standard class without running their Python code.
//!
//! `socket.socket` is a Python class on top of the C class `_socket.socket`, with two attributes
//! for state that the C class does not keep. The code here follows its methods line by line.

use std::ffi::c_int;
use std::os::fd::{AsRawFd as _, IntoRawFd as _, OwnedFd};
use std::sync::OnceLock;

use greenloop_os::listener::NON_BLOCKING;
use pyo3::ffi;
use pyo3::prelude::*;

use super::error::{Raised, Result, raise};
use super::exceptions::ExceptionClass;
use super::making::{self, ByName as _, IntoObject as _};
use super::names::names;
use super::object::Object;
use super::operators::Comparison;
use super::socket_layout::Socket;

/// The needed parts of the two classes, looked up once.
pub struct PlainSockets {
    /// `socket.socket`
    class: Object,
    /// `_socket.socket`, whose `__init__` `socket.socket` calls first.
    base: Object,
    /// Its `close`, which closes the descriptor even if the socket has other users.
    close: Object,
    io_refs: Object,
    closed: Object,
    zero: Object,
}

// SAFETY: written once at import, and the objects are touched with the GIL held only.
unsafe impl Send for PlainSockets {}
// SAFETY: as above.
unsafe impl Sync for PlainSockets {}

static PLAIN_SOCKETS: OnceLock<PlainSockets> = OnceLock::new();

/// The objects that `initialise` looked up.
///
/// # Panics
/// Before `initialise`, which module import runs before any socket can be here.
pub fn plain_sockets() -> &'static PlainSockets {
    PLAIN_SOCKETS
        .get()
        .expect("the module's import fills this before anything else can run")
}

/// Looks up the needed objects. Called once, by the module's import.
pub fn initialise(py: Python<'_>) -> PyResult<()> {
    let base = making::import(py, c"_socket")?.look_up(c"socket")?;
    let found = PlainSockets {
        class: making::import(py, c"socket")?.look_up(c"socket")?.into(),
        close: base.look_up(c"close")?.into(),
        base: base.into(),
        io_refs: making::interned(c"_io_refs")?,
        closed: making::interned(c"_closed")?,
        zero: 0_i32.into_object()?,
    };
    // A second import of the module finds it looked up.
    let _ = PLAIN_SOCKETS.set(found);
    Ok(())
}

impl PlainSockets {
    /// `socket.close()` of a plain socket: at once, unless files made of it are still open.
    pub fn close(&self, socket: &Socket) -> Result<()> {
        socket.set_attribute(&self.closed, &Object::boolean(true))?;
        let files = socket.attribute(&self.io_refs)?;
        if files.compares(Comparison::Greater, &self.zero)? {
            return Ok(());
        }
        self.close.call([socket]).map(drop)
    }

    /// A socket of a family, a kind and a protocol for a descriptor that does not block.
    pub fn make(&self, numbers: [c_int; 3], descriptor: OwnedFd) -> Result<Object> {
        let [family, kind, protocol] = numbers;
        let number = descriptor.as_raw_fd();
        // The flag in the kind says that the descriptor does not block, so it need not be made so.
        let kind = kind | NON_BLOCKING;
        let arguments = Object::tuple_of([
            family.into_object()?,
            kind.into_object()?,
            protocol.into_object()?,
            number.into_object()?,
        ])?;
        // SAFETY: the classes are valid, and sockets can be made and initialised like this.
        let socket = unsafe {
            let class: *mut ffi::PyTypeObject = self.class.as_ptr().cast();
            let base: *mut ffi::PyTypeObject = self.base.as_ptr().cast();
            let (Some(new), Some(initialise)) = ((*base).tp_new, (*base).tp_init) else {
                let class = ExceptionClass::RuntimeError;
                return Err(raise(class, c"sockets cannot be made"));
            };
            let none = names().no_arguments.as_ptr();
            let socket = Object::from_returned(new(class, none, std::ptr::null_mut()))?;
            if initialise(socket.as_ptr(), arguments.as_ptr(), std::ptr::null_mut()) < 0 {
                return Err(Raised);
            }
            socket
        };
        // The descriptor is the socket's from now on.
        let _: c_int = descriptor.into_raw_fd();
        socket.set_attribute(&self.io_refs, &self.zero)?;
        socket.set_attribute(&self.closed, &Object::boolean(false))?;
        Ok(socket)
    }
}
