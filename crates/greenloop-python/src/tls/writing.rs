//! Writing: the application's data is encrypted at once and handed to the transport below.

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

/// `write(data)` of the application: encrypted in place, unless something waits.
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

/// Whether written data can still be sent. If not, a warning follows after a few times.
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

/// Encrypts and sends the backlog if the connection is established and open.
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

/// Encrypts data when nothing waits, and keeps the part that the ssl object does not take.
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

/// `_do_write()`: encrypts the pending data.
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
/// object waits for the peer. It may take them in several pieces.
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
        let rest = view.bytes().get(*done..length).unwrap_or_default();
        match engine.write_bytes(rest)? {
            None | Some(0) => break,
            Some(count) => *done += count,
        }
    }
    Ok(())
}

/// A chunk of the backlog of which nothing is written yet.
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

/// Sends the data that was just encrypted.
#[inline]
fn flush(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if protocol.writing_paused.get() {
        return flow_control::control_app_writing(this);
    }
    let data = protocol.engine.take_outgoing()?;
    if data.is_true()? {
        protocol.write_below(&data)?;
    }
    flow_control::control_app_writing_of(this, protocol.backlog.size())
}

/// `_process_outgoing()`: sends encrypted data, if there is any and the transport below takes it.
#[inline]
pub fn process_outgoing(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if protocol.writing_paused.get() || protocol.engine.outgoing_pending()? > 0 {
        return flush(this);
    }
    flow_control::control_app_writing_of(this, protocol.backlog.size())
}

/// `resume_writing()`: there is room below.
pub fn resume_writing(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if !protocol.writing_paused.get() {
        return Err(assertion());
    }
    protocol.writing_paused.set(false);
    process_outgoing(this)
}

/// `pause_writing()`: there is no more room below.
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
