//! `Inbox`: the wake-ups of threads that do not hold the GIL, of which a loop's state knows
//! nothing.
//!
//! A queue of its own, which [0002] rejects for `call_soon_threadsafe`, is right here: between a
//! thread that never held the GIL and what the loop did meanwhile there is no order to be kept.
//!
//! [0002]: ../../../../docs/decisions/0002-loop-state-under-the-gil.md

use std::sync::{Arc, Mutex, PoisonError};

use greenloop_os::Waker;

use super::Holder;

/// What a loop is left by other threads.
///
/// The lock is held for a push or a take, never while Python or a future runs, and nobody who holds
/// it asks for the GIL.
pub struct Inbox {
    /// Empty once the loop is closed.
    open: Mutex<Option<Open>>,
}

struct Open {
    holders: Vec<Holder>,
    waker: Arc<Waker>,
}

impl Inbox {
    fn with<R>(&self, access: impl FnOnce(&mut Option<Open>) -> R) -> R {
        // Nothing panics while it is locked, and if: a vector and a waker are valid at any time.
        access(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Leaves a message for the loop and wakes it, or gives it back if the loop is not there to
    /// find it.
    pub fn push(&self, holder: Holder) -> Result<(), Holder> {
        self.with(|open| {
            let Some(open) = open else { return Err(holder) };
            // Who finds others there has nobody to wake: the loop takes all of them.
            if open.holders.is_empty() {
                open.waker.wake();
            }
            open.holders.push(holder);
            Ok(())
        })
    }

    /// Runs what was left. Called by the loop's thread with the GIL held, after the waker was
    /// drained.
    pub fn deliver(&self) {
        let holders = self.with(|open| open.as_mut().map(|open| std::mem::take(&mut open.holders)));
        holders.into_iter().flatten().for_each(Holder::receive);
    }
}

/// The loop's hold on its inbox, which is closed with it.
#[derive(Default)]
pub struct OwnInbox {
    inbox: std::cell::OnceCell<Arc<Inbox>>,
}

impl OwnInbox {
    /// The inbox, made for the first who asks.
    #[inline]
    pub fn open(&self, waker: impl FnOnce() -> Option<Arc<Waker>>) -> &Arc<Inbox> {
        self.inbox.get_or_init(|| {
            let holders = Vec::new();
            let open = waker().map(|waker| Open { holders, waker });
            Arc::new(Inbox {
                open: Mutex::new(open),
            })
        })
    }

    /// The inbox, if anybody has asked for it.
    pub fn get(&self) -> Option<&Arc<Inbox>> {
        self.inbox.get()
    }

    /// Takes nothing from now on. The descriptor is let go of, whoever keeps a waker.
    pub fn close(&self) {
        let left = self
            .inbox
            .get()
            .and_then(|inbox| inbox.with(Option::take))
            .map(|open| open.holders);
        left.into_iter().flatten().for_each(Holder::receive);
    }
}

impl Drop for OwnInbox {
    fn drop(&mut self) {
        self.close();
    }
}
