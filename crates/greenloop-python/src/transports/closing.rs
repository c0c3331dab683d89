//! The end of a connection, by request or because of an error.
//!
//! In each case the descriptor is no longer watched when the socket is closed: its number may go to
//! the next connection at once.
//!
//! ```text
//!   open ── close() ───────► closing ── all is written, in that job ─────────────┐
//!     │                         │                                                ▼
//!     └── abort(), an error ────┴── abort(), an error ──► lost ── next turn ──► connection_lost()
//!                               │ nothing is pending       ▲
//!                               └──────────────────────────┘
//! ```
//! `closing` and `lost` are two flags, since a connection that is closing still writes. The
//! function that finds `lost` at zero sets it and schedules the call, or makes it, so that the
//! protocol's method is called once.

use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Arguments, ExceptionClass, Object, Result, attached, fetch, is_of_class, plain_sockets, raise,
    restore,
};

use super::{SocketTransport, TransportRef, coalescing, logger, report};
use crate::asyncio::edition::SERVERS_KNOW_CONNECTIONS;
use crate::asyncio::globals;

/// `close()`: reading ends at once, the connection when everything is written. A second call does
/// nothing. `connection_lost(None)` follows in the next turn if nothing is pending, else in the job
/// that writes the last of it. No user code runs in this call, unless `call_soon` was replaced.
///
/// # Errors
/// What scheduling the end raises.
pub fn close(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    if transport.closing.replace(true) {
        return Ok(Object::none());
    }
    transport.stop_reading(this);
    if !transport.has_pending() {
        transport.lost.set(transport.lost.get() + 1);
        transport.stop_writing(this);
        if let Err(raised) = transport.lose_soon(this, Object::none()) {
            // Without memory for it the connection is not ended: `close` may be called again.
            transport.lost.set(transport.lost.get() - 1);
            transport.closing.set(false);
            return Err(raised);
        }
    }
    Ok(Object::none())
}

/// `abort()`: pending data is dropped. A connection that is closing already is cut short. The
/// kernel's own buffer is sent all the same, since the socket is closed normally, without
/// `SO_LINGER`.
pub fn abort(this: &TransportRef) -> Result<Object> {
    force_close(this, &Object::none())
}

/// `_force_close(exc)`
///
/// It ends the connection now: both registrations are removed, pending data is dropped, and
/// `connection_lost(exc)` is scheduled for the next turn. Nothing happens if that is under way.
///
/// # Errors
/// What scheduling the end raises.
pub fn force_close(this: &TransportRef, exception: &Object) -> Result<Object> {
    let transport = this.get();
    if transport.lost.get() > 0 {
        return Ok(Object::none());
    }
    transport.lost.set(1);
    let was_closing = transport.closing.replace(true);
    if transport.has_pending() {
        transport.stop_writing(this);
        transport.discard_pending();
    }
    if !was_closing {
        transport.stop_reading(this);
    }
    if let Err(raised) = transport.lose_soon(this, exception.clone()) {
        // As in `close`.
        transport.lost.set(0);
        transport.closing.set(was_closing);
        return Err(raised);
    }
    Ok(Object::none())
}

/// `_fatal_error(exc, message)`: the protocol gets an error of the network by `connection_lost`;
/// any other is a mistake in the program and reported. The rule is asyncio's: a peer that resets
/// its connection is no event for a log, but for debug mode.
///
/// # Errors
/// What the exception handler, the logger or scheduling raises.
pub fn fatal_error(this: &TransportRef, exception: &Object, message: &str) -> Result<()> {
    let transport = this.get();
    if !is_of_class(exception, ExceptionClass::OSError) {
        report(this, message, exception)?;
    } else if transport.debug()? {
        let py = attached();
        let keywords = making::dict(py)?;
        keywords.enter("exc_info", exception.bound(py))?;
        let arguments = ("%r: %s", &**this, message);
        logger(py)?
            .look_up(c"debug")?
            .invoke_with(arguments, &keywords)?;
    }
    force_close(this, exception).map(drop)
}

/// The method `_fatal_error`.
///
/// # Errors
/// `TypeError` for wrong arguments.
pub fn fatal_error_method(this: &TransportRef, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let [exception, message] =
        arguments.bind(c"_fatal_error", [&names.exc, &names.message], 2, 1)?;
    let message = match message {
        Some(message) => making::shown(message)?,
        None => "Fatal error on transport".to_owned(),
    };
    let exception = exception.cloned().unwrap_or_else(Object::none);
    fatal_error(this, &exception, &message)?;
    Ok(Object::none())
}

impl SocketTransport {
    /// Schedules `_call_connection_lost(exception)`. The method is looked up, since subclasses and
    /// tests replace it.
    fn lose_soon(&self, this: &TransportRef, exception: Object) -> Result<()> {
        let lost = this.attribute(&globals().names.call_connection_lost)?;
        self.call_soon(&lost, &[exception])
    }

    /// The last cleanup, done even if the protocol raises at the end. The socket is closed through
    /// the object, so that it knows. The server is told last, since `wait_closed` may go on by
    /// that.
    ///
    /// # Errors
    /// The `OSError` of `close(2)`, or what the server's method raises. The remaining steps are
    /// skipped then, as in asyncio's `finally` block.
    fn let_go(&self, this: &TransportRef) -> Result<()> {
        // Nothing is watched any more unless this is called by hand.
        self.stop_reading(this);
        self.stop_writing(this);
        let names = &globals().names;
        self.expect_input();
        // The kernel drops delayed data when a socket is closed with unread bytes.
        coalescing::push(self);
        match (self.foreign.get(), self.socket.get()) {
            (None, Some(socket)) => plain_sockets().close(&socket)?,
            // Without a socket it is None that has no such method, as in asyncio.
            (foreign, _) => {
                let foreign = foreign.unwrap_or_else(Object::none);
                foreign.invoke(&names.close, [])?;
            }
        }
        self.foreign.clear();
        self.socket.clear();
        self.protocol.clear();
        self.event_loop.clear();
        if let Some(server) = self.server.get() {
            if SERVERS_KNOW_CONNECTIONS {
                server.invoke(&names.detach, [this])?;
            } else {
                server.invoke(&names.detach, [])?;
            }
            self.server.clear();
        }
        Ok(())
    }

    /// Notifies a `sendfile` that bypasses the transport that there is no connection any more.
    /// `_make_empty_waiter` has made the future; the text of the `ConnectionError` is asyncio's.
    fn fail_empty_waiter(&self) -> Result<()> {
        let Some(waiter) = self.empty_waiter.get() else {
            return Ok(());
        };
        let class = ExceptionClass::ConnectionError;
        let error = fetch(raise(class, c"Connection is closed by peer"));
        let name = &globals().names.set_exception;
        waiter.invoke(name, [&error]).map(drop)
    }
}

/// `_call_connection_lost(exc)`: the last that happens. The protocol's method is called only if a
/// protocol was ever set. The order is that of asyncio's `try` and `finally`: the protocol first,
/// then the socket, then the waiter of a `sendfile`.
///
/// # Errors
/// The last exception of the three steps, which the exception handler of the loop gets.
pub fn call_connection_lost(this: &TransportRef, exception: &Object) -> Result<Object> {
    let transport = this.get();
    let mut outcome = Ok(());
    if transport.protocol_connected.get() {
        let protocol = transport.protocol.get_or_none();
        let name = &globals().names.connection_lost;
        outcome = protocol.invoke(name, [exception]).map(drop);
    }
    for step in [
        |transport: &SocketTransport, this: &TransportRef| transport.let_go(this),
        |transport: &SocketTransport, _: &TransportRef| transport.fail_empty_waiter(),
    ] {
        // The exception of the protocol's waits meanwhile, and is replaced by one of these.
        let before = outcome.map_err(fetch);
        outcome = step(transport, this);
        if let (Ok(()), Err(exception)) = (&outcome, before) {
            outcome = Err(restore(exception));
        }
    }
    outcome?;
    Ok(Object::none())
}

/// True from `close`, `abort` or an error on, and for ever.
pub fn is_closing(this: &TransportRef) -> Result<Object> {
    Ok(Object::boolean(asks_whether_closing(this)))
}

/// As [`is_closing`]. A drain asks, so that what was written is to be on its way.
#[inline]
pub fn asks_whether_closing(this: &TransportRef) -> bool {
    let transport = this.get();
    coalescing::push(transport);
    transport.closing.get()
}
