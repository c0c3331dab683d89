//! `SocketTransport`: a connection over TCP or a Unix socket.
//!
//! ```text
//!             1 open      2 close, abort, an error       3 in the next turn
//!   a socket ────────► open ─────────────────────► closing ────────────────► closed
//!                                                   │     ▲
//!                                                   └─────┘ what waits is written first (close)
//! ```
//! It does the same as asyncio's `_SelectorSocketTransport`, in the same turns and with the same
//! messages, and costs less: readiness reaches it without a Python object, one receive fills one of
//! the loop's buffers, data is sent at once, and only the rest is kept. Each method is in the file
//! of its capability. Methods that run at most once in the life of a connection, and those that
//! only return a property, are asyncio's own functions, put into the class (see [`class`]).
//!
//! The descriptor is read from the socket object each time, which knows when it was closed: a kept
//! number might mean another file by then.

mod chunk;
mod class;
mod closing;
mod flow_control;
mod foreign;
mod joining;
mod opening;
mod plain_socket;
mod reading;
mod receiving;
mod table;
mod writing;

use std::cell::Cell;
use std::ffi::c_int;
use std::os::fd::RawFd;

use greenloop_core::{FlowControl, WriteQueue};
use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    GilCell, Object, Raised, Result, Slot, attached, call_method, call_method_keywords,
    copy_context,
};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::asyncio::{globals, running_loop_or_none};
use crate::event_loop::EventLoop;
use crate::handle::Handle;
use crate::scheduler::{Job, Scheduler};

pub use class::make_class;
pub use opening::{Connection, descriptor_of_plain, is_plain, native_table, socket_numbers};
pub use plain_socket::{initialise as find_plain_sockets, plain_sockets};
pub use table::TransportTable;
pub use writing::write;

use chunk::Chunk;
use joining::Joining;
use receiving::Habit;

/// How many attributes asyncio's base classes keep in slots of theirs.
const BASE_SLOTS: usize = 5;

/// The C struct of `SocketTransport`.
#[repr(C)]
pub struct SocketTransport {
    header: ffi::PyObject,
    /// The slots of asyncio's classes. Ours has its own attributes by the same names, so these stay
    /// empty unless code uses asyncio's descriptors.
    base: [Slot; BASE_SLOTS],
    /// `__dict__`, once there is one.
    attributes: Slot,
    /// The list of weak references, which is the interpreter's.
    weak_references: Cell<*mut ffi::PyObject>,
    /// The loop, until the connection is closed.
    event_loop: Slot,
    /// The loop's native part. Valid as long as `event_loop` is held, and null after.
    native_loop: Cell<*const EventLoop>,
    /// The `socket.socket`, until it is closed.
    socket: Slot,
    protocol: Slot,
    /// The context in which the protocol is called when there is something to read.
    reading_context: Slot,
    /// The same for when there is room to write.
    writing_context: Slot,
    /// The number of the present registration as a reader; the one before is none any more.
    reading_ticket: Cell<u32>,
    /// The same as a writer.
    writing_ticket: Cell<u32>,
    /// How many bytes one receive takes at most.
    max_size: Cell<usize>,
    habit: Habit,
    /// Whether the protocol is a `BufferedProtocol`.
    buffered: Cell<bool>,
    /// Set by the first `set_protocol`, and never cleared.
    protocol_connected: Cell<bool>,
    /// Set if the socket is not one whose struct is known.
    foreign: Cell<bool>,
    /// Set by `write_eof`: nothing more will be written.
    eof: Cell<bool>,
    /// Set when the connection is ended, in any way: nothing more will be read.
    closing: Cell<bool>,
    /// Set between `pause_reading` and `resume_reading`.
    paused: Cell<bool>,
    /// Not zero once `connection_lost` is under way; counts writes from then on.
    lost: Cell<u64>,
    pending: GilCell<WriteQueue<Chunk>>,
    joining: Joining,
    flow: Cell<FlowControl>,
    /// The descriptor's number while it was open, for messages and for the loop's table.
    number: Cell<RawFd>,
    server: Slot,
    /// The dict of `get_extra_info`.
    extra: Slot,
    /// While a file is sent past the transport: the future that tells when nothing waits.
    empty_waiter: Slot,
    /// The context in which everything is called, where the loop was given one (3.15).
    context: Slot,
    /// The water marks, as they were given.
    high_water: Slot,
    low_water: Slot,
}

/// The beginning of the C struct of `_socket.socket`.
#[repr(C)]
struct SocketObject {
    header: ffi::PyObject,
    /// -1 once it is closed or detached.
    descriptor: c_int,
}

/// Whether `object` is a transport of exactly our class, with no method replaced: then [`write()`]
/// may be called instead of its method.
#[inline]
pub fn is_native(object: &Object) -> bool {
    object.is_exactly(globals().classes.socket_transport.as_ptr())
        && SocketTransport::of(object).attributes.is_empty()
}

impl SocketTransport {
    /// The struct behind a `SocketTransport`.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        // SAFETY: the callers pass instances of the class only: receivers of its methods, and
        // owners of its own listeners.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// The loop's native part, until the connection is closed.
    #[inline]
    fn native(&self) -> Option<&EventLoop> {
        // SAFETY: `event_loop` keeps the loop alive as long as this is not null.
        unsafe { self.native_loop.get().as_ref() }
    }

    /// The peer has been sent something, and may be on this very loop.
    #[inline]
    fn expect_input(&self) {
        if let Some(native) = self.native() {
            native.expect_input();
        }
    }

    /// The descriptor, or -1 if there is none any more, which every system call refuses.
    #[inline]
    fn descriptor(&self) -> RawFd {
        let socket = self.socket.as_ptr();
        if socket.is_null() {
            return -1;
        }
        if self.foreign.get() {
            return self.number.get();
        }
        // SAFETY: the slot holds an exact `socket.socket`, whose struct begins like this: that was
        // looked at when it was put there.
        unsafe { (*socket.cast::<SocketObject>()).descriptor }
    }

    /// The scheduler of our loop, if its ready queue may be used.
    fn fast_loop(&self) -> Option<&Scheduler> {
        let scheduler = self.native().map(|native| &native.scheduler);
        scheduler.filter(|scheduler| scheduler.is_fast())
    }

    /// Calls a function of the connection's in the next turn.
    fn call_soon(&self, callback: &Object, arguments: &[Object]) -> Result<()> {
        let event_loop = self.event_loop.get_or_none();
        let context = self.context.get();
        let context = context.as_ref();
        let globals = globals();
        if let Some(scheduler) = self.fast_loop() {
            let class = globals.classes.handle.as_ptr();
            let on = Some(scheduler);
            let handle = Handle::create(class, callback, arguments, context, &event_loop, on)?;
            scheduler.push(Job::Handle(handle));
            return Ok(());
        }
        let mut all = vec![event_loop.as_ptr(), callback.as_ptr()];
        all.extend(arguments.iter().map(Object::as_ptr));
        let Some(context) = context else {
            return call_method(&globals.names.call_soon, &all).map(drop);
        };
        all.push(context.as_ptr());
        let keywords = Some(&globals.keywords.context);
        call_method_keywords(&globals.names.call_soon, &all, 1, keywords).map(drop)
    }

    /// The context for a registration that is made now.
    fn context_now(&self) -> Result<Object> {
        match self.context.get() {
            Some(context) => Ok(context),
            None => copy_context(),
        }
    }

    /// `self._loop.get_debug()`.
    fn debug(&self) -> Result<bool> {
        if self.fast_loop().is_some() {
            return Ok(false);
        }
        let event_loop = self.event_loop.get_or_none();
        call_method(&globals().names.get_debug, &[event_loop.as_ptr()])?.is_true()
    }
}

/// Calls `body(this)`, which is the method `name` too, in a context: the method itself if the
/// context is an object of another class, and then there is nothing to return.
#[inline]
fn in_context<R: Default>(
    context: &Object,
    this: &Object,
    name: &Object,
    body: fn(&Object) -> Result<R>,
) -> Result<R> {
    // SAFETY: the context is a valid object; Enter and Exit are paired, also when `body` raises.
    unsafe {
        if ffi::PyContext_CheckExact(context.as_ptr()) == 0 {
            let run = &globals().names.run_in_context;
            let method = this.attribute(name)?;
            return call_method(run, &[context.as_ptr(), method.as_ptr()]).map(|_| R::default());
        }
        if ffi::PyContext_Enter(context.as_ptr()) < 0 {
            return Err(Raised);
        }
        let outcome = body(this);
        if ffi::PyContext_Exit(context.as_ptr()) < 0 {
            return Err(Raised);
        }
        outcome
    }
}

/// A handle that represents the method `name`, for messages about its exceptions.
fn handle_for(this: &Object, name: &Object, context: &Slot) -> Result<Object> {
    let transport = SocketTransport::of(this);
    let event_loop = match transport.event_loop.get() {
        Some(event_loop) => event_loop,
        // The connection is closed: reports go to the running loop.
        None => running_loop_or_none()?,
    };
    let method = this.attribute(name)?;
    let class = globals().classes.handle.as_ptr();
    let context = context.get();
    Handle::create(class, &method, &[], context.as_ref(), &event_loop, None)
}

/// `logger.debug(text, self)`, in debug mode.
fn log_in_debug_mode(this: &Object, text: &str) -> Result<()> {
    if SocketTransport::of(this).debug()? {
        let py = attached();
        logger(py)?.invoke_method(c"debug", (text, this.bound(py)))?;
    }
    Ok(())
}

/// The logger of asyncio's transports. Looked up at each call: tests replace it there.
fn logger(py: Python<'_>) -> Result<Bound<'_, PyAny>> {
    making::import(py, c"asyncio.selector_events")?.look_up(c"logger")
}

/// Tells the loop's exception handler that something of the connection's has raised.
fn report(this: &Object, message: &str, exception: &Object) -> Result<()> {
    let transport = SocketTransport::of(this);
    let py = attached();
    let names = &globals().names;
    let context = making::dict(py)?;
    context.enter(&names.message, message)?;
    context.enter(&names.exception, exception.bound(py))?;
    context.enter(&names.transport, this.bound(py))?;
    let protocol = transport.protocol.get_or_none();
    context.enter(&names.protocol, protocol.bound(py))?;
    let event_loop = transport.event_loop.get_or_none();
    let arguments = [event_loop.as_ptr(), context.as_ptr()];
    call_method(&names.call_exception_handler, &arguments).map(drop)
}
