//! `Inbox`: the wake-ups from threads that do not hold the GIL and so cannot touch the loop's
//! state.
//!
//! [0002] rejects a separate queue for `call_soon_threadsafe`, but it is right here: there is no
//! order to keep between a thread that never held the GIL and the loop's own jobs.
//!
//! [0002]: ../../../../docs/decisions/0002-loop-state-under-the-gil.md
//!
//! ```text
//!   thread without the GIL: push ──► messages, and the waker if they were none
//!   loop's thread:          poll ends ──► deliver: takes all at once, receives each with the GIL
//! ```
//! After the loop is closed `push` gives the message back, and the sender finds another way.

use std::sync::{Arc, Mutex, PoisonError};

use greenloop_os::Waker;

/// A request to the loop's thread: a function and its argument.
///
/// A message that is dropped without being received leaks what its payload holds.
pub struct Message {
    receive: unsafe fn(*const ()),
    payload: *const (),
}

// SAFETY: promised by who makes one.
unsafe impl Send for Message {}

impl Message {
    /// A message that is received by a call of `receive` with `payload`.
    ///
    /// # Safety
    /// Any thread that holds the GIL may make that call, once.
    pub const unsafe fn new(receive: unsafe fn(*const ()), payload: *const ()) -> Self {
        Self { receive, payload }
    }

    /// The argument of the function, for a sender that gets the message back.
    pub const fn into_payload(self) -> *const () {
        self.payload
    }

    fn deliver(self) {
        // SAFETY: by `new`; the loop's thread holds the GIL, and the message is gone.
        unsafe { (self.receive)(self.payload) }
    }
}

/// The messages to a loop from other threads.
///
/// The lock is held for a push or a take, never while Python or a future runs, and no holder asks
/// for the GIL.
pub struct Inbox {
    /// Empty once the loop is closed.
    open: Mutex<Option<Open>>,
}

struct Open {
    messages: Vec<Message>,
    /// Ends a poll early. It keeps the descriptor open until the inbox is closed.
    waker: Arc<Waker>,
}

impl Inbox {
    fn with<R>(&self, access: impl FnOnce(&mut Option<Open>) -> R) -> R {
        // Nothing panics while it is locked, and if: a vector and a waker are valid at any time.
        access(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Leaves a message for the loop and wakes it, or gives it back if the loop is not there to
    /// find it.
    ///
    /// May be called by any thread, with the GIL or without. Allocates only when the vector grows.
    pub fn push(&self, message: Message) -> Result<(), Message> {
        self.with(|open| {
            let Some(open) = open else {
                return Err(message);
            };
            // The loop takes all messages at once, so only the first one has to wake it.
            if open.messages.is_empty() {
                open.waker.wake();
            }
            open.messages.push(message);
            Ok(())
        })
    }

    /// Handles the messages. Called by the loop's thread with the GIL held, after the waker was
    /// drained.
    ///
    /// Messages that are pushed meanwhile wake the next poll.
    pub fn deliver(&self) {
        let left = self.with(|open| open.as_mut().map(|open| std::mem::take(&mut open.messages)));
        left.into_iter().flatten().for_each(Message::deliver);
    }
}

/// The loop's hold on its inbox, which is closed with it.
#[derive(Default)]
pub struct OwnInbox {
    inbox: std::cell::OnceCell<Arc<Inbox>>,
}

impl OwnInbox {
    /// The inbox, made at the first request.
    #[inline]
    pub fn open(&self, waker: impl FnOnce() -> Option<Arc<Waker>>) -> &Arc<Inbox> {
        self.inbox.get_or_init(|| {
            let messages = Vec::new();
            let open = waker().map(|waker| Open { messages, waker });
            Arc::new(Inbox {
                open: Mutex::new(open),
            })
        })
    }

    /// The inbox, if it was requested before.
    pub fn get(&self) -> Option<&Arc<Inbox>> {
        self.inbox.get()
    }

    /// Takes nothing from now on. The descriptor is released, even if wakers remain.
    ///
    /// The messages that are left are received, so the caller holds the GIL.
    pub fn close(&self) {
        let left = self
            .inbox
            .get()
            .and_then(|inbox| inbox.with(Option::take))
            .map(|open| open.messages);
        left.into_iter().flatten().for_each(Message::deliver);
    }
}

impl Drop for OwnInbox {
    fn drop(&mut self) {
        self.close();
    }
}
