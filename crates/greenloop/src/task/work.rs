//! The future of a task, and later its outcome, behind one pointer that does not know its type.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::JoinError;

/// Work whose type is known to the handle only.
pub type BoxedWork = Pin<Box<dyn Work>>;

/// The operations of a task on its future or outcome.
pub trait Work {
    /// Polls the future. Ready once there is an outcome; a panic is one.
    fn step(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;

    /// Drops the future: the outcome is that it was cancelled, or the panic of dropping it.
    fn cancel(self: Pin<&mut Self>);

    /// Moves the outcome into `place`, an `Option<Result<T, JoinError>>` with the output's type.
    fn take_outcome(self: Pin<&mut Self>, place: &mut dyn Any);
}

pin_project! {
    #[project = Projection]
    enum Stage<F: Future> {
        Runs { #[pin] future: F },
        Done { outcome: Option<Result<F::Output, JoinError>> },
    }
}

/// The work of a future.
pub fn boxed<F>(future: F) -> BoxedWork
where
    F: Future + 'static,
    F::Output: 'static,
{
    Box::pin(Stage::Runs { future })
}

/// Drops work. A panic of a destructor ends here: the hook has reported it, and it must not affect
/// the other tasks.
pub fn drop_quietly(work: BoxedWork) {
    let _reported = catch_unwind(AssertUnwindSafe(|| drop(work)));
}

impl<F> Stage<F>
where
    F: Future,
    F::Output: 'static,
{
    /// Replaces the future, which is dropped in place, by its outcome.
    fn settle(mut self: Pin<&mut Self>, outcome: Result<F::Output, JoinError>) {
        let done = Self::Done {
            outcome: Some(outcome),
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| self.as_mut().set(done)));
        if let Err(payload) = dropped {
            // The outcome was written all the same; the panic is worth more.
            if let Projection::Done { outcome } = self.project() {
                let replaced = outcome.replace(Err(JoinError::panicked(payload)));
                let _reported = catch_unwind(AssertUnwindSafe(|| drop(replaced)));
            }
        }
    }
}

impl<F> Work for Stage<F>
where
    F: Future,
    F::Output: 'static,
{
    fn step(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Projection::Runs { future } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(context)));
        let outcome = match polled {
            Ok(progress) => Ok(ready!(progress)),
            Err(payload) => Err(JoinError::panicked(payload)),
        };
        self.settle(outcome);
        Poll::Ready(())
    }

    fn cancel(self: Pin<&mut Self>) {
        self.settle(Err(JoinError::cancelled()));
    }

    fn take_outcome(self: Pin<&mut Self>, place: &mut dyn Any) {
        if let Projection::Done { outcome } = self.project() {
            if let Some(place) = place.downcast_mut() {
                *place = outcome.take();
            }
        }
    }
}
