//! TLS over any transport, encrypted by Python's own `ssl` module.
//!
//! ```text
//!              incoming ─────► ssl object ─────►
//!   transport     memory BIOs     │                 application's protocol
//!              ◄───── outgoing ◄──┘ ◄───── SSLTransport
//!
//!           1 connection_made  2 the peers agree    3 close, or the peer's end   4 all is flushed
//!   unwrapped ──────────► handshaking ──────► wrapped ──────────────► flushing ──────► shutdown
//!       ▲                      │                 │                       │                │
//!       └──────────────────────┴─── 5 connection_lost, abort, an error ──┴────────────────┘
//! ```
//! The program's own `ssl.SSLContext` does everything about certificates, callbacks and session
//! keys. The code here only moves bytes, from the transport through the two memory BIOs to the
//! application's protocol and back, and decides when to start a handshake and a shutdown. It does
//! the same as asyncio's `SSLProtocol`, in the same order and with the same messages.
//!
//! It saves the Python code in between. The transport's bytes go straight from the receive buffer
//! into the BIO, without a separate object. The ssl object is called through its native part. It is
//! not called for more when there is nothing, which it would report with an exception. Written data
//! is encrypted in place.
//!
//! - [`protocol`]: the struct of a connection, with its [`state`] as in the picture, its
//!   [`backlog`] and its water marks in each [`direction`]; and [`class`]: its class as Python sees
//!   it;
//! - [`engine`]: the ssl object and its two BIOs, which are shown our memory;
//! - [`opening`], [`handshake`], [`reading`], [`writing`], [`flow_control`], [`shutdown`]: a
//!   connection's life;
//! - [`transport`]: the transport that the application's protocol writes to, with
//!   [`transport_methods`] and [`transport_class`];
//! - [`library`]: the objects looked up in `ssl` and in `asyncio.sslproto`.
//!
//! Two facts of the protocol concern writing: `writing_paused` is set by the transport below, which
//! has no room, and `outgoing_flow` is paused while the application is asked to pause. Two concern
//! reading: `incoming_flow` is paused while the transport below is asked to pause, and
//! `app_reading_paused` by the application.
//!
//! The code is re-entered all the time: a write of the application's inside its `data_received`
//! encrypts and sends while the read goes on outside. So no borrow of the ssl object, the BIOs or
//! the backlog lasts across a call of the application's, and the state is asked again behind it.

mod backlog;
mod class;
mod direction;
mod engine;
mod flow_control;
mod handshake;
mod library;
mod opening;
mod protocol;
mod reading;
mod shutdown;
mod state;
mod transport;
mod transport_class;
mod transport_methods;
mod writing;

use greenloop_cpython::ClassCell;

pub use class::make_classes;
pub use protocol::{CLASS as PROTOCOL, SslProtocol};
pub use reading::{feed, received};
pub use transport_methods::FOR_WRITERS;

/// The public classes by their names.
pub fn classes() -> [(&'static str, &'static ClassCell); 2] {
    [
        ("SSLProtocol", &protocol::CLASS),
        ("SSLTransport", &transport::CLASS),
    ]
}

/// The classes whose methods programs may replace, which short cuts look out for.
pub fn replaceable_classes() -> [&'static ClassCell; 2] {
    [&protocol::CLASS, &transport::CLASS]
}
