//! `StreamWriter`: the sending end, which writes to its transport and waits for it.

mod class;

use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Arguments, Held, Instance, Object, Raised, Result, Slot, Visited, Visitor, attached,
    call_method, no_attribute, raise_anything, restore, visit_slots,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::edition::edition;
use super::flow_control::FlowControl;
use super::protocol;
use super::reader::{Reader, assertion};
use crate::asyncio::globals;
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, ready};

pub use class::make_class;

/// The fields of a `StreamWriter`.
pub struct Writer {
    transport: Slot,
    protocol: Slot,
    reader: Slot,
    event_loop: Slot,
    /// A future that is done, for code that reads the attribute; made at the first read.
    complete: Slot,
}

impl Held for Writer {
    fn new() -> Self {
        Self {
            transport: Slot::empty(),
            protocol: Slot::empty(),
            reader: Slot::empty(),
            event_loop: Slot::empty(),
            complete: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())
    }

    fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
    }

    const FINALISER: Option<fn(&Object) -> Result<()>> = Some(finalise);
}

impl Writer {
    #[inline]
    fn of(this: &Object) -> &Self {
        Instance::<Self>::of(this)
    }

    /// Whether `object` is a writer of exactly our class, with no method replaced.
    #[inline]
    fn is_plain(object: &Object) -> bool {
        Instance::<Self>::is_plain(object, &globals().classes.stream_writer)
    }

    /// A writer to a transport; `reader` may be None.
    pub fn create(
        transport: &Object,
        protocol: &Object,
        reader: &Object,
        event_loop: &Object,
    ) -> Result<Object> {
        let this = Instance::<Self>::create(&globals().classes.stream_writer)?;
        Self::of(&this).initialise(transport, protocol, reader, event_loop)?;
        Ok(this)
    }

    fn initialise(
        &self,
        transport: &Object,
        protocol: &Object,
        reader: &Object,
        event_loop: &Object,
    ) -> Result<()> {
        if !reader.is_none() && !is_reader(reader)? {
            return Err(assertion(c""));
        }
        self.transport.set(transport.clone());
        self.protocol.set(protocol.clone());
        self.reader.set(reader.clone());
        self.event_loop.set(event_loop.clone());
        self.complete.clear();
        Ok(())
    }

    /// The transport, which a writer has as soon as it is initialised.
    #[inline]
    fn transport(&self, this: &Object) -> Result<Object> {
        self.transport
            .get()
            .ok_or_else(|| no_attribute(this, "_transport"))
    }

    const fn slots(&self) -> [&Slot; 5] {
        [
            &self.transport,
            &self.protocol,
            &self.reader,
            &self.event_loop,
            &self.complete,
        ]
    }
}

/// Whether `object` is a `StreamReader`, of our or asyncio's own class.
fn is_reader(object: &Object) -> Result<bool> {
    let globals = globals();
    let ours = globals.classes.stream_reader.object();
    for class in [&ours, &globals.asyncio.stream_reader] {
        // SAFETY: both are valid objects, the second a class.
        match unsafe { ffi::PyObject_IsInstance(object.as_ptr(), class.as_ptr()) } {
            -1 => return Err(Raised),
            0 => {}
            _ => return Ok(true),
        }
    }
    Ok(false)
}

// Draining.

fn drain(this: &Object) -> Result<Object> {
    Awaitable::create(&DRAIN, this, None)
}

static DRAIN: Operation = Operation {
    name: c"StreamWriter.drain",
    start: start_drain,
    resume: |this| match Awaitable::of(this).step().get() {
        PAUSED => wait_for_room(this),
        WAITING => {
            Awaitable::leave_line(this);
            ready(Object::none())
        }
        _ => without_result(delegate::continue_with(this, None)?),
    },
    interrupt: |this, exception| {
        if Awaitable::of(this).step().get() == DELEGATED {
            return without_result(delegate::continue_with(this, Some(&exception))?);
        }
        Awaitable::leave_line(this);
        Err(restore(exception))
    },
    behind: None,
};

/// The step of a `drain` of a closing transport, which lets all other tasks run once.
const PAUSED: u8 = 1;
/// The step of one that is in the protocol's line.
const WAITING: u8 = 2;
/// The step of one that awaits another protocol's `_drain_helper`.
const DELEGATED: u8 = 3;

/// The first step of `drain`: raises the reader's exception, yields once if the transport is
/// closing, and then waits while writing is paused.
fn start_drain(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let writer = Writer::of(&owner);
    let names = &globals().names;
    let reader = writer.reader.get_or_none();
    let exception = if reader.is_none() {
        None
    } else if Reader::is_plain(&reader) {
        Reader::of(&reader).exception()
    } else {
        let exception = call_method(&names.exception, &[reader.as_ptr()])?;
        (!exception.is_none()).then_some(exception)
    };
    if let Some(exception) = exception {
        return Err(raise_anything(&exception));
    }
    let transport = writer.transport(&owner)?;
    if call_method(&names.is_closing, &[transport.as_ptr()])?.is_true()? {
        // The loop gets to call `connection_lost`: a task that does nothing but write and drain
        // would never see the connection end.
        awaitable.step().set(PAUSED);
        return Ok(Progress::Paused);
    }
    wait_for_room(this)
}

/// `await self._protocol._drain_helper()`.
#[inline]
fn wait_for_room(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let protocol = Writer::of(&owner).protocol.get_or_none();
    if protocol::is_native(&protocol) {
        awaitable.step().set(WAITING);
        return FlowControl::of(&protocol).drain(this);
    }
    awaitable.step().set(DELEGATED);
    let helper = call_method(&globals().names.drain_helper, &[protocol.as_ptr()])?;
    without_result(delegate::begin(this, &helper)?)
}

/// A wait whose result is dropped.
fn without_result(delegated: Delegated) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(_) => ready(Object::none()),
    }
}

// Waiting for the end.

fn wait_closed(this: &Object) -> Result<Object> {
    Awaitable::create(&WAIT_CLOSED, this, None)
}

static WAIT_CLOSED: Operation = Operation {
    name: c"StreamWriter.wait_closed",
    start: |this| {
        let owner = Awaitable::of(this).owner().get_or_none();
        let protocol = Writer::of(&owner).protocol.get_or_none();
        let closed = if protocol::is_native(&protocol) {
            protocol::close_waiter(&protocol)
        } else {
            let arguments = [protocol.as_ptr(), owner.as_ptr()];
            call_method(&globals().names.get_close_waiter, &arguments)?
        };
        without_result(delegate::begin(this, &closed)?)
    },
    resume: |this| without_result(delegate::continue_with(this, None)?),
    interrupt: |this, exception| without_result(delegate::continue_with(this, Some(&exception))?),
    behind: None,
};

// TLS.

/// `start_tls`: the writer and its arguments are in a tuple.
fn start_tls(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    #[cfg(Py_3_12)]
    let parameters = [
        &names.sslcontext,
        &names.server_hostname,
        &names.ssl_handshake_timeout,
        &names.ssl_shutdown_timeout,
    ];
    #[cfg(not(Py_3_12))]
    let parameters = [
        &names.sslcontext,
        &names.server_hostname,
        &names.ssl_handshake_timeout,
    ];
    let bound = arguments.bind(c"StreamWriter.start_tls", parameters, 1, 1)?;
    let none = Object::none();
    let all = std::iter::once(this).chain(bound.iter().map(|value| value.unwrap_or(&none)));
    let all = making::tuple(all.cloned().collect())?;
    Awaitable::create(&START_TLS, &all, None)
}

static START_TLS: Operation = Operation {
    name: c"StreamWriter.start_tls",
    start: |this| {
        let (writer, _) = tls_arguments(this)?;
        let protocol = Writer::of(&writer).protocol.get_or_none();
        // Asked first, as asyncio does: only a stream's protocol has it.
        protocol.attribute(&globals().names.client_connected_cb_attribute)?;
        let drained = if Writer::is_plain(&writer) {
            drain(&writer)?
        } else {
            call_method(&globals().names.drain, &[writer.as_ptr()])?
        };
        let delegated = delegate::begin(this, &drained)?;
        after_drain(this, delegated)
    },
    resume: |this| {
        let delegated = delegate::continue_with(this, None)?;
        go_on_with_tls(this, delegated)
    },
    interrupt: |this, exception| {
        let delegated = delegate::continue_with(this, Some(&exception))?;
        go_on_with_tls(this, delegated)
    },
    behind: None,
};

/// The step of a `start_tls` that has drained.
const DRAINED: u8 = 1;

/// Resumes `start_tls` in the wait that it is in: for `drain`, or for the loop's `start_tls`.
fn go_on_with_tls(this: &Object, delegated: Delegated) -> Result<Progress> {
    if Awaitable::of(this).step().get() == DRAINED {
        after_tls(this, delegated)
    } else {
        after_drain(this, delegated)
    }
}

/// The writer, and the arguments as a tuple behind it.
fn tls_arguments(this: &Object) -> Result<(Object, Object)> {
    let all = Awaitable::of(this).owner().get_or_none();
    // SAFETY: the owner is a tuple that begins with the writer.
    unsafe {
        let writer = Object::from_borrowed(ffi::PyTuple_GET_ITEM(all.as_ptr(), 0));
        let count = ffi::PyTuple_GET_SIZE(all.as_ptr());
        let rest = Object::from_returned(ffi::PyTuple_GetSlice(all.as_ptr(), 1, count))?;
        Ok((writer, rest))
    }
}

/// The buffer is flushed: has the loop upgrade the transport.
fn after_drain(this: &Object, delegated: Delegated) -> Result<Progress> {
    if let Delegated::Waits(progress) = delegated {
        return Ok(progress);
    }
    Awaitable::of(this).step().set(DRAINED);
    let py = attached();
    let names = &globals().names;
    let (object, arguments) = tls_arguments(this)?;
    let writer = Writer::of(&object);
    let protocol = writer.protocol.get_or_none();
    let callback = protocol.attribute(&names.client_connected_cb_attribute)?;
    let arguments = arguments.bound(py);
    let keywords = making::dict(py)?;
    keywords.enter(&names.server_side, !callback.is_none())?;
    keywords.enter(&names.server_hostname, arguments.get_item(1)?)?;
    keywords.enter(&names.ssl_handshake_timeout, arguments.get_item(2)?)?;
    #[cfg(Py_3_12)]
    keywords.enter(&names.ssl_shutdown_timeout, arguments.get_item(3)?)?;
    let event_loop = writer.event_loop.get_or_none();
    let transport = writer.transport(&object)?;
    let positional = (transport, protocol, arguments.get_item(0)?);
    let start_tls = event_loop.bound(py).look_up(&names.start_tls)?;
    let upgrade = start_tls.invoke_with(positional, &keywords)?;
    let delegated = delegate::begin(this, &upgrade.into())?;
    after_tls(this, delegated)
}

/// The transport is upgraded: writer, protocol and reader get the new one.
fn after_tls(this: &Object, delegated: Delegated) -> Result<Progress> {
    let transport = match delegated {
        Delegated::Waits(progress) => return Ok(progress),
        Delegated::Returned(transport) => transport,
    };
    let names = &globals().names;
    let (object, _) = tls_arguments(this)?;
    let writer = Writer::of(&object);
    writer.transport.set(transport.clone());
    let protocol = writer.protocol.get_or_none();
    let (name, argument) = if edition().keeps_writer {
        (&names.replace_writer, &object)
    } else {
        (&names.replace_transport, &transport)
    };
    call_method(name, &[protocol.as_ptr(), argument.as_ptr()])?;
    ready(Object::none())
}

/// `__del__`: a writer that was not closed closes its transport and warns.
fn finalise(this: &Object) -> Result<()> {
    let writer = Writer::of(this);
    let Some(transport) = writer.transport.get().filter(|_| edition().writer_warns) else {
        return Ok(());
    };
    let names = &globals().names;
    if call_method(&names.is_closing, &[transport.as_ptr()])?.is_true()? {
        return Ok(());
    }
    let py = attached();
    let event_loop = writer.event_loop.get_or_none();
    let text = if call_method(&names.is_closed, &[event_loop.as_ptr()])?.is_true()? {
        "loop is closed".to_owned()
    } else {
        call_method(&names.close, &[this.as_ptr()])?;
        format!("unclosed {}", making::represented(this)?)
    };
    let text = std::ffi::CString::new(text.replace('\0', "\\0")).unwrap_or_default();
    let category = py.get_type::<pyo3::exceptions::PyResourceWarning>();
    Ok(PyErr::warn(py, &category, &text, 1)?)
}
