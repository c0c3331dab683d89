//! Connections and datagrams, with the traits of `futures::io`.
//!
//! A socket belongs to the loop in which it was made, whose turns poll whether it is ready. Every
//! operation is tried at once, and waits only if it would block, or if its task has tried a few
//! dozen in this turn. So a task that always finds something to read neither keeps others from
//! running nor escapes a timeout.
//!
//! *Cancel safety* is the same for all: dropping the future of an operation that is not ready has
//! no effect on the socket. The same holds for `read` and `write` of the extension traits of
//! `futures`, but not for methods that repeat an operation until all is done, such as `read_exact`
//! and `write_all`.

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
