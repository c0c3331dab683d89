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
//!
//! Three kinds of references keep a transport alive: the loop, whose table of watches owns it as a
//! listener while it reads or writes; the jobs that name it; and the program's protocol. The loop's
//! [`TransportTable`] holds it weakly. A connection that was closed has none of the first kind, and
//! drops its loop, protocol and socket behind `connection_lost`, so that a cycle through the
//! protocol ends there.
//!
//! Everything that calls the protocol may run any code: it may close the transport, replace its
//! protocol, or run a nested loop. So no borrow of a field lasts across such a call, and the flags
//! are read again behind it.

mod class;
mod closing;
mod coalescing;
mod flow_control;
mod foreign;
mod opening;
mod reading;
mod receiving;
mod table;
mod writing;

use std::cell::Cell;
use std::os::fd::RawFd;

use greenloop_core::{FlowControl, ReceiveSizePredictor, WriteCoalescer, WriteQueue};
use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    BelowSlots, Class, ClassCell, GilCell, Inheriting, Keywords, LastingBytes, Native, NativeSlot,
    Object, Raised, Result, Slot, SocketObject, Visited, Visitor, attached, copy_context,
    visit_slots,
};
use pyo3::prelude::*;

use crate::asyncio::{globals, running_loop_or_none};
use crate::event_loop::{EventLoop, LoopInstance, LoopRef};
use crate::handle::{self, Handle};
use crate::scheduler::{HandleKind, Job};
use crate::streams;

pub use class::make_classes;
pub use opening::{Connection, is_plain, native_table};
pub use table::TransportTable;
pub use writing::write;

/// The public classes by their names.
pub fn classes() -> [(&'static str, &'static ClassCell); 1] {
    [("SocketTransport", &CLASS)]
}

/// How many attributes asyncio's base classes keep in slots of theirs.
const BASE_SLOTS: usize = 5;

/// A reference to a transport.
pub type TransportRef = Native<Instance>;

/// The class.
pub static CLASS: Class<Instance> = Class::new();

/// An instance of the class.
type Instance = BelowSlots<SocketTransport, BASE_SLOTS>;

/// The value of a `SocketTransport`, behind the slots of asyncio's classes. Ours has its own
/// attributes by the same names, so those stay empty unless code uses asyncio's descriptors.
pub struct SocketTransport {
    /// The loop, until the connection is closed.
    event_loop: NativeSlot<LoopInstance>,
    /// The `socket.socket`, until it is closed.
    socket: NativeSlot<SocketObject>,
    /// The object that replaces the socket, if one does: it is used by its methods.
    foreign: Slot,
    /// The object whose methods are called: from the constructor until after `connection_lost`.
    protocol: Slot,
    /// The context in which the protocol is called when there is something to read.
    reading_context: Slot,
    /// The same for when there is room to write.
    writing_context: Slot,
    /// The number of the present registration as a reader; the one before is none any more.
    reading_generation: Cell<u32>,
    /// The same as a writer.
    writing_generation: Cell<u32>,
    /// How many bytes one receive takes at most.
    max_size: Cell<usize>,
    /// How the last receives went, which decides where the next one puts its bytes.
    receive_size: Cell<ReceiveSizePredictor>,
    /// Whether the protocol is a `BufferedProtocol`.
    buffered: Cell<bool>,
    /// Set by the first `set_protocol`, and never cleared.
    protocol_connected: Cell<bool>,
    /// Set by `write_eof`: nothing more will be written.
    eof: Cell<bool>,
    /// Set when the connection is ended, in any way: nothing more will be read. asyncio's
    /// `_closing`.
    closing: Cell<bool>,
    /// Set between `pause_reading` and `resume_reading`. It says nothing about a connection that is
    /// closing, which reads no more either.
    paused: Cell<bool>,
    /// Not zero once `connection_lost` is under way; counts writes from then on. asyncio's
    /// `_conn_lost`. A write that finds it set is dropped.
    lost: Cell<u64>,
    /// What was written and not yet sent, in order. Its bytes are owned, or views that are held
    /// nowhere else, so no program can change their size meanwhile.
    pending: GilCell<WriteQueue<LastingBytes>>,
    /// Whether and how the writes of one job are sent as one packet.
    coalescer: Cell<WriteCoalescer>,
    /// The water marks in bytes, and whether the protocol was asked to pause.
    flow: Cell<FlowControl>,
    /// The descriptor's number while it was open, for messages and for the loop's table. It stays
    /// when the socket is closed, for the removal of listeners and for `repr`.
    number: Cell<RawFd>,
    /// The server that counts the connection until it is closed, or nothing.
    server: Slot,
    /// The dict of `get_extra_info`.
    extra: Slot,
    /// While a file is sent past the transport: the future that tells when nothing waits.
    empty_waiter: Slot,
    /// The context in which everything is called, where the loop was given one (3.15).
    context: Slot,
    /// The water marks, as they were given. The core's `flow` has them as counts of bytes.
    high_water: Slot,
    low_water: Slot,
}

// SAFETY: the loop, the socket and the slots are fields of the transport; pending chunks are not
// shown.
unsafe impl Inheriting for SocketTransport {
    /// All fields that hold objects, except the write queue, which holds bytes and views of them.
    fn visit(&self, visitor: &Visitor) -> Visited {
        self.event_loop.visit(visitor)?;
        self.socket.visit(visitor)?;
        visit_slots(visitor, self.slots())
    }

    fn clear(&self) {
        self.event_loop.clear();
        self.socket.clear();
        self.slots().into_iter().for_each(Slot::clear);
        self.discard_pending();
    }

    /// Closes a connection that was not closed, with a warning. asyncio's function does it. It
    /// warns with a `ResourceWarning` and closes the socket, from the collector or when the last
    /// reference goes.
    fn finalise(&self, this: &Object) -> Result<()> {
        if self.has_no_socket() {
            return Ok(());
        }
        let asyncios = &globals().asyncio.socket_transport;
        let end = asyncios.attribute(&globals().names.del)?;
        end.call([this]).map(drop)
    }
}

/// The transport, if `object` is one whose methods are ours: then [`write()`] may be called instead
/// of its method.
#[inline]
pub fn native(object: &Object) -> Option<&TransportRef> {
    CLASS.plain(object)
}

/// The classes whose methods programs may replace, which short cuts look out for.
pub fn replaceable_classes() -> [&'static ClassCell; 1] {
    [&CLASS]
}

/// What the writers of streams ask.
pub const FOR_WRITERS: streams::NativeTransport = streams::NativeTransport {
    is_closing: |object| Some(Ok(closing::asks_whether_closing(native(object)?))),
    write: |object, data| Some(write(native(object)?, data).map(drop)),
};

/// The transport that a reaction's owner is, or the owner of what is to be done at the end of a
/// job: only this room makes such, for its own transports.
///
/// # Errors
/// `RuntimeError` for any other object, which no program can cause.
#[inline]
fn owner(object: &Object) -> Result<&TransportRef> {
    CLASS.exactly(object).ok_or_else(not_ours)
}

#[cold]
fn not_ours() -> Raised {
    making::runtime_error("a transport was expected")
}

impl SocketTransport {
    /// One without a connection, that receives `max_size` bytes at once. It has no socket, so
    /// dropping it in this state warns of nothing.
    fn new(max_size: usize) -> Self {
        Self {
            event_loop: NativeSlot::empty(),
            socket: NativeSlot::empty(),
            foreign: Slot::empty(),
            protocol: Slot::empty(),
            reading_context: Slot::empty(),
            writing_context: Slot::empty(),
            reading_generation: Cell::new(0),
            writing_generation: Cell::new(0),
            max_size: Cell::new(max_size),
            receive_size: Cell::new(ReceiveSizePredictor::new()),
            buffered: Cell::new(false),
            protocol_connected: Cell::new(false),
            eof: Cell::new(false),
            closing: Cell::new(false),
            paused: Cell::new(false),
            lost: Cell::new(0),
            pending: GilCell::new(WriteQueue::new()),
            coalescer: Cell::new(WriteCoalescer::new()),
            flow: Cell::new(FlowControl::new()),
            number: Cell::new(0),
            server: Slot::empty(),
            extra: Slot::empty(),
            empty_waiter: Slot::empty(),
            context: Slot::empty(),
            high_water: Slot::empty(),
            low_water: Slot::empty(),
        }
    }

    /// The fields that hold any object, for the collector. `event_loop` and `socket` are of known
    /// classes and shown apart.
    const fn slots(&self) -> [&Slot; 10] {
        [
            &self.foreign,
            &self.protocol,
            &self.reading_context,
            &self.writing_context,
            &self.server,
            &self.extra,
            &self.empty_waiter,
            &self.context,
            &self.high_water,
            &self.low_water,
        ]
    }

    /// The loop, until the connection is closed.
    #[inline]
    fn event_loop(&self) -> Option<LoopRef> {
        self.event_loop.get()
    }

    /// The socket, or what replaces it, or None. It is what the attribute `_sock` shows.
    fn socket(&self) -> Object {
        match self.foreign.get() {
            Some(foreign) => foreign,
            None => self.socket.get_or_none(),
        }
    }

    /// Whether the connection was closed, or never opened.
    fn has_no_socket(&self) -> bool {
        self.socket.is_empty() && self.foreign.is_empty()
    }

    /// The peer has been sent something, and may be on this very loop. With asyncio the next turn
    /// would see what the peer finds readable, so the next turn has to poll.
    #[inline]
    fn expect_input(&self) {
        if let Some(event_loop) = self.event_loop() {
            EventLoop::native_part(&event_loop).expect_input();
        }
    }

    /// The descriptor, or -1 if there is none any more, which every system call refuses. The number
    /// of a socket that replaces the real one is that of the real one.
    #[inline]
    fn descriptor(&self) -> RawFd {
        if self.is_foreign() {
            self.number.get()
        } else {
            self.socket.descriptor()
        }
    }

    /// Calls a function of the connection's in the next turn. A handle goes straight into the ready
    /// ring where no override and no debug mode could notice; otherwise `loop.call_soon` is called
    /// by its name, with the keyword `context` only if the loop was given one.
    ///
    /// # Errors
    /// `RuntimeError` if the loop is closed, or what an override raises.
    fn call_soon(&self, callback: &Object, arguments: &[Object]) -> Result<()> {
        let event_loop = self.event_loop.get_or_none();
        let context = self.context.get();
        let context = context.as_ref();
        let globals = globals();
        let native = self.event_loop();
        let native = native.as_ref().map(EventLoop::native_part);
        if let Some(scheduler) = native
            .map(|native| &native.scheduler)
            .filter(|one| one.is_fast())
        {
            let on = Some(scheduler);
            let class = &handle::CLASS;
            let handle = Handle::create(class, callback, arguments, context, &event_loop, on)?;
            scheduler.push(Job::Handle(handle.into_up()));
            return Ok(());
        }
        let all: Vec<_> = [callback].into_iter().chain(arguments).collect();
        let call_soon = &globals.names.call_soon;
        let Some(context) = context else {
            return event_loop.invoke_with(call_soon, &all).map(drop);
        };
        let keywords = Keywords::new([c"context"])?;
        let handle = event_loop.invoke_with_named(call_soon, &all, &keywords, [context]);
        handle.map(drop)
    }

    /// The context for a registration that is made now. A copy of the caller's, as asyncio's handle
    /// would make it, unless the whole connection has one (3.15).
    fn context_now(&self) -> Result<Object> {
        match self.context.get() {
            Some(context) => Ok(context),
            None => copy_context(),
        }
    }

    /// `self._loop.get_debug()`. It is called by name unless the loop is on its fast path, which
    /// excludes debug mode.
    ///
    /// # Errors
    /// What an override raises.
    fn debug(&self) -> Result<bool> {
        let event_loop = self.event_loop();
        let native = event_loop.as_ref().map(EventLoop::native_part);
        if native.is_some_and(|native| native.scheduler.is_fast()) {
            return Ok(false);
        }
        let event_loop = self.event_loop.get_or_none();
        event_loop.invoke(&globals().names.get_debug, [])?.is_true()
    }
}

/// Calls `body(this)`, which is the method `name` too, in a context: the method itself if the
/// context is an object of another class, and then there is nothing to return. Such an object can
/// only be one that the program has given to its loop's method (3.15): its method `run` is called.
///
/// # Errors
/// What the body raises.
#[inline]
fn in_context<R: Default>(
    context: &Object,
    this: &TransportRef,
    name: &Object,
    body: fn(&TransportRef) -> Result<R>,
) -> Result<R> {
    if context.is_context() {
        return context.inside(|| body(this));
    }
    let method = this.attribute(name)?;
    let run = &globals().names.run_in_context;
    context.invoke(run, [&method]).map(|_| R::default())
}

/// A handle that represents the method `name`, for messages about its exceptions. It is made on
/// demand, when a program reads the loop's queue, or when the reaction has raised.
fn handle_for(this: &TransportRef, name: &Object, context: &Slot) -> Result<Native<HandleKind>> {
    let event_loop = match this.get().event_loop() {
        Some(event_loop) => event_loop.into_object(),
        // The connection is closed: reports go to the running loop.
        None => running_loop_or_none()?,
    };
    let method = this.attribute(name)?;
    let context = context.get();
    let context = context.as_ref();
    Handle::create(&handle::CLASS, &method, &[], context, &event_loop, None).map(Native::into_up)
}

/// `logger.debug(text, self)`, in debug mode.
///
/// # Errors
/// What a handler of the logger raises.
fn log_in_debug_mode(this: &TransportRef, text: &str) -> Result<()> {
    if this.get().debug()? {
        let py = attached();
        logger(py)?.invoke_method(c"debug", (text, this.bound(py)))?;
    }
    Ok(())
}

/// The logger of asyncio's transports. Looked up at each call: tests replace it there.
fn logger(py: Python<'_>) -> Result<Bound<'_, PyAny>> {
    making::import(py, c"asyncio.selector_events")?.look_up(c"logger")
}

/// Tells the loop's exception handler that something of the connection's has raised. The context
/// has asyncio's four entries: `message`, `exception`, `transport` and `protocol`.
///
/// # Errors
/// What the exception handler raises; asyncio's own raises only what leaves the loop.
fn report(this: &TransportRef, message: &str, exception: &Object) -> Result<()> {
    let transport = this.get();
    let py = attached();
    let names = &globals().names;
    let context = making::dict(py)?;
    context.enter(&names.message, message)?;
    context.enter(&names.exception, exception.bound(py))?;
    context.enter(&names.transport, this.bound(py))?;
    let protocol = transport.protocol.get_or_none();
    context.enter(&names.protocol, protocol.bound(py))?;
    let event_loop = transport.event_loop.get_or_none();
    let context = Object::from(context.into_any());
    event_loop
        .invoke(&names.call_exception_handler, [&context])
        .map(drop)
}
