//! The class `SocketTransport` as Python sees it: its methods, its attributes and its deallocation.
//!
//! It derives from asyncio's `_FlowControlMixin`, so that `isinstance` holds and methods replaced
//! on asyncio's base classes take effect. It has the attributes of asyncio's own transport, with
//! their underscores: libraries and asyncio itself read them.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;

use greenloop_cpython::making::{self, ByName as _, IntoObject as _};
use greenloop_cpython::{
    ClassBuilder, Object, Raised, Result, Slot, attached, attribute, call_function, fast, named,
    noargs, one, report_unraisable, restore, take_raised, visit_slots,
};
use pyo3::ffi;

use super::{SocketTransport, closing, flow_control, foreign, joining, reading, writing};
use crate::asyncio::globals;
use crate::event_loop::EventLoop;

/// The methods that asyncio's own class provides: none is on a hot path, and all have the messages
/// of the running version.
const ASYNCIOS_OWN: [&str; 3] = ["__repr__", "_make_empty_waiter", "_reset_empty_waiter"];

/// The attributes by which asyncio knows to which of its methods a transport may be passed.
const MARKS: [&str; 2] = ["_start_tls_compatible", "_sendfile_compatible"];

macro_rules! slot_getters {
    ($($function:ident = $field:ident,)*) => {
        $(fn $function(this: &Object) -> Result<Object> {
            Ok(SocketTransport::of(this).$field.get_or_none())
        })*
    };
}

slot_getters! {
    event_loop = event_loop,
    socket = socket,
    protocol = protocol,
    server = server,
    empty_waiter = empty_waiter,
}

#[cfg(Py_3_15)]
slot_getters! {
    context = context,
}

/// `_extra`: its reader may be about to write past the transport.
fn extra(this: &Object) -> Result<Object> {
    let transport = SocketTransport::of(this);
    joining::push(transport);
    Ok(transport.extra.get_or_none())
}

fn set_extra(this: &Object, value: Option<&Object>) -> Result<()> {
    let extra = value.cloned().unwrap_or_else(Object::none);
    SocketTransport::of(this).extra.set(extra);
    Ok(())
}

fn set_empty_waiter(this: &Object, value: Option<&Object>) -> Result<()> {
    let waiter = value.filter(|value| !value.is_none()).cloned();
    SocketTransport::of(this).empty_waiter.set_optional(waiter);
    Ok(())
}

fn protocol_connected(this: &Object) -> Result<Object> {
    Ok(Object::boolean(
        SocketTransport::of(this).protocol_connected.get(),
    ))
}

fn eof(this: &Object) -> Result<Object> {
    Ok(Object::boolean(SocketTransport::of(this).eof.get()))
}

fn paused(this: &Object) -> Result<Object> {
    Ok(Object::boolean(SocketTransport::of(this).paused.get()))
}

fn lost(this: &Object) -> Result<Object> {
    let count = SocketTransport::of(this).lost.get();
    count.into_object()
}

fn number(this: &Object) -> Result<Object> {
    let number = SocketTransport::of(this).number.get();
    number.into_object()
}

/// `__del__`: closes a connection that was not closed, with a warning. asyncio's function does it.
unsafe extern "C" fn finalise(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a transport that is about to die, whatever exception is
    // set.
    unsafe {
        if (*this.cast::<SocketTransport>()).socket.is_empty() {
            return;
        }
        let this = Object::from_borrowed(this);
        let pending = take_raised();
        let names = &globals().names;
        let end = globals().asyncio.socket_transport.attribute(&names.del);
        if let Err(raised) = end.and_then(|end| call_function(&end, &[this.as_ptr()])) {
            report_unraisable(raised, &this);
        }
        if let Some(exception) = pending {
            let Raised = restore(exception);
        }
    }
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead transport.
    unsafe { greenloop_cpython::deallocate(this, end) }
}

/// Finalises, clears and frees a dead transport.
unsafe fn end(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead transport. The finaliser may bring it back to
    // life. What the fields hold is dropped by hand, since the struct is freed as a block.
    unsafe {
        if ffi::PyObject_CallFinalizerFromDealloc(this) < 0 {
            return;
        }
        ffi::PyObject_GC_UnTrack(this.cast());
        let transport = this.cast::<SocketTransport>();
        if !(*transport).weak_references.get().is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        (*transport).clear();
        (&raw mut (*transport).pending).drop_in_place();
        let class = ffi::Py_TYPE(this);
        let free = (*class).tp_free.unwrap_or(ffi::PyObject_GC_Del);
        free(this.cast());
        ffi::Py_DECREF(class.cast());
    }
}

impl SocketTransport {
    /// All fields that hold objects, except the write queue, which holds bytes and views of them.
    fn slots(&self) -> impl Iterator<Item = &Slot> {
        let own = [
            &self.attributes,
            &self.event_loop,
            &self.socket,
            &self.protocol,
            &self.reading_context,
            &self.writing_context,
            &self.server,
            &self.extra,
            &self.empty_waiter,
            &self.context,
            &self.high_water,
            &self.low_water,
        ];
        self.base.iter().chain(own)
    }

    fn clear(&self) {
        self.native_loop.set(std::ptr::null::<EventLoop>());
        for slot in self.slots() {
            slot.clear();
        }
        self.discard_pending();
    }
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on a transport, with its own visitor.
    unsafe {
        greenloop_cpython::traverse(this, visit, arg, |visitor| {
            visit_slots(visitor, (*this.cast::<SocketTransport>()).slots())
        })
    }
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on a transport.
    unsafe { (*this.cast::<SocketTransport>()).clear() };
    0
}

fn writing_methods() -> Vec<ffi::PyMethodDef> {
    vec![
        named!(
            c"write",
            writing::write,
            globals().names.data,
            c"write($self, /, data)\n--\n\n\
              Write a bytes-like object without blocking: what the socket does not take is \
              buffered."
        ),
        #[cfg(Py_3_12)]
        named!(
            c"writelines",
            writing::writelines,
            globals().names.list_of_data,
            c"writelines($self, /, list_of_data)\n--\n\n\
              Write each of an iterable of bytes-like objects."
        ),
        noargs!(
            c"write_eof",
            writing::write_eof,
            c"Close the write end of the connection after flushing the write buffer."
        ),
        noargs!(
            c"can_write_eof",
            writing::can_write_eof,
            c"Return True: the write end can be closed alone."
        ),
        noargs!(
            c"get_write_buffer_size",
            writing::get_write_buffer_size,
            c"Return the size of the write buffer in bytes."
        ),
        noargs!(
            c"_write_ready",
            writing::write_ready_method,
            c"Send buffered data; called when the socket is writable."
        ),
        noargs!(
            c"_maybe_pause_protocol",
            flow_control::maybe_pause_method,
            c"Call pause_writing() if the write buffer exceeds its high-water mark."
        ),
        noargs!(
            c"_maybe_resume_protocol",
            flow_control::maybe_resume_method,
            c"Call resume_writing() if the write buffer is no longer above its low-water mark."
        ),
    ]
}

fn methods() -> Vec<ffi::PyMethodDef> {
    let mut methods = writing_methods();
    methods.extend([
        noargs!(
            c"_read_ready",
            reading::read_ready_method,
            c"Receive data; called when the socket is readable."
        ),
        fast!(
            c"_add_reader",
            reading::add_reader,
            c"Start receiving: watch the socket for readability."
        ),
        noargs!(
            c"is_reading",
            reading::is_reading,
            c"Return whether the transport is receiving."
        ),
        noargs!(
            c"pause_reading",
            reading::pause_reading,
            c"Pause receiving: the protocol gets no data until resume_reading()."
        ),
        noargs!(
            c"resume_reading",
            reading::resume_reading,
            c"Resume receiving after pause_reading()."
        ),
        named!(
            c"set_protocol",
            reading::set_protocol,
            globals().names.protocol,
            c"set_protocol($self, /, protocol)\n--\n\n\
              Set the protocol whose methods are called from now on."
        ),
        noargs!(
            c"get_protocol",
            reading::get_protocol,
            c"Return the current protocol."
        ),
        noargs!(
            c"close",
            closing::close,
            c"Close the connection after flushing the write buffer."
        ),
        noargs!(
            c"abort",
            closing::abort,
            c"Close the connection immediately; buffered data is lost."
        ),
        noargs!(
            c"is_closing",
            closing::is_closing,
            c"Return whether the transport is closing or closed."
        ),
        one!(
            c"_force_close",
            closing::force_close,
            c"Close the connection immediately, because of an exception."
        ),
        fast!(
            c"_fatal_error",
            closing::fatal_error_method,
            c"Report an exception and close the connection immediately."
        ),
        one!(
            c"_call_connection_lost",
            closing::call_connection_lost,
            c"Call the protocol's connection_lost() and close the socket."
        ),
    ]);
    methods
}

/// Makes the class `SocketTransport`.
pub fn make_class() -> Result<Object> {
    let offset = |name: &'static std::ffi::CStr, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: std::ptr::null(),
    };
    ensure_base_fits(&globals().asyncio.flow_control)?;
    let class = ClassBuilder::new::<SocketTransport>(c"greenloop._native.SocketTransport")
        .not_callable()
        .doc(c"A connection over TCP or a Unix socket; see asyncio.Transport.")
        .slot(ffi::Py_tp_finalize, finalise as *mut c_void)
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .slot(ffi::Py_tp_clear, clear as *mut c_void)
        .methods(methods())
        .attributes(vec![
            (
                c"__dict__",
                ffi::PyObject_GenericGetDict,
                Some(ffi::PyObject_GenericSetDict),
            ),
            attribute!(c"max_size", reading::max_size, reading::set_max_size),
            attribute!(c"_loop", event_loop),
            attribute!(c"_sock", socket, foreign::set_socket),
            attribute!(c"_read_ready_cb", foreign::read_ready_callback),
            attribute!(c"_sock_fd", number),
            attribute!(c"_protocol", protocol),
            attribute!(c"_protocol_connected", protocol_connected),
            attribute!(c"_protocol_paused", flow_control::is_paused),
            attribute!(
                c"_high_water",
                flow_control::high_water,
                flow_control::set_high_water
            ),
            attribute!(
                c"_low_water",
                flow_control::low_water,
                flow_control::set_low_water
            ),
            attribute!(c"_buffer", writing::buffer),
            #[cfg(Py_3_15)]
            attribute!(c"_buffer_size", writing::get_write_buffer_size),
            attribute!(c"_eof", eof),
            attribute!(c"_closing", closing::is_closing),
            attribute!(c"_conn_lost", lost),
            attribute!(c"_paused", paused),
            attribute!(c"_server", server),
            attribute!(c"_extra", extra, set_extra),
            attribute!(c"_empty_waiter", empty_waiter, set_empty_waiter),
            #[cfg(Py_3_15)]
            attribute!(c"_context", context),
        ])
        .members(vec![
            offset(c"__dictoffset__", offset_of!(SocketTransport, attributes)),
            offset(
                c"__weaklistoffset__",
                offset_of!(SocketTransport, weak_references),
            ),
        ])
        .build(Some(&globals().asyncio.flow_control))?;
    adopt(&class)?;
    Ok(class)
}

/// Puts asyncio's own functions and marks into the class.
fn adopt(class: &Object) -> Result<()> {
    let py = attached();
    let class = class.bound(py);
    let theirs = globals().asyncio.socket_transport.bound(py);
    for name in ASYNCIOS_OWN.into_iter().chain(MARKS) {
        class.put(name, theirs.look_up(name)?)?;
    }
    Ok(())
}

/// Refuses to import where asyncio's classes have slots that we left no room for.
fn ensure_base_fits(base: &Object) -> Result<()> {
    let room = offset_of!(SocketTransport, attributes);
    // SAFETY: `base` is a class.
    let size = unsafe { (*base.as_ptr().cast::<ffi::PyTypeObject>()).tp_basicsize };
    if usize::try_from(size) == Ok(room) {
        return Ok(());
    }
    let text =
        "greenloop does not fit this version of Python: asyncio's transports are of another size";
    Err(making::import_error(text))
}
