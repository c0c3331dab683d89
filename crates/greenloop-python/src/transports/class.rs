//! The class `SocketTransport` as Python sees it: its methods and its attributes.
//!
//! It derives from asyncio's `_FlowControlMixin`, so that `isinstance` holds and methods replaced
//! on asyncio's base classes take effect. It has the attributes of asyncio's own transport, with
//! their underscores: libraries and asyncio itself read them.

use greenloop_cpython::making::{ByName as _, IntoObject as _};
use greenloop_cpython::{
    Arguments, Attribute, Method, Object, Result, attached, attribute, class_below_slots, fast,
    noargs, one, readonly,
};

use super::{
    CLASS, Instance, TransportRef, closing, coalescing, flow_control, foreign, reading, writing,
};
use crate::asyncio::globals;

/// The methods that asyncio's own class provides: none is on a hot path, and all have the messages
/// of the running version.
const ASYNCIOS_OWN: [&str; 3] = ["__repr__", "_make_empty_waiter", "_reset_empty_waiter"];

/// The attributes by which asyncio knows to which of its methods a transport may be passed.
const MARKS: [&str; 2] = ["_start_tls_compatible", "_sendfile_compatible"];

/// `_extra`: its reader may be about to write past the transport.
fn extra(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    coalescing::push(transport);
    Ok(transport.extra.get_or_none())
}

fn set_extra(this: &TransportRef, value: Option<&Object>) -> Result<()> {
    let extra = value.cloned().unwrap_or_else(Object::none);
    this.get().extra.set(extra);
    Ok(())
}

fn empty_waiter(this: &TransportRef) -> Result<Object> {
    Ok(this.get().empty_waiter.get_or_none())
}

fn set_empty_waiter(this: &TransportRef, value: Option<&Object>) -> Result<()> {
    let waiter = value.filter(|value| !value.is_none()).cloned();
    this.get().empty_waiter.set_optional(waiter);
    Ok(())
}

fn write(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    writing::write(this, arguments.single(c"write", &globals().names.data)?)
}

#[cfg(Py_3_12)]
fn writelines(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let lines = arguments.single(c"writelines", &globals().names.list_of_data)?;
    writing::writelines(this, lines)
}

fn set_protocol(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let protocol = arguments.single(c"set_protocol", &globals().names.protocol)?;
    reading::set_protocol(this, protocol)?;
    Ok(Object::none())
}

fn writing_methods() -> Vec<Method<Instance>> {
    vec![
        fast(
            c"write",
            write,
            c"write($self, /, data)\n--\n\n\
              Write a bytes-like object without blocking: what the socket does not take is \
              buffered.",
        ),
        #[cfg(Py_3_12)]
        fast(
            c"writelines",
            writelines,
            c"writelines($self, /, list_of_data)\n--\n\n\
              Write each of an iterable of bytes-like objects.",
        ),
        noargs(
            c"write_eof",
            writing::write_eof,
            c"Close the write end of the connection after flushing the write buffer.",
        ),
        noargs(
            c"can_write_eof",
            writing::can_write_eof,
            c"Return True: the write end can be closed alone.",
        ),
        noargs(
            c"get_write_buffer_size",
            writing::get_write_buffer_size,
            c"Return the size of the write buffer in bytes.",
        ),
        noargs(
            c"_write_ready",
            writing::write_ready_method,
            c"Send buffered data; called when the socket is writable.",
        ),
        noargs(
            c"_maybe_pause_protocol",
            flow_control::maybe_pause_method,
            c"Call pause_writing() if the write buffer exceeds its high-water mark.",
        ),
        noargs(
            c"_maybe_resume_protocol",
            flow_control::maybe_resume_method,
            c"Call resume_writing() if the write buffer is no longer above its low-water mark.",
        ),
    ]
}

fn methods() -> Vec<Method<Instance>> {
    vec![
        noargs(
            c"_read_ready",
            reading::read_ready_method,
            c"Receive data; called when the socket is readable.",
        ),
        fast(
            c"_add_reader",
            reading::add_reader,
            c"Start receiving: watch the socket for readability.",
        ),
        noargs(
            c"is_reading",
            reading::is_reading,
            c"Return whether the transport is receiving.",
        ),
        noargs(
            c"pause_reading",
            reading::pause_reading,
            c"Pause receiving: the protocol gets no data until resume_reading().",
        ),
        noargs(
            c"resume_reading",
            reading::resume_reading,
            c"Resume receiving after pause_reading().",
        ),
        fast(
            c"set_protocol",
            set_protocol,
            c"set_protocol($self, /, protocol)\n--\n\n\
              Set the protocol whose methods are called from now on.",
        ),
        noargs(
            c"get_protocol",
            reading::get_protocol,
            c"Return the current protocol.",
        ),
        noargs(
            c"close",
            closing::close,
            c"Close the connection after flushing the write buffer.",
        ),
        noargs(
            c"abort",
            closing::abort,
            c"Close the connection immediately; buffered data is lost.",
        ),
        noargs(
            c"is_closing",
            closing::is_closing,
            c"Return whether the transport is closing or closed.",
        ),
        one(
            c"_force_close",
            closing::force_close,
            c"Close the connection immediately, because of an exception.",
        ),
        fast(
            c"_fatal_error",
            closing::fatal_error_method,
            c"Report an exception and close the connection immediately.",
        ),
        one(
            c"_call_connection_lost",
            closing::call_connection_lost,
            c"Call the protocol's connection_lost() and close the socket.",
        ),
    ]
}

/// Attributes that show what a field holds.
fn fields() -> Vec<Attribute<Instance>> {
    vec![
        readonly(c"_loop", |this: &TransportRef| {
            Ok(this.get().event_loop.get_or_none())
        }),
        readonly(c"_sock_fd", |this: &TransportRef| {
            this.get().number.get().into_object()
        }),
        readonly(c"_protocol", reading::get_protocol),
        readonly(c"_protocol_connected", |this: &TransportRef| {
            Ok(Object::boolean(this.get().protocol_connected.get()))
        }),
        readonly(c"_eof", |this: &TransportRef| {
            Ok(Object::boolean(this.get().eof.get()))
        }),
        readonly(c"_conn_lost", |this: &TransportRef| {
            this.get().lost.get().into_object()
        }),
        readonly(c"_paused", |this: &TransportRef| {
            Ok(Object::boolean(this.get().paused.get()))
        }),
        readonly(c"_server", |this: &TransportRef| {
            Ok(this.get().server.get_or_none())
        }),
        #[cfg(Py_3_15)]
        readonly(c"_context", |this: &TransportRef| {
            Ok(this.get().context.get_or_none())
        }),
    ]
}

fn attributes() -> Vec<Attribute<Instance>> {
    vec![
        attribute(c"max_size", reading::max_size, reading::set_max_size)
            .documented(c"The greatest number of bytes that one read asks for."),
        attribute(c"_sock", foreign::socket, foreign::set_socket),
        readonly(c"_read_ready_cb", foreign::read_ready_callback),
        readonly(c"_protocol_paused", flow_control::is_paused),
        attribute(
            c"_high_water",
            flow_control::high_water,
            flow_control::set_high_water,
        ),
        attribute(
            c"_low_water",
            flow_control::low_water,
            flow_control::set_low_water,
        ),
        readonly(c"_buffer", writing::buffer),
        #[cfg(Py_3_15)]
        readonly(c"_buffer_size", writing::get_write_buffer_size),
        readonly(c"_closing", closing::is_closing),
        attribute(c"_extra", extra, set_extra),
        attribute(c"_empty_waiter", empty_waiter, set_empty_waiter),
    ]
}

/// Makes the class of this room.
pub fn make_classes() -> Result<()> {
    let base = &globals().asyncio.flow_control;
    class_below_slots(c"greenloop._native.SocketTransport")
        .doc(c"A connection over TCP or a Unix socket; see asyncio.Transport.")
        .methods(writing_methods())
        .methods(methods())
        .attributes(fields())
        .attributes(attributes())
        .build_below_slots(base, &CLASS)?;
    adopt(&CLASS.object())
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
