//! The class `SSLProtocol` as Python sees it: the methods that a transport calls, and the private
//! attributes of asyncio's that libraries and tests look at.
//!
//! The methods are thin: each takes its arguments apart, calls the function of the capability, and
//! makes the answer. Their names, with underscores, are those of asyncio's class, since its
//! functions (`start_tls` for one), its tests and libraries call them.
//!
//! Most private attributes can be read only. The ssl object and the two BIOs can be replaced, as
//! tests do to see what passes between them.

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

/// Called by the transport below in the turn after it was made.
fn connection_made(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let transport = arguments.single(c"connection_made", &globals().names.transport)?;
    handshake::connection_made(this, transport)?;
    Ok(Object::none())
}

/// Called by the transport below, once, with an exception or None.
fn connection_lost(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let exception = arguments.single(c"connection_lost", &globals().names.exc)?;
    shutdown::connection_lost(this, exception)?;
    Ok(Object::none())
}

/// The answer keeps the transport below open, or has it closed.
fn eof_received(this: &Native<SslProtocol>) -> Result<Object> {
    // None where asyncio's function ends without a return.
    Ok(if shutdown::eof_received(this)? {
        Object::boolean(true)
    } else {
        Object::none()
    })
}

/// `get_buffer(hint)`: memory of the protocol's own, for a transport that is not ours. Ours asks
/// only if its socket was replaced. The hint is the number of bytes wanted; anything outside of 1
/// to `max_size` means `max_size`. The buffer is made once and grows.
///
/// # Errors
/// `TypeError` for a hint that is no int, `MemoryError`.
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

/// `buffer_updated(nbytes)`: feeds the received bytes to the engine and reads on. They are at the
/// start of the buffer that [`get_buffer`] has returned last. A larger count than it has is cut.
fn buffer_updated(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let count = arguments.single(c"buffer_updated", &globals().names.nbytes)?;
    let protocol = this.get();
    let count = count.count()?;
    if let Some(buffer) = protocol.own_buffer.get() {
        let view = Buffer::of(&buffer)?;
        let memory = view.memory();
        let received = memory.part(0..count.min(memory.len()));
        protocol.engine.feed(received)?;
    }
    reading::received(this)?;
    Ok(Object::none())
}

/// Called by the transport below when its buffer is above the high mark.
fn pause_writing(this: &Native<SslProtocol>) -> Result<Object> {
    writing::pause_writing(this)?;
    Ok(Object::none())
}

/// Called by it when its buffer has shrunk.
fn resume_writing(this: &Native<SslProtocol>) -> Result<Object> {
    writing::resume_writing(this)?;
    Ok(Object::none())
}

// The methods that are called in later turns.

/// The timer of the handshake. A handshake that is over has cancelled it.
fn check_handshake_timeout(this: &Native<SslProtocol>) -> Result<Object> {
    handshake::check_timeout(this)?;
    Ok(Object::none())
}

/// The timer of the shutdown, from `close` on.
fn check_shutdown_timeout(this: &Native<SslProtocol>) -> Result<Object> {
    shutdown::check_timeout(this)?;
    Ok(Object::none())
}

/// Called soon when a `BufferedProtocol` has filled its buffer and there may be more.
fn do_read(this: &Native<SslProtocol>) -> Result<Object> {
    reading::read(this)?;
    Ok(Object::none())
}

/// Called soon by `resume_reading`. asyncio makes a closure for it.
fn reading_resumed(this: &Native<SslProtocol>) -> Result<Object> {
    flow_control::reading_resumed(this)?;
    Ok(Object::none())
}

// The methods that other code may call by asyncio's names.

/// `transport.set_protocol` ends here.
fn set_app_protocol(this: &Native<SslProtocol>, app_protocol: &Object) -> Result<Object> {
    protocol::set_app_protocol(this, app_protocol)?;
    Ok(Object::none())
}

/// `name` is looked up in the own dict first, then by the transport below.
fn get_extra_info(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.name, &names.default];
    let [name, default] = arguments.bind(c"_get_extra_info", parameters, 2, 1)?;
    let none = Object::none();
    protocol::get_extra_info(this, name.unwrap_or(&none), default.unwrap_or(&none))
}

/// What `close` of the application's transport does.
fn start_shutdown(this: &Native<SslProtocol>) -> Result<Object> {
    shutdown::start(this)?;
    Ok(Object::none())
}

/// With None it is what `abort` of that transport does.
fn abort(this: &Native<SslProtocol>, exception: &Object) -> Result<Object> {
    shutdown::abort(this, exception)?;
    Ok(Object::none())
}

/// The message has a default, as asyncio's has.
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

/// It takes a list of data, not one.
fn write_appdata(this: &Native<SslProtocol>, lines: &Object) -> Result<Object> {
    writing::write_lines(this, lines)?;
    Ok(Object::none())
}

/// In bytes: those not encrypted yet, and those not taken by the transport below.
fn write_buffer_size(this: &Native<SslProtocol>) -> Result<Object> {
    Object::size_of(flow_control::write_buffer_size(this)?)
}

/// In bytes that came from the peer and are still encrypted.
fn read_buffer_size(this: &Native<SslProtocol>) -> Result<Object> {
    Object::size_of(this.get().engine.incoming_pending()?)
}

// Attributes.

/// The object that one of the engine's is replaced by.
///
/// # Errors
/// The error of an attribute that cannot be deleted.
fn replacement(value: Option<&Object>) -> Result<Object> {
    value.cloned().ok_or_else(crate::future::cannot_delete)
}

/// `_sslobj`: the `ssl.SSLObject`.
fn ssl_object(this: &Native<SslProtocol>) -> Result<Object> {
    Ok(this.get().engine.object())
}

/// From now on it is called by name, and never shown our memory.
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

/// `_state`: a member of `sslproto.SSLProtocolState`.
fn state(this: &Native<SslProtocol>) -> Result<Object> {
    this.get().state.get().object()
}

/// `_app_state`: a member of `sslproto.AppProtocolState`.
fn app_state(this: &Native<SslProtocol>) -> Result<Object> {
    this.get().app_state.get().object()
}

/// `_conn_lost`: counts the loss of the connection, and writes after its end.
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

/// `_write_buffer_size`: the bytes in the backlog, without those that are encrypted.
fn backlog_size(this: &Native<SslProtocol>) -> Result<Object> {
    Object::size_of(this.get().backlog.size())
}

/// `max_size`: the number of bytes that the ssl object is asked for at once.
fn max_size(this: &Native<SslProtocol>) -> Result<Object> {
    Object::size_of(this.get().max_size.get())
}

/// Sets how many bytes one read of the ssl object asks for.
///
/// # Errors
/// `TypeError` for zero and for a value that is no count.
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
              A TLS connection between a transport and a protocol of the application.\n\n\
              sslcontext makes the ssl object; waiter is a future that gets None when the \
              handshake is complete, or its exception. The timeouts are in seconds; None means \
              asyncio's defaults. Raise ValueError for a timeout that is not positive.",
        )
        .init_by(initialise)
        .methods(methods())
        .attributes(fields())
        .attributes(attributes())
        .build_below_fieldless(&globals().asyncio.buffered_protocol, &CLASS)
}
