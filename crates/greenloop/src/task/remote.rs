//! What other threads see of a task: a number to wake it by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use crate::remote::{Message, Shared};
use crate::runtime::current;

/// Names a task: its place in the loop's table, and which of the tasks it is that have had the
/// place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    pub index: usize,
    pub generation: u64,
}

/// The waker of a task. It outlives the task if somebody keeps it, and then wakes nobody.
pub struct Remote {
    shared: Arc<Shared>,
    key: Key,
    /// Set when it is put into the inject queue, cleared when it is taken out: it stands there once
    /// at most, however often other threads wake the task.
    injected: AtomicBool,
}

impl Remote {
    pub fn new(shared: &Arc<Shared>, key: Key) -> Self {
        Self {
            shared: Arc::clone(shared),
            key,
            injected: AtomicBool::new(false),
        }
    }

    pub const fn key(&self) -> Key {
        self.key
    }

    /// It was taken out of the inject queue, and the task is about to be stepped. What is woken for
    /// from now on may be more than that step sees, and is injected again.
    pub fn note_taken(&self) {
        self.injected.store(false, Ordering::SeqCst);
    }
}

impl Wake for Remote {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    #[inline]
    fn wake_by_ref(self: &Arc<Self>) {
        let woken_here = current::with(|event_loop| {
            let is_ours = Arc::ptr_eq(event_loop.shared(), &self.shared);
            if is_ours {
                event_loop.wake_key(self.key);
            }
            is_ours
        });
        if woken_here != Some(true) && !self.injected.swap(true, Ordering::SeqCst) {
            // A loop that has ended has nobody to wake.
            drop(self.shared.inject(Message::Wake(Arc::clone(self))));
        }
    }
}
