//! Bounding a wait in time.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::sleep::{Sleep, sleep};

/// Waits for `future`, but no longer than `delay`, which begins when this is first awaited.
///
/// *Cancel safety:* that of `future`, which is dropped when its time is over, or with this.
///
/// # Errors
/// [`Elapsed`] if the time was over first. A future that is ready at that very moment is not lost:
/// it is polled before the clock is read.
///
/// # Panics
/// When it is awaited outside [`run`](crate::run).
///
/// ```
/// use std::time::Duration;
///
/// greenloop::run(async {
///     let never = std::future::pending::<()>();
///     assert!(greenloop::timeout(Duration::from_millis(1), never).await.is_err());
///     let soon = async { 1 };
///     assert_eq!(greenloop::timeout(Duration::from_secs(60), soon).await, Ok(1));
/// });
/// ```
pub const fn timeout<F: Future>(delay: Duration, future: F) -> Timeout<F> {
    Timeout {
        future,
        end: sleep(delay),
    }
}

/// The error of [`timeout`]: the time was over before the future was ready.
///
/// ```
/// use std::time::Duration;
/// use greenloop::{Elapsed, timeout};
///
/// let never = std::future::pending::<()>();
/// let outcome = greenloop::run(timeout(Duration::from_millis(1), never));
/// assert_eq!(outcome, Err(Elapsed));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the time is over")
    }
}

impl Error for Elapsed {}

pin_project! {
    /// The future of [`timeout`]: the output of the future inside, or [`Elapsed`].
    ///
    /// At each poll the future inside goes first and the deadline second.
    #[must_use = "a wait begins when it is awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        end: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        this.end.poll(context).map(|()| Err(Elapsed))
    }
}
