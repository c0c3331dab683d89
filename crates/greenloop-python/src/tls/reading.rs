//! Reading: bytes from the transport below are decrypted and delivered to the application's
//! protocol, all that there are at once.
//!
//! ```text
//!   received ─► read ─► decrypt ─► data_received()                      (one object for all of it)
//!      │          │       └─► get_buffer(), buffer_updated()            (a BufferedProtocol)
//!      │          ├─► the peer's end ─► eof_received(), shutdown
//!      │          ├─► process_outgoing: what the ssl object answers
//!      │          └─► control_reading: pause the transport below, or resume it
//!      └─► handshake, shutdown: by the state
//! ```
//! An application that has paused reading leaves its bytes encrypted in the incoming BIO; they
//! count for the flow control of the transport below.

use greenloop_cpython::{Buffer, ByteString, BytesBuilder, Native, Object, Result, fetch};

use super::engine::{self, Engine};
use super::protocol::{SslProtocol, fatal_error};
use super::state::State;
use super::{flow_control, handshake, shutdown, writing};
use crate::asyncio::globals;
use crate::streams;

/// The most that a record holds. One byte more is asked for, so that a full one is seen to end.
///
/// RFC 8446, section 5.1: a plaintext has at most 2^14 bytes.
const RECORD: usize = 16 * 1024 + 1;

/// Puts bytes that came from below where the ssl object finds them. It calls no method of the
/// application's protocol. [`received`] has to follow.
#[inline]
pub fn feed(this: &Native<SslProtocol>, bytes: &[u8]) -> Result<()> {
    this.get().engine.feed(bytes)
}

/// The rest of `buffer_updated(count)`: something came.
///
/// # Errors
/// Those of the state's function; the transport below treats them as fatal.
#[inline]
pub fn received(this: &Native<SslProtocol>) -> Result<()> {
    match this.get().state.get() {
        State::Wrapped => read(this),
        State::Handshaking => handshake::go_on(this),
        State::Flushing => shutdown::flush(this),
        State::Shutdown => shutdown::go_on(this),
        State::Unwrapped => Ok(()),
    }
}

/// `_do_read()`
///
/// It does nothing before the handshake is done and once the closing alert was sent. Any
/// `Exception`, of the ssl object's or of the application's, ends the connection.
///
/// # Errors
/// Other exceptions than an `Exception`, and those of the exception handler.
pub fn read(this: &Native<SslProtocol>) -> Result<()> {
    let state = this.get().state.get();
    if !matches!(state, State::Wrapped | State::Flushing) {
        return Ok(());
    }
    match read_and_write(this) {
        Err(raised) if engine::is_ordinary() => {
            fatal_error(this, &fetch(raised), "Fatal error on SSL protocol")
        }
        outcome => outcome,
    }
}

/// Decrypts what was received and passes it on, ends the connection at the peer's end, and writes
/// what the ssl object has to answer. The application may close, abort or replace its protocol in
/// the first half; the second half works on whatever state there is then.
#[inline]
fn read_and_write(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if !protocol.app_reading_paused.get() {
        let open = if protocol.buffered.get() {
            fill_applications_buffer(this)?
        } else {
            hand_over_bytes(this)?
        };
        if !open {
            shutdown::tell_end_of_stream(this)?;
            shutdown::start(this)?;
        }
        if protocol.backlog.is_empty() {
            writing::process_outgoing(this)?;
        } else {
            writing::write_backlog(this)?;
        }
    }
    flow_control::control_reading(this)
}

/// The decrypted bytes, and whether the peer may send more.
struct Decrypted {
    /// Nothing, or a `bytes` object that is not empty.
    data: Option<Object>,
    /// False once `close_notify` was read.
    open: bool,
}

/// `_do_read__copied()`; returns whether the peer may send more.
///
/// # Errors
/// `ssl.SSLError`, or what `data_received` raises.
#[inline]
fn hand_over_bytes(this: &Native<SslProtocol>) -> Result<bool> {
    let protocol = this.get();
    let Decrypted { data, open } = if protocol.engine.is_direct() {
        decrypt(protocol)?
    } else {
        decrypt_by_name(protocol)?
    };
    if let Some(data) = data {
        let app_protocol = protocol.app_protocol.get_or_none();
        if let Some(app_protocol) = streams::PROTOCOL.plain(&app_protocol) {
            streams::data_received(app_protocol, &data)?;
        } else {
            app_protocol.invoke(&globals().names.data_received, [&data])?;
        }
    }
    Ok(open)
}

/// Mostly that is one record, whose size is known: that of the received bytes. In the usual case
/// one call of the ssl object returns an object of the right size, and the BIO's `pending` says
/// that nothing is left: two calls.
#[inline]
fn decrypt(protocol: &SslProtocol) -> Result<Decrypted> {
    let engine = &protocol.engine;
    let waiting = engine.incoming_estimate()?;
    if waiting > RECORD {
        return decrypt_much(protocol, None, waiting);
    }
    // Of the record that has begun before, more came than there is now.
    let whole_record = waiting == 0 || protocol.mid_record.get();
    let most = if whole_record { RECORD } else { waiting };
    let Some(data) = engine.read(most)? else {
        protocol.mid_record.set(true);
        return Ok(Decrypted {
            data: None,
            open: true,
        });
    };
    let length = length_of_bytes(&data);
    if length == 0 {
        return Ok(Decrypted {
            data: None,
            open: false,
        });
    }
    let waiting = engine.incoming_pending()?;
    if length < most && waiting == 0 {
        protocol.mid_record.set(false);
        return Ok(Decrypted {
            data: Some(data),
            open: true,
        });
    }
    decrypt_much(protocol, Some(data), waiting)
}

/// Several records, one behind the other in one object. `first` is what one call has returned
/// already. The object grows by a record at a time, from a guess by the encrypted size, so that
/// plain text is seldom copied.
fn decrypt_much(
    protocol: &SslProtocol,
    first: Option<Object>,
    waiting: usize,
) -> Result<Decrypted> {
    let engine = &protocol.engine;
    let begun = first.as_ref().and_then(ByteString::exactly);
    let begun = begun.map_or(&[][..], ByteString::content);
    let mut joined = BytesBuilder::new(begun, waiting + RECORD)?;
    drop(first);
    let mut open = true;
    loop {
        let mut most = 0;
        let count = joined.fill(RECORD, |room| {
            most = room.len();
            engine.read_into(room)
        })?;
        match count {
            None => {
                protocol.mid_record.set(true);
                break;
            }
            Some(0) => {
                open = false;
                break;
            }
            Some(count) => {
                if is_all(engine, count, most)? {
                    protocol.mid_record.set(false);
                    break;
                }
            }
        }
    }
    Ok(Decrypted {
        data: joined.finish()?,
        open,
    })
}

/// Whether an ssl object that gave `count` bytes when it was asked for `most` has nothing more; see
/// [`engine`].
#[inline]
fn is_all(engine: &Engine, count: usize, most: usize) -> Result<bool> {
    Ok(count < most && engine.incoming_pending()? == 0)
}

/// The same from an ssl object that has to be asked by name, until it says that it has no more. The
/// object is asked for `max_size` bytes each time, as asyncio asks.
#[cold]
fn decrypt_by_name(protocol: &SslProtocol) -> Result<Decrypted> {
    let mut joined: Option<BytesBuilder> = None;
    let mut first = None;
    let mut open = true;
    while let Some(chunk) = protocol.engine.read(protocol.max_size.get())? {
        if !chunk.has_content()? {
            open = false;
            break;
        }
        match (first.take(), &mut joined) {
            (_, Some(joined)) => joined.extend(Buffer::of(&chunk)?.memory())?,
            (Some(before), None) => {
                let mut both = BytesBuilder::new(&[], RECORD)?;
                both.extend(Buffer::of(&before)?.memory())?;
                both.extend(Buffer::of(&chunk)?.memory())?;
                joined = Some(both);
            }
            (None, None) => first = Some(chunk),
        }
    }
    let data = match joined {
        Some(joined) => joined.finish()?,
        None => first,
    };
    Ok(Decrypted { data, open })
}

/// `_do_read__buffered()`: decrypts into the buffer that a `BufferedProtocol` gives; returns
/// whether the peer may send more. A buffer that was filled to its end may leave data behind, for
/// which `_do_read` is called in the next turn: so an application with a small buffer does not keep
/// others waiting.
///
/// # Errors
/// `ssl.SSLError`, or what one of the application's methods raises.
fn fill_applications_buffer(this: &Native<SslProtocol>) -> Result<bool> {
    let protocol = this.get();
    let engine = &protocol.engine;
    let get_buffer = protocol.get_buffer.get_or_none();
    let hint = Object::size_of(engine.incoming_pending()?)?;
    let buffer = get_buffer.call([&hint])?;
    let wanted = buffer.size()?;
    // The ssl object raises the error about a wrong buffer.
    let (mut filled, mut open) = match engine.read_into_object(wanted, &buffer)? {
        None => return Ok(true),
        Some(count) => (count, count > 0),
    };
    if open {
        open = if engine.is_direct() {
            fill_on(engine, &buffer, wanted, &mut filled)?
        } else {
            fill_on_by_name(engine, &buffer, wanted, &mut filled)?
        };
        if open && filled >= wanted {
            let again = this.attribute(&globals().names.do_read)?;
            protocol.call_soon([&again])?;
        }
    }
    if filled > 0 {
        let updated = protocol.buffer_updated.get_or_none();
        let count = Object::size_of(filled)?;
        updated.call([&count])?;
    }
    Ok(open)
}

/// Fills a buffer from `filled` on; returns whether the peer may send more. The application's
/// buffer is locked meanwhile, so that it keeps its size.
fn fill_on(engine: &Engine, buffer: &Object, wanted: usize, filled: &mut usize) -> Result<bool> {
    if is_all(engine, *filled, wanted)? {
        return Ok(true);
    }
    let mut view = Buffer::writable(buffer)?;
    // The object may say that it is longer than its memory is.
    if view.len() < wanted {
        return Ok(true);
    }
    while *filled < wanted {
        let most = wanted - *filled;
        match engine.read_into_part(&mut view, *filled..wanted)? {
            None => break,
            Some(0) => return Ok(false),
            Some(written) => {
                *filled += written;
                if is_all(engine, written, most)? {
                    break;
                }
            }
        }
    }
    Ok(true)
}

/// Fills the rest of an application's buffer by calls of the method `read`, for an ssl object whose
/// class replaces it.
#[cold]
fn fill_on_by_name(
    engine: &Engine,
    buffer: &Object,
    wanted: usize,
    filled: &mut usize,
) -> Result<bool> {
    while *filled < wanted {
        let rest = buffer.memory_view()?.slice(*filled, wanted)?;
        match engine.read_into_object(wanted - *filled, &rest)? {
            None => break,
            Some(0) => return Ok(false),
            Some(count) => *filled += count,
        }
    }
    Ok(true)
}

/// The number of bytes that the native ssl object has read.
#[inline]
fn length_of_bytes(bytes: &Object) -> usize {
    ByteString::exactly(bytes).map_or(0, ByteString::len)
}
