//! A handle to a loop for other threads.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::{Message, Shared};
use crate::runtime::current;

/// Reaches into a loop from any thread: asyncio's `call_soon_threadsafe`.
///
/// ```
/// let (sender, receiver) = std::sync::mpsc::channel();
/// greenloop::run(async move {
///     let handle = greenloop::LoopHandle::current();
///     let event = std::rc::Rc::new(greenloop::sync::Event::new());
///     let thread = std::thread::spawn(move || handle.call(move || sender.send(1).unwrap()));
///     while receiver.try_recv().is_err() {
///         greenloop::sleep(std::time::Duration::from_millis(1)).await;
///     }
///     thread.join().unwrap().unwrap();
///     # drop(event);
/// });
/// ```
#[derive(Clone)]
pub struct LoopHandle {
    shared: Arc<Shared>,
}

impl LoopHandle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The handle of the running loop.
    ///
    /// # Panics
    /// Outside of [`run`](crate::run).
    ///
    /// ```
    /// let handle = greenloop::run(async { greenloop::LoopHandle::current() });
    /// assert!(handle.call(|| unreachable!("the loop has ended")).is_err());
    /// ```
    #[track_caller]
    pub fn current() -> Self {
        Self::new(Arc::clone(current::expect().shared()))
    }

    /// Has the loop's thread call `function` soon, behind earlier requests.
    ///
    /// The function runs between the steps of tasks. If it panics, the panic leaves `run`.
    ///
    /// # Errors
    /// [`Closed`] if the loop has ended; the function is dropped. One that was accepted, and not
    /// called before the loop ended, is dropped by it.
    ///
    /// ```
    /// greenloop::run(async {
    ///     let handle = greenloop::LoopHandle::current();
    ///     let task = greenloop::spawn(std::future::pending::<()>());
    ///     std::thread::spawn(move || handle.call(|| println!("in the loop's thread")));
    ///     # task.abort();
    /// });
    /// ```
    pub fn call(&self, function: impl FnOnce() + Send + 'static) -> Result<(), Closed> {
        let message = Message::Call(Box::new(function));
        self.shared.inject(message).map_err(|refused| {
            drop(refused);
            Closed
        })
    }

    /// Has the loop spawn the future that `make` returns there. The future itself need not be
    /// `Send`.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// ```
    /// use std::{rc::Rc, time::Duration};
    ///
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// greenloop::run(async move {
    ///     let handle = greenloop::LoopHandle::current();
    ///     std::thread::spawn(move || {
    ///         handle.spawn(move || async move {
    ///             let not_send = Rc::new(5);
    ///             greenloop::yield_now().await;
    ///             sender.send(*not_send).unwrap();
    ///         })
    ///     });
    ///     while receiver.try_recv() != Ok(5) {
    ///         greenloop::sleep(Duration::from_millis(1)).await;
    ///     }
    /// });
    /// ```
    pub fn spawn<F>(&self, make: impl FnOnce() -> F + Send + 'static) -> Result<(), Closed>
    where
        F: Future<Output = ()> + 'static,
    {
        self.call(move || drop(crate::spawn(make())))
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LoopHandle").finish_non_exhaustive()
    }
}

/// The error of a [`LoopHandle`] whose loop has ended: the loop does nothing any more.
///
/// ```
/// let runtime = greenloop::Runtime::new()?;
/// let handle = runtime.handle();
/// drop(runtime);
/// assert_eq!(handle.call(|| ()), Err(greenloop::Closed));
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the loop has ended")
    }
}

impl Error for Closed {}
