//! The end of a connection, by request or because of an error.
//!
//! In each case the descriptor is no longer watched when the socket is closed: its number may go to
//! the next connection at once.

use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Arguments, ExceptionClass, Object, Result, attached, fetch, is_of_class, plain_sockets, raise,
    restore,
};

use super::{SocketTransport, TransportRef, coalescing, logger, report};
use crate::asyncio::edition::SERVERS_KNOW_CONNECTIONS;
use crate::asyncio::globals;

/// `close()`: reading ends at once, the connection when everything is written.
pub fn close(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
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
pub fn abort(this: &TransportRef) -> Result<Object> {
    force_close(this, &Object::none())
}

/// `_force_close(exc)`
pub fn force_close(this: &TransportRef, exception: &Object) -> Result<Object> {
    let transport = this.get();
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
    fn lose_soon(&self, this: &TransportRef, exception: Object) -> Result<()> {
        let lost = this.attribute(&globals().names.call_connection_lost)?;
        self.call_soon(&lost, &[exception])
    }

    /// The last cleanup, done even if the protocol raises at the end.
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

/// `_call_connection_lost(exc)`: the last that happens.
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

pub fn is_closing(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    // A drain asks.
    coalescing::push(transport);
    Ok(Object::boolean(transport.closing.get()))
}
