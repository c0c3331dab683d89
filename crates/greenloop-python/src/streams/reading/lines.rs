//! Reads of lines: `readline`, and `async for` over a reader.
//!
//! `greenloop_core::find_message` looks for the newline. The reader remembers how many bytes were
//! searched in vain, so that a long line that comes in pieces is looked through once.

use greenloop_core::Message;
use greenloop_core::observe::WaitKind;
use greenloop_cpython::making;
use greenloop_cpython::{
    ExceptionClass, Native, Object, Raised, Result, fetch, raise_bare, raise_object, restore,
    set_context,
};

use super::{FOUND, NOT_FOUND, interrupt, is_customised, leave, overrun, take, take_last, wait};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::observing::Wait;
use crate::streams::reader::{CLASS, Reader};

/// `readline()`. It has no state but the reader's.
pub static READ_LINE: Operation<Native<Reader>> = Operation {
    name: c"StreamReader.readline",
    start: start_line,
    resume: |this, owner| {
        leave(this, owner);
        line(this, owner)
    },
    interrupt,
    waits: |_, reader| Some(Wait::on(WaitKind::StreamRead, &reader.get().number)),
    inside: |_| &[c"StreamReader.readuntil", c"StreamReader._wait_for_data"],
    behind: None,
};

/// The separator of lines.
///
/// A carriage return before it is part of the line.
const NEWLINE: &[u8] = b"\n";

/// The first step of `readline`: the search begins at the start of the buffer.
///
/// An earlier read may have searched for another separator.
fn start_line(this: &Native<Awaitable>, owner: &Native<Reader>) -> Result<Progress> {
    let reader = owner.get();
    reader.raise_exception()?;
    reader.searched.set(0);
    line(this, owner)
}

/// A step of `readline`. A line over the limit is discarded, and `ValueError` raised.
///
/// At the end of the stream the rest is returned without a newline, which may be b"". After an
/// error a line whose end was seen is gone, and else all the buffered bytes are; the next read goes
/// on behind.
fn line(this: &Native<Awaitable>, owner: &Native<Reader>) -> Result<Progress> {
    let reader = owner.get();
    let (searched, limit) = (reader.searched.get(), reader.limit());
    match reader.buffer.find(&[NEWLINE], searched, limit) {
        Message::Ends(end) => ready(take(reader, end)?),
        Message::TooLong(begin) => {
            reader.buffer.discard(begin + NEWLINE.len())?;
            reader.note_consumed()?;
            Err(line_too_long(&overrun(FOUND, begin)?)?)
        }
        Message::Overrun(searched) => {
            reader.buffer.discard(usize::MAX)?;
            reader.note_consumed()?;
            Err(line_too_long(&overrun(NOT_FOUND, searched)?)?)
        }
        Message::Missing(_) if reader.is_eof() => ready(take_last(reader, usize::MAX)?),
        Message::Missing(searched) => {
            reader.searched.set(searched);
            wait(this, owner, "readuntil")
        }
    }
}

/// `raise ValueError(overrun.args[0])` while the overrun is being handled.
///
/// The context is a `LimitOverrunError`, as in asyncio, whose `readline` catches that of
/// `readuntil`.
fn line_too_long(overrun: &Object) -> Result<Raised> {
    let text = overrun.attribute(&globals().names.args)?;
    let text = text.item(&globals().zero)?;
    let error = ExceptionClass::ValueError.object().call([&text])?;
    let raised = raise_object(&error);
    drop(fetch(raised));
    set_context(&error, Some(overrun.clone()));
    Ok(restore(error))
}

// One line after another.

/// `__anext__()`.
///
/// A replaced `readline` is called by asyncio's own `__anext__`.
pub fn next(this: &Native<Reader>) -> Result<Object> {
    let replaced = this.overrides(&CLASS, &[&globals().names.readline])?;
    if replaced || is_customised(this)? {
        let original = &globals().asyncio.stream_reader;
        return original.invoke(&making::interned(c"__anext__")?, [this]);
    }
    Awaitable::create(&NEXT_LINE, this, None)
}

/// The steps of `readline` in an operation of its own, instead of an awaitable in another.
static NEXT_LINE: Operation<Native<Reader>> = Operation {
    name: c"StreamReader.__anext__",
    start: |this, owner| next_or_stop(start_line(this, owner)?),
    resume: |this, owner| {
        leave(this, owner);
        next_or_stop(line(this, owner)?)
    },
    interrupt,
    waits: |_, reader| Some(Wait::on(WaitKind::StreamRead, &reader.get().number)),
    inside: |_| {
        &[
            c"StreamReader.readline",
            c"StreamReader.readuntil",
            c"StreamReader._wait_for_data",
        ]
    },
    behind: None,
};

/// An empty line says that there is none.
fn next_or_stop(progress: Progress) -> Result<Progress> {
    match progress {
        Progress::Returned(line) if !line.is_true()? => {
            Err(raise_bare(ExceptionClass::StopAsyncIteration))
        }
        progress => Ok(progress),
    }
}
