//! The class `SSLProtocol` as Python sees it: the methods that a transport calls, and the private
//! attributes of asyncio's that libraries and tests look at.

use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{
    Arguments, Attribute, Buffer, Method, Native, Object, Result, attached, attribute,
    bytearray_of_size, class_of, fast, noargs, one, readonly, readonly_flag, readonly_slot,
    type_error,
};
use pyo3::prelude::*;

use super::opening::initialise;
use super::protocol::{self, CLASS, SslProtocol, app_transport};
use super::{flow_control, handshake, reading, shutdown, writing};
use crate::asyncio::globals;

// The methods that a transport calls.

fn connection_made(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let transport = arguments.single(c"connection_made", &globals().names.transport)?;
    handshake::connection_made(this, transport)?;
    Ok(Object::none())
}

fn connection_lost(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let exception = arguments.single(c"connection_lost", &globals().names.exc)?;
    shutdown::connection_lost(this, exception)?;
    Ok(Object::none())
}

fn eof_received(this: &Native<SslProtocol>) -> Result<Object> {
    // None where asyncio's function ends without a return.
    Ok(if shutdown::eof_received(this)? {
        Object::boolean(true)
    } else {
        Object::none()
    })
}

/// `get_buffer(hint)`: memory of the protocol's own, for a transport that is not ours.
fn get_buffer(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let hint = arguments.single(c"get_buffer", &globals().names.n)?;
    let protocol = this.get();
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
    let view = bytearray_of_size(wanted)?.memory_view()?;
    protocol.own_buffer.set(view.clone());
    Ok(view)
}

/// `buffer_updated(nbytes)`: feeds the received bytes to the engine and reads on.
fn buffer_updated(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let count = arguments.single(c"buffer_updated", &globals().names.nbytes)?;
    let protocol = this.get();
    let count = count.count()?;
    if let Some(buffer) = protocol.own_buffer.get() {
        let view = Buffer::of(&buffer)?;
        let bytes = view.bytes();
        protocol.engine.feed(&bytes[..count.min(bytes.len())])?;
    }
    reading::received(this)?;
    Ok(Object::none())
}

fn pause_writing(this: &Native<SslProtocol>) -> Result<Object> {
    writing::pause_writing(this)?;
    Ok(Object::none())
}

fn resume_writing(this: &Native<SslProtocol>) -> Result<Object> {
    writing::resume_writing(this)?;
    Ok(Object::none())
}

// The methods that are called in later turns.

fn check_handshake_timeout(this: &Native<SslProtocol>) -> Result<Object> {
    handshake::check_timeout(this)?;
    Ok(Object::none())
}

fn check_shutdown_timeout(this: &Native<SslProtocol>) -> Result<Object> {
    shutdown::check_timeout(this)?;
    Ok(Object::none())
}

fn do_read(this: &Native<SslProtocol>) -> Result<Object> {
    reading::read(this)?;
    Ok(Object::none())
}

fn reading_resumed(this: &Native<SslProtocol>) -> Result<Object> {
    flow_control::reading_resumed(this)?;
    Ok(Object::none())
}

// The methods that other code may call by asyncio's names.

fn set_app_protocol(this: &Native<SslProtocol>, app_protocol: &Object) -> Result<Object> {
    protocol::set_app_protocol(this, app_protocol)?;
    Ok(Object::none())
}

fn get_extra_info(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.name, &names.default];
    let [name, default] = arguments.bind(c"_get_extra_info", parameters, 2, 1)?;
    let none = Object::none();
    protocol::get_extra_info(this, name.unwrap_or(&none), default.unwrap_or(&none))
}

fn start_shutdown(this: &Native<SslProtocol>) -> Result<Object> {
    shutdown::start(this)?;
    Ok(Object::none())
}

fn abort(this: &Native<SslProtocol>, exception: &Object) -> Result<Object> {
    shutdown::abort(this, exception)?;
    Ok(Object::none())
}

fn fatal_error(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
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

fn write_appdata(this: &Native<SslProtocol>, lines: &Object) -> Result<Object> {
    writing::write_lines(this, lines)?;
    Ok(Object::none())
}

fn write_buffer_size(this: &Native<SslProtocol>) -> Result<Object> {
    Object::size_of(flow_control::write_buffer_size(this)?)
}

fn read_buffer_size(this: &Native<SslProtocol>) -> Result<Object> {
    Object::size_of(this.get().engine.incoming_pending()?)
}

// Attributes.

/// The object that one of the engine's is replaced by.
fn replacement(value: Option<&Object>) -> Result<Object> {
    value.cloned().ok_or_else(crate::future::cannot_delete)
}

fn ssl_object(this: &Native<SslProtocol>) -> Result<Object> {
    Ok(this.get().engine.object())
}

fn set_ssl_object(this: &Native<SslProtocol>, value: Option<&Object>) -> Result<()> {
    this.get().engine.replace(replacement(value)?);
    Ok(())
}

fn incoming(this: &Native<SslProtocol>) -> Result<Object> {
    Ok(this.get().engine.incoming())
}

fn set_incoming(this: &Native<SslProtocol>, value: Option<&Object>) -> Result<()> {
    this.get().engine.replace_incoming(replacement(value)?);
    Ok(())
}

fn outgoing(this: &Native<SslProtocol>) -> Result<Object> {
    Ok(this.get().engine.outgoing())
}

fn set_outgoing(this: &Native<SslProtocol>, value: Option<&Object>) -> Result<()> {
    this.get().engine.replace_outgoing(replacement(value)?);
    Ok(())
}

fn state(this: &Native<SslProtocol>) -> Result<Object> {
    this.get().state.get().object()
}

fn app_state(this: &Native<SslProtocol>) -> Result<Object> {
    this.get().app_state.get().object()
}

fn lost(this: &Native<SslProtocol>) -> Result<Object> {
    let count = this.get().lost.get();
    count.into_object()
}

/// `_write_backlog`: a copy of the pending data.
fn write_backlog(this: &Native<SslProtocol>) -> Result<Object> {
    let waiting = this.get().backlog.objects();
    let waiting = making::list(waiting)?;
    globals().asyncio.deque.call([&waiting])
}

fn backlog_size(this: &Native<SslProtocol>) -> Result<Object> {
    Object::size_of(this.get().backlog.size())
}

/// `max_size`: the number of bytes that the ssl object is asked for at once.
fn max_size(this: &Native<SslProtocol>) -> Result<Object> {
    Object::size_of(this.get().max_size.get())
}

/// Sets how many bytes one read of the ssl object asks for.
fn set_max_size(this: &Native<SslProtocol>, value: Option<&Object>) -> Result<()> {
    let size = value.ok_or_else(crate::future::cannot_delete)?.count()?;
    if size == 0 {
        return Err(type_error("max_size must be positive"));
    }
    this.get().max_size.set(size);
    Ok(())
}

fn methods() -> Vec<Method<SslProtocol>> {
    vec![
        fast(
            c"connection_made",
            connection_made,
            c"connection_made($self, /, transport)\n--\n\nStart the handshake.",
        ),
        fast(
            c"connection_lost",
            connection_lost,
            c"connection_lost($self, /, exc)\n--\n\nCall the application's connection_lost().",
        ),
        fast(
            c"get_buffer",
            get_buffer,
            c"get_buffer($self, /, n)\n--\n\nReturn the buffer to receive into; n is a hint.",
        ),
        fast(
            c"buffer_updated",
            buffer_updated,
            c"buffer_updated($self, /, nbytes)\n--\n\nProcess nbytes received bytes.",
        ),
        noargs(c"eof_received", eof_received, c"Process the end of data."),
        noargs(
            c"pause_writing",
            pause_writing,
            c"Pause writing: the write buffer of the transport below is full.",
        ),
        noargs(
            c"resume_writing",
            resume_writing,
            c"Resume writing to the transport below.",
        ),
        noargs(
            c"_check_handshake_timeout",
            check_handshake_timeout,
            c"Abort the connection if its handshake is not complete.",
        ),
        noargs(
            c"_check_shutdown_timeout",
            check_shutdown_timeout,
            c"End a connection whose peer does not answer the shutdown.",
        ),
        noargs(
            c"_do_read",
            do_read,
            c"Decrypt the received data and deliver it to the application.",
        ),
        noargs(
            c"_reading_resumed",
            reading_resumed,
            c"Process the buffered data after resume_reading().",
        ),
        one(
            c"_set_app_protocol",
            set_app_protocol,
            c"Set the application's protocol.",
        ),
        noargs(
            c"_get_app_transport",
            |this| app_transport(this).map(Native::into_object),
            c"Return the application's transport.",
        ),
        fast(
            c"_get_extra_info",
            get_extra_info,
            c"Return a fact about the connection by its name.",
        ),
        noargs(
            c"_start_shutdown",
            start_shutdown,
            c"Start the TLS shutdown.",
        ),
        one(c"_abort", abort, c"Close the connection immediately."),
        fast(
            c"_fatal_error",
            fatal_error,
            c"Report an exception and close the connection immediately.",
        ),
        one(c"_write_appdata", write_appdata, c"Write a list of data."),
        noargs(
            c"_get_write_buffer_size",
            write_buffer_size,
            c"Return the size of the write buffer in bytes.",
        ),
        noargs(
            c"_get_read_buffer_size",
            read_buffer_size,
            c"Return the size of the read buffer in bytes, which are still encrypted.",
        ),
    ]
}

/// The struct, for attributes.
type Connection = SslProtocol;

/// The attributes that are fields.
fn fields() -> Vec<Attribute<SslProtocol>> {
    vec![
        readonly_slot(c"_loop", |this: &Connection| &this.event_loop),
        readonly_slot(c"_app_protocol", |this: &Connection| &this.app_protocol),
        readonly_slot(c"_transport", |this: &Connection| &this.transport),
        readonly_slot(c"_sslcontext", |this: &Connection| &this.context),
        readonly_slot(c"_extra", |this: &Connection| &this.extra),
        readonly_slot(c"_waiter", |this: &Connection| &this.waiter),
        readonly_slot(c"_server_hostname", |this: &Connection| {
            &this.server_hostname
        }),
        readonly_slot(c"_ssl_handshake_timeout", |this: &Connection| {
            &this.handshake_timeout
        }),
        readonly_slot(c"_ssl_shutdown_timeout", |this: &Connection| {
            &this.shutdown_timeout
        }),
        readonly_slot(c"_handshake_timeout_handle", |this: &Connection| {
            &this.handshake_timer
        }),
        readonly_slot(c"_shutdown_timeout_handle", |this: &Connection| {
            &this.shutdown_timer
        }),
        readonly_flag(c"_app_protocol_is_buffer", |this: &Connection| {
            &this.buffered
        }),
        readonly_flag(c"_server_side", |this: &Connection| &this.server_side),
        readonly_flag(c"_eof_received", |this: &Connection| &this.eof_received),
        readonly_flag(c"_ssl_writing_paused", |this: &Connection| {
            &this.writing_paused
        }),
        readonly(c"_ssl_reading_paused", |this: &Native<Connection>| {
            Ok(Object::boolean(this.get().incoming_flow.is_paused()))
        }),
        readonly(c"_app_writing_paused", |this: &Native<Connection>| {
            Ok(Object::boolean(this.get().outgoing_flow.is_paused()))
        }),
        readonly_flag(c"_app_reading_paused", |this: &Connection| {
            &this.app_reading_paused
        }),
    ]
}

/// The attributes that are computed.
fn attributes() -> Vec<Attribute<SslProtocol>> {
    vec![
        attribute(c"max_size", max_size, set_max_size)
            .documented(c"The greatest number of bytes that one read asks for."),
        readonly(c"_app_transport", |this: &Native<Connection>| {
            Ok(this.get().app_transport.get_or_none())
        }),
        attribute(c"_sslobj", ssl_object, set_ssl_object),
        attribute(c"_incoming", incoming, set_incoming),
        attribute(c"_outgoing", outgoing, set_outgoing),
        readonly(c"_state", state),
        readonly(c"_app_state", app_state),
        readonly(c"_conn_lost", lost),
        readonly(c"_write_backlog", write_backlog),
        readonly(c"_write_buffer_size", backlog_size),
        readonly(c"_incoming_high_water", |this: &Native<Connection>| {
            this.get().incoming_flow.high()
        }),
        readonly(c"_incoming_low_water", |this: &Native<Connection>| {
            this.get().incoming_flow.low()
        }),
        readonly(c"_outgoing_high_water", |this: &Native<Connection>| {
            this.get().outgoing_flow.high()
        }),
        readonly(c"_outgoing_low_water", |this: &Native<Connection>| {
            this.get().outgoing_flow.low()
        }),
    ]
}

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    make_class()?;
    super::transport_class::make_class()
}

/// Makes the class, below `BufferedProtocol`.
fn make_class() -> Result<()> {
    class_of::<SslProtocol>(c"greenloop._native.SSLProtocol")
        .doc(
            c"SSLProtocol(loop, app_protocol, sslcontext, waiter, server_side=False, \
              server_hostname=None, call_connection_made=True, ssl_handshake_timeout=None, \
              ssl_shutdown_timeout=None)\n--\n\n\
              A TLS connection between a transport and a protocol of the application.",
        )
        .init_by(initialise)
        .methods(methods())
        .attributes(fields())
        .attributes(attributes())
        .build_below_fieldless(&globals().asyncio.buffered_protocol, &CLASS)
}
