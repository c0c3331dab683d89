//! The bridge's state of a thread. It is a single variable because each access to a thread-local
//! variable is a function call in a library that is loaded at run time.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::attached::PendingCall;
use crate::held::HeldObjects;

/// Of the thread that runs.
pub struct Thread {
    /// Zero before the first request.
    number: Cell<u64>,
    /// Those of the future that is polled, which borrows them.
    pub held_objects: Cell<*const HeldObjects>,
    /// Whether a future is being dropped because its awaitable is.
    drops: Cell<bool>,
    /// The work for the function that pyo3 calls.
    pub pending_call: Cell<Option<PendingCall>>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            number: Cell::new(0),
            held_objects: Cell::new(ptr::null()),
            drops: Cell::new(false),
            pending_call: Cell::new(None),
        }
    };
}

impl Thread {
    /// Gives `access` that of the calling thread.
    #[inline]
    pub fn with<R>(access: impl FnOnce(&Self) -> R) -> R {
        THREAD.with(access)
    }

    /// Runs `drop`, which must not unwind, and which drops a future.
    pub fn during_drop<R>(&self, drop: impl FnOnce() -> R) -> R {
        let before = self.drops.replace(true);
        let result = drop();
        self.drops.set(before);
        result
    }

    /// Whether a future is polled or dropped, for which this thread was given the GIL.
    pub fn touches_future(&self) -> bool {
        self.drops.get() || !self.held_objects.get().is_null()
    }

    /// A number that no other thread has or had, and that is not zero.
    #[inline]
    pub fn number(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        match self.number.get() {
            0 => {
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                self.number.set(number);
                number
            }
            number => number,
        }
    }
}
