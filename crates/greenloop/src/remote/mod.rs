//! The part of a loop that other threads see: a queue of messages, and the waker behind it.

mod handle;
mod inject;
mod primitives {
    pub use std::sync::{Mutex, MutexGuard};
}

use std::sync::Arc;

pub use handle::{Closed, LoopHandle};
use inject::{Inject, WakeUp};

use crate::task::Remote;

/// A request of another thread to a loop.
pub enum Message {
    /// Step a task.
    Wake(Arc<Remote>),
    /// Call something on the loop's thread.
    Call(Box<dyn FnOnce() + Send>),
}

/// The part of a loop that other threads see.
pub type Shared = Inject<Message, greenloop_os::Waker>;

impl WakeUp for greenloop_os::Waker {
    fn wake_up(&self) {
        self.wake();
    }
}
