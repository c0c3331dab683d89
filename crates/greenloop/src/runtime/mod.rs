//! A loop and its clock, to run futures on.

mod alarms;
mod builder;
mod clock;
pub mod current;
mod event_loop;
mod job;
mod reactor;

use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

pub use alarms::Alarm;
pub use builder::Builder;
pub use event_loop::EventLoop;
pub use reactor::{Readiness, Watch};

use crate::remote::LoopHandle;
use crate::task::{self, JoinHandle};

/// A loop that futures run on, one thread's and no other's.
///
/// Most programs only need [`run`](crate::run). A `Runtime` offers more: tasks that continue from
/// one run to the next, a clock that tests move, an order that a seed decides.
///
/// ```
/// use greenloop::Runtime;
///
/// let runtime = Runtime::new()?;
/// let task = runtime.spawn(async { 6 * 7 });
/// assert_eq!(runtime.run(task).unwrap(), 42);
/// # std::io::Result::Ok(())
/// ```
pub struct Runtime {
    event_loop: Rc<EventLoop>,
}

impl Runtime {
    /// A runtime with the system's clock, whose ready tasks run first in, first out.
    ///
    /// # Errors
    /// If the process or the system has no descriptor left.
    ///
    /// ```
    /// let runtime = greenloop::Runtime::new()?;
    /// assert_eq!(runtime.run(async { 1 }), 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// Chooses the options of a runtime.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = greenloop::Runtime::builder().virtual_clock().build()?;
    /// runtime.run(greenloop::sleep(Duration::from_secs(3600))); // Takes no time.
    /// # std::io::Result::Ok(())
    /// ```
    pub const fn builder() -> Builder {
        Builder::new()
    }

    /// Runs `future`, and the tasks beside it, until it is ready. Tasks that are not finished then
    /// wait for the next run.
    ///
    /// # Panics
    /// If a loop runs on this thread already, or `future` panics; the runtime may be used on.
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// let runtime = greenloop::Runtime::new()?;
    /// let steps = std::rc::Rc::new(Cell::new(0));
    /// let counted = steps.clone();
    /// drop(runtime.spawn(async move {
    ///     loop {
    ///         counted.set(counted.get() + 1);
    ///         greenloop::yield_now().await;
    ///     }
    /// }));
    /// runtime.run(greenloop::yield_now());
    /// let after_one_run = steps.get();
    /// runtime.run(greenloop::yield_now());
    /// assert!(steps.get() > after_one_run);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        assert!(
            current::with(|_| ()).is_none(),
            "a greenloop runtime runs on this thread already: await the future instead"
        );
        let _entered = current::enter(&self.event_loop);
        self.event_loop.run(future)
    }

    /// Has the runtime run `future` as a task, in the runs to come. See [`spawn`](crate::spawn).
    ///
    /// ```
    /// let runtime = greenloop::Runtime::new()?;
    /// let task = runtime.spawn(async { "done" });
    /// assert_eq!(runtime.run(task).unwrap(), "done");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        spawn_on(&self.event_loop, future)
    }

    /// A handle with which other threads reach the loop.
    ///
    /// ```
    /// let runtime = greenloop::Runtime::new()?;
    /// let handle = runtime.handle();
    /// std::thread::spawn(move || handle.call(|| println!("in the loop's thread"))).join();
    /// runtime.run(greenloop::yield_now());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(Arc::clone(self.event_loop.shared()))
    }

    /// How many tasks have been spawned and are not finished.
    ///
    /// ```
    /// let runtime = greenloop::Runtime::new()?;
    /// let task = runtime.spawn(async {});
    /// assert_eq!(runtime.unfinished_tasks(), 1);
    /// runtime.run(task).unwrap();
    /// assert_eq!(runtime.unfinished_tasks(), 0);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn unfinished_tasks(&self) -> usize {
        self.event_loop.tasks().len()
    }
}

/// Runs `future`, and the tasks that are spawned meanwhile, until it is ready: `asyncio.run`. Tasks
/// that are not finished then are dropped, in the order in which they were spawned.
///
/// # Panics
/// If a loop runs on this thread already, if `future` panics, and if the process has no descriptor
/// left for the loop; [`Runtime::new`] gives an error for the last.
///
/// ```
/// let answer = greenloop::run(async {
///     let task = greenloop::spawn(async { 6 * 7 });
///     task.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn run<F: Future>(future: F) -> F::Output {
    match Runtime::new() {
        Ok(runtime) => runtime.run(future),
        Err(error) => panic!("no runtime can be made: {error}"),
    }
}

/// A task of `event_loop`.
#[inline]
pub fn spawn_on<F>(event_loop: &Rc<EventLoop>, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    JoinHandle::new(event_loop.spawn(task::boxed(future), true))
}

/// Drops the tasks that are not finished, in the order in which they were spawned.
impl Drop for Runtime {
    fn drop(&mut self) {
        // Calls by the tasks' destructors belong to this loop.
        let _entered = current::enter(&self.event_loop);
        self.event_loop.close();
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Runtime")
            .field("unfinished_tasks", &self.unfinished_tasks())
            .finish_non_exhaustive()
    }
}
