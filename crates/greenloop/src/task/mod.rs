//! A task: a future that the loop itself polls.
//!
//! ```text
//!            1 spawn            2 step              3 step, it is ready
//!   (free) ─────────► queued ──────────► waits ◄─┐ ──────────────────► finished ──► (free)
//!                       ▲                  │     │                                6 the handle
//!                       └──────────────────┘     │ 2                                is gone
//!                         4 wake, or 5 abort ────┘
//! ```
//! After 5 the next step drops the future instead of polling it. A task is one cell, which is
//! reused for later tasks together with its waker, and one allocation for its future, which the
//! outcome replaces in the end.
//!
//! Nothing here is atomic, since only the loop's thread sees it. Other threads see a task as a
//! [`Remote`], with which they can only wake it.

mod error;
mod join_handle;
mod remote;
mod table;
mod work;

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use greenloop_os as os;

pub use error::JoinError;
pub use join_handle::JoinHandle;
pub use remote::{Key, Remote};
pub use table::Table;
pub use work::{BoxedWork, boxed};

use crate::runtime::{self, EventLoop};
use crate::waiting::WakeTarget;

/// Runs `future` as a separate task, concurrently with the caller: `asyncio.create_task`. It is
/// first polled in the next turn.
///
/// # Panics
/// Outside of [`run`](crate::run); before it, there is [`Runtime::spawn`](crate::Runtime::spawn).
///
/// ```
/// use std::rc::Rc;
///
/// greenloop::run(async {
///     let not_send = Rc::new(1);
///     let task = greenloop::spawn(async move { *not_send + 1 });
///     assert_eq!(task.await.unwrap(), 2);
/// });
/// ```
#[track_caller]
#[inline]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    runtime::spawn_on(&runtime::current::expect(), future)
}

/// See the module's text for its life.
pub struct Task {
    event_loop: Rc<EventLoop>,
    /// Set when it is pushed into the ring, cleared when it is stepped: it is there once at most.
    queued: Cell<bool>,
    /// Set by an abort: the next step drops the future.
    aborted: Cell<bool>,
    /// Set when there is an outcome; there is no work any more then, unless it holds the outcome
    /// for a handle.
    finished: Cell<bool>,
    /// Whether a handle wants to know the outcome.
    has_handle: Cell<bool>,
    /// The future, or its outcome. Empty while it is polled, and in the task of `run`.
    work: Cell<Option<BoxedWork>>,
    /// The waiter on the handle.
    joiner: Cell<Option<WakeTarget>>,
    name: Cell<Option<Rc<str>>>,
    /// Grows with every spawn: the order in which tasks are dropped when their loop ends.
    sequence: Cell<u64>,
    remote: Arc<Remote>,
    /// The same as `remote`, as the futures see it.
    waker: Waker,
}

impl Task {
    fn new(event_loop: &Rc<EventLoop>, key: Key) -> Self {
        let remote = Arc::new(Remote::new(event_loop.shared(), key));
        Self {
            event_loop: Rc::clone(event_loop),
            queued: Cell::new(false),
            aborted: Cell::new(false),
            finished: Cell::new(false),
            has_handle: Cell::new(false),
            work: Cell::new(None),
            joiner: Cell::new(None),
            name: Cell::new(None),
            sequence: Cell::new(0),
            waker: Waker::from(Arc::clone(&remote)),
            remote,
        }
    }

    /// The waker with which its futures are polled.
    #[inline]
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Has it stepped in the next turn.
    #[inline]
    pub fn wake(task: Rc<Self>) {
        if !task.finished.get() && !task.queued.replace(true) {
            let event_loop = Rc::clone(&task.event_loop);
            event_loop.push_task(task);
        }
    }

    /// Has its future dropped in the next turn, unless it finishes before.
    pub fn abort(task: &Rc<Self>) {
        if !task.finished.get() && !task.aborted.replace(true) {
            Self::wake(Rc::clone(task));
        }
    }

    /// Polls the future once, or drops it. A task that has none, because it is that of `run`, comes
    /// back.
    #[inline]
    pub fn step(task: Rc<Self>) -> Option<Rc<Self>> {
        task.queued.set(false);
        if task.finished.get() {
            // Woken by itself in its last step.
            return None;
        }
        let Some(mut work) = task.work.take() else {
            return Some(task);
        };
        let progress = {
            let _running = task.event_loop.begin_step(&task);
            if task.aborted.get() {
                work.as_mut().cancel();
                Poll::Ready(())
            } else {
                work.as_mut().step(&mut Context::from_waker(&task.waker))
            }
        };
        match progress {
            Poll::Pending => task.work.set(Some(work)),
            Poll::Ready(()) => Self::finish(&task, work),
        }
        None
    }

    /// Begins to load the memory that the next step needs.
    #[inline]
    pub fn prefetch_work(&self) {
        let work = self.work.take();
        if let Some(work) = &work {
            os::prefetch(&**work);
        }
        self.work.set(work);
    }

    /// The work holds the outcome now.
    fn finish(task: &Rc<Self>, work: BoxedWork) {
        task.finished.set(true);
        if task.has_handle.get() {
            task.work.set(Some(work));
            if let Some(joiner) = task.joiner.take() {
                joiner.wake();
            }
        } else {
            work::drop_quietly(work);
            task.event_loop.tasks().recycle(task);
        }
    }

    /// The future of the task of `run` is ready.
    pub fn finish_main(&self) {
        self.finished.set(true);
    }

    /// `run` has ended, whether its future is ready or has panicked.
    pub fn end_main(task: &Rc<Self>) {
        task.finished.set(true);
        task.event_loop.tasks().recycle(task);
    }

    /// Whether there is an outcome.
    pub fn is_finished(&self) -> bool {
        self.finished.get()
    }

    /// The task's name, if it was given one.
    fn name(&self) -> Option<Rc<str>> {
        let name = self.name.take();
        self.name.set(name.clone());
        name
    }
}
