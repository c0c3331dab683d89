//! The creation of an `SSLProtocol`.
//!
//! Nothing is connected here. `loop._make_ssl_transport` makes this object, and then the transport
//! below, whose protocol it is. The handshake starts in the next turn, with `connection_made`.
//!
//! A constructor that fails leaves an object on which only the collector works; it is never given
//! to a transport.

use greenloop_cpython::making::{self, Enter as _};
use greenloop_cpython::{Arguments, Native, Object, Result, attached};
use pyo3::prelude::*;

use super::flow_control;
use super::library::constant;
use super::protocol::{SslProtocol, app_transport, default_context, set_app_protocol};
use super::state::ApplicationState;
use crate::asyncio::globals;

/// The arguments of `SSLProtocol(…)`. Absent ones are replaced by asyncio's defaults. They are
/// borrowed from the call.
struct Given<'a> {
    event_loop: &'a Object,
    app_protocol: &'a Object,
    /// A context, or a false value, for which one is made.
    context: &'a Object,
    /// A future, or None.
    waiter: &'a Object,
    server_side: &'a Object,
    /// The name for SNI and for the check of the certificate; a client may pass None.
    server_hostname: &'a Object,
    /// False for `start_tls`, where the application's protocol is connected already.
    call_connection_made: &'a Object,
    /// In seconds, or None for asyncio's 60.
    handshake_timeout: &'a Object,
    /// In seconds, or None for asyncio's 30.
    shutdown_timeout: &'a Object,
}

/// `__init__`.
///
/// It is `tp_init` of the class; the object exists before it, with nothing in it.
///
/// # Errors
/// `TypeError` for missing or unknown arguments; `ValueError` for a timeout that is not positive;
/// what the context's `wrap_bio` raises; `ImportError` without an `ssl` module.
pub fn initialise(this: &Native<SslProtocol>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let parameters = [
        &names.loop_,
        &names.app_protocol,
        &names.sslcontext,
        &names.waiter,
        &names.server_side,
        &names.server_hostname,
        &names.call_connection_made,
        &names.ssl_handshake_timeout,
        &names.ssl_shutdown_timeout,
    ];
    let bound = arguments.bind(c"SSLProtocol.__init__", parameters, 9, 4)?;
    let (none, yes, no) = (
        Object::none(),
        Object::boolean(true),
        Object::boolean(false),
    );
    open(
        this,
        &Given {
            event_loop: bound[0].unwrap_or(&none),
            app_protocol: bound[1].unwrap_or(&none),
            context: bound[2].unwrap_or(&none),
            waiter: bound[3].unwrap_or(&none),
            server_side: bound[4].unwrap_or(&no),
            server_hostname: bound[5].unwrap_or(&none),
            call_connection_made: bound[6].unwrap_or(&yes),
            handshake_timeout: bound[7].unwrap_or(&none),
            shutdown_timeout: bound[8].unwrap_or(&none),
        },
    )
}

/// Checks the arguments in asyncio's order, and sets the state of the connection. What fails until
/// the engine is open sets nothing but the application's protocol.
fn open(this: &Native<SslProtocol>, given: &Given<'_>) -> Result<()> {
    let protocol = this.get();
    let names = &globals().names;
    let (timeout, name) = (given.handshake_timeout, "ssl_handshake_timeout");
    let handshake_timeout = timeout_of(timeout, name, "SSL_HANDSHAKE_TIMEOUT")?;
    let (timeout, name) = (given.shutdown_timeout, "ssl_shutdown_timeout");
    let shutdown_timeout = timeout_of(timeout, name, "SSL_SHUTDOWN_TIMEOUT")?;
    let context = if given.context.is_true()? {
        given.context.clone()
    } else {
        default_context(given.server_side, given.server_hostname)?
    };
    let server_side = given.server_side.is_true()?;
    let hostname = given.server_hostname;
    let is_client = !server_side && hostname.is_true()?;
    let hostname = if is_client {
        hostname.clone()
    } else {
        Object::none()
    };
    let py = attached();
    let extra = making::dict(py)?;
    extra.enter(&names.sslcontext, context.bound(py))?;
    let connected = !given.call_connection_made.is_true()?;
    // The last that user code has a say in; each of the two changes all that it is about, or
    // nothing.
    set_app_protocol(this, given.app_protocol)?;
    protocol
        .engine
        .open(&context, given.server_side, &hostname)?;
    protocol.handshake_timeout.set(handshake_timeout);
    protocol.shutdown_timeout.set(shutdown_timeout);
    protocol.server_side.set(server_side);
    protocol.server_hostname.set(hostname);
    protocol.extra.set(extra.into_any().into());
    protocol.context.set(context);
    let waiter = Some(given.waiter).filter(|waiter| !waiter.is_none());
    protocol.waiter.set_optional(waiter.cloned());
    protocol.event_loop.set(given.event_loop.clone());
    if connected {
        protocol.app_state.set(ApplicationState::Connected);
    }
    flow_control::set_defaults(protocol)?;
    app_transport(this).map(drop)
}

/// A timeout in seconds, which must be positive, or the default.
///
/// # Errors
/// `ValueError` in asyncio's words, or `TypeError` for what cannot be compared with zero.
fn timeout_of(timeout: &Object, name: &str, default: &str) -> Result<Object> {
    if timeout.is_none() {
        return constant(default);
    }
    let py = attached();
    if timeout.bound(py).le(0)? {
        let text = format!(
            "{name} should be a positive number, got {}",
            timeout.bound(py)
        );
        return Err(making::value_error(&text));
    }
    Ok(timeout.clone())
}
