//! Running blocking code in another thread.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::runtime::{EventLoop, current};
use crate::task::JoinHandle;

/// Calls `function` in a thread of a pool, and returns its result: `asyncio.to_thread`.
///
/// The pool is that of the crate `blocking`, which the whole process shares.
///
/// *Cancel safety:* as with every task, dropping the handle ends nothing. [`JoinHandle::abort`]
/// keeps a function from being called that no thread has begun yet; one that runs continues, and
/// its result is dropped.
///
/// # Panics
/// Outside of [`run`](crate::run). A panic of the function is the task's.
///
/// ```
/// greenloop::run(async {
///     let text = greenloop::spawn_blocking(|| std::fs::read_to_string("/dev/null"));
///     assert_eq!(text.await.unwrap().unwrap(), "");
/// });
/// ```
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(
    function: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let event_loop = current::expect();
    let blocking_in_flight = event_loop.blocking_in_flight();
    blocking_in_flight.set(blocking_in_flight.get() + 1);
    crate::spawn(Elsewhere {
        work: blocking::unblock(function),
        event_loop,
    })
}

/// Work in another thread, which is counted: a virtual clock stands still meanwhile.
struct Elsewhere<T> {
    work: blocking::Task<T>,
    event_loop: Rc<EventLoop>,
}

impl<T> Future for Elsewhere<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.work).poll(context)
    }
}

impl<T> Drop for Elsewhere<T> {
    fn drop(&mut self) {
        let blocking_in_flight = self.event_loop.blocking_in_flight();
        blocking_in_flight.set(blocking_in_flight.get() - 1);
    }
}
