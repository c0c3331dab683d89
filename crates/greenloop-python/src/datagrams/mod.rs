//! The native half of `greenloop.datagrams.DatagramTransport`: receiving and sending.
//!
//! The class derives from asyncio's own datagram transport and is written in Python. asyncio's
//! functions handle the events that happen once in a transport's life, its properties, and
//! datagrams that wait for room. The work for each datagram is done here. The attributes that it
//! uses are slots of the class, so native code finds them at fixed places and Python sees them as
//! usual.
//!
//! Every special case (a socket of another class, an address that has to be resolved, a transport
//! that is closing) is left to the function of asyncio's class.

mod receiving;
mod sending;
mod state;

use std::ffi::c_int;
use std::sync::OnceLock;

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Object, Result, call_function, fast, noargs, type_error};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::asyncio::globals;
use crate::event_loop::EventLoop;
use crate::sockets::plain;

pub use state::make_class as make_state_class;

/// The offsets of the attributes in an instance, in bytes.
struct Places {
    address: ffi::Py_ssize_t,
    buffer: ffi::Py_ssize_t,
    conn_lost: ffi::Py_ssize_t,
    event_loop: ffi::Py_ssize_t,
    extra: ffi::Py_ssize_t,
    max_size: ffi::Py_ssize_t,
    protocol: ffi::Py_ssize_t,
    socket: ffi::Py_ssize_t,
    state: ffi::Py_ssize_t,
}

static PLACES: OnceLock<Places> = OnceLock::new();

/// A `DatagramTransport` that a method was called on.
#[derive(Clone, Copy)]
struct Transport<'a> {
    this: &'a Object,
    places: &'static Places,
}

impl<'a> Transport<'a> {
    /// The receiver of a method that was installed in the class, or the owner of a listener.
    fn of(this: &'a Object) -> Option<Self> {
        let places = PLACES.get()?;
        Some(Self { this, places })
    }

    /// The value of a slot, if it has one.
    #[inline]
    fn slot(&self, offset: ffi::Py_ssize_t) -> Option<Object> {
        // SAFETY: the object is of the class whose slots these are, as the method's descriptor has
        // checked; a slot is null or holds a reference.
        unsafe {
            let place = self.this.as_ptr().byte_offset(offset);
            let value = *place.cast::<*mut ffi::PyObject>();
            (!value.is_null()).then(|| Object::from_borrowed(value))
        }
    }

    /// Whether nothing is wrong and nothing has ended: `_conn_lost` is zero.
    #[inline]
    fn is_open(&self) -> bool {
        let count = self.slot(self.places.conn_lost);
        // SAFETY: the object is valid.
        count.is_some_and(|count| unsafe {
            crate::sockets::address::small_number(count.as_ptr()) == Some(0)
        })
    }

    /// `super().name(*arguments)`: asyncio's own method.
    fn leave_to_asyncio(&self, name: &Object, arguments: &[&Object]) -> Result<Object> {
        let function = globals().asyncio.datagram_transport.attribute(name)?;
        let mut all = vec![self.this.as_ptr()];
        all.extend(arguments.iter().map(|argument| argument.as_ptr()));
        call_function(&function, &all)
    }

    /// `self._protocol`
    fn protocol(&self) -> Object {
        self.slot(self.places.protocol).unwrap_or_else(Object::none)
    }
}

/// The beginning of the C struct of a member descriptor, and of the member it is for.
#[repr(C)]
struct MemberDescriptor {
    header: ffi::PyObject,
    class: *mut ffi::PyTypeObject,
    name: *mut ffi::PyObject,
    qualified_name: *mut ffi::PyObject,
    member: *const ffi::PyMemberDef,
}

/// The offset in an instance of a slot of `class`, or of a class it derives from.
fn place(class: &Bound<'_, PyType>, name: &str) -> PyResult<ffi::Py_ssize_t> {
    let descriptor = class.look_up(name)?;
    // SAFETY: the class of the object is compared before its struct is looked into.
    let member = unsafe {
        let is_member = ffi::Py_TYPE(descriptor.as_ptr()) == &raw mut ffi::PyMemberDescr_Type;
        is_member.then(|| *(*descriptor.as_ptr().cast::<MemberDescriptor>()).member)
    };
    match member {
        Some(member) if member.type_code == OBJECT => Ok(member.offset),
        _ => Err(type_error(&format!("{name} is no slot")).into()),
    }
}

/// `Py_T_OBJECT_EX`, the type of the members that `__slots__` makes.
const OBJECT: c_int = ffi::Py_T_OBJECT_EX;

/// Finish the class of datagram transports, whose attributes are slots: put the native methods into
/// it.
#[pyfunction]
#[pyo3(signature = (class, /), text_signature = "(class_, /)")]
pub fn finish_datagram_transport(class: &Bound<'_, PyType>) -> PyResult<()> {
    let places = Places {
        address: place(class, "_address")?,
        buffer: place(class, "_buffer")?,
        conn_lost: place(class, "_conn_lost")?,
        event_loop: place(class, "_loop")?,
        extra: place(class, "_extra")?,
        max_size: place(class, "max_size")?,
        protocol: place(class, "_protocol")?,
        socket: place(class, "_sock")?,
        state: place(class, "_receiving")?,
    };
    // A second class would have other places.
    if PLACES.set(places).is_err() {
        let text = "there is a class of datagram transports already";
        return Err(making::runtime_error(text).into());
    }
    let methods = vec![
        fast!(
            c"sendto",
            sending::sendto,
            c"sendto($self, data, addr=None)\n--\n\n\
              Send a datagram without blocking; buffer it if the system has no room for it."
        ),
        noargs!(
            c"_read_ready",
            receiving::read_ready_method,
            c"Receive datagrams; called when the socket is readable."
        ),
        fast!(
            c"_listen",
            receiving::listen,
            c"_listen($self, fd)\n--\n\nStart receiving: watch the descriptor fd for readability."
        ),
    ];
    for method in methods.leak() {
        // SAFETY: the definition lives for ever, and the class is a class.
        let descriptor =
            unsafe { Object::from_returned(ffi::PyDescr_NewMethod(class.as_type_ptr(), method))? };
        // SAFETY: the name ends with a NUL and lives for ever.
        let name = unsafe { std::ffi::CStr::from_ptr(method.ml_name) };
        class.put(name, descriptor)?;
    }
    Ok(())
}

#[pymethods]
impl EventLoop {
    /// Return whether a socket can have a native datagram transport: asyncio's own is for sockets
    /// of a class that may do something else, and for a loop whose watching of descriptors is
    /// watched.
    fn _carries_datagrams(&self, sock: Bound<'_, PyAny>) -> bool {
        !self.shows_readiness() && plain(&Object::from(sock)).is_some()
    }

    /// Return the native state of a datagram transport.
    #[staticmethod]
    fn _datagram_state(py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(state::State::create()?.bound(py).unbind())
    }
}
