//! The loop that runs on this thread, for code that is called from inside it.

use std::cell::RefCell;
use std::rc::Rc;

use super::event_loop::EventLoop;

thread_local! {
    static CURRENT: RefCell<Option<Rc<EventLoop>>> = const { RefCell::new(None) };
}

/// Gives `access` the running loop. `None` if there is none, or the thread is about to end.
#[inline]
pub fn with<R>(access: impl FnOnce(&Rc<EventLoop>) -> R) -> Option<R> {
    CURRENT
        .try_with(|current| current.borrow().as_ref().map(access))
        .ok()
        .flatten()
}

/// The running loop.
///
/// # Panics
/// If there is none.
#[track_caller]
#[inline]
pub fn expect() -> Rc<EventLoop> {
    let Some(event_loop) = with(Rc::clone) else {
        panic!("no greenloop runtime runs on this thread: this must be called inside of `run`");
    };
    event_loop
}

/// As long as it lives, the thread has another running loop than before.
pub struct Entered {
    before: Option<Rc<EventLoop>>,
}

/// Makes `event_loop` the running one.
pub fn enter(event_loop: &Rc<EventLoop>) -> Entered {
    let before = CURRENT.with(|current| current.replace(Some(Rc::clone(event_loop))));
    Entered { before }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        // The loop is dropped behind the borrow. Without a thread-local there is nothing to
        // restore.
        let _left = CURRENT.try_with(|current| current.replace(before));
    }
}
