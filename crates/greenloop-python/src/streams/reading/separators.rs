//! Reads up to a separator: `readuntil`, which looks for one of several.
//!
//! With several separators the message ends at the one that is complete first. They are kept sorted
//! by their length, since the search has to leave as many bytes unsearched as the longest could
//! begin in.

use std::ffi::CStr;

use greenloop_core::Message;
use greenloop_core::observe::WaitKind;
use greenloop_cpython::making;
use greenloop_cpython::{
    Buffer, ByteString, ExceptionClass, Native, Object, Raised, Result, attached, raise,
    raise_object, type_error,
};
use pyo3::prelude::*;

use super::{FOUND, NOT_FOUND, incomplete, interrupt, leave, overrun, take, take_last, wait};
use crate::asyncio::edition::edition;
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::observing::Wait;
use crate::streams::reader::Reader;

/// `readuntil(separator)`. Its `value` is what was given until the first step, and then what
/// [`parse_separators`] has made of it.
pub static READ_UNTIL: Operation<Native<Reader>> = Operation {
    name: c"StreamReader.readuntil",
    start: |this, owner| {
        let separators = match this.get().value().get() {
            Some(separators) => parse_separators(&separators)?,
            None => making::bytes(b"\n")?,
        };
        this.get().value().set(separators);
        let reader = owner.get();
        reader.raise_exception()?;
        reader.searched.set(0);
        until(this, owner)
    },
    resume: |this, owner| {
        leave(this, owner);
        until(this, owner)
    },
    interrupt,
    waits: |_, reader| Some(Wait::on(WaitKind::StreamRead, &reader.get().number)),
    inside: |_| &[c"StreamReader._wait_for_data"],
    behind: None,
};

/// A step of `readuntil(separator)`. Data over the limit stay in the buffer, and
/// `LimitOverrunError` is raised.
///
/// The program can read past the data by the error's `consumed`. The separator is part of the
/// result.
///
/// # Errors
/// `IncompleteReadError` at the end of the stream, with the bytes that were left, and
/// `LimitOverrunError`.
fn until(this: &Native<Awaitable>, owner: &Native<Reader>) -> Result<Progress> {
    let reader = owner.get();
    let separators = this.get().value().get_or_none();
    match search(reader, &separators) {
        Message::Ends(end) => ready(take(reader, end)?),
        Message::TooLong(begin) => Err(raise_object(&overrun(FOUND, begin)?)),
        Message::Overrun(searched) => Err(raise_object(&overrun(NOT_FOUND, searched)?)),
        Message::Missing(searched) => {
            if reader.is_eof() {
                let partial = take_last(reader, usize::MAX)?;
                return Err(incomplete(&partial, &Object::none())?);
            }
            reader.searched.set(searched);
            wait(this, owner, "readuntil")
        }
    }
}

/// Searches for the separators that [`parse_separators`] has made.
fn search(reader: &Reader, separators: &Object) -> Message {
    let (searched, limit) = (reader.searched.get(), reader.limit());
    if let Some(only) = ByteString::exactly(separators) {
        let only = only.content();
        return reader.buffer.find(&[only], searched, limit);
    }
    let all = separators.tuple_items().unwrap_or_default();
    let all = all.iter().filter_map(ByteString::exactly);
    let all: Vec<_> = all.map(ByteString::content).collect();
    reader.buffer.find(&all, searched, limit)
}

/// The argument of `readuntil` as `bytes`, or as a tuple of them by their length.
///
/// A tuple is taken only by releases of asyncio that take one; a tuple elsewhere is one separator,
/// which fails.
///
/// # Errors
/// `ValueError` for no separator or an empty one, `TypeError` for what is not like bytes.
fn parse_separators(given: &Object) -> Result<Object> {
    if !(edition().streams.several_separators && given.tuple_items().is_some()) {
        let separator = parse_separator(given)?;
        return if separator.is_empty() {
            Err(no_separator(
                c"Separator should be at least one-byte string",
            ))
        } else {
            Ok(separator.into_object())
        };
    }
    let mut all = Vec::new();
    for separator in given.bound(attached()).try_iter()? {
        all.push(parse_separator(&separator?.into())?);
    }
    all.sort_by_key(ByteString::len);
    match all.first() {
        None => Err(no_separator(
            c"Separator should contain at least one element",
        )),
        Some(shortest) if shortest.is_empty() => Err(no_separator(
            c"Separator should be at least one-byte string",
        )),
        Some(_) => making::tuple(all.into_iter().map(ByteString::into_object).collect()),
    }
}

/// One separator.
///
/// Anything but `bytes` is copied once, so that the program cannot change it during the wait.
fn parse_separator(given: &Object) -> Result<ByteString> {
    if let Some(separator) = ByteString::exactly(given) {
        return Ok(separator.clone());
    }
    // The length is asked first, as in asyncio: a number has none.
    given.size()?;
    if !given.has_buffer() {
        let class = making::class_name(given)?;
        return Err(type_error(&format!(
            "argument should be integer or bytes-like object, not '{class}'"
        )));
    }
    Buffer::of(given)?.memory().copied()
}

/// The texts are asyncio's.
fn no_separator(text: &CStr) -> Raised {
    raise(ExceptionClass::ValueError, text)
}
