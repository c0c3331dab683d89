//! Reads of a number of bytes: `read`, which takes some or all until the end, and `readexactly`.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{ExceptionClass, Object, Raised, Result, attached, is_raised, raise};
use pyo3::ffi;

use super::{empty_bytes, incomplete, interrupt, resumed, take, wait};
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::streams::reader::Reader;

// Some bytes, or all there will be.

pub static READ: Operation = Operation {
    name: c"StreamReader.read",
    start: start_read,
    resume: resumed!(resume_read),
    interrupt,
    behind: None,
};

/// The step of a read until the end, whose blocks are in a list in the awaitable's value.
const UNTIL_EOF: u8 = 1;

/// The first step of `read(n)`: returns what is there, waits for the first bytes, or reads to the
/// end.
fn start_read(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let reader = Reader::of(&owner);
    reader.raise_exception()?;
    let count = match awaitable.value().get() {
        Some(count) => number(&count)?,
        None => -1,
    };
    match usize::try_from(count) {
        Ok(0) => ready(empty_bytes()?),
        Ok(count) => {
            if reader.buffer.is_empty() && !reader.is_eof() {
                return wait(this, "read");
            }
            ready(take(reader, count)?)
        }
        Err(_) => {
            let blocks = making::list(Vec::new())?;
            awaitable.value().set(blocks);
            awaitable.step().set(UNTIL_EOF);
            read_until_eof(this, reader)
        }
    }
}

/// Bytes came, or the end: returns them, or goes on collecting blocks until the end.
fn resume_read(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let reader = Reader::of(&owner);
    if awaitable.step().get() == UNTIL_EOF {
        // The read that has waited takes all there is, even if that is nothing: then it was the
        // last.
        return if take_block(this, reader)? {
            read_until_eof(this, reader)
        } else {
            join_blocks(this)
        };
    }
    let count = number(&awaitable.value().get_or_none())?;
    ready(take(reader, usize::try_from(count).unwrap_or(0))?)
}

/// Reads blocks of the limit's size one after another, so that a sender is held up no sooner than
/// by any other read.
fn read_until_eof(this: &Object, reader: &Reader) -> Result<Progress> {
    loop {
        reader.raise_exception()?;
        if reader.buffer.is_empty() && !reader.is_eof() {
            return wait(this, "read");
        }
        if !take_block(this, reader)? {
            return join_blocks(this);
        }
    }
}

/// Moves a block into the list, and tells whether there was any.
fn take_block(this: &Object, reader: &Reader) -> Result<bool> {
    let block = take(reader, reader.limit().0)?;
    if !block.is_true()? {
        return Ok(false);
    }
    let blocks = Awaitable::of(this).value().get_or_none();
    // SAFETY: the value is the list that was made for the blocks.
    match unsafe { ffi::PyList_Append(blocks.as_ptr(), block.as_ptr()) } {
        0 => Ok(true),
        _ => Err(Raised),
    }
}

/// The collected blocks as one bytes object.
fn join_blocks(this: &Object) -> Result<Progress> {
    let blocks = Awaitable::of(this).value().get_or_none();
    // SAFETY: the value is a list of bytes objects.
    unsafe {
        if ffi::PyList_Size(blocks.as_ptr()) == 1 {
            let only = ffi::PyList_GetItem(blocks.as_ptr(), 0);
            return ready(Object::from_borrowed(only));
        }
    }
    let py = attached();
    let empty = empty_bytes()?;
    let joined = empty
        .bound(py)
        .invoke_method(c"join", (blocks.bound(py),))?;
    ready(joined.into())
}

// A number of bytes.

pub static READ_EXACTLY: Operation = Operation {
    name: c"StreamReader.readexactly",
    start: |this| {
        let awaitable = Awaitable::of(this);
        let owner = awaitable.owner().get_or_none();
        let count = number(&awaitable.value().get_or_none())?;
        if count < 0 {
            let class = ExceptionClass::ValueError;
            return Err(raise(class, c"readexactly size can not be less than zero"));
        }
        Reader::of(&owner).raise_exception()?;
        if count == 0 {
            return ready(empty_bytes()?);
        }
        exactly(this)
    },
    resume: resumed!(exactly),
    interrupt,
    behind: None,
};

/// A step of `readexactly(n)`: takes n bytes if they are there, waits for more, or fails at the
/// end.
fn exactly(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let reader = Reader::of(&owner);
    let wanted = awaitable.value().get_or_none();
    let count = usize::try_from(number(&wanted)?).unwrap_or(0);
    if reader.buffer.len() >= count {
        return ready(take(reader, count)?);
    }
    if reader.is_eof() {
        let partial = reader.buffer.take(usize::MAX)?;
        return Err(incomplete(&partial, &wanted)?);
    }
    wait(this, "readexactly")
}

/// A number of bytes, the largest there is for one that is larger.
#[inline]
fn number(value: &Object) -> Result<isize> {
    // SAFETY: `value` is a valid object, and so is the zero.
    unsafe {
        if ffi::PyLong_Check(value.as_ptr()) == 0 {
            let zero = Object::from_returned(ffi::PyLong_FromLong(0))?;
            if ffi::PyObject_RichCompareBool(value.as_ptr(), zero.as_ptr(), ffi::Py_LT) < 0 {
                return Err(Raised);
            }
        }
        let number = ffi::PyNumber_AsSsize_t(value.as_ptr(), std::ptr::null_mut());
        if number == -1 && is_raised() {
            return Err(Raised);
        }
        Ok(number)
    }
}
