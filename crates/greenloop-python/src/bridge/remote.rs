//! `Remote`: what wakers hold of an awaitable, from any thread and for any time.
//!
//! Whoever holds a waker holds the one who waits, as the holder of a future does: the last waker may be
//! all that is left of a task. But a waker is cloned and dropped where no reference may be counted. So
//! the awaitable holds itself while there are wakers ([`RustFuture::hold`]), and the last of them tells.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::{Python, ffi};

use super::{Inbox, RustFuture};
use crate::interop::{Object, guarded};

/// The thread-safe end of a wait. What is in a `Cell` is touched with the GIL held only.
pub struct Remote {
    /// The awaitable, borrowed; null once it is finished, which it says itself.
    awaitable: Cell<*mut ffi::PyObject>,
    /// How many wakers there are.
    wakers: AtomicUsize,
    /// Set while it lies in the inbox.
    queued: AtomicBool,
    /// Set when it lies there because of a wake-up, and not only because the last waker went.
    woken: AtomicBool,
    /// That of the loop, if it is one of ours.
    inbox: Option<Arc<Inbox>>,
}

// SAFETY: see above; everything else is thread-safe by itself.
unsafe impl Send for Remote {}
// SAFETY: as above.
unsafe impl Sync for Remote {}

impl Remote {
    pub const fn new(awaitable: *mut ffi::PyObject, inbox: Option<Arc<Inbox>>) -> Self {
        Self {
            awaitable: Cell::new(awaitable),
            wakers: AtomicUsize::new(0),
            queued: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            inbox,
        }
    }

    /// Whether this is a way into the loop with that inbox.
    pub fn leads_to(&self, inbox: *const Inbox) -> bool {
        ptr::eq(self.inbox.as_ref().map_or(ptr::null(), Arc::as_ptr), inbox)
    }

    /// Whether anybody holds a waker.
    pub fn is_held(&self) -> bool {
        self.wakers.load(Ordering::Acquire) != 0
    }

    /// The awaitable is finished, and wakers are without effect. GIL.
    pub fn forget(&self) {
        self.awaitable.set(ptr::null_mut());
    }

    /// Another waker.
    pub fn add_waker(self: &Arc<Self>) -> *const Self {
        self.wakers.fetch_add(1, Ordering::Relaxed);
        Arc::into_raw(Arc::clone(self))
    }

    /// Gives back a waker.
    pub fn drop_waker(self: Arc<Self>) {
        if self.wakers.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        if holds_gil() {
            self.release();
        } else {
            self.tell();
        }
    }

    /// Has the future polled again.
    pub fn wake(self: &Arc<Self>) {
        if holds_gil() {
            self.wake_attached();
        } else {
            self.woken.store(true, Ordering::Release);
            self.tell();
        }
    }

    /// Has the loop's thread do what is to be done, as soon as the loop asks the operating system. A loop
    /// of another make has no inbox, and one that is closed takes nothing.
    fn tell(self: &Arc<Self>) {
        if let Some(inbox) = &self.inbox {
            if !self.queued.swap(true, Ordering::AcqRel) && !inbox.push(Arc::clone(self)) {
                self.attach();
            }
        } else {
            self.attach();
        }
    }

    #[cold]
    fn attach(self: &Arc<Self>) {
        // When the interpreter ends there is nobody left to be woken.
        let _ended = guarded(|| Python::try_attach(|_| self.receive()));
    }

    /// Does what other threads have asked for. GIL.
    pub fn receive(self: &Arc<Self>) {
        self.queued.swap(false, Ordering::AcqRel);
        if self.woken.swap(false, Ordering::AcqRel) {
            self.wake_attached();
        }
        if !self.is_held() {
            self.release();
        }
    }

    fn release(&self) {
        if let Some(awaitable) = self.awaitable() {
            RustFuture::release(&awaitable);
        }
    }

    fn wake_attached(&self) {
        if let Some(awaitable) = self.awaitable() {
            RustFuture::wake(&awaitable);
        }
    }

    fn awaitable(&self) -> Option<Object> {
        let awaitable = self.awaitable.get();
        // SAFETY: the awaitable lives as long as it has not told that it is finished, and the GIL is held.
        (!awaitable.is_null()).then(|| unsafe { Object::from_borrowed(awaitable) })
    }
}

/// Whether the calling thread holds the GIL. `PyGILState_Check` says yes to everybody once there was a
/// second interpreter.
pub fn holds_gil() -> bool {
    // SAFETY: both may be called by any thread at any time.
    unsafe {
        let current = ffi::compat::PyThreadState_GetUnchecked();
        !current.is_null() && current == ffi::PyGILState_GetThisThreadState()
    }
}
