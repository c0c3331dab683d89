//! `read`, `readline`, `readexactly`, `readuntil` and `async for`: the operations on a reader.
//!
//! Each looks at the buffer when it starts and whenever it is woken, and waits if that does not
//! suffice. A read that is satisfied at once costs no turn of the loop.
//!
//! If a subclass has replaced a method that these call, asyncio's own functions run on it: they
//! find every attribute that they use.
//!
//! ```text
//!                        enough in the buffer
//!    start ─────────────────────────────────────────────► take, return
//!      │ not enough                ▲
//!      └──► wait ──► fed, the end ─┤
//!              │                   └─ the end: a partial result, or an error
//!              └──► set_exception, or a cancellation ───► leave, raise
//! ```
//! A cancelled read has taken nothing: bytes leave the buffer only in the step that returns them.
//! The one exception is a read until the end, which collects blocks while it waits.

mod amounts;
mod lines;
mod separators;

use greenloop_core::WaitList as _;
use greenloop_core::observe::WaitKind;
use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Method, Native, Object, Raised, Result, fast, noargs, one, raise_object, restore,
};

use super::observed::tell_received;
use super::reader::{CLASS, Reader, assertion};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::observing::{Wait, is_recording};

pub use lines::next as next_line;

use amounts::{READ, READ_EXACTLY};
use lines::READ_LINE;
use separators::READ_UNTIL;

/// `read(n=-1)`. The number is looked at when it is awaited.
fn read(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    if is_customised(this)? {
        return read_by_name(this, &names.read, arguments);
    }
    let [count] = arguments.bind(c"StreamReader.read", [&names.n], 1, 0)?;
    Awaitable::create(&READ, this, count)
}

/// `readexactly(n)`. The number is looked at when it is awaited.
fn read_exactly(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    if is_customised(this)? {
        return read_by_name(this, &names.readexactly, arguments);
    }
    let count = arguments.single(c"StreamReader.readexactly", &names.n)?;
    Awaitable::create(&READ_EXACTLY, this, Some(count))
}

/// `readuntil(separator=b'\n')`. The separator is looked at when it is awaited.
fn read_until(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    if is_customised(this)? {
        return read_by_name(this, &names.readuntil, arguments);
    }
    let [separator] = arguments.bind(c"StreamReader.readuntil", [&names.separator], 1, 0)?;
    Awaitable::create(&READ_UNTIL, this, separator)
}

/// `readline()`: asyncio's own function for a subclass that replaces what it calls.
///
/// It finds the end of the line by itself, where asyncio's calls `readuntil`.
fn read_line(this: &Native<Reader>) -> Result<Object> {
    if is_customised(this)? {
        let function = &globals().names.readline;
        let function = globals().asyncio.stream_reader.attribute(function)?;
        return function.call([this]);
    }
    Awaitable::create(&READ_LINE, this, None)
}

/// asyncio's own function on a reader of which a method was replaced.
///
/// The function is taken from asyncio's class and not from the reader's, and so does not come back
/// here.
#[cold]
fn read_by_name(this: &Object, name: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let function = globals().asyncio.stream_reader.attribute(name)?;
    arguments.forward_to(&function, this)
}

/// Whether a method that reading goes through was replaced.
///
/// The question is put at the call, so that it costs nothing for each step.
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

/// `_wait_for_data(name)`: `name` is that of the reading method, for the error.
fn wait_for_data(this: &Native<Reader>, name: &Object) -> Result<Object> {
    Awaitable::create(&WAIT_FOR_DATA, this, Some(name))
}

/// Only programs and asyncio's functions call it; the operations here wait by themselves.
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
    waits: |_, reader| Some(Wait::on(WaitKind::StreamRead, &reader.get().number)),
    inside: |_| &[],
    behind: None,
};

/// Waits until bytes come in or none will any more.
///
/// To be called only if the buffer does not suffice.
///
/// # Errors
/// `RuntimeError` if another task waits, `AssertionError` after the end of the stream, and those of
/// the transport's `resume_reading`.
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

/// A cancellation, or the exception that the connection ended with.
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
///
/// Returns fewer bytes than `count` if there are fewer.
#[inline]
fn take(reader: &Reader, count: usize) -> Result<Object> {
    let taken = take_last(reader, count)?;
    reader.note_consumed()?;
    Ok(taken)
}

/// Takes bytes out of a reader whose transport has no more of them.
#[inline]
fn take_last(reader: &Reader, count: usize) -> Result<Object> {
    let taken = reader.buffer.take(count)?;
    if is_recording() {
        tell_received(&reader.number, &taken);
    }
    Ok(taken)
}

/// The interpreter has one such object.
fn empty_bytes() -> Result<Object> {
    making::bytes(b"")
}

/// Raises `IncompleteReadError(partial, expected)`.
///
/// `expected` is a number, or None for a separator. The partial bytes have left the buffer.
fn incomplete(partial: &Object, expected: &Object) -> Result<Raised> {
    let class = &globals().asyncio.incomplete_read_error;
    let error = class.call([partial, expected])?;
    Ok(raise_object(&error))
}

/// The texts are asyncio's, this one and the next.
const FOUND: &str = "Separator is found, but chunk is longer than limit";
const NOT_FOUND: &str = "Separator is not found, and chunk exceed the limit";

/// `LimitOverrunError(text, consumed)`.
///
/// `consumed` tells the program how many bytes it may take out without cutting a separator.
fn overrun(text: &str, consumed: usize) -> Result<Object> {
    let class = &globals().asyncio.limit_overrun_error;
    class.call([&making::text(text)?, &Object::size_of(consumed)?])
}

/// The methods that wait.
///
/// They stand here, so that the class's file does not know the operations.
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
              Read up to n bytes; with -1, read until the end of the stream.\n\n\
              With n = 0 it returns b'' at once. Otherwise b'' means the end of the stream.",
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
              Read exactly n bytes; raise IncompleteReadError if the stream ends before.\n\n\
              The error has the bytes that were there as `partial`; n below 0 raises \
              ValueError.",
        ),
        fast(
            c"readuntil",
            read_until,
            c"readuntil($self, separator=b'\\n')\n--\n\n\
              Read until a separator, and return the data with it.\n\n\
              LimitOverrunError is raised if the data exceed the limit, and leaves them in \
              the buffer; IncompleteReadError at the end of the stream.",
        ),
        one(
            c"_wait_for_data",
            wait_for_data,
            c"Wait until feed_data or feed_eof is called.",
        ),
    ]
}
