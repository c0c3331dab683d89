//! Flow control in both directions, with a pair of water marks for each.
//!
//! When the application writes more than is encrypted and taken by the transport below, its
//! protocol is asked to pause. When it does not read what has come, the transport below is asked to
//! receive nothing.

use greenloop_core::Transition;
use greenloop_cpython::{Native, Object, Result, attached, fetch};
use pyo3::prelude::*;

use super::library::constant;
use super::protocol::{SslProtocol, report};
use super::state::State;
use super::{reading, shutdown};
use crate::asyncio::globals;
use crate::handle::leaves_the_loop;

/// The marks of a new connection.
pub fn set_defaults(protocol: &SslProtocol) -> Result<()> {
    let py = attached();
    for (direction, name) in [
        (&protocol.incoming_flow, READ_DEFAULT),
        (&protocol.outgoing_flow, WRITE_DEFAULT),
    ] {
        let default = constant(name)?;
        match default.bound(py).extract() {
            Ok(kilobytes) => direction.set_default(kilobytes),
            Err(_) => direction.set(&Object::none(), &Object::none(), &default)?,
        }
    }
    Ok(())
}

const READ_DEFAULT: &str = "FLOW_CONTROL_HIGH_WATER_SSL_READ";
const WRITE_DEFAULT: &str = "FLOW_CONTROL_HIGH_WATER_SSL_WRITE";

// Writing.

/// `_set_write_buffer_limits(high, low)`
pub fn set_write_limits(this: &Native<SslProtocol>, high: &Object, low: &Object) -> Result<()> {
    let protocol = this.get();
    protocol
        .outgoing_flow
        .set(high, low, &constant(WRITE_DEFAULT)?)
}

/// `_get_write_buffer_size()`: the bytes that wait to be encrypted, and the encrypted ones that the
/// transport below has yet to take.
pub fn write_buffer_size(this: &Native<SslProtocol>) -> Result<usize> {
    let protocol = this.get();
    Ok(protocol.engine.outgoing_pending()? + protocol.backlog.size())
}

/// `_control_app_writing()`
pub fn control_app_writing(this: &Native<SslProtocol>) -> Result<()> {
    let size = write_buffer_size(this)?;
    control_app_writing_of(this, size)
}

/// The same when it is known how much waits.
#[inline]
pub fn control_app_writing_of(this: &Native<SslProtocol>, size: usize) -> Result<()> {
    let protocol = this.get();
    match protocol.outgoing_flow.control(size) {
        Some(Transition::Pause) => {
            let name = &globals().names.pause_writing;
            tell_application(this, name, "protocol.pause_writing() failed")
        }
        Some(Transition::Resume) => {
            let name = &globals().names.resume_writing;
            tell_application(this, name, "protocol.resume_writing() failed")
        }
        None => Ok(()),
    }
}

/// Calls a method of the application's protocol; an exception is reported, unless it leaves the
/// loop.
fn tell_application(this: &Native<SslProtocol>, name: &Object, failure: &str) -> Result<()> {
    let protocol = this.get();
    let app_protocol = protocol.app_protocol.get_or_none();
    match app_protocol.invoke(name, []) {
        Ok(_) => Ok(()),
        Err(raised) if leaves_the_loop() => Err(raised),
        Err(raised) => {
            let transport = protocol.app_transport.get_or_none();
            report(this, failure, &fetch(raised), &transport)
        }
    }
}

// Reading.

/// `_set_read_buffer_limits(high, low)`
pub fn set_read_limits(this: &Native<SslProtocol>, high: &Object, low: &Object) -> Result<()> {
    let protocol = this.get();
    protocol
        .incoming_flow
        .set(high, low, &constant(READ_DEFAULT)?)
}

/// `_control_ssl_reading()`
#[inline]
pub fn control_reading(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    let size = if protocol.engine.is_drained() {
        0
    } else {
        protocol.engine.incoming_pending()?
    };
    match protocol.incoming_flow.control(size) {
        Some(Transition::Pause) => protocol.tell_below(&globals().names.pause_reading, []),
        Some(Transition::Resume) => protocol.tell_below(&globals().names.resume_reading, []),
        None => Ok(()),
    }
}

/// `_resume_reading()`: bytes that have come meanwhile are read in the next turn.
pub fn resume_reading(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if protocol.app_reading_paused.replace(false) {
        let resumed = this.attribute(&globals().names.reading_resumed)?;
        protocol.call_soon([&resumed])?;
    }
    Ok(())
}

/// The turn after `_resume_reading()`.
pub fn reading_resumed(this: &Native<SslProtocol>) -> Result<()> {
    match this.get().state.get() {
        State::Wrapped => reading::read(this),
        State::Flushing => shutdown::flush(this),
        State::Shutdown => shutdown::go_on(this),
        State::Handshaking | State::Unwrapped => Ok(()),
    }
}
