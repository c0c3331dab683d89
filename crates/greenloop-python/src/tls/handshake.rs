//! The handshake: from `connection_made` below to `connection_made` above, or the timeout.
//!
//! ```text
//!   connection_made ──► start ──► go_on ◄───────────────┐
//!                       timer       │ bytes are missing │ bytes have come
//!                                   ├───────────────────┘
//!                                   │ done, an error, the end of the stream
//!                                   ▼
//!                                complete ──► connection_made() above, waiter woken, first read
//!                                   │ it has failed
//!                                   └──► fail ──► connection lost, waiter gets the exception
//! ```
//! The application's protocol hears of its connection only when the peers agree. A protocol that
//! was connected before, of `start_tls`, is not told again. Certificates are verified by OpenSSL
//! inside of `do_handshake`, callbacks of the context included: they are user code.

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

/// `connection_made(transport)`: there is a connection, and the handshake begins. In debug mode the
/// time is taken. The first bytes of a client's handshake leave in this call; a server waits for
/// them.
///
/// # Errors
/// What `call_later` raises, and an exception of the ssl object that is no `ssl.SSLError`.
pub fn connection_made(this: &Native<SslProtocol>, transport: &Object) -> Result<()> {
    this.get().transport.set(transport.clone());
    start(this)
}

/// Starts the handshake and its timeout. The timer is a handle of `call_later`, which any loop has.
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
///
/// The seconds in the message are those that were given, or 60 by asyncio's default.
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

/// `_do_handshake()`: as far as it goes with the bytes that the peer has sent. An `ssl.SSLError`
/// ends the connection; any other exception goes to the caller.
pub fn go_on(this: &Native<SslProtocol>) -> Result<()> {
    let engine = &this.get().engine;
    match engine.ask(&globals().names.do_handshake) {
        Ok(Some(_)) => complete(this, None),
        Ok(None) => writing::process_outgoing(this),
        Err(raised) if matches(&library()?.ssl_error) => complete(this, Some(fetch(raised))),
        Err(raised) => Err(raised),
    }
}

/// The stream below ended before the peers agreed. The waiter gets a `ConnectionResetError`.
pub fn cut_off(this: &Native<SslProtocol>) -> Result<()> {
    let error = ExceptionClass::ConnectionResetError.object().call([])?;
    complete(this, Some(error))
}

/// `_on_handshake_complete(exception)`
///
/// The bytes that came with the peer's last message are read at the end, because no event announces
/// them. The application may close the connection in `connection_made`; the read then goes by the
/// new state.
///
/// # Errors
/// What the ssl object or `connection_made` raises, to the transport below.
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

/// The handshake failed: reports the exception and aborts the connection. The transport below is
/// told to end before the waiter gets the exception.
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

/// Logs in debug mode how long the handshake took. It is the loop's clock, so a virtual one counts
/// virtual time.
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
