//! `SSLProtocol`: the state of a TLS connection, its transport and its application's protocol.
//!
//! It stands between two transports. To the one below it is the protocol that receives; to the one
//! above, the application's, it is the connection that all methods act on. The functions of the
//! other files take it as an object, `this`, since most need the object itself for callbacks and
//! messages.

use std::cell::Cell;

use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Class, ExceptionClass, Held, Native, NativeSlot, Object, Result, Slot, Visited, Visitor,
    attached, is_of_class, raise, visit_slots,
};
use pyo3::prelude::*;

use super::backlog::Backlog;
use super::direction::Direction;
use super::engine::{self, Engine};
use super::state::{ApplicationState, State};
use super::transport::{self, SslTransport, TransportRef};
use crate::asyncio::edition::edition;
use crate::asyncio::{globals, is_cancellation};
use crate::transports;

/// The number of bytes that asyncio asks the ssl object for at once.
const MAX_SIZE: usize = 256 * 1024;

/// The class.
pub static CLASS: Class<SslProtocol> = Class::new();

/// The fields of an `SSLProtocol`.
pub struct SslProtocol {
    /// Any loop: its methods are called by name.
    pub event_loop: Slot,
    /// The application's protocol, until the connection is lost.
    pub app_protocol: Slot,
    /// The transport that the application writes to, until the connection is lost.
    pub app_transport: NativeSlot<SslTransport>,
    /// The transport below, from `connection_made` to `connection_lost`.
    pub transport: Slot,
    /// The `ssl.SSLContext`.
    pub context: Slot,
    /// The dict of `get_extra_info`.
    pub extra: Slot,
    /// The waiter for the handshake. It is released as soon as it has its result, so that an
    /// exception in it does not keep the connection alive.
    pub waiter: Slot,
    /// None for a server.
    pub server_hostname: Slot,
    /// The two timeouts, in seconds, as they were given.
    pub handshake_timeout: Slot,
    pub shutdown_timeout: Slot,
    /// The timers that they have set. Handles of `call_later`; each is cancelled and dropped when
    /// its phase is over.
    pub handshake_timer: Slot,
    pub shutdown_timer: Slot,
    /// In debug mode, when the handshake began.
    pub handshake_start: Slot,
    /// The methods of the application's `BufferedProtocol`.
    pub get_buffer: Slot,
    pub buffer_updated: Slot,
    /// The buffer that a transport of another class receives into: a memoryview, made when it asks
    /// for it.
    pub own_buffer: Slot,
    /// The ssl object and the two BIOs.
    pub engine: Engine,
    /// What the application has written and the ssl object has not taken.
    pub backlog: Backlog,
    /// The encrypted bytes that wait for the application. Paused while the transport below is to
    /// receive nothing.
    pub incoming_flow: Direction,
    /// The bytes that wait for the transport below. Paused between `pause_writing` and
    /// `resume_writing` of the application's protocol.
    pub outgoing_flow: Direction,
    /// Only [`switch_to`](Self::switch_to) changes it.
    pub state: Cell<State>,
    pub app_state: Cell<ApplicationState>,
    /// How often the connection was lost or written to after its end.
    pub lost: Cell<u64>,
    pub server_side: Cell<bool>,
    /// Set once the application's transport was made, of which there is one.
    pub app_transport_created: Cell<bool>,
    /// Whether the application's protocol is a `BufferedProtocol`.
    pub buffered: Cell<bool>,
    /// Set if the ssl object holds the beginning of a record whose rest has not come. The number of
    /// waiting bytes is no bound for a record then.
    pub mid_record: Cell<bool>,
    /// Set by the end of the stream below.
    pub eof_received: Cell<bool>,
    /// Set between `pause_writing` and `resume_writing` of the transport below.
    pub writing_paused: Cell<bool>,
    /// Set between `pause_reading` and `resume_reading` by the application.
    pub app_reading_paused: Cell<bool>,
    /// How many bytes are read at once at most.
    pub max_size: Cell<usize>,
}

// SAFETY: the slots, the transport's, the engine's and the chunks of the backlog are all different
// references.
unsafe impl Held for SslProtocol {
    fn new() -> Self {
        Self {
            event_loop: Slot::empty(),
            app_protocol: Slot::empty(),
            app_transport: NativeSlot::empty(),
            transport: Slot::empty(),
            context: Slot::empty(),
            extra: Slot::empty(),
            waiter: Slot::empty(),
            server_hostname: Slot::empty(),
            handshake_timeout: Slot::empty(),
            shutdown_timeout: Slot::empty(),
            handshake_timer: Slot::empty(),
            shutdown_timer: Slot::empty(),
            handshake_start: Slot::empty(),
            get_buffer: Slot::empty(),
            buffer_updated: Slot::empty(),
            own_buffer: Slot::empty(),
            engine: Engine::new(),
            backlog: Backlog::new(),
            incoming_flow: Direction::new(),
            outgoing_flow: Direction::new(),
            state: Cell::new(State::Unwrapped),
            app_state: Cell::new(ApplicationState::New),
            lost: Cell::new(0),
            server_side: Cell::new(false),
            app_transport_created: Cell::new(false),
            buffered: Cell::new(false),
            mid_record: Cell::new(false),
            eof_received: Cell::new(false),
            writing_paused: Cell::new(false),
            app_reading_paused: Cell::new(false),
            max_size: Cell::new(MAX_SIZE),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.app_transport.visit(visitor)?;
        engine::visit(&self.engine, visitor)?;
        self.backlog.visit(visitor)
    }

    fn clear(&self) {
        for slot in self.slots().chain(self.engine.slots()) {
            slot.clear();
        }
        self.app_transport.clear();
        self.backlog.clear();
    }
}

impl SslProtocol {
    /// The fields that hold any object, for the collector.
    fn slots(&self) -> impl Iterator<Item = &Slot> {
        let own = [
            &self.event_loop,
            &self.app_protocol,
            &self.transport,
            &self.context,
            &self.extra,
            &self.waiter,
            &self.server_hostname,
            &self.handshake_timeout,
            &self.shutdown_timeout,
            &self.handshake_timer,
            &self.shutdown_timer,
            &self.handshake_start,
            &self.get_buffer,
            &self.buffer_updated,
            &self.own_buffer,
        ];
        own.into_iter()
            .chain(self.incoming_flow.slots())
            .chain(self.outgoing_flow.slots())
    }

    /// Goes on to the next state.
    ///
    /// # Errors
    /// `RuntimeError` for a transition that the diagram does not have.
    pub fn switch_to(&self, next: State) -> Result<()> {
        self.state.set(self.state.get().switched_to(next)?);
        Ok(())
    }

    /// Marks the application's transport as closed. Its `is_closing` is true from now on, and its
    /// finaliser warns of nothing.
    pub fn close_app_transport(&self) {
        if let Some(transport) = self.app_transport.get() {
            transport.get().closed.set(true);
        }
    }

    /// `loop.call_soon(callback, *arguments)`: the callback is the first of `call`.
    ///
    /// # Errors
    /// `RuntimeError` if the loop is closed.
    pub fn call_soon<const N: usize>(&self, call: [&Object; N]) -> Result<()> {
        let event_loop = self.event_loop.get_or_none();
        event_loop
            .invoke(&globals().names.call_soon, call)
            .map(drop)
    }

    /// `loop.call_later(seconds, this.name)`
    ///
    /// The method is looked up now. The handle is returned, for [`cancel_timer`].
    pub fn call_later(&self, this: &Object, seconds: &Slot, name: &Object) -> Result<Object> {
        let event_loop = self.event_loop.get_or_none();
        let (seconds, callback) = (seconds.get_or_none(), this.attribute(name)?);
        event_loop.invoke(&globals().names.call_later, [&seconds, &callback])
    }

    /// `loop.get_debug()`
    ///
    /// # Errors
    /// What the method raises.
    pub fn debug(&self) -> Result<bool> {
        let event_loop = self.event_loop.get_or_none();
        event_loop.invoke(&globals().names.get_debug, [])?.is_true()
    }

    /// Writes to the transport below. One of ours is written to without a method call, so long as
    /// nothing of it was replaced.
    ///
    /// # Errors
    /// What `write` raises; an error of the system does not come here but ends the transport.
    #[inline]
    pub fn write_below(&self, data: &Object) -> Result<()> {
        let transport = self.transport.get_or_none();
        if let Some(native) = transports::native(&transport) {
            return transports::write(native, data).map(drop);
        }
        self.tell_below(&globals().names.write, [data])
    }

    /// Calls a method of the transport below, which is None when there is none.
    ///
    /// # Errors
    /// What the method raises, or `AttributeError` on None.
    pub fn tell_below<const N: usize>(&self, name: &Object, arguments: [&Object; N]) -> Result<()> {
        let transport = self.transport.get_or_none();
        transport.invoke(name, arguments).map(drop)
    }

    /// Ends the connection below at once, if there is one.
    pub fn force_close_below(&self, exception: &Object) -> Result<()> {
        if self.transport.is_empty() {
            return Ok(());
        }
        self.tell_below(&globals().names.force_close, [exception])
    }
}

/// `_wakeup_waiter(exception)`: notifies the waiter for the handshake that it is over. A waiter
/// that was cancelled is left alone. It is called at most once with effect.
pub fn wake_waiter(this: &Native<SslProtocol>, exception: Option<&Object>) -> Result<()> {
    let protocol = this.get();
    let names = &globals().names;
    let Some(waiter) = protocol.waiter.get() else {
        return Ok(());
    };
    if !waiter.invoke(&names.cancelled, [])?.is_true()? {
        let none = Object::none();
        let (name, argument) = match exception {
            Some(exception) => (&names.set_exception, exception),
            None => (&names.set_result, &none),
        };
        waiter.invoke(name, [argument])?;
    }
    protocol.waiter.clear();
    Ok(())
}

/// Cancels a timer that was set. The slot is emptied first, so that a second call does nothing.
pub fn cancel_timer(timer: &Slot) -> Result<()> {
    match timer.take() {
        Some(timer) => timer.invoke(&globals().names.cancel, []).map(drop),
        None => Ok(()),
    }
}

/// `_fatal_error(exception, message)`: the connection ends at once. The application gets an error
/// of the network by `connection_lost`; any other is a mistake in the program and reported. A
/// cancellation is neither: it is dropped.
pub fn fatal_error(this: &Native<SslProtocol>, exception: &Object, message: &str) -> Result<()> {
    let protocol = this.get();
    protocol.force_close_below(exception)?;
    if is_of_class(exception, ExceptionClass::OSError) {
        if protocol.debug()? {
            let py = attached();
            let keywords = making::dict(py)?;
            keywords.enter("exc_info", exception.bound(py))?;
            let arguments = ("%r: %s", this.bound(py), message);
            logger(py)?
                .look_up(c"debug")?
                .invoke_with(arguments, &keywords)?;
        }
        return Ok(());
    }
    if is_cancellation(exception) {
        return Ok(());
    }
    report(this, message, exception, &protocol.transport.get_or_none())
}

/// Tells the loop's exception handler that something of the connection's has raised. The
/// `transport` of the context is the one that the message is about, which may be either.
pub fn report(
    this: &Native<SslProtocol>,
    message: &str,
    exception: &Object,
    transport: &Object,
) -> Result<()> {
    let py = attached();
    let names = &globals().names;
    let context = making::dict(py)?;
    context.enter(&names.message, message)?;
    context.enter(&names.exception, exception.bound(py))?;
    context.enter(&names.transport, transport.bound(py))?;
    context.enter(&names.protocol, this.bound(py))?;
    let event_loop = this.get().event_loop.get_or_none();
    let context = context.into_any().into();
    let handler = &names.call_exception_handler;
    event_loop.invoke(handler, [&context]).map(drop)
}

/// The logger of asyncio's TLS. Looked up at each call: tests replace it there.
pub fn logger(py: Python<'_>) -> Result<Bound<'_, PyAny>> {
    making::import(py, c"asyncio.sslproto")?.look_up(c"logger")
}

/// `_get_app_transport()`: the transport that the application writes to, made once.
///
/// # Errors
/// `RuntimeError` after the connection was lost: there is no second transport.
pub fn app_transport(this: &Native<SslProtocol>) -> Result<TransportRef> {
    let protocol = this.get();
    if let Some(transport) = protocol.app_transport.get() {
        return Ok(transport);
    }
    if protocol.app_transport_created.replace(true) {
        let class = ExceptionClass::RuntimeError;
        return Err(raise(class, c"Creating _SSLProtocolTransport twice"));
    }
    let transport = transport::create(&protocol.event_loop.get_or_none(), this)?;
    protocol.app_transport.set(transport.clone());
    Ok(transport)
}

/// `_set_app_protocol(protocol)`: which kind it is is looked at here, once. The two methods of a
/// `BufferedProtocol` are bound here, and called without a look-up.
///
/// # Errors
/// What `isinstance` or the look-up of the methods raises.
pub fn set_app_protocol(this: &Native<SslProtocol>, app_protocol: &Object) -> Result<()> {
    let protocol = this.get();
    let names = &globals().names;
    protocol.app_protocol.set(app_protocol.clone());
    let get_buffer = app_protocol.optional_attribute(&names.get_buffer)?;
    let class = &globals().asyncio.buffered_protocol;
    match get_buffer {
        Some(get_buffer) if app_protocol.is_instance(class)? => {
            protocol.get_buffer.set(get_buffer);
            let buffer_updated = app_protocol.attribute(&names.buffer_updated)?;
            protocol.buffer_updated.set(buffer_updated);
            protocol.buffered.set(true);
        }
        // The functions of the protocol before stay: a read that has its buffer is going to call
        // the other one.
        _ => protocol.buffered.set(false),
    }
    Ok(())
}

/// `_get_extra_info(name, default)`
///
/// The entries here are `sslcontext`, and after the handshake `peercert`, `cipher`, `compression`
/// and `ssl_object`; a socket's come from below.
pub fn get_extra_info(
    this: &Native<SslProtocol>,
    name: &Object,
    default: &Object,
) -> Result<Object> {
    let protocol = this.get();
    let extra = protocol.extra.get_or_none();
    if extra.contains(name)? {
        return extra.item(name);
    }
    match protocol.transport.get() {
        Some(transport) => transport.invoke(&globals().names.get_extra_info, [name, default]),
        None => Ok(default.clone()),
    }
}

/// `_create_transport_context(server_side, server_hostname)`, for a program that has given none.
///
/// # Errors
/// `ValueError` for a server, which needs one of its own.
pub fn default_context(server_side: &Object, server_hostname: &Object) -> Result<Object> {
    let py = attached();
    let make = making::import(py, c"asyncio.sslproto")?.look_up(c"_create_transport_context")?;
    Object::from(make).call([server_side, server_hostname])
}

/// Whether the transport below is closing; asked from 3.14 on only.
pub fn is_transport_closing(this: &Native<SslProtocol>) -> Result<bool> {
    if !edition().tls.closes_with_transport {
        return Ok(false);
    }
    match this.get().transport.get() {
        Some(transport) => transport.invoke(&globals().names.is_closing, [])?.is_true(),
        None => Ok(false),
    }
}
