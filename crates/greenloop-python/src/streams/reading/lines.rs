//! Reads of lines: `readline`, and `async for` over a reader.

use greenloop_core::{Message, find_message};
use greenloop_cpython::making::ByName as _;
use greenloop_cpython::{
    ExceptionClass, Instance, Object, Raised, Result, attached, fetch, raise_bare, raise_object,
    restore, trap,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::{FOUND, NOT_FOUND, interrupt, is_customised, leave, overrun, resumed, take, wait};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::streams::reader::Reader;

pub static READ_LINE: Operation = Operation {
    name: c"StreamReader.readline",
    start: start_line,
    resume: resumed!(line),
    interrupt,
    behind: None,
};

/// The separator of lines.
const NEWLINE: &[u8] = b"\n";

/// The first step of `readline`: the search begins at the start of the buffer.
fn start_line(this: &Object) -> Result<Progress> {
    let owner = Awaitable::of(this).owner().get_or_none();
    let reader = Reader::of(&owner);
    reader.raise_exception()?;
    reader.searched.set(0);
    line(this)
}

/// A step of `readline`. A line over the limit is discarded, and `ValueError` raised.
fn line(this: &Object) -> Result<Progress> {
    let owner = Awaitable::of(this).owner().get_or_none();
    let reader = Reader::of(&owner);
    let (searched, limit) = (reader.searched.get(), reader.limit());
    let found = reader
        .buffer
        .with(|content| find_message(content, &[NEWLINE], searched, limit));
    match found {
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
        Message::Missing(_) if reader.is_eof() => ready(reader.buffer.take(usize::MAX)?),
        Message::Missing(searched) => {
            reader.searched.set(searched);
            wait(this, "readuntil")
        }
    }
}

/// `raise ValueError(overrun.args[0])` while the overrun is being handled.
fn line_too_long(overrun: &Object) -> Result<Raised> {
    let py = attached();
    let text = overrun.attribute(&globals().names.args)?;
    let text = text.bound(py).get_item(0)?;
    let error = py
        .get_type::<pyo3::exceptions::PyValueError>()
        .invoke((text,))?;
    let error: Object = error.into();
    let raised = raise_object(&error);
    drop(fetch(raised));
    // SAFETY: both are exceptions; the function takes over the reference.
    unsafe { ffi::PyException_SetContext(error.as_ptr(), overrun.clone().into_ptr()) };
    Ok(restore(error))
}

// One line after another.

pub unsafe extern "C" fn iterate(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a valid object.
    unsafe { Object::from_borrowed(this) }.into_ptr()
}

pub unsafe extern "C" fn next_line(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a valid reader, borrowed for the call.
    trap(|| next(unsafe { &*(&raw const this).cast::<Object>() }))
}

/// `__anext__()`.
pub fn next(this: &Object) -> Result<Object> {
    let names = &globals().names;
    let class = &globals().classes.stream_reader;
    let replaced = Instance::<Reader>::overrides(this, class, &[&names.readline])?;
    if replaced || is_customised(this)? {
        let py = attached();
        let original = globals().asyncio.stream_reader.bound(py);
        return Ok(original
            .invoke_method(c"__anext__", (this.bound(py),))?
            .into());
    }
    Awaitable::create(&NEXT_LINE, this, None)
}

static NEXT_LINE: Operation = Operation {
    name: c"StreamReader.__anext__",
    start: |this| next_or_stop(start_line(this)?),
    resume: |this| {
        leave(this);
        next_or_stop(line(this)?)
    },
    interrupt,
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
