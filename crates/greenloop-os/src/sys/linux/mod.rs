//! Linux: epoll behind the poller, an eventfd behind the waker, `accept4` for connections.

mod accept;
mod epoll;
mod eventfd;
mod stack;

pub use accept::{NON_BLOCKING, accept};
pub(crate) use epoll::{EventBuffer, Selector};
pub(crate) use eventfd::Signal;
pub use stack::bounds as stack_bounds;
