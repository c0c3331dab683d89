//! The class `StreamWriter` as Python sees it, with the methods that its transport answers.

use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Object, Result, attribute, call_method, class_of, fast, init, noargs, unary,
};

use super::{Writer, drain, start_tls, wait_closed};
use crate::asyncio::globals;
use crate::streams::attributes::plain;

// The methods that are passed on to the transport.

/// A method that calls the transport's of the same name.
macro_rules! passed_on {
    ($function:ident, $name:ident) => {
        fn $function(this: &Object) -> Result<Object> {
            let transport = Writer::of(this).transport(this)?;
            call_method(&globals().names.$name, &[transport.as_ptr()])
        }
    };
    ($function:ident, $name:ident, data, $called:literal) => {
        #[inline]
        fn $function(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
            let names = &globals().names;
            let [data] = arguments.bind($called, [&names.data], 1, 1)?;
            let transport = Writer::of(this).transport(this)?;
            let data = data.map_or(std::ptr::null_mut(), Object::as_ptr);
            call_method(&names.$name, &[transport.as_ptr(), data])?;
            Ok(Object::none())
        }
    };
}

passed_on!(write, write, data, c"StreamWriter.write");
passed_on!(writelines, writelines, data, c"StreamWriter.writelines");
passed_on!(write_eof, write_eof);
passed_on!(can_write_eof, can_write_eof);
passed_on!(close, close);
passed_on!(is_closing, is_closing);

fn get_extra_info(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.name, &names.default];
    let [name, default] = arguments.bind(c"StreamWriter.get_extra_info", parameters, 2, 1)?;
    let transport = Writer::of(this).transport(this)?;
    let none = Object::none();
    let (name, default) = (name.unwrap_or(&none), default.unwrap_or(&none));
    let arguments = [transport.as_ptr(), name.as_ptr(), default.as_ptr()];
    call_method(&names.get_extra_info, &arguments)
}

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
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
    Writer::of(this).initialise(transport, protocol, reader, event_loop)
}

fn repr(this: &Object) -> Result<Object> {
    let writer = Writer::of(this);
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
fn complete_future(this: &Object) -> Result<Object> {
    let writer = Writer::of(this);
    if let Some(future) = writer.complete.get() {
        return Ok(future);
    }
    let names = &globals().names;
    let event_loop = writer.event_loop.get_or_none();
    let future = call_method(&names.create_future, &[event_loop.as_ptr()])?;
    let none = Object::none();
    call_method(&names.set_result, &[future.as_ptr(), none.as_ptr()])?;
    writer.complete.set(future.clone());
    Ok(future)
}

fn transport(this: &Object) -> Result<Object> {
    Writer::of(this).transport(this)
}

plain!(required Writer::transport, get_transport, set_transport, "_transport");
plain!(required Writer::protocol, get_protocol, set_protocol, "_protocol");
plain!(required Writer::reader, get_reader, set_reader, "_reader");
plain!(required Writer::event_loop, get_loop, set_loop, "_loop");

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Writer>(c"greenloop.StreamWriter")
        .subclassable()
        .doc(
            c"StreamWriter(transport, protocol, reader, loop)\n--\n\n\
              The writing end of a stream; see asyncio.StreamWriter.",
        )
        .init(init!(initialise))
        .repr(unary!(repr))
        .methods(vec![
            fast!(
                c"write",
                write,
                c"write($self, data)\n--\n\n\
                  Write a bytes-like object without blocking: what cannot be sent is buffered."
            ),
            fast!(
                c"writelines",
                writelines,
                c"writelines($self, /, data)\n--\n\n\
                  Write each of an iterable of bytes-like objects."
            ),
            noargs!(
                c"write_eof",
                write_eof,
                c"Close the write end of the stream after flushing the write buffer."
            ),
            noargs!(
                c"can_write_eof",
                can_write_eof,
                c"Return whether the transport supports write_eof()."
            ),
            noargs!(c"close", close, c"Close the stream and its transport."),
            noargs!(
                c"is_closing",
                is_closing,
                c"Return whether the stream is closed or closing."
            ),
            noargs!(
                c"drain",
                drain,
                c"Wait while the transport has writing paused, because its buffer is full."
            ),
            noargs!(
                c"wait_closed",
                wait_closed,
                c"Wait until the stream is closed."
            ),
            fast!(
                c"get_extra_info",
                get_extra_info,
                c"get_extra_info($self, /, name, default=None)\n--\n\n\
                  Return optional information about the transport by its name, or default."
            ),
            fast!(c"start_tls", start_tls, c"Upgrade the connection to TLS."),
        ])
        .attributes(vec![
            attribute!(c"transport", transport),
            attribute!(c"_transport", get_transport, set_transport),
            attribute!(c"_protocol", get_protocol, set_protocol),
            attribute!(c"_reader", get_reader, set_reader),
            attribute!(c"_loop", get_loop, set_loop),
            attribute!(c"_complete_fut", complete_future),
        ])
        .build(None)
}
