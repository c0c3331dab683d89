//! `open_connection`, `start_server`, and the same for Unix sockets.
//!
//! Each hands the loop a factory of protocols and awaits the loop's answer. The class of the loop
//! and the way it connects do not matter here.
//!
//! ```text
//!    open_connection(…)   reader and protocol are made ► loop.create_connection ► writer, pair
//!    start_server(…)      loop.create_server(factory)   ► server
//!                         for each client: factory() makes reader and protocol
//! ```
//! Nothing happens before the awaitable is awaited, as these are coroutine functions in asyncio. A
//! cancellation goes to the loop's coroutine.

use std::ffi::CStr;

use greenloop_core::observe::WaitKind;
use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Anything, Arguments, Class, Function, Held, Native, NativeSlot, Object, Result, Slot, Visited,
    Visitor, attached, class_of, fast, same_string, type_error, visit_slots,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::protocol::Protocol;
use super::reader::Reader;
use super::writer::Writer;
use crate::asyncio::{globals, running_loop};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::observing::Wait;

/// The class of the factory that the loop calls for a protocol.
///
/// Python cannot make one, only call it.
pub static FACTORY: Class<Factory> = Class::new();

/// The factory of the protocols of one client or server. Called without arguments.
///
/// It is the owner of the operation as well, and so holds the arguments for the streams.
pub struct Factory {
    /// The one protocol of a client, or empty.
    protocol: NativeSlot<Protocol>,
    /// Its reader, which the protocol does not hold.
    ///
    /// Held here until the pair is returned.
    reader: NativeSlot<Reader>,
    /// A server's callback; empty for a client.
    client_connected: Slot,
    /// The readers' limit in bytes, as given; empty for the default.
    limit: Slot,
    /// The loop that runs when the call is awaited.
    event_loop: Slot,
}

// SAFETY: the factory's own slots, and those for protocol and reader, each once.
unsafe impl Held for Factory {
    fn new() -> Self {
        Self {
            protocol: NativeSlot::empty(),
            reader: NativeSlot::empty(),
            client_connected: Slot::empty(),
            limit: Slot::empty(),
            event_loop: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.protocol.visit(visitor)?;
        self.reader.visit(visitor)?;
        visit_slots(visitor, self.slots())
    }

    fn clear(&self) {
        self.protocol.clear();
        self.reader.clear();
        for slot in self.slots() {
            slot.clear();
        }
    }
}

impl Factory {
    /// The protocol of a connection: the one that is there already, or a new one with its reader.
    ///
    /// A client's is called once by a loop, but every call gives the same protocol.
    ///
    /// # Errors
    /// Those of making a reader or protocol, such as a limit that is refused.
    fn make(&self) -> Result<Native<Protocol>> {
        if let Some(protocol) = self.protocol.get() {
            return Ok(protocol);
        }
        let event_loop = self.event_loop.get_or_none();
        let reader = Reader::create(self.limit.get().as_ref(), &event_loop)?;
        Protocol::create(&reader, self.client_connected.get().as_ref(), &event_loop)
    }

    const fn slots(&self) -> [&Slot; 3] {
        [&self.client_connected, &self.limit, &self.event_loop]
    }
}

/// # Errors
/// `TypeError` for any argument.
fn call(this: &Native<Factory>, arguments: Arguments<'_>) -> Result<Object> {
    if !arguments.positional().is_empty() || !arguments.has_no_keywords() {
        return Err(type_error("a protocol factory takes no arguments"));
    }
    this.get().make().map(Native::into_object)
}

/// Makes the class of the factory.
pub fn make_factory_class() -> Result<()> {
    class_of::<Factory>(c"greenloop.StreamProtocolFactory")
        .not_callable()
        .doc(c"Makes the protocols of streams.")
        .call_by(call)
        .build_into(&FACTORY)
}

/// A call of one of the four functions, between the call and the first step: the arguments for the
/// loop, and those for the streams.
///
/// asyncio's functions have few parameters of their own and pass all keywords on.
struct Request<'py> {
    /// Host and port, or the path: None where not given.
    positional: Vec<Object>,
    /// Not looked at here, so that those of a newer asyncio work.
    keywords: Bound<'py, PyDict>,
    /// Required of a server.
    client_connected: Option<Object>,
    /// For the readers, never for the loop.
    limit: Option<Object>,
}

impl<'py> Request<'py> {
    /// Tells the arguments apart. `by_place` are those the loop is given so.
    ///
    /// # Errors
    /// `TypeError` in Python's words for too many, double or missing arguments; unknown keywords
    /// are the loop's to refuse.
    fn parse(
        py: Python<'py>,
        function: &CStr,
        arguments: Arguments<'_>,
        has_callback: bool,
        by_place: &[&Object],
    ) -> Result<Self> {
        let names = &globals().names;
        let mut all: Vec<&Object> = Vec::new();
        if has_callback {
            all.push(&names.client_connected_cb);
        }
        all.extend(by_place);
        let function = function.to_string_lossy();
        if arguments.positional().len() > all.len() {
            let (most, given) = (all.len(), arguments.positional().len());
            return Err(type_error(&format!(
                "{function}() takes from {} to {most} positional arguments but {given} were given",
                usize::from(has_callback)
            )));
        }
        let mut values: Vec<Option<Object>> = vec![None; all.len()];
        for (place, value) in values.iter_mut().zip(arguments.positional()) {
            *place = Some(value.clone());
        }
        let (keywords, mut limit) = (making::dict(py)?, None);
        for (name, value) in arguments.keywords() {
            if same_string(&names.limit, name) {
                limit = Some(value.clone());
            } else if let Some(index) = all.iter().position(|other| same_string(other, name)) {
                if values[index].replace(value.clone()).is_some() {
                    return Err(type_error(&format!(
                        "{function}() got multiple values for argument '{}'",
                        name.bound(py)
                    )));
                }
            } else {
                keywords.enter(name, value)?;
            }
        }
        let mut values = values.into_iter();
        let client_connected = if has_callback {
            values.next().flatten()
        } else {
            None
        };
        if has_callback && client_connected.is_none() {
            return Err(type_error(&format!(
                "{function}() missing 1 required positional argument: 'client_connected_cb'"
            )));
        }
        let positional = values
            .map(|value| value.unwrap_or_else(Object::none))
            .collect();
        Ok(Self {
            positional,
            keywords,
            client_connected,
            limit,
        })
    }

    /// The coroutine that does it: the factory holds the arguments for the streams, and the tuple
    /// in `value` those for the loop.
    ///
    /// Costs a factory, two tuples and the dictionary; nothing of the network has happened.
    fn into_awaitable(self, operation: &'static Operation<Native<Factory>>) -> Result<Object> {
        let object = FACTORY.create()?;
        let factory = object.get();
        factory.client_connected.set_optional(self.client_connected);
        factory.limit.set_optional(self.limit);
        let positional = making::tuple(self.positional)?;
        let passed = making::pair(&positional, &self.keywords.into_any().into())?;
        Awaitable::create(operation, &object, Some(&passed))
    }
}

/// `loop.method(factory, ...)`, awaited.
///
/// A method of the loop by name: the loop may be of any class, or have it replaced.
///
/// # Errors
/// Those of the call. Those of connecting come when it is awaited.
fn ask_loop(
    this: &Native<Awaitable>,
    factory: &Native<Factory>,
    method: &Object,
) -> Result<Delegated> {
    let py = attached();
    let passed = this.get().value().get_or_none();
    let Some([positional, keywords]) = passed.tuple_items() else {
        return Err(type_error("the arguments for the loop are gone"));
    };
    let mut all = vec![Object::clone(factory)];
    all.extend_from_slice(positional.tuple_items().unwrap_or_default());
    let keywords = keywords.bound(py);
    let keywords = keywords.cast_into::<PyDict>().map_err(PyErr::from)?;
    let event_loop = factory.get().event_loop.get_or_none();
    let method = event_loop.bound(py).look_up(method)?;
    let coroutine = method.invoke_with(all, &keywords)?;
    delegate::begin(this, &coroutine.into())
}

/// The first step of a client.
///
/// # Errors
/// `RuntimeError` without a loop, `ValueError` for a limit of 0 or less, and those of the loop.
fn start_client(
    this: &Native<Awaitable>,
    owner: &Native<Factory>,
    method: &Object,
) -> Result<Progress> {
    let factory = owner.get();
    let event_loop = running_loop()?;
    factory.event_loop.set(event_loop.clone());
    let reader = Reader::create(factory.limit.get().as_ref(), &event_loop)?;
    factory
        .protocol
        .set(Protocol::create(&reader, None, &event_loop)?);
    factory.reader.set(reader);
    factory.limit.clear();
    finish_client(owner, ask_loop(this, owner, method)?)
}

/// The connection is made: returns the reader and a new writer.
///
/// The loop has returned its transport and the protocol that the factory made.
fn finish_client(owner: &Native<Factory>, delegated: Delegated) -> Result<Progress> {
    let connection = match delegated {
        Delegated::Waits(progress) => return Ok(progress),
        Delegated::Returned(connection) => connection,
    };
    let py = attached();
    let factory = owner.get();
    let (transport, _): (Bound<'_, PyAny>, Bound<'_, PyAny>) = connection.bound(py).extract()?;
    let (protocol, reader) = (factory.protocol.get_or_none(), factory.reader.get_or_none());
    let event_loop = factory.event_loop.get_or_none();
    let writer = Writer::create(&transport.into(), &protocol, &reader, &event_loop)?;
    ready(making::pair(&reader, &writer)?)
}

/// The first step of a server.
///
/// The server is listening when the awaitable returns, unless `start_serving=False` was given.
fn start_listening(
    this: &Native<Awaitable>,
    owner: &Native<Factory>,
    method: &Object,
) -> Result<Progress> {
    owner.get().event_loop.set(running_loop()?);
    Ok(finish_server(ask_loop(this, owner, method)?))
}

/// The loop's server object is returned as it is.
fn finish_server(delegated: Delegated) -> Progress {
    match delegated {
        Delegated::Waits(progress) => progress,
        Delegated::Returned(server) => Progress::Returned(server),
    }
}

/// The loop's coroutine goes on, and may wait several times: for a name, for a socket, for TLS.
fn resume_client(this: &Native<Awaitable>, owner: &Native<Factory>) -> Result<Progress> {
    finish_client(owner, delegate::continue_with(this, None)?)
}

/// The loop's coroutine may handle the exception, so that the operation goes on all the same.
fn interrupt_client(
    this: &Native<Awaitable>,
    owner: &Native<Factory>,
    exception: &Object,
) -> Result<Progress> {
    finish_client(owner, delegate::continue_with(this, Some(exception))?)
}

fn resume_server(this: &Native<Awaitable>, _: &Native<Factory>) -> Result<Progress> {
    Ok(finish_server(delegate::continue_with(this, None)?))
}

/// As for a client.
fn interrupt_server(this: &Native<Awaitable>, exception: &Object) -> Result<Progress> {
    let delegated = delegate::continue_with(this, Some(exception))?;
    Ok(finish_server(delegated))
}

/// The four operations differ in the loop's method, and servers from clients in how they end.
static OPEN_CONNECTION: Operation<Native<Factory>> = Operation {
    name: c"open_connection",
    start: |this, owner| start_client(this, owner, &globals().names.create_connection),
    resume: resume_client,
    interrupt: |this, owner, exception| interrupt_client(this, owner, &exception),
    waits: |_, _| Some(Wait::of(WaitKind::Connect)),
    inside: |_| &[],
    behind: None,
};

static OPEN_UNIX_CONNECTION: Operation<Native<Factory>> = Operation {
    name: c"open_unix_connection",
    start: |this, owner| start_client(this, owner, &globals().names.create_unix_connection),
    resume: resume_client,
    interrupt: |this, owner, exception| interrupt_client(this, owner, &exception),
    waits: |_, _| Some(Wait::of(WaitKind::Connect)),
    inside: |_| &[],
    behind: None,
};

static START_SERVER: Operation<Native<Factory>> = Operation {
    name: c"start_server",
    start: |this, owner| start_listening(this, owner, &globals().names.create_server),
    resume: resume_server,
    interrupt: |this, _, exception| interrupt_server(this, &exception),
    waits: |_, _| None,
    inside: |_| &[],
    behind: None,
};

static START_UNIX_SERVER: Operation<Native<Factory>> = Operation {
    name: c"start_unix_server",
    start: |this, owner| start_listening(this, owner, &globals().names.create_unix_server),
    resume: resume_server,
    interrupt: |this, _, exception| interrupt_server(this, &exception),
    waits: |_, _| None,
    inside: |_| &[],
    behind: None,
};

/// Host and port may be given by place, all else by name.
fn open_connection(_: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let py = attached();
    let by_place = [&names.host, &names.port];
    Request::parse(py, OPEN_CONNECTION.name, arguments, false, &by_place)?
        .into_awaitable(&OPEN_CONNECTION)
}

/// The path may be given by place.
fn open_unix_connection(_: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let py = attached();
    let by_place = [&globals().names.path];
    Request::parse(py, OPEN_UNIX_CONNECTION.name, arguments, false, &by_place)?
        .into_awaitable(&OPEN_UNIX_CONNECTION)
}

fn start_server(_: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let py = attached();
    let by_place = [&names.host, &names.port];
    Request::parse(py, START_SERVER.name, arguments, true, &by_place)?.into_awaitable(&START_SERVER)
}

fn start_unix_server(_: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let py = attached();
    let by_place = [&globals().names.path];
    Request::parse(py, START_UNIX_SERVER.name, arguments, true, &by_place)?
        .into_awaitable(&START_UNIX_SERVER)
}

/// The functions of the module.
///
/// The signatures show the limit's default, which is `DEFAULT_LIMIT`.
pub fn functions() -> Vec<Function> {
    vec![
        fast(
            c"open_connection",
            open_connection,
            c"open_connection(host=None, port=None, *, limit=65536, **kwds)\n--\n\n\
              Connect to a host; return a (reader, writer) pair. See asyncio.open_connection.\n\n\
              Other keywords go to loop.create_connection(), such as ssl. The limit is that \
              of the reader, in bytes.",
        ),
        fast(
            c"start_server",
            start_server,
            c"start_server(client_connected_cb, host=None, port=None, *, limit=65536, **kwds)\n\
              --\n\n\
              Start a server that calls client_connected_cb(reader, writer) for each client. \
              See asyncio.start_server.\n\n\
              The callback may be a coroutine function, which then runs as a task for each \
              client. Other keywords go to loop.create_server().",
        ),
        fast(
            c"open_unix_connection",
            open_unix_connection,
            c"open_unix_connection(path=None, *, limit=65536, **kwds)\n--\n\n\
              Connect to a Unix socket; return a (reader, writer) pair. See \
              asyncio.open_unix_connection.\n\n\
              Other keywords go to loop.create_unix_connection().",
        ),
        fast(
            c"start_unix_server",
            start_unix_server,
            c"start_unix_server(client_connected_cb, path=None, *, limit=65536, **kwds)\n--\n\n\
              Start a server on a Unix socket; see asyncio.start_unix_server.\n\n\
              Other keywords go to loop.create_unix_server().",
        ),
    ]
}
