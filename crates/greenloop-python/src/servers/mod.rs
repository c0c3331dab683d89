//! Servers: connections are taken natively and become transports.
//!
//! ```text
//!   turn 1: the listening socket is readable     turn 2                        turn 3
//!   accept, until nothing is left ───────────►  protocol_factory(),     ───►  connection_made(),
//!   (an Arrival is queued for each)             a transport                   reading starts
//! ```
//! That is what asyncio's `_accept_connection` does, in the same turns, without the coroutine, the
//! task and the future that it makes for each connection. What is not like that is left to
//! asyncio's own functions, called by name: TLS, debug mode, loops on which somebody has replaced a
//! method that plays a part, and errors of `accept`, which asyncio meets when it tries again.

mod acceptor;
mod arrival;
