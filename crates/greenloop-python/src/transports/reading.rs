//! Reading: one receive for each time the descriptor is readable, and the delivery to the protocol.
//!
//! It does not receive until nothing is left: the last receive would mostly find nothing, which
//! costs half as much as finding something, and the poller reports the rest again. Nor may one
//! connection keep the others waiting.
//!
//! ```text
//!                 _add_reader, resume_reading
//!   not reading ─────────────────────────────► reading ──┐ readable: one recv(2), then
//!        ▲                                      │   ▲    │ data_received / buffer_updated
//!        │  pause_reading, close, end of stream │   └────┘ / eof_received
//!        └──────────────────────────────────────┘
//! ```
//! There are three ways for the bytes, chosen by the kind of protocol: a `bytes` object for
//! `data_received`, the protocol's own buffer for `get_buffer` and `buffer_updated` (a
//! `BufferedProtocol`), and the loop's buffer, lent to TLS. In each of them an exception of the
//! protocol's is fatal to the connection, as in asyncio.

use greenloop_cpython::making::IntoObject as _;
use greenloop_cpython::{
    Arguments, Buffer, ExceptionClass, FilledBytes, Native, Object, Raised, Result, attached,
    clear, fetch, raise,
};
use greenloop_os::socket;
use pyo3::prelude::*;

use super::receiving::is_none_yet;
use super::{
    SocketTransport, TransportRef, closing, handle_for, in_context, log_in_debug_mode, owner,
};
use crate::asyncio::globals;
use crate::event_loop::{EventLoop, Side, os_error};
use crate::handle::leaves_the_loop;
use crate::scheduler::{NativeListener, Reaction};
use crate::{streams, tls};

/// The limit of `max_size`: a request for 1 GiB at once can only be a mistake.
///
/// [`set_max_size`] takes it in place of a larger number.
const MOST_RECEIVED: usize = 1 << 30;

/// A queued job whose generation is old does nothing: reading was paused, stopped or begun anew
/// since it was queued, as asyncio cancels the handle then.
static REACTION: Reaction = Reaction {
    react: |this, generation| {
        let this = owner(this)?;
        let transport = this.get();
        if transport.reading_generation.get() != generation {
            return Ok(());
        }
        let context = transport.reading_context.get_or_none();
        let name = &globals().names.read_ready;
        if in_context(&context, this, name, read_ready)? {
            if let Some(event_loop) = transport.event_loop() {
                EventLoop::native_part(&event_loop).settle();
            }
        }
        Ok(())
    },
    handle: |this| {
        let this = owner(this)?;
        let context = &this.get().reading_context;
        handle_for(this, &globals().names.read_ready, context)
    },
    is_due: None,
};

/// `_read_ready()`: the descriptor is readable. Returns whether all was received that there is, and
/// no code but ours has run. Only in that case may the next turn go without a poll.
///
/// # Errors
/// Only exceptions that leave the loop, or of an exception handler.
fn read_ready(this: &TransportRef) -> Result<bool> {
    let transport = this.get();
    if transport.lost.get() > 0 {
        return Ok(false);
    }
    if transport.buffered.get() {
        let protocol = transport.protocol.get_or_none();
        if let Some(protocol) = tls::PROTOCOL.plain(&protocol) {
            if !transport.is_foreign() {
                return receive_for_tls(this, protocol).map(|()| false);
            }
        }
        fill_protocols_buffer(this).map(|()| false)
    } else {
        receive_bytes(this)
    }
}

/// Hands the protocol a bytes object of exactly the received bytes. Returns the same as
/// [`read_ready`]. Our own stream protocol is called directly, without a method call, unless a
/// program has replaced its `data_received`.
fn receive_bytes(this: &TransportRef) -> Result<bool> {
    let transport = this.get();
    let Some(event_loop) = transport.event_loop() else {
        return Ok(false);
    };
    let outcome = receive(transport, EventLoop::native_part(&event_loop));
    drop(event_loop);
    let message = "Fatal read error on socket transport";
    let Some(Some(data)) = unless_fatal(this, outcome, message)? else {
        return Ok(false);
    };
    if !data.has_content()? {
        return end_of_stream(this).map(|()| false);
    }
    let protocol = transport.protocol.get_or_none();
    let called = if let Some(protocol) = streams::PROTOCOL.plain(&protocol) {
        streams::data_received(protocol, &data)
    } else {
        let name = &globals().names.data_received;
        protocol.invoke(name, [&data]).map(|_| false)
    };
    if data.has_room() {
        // The protocol may have closed the connection.
        let event_loop = transport.event_loop();
        let native = event_loop.as_ref().map(EventLoop::native_part);
        transport.reuse(native, data);
    }
    let message = "Fatal error: protocol.data_received() call failed.";
    let natively = unless_fatal(this, called, message)?.unwrap_or(false);
    // Over Unix sockets a read ends behind bytes that came with descriptors, even if more follow.
    let all =
        transport.receive_size.get().was_short() && transport.is_tcp() && !transport.is_foreign();
    Ok(natively && all)
}

/// The bytes that have come, or `None` if there are none yet.
///
/// # Errors
/// The `OSError` of `recv(2)`, for instance `ConnectionResetError`.
#[inline]
fn receive(transport: &SocketTransport, native: &EventLoop) -> Result<Option<FilledBytes>> {
    if transport.is_foreign() {
        let received = transport.receive_by_name();
        return received.map(|data| data.map(FilledBytes::from));
    }
    match transport.receive_bytes(native) {
        Ok(data) => data.map(Some),
        Err(error) if is_none_yet(&error) => Ok(None),
        Err(error) => Err(os_error(&error)),
    }
}

/// Hands the received bytes to a TLS protocol, which copies them into its BIO. The copy into the
/// BIO happens while the buffer is lent, and decrypting after it was returned: that calls the
/// application, which may receive on another connection in a nested loop.
fn receive_for_tls(this: &TransportRef, protocol: &Native<tls::SslProtocol>) -> Result<()> {
    let transport = this.get();
    let Some(event_loop) = transport.event_loop() else {
        return Ok(());
    };
    let native = EventLoop::native_part(&event_loop);
    let (descriptor, most) = (transport.descriptor(), transport.max_size.get());
    let mut fed = Ok(());
    let received = native.receive_lent(most, |memory| {
        let bytes = socket::receive(descriptor, memory)?;
        if !bytes.is_empty() {
            fed = tls::feed(protocol, bytes);
        }
        Ok(bytes.len())
    });
    let received = match received {
        Ok(count) => Ok(Some(count)),
        Err(error) if is_none_yet(&error) => Ok(None),
        Err(error) => Err(os_error(&error)),
    };
    let message = "Fatal read error on socket transport";
    let Some(Some(count)) = unless_fatal(this, received, message)? else {
        return Ok(());
    };
    if count == 0 {
        return end_of_stream(this);
    }
    let done = fed.and_then(|()| tls::received(protocol));
    unless_fatal(
        this,
        done,
        "Fatal error: protocol.buffer_updated() call failed.",
    )?;
    Ok(())
}

/// Receives into the buffer that a `BufferedProtocol` gives. `get_buffer`, `recv(2)` and
/// `buffer_updated` in this order, all in this job. The buffer is released before the last, so that
/// the protocol may resize it.
fn fill_protocols_buffer(this: &TransportRef) -> Result<()> {
    let transport = this.get();
    let protocol = transport.protocol.get_or_none();
    let given = protocols_buffer(&protocol);
    let message = "Fatal error: protocol.get_buffer() call failed.";
    let Some(buffer) = unless_fatal(this, given, message)? else {
        return Ok(());
    };
    let received = receive_into(transport, &buffer);
    let message = "Fatal read error on socket transport";
    let Some(Some(count)) = unless_fatal(this, received, message)? else {
        return Ok(());
    };
    if count == 0 {
        return end_of_stream(this);
    }
    let names = &globals().names;
    let count = count.into_object()?;
    let called = protocol.invoke(&names.buffer_updated, [&count]);
    unless_fatal(
        this,
        called,
        "Fatal error: protocol.buffer_updated() call failed.",
    )?;
    Ok(())
}

/// The buffer of a `BufferedProtocol`, asked for without a hint of its size. An empty one is
/// refused. asyncio passes -1 as the hint, which means that any size is welcome.
///
/// # Errors
/// What `get_buffer` raises, and `RuntimeError` for an empty buffer.
fn protocols_buffer(protocol: &Object) -> Result<Object> {
    let globals = globals();
    let buffer = protocol.invoke(&globals.names.get_buffer, [&globals.minus_one])?;
    if buffer.size()? == 0 {
        let class = ExceptionClass::RuntimeError;
        return Err(raise(class, c"get_buffer() returned an empty buffer"));
    }
    Ok(buffer)
}

/// How many bytes were received into `buffer`; `None` if there is nothing yet.
///
/// # Errors
/// `OSError`, or the exception about an object that is no writable buffer.
fn receive_into(transport: &SocketTransport, buffer: &Object) -> Result<Option<usize>> {
    if transport.is_foreign() {
        return transport.receive_into_by_name(buffer);
    }
    let outcome = match Buffer::writable(buffer) {
        Ok(mut memory) => memory.receive(transport.descriptor()),
        Err(raised) => return Err(not_a_buffer(raised, transport, buffer)),
    };
    match outcome {
        Ok(count) => Ok(Some(count)),
        Err(error) if is_none_yet(&error) => Ok(None),
        Err(error) => Err(os_error(&error)),
    }
}

/// The exception for an object that cannot be received into, as the socket's own method words it.
#[cold]
fn not_a_buffer(raised: Raised, transport: &SocketTransport, buffer: &Object) -> Raised {
    clear(raised);
    let socket = transport.socket();
    match socket.invoke(&globals().names.recv_into, [buffer]) {
        Err(raised) => raised,
        Ok(_) => raise(
            ExceptionClass::BufferError,
            c"the buffer of the protocol cannot be received into",
        ),
    }
}

/// The peer will send no more. A true answer of `eof_received` keeps the connection half open: the
/// protocol may write, and has to close it itself. A false one, such as None, closes it after what
/// is pending.
fn end_of_stream(this: &TransportRef) -> Result<()> {
    log_in_debug_mode(this, "%r received EOF")?;
    let transport = this.get();
    let protocol = transport.protocol.get_or_none();
    let called = protocol.invoke(&globals().names.eof_received, []);
    let message = "Fatal error: protocol.eof_received() call failed.";
    let Some(keep_open) = unless_fatal(this, called, message)? else {
        return Ok(());
    };
    if keep_open.is_true()? {
        // The protocol may go on writing, but there is nothing more to report.
        transport.stop_reading(this);
        Ok(())
    } else {
        closing::close(this).map(drop)
    }
}

/// The value, or `None` if there was an error instead, which ends the connection. Exceptions that
/// end the whole program are returned. The message is asyncio's for that place, and goes to the
/// exception handler with the exception.
fn unless_fatal<T>(this: &TransportRef, outcome: Result<T>, message: &str) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(raised) if leaves_the_loop() => Err(raised),
        Err(raised) => {
            closing::fatal_error(this, &fetch(raised), message)?;
            Ok(None)
        }
    }
}

impl SocketTransport {
    /// Whether the protocol is notified of incoming bytes. It does not say that the transport is
    /// registered: between the constructor and `_add_reader` it is not.
    fn is_reading(&self) -> bool {
        !self.closing.get() && !self.paused.get()
    }

    /// Registers the transport as the listener of its socket, with a new generation: jobs of an
    /// earlier registration do nothing from now on.
    ///
    /// # Errors
    /// `OSError` if the poller refuses the descriptor, `RuntimeError` if the loop is closed.
    fn start_reading(&self, this: &TransportRef) -> Result<()> {
        let Some(event_loop) = self.event_loop().filter(|_| self.is_reading()) else {
            return Ok(());
        };
        self.reading_context.set(self.context_now()?);
        let generation = self.reading_generation.get().wrapping_add(1);
        self.reading_generation.set(generation);
        let listener = NativeListener {
            reaction: &REACTION,
            owner: Object::clone(this),
            generation,
        };
        EventLoop::native_part(&event_loop).listen(self.descriptor(), Side::Reader, listener)
    }

    /// Ends the registration, and invalidates the jobs that are queued for it. It cannot fail, so
    /// it may be called at any time, and twice. A listener that has taken the descriptor over is
    /// left alone.
    pub(super) fn stop_reading(&self, this: &TransportRef) {
        let generation = self.reading_generation.get().wrapping_add(1);
        self.reading_generation.set(generation);
        if let Some(event_loop) = self.event_loop() {
            EventLoop::native_part(&event_loop).stop_listening(
                self.number.get(),
                Side::Reader,
                this,
            );
        }
    }
}

/// The method `_read_ready`, for code that runs it by hand.
pub fn read_ready_method(this: &TransportRef) -> Result<Object> {
    read_ready(this)?;
    Ok(Object::none())
}

/// `_add_reader(…)`: starts to read, unless that was forbidden meanwhile. The arguments, a
/// descriptor and a callback, are asyncio's, and not needed here.
pub fn add_reader(this: &TransportRef, _: Arguments<'_>) -> Result<Object> {
    this.get().start_reading(this)?;
    Ok(Object::none())
}

/// `is_reading()`: false once the transport is paused or closing.
pub fn is_reading(this: &TransportRef) -> Result<Object> {
    Ok(Object::boolean(this.get().is_reading()))
}

/// `pause_reading()`. A paused transport is not registered, so the kernel holds the peer up. Bytes
/// that were received already are delivered by then, so no data comes after this call. On a
/// transport that is paused or closing it does nothing.
pub fn pause_reading(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    if transport.is_reading() {
        transport.paused.set(true);
        transport.stop_reading(this);
        log_in_debug_mode(this, "%r pauses reading")?;
    }
    Ok(Object::none())
}

/// `resume_reading()`, which registers the transport again. Data that waits in the kernel is
/// reported in the next turn, since a new registration reports the present state.
///
/// # Errors
/// As for [`SocketTransport::start_reading`].
pub fn resume_reading(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    if !transport.closing.get() && transport.paused.get() {
        transport.paused.set(false);
        transport.start_reading(this)?;
        log_in_debug_mode(this, "%r resumes reading")?;
    }
    Ok(Object::none())
}

/// `set_protocol(protocol)`: which kind it is is looked at here, once. A class that is made a
/// `BufferedProtocol` later is not noticed, as with asyncio.
///
/// # Errors
/// What the attribute `__class__` of the protocol raises.
pub fn set_protocol(this: &TransportRef, protocol: &Object) -> Result<()> {
    let transport = this.get();
    let class = &globals().asyncio.buffered_protocol;
    transport.buffered.set(protocol.is_instance(class)?);
    transport.protocol.set(protocol.clone());
    transport.protocol_connected.set(true);
    Ok(())
}

/// `get_protocol()`: the present protocol, or None after the end.
pub fn get_protocol(this: &TransportRef) -> Result<Object> {
    Ok(this.get().protocol.get_or_none())
}

/// `max_size`: how many bytes one receive takes at most.
pub fn max_size(this: &TransportRef) -> Result<Object> {
    let size = this.get().max_size.get();
    size.into_object()
}

/// Sets `max_size`, the bytes that one receive takes at most. The next receive uses it. A larger
/// number than 1 GiB counts as that.
///
/// # Errors
/// `TypeError` for anything but an int, `OverflowError` for a negative one.
pub fn set_max_size(this: &TransportRef, value: Option<&Object>) -> Result<()> {
    let py = attached();
    let value = value.cloned().unwrap_or_else(Object::none);
    let size: usize = value.bound(py).extract()?;
    this.get().max_size.set(size.min(MOST_RECEIVED));
    Ok(())
}
