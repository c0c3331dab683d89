//! `Remote`: the reference that wakers hold to an awaitable, on any thread and for any time.
//!
//! A waker keeps its waiter alive, as a reference to a future does: the last waker may hold the
//! last reference to a task. But wakers are cloned and dropped where Python's reference counts must
//! not be touched. So the awaitable holds itself while there are wakers, and the last of them
//! releases it ([`RustFuture::release`]).
//!
//! The count is our own because an `Arc` does not tell which holder is the last but one. It costs
//! one atomic operation when a waker is made and one when it is dropped.
//!
//! ```text
//!   waker (any thread) ── wake ──┬─ with the GIL ─────► RustFuture::wake ──► Job::Step
//!                                └─ without it ─► inbox ─► the loop's thread ──┘
//!                                   no inbox, or closed ─► attaches to the interpreter ──┘
//! ```
//! A thread without the GIL never waits for it to wake a future on a loop of ours; it takes the
//! inbox's lock, for a push.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use greenloop_cpython::{Native, guarded, holds_gil};
use pyo3::Python;

use super::RustFuture;
use crate::awaitable::Awaitable;
use crate::event_loop::{Inbox, Message};

/// The thread-safe end of a wait.
pub struct Remote {
    /// How many hold it: the future as long as it is not finished, each waker, and the inbox.
    holders: AtomicUsize,
    /// The awaitable, borrowed: the object is touched only with the GIL held. Null once it is
    /// finished, which it sets itself; for a holder of a waker that is final, and visible without
    /// the GIL.
    awaitable: AtomicPtr<Awaitable>,
    /// Set while a wake-up lies in the inbox.
    queued: AtomicBool,
    /// Set when something lies there because of a wake-up, and not only because the last waker
    /// went.
    woken: AtomicBool,
    /// That of the loop, if it is one of ours.
    inbox: Option<Arc<Inbox>>,
}

impl Remote {
    /// Whether this is a way into the loop with that inbox.
    #[inline]
    pub fn leads_to(&self, inbox: *const Inbox) -> bool {
        ptr::eq(self.inbox.as_ref().map_or(ptr::null(), Arc::as_ptr), inbox)
    }

    /// Whether the future is not its only holder.
    #[inline]
    pub fn is_shared(&self) -> bool {
        self.holders.load(Ordering::Acquire) > 1
    }

    /// Wakers wake this awaitable from now on, or none. GIL.
    #[inline]
    pub fn set_awaitable(&self, awaitable: *const Awaitable) {
        self.awaitable
            .store(awaitable.cast_mut(), Ordering::Relaxed);
    }

    /// May be read without the GIL, to compare with null only.
    #[inline]
    fn awaitable(&self) -> *const Awaitable {
        self.awaitable.load(Ordering::Relaxed)
    }

    /// Whether there is no awaitable left to wake, or to notify that the last waker is gone.
    #[inline]
    fn is_finished(&self) -> bool {
        self.awaitable().is_null()
    }

    /// GIL.
    fn wake_attached(&self) {
        if let Some(awaitable) = alive(self.awaitable()) {
            RustFuture::wake(&awaitable);
        }
    }
}

/// A reference to a [`Remote`], such as a waker's.
pub struct Holder(NonNull<Remote>);

// SAFETY: the count is atomic; the remote says how its other fields are guarded.
unsafe impl Send for Holder {}
// SAFETY: all that a shared holder gives is the remote and another share in the count.
unsafe impl Sync for Holder {}

impl Holder {
    /// The first one: the future itself.
    pub fn of_future(awaitable: *const Awaitable, inbox: Option<Arc<Inbox>>) -> Self {
        let remote = Box::new(Remote {
            holders: AtomicUsize::new(1),
            awaitable: AtomicPtr::new(awaitable.cast_mut()),
            queued: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            inbox,
        });
        Self(NonNull::from(Box::leak(remote)))
    }

    /// Gives the holder away, for [`from_raw`](Self::from_raw).
    ///
    /// The share in the count goes with it.
    pub fn into_raw(self) -> *const Remote {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Takes it back.
    ///
    /// # Safety
    /// `remote` comes from [`into_raw`](Self::into_raw), and is taken back once.
    pub unsafe fn from_raw(remote: *const Remote) -> Self {
        // SAFETY: a pointer from `into_raw` is not null.
        Self(unsafe { NonNull::new_unchecked(remote.cast_mut()) })
    }

    /// Has the future polled again.
    ///
    /// From any thread. A future that is done, or whose wake-up is under way, takes nothing more.
    pub fn wake_by_ref(&self) {
        if holds_gil() {
            self.wake_attached();
        } else if self.notes_wake() {
            self.clone().tell();
        }
    }

    /// Has the future polled again, and is gone.
    ///
    /// Saves the two operations on the count that `wake_by_ref` and a drop would need.
    pub fn wake(self) {
        if holds_gil() {
            self.wake_attached();
            // SAFETY: the GIL is held, and nobody else leaves in its name.
            unsafe { Self::leave_attached(ManuallyDrop::new(self).0) };
        } else if self.notes_wake() {
            self.tell();
        }
    }

    /// Notes a wake-up. Returns whether the loop has yet to be notified.
    ///
    /// `woken` is written before `queued` is read, and the receiver clears `queued` first, so a
    /// wake-up is either seen by the message under way or sends one of its own.
    fn notes_wake(&self) -> bool {
        if self.is_finished() {
            return false;
        }
        self.woken.store(true, Ordering::Release);
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// Makes the loop's thread do the rest, as soon as the loop polls. A loop of another make has
    /// no inbox, and one that is closed takes nothing.
    fn tell(self) {
        let Some(inbox) = self.inbox.clone() else {
            self.attach();
            return;
        };
        // SAFETY: the holder is given away to the message, which code with the GIL takes back.
        let message = unsafe { Message::new(Self::receive_message, self.into_raw().cast()) };
        if let Err(refused) = inbox.push(message) {
            // SAFETY: it was given away above, and nobody has received it.
            unsafe { Self::from_raw(refused.into_payload().cast()) }.attach();
        }
    }

    /// Attaches the calling thread to the interpreter and delivers the wake-up there.
    ///
    /// May block for the GIL. So only loops that are not ours, and closed ones, are woken in this
    /// way.
    #[cold]
    fn attach(self) {
        // When the interpreter ends there is nothing left to wake, and nothing is released.
        let remote = self.into_raw();
        let _ended = guarded(|| {
            // SAFETY: given away above.
            Python::try_attach(|_| unsafe { Self::from_raw(remote) }.receive())
        });
    }

    /// A message's way back to its holder.
    unsafe fn receive_message(remote: *const ()) {
        // SAFETY: a message has the holder that `tell` gave away.
        unsafe { Self::from_raw(remote.cast()) }.receive();
    }

    /// Handles the requests of other threads. GIL.
    pub fn receive(self) {
        self.queued.swap(false, Ordering::AcqRel);
        if self.woken.swap(false, Ordering::AcqRel) {
            self.wake_attached();
        }
    }

    /// One less. Returns how many are left.
    unsafe fn leave(remote: NonNull<Remote>) -> usize {
        // SAFETY: the caller's share in the count is given up here, and nobody is left who could
        // make another one when it was the last.
        unsafe {
            let left = remote.as_ref().holders.fetch_sub(1, Ordering::AcqRel) - 1;
            if left == 0 {
                drop(Box::from_raw(remote.as_ptr()));
            }
            left
        }
    }

    /// One less, with the GIL held: if none but the future is left, it hears of it.
    unsafe fn leave_attached(remote: NonNull<Remote>) {
        // SAFETY: the caller's share in the count is given up here. As long as the remote has an
        // awaitable the future has a share, and needs the GIL to give it up; without one, whoever
        // is left may be gone the next moment.
        unsafe {
            let awaitable = remote.as_ref().awaitable();
            if Self::leave(remote) == 1 {
                if let Some(awaitable) = alive(awaitable) {
                    RustFuture::release(&awaitable);
                }
            }
        }
    }

    /// One holder less, without the GIL. A holder that may be the last but the future leaves
    /// through the inbox.
    unsafe fn leave_detached(remote: NonNull<Remote>) {
        // SAFETY: the caller's share in the count keeps the remote until it is given up here.
        let (holders, finished) =
            unsafe { (&remote.as_ref().holders, remote.as_ref().is_finished()) };
        let mut count = holders.load(Ordering::Acquire);
        while count > 2 {
            let exchanged = holders.compare_exchange_weak(
                count,
                count - 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match exchanged {
                Ok(_) => return,
                Err(now) => count = now,
            }
        }
        if finished || count == 1 {
            // SAFETY: the share is the caller's.
            unsafe { Self::leave(remote) };
        } else {
            Self(remote).tell();
        }
    }
}

impl Deref for Holder {
    type Target = Remote;

    #[inline]
    fn deref(&self) -> &Remote {
        // SAFETY: the remote lives as long as it has holders.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Holder {
    #[inline]
    fn clone(&self) -> Self {
        self.holders.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // SAFETY: this is the holder's end, which has its share in the count until now.
        unsafe {
            if holds_gil() {
                Self::leave_attached(self.0);
            } else {
                Self::leave_detached(self.0);
            }
        }
    }
}

/// The awaitable in a remote's cell.
#[inline]
fn alive(awaitable: *const Awaitable) -> Option<Native<Awaitable>> {
    // SAFETY: the awaitable lives as long as it has not told that it is finished, and the GIL is
    // held.
    (!awaitable.is_null()).then(|| unsafe { Native::carrying(awaitable) })
}
