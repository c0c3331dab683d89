//! A task as other threads see it: a number to wake it by.

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

/// The waker of a task. It outlives the task if it is kept, and then has no effect.
pub struct Remote {
    shared: Arc<Shared>,
    key: Key,
    /// Set when it is put into the inject queue, cleared when it is taken out: it is there once at
    /// most, however often other threads wake the task.
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

    /// It was taken out of the inject queue, and the task is about to be stepped. That step may not
    /// see the cause of a later wake-up, so a wake-up from now on is injected again.
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
            // A loop that has ended has no task to wake.
            drop(self.shared.inject(Message::Wake(Arc::clone(self))));
        }
    }
}
