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
//! Whatever the program's `ssl.SSLContext` does is done, by it: certificates, callbacks, session
//! keys. What stands here only moves bytes, from the transport through the two memory BIOs to the
//! application's protocol and back, and knows when to ask for a handshake and an end. It does what
//! asyncio's `SSLProtocol` does, in the same order and with the same words.
//!
//! What it saves is Python between: the transport's bytes go into the BIO from where they were
//! received, without an object of their own; the ssl object is asked by its native part; it is not
//! asked for more when there is nothing, which it would say with an exception; and what is written
//! goes out in place.
//!
//! - [`protocol`]: the state of a connection, and [`class`] how Python sees it;
//! - [`engine`]: the ssl object and its two BIOs, and [`window`] how they are shown our memory;
//! - [`handshake`], [`reading`], [`writing`], [`flow_control`], [`shutdown`]: a connection's life;
//! - [`transport`]: what the application's protocol writes to;
//! - [`library`]: what is looked up in `ssl` and in `asyncio.sslproto`.

mod backlog;
mod class;
mod engine;
mod flow_control;
mod handshake;
mod joined;
mod library;
mod opening;
mod protocol;
mod reading;
mod shutdown;
mod state;
mod transport;
mod transport_class;
mod window;
mod writing;

pub use class::make_class as make_protocol_class;
pub use protocol::is_native as is_native_protocol;
pub use reading::{feed, received};
pub use transport_class::make_class as make_transport_class;
pub use window::make_class as make_window_class;
