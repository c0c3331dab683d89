//! The class `SSLTransport` as Python sees it: its methods and its attributes.
//!
//! Like the transport below, it derives from asyncio's `_FlowControlMixin`, so that `isinstance`
//! holds.
//!
//! The methods are those of `asyncio.Transport` and the private ones that asyncio's own functions
//! call, in three groups: writing, reading, and the end.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Method, Object, Result, attached, attribute, class_below_slots, fast, noargs, one, readonly,
};

use super::transport::{CLASS, SslTransport};
use super::transport_methods as methods;
use crate::asyncio::globals;

/// Writing and its flow control. The write buffer counts the plain text that waits and the
/// encrypted data that waits, in bytes.
fn writing_methods() -> Vec<Method<SslTransport>> {
    vec![
        fast(
            c"write",
            methods::write,
            c"write($self, /, data)\n--\n\n\
              Encrypt a bytes-like object and write it without blocking.\n\n\
              Before the handshake is complete it is buffered. Raise TypeError for other objects \
              than bytes, bytearray and memoryview.",
        ),
        fast(
            c"writelines",
            methods::writelines,
            c"writelines($self, /, list_of_data)\n--\n\n\
              Encrypt and write each of an iterable of bytes-like objects.",
        ),
        noargs(
            c"write_eof",
            methods::write_eof,
            c"Raise NotImplementedError: TLS has no half-closed connections.",
        ),
        noargs(
            c"can_write_eof",
            methods::can_write_eof,
            c"Return False: a TLS connection has no half-closed state.",
        ),
        fast(
            c"set_write_buffer_limits",
            methods::set_write_buffer_limits,
            c"set_write_buffer_limits($self, /, high=None, low=None)\n--\n\n\
              Set the water marks at which the protocol is asked to pause and to resume \
              writing.\n\n\
              Both are in bytes. A missing low mark is a quarter of the high one, a missing high \
              mark is four times the low one. Raise ValueError unless high >= low >= 0.",
        ),
        noargs(
            c"get_write_buffer_limits",
            methods::get_write_buffer_limits,
            c"Return the (low, high) water marks of the write buffer, in bytes.",
        ),
        noargs(
            c"get_write_buffer_size",
            methods::get_write_buffer_size,
            c"Return the size of the write buffer in bytes.\n\n\
              It counts what is not encrypted yet, and what is encrypted and not passed on.",
        ),
        one(
            c"_test__append_write_backlog",
            methods::append_to_backlog,
            c"Keep data unwritten, for tests.",
        ),
    ]
}

/// Reading and its flow control, the protocol, and the facts about the connection.
fn reading_methods() -> Vec<Method<SslTransport>> {
    vec![
        noargs(
            c"is_reading",
            methods::is_reading,
            c"Return whether incoming data is delivered to the protocol.",
        ),
        noargs(
            c"pause_reading",
            methods::pause_reading,
            c"Pause receiving: the protocol gets no data until resume_reading().\n\n\
              Encrypted data is received until the read buffer is full.",
        ),
        noargs(
            c"resume_reading",
            methods::resume_reading,
            c"Resume receiving after pause_reading().",
        ),
        fast(
            c"set_read_buffer_limits",
            methods::set_read_buffer_limits,
            c"set_read_buffer_limits($self, /, high=None, low=None)\n--\n\n\
              Set the water marks at which the peer is held up and may send again.",
        ),
        noargs(
            c"get_read_buffer_limits",
            methods::get_read_buffer_limits,
            c"Return the (low, high) water marks of the read buffer, in bytes.",
        ),
        noargs(
            c"get_read_buffer_size",
            methods::get_read_buffer_size,
            c"Return the size of the read buffer in bytes, which are still encrypted.",
        ),
        fast(
            c"set_protocol",
            methods::set_protocol,
            c"set_protocol($self, /, protocol)\n--\n\n\
              Set the protocol that incoming data is delivered to.",
        ),
        noargs(
            c"get_protocol",
            methods::get_protocol,
            c"Return the current protocol.",
        ),
        fast(
            c"get_extra_info",
            methods::get_extra_info_method,
            c"get_extra_info($self, /, name, default=None)\n--\n\n\
              Return a fact about the connection by its name.",
        ),
    ]
}

/// The three ways to end: with a shutdown, at once, and at once with an exception.
fn closing_methods() -> Vec<Method<SslTransport>> {
    vec![
        noargs(
            c"close",
            methods::close,
            c"Close the connection after flushing the write buffer and shutting TLS down.\n\n\
              The protocol's connection_lost() is called when the peer has answered, or after \
              ssl_shutdown_timeout seconds.",
        ),
        noargs(
            c"abort",
            methods::abort,
            c"Close the connection at once; pending data is lost.\n\n\
              The peer is not told that the session ends.",
        ),
        noargs(
            c"is_closing",
            methods::is_closing,
            c"Return whether the transport is closing or closed.",
        ),
        one(
            c"_force_close",
            methods::force_close,
            c"Close the connection immediately, because of an exception.",
        ),
    ]
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_below_slots(c"greenloop._native.SSLTransport")
        .doc(c"A TLS connection; see asyncio.Transport.")
        .methods(writing_methods())
        .methods(reading_methods())
        .methods(closing_methods())
        .attributes([
            readonly(c"_loop", methods::event_loop),
            readonly(c"_ssl_protocol", methods::ssl_protocol),
            attribute(c"_closed", methods::closed, methods::set_closed),
            readonly(c"_protocol_paused", methods::protocol_paused),
        ])
        .build_below_slots(&globals().asyncio.flow_control, &CLASS)?;
    mark(&CLASS.object())
}

/// Marks the class for the functions of asyncio that a transport may be passed to. `sendfile`
/// cannot bypass the encryption, so it falls back to reading and writing; a TLS connection inside
/// of another one is allowed.
fn mark(class: &Object) -> Result<()> {
    let py = attached();
    let class = class.bound(py);
    let fallback = making::import(py, c"asyncio.constants")?
        .look_up(c"_SendfileMode")?
        .look_up(c"FALLBACK")?;
    class.put(c"_sendfile_compatible", fallback)?;
    class.put(c"_start_tls_compatible", true)?;
    Ok(())
}
