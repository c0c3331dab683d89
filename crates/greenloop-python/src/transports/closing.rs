//! The end of a connection, by request or because of an error.
//!
//! In each case the descriptor is no longer watched when the socket is closed: its number may go to
//! the next connection at once.

use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Arguments, ExceptionClass, Object, Result, attached, call_method, fetch, is_of_class, raise,
    restore,
};

use super::{SocketTransport, joining, logger, report};
use crate::asyncio::globals;

/// `close()`: reading ends at once, the connection when everything is written.
pub fn close(this: &Object) -> Result<Object> {
    let transport = SocketTransport::of(this);
    if transport.closing.replace(true) {
        return Ok(Object::none());
    }
    transport.stop_reading(this);
    if transport.pending.with(|pending| pending.is_empty()) {
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

/// `abort()`: pending data is dropped.
pub fn abort(this: &Object) -> Result<Object> {
    force_close(this, &Object::none())
}

/// `_force_close(exc)`
pub fn force_close(this: &Object, exception: &Object) -> Result<Object> {
    let transport = SocketTransport::of(this);
    if transport.lost.get() > 0 {
        return Ok(Object::none());
    }
    transport.lost.set(1);
    let was_closing = transport.closing.replace(true);
    if !transport.pending.with(|pending| pending.is_empty()) {
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
/// any other is a mistake in the program and reported.
pub fn fatal_error(this: &Object, exception: &Object, message: &str) -> Result<()> {
    let transport = SocketTransport::of(this);
    if !is_of_class(exception, ExceptionClass::OSError) {
        report(this, message, exception)?;
    } else if transport.debug()? {
        let py = attached();
        let keywords = making::dict(py)?;
        keywords.enter("exc_info", exception.bound(py))?;
        let arguments = ("%r: %s", this, message);
        logger(py)?
            .look_up(c"debug")?
            .invoke_with(arguments, &keywords)?;
    }
    force_close(this, exception).map(drop)
}

/// The method `_fatal_error`.
pub fn fatal_error_method(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
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
    fn lose_soon(&self, this: &Object, exception: Object) -> Result<()> {
        let lost = this.attribute(&globals().names.call_connection_lost)?;
        self.call_soon(&lost, &[exception])
    }

    /// The last cleanup, done even if the protocol raises at the end.
    fn let_go(&self, this: &Object) -> Result<()> {
        // Nothing is watched any more unless this is called by hand.
        self.stop_reading(this);
        self.stop_writing(this);
        let names = &globals().names;
        let socket = self.socket.get_or_none();
        self.expect_input();
        // The kernel drops delayed data when a socket is closed with unread bytes.
        joining::push(self);
        if self.is_foreign() {
            call_method(&names.close, &[socket.as_ptr()])?;
        } else {
            super::plain_sockets().close(&socket)?;
        }
        self.socket.clear();
        self.protocol.clear();
        self.native_loop.set(std::ptr::null());
        self.event_loop.clear();
        if let Some(server) = self.server.get() {
            if cfg!(Py_3_13) {
                call_method(&names.detach, &[server.as_ptr(), this.as_ptr()])?;
            } else {
                call_method(&names.detach, &[server.as_ptr()])?;
            }
            self.server.clear();
        }
        Ok(())
    }

    /// Notifies a `sendfile` that bypasses the transport that there is no connection any more.
    fn fail_empty_waiter(&self) -> Result<()> {
        let Some(waiter) = self.empty_waiter.get() else {
            return Ok(());
        };
        let class = ExceptionClass::ConnectionError;
        let error = fetch(raise(class, c"Connection is closed by peer"));
        let arguments = [waiter.as_ptr(), error.as_ptr()];
        call_method(&globals().names.set_exception, &arguments).map(drop)
    }
}

/// `_call_connection_lost(exc)`: the last that happens.
pub fn call_connection_lost(this: &Object, exception: &Object) -> Result<Object> {
    let transport = SocketTransport::of(this);
    let mut outcome = Ok(());
    if transport.protocol_connected.get() {
        let protocol = transport.protocol.get_or_none();
        let arguments = [protocol.as_ptr(), exception.as_ptr()];
        outcome = call_method(&globals().names.connection_lost, &arguments).map(drop);
    }
    for step in [
        |transport: &SocketTransport, this: &Object| transport.let_go(this),
        |transport: &SocketTransport, _: &Object| transport.fail_empty_waiter(),
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

pub fn is_closing(this: &Object) -> Result<Object> {
    let transport = SocketTransport::of(this);
    // A drain asks.
    joining::push(transport);
    Ok(Object::boolean(transport.closing.get()))
}
