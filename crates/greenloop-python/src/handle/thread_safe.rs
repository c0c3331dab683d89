//! `ThreadSafeHandle` (3.14+): the handle that `call_soon_threadsafe` returns.
//!
//! If another thread cancels the handle, or asks whether it was cancelled, while its callback runs,
//! that thread waits until the callback has ended, so that its answer is final. asyncio has a lock
//! in each such handle for this. Here a handle knows which thread runs it, and only a thread that
//! has to wait touches a lock, one for all handles.
//!
//! ```text
//!   loop's thread:    look ── run ─────────── callback ends ── notify
//!   another thread:              cancel ── wait without the GIL ──┘── too late to matter
//! ```
//! The thread that runs the callback never waits for itself: a callback may cancel its own handle.
//! Everything but the wait happens with the GIL held, so the handle's fields need no lock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use greenloop_cpython::{
    ClassBuilder, Native, Object, Result, current_thread, noargs, without_gil,
};

use super::{CLASS, Handle, NATIVE, THREAD_SAFE, cancel};

/// Threads that wait for a callback to end.
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// Taken to wait and to notify, never while the GIL is asked for.
static LOCK: Mutex<()> = Mutex::new(());
/// Notified when a callback has ended while any thread waits.
static ENDED: Condvar = Condvar::new();

/// Runs the callback by `body`, unless another thread has cancelled it since the loop looked.
///
/// First waits for a run of the same handle on another thread, for which the GIL is released. Notes
/// this thread in the handle while `body` runs, and puts the previous value back, as `_run` may be
/// called within the callback itself.
pub fn run(this: &Native<Handle>, body: impl FnOnce() -> Result<()>) -> Result<()> {
    let handle = this.get();
    wait_for_end(handle);
    if handle.is_cancelled() {
        return Ok(());
    }
    let before = handle.deadline_or_thread.replace(current_thread());
    let outcome = body();
    handle.deadline_or_thread.set(before);
    if WAITING.load(Ordering::Relaxed) > 0 {
        drop(LOCK.lock().unwrap_or_else(PoisonError::into_inner));
        ENDED.notify_all();
    }
    outcome
}

/// Lets go of the GIL until no other thread runs the callback.
///
/// Returns at once if nobody or this thread runs it. Looks again after each notification, since all
/// handles share one condition variable and most notifications are for others.
fn wait_for_end(handle: &Handle) {
    loop {
        let running = handle.deadline_or_thread.get();
        if running == 0 || running == current_thread() {
            return;
        }
        WAITING.fetch_add(1, Ordering::Relaxed);
        // Taken while the GIL is held, and released by waiting: the thread that ends a callback
        // takes it before it notifies, so that no notification falls between the look above and the
        // wait.
        let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: a wait for another thread, which touches no object.
        unsafe {
            without_gil(|| {
                drop(ENDED.wait(guard).unwrap_or_else(PoisonError::into_inner));
            });
        }
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `ThreadSafeHandle.cancel()`: when it returns, the callback has either ended or will never begin.
fn cancel_when_idle(this: &Native<Handle>) -> Result<Object> {
    wait_for_end(this.get());
    cancel(this)
}

/// `ThreadSafeHandle.cancelled()`: the answer is not given while another thread runs the callback.
fn cancelled_when_idle(this: &Native<Handle>) -> Result<Object> {
    let handle = this.get();
    wait_for_end(handle);
    Ok(Object::boolean(handle.is_cancelled()))
}

/// Makes the class `ThreadSafeHandle`.
pub fn make_class() -> Result<()> {
    ClassBuilder::<Handle>::of_derived_records(c"greenloop.ThreadSafeHandle")
        .doc(
            c"ThreadSafeHandle(callback, args, loop, context=None)\n--\n\n\
             A callback that any thread may cancel.",
        )
        .methods(vec![
            noargs(
                c"cancel",
                cancel_when_idle,
                c"Cancel the callback; wait while another thread runs it.",
            ),
            noargs(
                c"cancelled",
                cancelled_when_idle,
                c"Return True if the callback was cancelled; wait while another thread runs it.",
            ),
        ])
        .build_below(&CLASS, &THREAD_SAFE)?;
    NATIVE.add(&THREAD_SAFE);
    Ok(())
}
