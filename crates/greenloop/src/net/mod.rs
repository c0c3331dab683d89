//! Connections and datagrams, with the traits of `futures::io`.
//!
//! A socket belongs to the loop in which it was made, whose turns find out whether it is ready.
//! Every operation is tried at once, and waits only if it would block, or if its task has tried a
//! few dozen in this turn: who always finds something to read keeps nobody else from running, and
//! no timeout from ending it.
//!
//! *Cancel safety* is the same for all: dropping the future of an operation that is not ready has
//! had no effect on the socket. Of the extension traits of `futures` that hold for `read` and
//! `write` as well, not for what goes on until it has all, as `read_exact` and `write_all`.

mod address;
mod connecting;
mod halves;
mod registered;
mod tcp;
mod udp;
mod unix;

pub use address::lookup;
pub use halves::{OwnedReadHalf, OwnedWriteHalf};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixListener, UnixStream};
