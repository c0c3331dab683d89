//! The class `StreamReader` as Python sees it.
//!
//! The functions here translate arguments and results; the work is in `reader` and `reading`. The
//! private methods and attributes exist because asyncio's functions, subclasses and programs that
//! upgrade connections by hand use them.

use greenloop_core::WaitList as _;
use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Native, Object, Result, attribute, class_of, fast, noargs, one, type_error,
};

use super::{
    CLASS, DEFAULT_LIMIT, Reader, feed_data, feed_eof, loop_or_current, replace_transport,
    set_exception, set_transport, size_of_limit,
};
use crate::asyncio::edition::edition;
use crate::asyncio::globals;
use crate::awaitable::Awaitable;
use crate::streams::attributes::{emptied_by_none, flag, slot};
use crate::streams::reading;

/// The limit is checked before the loop is looked up, in asyncio's order.
///
/// # Errors
/// `ValueError` for a limit of 0 or less, and those of finding a loop.
fn initialise(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let [limit, event_loop] =
        arguments.bind(c"StreamReader.__init__", [&names.limit, &names.loop_], 2, 0)?;
    if let Some(limit) = limit {
        size_of_limit(limit)?;
    }
    let event_loop = loop_or_current(event_loop)?;
    this.get().initialise(limit, event_loop)
}

/// The repr: the number of buffered bytes and each attribute that is not the default.
fn repr(this: &Native<Reader>) -> Result<Object> {
    let reader = this.get();
    let mut parts = vec!["StreamReader".to_owned()];
    if !reader.buffer.is_empty() {
        parts.push(format!("{} bytes", reader.buffer.len()));
    }
    if reader.eof.get() {
        parts.push("eof".to_owned());
    }
    if reader.limit.get() != DEFAULT_LIMIT {
        parts.push(format!("limit={}", making::shown(&limit(this)?)?));
    }
    for (name, value) in [
        ("waiter", waiter(this)?),
        ("exception", reader.exception.get_or_none()),
        ("transport", reader.transport.get_or_none()),
    ] {
        if value.is_true()? {
            parts.push(format!("{name}={}", making::represented(&value)?));
        }
    }
    if reader.paused.get() {
        parts.push("paused".to_owned());
    }
    let text = format!("<{}>", parts.join(" "));
    making::text(&text)
}

/// Drops the answer that only a transport of ours needs.
fn feed_data_method(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let data = arguments.single(c"StreamReader.feed_data", &globals().names.data)?;
    feed_data(this, data)?;
    Ok(Object::none())
}

fn feed_eof_method(this: &Native<Reader>) -> Result<Object> {
    feed_eof(this)?;
    Ok(Object::none())
}

/// None while the stream is well.
fn exception_method(this: &Native<Reader>) -> Result<Object> {
    Ok(this.get().exception.get_or_none())
}

fn set_exception_method(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let exception = arguments.single(c"StreamReader.set_exception", &globals().names.exc)?;
    set_exception(this, exception)?;
    Ok(Object::none())
}

fn set_transport_method(this: &Native<Reader>, arguments: Arguments<'_>) -> Result<Object> {
    let name = &globals().names.transport;
    let transport = arguments.single(c"StreamReader.set_transport", name)?;
    set_transport(this, transport)?;
    Ok(Object::none())
}

fn replace_transport_method(this: &Native<Reader>, transport: &Object) -> Result<Object> {
    replace_transport(this, transport)?;
    Ok(Object::none())
}

/// False while bytes are left, even if no more will come.
fn at_eof(this: &Native<Reader>) -> Result<Object> {
    let reader = this.get();
    Ok(Object::boolean(
        reader.eof.get() && reader.buffer.is_empty(),
    ))
}

/// Without a waiter it does nothing.
fn wakeup_waiter(this: &Native<Reader>) -> Result<Object> {
    this.get().wake_waiter()?;
    Ok(Object::none())
}

/// For asyncio's functions, which call it after they have taken bytes out of `_buffer`.
fn maybe_resume_transport(this: &Native<Reader>) -> Result<Object> {
    this.get().note_consumed()?;
    Ok(Object::none())
}

/// From the first look on the reader works on that bytearray, which is slower.
fn buffer(this: &Native<Reader>) -> Result<Object> {
    this.get().buffer.expose()
}

/// Replaces the buffer by a bytearray of the program's, which may have other references.
///
/// # Errors
/// `TypeError` for anything else, on whose memory the reader could not rely.
fn set_buffer(this: &Native<Reader>, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    if !value.is_bytearray() {
        return Err(type_error(
            "the buffer of a StreamReader must be a bytearray",
        ));
    }
    this.get().buffer.replace(value.clone());
    Ok(())
}

/// `_take_all()`: the unread bytes go to another protocol, which decrypts them.
///
/// Not of asyncio. The transport is not resumed, since it is about to be replaced.
fn take_all(this: &Native<Reader>) -> Result<Object> {
    let reader = this.get();
    reader.searched.set(0);
    reader.buffer.take(usize::MAX)
}

/// `_limit`: the object that was given, or the number that was set.
fn limit(this: &Native<Reader>) -> Result<Object> {
    let reader = this.get();
    match reader.given_limit.get() {
        Some(limit) => Ok(limit),
        None => Object::size_of(reader.limit.get()),
    }
}

/// Counts from the next read or feed on.
fn set_limit(this: &Native<Reader>, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    this.get().set_limit(value)
}

/// `_waiter`: the awaitable that waits, as a future, or the future that a program has put there.
fn waiter(this: &Native<Reader>) -> Result<Object> {
    let reader = this.get();
    Ok(match reader.waiter.first() {
        Some(waiter) => Awaitable::shown(&waiter),
        None => reader.foreign_waiter.get_or_none(),
    })
}

/// Sets `_waiter` to an object of the program's. The awaitable that waits leaves its line.
///
/// Its task stays suspended, as that of a future which is overwritten in asyncio would. The new
/// object is asked for `cancelled` and `set_result`.
fn set_waiter(this: &Native<Reader>, value: Option<&Object>) -> Result<()> {
    let reader = this.get();
    while reader.waiter.pop().is_some() {}
    let value = value.filter(|value| !value.is_none());
    reader.foreign_waiter.set_optional(value.cloned());
    Ok(())
}

/// Makes the class.
///
/// `_replace_transport` is there only if the running asyncio has it.
pub fn make_class() -> Result<()> {
    let mut methods = vec![
        fast(
            c"feed_data",
            feed_data_method,
            c"feed_data($self, /, data)\n--\n\n\
              Append bytes to the buffer and wake the waiting read.\n\n\
              It raises AssertionError after feed_eof(). The transport is paused when the \
              buffer holds more than twice the limit.",
        ),
        noargs(
            c"feed_eof",
            feed_eof_method,
            c"Mark the end of the stream and wake the waiting read.",
        ),
        noargs(
            c"exception",
            exception_method,
            c"Return the exception that ends all reads, or None.",
        ),
        fast(
            c"set_exception",
            set_exception_method,
            c"set_exception($self, /, exc)\n--\n\n\
              End all reads, the waiting one included, with an exception.\n\n\
              Reads raise it even if bytes are left in the buffer.",
        ),
        fast(
            c"set_transport",
            set_transport_method,
            c"set_transport($self, /, transport)\n--\n\n\
              Set the transport that is paused while the buffer is full.\n\n\
              It can be set once.",
        ),
        noargs(
            c"at_eof",
            at_eof,
            c"Return whether the buffer is empty after the end of the stream.",
        ),
        noargs(
            c"_take_all",
            take_all,
            c"Empty the buffer and return its bytes.",
        ),
        noargs(
            c"_wakeup_waiter",
            wakeup_waiter,
            c"Wake the task that waits for bytes.",
        ),
        noargs(
            c"_maybe_resume_transport",
            maybe_resume_transport,
            c"Resume the paused transport if the buffer has room.",
        ),
    ];
    if edition().streams.replaces_reader_transport {
        methods.push(one(
            c"_replace_transport",
            replace_transport_method,
            c"Set another transport.",
        ));
    }
    methods.extend(reading::methods());
    class_of::<Reader>(c"greenloop.StreamReader")
        .subclassable()
        .doc(
            c"StreamReader(limit=65536, loop=None)\n--\n\n\
              The reading end of a stream; see asyncio.StreamReader.\n\n\
              It pauses its transport when more than twice limit bytes are unread. A line \
              longer than limit is an error. Only one task may wait for data at a time.",
        )
        .init_by(initialise)
        .repr_by(repr)
        .aiter_by(|this| Ok((**this).clone()))
        .anext_by(reading::next_line)
        .methods(methods)
        .attributes(vec![
            attribute(c"_buffer", buffer, set_buffer),
            attribute(c"_limit", limit, set_limit),
            emptied_by_none(c"_loop", |this: &Reader| &this.event_loop, || "_loop"),
            attribute(c"_waiter", waiter, set_waiter),
            slot(c"_exception", |this: &Reader| &this.exception),
            slot(c"_transport", |this: &Reader| &this.transport),
            slot(c"_source_traceback", |this: &Reader| &this.source_traceback),
            flag(c"_eof", |this: &Reader| &this.eof),
            flag(c"_paused", |this: &Reader| &this.paused),
        ])
        .build_into(&CLASS)
}
