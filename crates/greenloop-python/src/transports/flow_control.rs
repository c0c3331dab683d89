//! Asking the protocol to pause and to resume writing, when the core's `FlowControl` decides so.
//!
//! `set_write_buffer_limits` and its error are asyncio's own functions, which set `_high_water` and
//! `_low_water`: any numbers, given back as they were given.
//!
//! The calls are synchronous, as in asyncio: `pause_writing` is called inside the `write` that has
//! filled the buffer above its high mark, and `resume_writing` in the job that has sent enough to
//! reach the low one. Between the two no further call happens, whatever is written.

use greenloop_core::FlowControl;
use greenloop_cpython::making::IntoObject as _;
use greenloop_cpython::{Object, Result, Slot, attached, fetch, saturating_float, type_error};
use pyo3::prelude::*;

use super::{SocketTransport, TransportRef, report};
use crate::asyncio::globals;
use crate::handle::leaves_the_loop;

/// The water marks of a connection whose program has set none.
const DEFAULT: FlowControl = FlowControl::new();

impl SocketTransport {
    /// The bytes that the kernel has not taken yet. Bytes that it holds back to join them do not
    /// count.
    fn waiting(&self) -> usize {
        self.pending.with(|pending| pending.len())
    }

    /// Changes the flow control, which runs no Python code.
    fn change_flow<R>(&self, change: impl FnOnce(&mut FlowControl) -> R) -> R {
        let mut flow = self.flow.get();
        let result = change(&mut flow);
        self.flow.set(flow);
        result
    }
}

/// Asks the protocol to pause if too much waits now. User code runs here. The protocol may close
/// the connection, or write more, which does not call it again.
///
/// # Errors
/// Only an exception that leaves the loop.
pub fn maybe_pause(this: &TransportRef) -> Result<()> {
    let transport = this.get();
    let waiting = transport.waiting();
    if transport.change_flow(|flow| flow.grew(waiting)) {
        let name = &globals().names.pause_writing;
        tell(this, name, "protocol.pause_writing() failed")?;
    }
    Ok(())
}

/// Resumes a protocol that was paused, if little enough is left. The protocol usually writes in
/// `resume_writing`, and may fill the buffer again: then `pause_writing` is called before this
/// returns.
///
/// # Errors
/// Only an exception that leaves the loop.
pub fn maybe_resume(this: &TransportRef) -> Result<()> {
    let transport = this.get();
    let waiting = transport.waiting();
    if transport.change_flow(|flow| flow.shrank(waiting)) {
        let name = &globals().names.resume_writing;
        tell(this, name, "protocol.resume_writing() failed")?;
    }
    Ok(())
}

/// Calls a method of the protocol; an exception is reported, unless it leaves the loop.
fn tell(this: &TransportRef, name: &Object, failure: &str) -> Result<()> {
    let protocol = this.get().protocol.get_or_none();
    match protocol.invoke(name, []) {
        Ok(_) => Ok(()),
        Err(raised) if leaves_the_loop() => Err(raised),
        Err(raised) => report(this, failure, &fetch(raised)),
    }
}

/// The methods `_maybe_pause_protocol` and `_maybe_resume_protocol`, which asyncio's functions
/// call.
pub fn maybe_pause_method(this: &TransportRef) -> Result<Object> {
    maybe_pause(this)?;
    Ok(Object::none())
}

/// As [`maybe_pause_method`]. Both return None.
pub fn maybe_resume_method(this: &TransportRef) -> Result<Object> {
    maybe_resume(this)?;
    Ok(Object::none())
}

/// `_protocol_paused`: whether `pause_writing` was called and `resume_writing` was not yet.
pub fn is_paused(this: &TransportRef) -> Result<Object> {
    Ok(Object::boolean(this.get().flow.get().is_paused()))
}

/// `_high_water`: above so many pending bytes the protocol is asked to pause. 64 KiB at first.
pub fn high_water(this: &TransportRef) -> Result<Object> {
    given(&this.get().high_water, DEFAULT.high())
}

/// `_low_water`: at so many or fewer it resumes. 16 KiB at first.
pub fn low_water(this: &TransportRef) -> Result<Object> {
    given(&this.get().low_water, DEFAULT.low())
}

/// A water mark as it was given, or the default in bytes.
fn given(mark: &Slot, default: usize) -> Result<Object> {
    if let Some(mark) = mark.get() {
        return Ok(mark);
    }
    default.into_object()
}

/// Sets `_high_water`, in bytes. The protocol is not called for it. A mark below what waits already
/// takes effect with the next write.
///
/// # Errors
/// `TypeError` for a deletion, or for an object that is no number.
pub fn set_high_water(this: &TransportRef, mark: Option<&Object>) -> Result<()> {
    let transport = this.get();
    let (mark, bytes) = bytes_of(mark)?;
    transport.change_flow(|flow| flow.set_high(bytes));
    transport.high_water.set(mark);
    Ok(())
}

/// Sets `_low_water`, in bytes. The two marks are not compared: asyncio's
/// `_set_write_buffer_limits` has done so.
///
/// # Errors
/// As for the other mark.
pub fn set_low_water(this: &TransportRef, mark: Option<&Object>) -> Result<()> {
    let transport = this.get();
    let (mark, bytes) = bytes_of(mark)?;
    transport.change_flow(|flow| flow.set_low(bytes));
    transport.low_water.set(mark);
    Ok(())
}

/// A mark as it was given and as a count of bytes. Between two counts it is the lower one that
/// decides as the number would: whole bytes are above it or not.
///
/// # Errors
/// `TypeError` for an object that is no number.
fn bytes_of(mark: Option<&Object>) -> Result<(Object, usize)> {
    let Some(mark) = mark else {
        return Err(type_error("a water mark cannot be deleted"));
    };
    let py = attached();
    let number = mark.bound(py);
    if let Ok(bytes) = number.extract::<usize>() {
        return Ok((mark.clone(), bytes));
    }
    // Not an int, or too large a one: a float saturates.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding down is what is wanted, and a cast saturates"
    )]
    let bytes = saturating_float(mark)? as usize;
    Ok((mark.clone(), bytes))
}
