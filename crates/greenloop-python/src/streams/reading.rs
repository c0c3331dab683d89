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
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Arguments, Instance, Object, Raised, Result, attached, call_function, fast, noargs,
    raise_object, restore,
};
use pyo3::ffi;

use super::reader::{Reader, assertion};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};

pub use lines::{iterate, next_line};

use amounts::{READ, READ_EXACTLY};
use lines::READ_LINE;
use separators::READ_UNTIL;

/// Defines how each of the four coroutines is parsed and made.
macro_rules! coroutine {
    (
        $function:ident, $operation:ident, $name:ident, $text:literal,
        [$($parameter:ident)?], $required:expr
    ) => {
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

/// `readline()`: asyncio's own function for a subclass that replaces what it calls.
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
    let class = &globals().classes.stream_reader;
    Instance::<Reader>::overrides(this, class, &hooks)
}

// Waiting.

fn wait_for_data(this: &Object, name: &Object) -> Result<Object> {
    Awaitable::create(&WAIT_FOR_DATA, this, Some(name))
}

static WAIT_FOR_DATA: Operation = Operation {
    name: c"StreamReader._wait_for_data",
    start: |this| {
        let name = Awaitable::of(this).value().get_or_none();
        let name = making::shown(&name)?;
        wait(this, &name)
    },
    resume: |this| {
        leave(this);
        ready(Object::none())
    },
    interrupt,
    behind: None,
};

/// Waits until bytes come in or none will any more.
#[inline]
fn wait(this: &Object, name: &str) -> Result<Progress> {
    let owner = Awaitable::of(this).owner().get_or_none();
    let reader = Reader::of(&owner);
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

fn interrupt(this: &Object, exception: Object) -> Result<Progress> {
    leave(this);
    Err(restore(exception))
}

/// A woken waiter has left the line already; this is for one that was not woken by the reader.
#[inline]
fn leave(this: &Object) {
    let owner = Awaitable::of(this).owner().get_or_none();
    Reader::of(&owner).waiter.remove(this);
}

/// A function of the awaitable and its reader, as the `resume` of an operation.
macro_rules! resumed {
    ($function:path) => {
        |this| {
            $crate::streams::reading::leave(this);
            $function(this)
        }
    };
}
use resumed;

// The common part of the operations.

/// Takes bytes out and lets the transport resume.
#[inline]
fn take(reader: &Reader, count: usize) -> Result<Object> {
    let taken = reader.buffer.take(count)?;
    reader.note_consumed()?;
    Ok(taken)
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
    let py = attached();
    let class = globals().asyncio.limit_overrun_error.bound(py);
    Ok(class.invoke((text, consumed))?.into())
}

/// The methods that wait.
pub fn methods() -> Vec<ffi::PyMethodDef> {
    let next = noargs!(
        c"__anext__",
        lines::next,
        c"Read a line, or raise StopAsyncIteration at the end of the stream."
    );
    vec![
        // It replaces the name of the slot, and the slot stays.
        ffi::PyMethodDef {
            ml_flags: next.ml_flags | ffi::METH_COEXIST,
            ..next
        },
        fast!(
            c"read",
            read,
            c"read($self, n=-1)\n--\n\n\
              Read up to n bytes; with -1, read until the end of the stream."
        ),
        noargs!(
            c"readline",
            read_line,
            c"Read a line; return what is left at the end of the stream."
        ),
        fast!(
            c"readexactly",
            read_exactly,
            c"readexactly($self, n)\n--\n\n\
              Read exactly n bytes; raise IncompleteReadError if the stream ends before."
        ),
        fast!(
            c"readuntil",
            read_until,
            c"readuntil($self, separator=b'\\n')\n--\n\n\
              Read until a separator, and return the data with it."
        ),
        greenloop_cpython::one!(
            c"_wait_for_data",
            wait_for_data,
            c"Wait until feed_data or feed_eof is called."
        ),
    ]
}
