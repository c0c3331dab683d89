//! Linux: epoll behind the poller, an eventfd behind the waker.

mod epoll;
mod eventfd;

pub(crate) use epoll::{EventBuffer, Selector};
pub(crate) use eventfd::Signal;
