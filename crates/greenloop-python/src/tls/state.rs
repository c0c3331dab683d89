//! The state of a connection, towards its peer and towards its application.
//!
//! The two are independent: a connection may be flushing while the application has been told of the
//! end of data, or of nothing yet. asyncio's enumerations have the same members, and
//! [`State::object`] gives those to programs that read `_state`.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Object, Result, attached};

use super::library::library;

/// Towards the peer; see the diagram in [`super`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No session: before `connection_made`, and after the connection is lost or aborted.
    Unwrapped,
    /// The peers negotiate. Data that the application writes is kept.
    Handshaking,
    /// Data flows in both directions.
    Wrapped,
    /// The application has closed, or the peer's stream has ended; what came and what waits is
    /// dealt with.
    Flushing,
    /// `close_notify` is sent, unless the stream below has ended, and the peer's is awaited.
    Shutdown,
}

impl State {
    /// As asyncio names it.
    const fn name(self) -> &'static str {
        match self {
            Self::Unwrapped => "UNWRAPPED",
            Self::Handshaking => "DO_HANDSHAKE",
            Self::Wrapped => "WRAPPED",
            Self::Flushing => "FLUSHING",
            Self::Shutdown => "SHUTDOWN",
        }
    }

    /// The state that follows, which must be the next one or none at all any more.
    ///
    /// # Errors
    /// `RuntimeError` with asyncio's text for any other. asyncio raises it too, for instance if the
    /// application aborts in the last read before a shutdown.
    pub fn switched_to(self, next: Self) -> Result<Self> {
        let allowed = matches!(
            (self, next),
            (_, Self::Unwrapped)
                | (Self::Unwrapped, Self::Handshaking)
                | (Self::Handshaking, Self::Wrapped)
                | (Self::Wrapped, Self::Flushing)
                | (Self::Flushing, Self::Shutdown)
        );
        if allowed {
            return Ok(next);
        }
        let (from, to) = (self.name(), next.name());
        let text =
            format!("cannot switch state from SSLProtocolState.{from} to SSLProtocolState.{to}");
        Err(making::runtime_error(&text))
    }

    /// The member of asyncio's enumeration.
    pub fn object(self) -> Result<Object> {
        member(&library()?.states, self.name())
    }

    /// Whether nothing is taken from the application any more.
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::Flushing | Self::Shutdown | Self::Unwrapped)
    }
}

/// Towards the application's protocol: which of its methods was called last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ApplicationState {
    /// Nothing was called yet.
    New,
    /// `connection_made`, or it was connected before there was TLS.
    Connected,
    /// `eof_received`
    Ended,
    /// `connection_lost`
    Lost,
}

impl ApplicationState {
    /// The member of asyncio's enumeration.
    pub fn object(self) -> Result<Object> {
        let name = match self {
            Self::New => "STATE_INIT",
            Self::Connected => "STATE_CON_MADE",
            Self::Ended => "STATE_EOF",
            Self::Lost => "STATE_CON_LOST",
        };
        member(&library()?.application_states, name)
    }
}

/// `enumeration.name`. It is looked up each time; the native code itself compares its own values.
fn member(enumeration: &Object, name: &str) -> Result<Object> {
    let py = attached();
    Ok(enumeration.bound(py).look_up(name)?.into())
}
