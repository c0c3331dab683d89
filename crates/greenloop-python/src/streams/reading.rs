//! `read`, `readline`, `readexactly`, `readuntil` and `async for`: the operations on a reader.
//!
//! Each looks at the buffer when it starts and whenever it is woken, and waits if that does not do. A
//! read that finds what it wants costs no turn of the loop.
//!
//! A subclass that has replaced a method which these call has asyncio's own functions run on it: they
//! find every attribute that they use.

use std::ffi::CStr;

use greenloop_core::{Message, WaitList as _, find_message};
use pyo3::ffi;
use pyo3::prelude::*;

use super::buffer::{View, content_of_bytes};
use super::edition::edition;
use super::reader::{Reader, assertion};
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::interop::{
    Arguments, Instance, Object, Raised, Result, call_function, fast, fetch, globals, noargs,
    raise, raise_object, restore, trap, type_error,
};

/// What the four coroutines are parsed and made by.
macro_rules! coroutine {
    ($function:ident, $operation:ident, $name:ident, $text:literal, [$($parameter:ident)?], $required:expr) => {
        fn $function(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
            let names = &globals().names;
            if is_customised(this)? {
                let function = globals().asyncio.stream_reader.attribute(&names.$name)?;
                return arguments.forward_to(&function, this);
            }
            let parameters = [$(&names.$parameter)?];
            let bound = arguments.bind($text, parameters, parameters.len(), $required)?;
            Awaitable::create(&$operation, this, bound.first().copied().flatten())
        }
    };
}

coroutine!(read, READ, read, c"StreamReader.read", [n], 0);
coroutine!(
    read_exactly,
    READ_EXACTLY,
    readexactly,
    c"StreamReader.readexactly",
    [n],
    1
);
coroutine!(
    read_until,
    READ_UNTIL,
    readuntil,
    c"StreamReader.readuntil",
    [separator],
    0
);

fn read_line(this: &Object) -> Result<Object> {
    if is_customised(this)? {
        let function = globals()
            .asyncio
            .stream_reader
            .attribute(&globals().names.readline)?;
        return call_function(&function, &[this.as_ptr()]);
    }
    Awaitable::create(&READ_LINE, this, None)
}

/// Whether a method that reading goes through was replaced.
#[inline]
fn is_customised(this: &Object) -> Result<bool> {
    if Reader::is_plain(this) {
        return Ok(false);
    }
    let names = &globals().names;
    let hooks = [
        &names.wait_for_data,
        &names.maybe_resume_transport,
        &names.read,
        &names.readuntil,
    ];
    let class = globals().classes.stream_reader.as_ptr();
    Instance::<Reader>::overrides(this, class, &hooks)
}

// Waiting.

fn wait_for_data(this: &Object, name: &Object) -> Result<Object> {
    Awaitable::create(&WAIT_FOR_DATA, this, Some(name))
}

static WAIT_FOR_DATA: Operation = Operation {
    name: c"StreamReader._wait_for_data",
    start: |this| {
        // SAFETY: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let name = Awaitable::of(this).value().get_or_none();
        let name = name.bound(py).str()?.to_string();
        wait(this, &name)
    },
    resume: |this| {
        leave(this);
        ready(Object::none())
    },
    interrupt,
};

/// Waits until bytes come in or none will any more.
#[inline]
fn wait(this: &Object, name: &str) -> Result<Progress> {
    let owner = Awaitable::of(this).owner().get_or_none();
    let reader = Reader::of(&owner);
    if reader.is_awaited() {
        return Err(pyo3::exceptions::PyRuntimeError::new_err(format!(
            "{name}() called while another coroutine is already waiting for incoming data"
        ))
        .into());
    }
    if reader.is_eof() {
        return Err(assertion(c"_wait_for_data after EOF"));
    }
    // A transport that is held up while somebody waits for it would never go on.
    reader.resume_transport()?;
    Awaitable::prepare_on(this, &reader.event_loop.get_or_none())?;
    reader.waiter.push(this);
    Ok(Progress::Blocked)
}

fn interrupt(this: &Object, exception: Object) -> Result<Progress> {
    leave(this);
    Err(restore(exception))
}

/// Whoever is woken has left the line; this is for one that somebody else than the reader has woken.
#[inline]
fn leave(this: &Object) {
    let owner = Awaitable::of(this).owner().get_or_none();
    Reader::of(&owner).waiter.remove(this);
}

/// A function of the awaitable and its reader, as the `resume` of an operation.
macro_rules! resumed {
    ($function:path) => {
        |this| {
            leave(this);
            $function(this)
        }
    };
}

// Some bytes, or all there will be.

static READ: Operation = Operation {
    name: c"StreamReader.read",
    start: start_read,
    resume: resumed!(resume_read),
    interrupt,
};

/// The step of a read until the end, whose blocks stand in a list in the awaitable's value.
const UNTIL_EOF: u8 = 1;

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
            // SAFETY: makes a new list.
            let blocks = unsafe { Object::from_returned(ffi::PyList_New(0))? };
            awaitable.value().set(blocks);
            awaitable.step().set(UNTIL_EOF);
            read_until_eof(this, reader)
        }
    }
}

fn resume_read(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().get_or_none();
    let reader = Reader::of(&owner);
    if awaitable.step().get() == UNTIL_EOF {
        // The read that has waited takes what there is, also if that is nothing: then it was the last.
        return if take_block(this, reader)? {
            read_until_eof(this, reader)
        } else {
            join_blocks(this)
        };
    }
    let count = number(&awaitable.value().get_or_none())?;
    ready(take(reader, usize::try_from(count).unwrap_or(0))?)
}

/// Reads blocks of the limit's size one after another, so that a sender is held up no sooner than by any
/// other read.
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

fn join_blocks(this: &Object) -> Result<Progress> {
    let blocks = Awaitable::of(this).value().get_or_none();
    // SAFETY: the value is a list of bytes objects.
    unsafe {
        if ffi::PyList_Size(blocks.as_ptr()) == 1 {
            let only = ffi::PyList_GetItem(blocks.as_ptr(), 0);
            return ready(Object::from_borrowed(only));
        }
    }
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let empty = empty_bytes()?;
    let joined = empty.bound(py).call_method1("join", (blocks.bound(py),))?;
    ready(joined.into())
}

/// Takes bytes out and lets the transport go on.
#[inline]
fn take(reader: &Reader, count: usize) -> Result<Object> {
    let taken = reader.buffer.take(count)?;
    reader.note_consumed()?;
    Ok(taken)
}

// A number of bytes.

static READ_EXACTLY: Operation = Operation {
    name: c"StreamReader.readexactly",
    start: |this| {
        let awaitable = Awaitable::of(this);
        let owner = awaitable.owner().get_or_none();
        let count = number(&awaitable.value().get_or_none())?;
        if count < 0 {
            // SAFETY: ValueError is always valid.
            let class = unsafe { ffi::PyExc_ValueError };
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
};

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

// Up to a separator.

static READ_UNTIL: Operation = Operation {
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
};

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

/// Looks for what [`parse_separators`] has made.
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

/// What `readuntil` was given as `bytes`, or as a tuple of them by their length.
fn parse_separators(given: &Object) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
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
        Some(_) => {
            let all = all.iter().map(|separator| separator.bound(py));
            let tuple = pyo3::types::PyTuple::new(py, all.collect::<Vec<_>>())?;
            Ok(tuple.into_any().into())
        }
    }
}

/// One separator as a `bytes` object.
fn parse_separator(given: &Object) -> Result<Object> {
    // SAFETY: `given` is a valid object.
    unsafe {
        if ffi::PyBytes_CheckExact(given.as_ptr()) != 0 {
            return Ok(given.clone());
        }
        // The length is asked first, as asyncio does: a number has none.
        if ffi::PyObject_Size(given.as_ptr()) < 0 {
            return Err(Raised);
        }
        if ffi::PyObject_CheckBuffer(given.as_ptr()) == 0 {
            let py = Python::assume_attached();
            let class = given.bound(py).get_type();
            return Err(type_error(&format!(
                "argument should be integer or bytes-like object, not '{}'",
                class.name()?
            )));
        }
    }
    new_bytes(View::of(given)?.as_slice())
}

fn no_separator(text: &CStr) -> Raised {
    // SAFETY: ValueError is always valid.
    raise(unsafe { ffi::PyExc_ValueError }, text)
}

// A line.

static READ_LINE: Operation = Operation {
    name: c"StreamReader.readline",
    start: start_line,
    resume: resumed!(line),
    interrupt,
};

/// The separator of lines.
const NEWLINE: &[u8] = b"\n";

fn start_line(this: &Object) -> Result<Progress> {
    let owner = Awaitable::of(this).owner().get_or_none();
    let reader = Reader::of(&owner);
    reader.raise_exception()?;
    reader.searched.set(0);
    line(this)
}

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
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let text = overrun.attribute(&globals().names.args)?;
    let text = text.bound(py).get_item(0)?;
    let error = py
        .get_type::<pyo3::exceptions::PyValueError>()
        .call1((text,))?;
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
    trap(|| {
        // SAFETY: the slot is called on a valid reader.
        let this = unsafe { Object::from_borrowed(this) };
        let names = &globals().names;
        let class = globals().classes.stream_reader.as_ptr();
        let replaced = Instance::<Reader>::overrides(&this, class, &[&names.readline])?;
        if replaced || is_customised(&this)? {
            // SAFETY: the GIL is held.
            let py = unsafe { Python::assume_attached() };
            let original = globals().asyncio.stream_reader.bound(py);
            return Ok(original
                .call_method1("__anext__", (this.bound(py),))?
                .into());
        }
        Awaitable::create(&NEXT_LINE, &this, None)
    })
}

static NEXT_LINE: Operation = Operation {
    name: c"StreamReader.__anext__",
    start: |this| next_or_stop(start_line(this)?),
    resume: |this| {
        leave(this);
        next_or_stop(line(this)?)
    },
    interrupt,
};

/// An empty line says that there is none.
fn next_or_stop(progress: Progress) -> Result<Progress> {
    match progress {
        Progress::Returned(line) if !line.is_true()? => {
            // SAFETY: StopAsyncIteration is always valid.
            unsafe { ffi::PyErr_SetNone(ffi::PyExc_StopAsyncIteration) };
            Err(Raised)
        }
        progress => Ok(progress),
    }
}

// Numbers, bytes and errors.

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
        if number == -1 && !ffi::PyErr_Occurred().is_null() {
            return Err(Raised);
        }
        Ok(number)
    }
}

fn new_bytes(content: &[u8]) -> Result<Object> {
    // SAFETY: copies the bytes into a new object.
    unsafe {
        let length = content.len() as ffi::Py_ssize_t;
        Object::from_returned(ffi::PyBytes_FromStringAndSize(
            content.as_ptr().cast(),
            length,
        ))
    }
}

fn empty_bytes() -> Result<Object> {
    new_bytes(b"")
}

/// Raises `IncompleteReadError(partial, expected)`.
fn incomplete(partial: &Object, expected: &Object) -> Result<Raised> {
    let class = &globals().asyncio.incomplete_read_error;
    let error = call_function(class, &[partial.as_ptr(), expected.as_ptr()])?;
    Ok(raise_object(&error))
}

const FOUND: &str = "Separator is found, but chunk is longer than limit";
const NOT_FOUND: &str = "Separator is not found, and chunk exceed the limit";

/// `LimitOverrunError(text, consumed)`.
fn overrun(text: &str, consumed: usize) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let class = globals().asyncio.limit_overrun_error.bound(py);
    Ok(class.call1((text, consumed))?.into())
}

/// The methods that wait.
pub fn methods() -> Vec<ffi::PyMethodDef> {
    vec![
        fast!(
            c"read",
            read,
            c"read($self, n=-1)\n--\n\nRead up to n bytes, or all until the end."
        ),
        noargs!(
            c"readline",
            read_line,
            c"Read a line, or what is left at the end."
        ),
        fast!(
            c"readexactly",
            read_exactly,
            c"readexactly($self, n)\n--\n\nRead exactly n bytes, or raise IncompleteReadError."
        ),
        fast!(
            c"readuntil",
            read_until,
            c"readuntil($self, separator=b'\\n')\n--\n\nRead up to and with a separator."
        ),
        crate::interop::one!(
            c"_wait_for_data",
            wait_for_data,
            c"Wait until feed_data or feed_eof is called."
        ),
    ]
}
