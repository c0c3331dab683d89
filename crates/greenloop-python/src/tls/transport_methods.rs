//! The methods of `SSLTransport`: each calls the protocol.

use std::ffi::CStr;

use greenloop_cpython::{
    Arguments, ExceptionClass, Object, Raised, Result, attached, making, raise_bare, type_error,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::engine::size_object;
use super::protocol::{SslProtocol, get_extra_info, is_transport_closing, set_app_protocol};
use super::transport::SslTransport;
use super::{flow_control, shutdown, writing};
use crate::asyncio::globals;

// Writing.

/// `write(data)`
#[inline]
pub fn write(this: &Object, data: &Object) -> Result<Object> {
    let object = data.as_ptr();
    // SAFETY: the object is valid.
    let suitable = unsafe {
        ffi::PyBytes_Check(object) != 0
            || ffi::PyByteArray_Check(object) != 0
            || ffi::PyMemoryView_Check(object) != 0
    };
    if !suitable {
        return Err(unsuitable(data));
    }
    if data.is_true()? {
        let protocol = SslTransport::of(this).protocol(c"_write_appdata")?;
        writing::write(&protocol, data)?;
    }
    Ok(Object::none())
}

/// The TypeError for data that are not bytes-like.
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
pub fn writelines(this: &Object, lines: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_write_appdata")?;
    writing::write_lines(&protocol, lines)?;
    Ok(Object::none())
}

/// `_test__append_write_backlog(data)`, by which CPython's tests have something wait.
pub fn append_to_backlog(this: &Object, data: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_write_backlog")?;
    writing::keep(&protocol, data)?;
    Ok(Object::none())
}

/// `write_eof()`: TLS knows no half closed connections.
pub fn write_eof(_: &Object) -> Result<Object> {
    Err(raise_bare(ExceptionClass::NotImplementedError))
}

pub fn can_write_eof(_: &Object) -> Result<Object> {
    Ok(Object::boolean(false))
}

pub fn set_write_buffer_limits(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [high, low] = limits(c"set_write_buffer_limits", &arguments)?;
    let protocol = SslTransport::of(this).protocol(c"_set_write_buffer_limits")?;
    flow_control::set_write_limits(&protocol, &high, &low)?;
    flow_control::control_app_writing(&protocol)?;
    Ok(Object::none())
}

fn limits(function: &CStr, arguments: &Arguments<'_>) -> Result<[Object; 2]> {
    let names = &globals().names;
    let limits = arguments.bind(function, [&names.high, &names.low], 2, 0)?;
    Ok(limits.map(|limit| limit.cloned().unwrap_or_else(Object::none)))
}

pub fn get_write_buffer_limits(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_outgoing_low_water")?;
    let marks = &SslProtocol::of(&protocol).outgoing_marks;
    pair(&marks.low()?, &marks.high()?)
}

pub fn get_write_buffer_size(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_get_write_buffer_size")?;
    size_object(flow_control::write_buffer_size(&protocol)?)
}

/// `_protocol_paused`, which asyncio's sendfile looks at.
pub fn protocol_paused(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_app_writing_paused")?;
    let paused = &SslProtocol::of(&protocol).app_writing_paused;
    Ok(Object::boolean(paused.get()))
}

// Reading.

pub fn is_reading(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_app_reading_paused")?;
    let paused = &SslProtocol::of(&protocol).app_reading_paused;
    Ok(Object::boolean(!paused.get()))
}

pub fn pause_reading(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_pause_reading")?;
    SslProtocol::of(&protocol).app_reading_paused.set(true);
    Ok(Object::none())
}

pub fn resume_reading(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_resume_reading")?;
    flow_control::resume_reading(&protocol)?;
    Ok(Object::none())
}

pub fn set_read_buffer_limits(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [high, low] = limits(c"set_read_buffer_limits", &arguments)?;
    let protocol = SslTransport::of(this).protocol(c"_set_read_buffer_limits")?;
    flow_control::set_read_limits(&protocol, &high, &low)?;
    flow_control::control_reading(&protocol)?;
    Ok(Object::none())
}

pub fn get_read_buffer_limits(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_incoming_low_water")?;
    let marks = &SslProtocol::of(&protocol).incoming_marks;
    pair(&marks.low()?, &marks.high()?)
}

pub fn get_read_buffer_size(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_get_read_buffer_size")?;
    size_object(SslProtocol::of(&protocol).engine.incoming_pending()?)
}

fn pair(first: &Object, second: &Object) -> Result<Object> {
    making::pair(first, second)
}

// The protocol's answer, and the facts about the connection.

pub fn get_extra_info_method(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let [name, default] = arguments.bind(c"get_extra_info", [&names.name, &names.default], 2, 1)?;
    let protocol = SslTransport::of(this).protocol(c"_get_extra_info")?;
    let none = Object::none();
    get_extra_info(&protocol, name.unwrap_or(&none), default.unwrap_or(&none))
}

pub fn set_protocol(this: &Object, app_protocol: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_set_app_protocol")?;
    set_app_protocol(&protocol, app_protocol)?;
    Ok(Object::none())
}

pub fn get_protocol(this: &Object) -> Result<Object> {
    let protocol = SslTransport::of(this).protocol(c"_app_protocol")?;
    Ok(SslProtocol::of(&protocol).app_protocol.get_or_none())
}

pub fn event_loop(this: &Object) -> Result<Object> {
    Ok(SslTransport::of(this).event_loop.get_or_none())
}

pub fn ssl_protocol(this: &Object) -> Result<Object> {
    Ok(SslTransport::of(this).protocol.get_or_none())
}

// The end.

/// `close()`: pending data is written, and the peer is notified. A second call releases the
/// protocol.
pub fn close(this: &Object) -> Result<Object> {
    let transport = SslTransport::of(this);
    if transport.closed.replace(true) {
        transport.protocol.clear();
    } else {
        shutdown::start(&transport.protocol(c"_start_shutdown")?)?;
    }
    Ok(Object::none())
}

/// `abort()`: pending data is lost.
pub fn abort(this: &Object) -> Result<Object> {
    force_close(this, &Object::none())
}

/// `_force_close(exception)`
pub fn force_close(this: &Object, exception: &Object) -> Result<Object> {
    let transport = SslTransport::of(this);
    transport.closed.set(true);
    if let Some(protocol) = transport.protocol.get() {
        shutdown::abort(&protocol, exception)?;
    }
    Ok(Object::none())
}

/// `is_closing()`, which also a shutdown under way makes true.
pub fn is_closing(this: &Object) -> Result<Object> {
    let transport = SslTransport::of(this);
    if transport.closed.get() {
        return Ok(Object::boolean(true));
    }
    let protocol = transport.protocol(c"_is_transport_closing")?;
    Ok(Object::boolean(is_transport_closing(&protocol)?))
}

pub fn closed(this: &Object) -> Result<Object> {
    Ok(Object::boolean(SslTransport::of(this).closed.get()))
}

pub fn set_closed(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    SslTransport::of(this).closed.set(value.is_true()?);
    Ok(())
}
