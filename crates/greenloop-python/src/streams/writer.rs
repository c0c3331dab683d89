//! `StreamWriter`: the sending end, which writes to its transport and waits for it.
//!
//! A writer has no buffer: `write` hands the bytes to the transport, which sends what it can at
//! once and keeps the rest. `drain` is how a task takes part in flow control; a task that never
//! awaits it fills the transport's buffer without bound.
//!
//! ```text
//!    write(data) ──► transport.write          returns at once
//!    drain()     ──► the reader's exception? ─► raised
//!                ──► closing? ─► lets the loop run once
//!                ──► paused? ──► waits for resume_writing
//!    close()     ──► transport.close          flushes in the background
//!    wait_closed() ► the protocol's future of the connection's end
//! ```

mod class;

use greenloop_core::observe::WaitKind;
use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Arguments, Class, Held, Native, Object, Result, Slot, Visited, Visitor, attached, no_attribute,
    raise_anything, restore, visit_slots,
};
use pyo3::prelude::*;

use super::flow_control::FlowControl;
use super::native_transport::is_closing;
use super::observed::tell_sent;
use super::protocol;
use super::reader::{self, assertion};
use crate::asyncio::edition::{START_TLS_TAKES_SHUTDOWN_TIMEOUT, edition};
use crate::asyncio::globals;
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::observing::{Number, Wait};

pub use class::make_class;

/// The class.
///
/// Its `plain` tells the writers whose methods need no call by name.
pub static CLASS: Class<Writer> = Class::new();

/// The fields of a `StreamWriter`.
pub struct Writer {
    /// Of any class; replaced by `start_tls`.
    transport: Slot,
    /// Asked for `_drain_helper`, `_get_close_waiter` and, by `start_tls`, for more.
    protocol: Slot,
    /// None for a connection that is only written to; empty before `__init__`, as the others.
    reader: Slot,
    /// Called by `start_tls` and by the finaliser.
    event_loop: Slot,
    /// A future that is done, for code that reads the attribute; made at the first read.
    complete: Slot,
    /// Which one it is, for an observer.
    pub(super) number: Number,
}

// SAFETY: nothing is shown but the writer's slots.
unsafe impl Held for Writer {
    fn new() -> Self {
        Self {
            transport: Slot::empty(),
            protocol: Slot::empty(),
            reader: Slot::empty(),
            event_loop: Slot::empty(),
            complete: Slot::empty(),
            number: Number::none(),
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

    const FINALISER: Option<fn(&Self, &Object) -> Result<()>> = Some(finalise);
}

impl Writer {
    /// A writer to a transport; `reader` may be None.
    ///
    /// # Errors
    /// `AssertionError` for a reader of another class, as asyncio asserts.
    pub fn create(
        transport: &Object,
        protocol: &Object,
        reader: &Object,
        event_loop: &Object,
    ) -> Result<Native<Self>> {
        let this = CLASS.create()?;
        this.get()
            .initialise(transport, protocol, reader, event_loop)?;
        Ok(this)
    }

    /// The old fields are dropped one by one, each after it was replaced.
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
    ///
    /// # Errors
    /// `AttributeError` before `__init__`.
    #[inline]
    fn transport(&self, this: &Object) -> Result<Object> {
        self.transport
            .get()
            .ok_or_else(|| no_attribute(this, "_transport"))
    }

    /// Tells an observer that bytes were sent.
    ///
    /// A connection is known by its reader, which nearly all have: so both of its directions are
    /// one resource.
    #[cold]
    fn tell_sent(&self, data: &Object) {
        match reader::CLASS.instance(&self.reader.get_or_none()) {
            Some(reader) => tell_sent(WaitKind::StreamRead, &reader.get().number, data),
            None => tell_sent(WaitKind::StreamDrain, &self.number, data),
        }
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
///
/// A program may give our writer one of asyncio's readers.
fn is_reader(object: &Object) -> Result<bool> {
    Ok(object.is_instance(&reader::CLASS.object())?
        || object.is_instance(&globals().asyncio.stream_reader)?)
}

// Draining.

/// Everything is looked at when it is awaited.
fn drain(this: &Native<Writer>) -> Result<Object> {
    Awaitable::create(&DRAIN, this, None)
}

/// The step tells which of its three waits it is in; 0 is before the first.
static DRAIN: Operation<Native<Writer>> = Operation {
    name: c"StreamWriter.drain",
    start: start_drain,
    resume: |this, owner| match this.get().step().get() {
        PAUSED => wait_for_room(this, owner),
        WAITING => {
            Awaitable::leave_line(this);
            ready(Object::none())
        }
        _ => without_result(delegate::continue_with(this, None)?),
    },
    interrupt: |this, _, exception| {
        if this.get().step().get() == DELEGATED {
            return without_result(delegate::continue_with(this, Some(&exception))?);
        }
        Awaitable::leave_line(this);
        Err(restore(exception))
    },
    waits: |_, writer| Some(Wait::on(WaitKind::StreamDrain, &writer.get().number)),
    inside: |this| match this.step().get() {
        PAUSED => &[c"sleep", c"__sleep0"],
        WAITING => &[c"FlowControlMixin._drain_helper"],
        _ => &[],
    },
    behind: None,
};

/// The step of a `drain` of a closing transport, which lets all other tasks run once.
///
/// asyncio's `await sleep(0)`.
const PAUSED: u8 = 1;
/// The step of one that is in the protocol's line.
///
/// The protocol is exactly ours, so no coroutine of its own is needed.
const WAITING: u8 = 2;
/// The step of one that awaits another protocol's `_drain_helper`.
///
/// The protocol is a program's, or one with a replaced method.
const DELEGATED: u8 = 3;

/// The first step of `drain`: raises the reader's exception, yields once if the transport is
/// closing, and then waits while writing is paused.
///
/// # Errors
/// The reader's exception, `ConnectionResetError` after the end of the connection, and those of the
/// transport's `is_closing`.
fn start_drain(this: &Native<Awaitable>, owner: &Native<Writer>) -> Result<Progress> {
    let writer = owner.get();
    let names = &globals().names;
    let reader = writer.reader.get_or_none();
    let exception = if reader.is_none() {
        None
    } else if let Some(reader) = reader::CLASS.plain(&reader) {
        reader.get().exception()
    } else {
        let exception = reader.invoke(&names.exception, [])?;
        (!exception.is_none()).then_some(exception)
    };
    if let Some(exception) = exception {
        return Err(raise_anything(&exception));
    }
    let transport = writer.transport(owner)?;
    if is_closing(&transport)? {
        // The loop gets to call `connection_lost`: a task that does nothing but write and drain
        // would never see the connection end.
        this.get().step().set(PAUSED);
        return Ok(Progress::Paused);
    }
    wait_for_room(this, owner)
}

/// `await self._protocol._drain_helper()`.
///
/// Without a full buffer it returns at once and costs no turn.
#[inline]
fn wait_for_room(this: &Native<Awaitable>, owner: &Native<Writer>) -> Result<Progress> {
    let protocol = owner.get().protocol.get_or_none();
    if let Some(protocol) = protocol::CLASS.plain(&protocol) {
        this.get().step().set(WAITING);
        return protocol.up::<FlowControl>().get().drain(this);
    }
    this.get().step().set(DELEGATED);
    let helper = protocol.invoke(&globals().names.drain_helper, [])?;
    without_result(delegate::begin(this, &helper)?)
}

/// A wait whose result is dropped.
///
/// asyncio's coroutines here end without a `return`.
fn without_result(delegated: Delegated) -> Result<Progress> {
    match delegated {
        Delegated::Waits(progress) => Ok(progress),
        Delegated::Returned(_) => ready(Object::none()),
    }
}

// Waiting for the end.

/// It does not close: the program calls `close` before.
fn wait_closed(this: &Native<Writer>) -> Result<Object> {
    Awaitable::create(&WAIT_CLOSED, this, None)
}

/// The future is the protocol's and shared by all waiting tasks. Cancelling one of them cancels it,
/// as a task cancels the future that it awaits; asyncio has the same.
static WAIT_CLOSED: Operation<Native<Writer>> = Operation {
    name: c"StreamWriter.wait_closed",
    start: |this, owner| {
        let protocol = owner.get().protocol.get_or_none();
        let closed = match protocol::CLASS.plain(&protocol) {
            Some(protocol) => protocol::close_waiter(protocol),
            None => protocol.invoke(&globals().names.get_close_waiter, [owner])?,
        };
        without_result(delegate::begin(this, &closed)?)
    },
    resume: |this, _| without_result(delegate::continue_with(this, None)?),
    interrupt: |this, _, exception| {
        without_result(delegate::continue_with(this, Some(&exception))?)
    },
    waits: |_, writer| Some(Wait::on(WaitKind::Socket, &writer.get().number)),
    inside: |_| &[],
    behind: None,
};

// TLS.

const TLS_PARAMETERS: usize = if START_TLS_TAKES_SHUTDOWN_TIMEOUT {
    4
} else {
    3
};

/// The names of the arguments of `start_tls`.
///
/// The context first, which goes by place; the others go by name.
fn tls_parameters() -> [&'static Object; TLS_PARAMETERS] {
    let names = &globals().names;
    let all = [
        &names.sslcontext,
        &names.server_hostname,
        &names.ssl_handshake_timeout,
        &names.ssl_shutdown_timeout,
    ];
    std::array::from_fn(|index| all[index])
}

/// `start_tls`. The awaitable keeps a tuple of the arguments.
///
/// # Errors
/// `TypeError` for wrong arguments, at once. Their values are the loop's to check.
fn start_tls(this: &Native<Writer>, arguments: Arguments<'_>) -> Result<Object> {
    let bound = arguments.bind(c"StreamWriter.start_tls", tls_parameters(), 1, 1)?;
    let all = bound.map(|value| value.cloned().unwrap_or_else(Object::none));
    let all = making::tuple(Vec::from(all))?;
    Awaitable::create(&START_TLS, this, Some(&all))
}

/// Two waits in a row, for `drain` and for the loop's handshake.
static START_TLS: Operation<Native<Writer>> = Operation {
    name: c"StreamWriter.start_tls",
    start: |this, owner| {
        let awaitable = this.get();
        awaitable.kept().set_optional(awaitable.value().take());
        let names = &globals().names;
        let protocol = owner.get().protocol.get_or_none();
        // Asked first, as asyncio does: only a stream's protocol has it.
        protocol.attribute(&names.client_connected_cb_attribute)?;
        let drained = if owner.is_plain(&CLASS) {
            drain(owner)?
        } else {
            owner.invoke(&names.drain, [])?
        };
        let delegated = delegate::begin(this, &drained)?;
        after_drain(this, owner, delegated)
    },
    resume: |this, owner| {
        let delegated = delegate::continue_with(this, None)?;
        go_on_with_tls(this, owner, delegated)
    },
    interrupt: |this, owner, exception| {
        let delegated = delegate::continue_with(this, Some(&exception))?;
        go_on_with_tls(this, owner, delegated)
    },
    waits: |_, writer| Some(Wait::on(WaitKind::Socket, &writer.get().number)),
    inside: |_| &[],
    behind: None,
};

/// The step of a `start_tls` that has drained.
///
/// 0 is one that drains.
const DRAINED: u8 = 1;

/// Resumes `start_tls` in the wait that it is in: for `drain`, or for the loop's `start_tls`.
///
/// `delegated` is the outcome of the wait's last step.
fn go_on_with_tls(
    this: &Native<Awaitable>,
    owner: &Native<Writer>,
    delegated: Delegated,
) -> Result<Progress> {
    if this.get().step().get() == DRAINED {
        after_tls(owner, delegated)
    } else {
        after_drain(this, owner, delegated)
    }
}

/// The buffer is flushed: has the loop upgrade the transport.
///
/// A protocol with a `client_connected_cb` is a server's, which decides the side of the handshake.
/// A drain that did not wait comes here in the first step.
///
/// # Errors
/// Those of the loop's `start_tls`, such as a failed handshake.
fn after_drain(
    this: &Native<Awaitable>,
    owner: &Native<Writer>,
    delegated: Delegated,
) -> Result<Progress> {
    if let Delegated::Waits(progress) = delegated {
        return Ok(progress);
    }
    this.get().step().set(DRAINED);
    let py = attached();
    let names = &globals().names;
    let writer = owner.get();
    let protocol = writer.protocol.get_or_none();
    let callback = protocol.attribute(&names.client_connected_cb_attribute)?;
    let given = this.get().kept().get_or_none();
    let mut given = tls_parameters()
        .into_iter()
        .zip(given.tuple_items().unwrap_or_default());
    let context = given.next().map(|(_, context)| context);
    let keywords = making::dict(py)?;
    keywords.enter(&names.server_side, !callback.is_none())?;
    for (name, value) in given {
        keywords.enter(name, value)?;
    }
    let event_loop = writer.event_loop.get_or_none();
    let transport = writer.transport(owner)?;
    let context = context.cloned().unwrap_or_else(Object::none);
    let start_tls = event_loop.bound(py).look_up(&names.start_tls)?;
    let upgrade = start_tls.invoke_with((transport, protocol, context), &keywords)?;
    let delegated = delegate::begin(this, &upgrade.into())?;
    after_tls(owner, delegated)
}

/// The transport is upgraded: writer, protocol and reader get the new one.
///
/// In releases where the protocol keeps its writer, it takes the transport from there.
fn after_tls(owner: &Native<Writer>, delegated: Delegated) -> Result<Progress> {
    let transport = match delegated {
        Delegated::Waits(progress) => return Ok(progress),
        Delegated::Returned(transport) => transport,
    };
    let names = &globals().names;
    let writer = owner.get();
    writer.transport.set(transport.clone());
    let protocol = writer.protocol.get_or_none();
    if edition().streams.keeps_writer {
        protocol.invoke(&names.replace_writer, [owner])?;
    } else {
        protocol.invoke(&names.replace_transport, [&transport])?;
    }
    ready(Object::none())
}

/// `__del__`: a writer that was not closed closes its transport and warns.
///
/// Only by releases of asyncio that do so. It runs when the last reference goes, or in the garbage
/// collector, in any thread.
///
/// # Errors
/// Reported as unraisable by the interpreter.
fn finalise(writer: &Writer, this: &Object) -> Result<()> {
    let Some(transport) = writer
        .transport
        .get()
        .filter(|_| edition().streams.writer_warns)
    else {
        return Ok(());
    };
    let names = &globals().names;
    if is_closing(&transport)? {
        return Ok(());
    }
    let py = attached();
    let event_loop = writer.event_loop.get_or_none();
    let text = if event_loop.invoke(&names.is_closed, [])?.is_true()? {
        "loop is closed".to_owned()
    } else {
        this.invoke(&names.close, [])?;
        format!("unclosed {}", making::represented(this)?)
    };
    let text = std::ffi::CString::new(text.replace('\0', "\\0")).unwrap_or_default();
    let category = py.get_type::<pyo3::exceptions::PyResourceWarning>();
    Ok(PyErr::warn(py, &category, &text, 1)?)
}
