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
//!
//! The room has two classes, and Python sees neither by a public name:
//!
//! - `Acceptor` owns a listening socket for as long as the loop watches it. It is the owner of a
//!   native listener, so the loop's table of watches keeps it alive, and closing the server drops
//!   it.
//! - `Arrival` owns one accepted socket between two turns. If the loop is closed before the second
//!   turn, the arrival is dropped with its job, and the socket object closes its descriptor.
//!
//! Nothing is accepted ahead of a turn: the backlog bounds how many connections one readiness event
//! takes, so a burst of clients cannot keep other callbacks waiting for longer than with asyncio.

mod acceptor;
mod arrival;
