//! Linux: epoll behind the poller, an eventfd behind the waker, `accept4` for connections.

mod accept;
mod epoll;
mod eventfd;
mod stack;

use libc::c_int;

pub use accept::{NON_BLOCKING, accept};
pub(crate) use epoll::{EventBuffer, Selector};
pub(crate) use eventfd::Signal;
pub use stack::bounds as stack_bounds;

/// The flag by which `send(2)` waits for more to follow.
pub(crate) const MORE_FOLLOWS: c_int = libc::MSG_MORE;

/// The option of TCP which, when it is cleared, has everything sent.
pub(crate) const CORK: c_int = libc::TCP_CORK;
