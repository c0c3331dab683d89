//! The end of a connection: the pending data is flushed, the peers end the TLS session, and the
//! transport below is closed. Or the connection is lost.
//!
//! ```text
//!   close() ─► start ─► flush ─► go_on ─► complete ─► transport.close(), in the next turn
//!               timer     │        │ the peer has not answered
//!                         │        └──► waits: received(), eof_received() or the timer
//!                         └── what has come is read, what waits is written
//! ```
//! TLS has no half-closed connections in asyncio, although RFC 8446 would allow them: the first
//! closing alert of either side ends both directions. A peer that never answers costs the shutdown
//! timeout, after which the connection below is aborted.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    ExceptionClass, Native, Object, Result, attached, fetch, matches, restore,
};

use super::library::library;
use super::protocol::{SslProtocol, cancel_timer, fatal_error, logger, wake_waiter};
use super::state::{ApplicationState, State};
use super::{engine, handshake, reading, writing};
use crate::asyncio::edition::edition;
use crate::asyncio::globals;
use crate::handle::leaves_the_loop;

/// `_start_shutdown()`: the application closes, or the peer has taken leave. It does nothing on a
/// connection that is ending. During the handshake there is no session to end, so the connection is
/// aborted.
///
/// # Errors
/// What the ssl object or `call_later` raises.
pub fn start(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    let state = protocol.state.get();
    if state.is_ending() {
        return Ok(());
    }
    protocol.close_app_transport();
    if state == State::Handshaking {
        return abort(this, &Object::none());
    }
    protocol.switch_to(State::Flushing)?;
    let name = &globals().names.check_shutdown_timeout;
    let timer = protocol.call_later(this, &protocol.shutdown_timeout, name)?;
    protocol.shutdown_timer.set(timer);
    flush(this)
}

/// `_check_shutdown_timeout()`
///
/// The application's `connection_lost` gets the `TimeoutError`.
pub fn check_timeout(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if !matches!(protocol.state.get(), State::Flushing | State::Shutdown) {
        return Ok(());
    }
    let text = making::text("SSL shutdown timed out")?;
    let class = ExceptionClass::TimeoutError.object();
    let exception = class.call([&text])?;
    protocol.tell_below(&globals().names.force_close, [&exception])
}

/// `_do_flush()`: reads the received bytes, writes the pending data, then notifies the peer.
/// Reading comes first, since data that came before the close is still delivered. The application
/// is called in it, and may abort the connection: then the switch to the next state raises.
pub fn flush(this: &Native<SslProtocol>) -> Result<()> {
    reading::read(this)?;
    this.get().switch_to(State::Shutdown)?;
    go_on(this)
}

/// `_do_shutdown()`: takes leave of the peer, and waits until it does so as well. After the end of
/// the stream below there is nobody to take leave of, so `unwrap` is not called.
pub fn go_on(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if !protocol.eof_received.get() {
        match protocol.engine.ask(&globals().names.unwrap) {
            Ok(Some(_)) => {}
            Ok(None) => return writing::process_outgoing(this),
            Err(raised) if matches(&library()?.ssl_error) => {
                return complete(this, Some(fetch(raised)));
            }
            Err(raised) => return Err(raised),
        }
    }
    writing::process_outgoing(this)?;
    tell_end_of_stream(this)?;
    complete(this, None)
}

/// `_on_shutdown_complete(exception)`
///
/// The transport below is closed in the next turn, as asyncio closes it.
fn complete(this: &Native<SslProtocol>, failure: Option<Object>) -> Result<()> {
    let protocol = this.get();
    cancel_timer(&protocol.shutdown_timer)?;
    if let Some(exception) = failure {
        return fatal_error(this, &exception, "Fatal error on transport");
    }
    let transport = protocol.transport.get_or_none();
    let close = transport.attribute(&globals().names.close)?;
    protocol.call_soon([&close])
}

/// `_abort(exception)`
///
/// No `close_notify` is sent. It may be called in any state and more than once.
pub fn abort(this: &Native<SslProtocol>, exception: &Object) -> Result<()> {
    let protocol = this.get();
    protocol.switch_to(State::Unwrapped)?;
    if edition().tls.aborts_with_exception {
        protocol.force_close_below(exception)
    } else if protocol.transport.is_empty() {
        Ok(())
    } else {
        protocol.tell_below(&globals().names.abort, [])
    }
}

/// `_call_eof_received()`: the application learns that the peer sends no more. It is told once, and
/// only after `connection_made`. An exception of the application's is reported and ends the
/// connection.
pub fn tell_end_of_stream(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if protocol.app_state.get() != ApplicationState::Connected {
        return Ok(());
    }
    protocol.app_state.set(ApplicationState::Ended);
    let app_protocol = protocol.app_protocol.get_or_none();
    let outcome = app_protocol
        .invoke(&globals().names.eof_received, [])
        .and_then(|keep_open| keep_open.is_true())
        .and_then(|keep_open| {
            if keep_open {
                warn_of_half_close()
            } else {
                Ok(())
            }
        });
    match outcome {
        Err(raised) if !leaves_the_loop() => {
            fatal_error(this, &fetch(raised), "Error calling eof_received()")
        }
        outcome => outcome,
    }
}

/// Warns that `eof_received` has returned true: a TLS connection is closed as a whole. asyncio's
/// words, at its logger.
fn warn_of_half_close() -> Result<()> {
    let py = attached();
    let text = "returning true from eof_received() has no effect when using ssl";
    logger(py)?.invoke_method(c"warning", (text,))?;
    Ok(())
}

/// `eof_received()`: the stream below ended. Whether the transport shall stay open, which it does
/// for an application that has paused reading. An `Exception` closes the transport below before it
/// is raised there.
pub fn eof_received(this: &Native<SslProtocol>) -> Result<bool> {
    let protocol = this.get();
    protocol.eof_received.set(true);
    let outcome = end_of_stream(this);
    match outcome {
        Err(raised) if engine::is_ordinary() => {
            let exception = fetch(raised);
            protocol.tell_below(&globals().names.close, [])?;
            Err(restore(exception))
        }
        outcome => outcome,
    }
}

/// The transport below is at its end. Returns whether it stays open, for an application that has
/// paused reading. Each state has its own answer: a handshake was cut off; an open session is
/// flushed and ended, as if the peer had said so; one that is ending goes on without waiting for
/// the peer.
fn end_of_stream(this: &Native<SslProtocol>) -> Result<bool> {
    let protocol = this.get();
    if protocol.debug()? {
        let py = attached();
        logger(py)?.invoke_method(c"debug", ("%r received EOF", this.bound(py)))?;
    }
    match protocol.state.get() {
        State::Handshaking => handshake::cut_off(this)?,
        State::Wrapped => {
            protocol.switch_to(State::Flushing)?;
            if protocol.app_reading_paused.get() {
                return Ok(true);
            }
            flush(this)?;
        }
        State::Flushing => {
            writing::write_backlog(this)?;
            protocol.switch_to(State::Shutdown)?;
            go_on(this)?;
        }
        State::Shutdown => go_on(this)?,
        State::Unwrapped => {}
    }
    Ok(false)
}

/// `connection_lost(exception)`: there is no connection below any more. The application is told in
/// the next turn, by `call_soon`, with asyncio's order of steps here. An application that never
/// heard of the connection is not told of its loss, nor is one whose handshake goes on.
///
/// # Errors
/// What the loop's `call_soon` or the waiter's methods raise; a step behind such an error is not
/// done.
pub fn connection_lost(this: &Native<SslProtocol>, exception: &Object) -> Result<()> {
    let protocol = this.get();
    protocol.backlog.clear();
    drop(protocol.engine.take_outgoing()?);
    protocol.lost.set(protocol.lost.get() + 1);
    protocol.close_app_transport();
    let knows_connection = matches!(
        protocol.app_state.get(),
        ApplicationState::Connected | ApplicationState::Ended
    );
    if knows_connection && protocol.state.get() != State::Handshaking {
        protocol.app_state.set(ApplicationState::Lost);
        let app_protocol = protocol.app_protocol.get_or_none();
        let lost = app_protocol.attribute(&globals().names.connection_lost)?;
        protocol.call_soon([&lost, exception])?;
    }
    protocol.switch_to(State::Unwrapped)?;
    protocol.transport.clear();
    protocol.app_transport.clear();
    for slot in [
        &protocol.app_protocol,
        &protocol.get_buffer,
        &protocol.buffer_updated,
    ] {
        slot.clear();
    }
    wake_waiter(this, (!exception.is_none()).then_some(exception))?;
    cancel_timer(&protocol.shutdown_timer)?;
    cancel_timer(&protocol.handshake_timer)
}
