//! `read`, `readline`, `readexactly`, `readuntil` and `async for`: the operations on a reader.
//!
//! Each looks at the buffer when it starts and whenever it is woken, and waits if that does not
//! suffice. A read that is satisfied at once costs no turn of the loop.
//!
//! If a subclass has replaced a method that these call, asyncio's own functions run on it: they
//! find every attribute that they use.

mod amounts;
mod lines;
mod separators;

use greenloop_core::WaitList as _;
use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Method, Native, Object, Raised, Result, fast, noargs, one, raise_object, restore,
};

use super::reader::{CLASS, Reader, assertion};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};

pub use lines::next as next_line;

use amounts::{READ, READ_EXACTLY};
use lines::READ_LINE;
use separators::READ_UNTIL;

fn read(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    if is_customised(this)? {
        return read_by_name(this, &names.read, arguments);
    }
    let [count] = arguments.bind(c"StreamReader.read", [&names.n], 1, 0)?;
    Awaitable::create(&READ, this, count)
}

fn read_exactly(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    if is_customised(this)? {
        return read_by_name(this, &names.readexactly, arguments);
    }
    let count = arguments.single(c"StreamReader.readexactly", &names.n)?;
    Awaitable::create(&READ_EXACTLY, this, Some(count))
}

fn read_until(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    if is_customised(this)? {
        return read_by_name(this, &names.readuntil, arguments);
    }
    let [separator] = arguments.bind(c"StreamReader.readuntil", [&names.separator], 1, 0)?;
    Awaitable::create(&READ_UNTIL, this, separator)
}

/// `readline()`: asyncio's own function for a subclass that replaces what it calls.
fn read_line(this: &Native<Reader>) -> Result<Object> {
    if is_customised(this)? {
        let function = &globals().names.readline;
        let function = globals().asyncio.stream_reader.attribute(function)?;
        return function.call([this]);
    }
    Awaitable::create(&READ_LINE, this, None)
}

/// asyncio's own function on a reader of which a method was replaced.
#[cold]
fn read_by_name(this: &Object, name: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let function = globals().asyncio.stream_reader.attribute(name)?;
    arguments.forward_to(&function, this)
}

/// Whether a method that reading goes through was replaced.
#[inline]
fn is_customised(this: &Native<Reader>) -> Result<bool> {
    if this.is_plain(&CLASS) {
        return Ok(false);
    }
    let names = &globals().names;
    let hooks = [
        &names.wait_for_data,
        &names.maybe_resume_transport,
        &names.read,
        &names.readuntil,
    ];
    this.overrides(&CLASS, &hooks)
}

// Waiting.

fn wait_for_data(this: &Native<Reader>, name: &Object) -> Result<Object> {
    Awaitable::create(&WAIT_FOR_DATA, this, Some(name))
}

static WAIT_FOR_DATA: Operation<Native<Reader>> = Operation {
    name: c"StreamReader._wait_for_data",
    start: |this, owner| {
        let name = this.get().value().get_or_none();
        let name = making::shown(&name)?;
        wait(this, owner, &name)
    },
    resume: |this, owner| {
        leave(this, owner);
        ready(Object::none())
    },
    interrupt,
    behind: None,
};

/// Waits until bytes come in or none will any more.
#[inline]
fn wait(this: &Native<Awaitable>, owner: &Native<Reader>, name: &str) -> Result<Progress> {
    let reader = owner.get();
    if reader.is_awaited() {
        return Err(making::runtime_error(&format!(
            "{name}() called while another coroutine is already waiting for incoming data"
        )));
    }
    if reader.is_eof() {
        return Err(assertion(c"_wait_for_data after EOF"));
    }
    // A transport that stayed paused while a task waits for it would never resume.
    reader.resume_transport()?;
    Awaitable::prepare_on(this, &reader.event_loop.get_or_none())?;
    reader.waiter.push(this);
    Ok(Progress::Blocked)
}

fn interrupt(
    this: &Native<Awaitable>,
    owner: &Native<Reader>,
    exception: Object,
) -> Result<Progress> {
    leave(this, owner);
    Err(restore(exception))
}

/// A woken waiter has left the line already; this is for one that was not woken by the reader.
#[inline]
fn leave(this: &Native<Awaitable>, owner: &Native<Reader>) {
    owner.get().waiter.remove(this);
}

// The common part of the operations.

/// Takes bytes out and lets the transport resume.
#[inline]
fn take(reader: &Reader, count: usize) -> Result<Object> {
    let taken = reader.buffer.take(count)?;
    reader.note_consumed()?;
    Ok(taken)
}

fn empty_bytes() -> Result<Object> {
    making::bytes(b"")
}

/// Raises `IncompleteReadError(partial, expected)`.
fn incomplete(partial: &Object, expected: &Object) -> Result<Raised> {
    let class = &globals().asyncio.incomplete_read_error;
    let error = class.call([partial, expected])?;
    Ok(raise_object(&error))
}

const FOUND: &str = "Separator is found, but chunk is longer than limit";
const NOT_FOUND: &str = "Separator is not found, and chunk exceed the limit";

/// `LimitOverrunError(text, consumed)`.
fn overrun(text: &str, consumed: usize) -> Result<Object> {
    let class = &globals().asyncio.limit_overrun_error;
    class.call([&making::text(text)?, &Object::size_of(consumed)?])
}

/// The methods that wait.
pub fn methods() -> [Method<Reader>; 6] {
    [
        noargs(
            c"__anext__",
            lines::next,
            c"Read a line, or raise StopAsyncIteration at the end of the stream.",
        )
        .beside_slot(),
        fast(
            c"read",
            read,
            c"read($self, n=-1)\n--\n\n\
              Read up to n bytes; with -1, read until the end of the stream.",
        ),
        noargs(
            c"readline",
            read_line,
            c"Read a line; return what is left at the end of the stream.",
        ),
        fast(
            c"readexactly",
            read_exactly,
            c"readexactly($self, n)\n--\n\n\
              Read exactly n bytes; raise IncompleteReadError if the stream ends before.",
        ),
        fast(
            c"readuntil",
            read_until,
            c"readuntil($self, separator=b'\\n')\n--\n\n\
              Read until a separator, and return the data with it.",
        ),
        one(
            c"_wait_for_data",
            wait_for_data,
            c"Wait until feed_data or feed_eof is called.",
        ),
    ]
}
