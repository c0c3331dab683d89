//! The queue of messages from other threads to a loop, the only place where they meet it.
//!
//! ```text
//!   another thread                     the loop's thread
//!   ──────────────                     ─────────────────
//!   inject: lock, push,                fall_asleep: lock; if something is there, do not sleep;
//!           take `asleep`, unlock;                  else set `asleep`, unlock
//!           if it was set, wake up     (waits in the poller)
//!                                      take: lock, clear `asleep`, take all, unlock
//! ```
//! The flag is under the lock of the queue, so a message is either seen before the loop sleeps, or
//! its sender sees that the loop sleeps. Only then does the sender make a system call, and only the
//! first of several does.

use std::sync::PoisonError;

// The standard library's, or in `tests/loom` those of loom, which tries every interleaving.
use super::primitives::{Mutex, MutexGuard};

/// The means to interrupt a loop's wait.
pub trait WakeUp {
    /// Ends the wait, or the next one if the loop does not wait yet.
    fn wake_up(&self);
}

/// See the module's text.
pub struct Inject<M, W> {
    state: Mutex<State<M>>,
    waker: W,
}

struct State<M> {
    messages: Vec<M>,
    /// Set while the loop waits, or is about to; cleared by the thread that wakes it, and when it
    /// has woken.
    asleep: bool,
    /// Set when the loop has ended: nothing is accepted any more.
    closed: bool,
}

impl<M, W: WakeUp> Inject<M, W> {
    /// An empty queue of a loop that `waker` gets out of its wait.
    pub fn new(waker: W) -> Self {
        Self {
            state: Mutex::new(State {
                messages: Vec::new(),
                asleep: false,
                closed: false,
            }),
            waker,
        }
    }

    /// The waker that interrupts the loop's wait.
    pub const fn waker(&self) -> &W {
        &self.waker
    }

    /// Puts a message behind the others. It comes back if the loop has ended.
    pub fn inject(&self, message: M) -> Result<(), M> {
        let mut state = self.lock();
        if state.closed {
            return Err(message);
        }
        state.messages.push(message);
        let sleeps = std::mem::take(&mut state.asleep);
        drop(state);
        if sleeps {
            self.waker.wake_up();
        }
        Ok(())
    }

    /// The loop is about to wait. Returns whether it may.
    pub fn fall_asleep(&self) -> bool {
        let mut state = self.lock();
        state.asleep = state.messages.is_empty();
        state.asleep
    }

    /// The loop does not wait. Takes all messages, in order.
    pub fn take(&self) -> Vec<M> {
        let mut state = self.lock();
        state.asleep = false;
        std::mem::take(&mut state.messages)
    }

    /// The loop has ended. Returns the messages that were not taken.
    pub fn close(&self) -> Vec<M> {
        let mut state = self.lock();
        state.closed = true;
        std::mem::take(&mut state.messages)
    }

    /// No user code runs under the lock, so nothing panics there that could have left a half-done
    /// state.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
