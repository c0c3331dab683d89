//! Writing: the application's data is encrypted at once and handed to the transport below.
//!
//! ```text
//!   write(data) ─► nothing waits ──► encrypt ──► outgoing BIO ──► write_below ──► send(2)
//!        │                              │ the ssl object waits for the peer
//!        └─► something waits ───────────┴──► backlog ──► write_backlog, when bytes have come
//! ```
//! While the transport below is paused, encrypted data stays in the outgoing BIO. It counts for the
//! application's flow control, so that a writer is held up although its data was taken.

use greenloop_cpython::making::ByName as _;
use greenloop_cpython::{
    Buffer, ExceptionClass, Native, Object, Raised, Result, attached, fetch, raise_bare,
};
use pyo3::prelude::*;

use super::backlog::Chunk;
use super::engine::{self, Engine};
use super::flow_control;
use super::library::constant;
use super::protocol::{SslProtocol, fatal_error, logger};
use super::state::State;
use crate::asyncio::globals;

/// `write(data)` of the application: encrypted in place, unless something waits. Before the
/// handshake is done it is kept; on a connection that is ending it is dropped.
///
/// # Errors
/// Only exceptions that end the program or come from the exception handler: any other ends the
/// connection, as in asyncio.
#[inline]
pub fn write(this: &Native<SslProtocol>, data: &Object) -> Result<()> {
    let protocol = this.get();
    if protocol.state.get() == State::Wrapped && protocol.backlog.is_empty() {
        let outcome = write_through(this, data);
        return unless_fatal(this, outcome);
    }
    if !takes_data(protocol)? {
        return Ok(());
    }
    protocol.backlog.push(chunk_of(data)?);
    write_if_wrapped(this)
}

/// `_write_appdata(lines)`: all lines are kept, then written.
///
/// # Errors
/// As for [`write()`], and what the iterable raises: then nothing is sent, but the lines before it
/// are kept.
pub fn write_lines(this: &Native<SslProtocol>, lines: &Object) -> Result<()> {
    let protocol = this.get();
    if !takes_data(protocol)? {
        return Ok(());
    }
    let py = attached();
    for line in lines.bound(py).try_iter()? {
        protocol.backlog.push(chunk_of(&line?.into())?);
    }
    write_if_wrapped(this)
}

/// Queues data, in any state of the connection.
pub fn keep(this: &Native<SslProtocol>, data: &Object) -> Result<()> {
    this.get().backlog.push(chunk_of(data)?);
    Ok(())
}

/// Whether written data can still be sent. If not, a warning follows after a few times. asyncio's
/// `LOG_THRESHOLD_FOR_CONNLOST_WRITES` says after how many.
fn takes_data(protocol: &SslProtocol) -> Result<bool> {
    if !protocol.state.get().is_ending() {
        return Ok(true);
    }
    let py = attached();
    let threshold = constant("LOG_THRESHOLD_FOR_CONNLOST_WRITES")?;
    let threshold: u64 = threshold.bound(py).extract()?;
    if protocol.lost.get() >= threshold {
        logger(py)?.invoke_method(c"warning", ("SSL connection is closed",))?;
    }
    protocol.lost.set(protocol.lost.get() + 1);
    Ok(false)
}

/// Encrypts and sends the backlog if the connection is established and open. In other states a
/// later event writes it: the end of the handshake, or the flush.
fn write_if_wrapped(this: &Native<SslProtocol>) -> Result<()> {
    if this.get().state.get() != State::Wrapped {
        return Ok(());
    }
    let outcome = write_backlog(this);
    unless_fatal(this, outcome)
}

/// An exception of the ssl object's or the transport's ends the connection.
fn unless_fatal(this: &Native<SslProtocol>, outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(raised) if engine::is_ordinary() => {
            fatal_error(this, &fetch(raised), "Fatal error on SSL protocol")
        }
        outcome => outcome,
    }
}

/// Encrypts data when nothing waits, and keeps the part that the ssl object does not take. What was
/// encrypted before an error stays in the BIO, and this call does not send it.
#[inline]
fn write_through(this: &Native<SslProtocol>, data: &Object) -> Result<()> {
    let protocol = this.get();
    let length = length_of(data)?;
    let mut done = 0;
    let outcome = encrypt(&protocol.engine, data, &mut done, length);
    if done < length {
        let data = data.clone();
        protocol.backlog.push(Chunk { data, done, length });
    }
    outcome?;
    flush(this)
}

/// `_do_write()`: encrypts the pending data. The list may change while the ssl object works, so
/// each chunk is looked at anew. It ends early if the ssl object waits for the peer; the next bytes
/// from it call this again.
///
/// # Errors
/// `ssl.SSLError` and what the transport below raises.
pub fn write_backlog(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    while let Some(chunk) = protocol.backlog.first() {
        let mut done = chunk.done;
        let outcome = encrypt(&protocol.engine, &chunk.data, &mut done, chunk.length);
        protocol.backlog.advance(done);
        outcome?;
        if done < chunk.length {
            break;
        }
    }
    flush(this)
}

/// Encrypts the bytes of `data` from `done` on, which is moved forward: to `length` unless the ssl
/// object waits for the peer. It may take them in several pieces. The first call passes the
/// caller's object itself, without a view of it, since it is usually taken whole.
#[inline]
fn encrypt(engine: &Engine, data: &Object, done: &mut usize, length: usize) -> Result<()> {
    if *done == 0 {
        // The ssl object raises the error about wrong `data`.
        match engine.write(data)? {
            Some(count) => *done = count,
            None => return Ok(()),
        }
        if *done >= length {
            return Ok(());
        }
    }
    let view = Buffer::of(data)?;
    while *done < length {
        let rest = view.memory().part(*done..length);
        match engine.write_memory(rest)? {
            None | Some(0) => break,
            Some(count) => *done += count,
        }
    }
    Ok(())
}

/// A chunk of the backlog of which nothing is written yet.
///
/// # Errors
/// `TypeError` for something without a length.
fn chunk_of(data: &Object) -> Result<Chunk> {
    Ok(Chunk {
        data: data.clone(),
        done: 0,
        length: length_of(data)?,
    })
}

/// How many bytes something has: its length, but for memoryviews of items that are larger.
#[inline]
fn length_of(data: &Object) -> Result<usize> {
    if data.is_memory_view() {
        return data.attribute(&globals().names.nbytes)?.count();
    }
    data.size()
}

/// Sends the data that was just encrypted. Two calls at most: `read` of the outgoing BIO, and
/// `write` of the transport below. If that pauses us in it, the flag is set before this returns.
#[inline]
fn flush(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if protocol.writing_paused.get() {
        return flow_control::control_app_writing(this);
    }
    let data = protocol.engine.take_outgoing()?;
    if data.has_content()? {
        protocol.write_below(&data)?;
    }
    flow_control::control_app_writing_of(this, protocol.backlog.size())
}

/// `_process_outgoing()`: sends encrypted data, if there is any and the transport below takes it.
/// It is called after each read as well, since reading may produce answers, such as new keys or
/// alerts.
#[inline]
pub fn process_outgoing(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if protocol.writing_paused.get() || protocol.engine.outgoing_pending()? > 0 {
        return flush(this);
    }
    flow_control::control_app_writing_of(this, protocol.backlog.size())
}

/// `resume_writing()`: there is room below.
///
/// # Errors
/// `AssertionError` if it was not paused, as asyncio's `assert` raises.
pub fn resume_writing(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if !protocol.writing_paused.get() {
        return Err(assertion());
    }
    protocol.writing_paused.set(false);
    process_outgoing(this)
}

/// `pause_writing()`: there is no more room below. The application is not asked to pause here but
/// with its next write, when it is known how much waits.
///
/// # Errors
/// `AssertionError` if it was paused already.
pub fn pause_writing(this: &Native<SslProtocol>) -> Result<()> {
    if this.get().writing_paused.replace(true) {
        return Err(assertion());
    }
    Ok(())
}

/// The error of a failed `assert`.
fn assertion() -> Raised {
    raise_bare(ExceptionClass::AssertionError)
}
