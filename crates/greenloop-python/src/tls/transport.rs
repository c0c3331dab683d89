//! `SSLTransport`: the transport that the application writes to, as a struct.

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_cpython::{Object, Raised, Result, Slot, Visited, Visitor, type_error, visit_slots};
use pyo3::ffi;

use crate::asyncio::globals;

/// How many attributes asyncio's base classes keep in slots of theirs.
const BASE_SLOTS: usize = 5;

/// The C struct of `SSLTransport`.
#[repr(C)]
pub struct SslTransport {
    header: ffi::PyObject,
    /// The slots of asyncio's classes, which stay empty unless code uses asyncio's descriptors.
    base: [Slot; BASE_SLOTS],
    /// `__dict__`, once there is one.
    pub attributes: Slot,
    /// The list of weak references, which is the interpreter's.
    pub weak_references: Cell<*mut ffi::PyObject>,
    pub event_loop: Slot,
    /// The `SSLProtocol`, until the transport is closed a second time.
    pub protocol: Slot,
    /// Set by `close` and its like, and by the end of the connection.
    pub closed: Cell<bool>,
}

impl SslTransport {
    /// The struct behind an `SSLTransport`.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        // SAFETY: the callers pass receivers of the class's methods, and what `create` made.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// A transport of a protocol's.
    pub fn create(event_loop: &Object, protocol: &Object) -> Result<Object> {
        let class = globals().classes.ssl_transport.as_ptr();
        // SAFETY: the allocator gives a zeroed block laid out as the struct, or null with an
        // exception set; slots and cells are valid when zeroed.
        unsafe {
            let object = Object::from_returned(ffi::PyType_GenericAlloc(class, 0))?;
            let transport = &*object.as_ptr().cast::<Self>();
            transport.event_loop.set(event_loop.clone());
            transport.protocol.set(protocol.clone());
            Ok(object)
        }
    }

    /// The protocol. After a second `close` there is None, which has no attribute of that name.
    #[inline]
    pub fn protocol(&self, attribute: &CStr) -> Result<Object> {
        match self.protocol.get() {
            Some(protocol) => Ok(protocol),
            None => Err(missing(attribute)),
        }
    }

    /// Shows everything to the garbage collector.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())
    }

    /// Lets go of everything.
    pub fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        let own = [&self.attributes, &self.event_loop, &self.protocol];
        self.base.iter().chain(own)
    }
}

/// Raises the error of `None.attribute`.
#[cold]
fn missing(attribute: &CStr) -> Raised {
    // SAFETY: None is always valid, and the name ends with a NUL.
    let found = unsafe { ffi::PyObject_GetAttrString(ffi::Py_None(), attribute.as_ptr()) };
    if !found.is_null() {
        // SAFETY: the reference is ours.
        drop(unsafe { Object::from_owned(found) });
        return type_error("a closed transport has no protocol");
    }
    Raised
}
