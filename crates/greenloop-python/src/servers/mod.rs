//! Servers: connections are accepted natively and become transports.
//!
//! ```text
//!   turn 1: the listening socket is readable     turn 2                        turn 3
//!   accept, as the backlog allows ───────────►  protocol_factory(),     ───►  connection_made(),
//!   (an Arrival is queued for each)             a transport                   reading starts
//! ```
//! asyncio's `_accept_connection` does the same in the same turns, but makes a coroutine, a task
//! and a future for each connection. The other cases are left to asyncio's own functions, called by
//! name: TLS, debug mode, loops on which a method involved was replaced, and errors of `accept`,
//! which asyncio gets when it tries again.

mod acceptor;
mod arrival;
