//! The class `StreamReaderProtocol` as Python sees it.

use greenloop_cpython::{Arguments, Object, Result, attribute, class_of, fast, init, noargs, one};

use super::{
    Protocol, close_waiter, connection_lost, connection_made, data_received, eof_received,
    replace_transport, replace_writer,
};
use crate::asyncio::globals;
use crate::streams::attributes::plain;
use crate::streams::edition::edition;

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let parameters = [
        &names.stream_reader,
        &names.client_connected_cb,
        &names.loop_,
    ];
    let [reader, function, event_loop] =
        arguments.bind(c"StreamReaderProtocol.__init__", parameters, 3, 1)?;
    Protocol::of(this).initialise(reader, function, event_loop)
}

fn connection_made_method(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = [&globals().names.transport];
    let [transport] = arguments.bind(c"StreamReaderProtocol.connection_made", names, 1, 1)?;
    connection_made(this, transport.unwrap_or(&Object::none()))?;
    Ok(Object::none())
}

fn connection_lost_method(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = [&globals().names.exc];
    let [exception] = arguments.bind(c"StreamReaderProtocol.connection_lost", names, 1, 1)?;
    connection_lost(this, exception.unwrap_or(&Object::none()))?;
    Ok(Object::none())
}

fn data_received_method(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = [&globals().names.data];
    let [data] = arguments.bind(c"StreamReaderProtocol.data_received", names, 1, 1)?;
    data_received(this, data.unwrap_or(&Object::none()))?;
    Ok(Object::none())
}

fn eof_received_method(this: &Object) -> Result<Object> {
    Ok(Object::boolean(eof_received(this)?))
}

fn close_waiter_method(this: &Object, _arguments: Arguments<'_>) -> Result<Object> {
    Ok(close_waiter(this))
}

fn stream_reader(this: &Object) -> Result<Object> {
    let reader = Protocol::of(this).referenced_reader()?;
    Ok(reader.unwrap_or_else(Object::none))
}

plain!(slot Protocol::reader_reference, get_reference, set_reference);
plain!(slot Protocol::source_traceback, get_source_traceback, set_source_traceback);
plain!(slot Protocol::task, get_task, set_task);
plain!(slot Protocol::transport, get_transport, set_transport);
plain!(slot Protocol::client_connected, get_client_connected, set_client_connected);
plain!(slot Protocol::closed, get_closed, set_closed);
plain!(slot Protocol::writer, get_writer, set_writer);
plain!(getter Protocol::strong_reader, strong_reader, "_strong_reader");
plain!(setter Protocol::strong_reader, set_strong_reader);
plain!(flag Protocol::reject_connection, get_reject, set_reject);
plain!(flag Protocol::over_ssl, get_over_ssl, set_over_ssl);

/// Makes the class, below `FlowControlMixin`.
pub fn make_class() -> Result<Object> {
    let mut methods = vec![
        fast!(
            c"connection_made",
            connection_made_method,
            c"connection_made($self, /, transport)\n--\n\n\
              Attach the transport of a new connection."
        ),
        fast!(
            c"connection_lost",
            connection_lost_method,
            c"connection_lost($self, /, exc)\n--\n\n\
              End the stream: feed the reader the end of the stream, or exc."
        ),
        fast!(
            c"data_received",
            data_received_method,
            c"data_received($self, /, data)\n--\n\nFeed received bytes to the reader."
        ),
        noargs!(
            c"eof_received",
            eof_received_method,
            c"Feed the reader the end of the stream; return whether to keep the transport open."
        ),
        fast!(
            c"_get_close_waiter",
            close_waiter_method,
            c"Return the future that is done when the connection is lost."
        ),
    ];
    methods.push(if edition().keeps_writer {
        one!(
            c"_replace_writer",
            replace_writer,
            c"Use another writer and its transport, after TLS was started."
        )
    } else {
        one!(
            c"_replace_transport",
            replace_transport,
            c"Use another transport, after TLS was started."
        )
    });
    let mut attributes = vec![
        attribute!(c"_stream_reader", stream_reader),
        attribute!(c"_stream_reader_wr", get_reference, set_reference),
        attribute!(c"_strong_reader", strong_reader, set_strong_reader),
        attribute!(
            c"_source_traceback",
            get_source_traceback,
            set_source_traceback
        ),
        attribute!(c"_task", get_task, set_task),
        attribute!(c"_transport", get_transport, set_transport),
        attribute!(
            c"_client_connected_cb",
            get_client_connected,
            set_client_connected
        ),
        attribute!(c"_closed", get_closed, set_closed),
        attribute!(c"_reject_connection", get_reject, set_reject),
        attribute!(c"_over_ssl", get_over_ssl, set_over_ssl),
    ];
    if edition().keeps_writer {
        attributes.push(attribute!(c"_stream_writer", get_writer, set_writer));
    }
    class_of::<Protocol>(c"greenloop.StreamReaderProtocol")
        .subclassable()
        .doc(
            c"StreamReaderProtocol(stream_reader, client_connected_cb=None, loop=None)\n--\n\n\
              Between a transport and a StreamReader; see asyncio.StreamReaderProtocol.",
        )
        .init(init!(initialise))
        .methods(methods)
        .attributes(attributes)
        .build(Some(&globals().classes.flow_control.object()))
}
