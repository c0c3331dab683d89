//! `StreamReaderProtocol`: the protocol between a transport and a reader.
//!
//! ```text
//!    connection_made   the reader gets the transport; a server's callback is called with both ends
//!    data_received     feeds the reader                 } as often as bytes come
//!    eof_received      feeds it the end                 } once, if the peer ends
//!    connection_lost   end or exception to the reader, the writer's waiters, and wait_closed
//! ```
//! The references decide when a forgotten stream ends: the writer holds the transport, the
//! transport the protocol, and the protocol its reader only weakly. A server's protocol holds its
//! reader until the callback has been given it.

mod class;

use std::cell::Cell;

use greenloop_cpython::making::{self, Enter as _};
use greenloop_cpython::{
    Class, ExceptionClass, Held, Native, Object, Referent, Result, Slot, Visited, Visitor,
    attached, extends, fetch, matches, visit_slots,
};

use super::flow_control::{self, FlowControl};
use super::reader::{self, Reader, loop_or_current};
use super::writer::Writer;
use crate::asyncio::edition::edition;
use crate::asyncio::globals;
use crate::awaitable::is_coroutine;
use crate::future::{Future, PENDING, notifier};
use crate::scheduler::Notification;

pub use class::make_class;

/// The class.
///
/// Transports recognise it, and feed its reader without a call of Python's.
pub static CLASS: Class<Protocol> = Class::new();

/// The fields of a `StreamReaderProtocol`. It begins as its base class does.
#[repr(C)]
pub struct Protocol {
    /// First, so that the methods of the base class find their struct.
    flow: FlowControl,
    /// A weak reference: when the program drops the reader it does not read any more, and incoming
    /// bytes are dropped.
    reader_reference: Slot,
    /// The reader of a server's connection, until its callback has got it.
    ///
    /// None afterwards; empty for a client's protocol, as in asyncio.
    strong_reader: Slot,
    /// The reader's, for the report about a stream that nobody closed.
    source_traceback: Slot,
    /// The task of the callback.
    ///
    /// Held so that it is not collected while it runs; released with the connection.
    task: Slot,
    /// From `connection_made` to `connection_lost`.
    transport: Slot,
    /// `client_connected_cb`: empty for a client's protocol.
    client_connected: Slot,
    /// The future that is done when the connection has ended.
    closed: Slot,
    /// The writer given to the callback, in older releases.
    ///
    /// Held until the end of the connection; see `Edition::keeps_writer`.
    writer: Slot,
    /// A program sets it by `_reject_connection`.
    reject_connection: Cell<bool>,
    /// Whether the transport has an `sslcontext`.
    over_ssl: Cell<bool>,
}

extends!(Protocol { flow: FlowControl });

// SAFETY: the base's fields are shown by the base, and the slots are the protocol's.
unsafe impl Held for Protocol {
    fn new() -> Self {
        Self {
            flow: FlowControl::new(),
            reader_reference: Slot::empty(),
            strong_reader: Slot::empty(),
            source_traceback: Slot::empty(),
            task: Slot::empty(),
            transport: Slot::empty(),
            client_connected: Slot::empty(),
            closed: Slot::empty(),
            writer: Slot::empty(),
            reject_connection: Cell::new(false),
            over_ssl: Cell::new(false),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.flow.visit(visitor)
    }

    fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
        self.flow.clear();
    }

    const FINALISER: Option<fn(&Self, &Object) -> Result<()>> = Some(forget_failure);
}

impl Protocol {
    /// A protocol for a reader, and for a server's connection the function that is called for it.
    ///
    /// # Errors
    /// Those of the loop's `create_future`.
    pub fn create(
        reader: &Native<Reader>,
        client_connected: Option<&Object>,
        event_loop: &Object,
    ) -> Result<Native<Self>> {
        let this = CLASS.create()?;
        this.get()
            .initialise(Some(reader), client_connected, Some(event_loop))?;
        Ok(this)
    }

    /// A failure leaves a protocol that was initialised before as it was.
    fn initialise(
        &self,
        reader: Option<&Object>,
        client_connected: Option<&Object>,
        event_loop: Option<&Object>,
    ) -> Result<()> {
        let event_loop = loop_or_current(event_loop)?;
        let reader = reader.filter(|reader| !reader.is_none());
        let function = client_connected.filter(|function| !function.is_none());
        let mut reference = None;
        let mut traceback = None;
        if let Some(reader) = reader {
            reference = Some(making::weak_reference(reader)?);
            if reader::CLASS.plain(reader).is_none() || reader::is_debugging(&event_loop)? {
                let name = &globals().names.source_traceback_attribute;
                traceback = Some(reader.attribute(name)?);
            }
        }
        let name = &globals().names.create_future;
        let closed = event_loop.invoke(name, [])?;
        // From here on nothing fails.
        self.flow.initialise(event_loop);
        self.reject_connection.set(false);
        self.over_ssl.set(false);
        self.reader_reference.set_optional(reference);
        self.source_traceback.set_optional(traceback);
        let strong = function.map(|_| reader.cloned().unwrap_or_else(Object::none));
        self.strong_reader.set_optional(strong);
        self.client_connected.set_optional(function.cloned());
        for slot in [&self.task, &self.transport, &self.writer] {
            slot.clear();
        }
        self.closed.set(closed);
        Ok(())
    }

    /// The reader that the weak reference refers to.
    ///
    /// A new reference, which keeps the reader alive while it is fed.
    #[inline]
    fn referenced_reader(&self) -> Result<Option<Object>> {
        match self.reader_reference.referent() {
            Referent::Gone => Ok(None),
            Referent::Alive(reader) => Ok(Some(reader)),
            // A program has put it there.
            Referent::NotWeak(function) => {
                let reader = function.call([])?;
                Ok(Some(reader).filter(|reader| !reader.is_none()))
            }
        }
    }

    const fn slots(&self) -> [&Slot; 8] {
        [
            &self.reader_reference,
            &self.strong_reader,
            &self.source_traceback,
            &self.task,
            &self.transport,
            &self.client_connected,
            &self.closed,
            &self.writer,
        ]
    }
}

/// `protocol._stream_reader`, which a subclass may have replaced.
///
/// `None` once the reader is gone, or the connection lost.
#[inline]
fn reader_of(this: &Native<Protocol>) -> Result<Option<Object>> {
    if this.is_plain(&CLASS) {
        return this.get().referenced_reader();
    }
    let reader = this.attribute(&globals().names.stream_reader_attribute)?;
    Ok((!reader.is_none()).then_some(reader))
}

/// `protocol.data_received(data)`: feeds the reader, which wakes its waiter. Returns the answer of
/// [`reader::feed_data`].
///
/// Without a reader the bytes are dropped. False means that other code may have run, which may have
/// closed or paused the transport.
///
/// # Errors
/// Those of feeding; the transport closes the connection with them.
#[inline]
pub fn data_received(this: &Native<Protocol>, data: &Object) -> Result<bool> {
    let Some(reader) = reader_of(this)? else {
        return Ok(false);
    };
    if let Some(reader) = reader::CLASS.plain(&reader) {
        return reader::feed_data(reader, data);
    }
    let name = &globals().names.feed_data;
    reader.invoke(name, [data]).map(|_| false)
}

/// `protocol.eof_received()`: whether the transport shall stay open for writing.
///
/// A transport that stays open is closed by the program.
pub fn eof_received(this: &Native<Protocol>) -> Result<bool> {
    if let Some(reader) = reader_of(this)? {
        feed_eof(&reader)?;
    }
    // TLS has no half closed connections, and warns if a protocol asks for one.
    Ok(!this.get().over_ssl.get())
}

/// Feeds the end to a reader, by its method unless it is exactly ours.
fn feed_eof(reader: &Object) -> Result<()> {
    if let Some(reader) = reader::CLASS.plain(reader) {
        return reader::feed_eof(reader);
    }
    reader.invoke(&globals().names.feed_eof, []).map(drop)
}

/// `protocol.connection_lost(exception)`.
///
/// Called once, by the transport. `exception` is None for a connection that ended in order. The
/// reader comes first, then `wait_closed`, then `drain`; their tasks run in the next turn.
pub fn connection_lost(this: &Native<Protocol>, exception: &Object) -> Result<()> {
    let protocol = this.get();
    let names = &globals().names;
    if let Some(reader) = reader_of(this)? {
        if exception.is_none() {
            feed_eof(&reader)?;
        } else if let Some(reader) = reader::CLASS.plain(&reader) {
            reader::set_exception(reader, exception)?;
        } else {
            reader.invoke(&names.set_exception, [exception])?;
        }
    }
    let closed = protocol.closed.get_or_none();
    if !closed.invoke(&names.done, [])?.is_true()? {
        let name = if exception.is_none() {
            &names.set_result
        } else {
            &names.set_exception
        };
        closed.invoke(name, [exception])?;
    }
    protocol.flow.lose_connection(exception)?;
    for slot in [
        &protocol.reader_reference,
        &protocol.writer,
        &protocol.task,
        &protocol.transport,
    ] {
        slot.clear();
    }
    Ok(())
}

/// `protocol.connection_made(transport)`.
///
/// The callback runs in this call if it is a plain function, and as a task from the next turn on if
/// it is a coroutine function.
///
/// # Errors
/// Those of the callback, in releases of asyncio that do not guard it, and of the transport's
/// methods.
pub fn connection_made(this: &Native<Protocol>, transport: &Object) -> Result<()> {
    let protocol = this.get();
    let names = &globals().names;
    if protocol.reject_connection.get() {
        return reject(this, transport);
    }
    protocol.transport.set(transport.clone());
    let reader = reader_of(this)?;
    if let Some(reader) = &reader {
        if let Some(reader) = reader::CLASS.plain(reader) {
            reader::set_transport(reader, transport)?;
        } else {
            reader.invoke(&names.set_transport, [transport])?;
        }
    }
    protocol.over_ssl.set(is_over_ssl(transport)?);
    let Some(function) = protocol.client_connected.get() else {
        return Ok(());
    };
    let event_loop = protocol.flow.event_loop().get_or_none();
    let reader = reader.unwrap_or_else(Object::none);
    let writer = Writer::create(transport, this, &reader, &event_loop)?;
    let edition = &edition().streams;
    if edition.keeps_writer {
        protocol.writer.set(Object::clone(&writer));
    }
    let ordinary = ExceptionClass::Exception;
    let result = match function.call([&reader, &writer]) {
        Ok(result) => result,
        Err(raised) if edition.guards_callback && matches(ordinary) => {
            let exception = fetch(raised);
            report_callback(&event_loop, &exception, transport)?;
            protocol.strong_reader.set(Object::none());
            return Ok(());
        }
        Err(raised) => return Err(raised),
    };
    if is_coroutine(&result)? {
        let task = event_loop.invoke(&names.create_task, [&result])?;
        protocol.task.set(task.clone());
        let owner = making::pair(this, transport)?;
        let callback = notifier(&CALLBACK_DONE, &owner)?;
        task.invoke(&names.add_done_callback, [&callback])?;
    }
    protocol.strong_reader.set(Object::none());
    Ok(())
}

/// Owned by a pair, since the protocol may have lost its transport by then.
static CALLBACK_DONE: Notification = Notification::unnamed(callback_done);

/// The task of a `client_connected_cb` is done; `owner` is the protocol and the transport.
///
/// A callback that returns leaves the connection open: its writer is for the program to close.
fn callback_done(owner: &Object, task: &Object) -> Result<()> {
    let names = &globals().names;
    let Some([protocol, transport]) = owner.tuple_items() else {
        return Ok(());
    };
    if edition().streams.expects_cancellation && task.invoke(&names.cancelled, [])?.is_true()? {
        return transport.invoke(&names.close, []).map(drop);
    }
    let exception = task.invoke(&names.exception, [])?;
    if exception.is_none() {
        return Ok(());
    }
    let protocol = flow_control::CLASS.instance(protocol);
    let event_loop = protocol.map_or_else(Object::none, |protocol| {
        protocol.get().event_loop().get_or_none()
    });
    report_callback(&event_loop, &exception, transport)
}

/// Tells the loop's exception handler that a `client_connected_cb` failed, and closes its
/// connection.
///
/// The keys of the context are those that asyncio's `call_exception_handler` documents.
fn report_callback(event_loop: &Object, exception: &Object, transport: &Object) -> Result<()> {
    let names = &globals().names;
    let py = attached();
    let context = making::dict(py)?;
    context.enter("message", "Unhandled exception in client_connected_cb")?;
    context.enter("exception", exception.bound(py))?;
    context.enter("transport", transport.bound(py))?;
    let context = context.into_any().into();
    event_loop.invoke(&names.call_exception_handler, [&context])?;
    transport.invoke(&names.close, []).map(drop)
}

/// Reports a reader that was collected before its connection came, and aborts the connection.
fn reject(this: &Native<Protocol>, transport: &Object) -> Result<()> {
    let protocol = this.get();
    let names = &globals().names;
    let py = attached();
    let context = making::dict(py)?;
    context.enter(
        "message",
        "An open stream was garbage collected prior to establishing network connection; \
         call \"stream.close()\" explicitly.",
    )?;
    if let Some(traceback) = protocol.source_traceback.get() {
        if traceback.is_true()? {
            context.enter("source_traceback", traceback.bound(py))?;
        }
    }
    let event_loop = protocol.flow.event_loop().get_or_none();
    let context = context.into_any().into();
    event_loop.invoke(&names.call_exception_handler, [&context])?;
    transport.invoke(&names.abort, []).map(drop)
}

/// The question is asyncio's, and works for any transport.
fn is_over_ssl(transport: &Object) -> Result<bool> {
    let names = &globals().names;
    let context = transport.invoke(&names.get_extra_info, [&names.sslcontext])?;
    Ok(!context.is_none())
}

/// `__del__`: the exception of a connection's end without a waiter is not reported as lost.
///
/// Asking for the exception marks it as seen; ours has a flag for that.
fn forget_failure(protocol: &Protocol, _: &Object) -> Result<()> {
    let Some(closed) = protocol.closed.get() else {
        return Ok(());
    };
    if let Some(closed) = Future::native(&closed) {
        if closed.get().state() != PENDING {
            closed.get().log_traceback().set(false);
        }
        return Ok(());
    }
    let names = &globals().names;
    if closed.invoke(&names.done, [])?.is_true()?
        && !closed.invoke(&names.cancelled, [])?.is_true()?
    {
        closed.invoke(&names.exception, [])?;
    }
    Ok(())
}

/// Uses the transport that `start_tls` has made, and gives it to the reader where asyncio does.
///
/// Programs that upgrade by `loop.start_tls` call it themselves.
fn replace_transport(this: &Native<Protocol>, transport: &Object) -> Result<Object> {
    let protocol = this.get();
    protocol.transport.set(transport.clone());
    protocol.over_ssl.set(is_over_ssl(transport)?);
    if edition().streams.replaces_reader_transport {
        if let Some(reader) = reader_of(this)? {
            if let Some(reader) = reader::CLASS.plain(&reader) {
                reader::replace_transport(reader, transport)?;
            } else {
                reader.invoke(&globals().names.replace_transport, [transport])?;
            }
        }
    }
    Ok(Object::none())
}

/// In older releases, where a protocol keeps its writer.
fn replace_writer(this: &Native<Protocol>, writer: &Object) -> Result<Object> {
    let transport = writer.attribute(&globals().names.transport)?;
    this.get().writer.set(writer.clone());
    replace_transport(this, &transport)
}

/// The futures that `wait_closed` of any stream waits for.
///
/// None before `__init__`.
pub fn close_waiter(this: &Native<Protocol>) -> Object {
    this.get().closed.get_or_none()
}
