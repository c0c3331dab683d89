//! The class `StreamWriter` as Python sees it, with the methods that its transport answers.
//!
//! Most methods are the transport's, called by name: the transport may be of any class. Only
//! `drain`, `wait_closed` and `start_tls` wait, and they are in `writer`.

use greenloop_cpython::making;
use greenloop_cpython::{Arguments, Native, Object, Result, class_of, fast, noargs, readonly};

use super::{CLASS, Writer, drain, start_tls, wait_closed};
use crate::asyncio::globals;
use crate::observing::is_recording;
use crate::streams::attributes::required;
use crate::streams::native_transport;

// The methods that are passed on to the transport.

/// `transport.name()`
///
/// # Errors
/// `AttributeError` before `__init__`, and the transport's.
fn pass_on(this: &Native<Writer>, name: &Object) -> Result<Object> {
    this.get().transport(this)?.invoke(name, [])
}

/// The transport has got the data. Its result was dropped, as asyncio's writer drops it.
#[inline]
fn sent(this: &Native<Writer>, data: &Object) -> Object {
    if is_recording() {
        this.get().tell_sent(data);
    }
    Object::none()
}

/// The transport decides whether the bytes are sent or kept.
fn write(this: &Native<Writer>, arguments: Arguments<'_>) -> Result<Object> {
    let data = arguments.single(c"StreamWriter.write", &globals().names.data)?;
    native_transport::write(&this.get().transport(this)?, data)?;
    Ok(sent(this, data))
}

/// The iterable goes to the transport as it is.
fn writelines(this: &Native<Writer>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let data = arguments.single(c"StreamWriter.writelines", &names.data)?;
    this.get()
        .transport(this)?
        .invoke(&names.writelines, [data])?;
    Ok(sent(this, data))
}

/// Such as `peername` and `ssl_object`; the names are the transport's.
fn get_extra_info(this: &Native<Writer>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.name, &names.default];
    let [name, default] = arguments.bind(c"StreamWriter.get_extra_info", parameters, 2, 1)?;
    let transport = this.get().transport(this)?;
    let none = Object::none();
    let (name, default) = (name.unwrap_or(&none), default.unwrap_or(&none));
    transport.invoke(&names.get_extra_info, [name, default])
}

/// All four are required, as in asyncio; `reader` may be None.
fn initialise(this: &Native<Writer>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let parameters = [
        &names.transport,
        &names.protocol,
        &names.reader,
        &names.loop_,
    ];
    let none = Object::none();
    let [transport, protocol, reader, event_loop] = arguments
        .bind(c"StreamWriter.__init__", parameters, 4, 4)?
        .map(|value| value.unwrap_or(&none));
    this.get()
        .initialise(transport, protocol, reader, event_loop)
}

/// # Errors
/// `AttributeError` before `__init__`, and those of the reprs of transport and reader.
fn repr(this: &Native<Writer>) -> Result<Object> {
    let writer = this.get();
    let transport = writer.transport(this)?;
    let transport = making::represented(&transport)?;
    let reader = match writer.reader.get().filter(|reader| !reader.is_none()) {
        Some(reader) => format!(" reader={}", making::represented(&reader)?),
        None => String::new(),
    };
    let text = format!(
        "<{} transport={transport}{reader}>",
        making::class_name(this)?
    );
    making::text(&text)
}

/// `_complete_fut`: a finished future, which only a program that looks needs.
///
/// asyncio makes one with each writer.
fn complete_future(this: &Native<Writer>) -> Result<Object> {
    let writer = this.get();
    if let Some(future) = writer.complete.get() {
        return Ok(future);
    }
    let names = &globals().names;
    let event_loop = writer.event_loop.get_or_none();
    let future = event_loop.invoke(&names.create_future, [])?;
    let none = Object::none();
    future.invoke(&names.set_result, [&none])?;
    writer.complete.set(future.clone());
    Ok(future)
}

/// `transport` and `_transport` are the same; only the second can be set.
fn transport(this: &Native<Writer>) -> Result<Object> {
    this.get().transport(this)
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<Writer>(c"greenloop.StreamWriter")
        .subclassable()
        .doc(
            c"StreamWriter(transport, protocol, reader, loop)\n--\n\n\
              The writing end of a stream; see asyncio.StreamWriter.",
        )
        .init_by(initialise)
        .repr_by(repr)
        .methods(vec![
            fast(
                c"write",
                write,
                c"write($self, data)\n--\n\n\
                  Write a bytes-like object without blocking: what cannot be sent is \
                  buffered.\n\n\
                  Await drain() after it, so that a slow receiver holds the task up instead \
                  of filling the buffer.",
            ),
            fast(
                c"writelines",
                writelines,
                c"writelines($self, /, data)\n--\n\n\
                  Write each of an iterable of bytes-like objects.\n\n\
                  The data are sent as one piece if the transport can do so.",
            ),
            noargs(
                c"write_eof",
                |this| pass_on(this, &globals().names.write_eof),
                c"Close the write end of the stream after flushing the write buffer.",
            ),
            noargs(
                c"can_write_eof",
                |this| pass_on(this, &globals().names.can_write_eof),
                c"Return whether the transport supports write_eof().",
            ),
            noargs(
                c"close",
                |this| pass_on(this, &globals().names.close),
                c"Close the stream and its transport.",
            ),
            noargs(
                c"is_closing",
                |this| pass_on(this, &globals().names.is_closing),
                c"Return whether the stream is closed or closing.",
            ),
            noargs(
                c"drain",
                drain,
                c"Wait while the transport has writing paused, because its buffer is full.",
            ),
            noargs(
                c"wait_closed",
                wait_closed,
                c"Wait until the stream is closed.",
            ),
            fast(
                c"get_extra_info",
                get_extra_info,
                c"get_extra_info($self, /, name, default=None)\n--\n\n\
                 Return a fact about the transport by its name.\n\n\
                 The default is returned for a name that the transport does not know.",
            ),
            fast(c"start_tls", start_tls, c"Upgrade the connection to TLS."),
        ])
        .attributes(vec![
            readonly(c"transport", transport)
                .documented(c"The transport that the writer writes to."),
            required(
                c"_transport",
                |this: &Writer| &this.transport,
                || "_transport",
            ),
            required(c"_protocol", |this: &Writer| &this.protocol, || "_protocol"),
            required(c"_reader", |this: &Writer| &this.reader, || "_reader"),
            required(c"_loop", |this: &Writer| &this.event_loop, || "_loop"),
            readonly(c"_complete_fut", complete_future),
        ])
        .build_into(&CLASS)
}
