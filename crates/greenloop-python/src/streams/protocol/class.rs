//! The class `StreamReaderProtocol` as Python sees it.
//!
//! A transport of ours that has exactly this class for its protocol does not call the methods here;
//! it uses the functions of `protocol` directly. Other transports, and subclasses by `super()`,
//! call them.

use greenloop_cpython::{Arguments, Native, Object, Result, class_of, fast, noargs, one, readonly};

use super::{
    CLASS, Protocol, close_waiter, connection_lost, connection_made, data_received, eof_received,
    replace_transport, replace_writer,
};
use crate::asyncio::edition::edition;
use crate::asyncio::globals;
use crate::streams::attributes::{emptied_by_none, flag, slot};
use crate::streams::flow_control;

/// The reader may be None. It is held weakly unless there is a callback.
fn initialise(this: &Native<Protocol>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let parameters = [
        &names.stream_reader,
        &names.client_connected_cb,
        &names.loop_,
    ];
    let [reader, function, event_loop] =
        arguments.bind(c"StreamReaderProtocol.__init__", parameters, 3, 1)?;
    this.get().initialise(reader, function, event_loop)
}

/// The argument may be given by its name, as to asyncio's method.
fn connection_made_method(this: &Native<Protocol>, arguments: Arguments<'_>) -> Result<Object> {
    let name = &globals().names.transport;
    let transport = arguments.single(c"StreamReaderProtocol.connection_made", name)?;
    connection_made(this, transport)?;
    Ok(Object::none())
}

fn connection_lost_method(this: &Native<Protocol>, arguments: Arguments<'_>) -> Result<Object> {
    let name = &globals().names.exc;
    let exception = arguments.single(c"StreamReaderProtocol.connection_lost", name)?;
    connection_lost(this, exception)?;
    Ok(Object::none())
}

/// The answer is for our own transports alone.
fn data_received_method(this: &Native<Protocol>, arguments: Arguments<'_>) -> Result<Object> {
    let name = &globals().names.data;
    let data = arguments.single(c"StreamReaderProtocol.data_received", name)?;
    data_received(this, data)?;
    Ok(Object::none())
}

/// True keeps the transport open for writing.
fn eof_received_method(this: &Native<Protocol>) -> Result<Object> {
    Ok(Object::boolean(eof_received(this)?))
}

/// `_get_close_waiter(stream)`: the stream is not looked at.
fn close_waiter_method(this: &Native<Protocol>, _: Arguments<'_>) -> Result<Object> {
    Ok(close_waiter(this))
}

/// `_stream_reader`: the reader, or None if it is gone.
fn stream_reader(this: &Native<Protocol>) -> Result<Object> {
    let reader = this.get().referenced_reader()?;
    Ok(reader.unwrap_or_else(Object::none))
}

/// Makes the class, below `FlowControlMixin`.
///
/// Which methods and attributes there are follows the running asyncio's edition.
pub fn make_class() -> Result<()> {
    let mut methods = vec![
        fast(
            c"connection_made",
            connection_made_method,
            c"connection_made($self, /, transport)\n--\n\n\
              Attach the transport of a new connection.\n\n\
              A server's client_connected_cb is called with a reader and a writer of the \
              connection.",
        ),
        fast(
            c"connection_lost",
            connection_lost_method,
            c"connection_lost($self, /, exc)\n--\n\n\
              End the stream: feed the reader the end of the stream, or exc.\n\n\
              Tasks that wait in read(), drain() or wait_closed() resume, or raise exc.",
        ),
        fast(
            c"data_received",
            data_received_method,
            c"data_received($self, /, data)\n--\n\n\
              Feed received bytes to the reader.\n\n\
              They are dropped if the reader is gone.",
        ),
        noargs(
            c"eof_received",
            eof_received_method,
            c"Feed the reader the end of the stream; return whether to keep the transport open.",
        ),
        fast(
            c"_get_close_waiter",
            close_waiter_method,
            c"Return the future that is done when the connection is lost.",
        ),
    ];
    methods.push(if edition().streams.keeps_writer {
        one(
            c"_replace_writer",
            replace_writer,
            c"Use another writer and its transport, after TLS was started.",
        )
    } else {
        one(
            c"_replace_transport",
            replace_transport,
            c"Use another transport, after TLS was started.",
        )
    });
    let mut attributes = vec![
        readonly(c"_stream_reader", stream_reader),
        slot(c"_stream_reader_wr", |this: &Protocol| {
            &this.reader_reference
        }),
        emptied_by_none(
            c"_strong_reader",
            |this: &Protocol| &this.strong_reader,
            || "_strong_reader",
        ),
        slot(c"_source_traceback", |this: &Protocol| {
            &this.source_traceback
        }),
        slot(c"_task", |this: &Protocol| &this.task),
        slot(c"_transport", |this: &Protocol| &this.transport),
        slot(c"_client_connected_cb", |this: &Protocol| {
            &this.client_connected
        }),
        slot(c"_closed", |this: &Protocol| &this.closed),
        flag(c"_reject_connection", |this: &Protocol| {
            &this.reject_connection
        }),
        flag(c"_over_ssl", |this: &Protocol| &this.over_ssl),
    ];
    if edition().streams.keeps_writer {
        attributes.push(slot(c"_stream_writer", |this: &Protocol| &this.writer));
    }
    class_of::<Protocol>(c"greenloop.StreamReaderProtocol")
        .subclassable()
        .doc(
            c"StreamReaderProtocol(stream_reader, client_connected_cb=None, loop=None)\n--\n\n\
              Between a transport and a StreamReader; see asyncio.StreamReaderProtocol.\n\n\
              The reader is held weakly by a client's protocol: a reader that the program \
              drops is not fed any more.",
        )
        .init_by(initialise)
        .methods(methods)
        .attributes(attributes)
        .build_below(&flow_control::CLASS, &CLASS)
}
