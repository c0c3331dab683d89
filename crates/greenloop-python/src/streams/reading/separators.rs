//! Reads up to a separator: `readuntil`, which looks for one of several.

use std::ffi::CStr;

use greenloop_core::{Message, find_message};
use greenloop_cpython::making;
use greenloop_cpython::{
    Buffer, ExceptionClass, Object, Raised, Result, attached, raise, raise_object, type_error,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::{FOUND, NOT_FOUND, incomplete, interrupt, new_bytes, overrun, resumed, take, wait};
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::streams::buffer::content_of_bytes;
use crate::streams::edition::edition;
use crate::streams::reader::Reader;

pub static READ_UNTIL: Operation = Operation {
    name: c"StreamReader.readuntil",
    start: |this| {
        let awaitable = Awaitable::of(this);
        let owner = awaitable.owner().get_or_none();
        let separators = match awaitable.value().get() {
            Some(separators) => parse_separators(&separators)?,
            None => new_bytes(b"\n")?,
        };
        awaitable.value().set(separators);
        let reader = Reader::of(&owner);
        reader.raise_exception()?;
        reader.searched.set(0);
        until(this)
    },
    resume: resumed!(until),
    interrupt,
    behind: None,
};

/// A step of `readuntil(separator)`. Data over the limit stay in the buffer, and
/// `LimitOverrunError` is raised.
fn until(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let reader = Reader::of(&owner);
    let separators = awaitable.value().get_or_none();
    match search(reader, &separators) {
        Message::Ends(end) => ready(take(reader, end)?),
        Message::TooLong(begin) => Err(raise_object(&overrun(FOUND, begin)?)),
        Message::Overrun(searched) => Err(raise_object(&overrun(NOT_FOUND, searched)?)),
        Message::Missing(searched) => {
            if reader.is_eof() {
                let partial = reader.buffer.take(usize::MAX)?;
                return Err(incomplete(&partial, &Object::none())?);
            }
            reader.searched.set(searched);
            wait(this, "readuntil")
        }
    }
}

/// Searches for the separators that [`parse_separators`] has made.
fn search(reader: &Reader, separators: &Object) -> Message {
    let (searched, limit) = (reader.searched.get(), reader.limit());
    // SAFETY: the object is bytes, or a tuple of them, and the caller holds it.
    unsafe {
        if ffi::PyBytes_CheckExact(separators.as_ptr()) != 0 {
            let only = content_of_bytes(separators.as_ptr());
            return reader
                .buffer
                .with(|content| find_message(content, &[only], searched, limit));
        }
        let count = ffi::PyTuple_GET_SIZE(separators.as_ptr());
        let all: Vec<_> = (0..count)
            .map(|index| content_of_bytes(ffi::PyTuple_GET_ITEM(separators.as_ptr(), index)))
            .collect();
        reader
            .buffer
            .with(|content| find_message(content, &all, searched, limit))
    }
}

/// The argument of `readuntil` as `bytes`, or as a tuple of them by their length.
fn parse_separators(given: &Object) -> Result<Object> {
    let py = attached();
    // SAFETY: `given` is a valid object.
    let several =
        edition().several_separators && unsafe { ffi::PyTuple_Check(given.as_ptr()) } != 0;
    if !several {
        let separator = parse_separator(given)?;
        return if separator.is_true()? {
            Ok(separator)
        } else {
            Err(no_separator(
                c"Separator should be at least one-byte string",
            ))
        };
    }
    let mut all = Vec::new();
    for separator in given.bound(py).try_iter()? {
        all.push(parse_separator(&separator?.into())?);
    }
    // SAFETY: all are bytes objects, held by the vector.
    all.sort_by_key(|separator| unsafe { ffi::PyBytes_Size(separator.as_ptr()) });
    match all.first() {
        None => Err(no_separator(
            c"Separator should contain at least one element",
        )),
        Some(shortest) if !shortest.is_true()? => Err(no_separator(
            c"Separator should be at least one-byte string",
        )),
        Some(_) => making::tuple(all),
    }
}

/// One separator as a `bytes` object.
fn parse_separator(given: &Object) -> Result<Object> {
    // SAFETY: `given` is a valid object.
    unsafe {
        if ffi::PyBytes_CheckExact(given.as_ptr()) != 0 {
            return Ok(given.clone());
        }
        // The length is checked first, as in asyncio: a number has none.
        if ffi::PyObject_Size(given.as_ptr()) < 0 {
            return Err(Raised);
        }
        if ffi::PyObject_CheckBuffer(given.as_ptr()) == 0 {
            let class = making::class_name(given)?;
            return Err(type_error(&format!(
                "argument should be integer or bytes-like object, not '{class}'"
            )));
        }
    }
    new_bytes(Buffer::of(given)?.bytes())
}

fn no_separator(text: &CStr) -> Raised {
    raise(ExceptionClass::ValueError, text)
}
