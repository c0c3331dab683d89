//! The class `SSLTransport` as Python sees it: its methods, its attributes and its deallocation.
//!
//! Like the transport below, it derives from asyncio's `_FlowControlMixin`, so that `isinstance`
//! holds.

use std::ffi::{CStr, c_int, c_void};
use std::mem::offset_of;

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    ClassBuilder, ExceptionClass, Object, Raised, Result, attached, attribute, fast, named, noargs,
    one, report_unraisable, restore, take_raised,
};
use pyo3::ffi;

use super::transport::SslTransport;
use super::transport_methods as methods;
use crate::asyncio::globals;

/// `__del__`: warns of a connection that was not closed.
unsafe extern "C" fn finalise(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a transport that is about to die, whatever exception is
    // set.
    unsafe {
        if (*this.cast::<SslTransport>()).closed.replace(true) {
            return;
        }
        let pending = take_raised();
        let text = c"unclosed transport <asyncio._SSLProtocolTransport object>";
        if ffi::PyErr_WarnEx(ExceptionClass::ResourceWarning.as_ptr(), text.as_ptr(), 1) < 0 {
            report_unraisable(Raised, &Object::from_borrowed(this));
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
    // life.
    unsafe {
        if ffi::PyObject_CallFinalizerFromDealloc(this) < 0 {
            return;
        }
        ffi::PyObject_GC_UnTrack(this.cast());
        let transport = &*this.cast::<SslTransport>();
        if !transport.weak_references.get().is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        transport.clear();
        let class = ffi::Py_TYPE(this);
        let free = (*class).tp_free.unwrap_or(ffi::PyObject_GC_Del);
        free(this.cast());
        ffi::Py_DECREF(class.cast());
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
            (*this.cast::<SslTransport>()).visit(visitor)
        })
    }
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on a transport.
    unsafe { (*this.cast::<SslTransport>()).clear() };
    0
}

fn writing_methods() -> Vec<ffi::PyMethodDef> {
    vec![
        named!(
            c"write",
            methods::write,
            globals().names.data,
            c"write($self, /, data)\n--\n\n\
              Encrypt a bytes-like object and write it without blocking."
        ),
        named!(
            c"writelines",
            methods::writelines,
            globals().names.list_of_data,
            c"writelines($self, /, list_of_data)\n--\n\n\
              Encrypt and write each of an iterable of bytes-like objects."
        ),
        noargs!(
            c"write_eof",
            methods::write_eof,
            c"Raise NotImplementedError: a TLS connection has no half-closed state."
        ),
        noargs!(
            c"can_write_eof",
            methods::can_write_eof,
            c"Return False: a TLS connection has no half-closed state."
        ),
        fast!(
            c"set_write_buffer_limits",
            methods::set_write_buffer_limits,
            c"set_write_buffer_limits($self, /, high=None, low=None)\n--\n\n\
              Set the water marks of the write buffer, in bytes; None is the default."
        ),
        noargs!(
            c"get_write_buffer_limits",
            methods::get_write_buffer_limits,
            c"Return the (low, high) water marks of the write buffer, in bytes."
        ),
        noargs!(
            c"get_write_buffer_size",
            methods::get_write_buffer_size,
            c"Return the size of the write buffer in bytes."
        ),
        one!(
            c"_test__append_write_backlog",
            methods::append_to_backlog,
            c"Append data to the write backlog, for tests."
        ),
    ]
}

fn reading_methods() -> Vec<ffi::PyMethodDef> {
    vec![
        noargs!(
            c"is_reading",
            methods::is_reading,
            c"Return whether the transport is receiving."
        ),
        noargs!(
            c"pause_reading",
            methods::pause_reading,
            c"Pause receiving: the protocol gets no data until resume_reading()."
        ),
        noargs!(
            c"resume_reading",
            methods::resume_reading,
            c"Resume receiving after pause_reading()."
        ),
        fast!(
            c"set_read_buffer_limits",
            methods::set_read_buffer_limits,
            c"set_read_buffer_limits($self, /, high=None, low=None)\n--\n\n\
              Set the water marks of the read buffer, in bytes; None is the default."
        ),
        noargs!(
            c"get_read_buffer_limits",
            methods::get_read_buffer_limits,
            c"Return the (low, high) water marks of the read buffer, in bytes."
        ),
        noargs!(
            c"get_read_buffer_size",
            methods::get_read_buffer_size,
            c"Return the size of the read buffer in bytes, which are still encrypted."
        ),
        named!(
            c"set_protocol",
            methods::set_protocol,
            globals().names.protocol,
            c"set_protocol($self, /, protocol)\n--\n\n\
              Set the protocol whose methods are called from now on."
        ),
        noargs!(
            c"get_protocol",
            methods::get_protocol,
            c"Return the current protocol."
        ),
        fast!(
            c"get_extra_info",
            methods::get_extra_info_method,
            c"get_extra_info($self, /, name, default=None)\n--\n\n\
              Return optional information about the connection by its name, or default."
        ),
    ]
}

fn closing_methods() -> Vec<ffi::PyMethodDef> {
    vec![
        noargs!(
            c"close",
            methods::close,
            c"Close the connection after flushing the write buffer and shutting TLS down."
        ),
        noargs!(
            c"abort",
            methods::abort,
            c"Close the connection immediately; buffered data is lost."
        ),
        noargs!(
            c"is_closing",
            methods::is_closing,
            c"Return whether the transport is closing or closed."
        ),
        one!(
            c"_force_close",
            methods::force_close,
            c"Close the connection immediately, because of an exception."
        ),
    ]
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    let offset = |name: &'static CStr, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: std::ptr::null(),
    };
    let mut methods = writing_methods();
    methods.extend(reading_methods());
    methods.extend(closing_methods());
    let class = ClassBuilder::new::<SslTransport>(c"greenloop._native.SSLTransport")
        .not_callable()
        .doc(c"A TLS connection; see asyncio.Transport.")
        .slot(ffi::Py_tp_finalize, finalise as *mut c_void)
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .slot(ffi::Py_tp_clear, clear as *mut c_void)
        .methods(methods)
        .attributes(vec![
            (
                c"__dict__",
                ffi::PyObject_GenericGetDict,
                Some(ffi::PyObject_GenericSetDict),
            ),
            attribute!(c"_loop", methods::event_loop),
            attribute!(c"_ssl_protocol", methods::ssl_protocol),
            attribute!(c"_closed", methods::closed, methods::set_closed),
            attribute!(c"_protocol_paused", methods::protocol_paused),
        ])
        .members(vec![
            offset(c"__dictoffset__", offset_of!(SslTransport, attributes)),
            offset(
                c"__weaklistoffset__",
                offset_of!(SslTransport, weak_references),
            ),
        ])
        .build(Some(&globals().asyncio.flow_control))?;
    mark(&class)?;
    Ok(class)
}

/// Says to asyncio which of its methods a transport may be given to.
fn mark(class: &Object) -> Result<()> {
    let py = attached();
    let class = class.bound(py);
    let fallback = making::import(py, c"asyncio.constants")?
        .look_up(c"_SendfileMode")?
        .look_up(c"FALLBACK")?;
    class.put(c"_sendfile_compatible", fallback)?;
    class.put(c"_start_tls_compatible", true)?;
    Ok(())
}
