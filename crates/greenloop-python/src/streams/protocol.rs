//! `StreamReaderProtocol`: the protocol between a transport and a reader.

mod class;

use std::cell::Cell;

use greenloop_cpython::making::{self, Enter as _};
use greenloop_cpython::{
    ExceptionClass, Held, Instance, Object, Result, Slot, Visited, Visitor, attached,
    call_function, call_method, fetch, matches, visit_slots,
};
use pyo3::ffi;

use super::edition::edition;
use super::flow_control::FlowControl;
use super::reader::{self, Reader, loop_or_current};
use super::writer::Writer;
use crate::asyncio::{globals, is_coroutine};
use crate::future::{Future, PENDING, notifier};
use crate::scheduler::Notification;

pub use class::make_class;

/// The fields of a `StreamReaderProtocol`. It begins as its base class does.
#[repr(C)]
pub struct Protocol {
    flow: FlowControl,
    /// A weak reference: when the program drops the reader it does not read any more, and incoming
    /// bytes are dropped.
    reader_reference: Slot,
    /// The reader of a server's connection, until its callback has got it.
    strong_reader: Slot,
    source_traceback: Slot,
    /// The task of the callback.
    task: Slot,
    transport: Slot,
    client_connected: Slot,
    /// The future that is done when the connection has ended.
    closed: Slot,
    /// The writer given to the callback, in older releases.
    writer: Slot,
    reject_connection: Cell<bool>,
    over_ssl: Cell<bool>,
}

impl Held for Protocol {
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

    const FINALISER: Option<fn(&Object) -> Result<()>> = Some(forget_failure);
}

impl Protocol {
    #[inline]
    pub fn of(this: &Object) -> &Self {
        Instance::<Self>::of(this)
    }

    /// A protocol for a reader, and for a server's connection the function that is called for it.
    pub fn create(
        reader: &Object,
        client_connected: Option<&Object>,
        event_loop: &Object,
    ) -> Result<Object> {
        let class = &globals().classes.stream_reader_protocol;
        let this = Instance::<Self>::create(class)?;
        Self::of(&this).initialise(Some(reader), client_connected, Some(event_loop))?;
        Ok(this)
    }

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
            if !Reader::is_plain(reader) || reader::is_debugging(&event_loop)? {
                let name = &globals().names.source_traceback_attribute;
                traceback = Some(reader.attribute(name)?);
            }
        }
        let name = &globals().names.create_future;
        let closed = call_method(name, &[event_loop.as_ptr()])?;
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
    #[inline]
    fn referenced_reader(&self) -> Result<Option<Object>> {
        let reference = self.reader_reference.as_ptr();
        if reference.is_null() {
            return Ok(None);
        }
        // SAFETY: the slot holds a weak reference, or what a program has put there, which is
        // called.
        unsafe {
            if ffi::PyWeakref_CheckRef(reference) == 0 {
                let reader = call_function(&Object::from_borrowed(reference), &[])?;
                return Ok(Some(reader).filter(|reader| !reader.is_none()));
            }
            #[cfg(Py_3_13)]
            {
                let mut reader = std::ptr::null_mut();
                let found = ffi::PyWeakref_GetRef(reference, &raw mut reader) > 0;
                Ok(found.then(|| Object::from_owned(reader)))
            }
            #[cfg(not(Py_3_13))]
            {
                let reader = ffi::PyWeakref_GetObject(reference);
                Ok((reader != ffi::Py_None()).then(|| Object::from_borrowed(reader)))
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

/// Whether `object` is a protocol of exactly our class, with no method replaced: then
/// [`data_received`] and [`eof_received`] may be called instead of its methods.
#[inline]
pub fn is_native(object: &Object) -> bool {
    Instance::<Protocol>::is_plain(object, &globals().classes.stream_reader_protocol)
}

/// `protocol._stream_reader`, which a subclass may have replaced.
#[inline]
fn reader_of(this: &Object) -> Result<Option<Object>> {
    if is_native(this) {
        return Protocol::of(this).referenced_reader();
    }
    let reader = this.attribute(&globals().names.stream_reader_attribute)?;
    Ok((!reader.is_none()).then_some(reader))
}

/// `protocol.data_received(data)`: feeds the reader, which wakes its waiter. Returns the answer of
/// [`reader::feed_data`].
#[inline]
pub fn data_received(this: &Object, data: &Object) -> Result<bool> {
    let Some(reader) = reader_of(this)? else {
        return Ok(false);
    };
    if Reader::is_plain(&reader) {
        return reader::feed_data(&reader, data);
    }
    let name = &globals().names.feed_data;
    call_method(name, &[reader.as_ptr(), data.as_ptr()]).map(|_| false)
}

/// `protocol.eof_received()`: whether the transport shall stay open for writing.
pub fn eof_received(this: &Object) -> Result<bool> {
    if let Some(reader) = reader_of(this)? {
        feed_eof(&reader)?;
    }
    // TLS has no half closed connections, and warns if a protocol asks for one.
    Ok(!Protocol::of(this).over_ssl.get())
}

/// Feeds the end to a reader, by its method unless it is exactly ours.
fn feed_eof(reader: &Object) -> Result<()> {
    if Reader::is_plain(reader) {
        return reader::feed_eof(reader);
    }
    call_method(&globals().names.feed_eof, &[reader.as_ptr()]).map(drop)
}

/// `protocol.connection_lost(exception)`.
pub fn connection_lost(this: &Object, exception: &Object) -> Result<()> {
    let protocol = Protocol::of(this);
    let names = &globals().names;
    if let Some(reader) = reader_of(this)? {
        if exception.is_none() {
            feed_eof(&reader)?;
        } else if Reader::is_plain(&reader) {
            reader::set_exception(&reader, exception)?;
        } else {
            call_method(&names.set_exception, &[reader.as_ptr(), exception.as_ptr()])?;
        }
    }
    let closed = protocol.closed.get_or_none();
    if !call_method(&names.done, &[closed.as_ptr()])?.is_true()? {
        let name = if exception.is_none() {
            &names.set_result
        } else {
            &names.set_exception
        };
        call_method(name, &[closed.as_ptr(), exception.as_ptr()])?;
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
pub fn connection_made(this: &Object, transport: &Object) -> Result<()> {
    let protocol = Protocol::of(this);
    let names = &globals().names;
    if protocol.reject_connection.get() {
        return reject(this, transport);
    }
    protocol.transport.set(transport.clone());
    let reader = reader_of(this)?;
    if let Some(reader) = &reader {
        if Reader::is_plain(reader) {
            reader::set_transport(reader, transport)?;
        } else {
            call_method(&names.set_transport, &[reader.as_ptr(), transport.as_ptr()])?;
        }
    }
    protocol.over_ssl.set(is_over_ssl(transport)?);
    let Some(function) = protocol.client_connected.get() else {
        return Ok(());
    };
    let event_loop = protocol.flow.event_loop().get_or_none();
    let reader = reader.unwrap_or_else(Object::none);
    let writer = Writer::create(transport, this, &reader, &event_loop)?;
    let edition = edition();
    if edition.keeps_writer {
        protocol.writer.set(writer.clone());
    }
    let ordinary = ExceptionClass::Exception;
    let result = match call_function(&function, &[reader.as_ptr(), writer.as_ptr()]) {
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
        let task = call_method(&names.create_task, &[event_loop.as_ptr(), result.as_ptr()])?;
        protocol.task.set(task.clone());
        let owner = making::tuple(vec![this.clone(), transport.clone()])?;
        let callback = notifier(&CALLBACK_DONE, &owner)?;
        call_method(
            &names.add_done_callback,
            &[task.as_ptr(), callback.as_ptr()],
        )?;
    }
    protocol.strong_reader.set(Object::none());
    Ok(())
}

static CALLBACK_DONE: Notification = Notification::unnamed(callback_done);

/// The task of a `client_connected_cb` is done; `owner` is the protocol and the transport.
fn callback_done(owner: &Object, task: &Object) -> Result<()> {
    let names = &globals().names;
    // SAFETY: the owner is a tuple of two.
    let (protocol, transport) = unsafe {
        (
            Object::from_borrowed(ffi::PyTuple_GET_ITEM(owner.as_ptr(), 0)),
            Object::from_borrowed(ffi::PyTuple_GET_ITEM(owner.as_ptr(), 1)),
        )
    };
    if edition().expects_cancellation
        && call_method(&names.cancelled, &[task.as_ptr()])?.is_true()?
    {
        return call_method(&names.close, &[transport.as_ptr()]).map(drop);
    }
    let exception = call_method(&names.exception, &[task.as_ptr()])?;
    if exception.is_none() {
        return Ok(());
    }
    let event_loop = FlowControl::of(&protocol).event_loop().get_or_none();
    report_callback(&event_loop, &exception, &transport)
}

/// Tells the loop's exception handler that a `client_connected_cb` failed, and closes its
/// connection.
fn report_callback(event_loop: &Object, exception: &Object, transport: &Object) -> Result<()> {
    let names = &globals().names;
    let py = attached();
    let context = making::dict(py)?;
    context.enter("message", "Unhandled exception in client_connected_cb")?;
    context.enter("exception", exception.bound(py))?;
    context.enter("transport", transport.bound(py))?;
    let arguments = [event_loop.as_ptr(), context.as_ptr()];
    call_method(&names.call_exception_handler, &arguments)?;
    call_method(&names.close, &[transport.as_ptr()]).map(drop)
}

/// Reports a reader that was collected before its connection came, and aborts the connection.
fn reject(this: &Object, transport: &Object) -> Result<()> {
    let protocol = Protocol::of(this);
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
    let arguments = [event_loop.as_ptr(), context.as_ptr()];
    call_method(&names.call_exception_handler, &arguments)?;
    call_method(&names.abort, &[transport.as_ptr()]).map(drop)
}

fn is_over_ssl(transport: &Object) -> Result<bool> {
    let names = &globals().names;
    let arguments = [transport.as_ptr(), names.sslcontext.as_ptr()];
    Ok(!call_method(&names.get_extra_info, &arguments)?.is_none())
}

/// `__del__`: the exception of a connection's end without a waiter is not reported as lost.
fn forget_failure(this: &Object) -> Result<()> {
    let Some(closed) = Protocol::of(this).closed.get() else {
        return Ok(());
    };
    if Future::is_native(&closed) {
        if Future::of(&closed).state() != PENDING {
            Future::of(&closed).log_traceback().set(false);
        }
        return Ok(());
    }
    let names = &globals().names;
    if call_method(&names.done, &[closed.as_ptr()])?.is_true()?
        && !call_method(&names.cancelled, &[closed.as_ptr()])?.is_true()?
    {
        call_method(&names.exception, &[closed.as_ptr()])?;
    }
    Ok(())
}

/// Uses the transport that `start_tls` has made, and gives it to the reader where asyncio does.
fn replace_transport(this: &Object, transport: &Object) -> Result<Object> {
    let protocol = Protocol::of(this);
    protocol.transport.set(transport.clone());
    protocol.over_ssl.set(is_over_ssl(transport)?);
    if edition().replaces_reader_transport {
        if let Some(reader) = reader_of(this)? {
            if Reader::is_plain(&reader) {
                reader::replace_transport(&reader, transport)?;
            } else {
                let arguments = [reader.as_ptr(), transport.as_ptr()];
                call_method(&globals().names.replace_transport, &arguments)?;
            }
        }
    }
    Ok(Object::none())
}

fn replace_writer(this: &Object, writer: &Object) -> Result<Object> {
    let transport = writer.attribute(&globals().names.transport)?;
    Protocol::of(this).writer.set(writer.clone());
    replace_transport(this, &transport)
}

/// The futures that `wait_closed` of any stream waits for.
pub fn close_waiter(this: &Object) -> Object {
    Protocol::of(this).closed.get_or_none()
}

// Translation.
