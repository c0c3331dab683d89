//! The methods of `SSLTransport`: each calls the protocol.
//!
//! After a second `close` the transport has no protocol any more, and the methods that need it
//! raise the `AttributeError` that asyncio's raise on None.

use std::ffi::CStr;

use greenloop_cpython::{
    Arguments, ExceptionClass, Object, Raised, Result, attached, making, raise_bare, type_error,
};
use pyo3::prelude::*;

use super::protocol::{get_extra_info, is_transport_closing, set_app_protocol};
use super::transport::{CLASS, TransportRef};
use super::{flow_control, shutdown, writing};
use crate::asyncio::globals;
use crate::streams::NativeTransport;

// Writing.

/// `write(data)`
pub fn write(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let data = arguments.single(c"write", &globals().names.data)?;
    write_data(this, data)?;
    Ok(Object::none())
}

/// As [`write()`]. A closed transport has no protocol: it is asked only if there are data.
///
/// # Errors
/// `TypeError` for what is not bytes-like, and those of the ssl object.
fn write_data(this: &TransportRef, data: &Object) -> Result<()> {
    if !data.is_bytes_like() {
        return Err(unsuitable(data));
    }
    if data.has_content()? {
        let protocol = this.get().protocol(c"_write_appdata")?;
        writing::write(&protocol, data)?;
    }
    Ok(())
}

/// The TypeError for data that are not bytes-like. The text is asyncio's.
#[cold]
fn unsuitable(data: &Object) -> Raised {
    let py = attached();
    match data.bound(py).get_type().name() {
        Ok(name) => type_error(&format!(
            "data: expecting a bytes-like instance, got {name}"
        )),
        Err(error) => error.into(),
    }
}

/// `writelines(list_of_data)`
///
/// All are encrypted together: one write below for the whole list. A line without a length raises
/// `TypeError` here; one that the ssl object refuses ends the connection.
pub fn writelines(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let lines = arguments.single(c"writelines", &globals().names.list_of_data)?;
    let protocol = this.get().protocol(c"_write_appdata")?;
    writing::write_lines(&protocol, lines)?;
    Ok(Object::none())
}

/// `_test__append_write_backlog(data)`, by which CPython's tests have something wait.
pub fn append_to_backlog(this: &TransportRef, data: &Object) -> Result<Object> {
    let protocol = this.get().protocol(c"_write_backlog")?;
    writing::keep(&protocol, data)?;
    Ok(Object::none())
}

/// `write_eof()`: TLS knows no half closed connections.
pub fn write_eof(_: &TransportRef) -> Result<Object> {
    Err(raise_bare(ExceptionClass::NotImplementedError))
}

/// `can_write_eof()`
pub fn can_write_eof(_: &TransportRef) -> Result<Object> {
    Ok(Object::boolean(false))
}

/// `set_write_buffer_limits(high=None, low=None)`
pub fn set_write_buffer_limits(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let [high, low] = limits(c"set_write_buffer_limits", &arguments)?;
    let protocol = this.get().protocol(c"_set_write_buffer_limits")?;
    flow_control::set_write_limits(&protocol, &high, &low)?;
    flow_control::control_app_writing(&protocol)?;
    Ok(Object::none())
}

/// The two optional arguments; None means that the other one, or the default, decides.
fn limits(function: &CStr, arguments: &Arguments<'_>) -> Result<[Object; 2]> {
    let names = &globals().names;
    let limits = arguments.bind(function, [&names.high, &names.low], 2, 0)?;
    Ok(limits.map(|limit| limit.cloned().unwrap_or_else(Object::none)))
}

/// `get_write_buffer_limits()`: the low and the high mark.
pub fn get_write_buffer_limits(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_outgoing_low_water")?;
    let flow = &protocol.get().outgoing_flow;
    making::pair(&flow.low()?, &flow.high()?)
}

/// `get_write_buffer_size()`
pub fn get_write_buffer_size(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_get_write_buffer_size")?;
    Object::size_of(flow_control::write_buffer_size(&protocol)?)
}

/// `_protocol_paused`, which asyncio's sendfile looks at.
pub fn protocol_paused(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_app_writing_paused")?;
    Ok(Object::boolean(protocol.get().outgoing_flow.is_paused()))
}

// Reading.

/// `is_reading()`
pub fn is_reading(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_app_reading_paused")?;
    let paused = &protocol.get().app_reading_paused;
    Ok(Object::boolean(!paused.get()))
}

/// `pause_reading()`
pub fn pause_reading(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_pause_reading")?;
    protocol.get().app_reading_paused.set(true);
    Ok(Object::none())
}

/// `resume_reading()`
pub fn resume_reading(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_resume_reading")?;
    flow_control::resume_reading(&protocol)?;
    Ok(Object::none())
}

/// `set_read_buffer_limits(high=None, low=None)`
pub fn set_read_buffer_limits(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let [high, low] = limits(c"set_read_buffer_limits", &arguments)?;
    let protocol = this.get().protocol(c"_set_read_buffer_limits")?;
    flow_control::set_read_limits(&protocol, &high, &low)?;
    flow_control::control_reading(&protocol)?;
    Ok(Object::none())
}

/// `get_read_buffer_limits()`: the low and the high mark.
pub fn get_read_buffer_limits(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_incoming_low_water")?;
    let flow = &protocol.get().incoming_flow;
    making::pair(&flow.low()?, &flow.high()?)
}

/// `get_read_buffer_size()`
pub fn get_read_buffer_size(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_get_read_buffer_size")?;
    Object::size_of(protocol.get().engine.incoming_pending()?)
}

// The protocol's answer, and the facts about the connection.

/// `get_extra_info(name, default=None)`
pub fn get_extra_info_method(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let [name, default] = arguments.bind(c"get_extra_info", [&names.name, &names.default], 2, 1)?;
    let protocol = this.get().protocol(c"_get_extra_info")?;
    let none = Object::none();
    get_extra_info(&protocol, name.unwrap_or(&none), default.unwrap_or(&none))
}

/// `set_protocol(protocol)`
pub fn set_protocol(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let app_protocol = arguments.single(c"set_protocol", &globals().names.protocol)?;
    let protocol = this.get().protocol(c"_set_app_protocol")?;
    set_app_protocol(&protocol, app_protocol)?;
    Ok(Object::none())
}

/// `get_protocol()`: the application's protocol.
pub fn get_protocol(this: &TransportRef) -> Result<Object> {
    let protocol = this.get().protocol(c"_app_protocol")?;
    Ok(protocol.get().app_protocol.get_or_none())
}

/// `_loop`
pub fn event_loop(this: &TransportRef) -> Result<Object> {
    Ok(this.get().event_loop.get_or_none())
}

/// `_ssl_protocol`
pub fn ssl_protocol(this: &TransportRef) -> Result<Object> {
    Ok(this.get().protocol.get_or_none())
}

// The end.

/// `close()`: pending data is written, and the peer is notified. A second call releases the
/// protocol.
pub fn close(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    if transport.closed.replace(true) {
        transport.protocol.clear();
    } else {
        shutdown::start(&transport.protocol(c"_start_shutdown")?)?;
    }
    Ok(Object::none())
}

/// `abort()`: pending data is lost.
pub fn abort(this: &TransportRef) -> Result<Object> {
    force_close(this, &Object::none())
}

/// `_force_close(exception)`
pub fn force_close(this: &TransportRef, exception: &Object) -> Result<Object> {
    let transport = this.get();
    transport.closed.set(true);
    if let Some(protocol) = transport.protocol.get() {
        shutdown::abort(&protocol, exception)?;
    }
    Ok(Object::none())
}

/// `is_closing()`
pub fn is_closing(this: &TransportRef) -> Result<Object> {
    asks_whether_closing(this).map(Object::boolean)
}

/// As [`is_closing`].
///
/// # Errors
/// `AttributeError` without a protocol, and those of the transport below, which is asked.
fn asks_whether_closing(this: &TransportRef) -> Result<bool> {
    let transport = this.get();
    if transport.closed.get() {
        return Ok(true);
    }
    let protocol = transport.protocol(c"_is_transport_closing")?;
    is_transport_closing(&protocol)
}

/// What the writers of streams ask.
pub const FOR_WRITERS: NativeTransport = NativeTransport {
    is_closing: |object| Some(asks_whether_closing(CLASS.plain(object)?)),
    write: |object, data| Some(write_data(CLASS.plain(object)?, data)),
};

/// `_closed`
pub fn closed(this: &TransportRef) -> Result<Object> {
    Ok(Object::boolean(this.get().closed.get()))
}

/// Sets `_closed`.
pub fn set_closed(this: &TransportRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    this.get().closed.set(value.is_true()?);
    Ok(())
}
