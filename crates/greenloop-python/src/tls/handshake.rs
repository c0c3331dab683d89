//! The handshake: from `connection_made` below to `connection_made` above, or the timeout.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    ExceptionClass, Object, Raised, Result, attached, call_function, call_method, fetch, matches,
    restore,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::library::library;
use super::protocol::{SslProtocol, app_transport, cancel_timer, fatal_error, logger, wake_waiter};
use super::state::{ApplicationState, State};
use super::{engine, reading, writing};
use crate::asyncio::globals;

/// `connection_made(transport)`: there is a connection, and the handshake begins.
pub fn connection_made(this: &Object, transport: &Object) -> Result<()> {
    SslProtocol::of(this).transport.set(transport.clone());
    start(this)
}

/// Starts the handshake and its timeout.
fn start(this: &Object) -> Result<()> {
    let protocol = SslProtocol::of(this);
    let names = &globals().names;
    protocol.handshake_start.clear();
    if protocol.debug()? {
        let py = attached();
        let arguments = ("%r starts SSL handshake", this.bound(py));
        logger(py)?.invoke_method(c"debug", arguments)?;
        let event_loop = protocol.event_loop.get_or_none();
        let now = call_method(&names.time, &[event_loop.as_ptr()])?;
        protocol.handshake_start.set(now);
    }
    protocol.switch_to(State::Handshaking)?;
    let timeout = &protocol.handshake_timeout;
    let timer = protocol.call_later(this, timeout, &names.check_handshake_timeout)?;
    protocol.handshake_timer.set(timer);
    go_on(this)
}

/// `_check_handshake_timeout()`
pub fn check_timeout(this: &Object) -> Result<()> {
    let protocol = SslProtocol::of(this);
    if protocol.state.get() != State::Handshaking {
        return Ok(());
    }
    let timeout = making::shown(&protocol.handshake_timeout.get_or_none())?;
    let text = making::text(&format!(
        "SSL handshake is taking longer than {timeout} seconds: aborting the connection"
    ))?;
    let class = ExceptionClass::ConnectionAbortedError.object();
    let exception = call_function(&class, &[text.as_ptr()])?;
    fatal_error(this, &exception, "Fatal error on transport")
}

/// `_do_handshake()`: as far as it goes with the bytes that the peer has sent.
pub fn go_on(this: &Object) -> Result<()> {
    let engine = &SslProtocol::of(this).engine;
    match engine.ask(&globals().names.do_handshake) {
        Ok(Some(_)) => complete(this, None),
        Ok(None) => writing::process_outgoing(this),
        Err(raised) if matches(&library()?.ssl_error) => complete(this, Some(fetch(raised))),
        Err(raised) => Err(raised),
    }
}

/// The stream below ended before the peers agreed.
pub fn cut_off(this: &Object) -> Result<()> {
    let error = call_function(&ExceptionClass::ConnectionResetError.object(), &[])?;
    complete(this, Some(error))
}

/// `_on_handshake_complete(exception)`
fn complete(this: &Object, failure: Option<Object>) -> Result<()> {
    let protocol = SslProtocol::of(this);
    let names = &globals().names;
    cancel_timer(&protocol.handshake_timer)?;
    let ssl_object = protocol.engine.object();
    let outcome = match failure {
        Some(exception) => Err(restore(exception)),
        None => protocol
            .switch_to(State::Wrapped)
            .and_then(|()| call_method(&names.getpeercert, &[ssl_object.as_ptr()])),
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
    let cipher = call_method(&names.cipher, &[ssl_object.as_ptr()])?;
    let compression = call_method(&names.compression, &[ssl_object.as_ptr()])?;
    for (name, value) in [
        (&names.peercert, &certificate),
        (&names.cipher, &cipher),
        (&names.compression, &compression),
        (&names.ssl_object, &ssl_object),
    ] {
        set_item(&extra, name, value)?;
    }
    if protocol.app_state.get() == ApplicationState::New {
        protocol.app_state.set(ApplicationState::Connected);
        let app_protocol = protocol.app_protocol.get_or_none();
        let app_transport = app_transport(this)?;
        let arguments = [app_protocol.as_ptr(), app_transport.as_ptr()];
        call_method(&names.connection_made, &arguments)?;
    }
    wake_waiter(this, None)?;
    reading::read(this)
}

/// The handshake failed: reports the exception and aborts the connection.
fn fail(this: &Object, exception: &Object) -> Result<()> {
    let certificate_error = &library()?.certificate_error;
    SslProtocol::of(this).switch_to(State::Unwrapped)?;
    // SAFETY: both are valid objects.
    let of_certificate = unsafe {
        ffi::PyErr_GivenExceptionMatches(exception.as_ptr(), certificate_error.as_ptr()) != 0
    };
    let message = if of_certificate {
        "SSL handshake failed on verifying the certificate"
    } else {
        "SSL handshake failed"
    };
    fatal_error(this, exception, message)?;
    wake_waiter(this, Some(exception))
}

/// Logs in debug mode how long the handshake took.
fn log_duration(this: &Object, start: &Object) -> Result<()> {
    let protocol = SslProtocol::of(this);
    if !protocol.debug()? {
        return Ok(());
    }
    let py = attached();
    let event_loop = protocol.event_loop.get_or_none();
    let now = call_method(&globals().names.time, &[event_loop.as_ptr()])?;
    let milliseconds = now
        .bound(py)
        .sub(start.bound(py))?
        .mul(Object::float(1000.0)?.bound(py))?;
    let text = "%r: SSL handshake took %.1f ms";
    logger(py)?.invoke_method(c"debug", (text, this.bound(py), milliseconds))?;
    Ok(())
}

fn set_item(mapping: &Object, key: &Object, value: &Object) -> Result<()> {
    // SAFETY: all are valid objects.
    let code = unsafe { ffi::PyObject_SetItem(mapping.as_ptr(), key.as_ptr(), value.as_ptr()) };
    if code == 0 { Ok(()) } else { Err(Raised) }
}
