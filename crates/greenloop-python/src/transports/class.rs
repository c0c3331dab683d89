//! The class `SocketTransport` as Python sees it: its methods and its attributes.
//!
//! It derives from asyncio's `_FlowControlMixin`, so that `isinstance` holds and methods replaced
//! on asyncio's base classes take effect. It has the attributes of asyncio's own transport, with
//! their underscores: libraries and asyncio itself read them.
//!
//! The table of methods is in two parts, for writing and for the rest, and so is that of
//! attributes: those which only show a field, and those with a function. Where asyncio's attribute
//! is read only in practice, ours is: assigning to it raises `AttributeError` instead of taking no
//! effect.

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
/// of the running version. They use the attributes below.
const ASYNCIOS_OWN: [&str; 3] = ["__repr__", "_make_empty_waiter", "_reset_empty_waiter"];

/// The attributes by which asyncio knows to which of its methods a transport may be passed.
/// `loop.start_tls` and `loop.sendfile` look at them.
const MARKS: [&str; 2] = ["_start_tls_compatible", "_sendfile_compatible"];

/// `_extra`: its reader may be about to write past the transport. `get_extra_info("socket")` is the
/// usual way to the socket itself, so delayed bytes are pushed out first.
fn extra(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    coalescing::push(transport);
    Ok(transport.extra.get_or_none())
}

/// Sets `_extra`; a deletion makes it None.
fn set_extra(this: &TransportRef, value: Option<&Object>) -> Result<()> {
    let extra = value.cloned().unwrap_or_else(Object::none);
    this.get().extra.set(extra);
    Ok(())
}

/// `_empty_waiter`: the future for which a `sendfile` past the transport waits, or None.
fn empty_waiter(this: &TransportRef) -> Result<Object> {
    Ok(this.get().empty_waiter.get_or_none())
}

/// asyncio's `_make_empty_waiter` and `_reset_empty_waiter` set it. While there is one, writing is
/// refused.
fn set_empty_waiter(this: &TransportRef, value: Option<&Object>) -> Result<()> {
    let waiter = value.filter(|value| !value.is_none()).cloned();
    this.get().empty_waiter.set_optional(waiter);
    Ok(())
}

/// `transport.write(data)`, with `data` by place or by name.
fn write(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    writing::write(this, arguments.single(c"write", &globals().names.data)?)
}

/// `transport.writelines(list_of_data)`. On 3.11 the inherited method joins the lines and calls
/// `write`.
#[cfg(Py_3_12)]
fn writelines(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let lines = arguments.single(c"writelines", &globals().names.list_of_data)?;
    writing::writelines(this, lines)
}

/// `transport.set_protocol(protocol)`: it applies from the next call of the protocol on.
fn set_protocol(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let protocol = arguments.single(c"set_protocol", &globals().names.protocol)?;
    reading::set_protocol(this, protocol)?;
    Ok(Object::none())
}

/// The methods by which data is written, and those of flow control.
fn writing_methods() -> Vec<Method<Instance>> {
    vec![
        fast(
            c"write",
            write,
            c"write($self, /, data)\n--\n\n\
              Write a bytes-like object without blocking: what the socket does not take is \
              buffered.\n\n\
              Raise TypeError for other objects, and RuntimeError after write_eof(). An error of \
              the network is reported to the protocol's connection_lost().",
        ),
        #[cfg(Py_3_12)]
        fast(
            c"writelines",
            writelines,
            c"writelines($self, /, list_of_data)\n--\n\n\
              Write each of an iterable of bytes-like objects.\n\n\
              They are sent in order, by one system call if there is room.",
        ),
        noargs(
            c"write_eof",
            writing::write_eof,
            c"Close the write end of the connection after flushing the write buffer.\n\n\
              The transport still receives. Writing raises RuntimeError from now on.",
        ),
        noargs(
            c"can_write_eof",
            writing::can_write_eof,
            c"Return True: the write end can be closed alone.",
        ),
        noargs(
            c"get_write_buffer_size",
            writing::get_write_buffer_size,
            c"Return the size of the write buffer in bytes.\n\n\
              It does not count what the system has taken and not sent yet.",
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

/// All others. Those with an underscore are called by asyncio's own functions, by its tests, and by
/// libraries.
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
            c"Pause receiving: the protocol gets no data until resume_reading().\n\n\
              The peer is held up when the buffers of the system are full. The end of the stream \
              is not noticed meanwhile.",
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
              Set the protocol whose methods are called from now on.\n\n\
              Neither connection_made() of the new nor connection_lost() of the old one is \
              called.",
        ),
        noargs(
            c"get_protocol",
            reading::get_protocol,
            c"Return the current protocol.",
        ),
        noargs(
            c"close",
            closing::close,
            c"Close the connection after flushing the write buffer.\n\n\
              Nothing is received any more. The protocol's connection_lost() is called in a later \
              turn of the loop, with None if nothing went wrong.",
        ),
        noargs(
            c"abort",
            closing::abort,
            c"Close the connection immediately; buffered data is lost.\n\n\
              The protocol's connection_lost() is called with None in the next turn of the loop.",
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

/// Attributes with a function behind them. asyncio's `_make_empty_waiter` reads `_buffer`, and its
/// `set_write_buffer_limits` sets the water marks.
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

/// Puts asyncio's own functions and marks into the class. The functions are put there as they are,
/// so that their messages are those of the running version.
fn adopt(class: &Object) -> Result<()> {
    let py = attached();
    let class = class.bound(py);
    let theirs = globals().asyncio.socket_transport.bound(py);
    for name in ASYNCIOS_OWN.into_iter().chain(MARKS) {
        class.put(name, theirs.look_up(name)?)?;
    }
    Ok(())
}
