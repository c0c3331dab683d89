//! The class `SSLProtocol` as Python sees it: the methods that a transport calls, and the private
//! attributes of asyncio's that libraries and tests look at.

use greenloop_cpython::making::IntoObject as _;
use std::ffi::c_void;

use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Buffer, Object, Raised, Result, attached, attribute, call_function, class_of, fast,
    named, noargs, one, type_error,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::engine::{count_of, size_object};
use super::opening::initialise_slot;
use super::protocol::{self, SslProtocol, app_transport};
use super::{flow_control, handshake, reading, shutdown, writing};
use crate::asyncio::globals;

// The methods that a transport calls.

fn connection_made(this: &Object, transport: &Object) -> Result<Object> {
    handshake::connection_made(this, transport)?;
    Ok(Object::none())
}

fn connection_lost(this: &Object, exception: &Object) -> Result<Object> {
    shutdown::connection_lost(this, exception)?;
    Ok(Object::none())
}

fn eof_received(this: &Object) -> Result<Object> {
    // As a function that ends without a word, where asyncio's does.
    Ok(if shutdown::eof_received(this)? {
        Object::boolean(true)
    } else {
        Object::none()
    })
}

/// `get_buffer(hint)`: memory of the protocol's own, for a transport that is not ours.
fn get_buffer(this: &Object, hint: &Object) -> Result<Object> {
    let protocol = SslProtocol::of(this);
    let py = attached();
    let most = protocol.max_size.get();
    let wanted = hint.bound(py).extract::<isize>()?;
    let wanted = usize::try_from(wanted).unwrap_or(0);
    let wanted = if (1..=most).contains(&wanted) {
        wanted
    } else {
        most
    };
    if let Some(buffer) = protocol.own_buffer.get() {
        if buffer.bound(py).len()? >= wanted {
            return Ok(buffer);
        }
    }
    let memory = making::bytearray(&[])?;
    // SAFETY: the bytearray is new and nobody looks at its memory yet; the second function returns
    // a new reference or NULL with an exception set.
    let view = unsafe {
        if ffi::PyByteArray_Resize(memory.as_ptr(), wanted as ffi::Py_ssize_t) < 0 {
            return Err(Raised);
        }
        Object::from_returned(ffi::PyMemoryView_FromObject(memory.as_ptr()))?
    };
    protocol.own_buffer.set(view.clone());
    Ok(view)
}

/// `buffer_updated(nbytes)`: feeds the received bytes to the engine and reads on.
fn buffer_updated(this: &Object, count: &Object) -> Result<Object> {
    let protocol = SslProtocol::of(this);
    let count = count_of(count)?;
    if let Some(buffer) = protocol.own_buffer.get() {
        let view = Buffer::of(&buffer)?;
        let bytes = view.bytes();
        protocol.engine.feed(&bytes[..count.min(bytes.len())])?;
    }
    reading::received(this)?;
    Ok(Object::none())
}

fn pause_writing(this: &Object) -> Result<Object> {
    writing::pause_writing(this)?;
    Ok(Object::none())
}

fn resume_writing(this: &Object) -> Result<Object> {
    writing::resume_writing(this)?;
    Ok(Object::none())
}

// The methods that are called in later turns.

fn check_handshake_timeout(this: &Object) -> Result<Object> {
    handshake::check_timeout(this)?;
    Ok(Object::none())
}

fn check_shutdown_timeout(this: &Object) -> Result<Object> {
    shutdown::check_timeout(this)?;
    Ok(Object::none())
}

fn do_read(this: &Object) -> Result<Object> {
    reading::read(this)?;
    Ok(Object::none())
}

fn reading_resumed(this: &Object) -> Result<Object> {
    flow_control::reading_resumed(this)?;
    Ok(Object::none())
}

// The methods that other code may call by asyncio's names.

fn set_app_protocol(this: &Object, app_protocol: &Object) -> Result<Object> {
    protocol::set_app_protocol(this, app_protocol)?;
    Ok(Object::none())
}

fn get_extra_info(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.name, &names.default];
    let [name, default] = arguments.bind(c"_get_extra_info", parameters, 2, 1)?;
    let none = Object::none();
    protocol::get_extra_info(this, name.unwrap_or(&none), default.unwrap_or(&none))
}

fn start_shutdown(this: &Object) -> Result<Object> {
    shutdown::start(this)?;
    Ok(Object::none())
}

fn abort(this: &Object, exception: &Object) -> Result<Object> {
    shutdown::abort(this, exception)?;
    Ok(Object::none())
}

fn fatal_error(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.exc, &names.message];
    let [exception, message] = arguments.bind(c"_fatal_error", parameters, 2, 1)?;
    let message = match message {
        Some(message) => making::shown(message)?,
        None => "Fatal error on transport".to_owned(),
    };
    protocol::fatal_error(this, exception.unwrap_or(&Object::none()), &message)?;
    Ok(Object::none())
}

fn write_appdata(this: &Object, lines: &Object) -> Result<Object> {
    writing::write_lines(this, lines)?;
    Ok(Object::none())
}

fn write_buffer_size(this: &Object) -> Result<Object> {
    size_object(flow_control::write_buffer_size(this)?)
}

fn read_buffer_size(this: &Object) -> Result<Object> {
    size_object(SslProtocol::of(this).engine.incoming_pending()?)
}

// Attributes.

macro_rules! slot_getters {
    ($($function:ident = $field:ident,)*) => {
        $(fn $function(this: &Object) -> Result<Object> {
            Ok(SslProtocol::of(this).$field.get_or_none())
        })*
    };
}

slot_getters! {
    event_loop = event_loop,
    app_protocol = app_protocol,
    get_app_transport = app_transport,
    transport = transport,
    context = context,
    extra = extra,
    waiter = waiter,
    server_hostname = server_hostname,
    handshake_timeout = handshake_timeout,
    shutdown_timeout = shutdown_timeout,
    handshake_timer = handshake_timer,
    shutdown_timer = shutdown_timer,
}

macro_rules! flag_getters {
    ($($function:ident = $field:ident,)*) => {
        $(fn $function(this: &Object) -> Result<Object> {
            Ok(Object::boolean(SslProtocol::of(this).$field.get()))
        })*
    };
}

flag_getters! {
    server_side = server_side,
    eof = eof_received,
    ssl_writing_paused = writing_paused,
    ssl_reading_paused = reading_paused,
    app_writing_paused = app_writing_paused,
    app_reading_paused = app_reading_paused,
    is_buffered = buffered,
}

fn ssl_object(this: &Object) -> Result<Object> {
    Ok(SslProtocol::of(this).engine.object())
}

fn incoming(this: &Object) -> Result<Object> {
    Ok(SslProtocol::of(this).engine.incoming())
}

fn outgoing(this: &Object) -> Result<Object> {
    Ok(SslProtocol::of(this).engine.outgoing())
}

macro_rules! replacers {
    ($($function:ident = $replace:ident,)*) => {
        $(fn $function(this: &Object, value: Option<&Object>) -> Result<()> {
            let object = value.ok_or_else(crate::future::cannot_delete)?;
            SslProtocol::of(this).engine.$replace(object.clone());
            Ok(())
        })*
    };
}

replacers! {
    set_ssl_object = replace,
    set_incoming = replace_incoming,
    set_outgoing = replace_outgoing,
}

fn state(this: &Object) -> Result<Object> {
    SslProtocol::of(this).state.get().object()
}

fn app_state(this: &Object) -> Result<Object> {
    SslProtocol::of(this).app_state.get().object()
}

fn lost(this: &Object) -> Result<Object> {
    let count = SslProtocol::of(this).lost.get();
    count.into_object()
}

/// `_write_backlog`: a copy of the pending data.
fn write_backlog(this: &Object) -> Result<Object> {
    let waiting = SslProtocol::of(this).backlog.objects();
    let waiting = making::list(waiting)?;
    call_function(&globals().asyncio.deque, &[waiting.as_ptr()])
}

fn backlog_size(this: &Object) -> Result<Object> {
    size_object(SslProtocol::of(this).backlog.size())
}

macro_rules! marks {
    ($($function:ident = $marks:ident . $mark:ident,)*) => {
        $(fn $function(this: &Object) -> Result<Object> {
            SslProtocol::of(this).$marks.$mark()
        })*
    };
}

marks! {
    incoming_high_water = incoming_marks.high,
    incoming_low_water = incoming_marks.low,
    outgoing_high_water = outgoing_marks.high,
    outgoing_low_water = outgoing_marks.low,
}

/// `max_size`: the number of bytes that the ssl object is asked for at once.
fn max_size(this: &Object) -> Result<Object> {
    size_object(SslProtocol::of(this).max_size.get())
}

/// Sets how many bytes one read of the ssl object asks for.
fn set_max_size(this: &Object, value: Option<&Object>) -> Result<()> {
    let size = count_of(value.ok_or_else(crate::future::cannot_delete)?)?;
    if size == 0 {
        return Err(type_error("max_size must be positive"));
    }
    SslProtocol::of(this).max_size.set(size);
    Ok(())
}

fn methods() -> Vec<ffi::PyMethodDef> {
    vec![
        named!(
            c"connection_made",
            connection_made,
            globals().names.transport,
            c"connection_made($self, /, transport)\n--\n\nStart the handshake."
        ),
        named!(
            c"connection_lost",
            connection_lost,
            globals().names.exc,
            c"connection_lost($self, /, exc)\n--\n\nCall the application's connection_lost()."
        ),
        named!(
            c"get_buffer",
            get_buffer,
            globals().names.n,
            c"get_buffer($self, /, n)\n--\n\nReturn the buffer to receive into; n is a hint."
        ),
        named!(
            c"buffer_updated",
            buffer_updated,
            globals().names.nbytes,
            c"buffer_updated($self, /, nbytes)\n--\n\nProcess nbytes received bytes."
        ),
        noargs!(c"eof_received", eof_received, c"Process the end of data."),
        noargs!(
            c"pause_writing",
            pause_writing,
            c"Pause writing: the write buffer of the transport below is full."
        ),
        noargs!(
            c"resume_writing",
            resume_writing,
            c"Resume writing to the transport below."
        ),
        noargs!(
            c"_check_handshake_timeout",
            check_handshake_timeout,
            c"Abort the connection if its handshake is not complete."
        ),
        noargs!(
            c"_check_shutdown_timeout",
            check_shutdown_timeout,
            c"Abort the connection if its shutdown is not complete."
        ),
        noargs!(
            c"_do_read",
            do_read,
            c"Decrypt the received data and deliver it to the application."
        ),
        noargs!(
            c"_reading_resumed",
            reading_resumed,
            c"Process the buffered data after resume_reading()."
        ),
        one!(
            c"_set_app_protocol",
            set_app_protocol,
            c"Set the application's protocol."
        ),
        noargs!(
            c"_get_app_transport",
            app_transport,
            c"Return the application's transport."
        ),
        fast!(
            c"_get_extra_info",
            get_extra_info,
            c"_get_extra_info($self, /, name, default=None)\n--\n\n\
              Return optional information about the connection by its name, or default."
        ),
        noargs!(
            c"_start_shutdown",
            start_shutdown,
            c"Start the TLS shutdown."
        ),
        one!(c"_abort", abort, c"Close the connection immediately."),
        fast!(
            c"_fatal_error",
            fatal_error,
            c"Report an exception and close the connection immediately."
        ),
        one!(c"_write_appdata", write_appdata, c"Write a list of data."),
        noargs!(
            c"_get_write_buffer_size",
            write_buffer_size,
            c"Return the size of the write buffer in bytes."
        ),
        noargs!(
            c"_get_read_buffer_size",
            read_buffer_size,
            c"Return the size of the read buffer in bytes, which are still encrypted."
        ),
    ]
}

/// Makes the class, below `BufferedProtocol`.
pub fn make_class() -> Result<Object> {
    class_of::<SslProtocol>(c"greenloop._native.SSLProtocol")
        .doc(
            c"SSLProtocol(loop, app_protocol, sslcontext, waiter, server_side=False, \
              server_hostname=None, call_connection_made=True, ssl_handshake_timeout=None, \
              ssl_shutdown_timeout=None)\n--\n\n\
              A TLS connection between a transport and a protocol of the application.",
        )
        .slot(ffi::Py_tp_init, initialise_slot as *mut c_void)
        .methods(methods())
        .attributes(vec![
            attribute!(c"max_size", max_size, set_max_size),
            attribute!(c"_loop", event_loop),
            attribute!(c"_app_protocol", app_protocol),
            attribute!(c"_app_transport", get_app_transport),
            attribute!(c"_app_protocol_is_buffer", is_buffered),
            attribute!(c"_transport", transport),
            attribute!(c"_sslcontext", context),
            attribute!(c"_extra", extra),
            attribute!(c"_waiter", waiter),
            attribute!(c"_server_side", server_side),
            attribute!(c"_server_hostname", server_hostname),
            attribute!(c"_ssl_handshake_timeout", handshake_timeout),
            attribute!(c"_ssl_shutdown_timeout", shutdown_timeout),
            attribute!(c"_handshake_timeout_handle", handshake_timer),
            attribute!(c"_shutdown_timeout_handle", shutdown_timer),
            attribute!(c"_sslobj", ssl_object, set_ssl_object),
            attribute!(c"_incoming", incoming, set_incoming),
            attribute!(c"_outgoing", outgoing, set_outgoing),
            attribute!(c"_state", state),
            attribute!(c"_app_state", app_state),
            attribute!(c"_conn_lost", lost),
            attribute!(c"_eof_received", eof),
            attribute!(c"_write_backlog", write_backlog),
            attribute!(c"_write_buffer_size", backlog_size),
            attribute!(c"_ssl_writing_paused", ssl_writing_paused),
            attribute!(c"_ssl_reading_paused", ssl_reading_paused),
            attribute!(c"_app_writing_paused", app_writing_paused),
            attribute!(c"_app_reading_paused", app_reading_paused),
            attribute!(c"_incoming_high_water", incoming_high_water),
            attribute!(c"_incoming_low_water", incoming_low_water),
            attribute!(c"_outgoing_high_water", outgoing_high_water),
            attribute!(c"_outgoing_low_water", outgoing_low_water),
        ])
        .build(Some(&globals().asyncio.buffered_protocol))
}
