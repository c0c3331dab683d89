//! The handshake: from `connection_made` below to `connection_made` above, or the timeout.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    ExceptionClass, Native, Object, Result, attached, fetch, is_of_class, matches, restore,
};
use pyo3::prelude::*;

use super::library::library;
use super::protocol::{SslProtocol, app_transport, cancel_timer, fatal_error, logger, wake_waiter};
use super::state::{ApplicationState, State};
use super::{engine, reading, writing};
use crate::asyncio::globals;

/// `connection_made(transport)`: there is a connection, and the handshake begins.
pub fn connection_made(this: &Native<SslProtocol>, transport: &Object) -> Result<()> {
    this.get().transport.set(transport.clone());
    start(this)
}

/// Starts the handshake and its timeout.
fn start(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    let names = &globals().names;
    protocol.handshake_start.clear();
    if protocol.debug()? {
        let py = attached();
        let arguments = ("%r starts SSL handshake", this.bound(py));
        logger(py)?.invoke_method(c"debug", arguments)?;
        let event_loop = protocol.event_loop.get_or_none();
        let now = event_loop.invoke(&names.time, [])?;
        protocol.handshake_start.set(now);
    }
    protocol.switch_to(State::Handshaking)?;
    let timeout = &protocol.handshake_timeout;
    let timer = protocol.call_later(this, timeout, &names.check_handshake_timeout)?;
    protocol.handshake_timer.set(timer);
    go_on(this)
}

/// `_check_handshake_timeout()`
pub fn check_timeout(this: &Native<SslProtocol>) -> Result<()> {
    let protocol = this.get();
    if protocol.state.get() != State::Handshaking {
        return Ok(());
    }
    let timeout = making::shown(&protocol.handshake_timeout.get_or_none())?;
    let text = making::text(&format!(
        "SSL handshake is taking longer than {timeout} seconds: aborting the connection"
    ))?;
    let class = ExceptionClass::ConnectionAbortedError.object();
    let exception = class.call([&text])?;
    fatal_error(this, &exception, "Fatal error on transport")
}

/// `_do_handshake()`: as far as it goes with the bytes that the peer has sent.
pub fn go_on(this: &Native<SslProtocol>) -> Result<()> {
    let engine = &this.get().engine;
    match engine.ask(&globals().names.do_handshake) {
        Ok(Some(_)) => complete(this, None),
        Ok(None) => writing::process_outgoing(this),
        Err(raised) if matches(&library()?.ssl_error) => complete(this, Some(fetch(raised))),
        Err(raised) => Err(raised),
    }
}

/// The stream below ended before the peers agreed.
pub fn cut_off(this: &Native<SslProtocol>) -> Result<()> {
    let error = ExceptionClass::ConnectionResetError.object().call([])?;
    complete(this, Some(error))
}

/// `_on_handshake_complete(exception)`
fn complete(this: &Native<SslProtocol>, failure: Option<Object>) -> Result<()> {
    let protocol = this.get();
    let names = &globals().names;
    cancel_timer(&protocol.handshake_timer)?;
    let ssl_object = protocol.engine.object();
    let outcome = match failure {
        Some(exception) => Err(restore(exception)),
        None => protocol
            .switch_to(State::Wrapped)
            .and_then(|()| ssl_object.invoke(&names.getpeercert, [])),
    };
    let certificate = match outcome {
        Ok(certificate) => certificate,
        Err(raised) if engine::is_ordinary() => return fail(this, &fetch(raised)),
        Err(raised) => return Err(raised),
    };
    if let Some(start) = protocol.handshake_start.get() {
        log_duration(this, &start)?;
    }
    let extra = protocol.extra.get_or_none();
    let cipher = ssl_object.invoke(&names.cipher, [])?;
    let compression = ssl_object.invoke(&names.compression, [])?;
    for (name, value) in [
        (&names.peercert, &certificate),
        (&names.cipher, &cipher),
        (&names.compression, &compression),
        (&names.ssl_object, &ssl_object),
    ] {
        extra.set_item(name, value)?;
    }
    if protocol.app_state.get() == ApplicationState::New {
        protocol.app_state.set(ApplicationState::Connected);
        let app_protocol = protocol.app_protocol.get_or_none();
        let app_transport = app_transport(this)?;
        app_protocol.invoke(&names.connection_made, [&app_transport])?;
    }
    wake_waiter(this, None)?;
    reading::read(this)
}

/// The handshake failed: reports the exception and aborts the connection.
fn fail(this: &Native<SslProtocol>, exception: &Object) -> Result<()> {
    let certificate_error = &library()?.certificate_error;
    this.get().switch_to(State::Unwrapped)?;
    let message = if is_of_class(exception, certificate_error) {
        "SSL handshake failed on verifying the certificate"
    } else {
        "SSL handshake failed"
    };
    fatal_error(this, exception, message)?;
    wake_waiter(this, Some(exception))
}

/// Logs in debug mode how long the handshake took.
fn log_duration(this: &Native<SslProtocol>, start: &Object) -> Result<()> {
    let protocol = this.get();
    if !protocol.debug()? {
        return Ok(());
    }
    let py = attached();
    let event_loop = protocol.event_loop.get_or_none();
    let now = event_loop.invoke(&globals().names.time, [])?;
    let milliseconds = now
        .bound(py)
        .sub(start.bound(py))?
        .mul(Object::float(1000.0)?.bound(py))?;
    let text = "%r: SSL handshake took %.1f ms";
    logger(py)?.invoke_method(c"debug", (text, this.bound(py), milliseconds))?;
    Ok(())
}
