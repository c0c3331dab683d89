//! One wait of a primitive, as a future that can be dropped at any time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use greenloop_core::{WaitList as _, WaiterState};

use super::{Line, Waiter, certain};

/// The behaviour of a primitive towards a task that may have to wait. The counterpart in the Python
/// face is its `Operation`.
pub trait Operation {
    /// The output of the wait.
    type Output;

    /// The line in which it waits.
    fn line(&self) -> &Line;

    /// Does it if there is no need to wait.
    fn attempt(&mut self) -> Option<Self::Output>;

    /// Begins to wait, for the task of `context`.
    #[inline]
    fn join(&mut self, context: &Context<'_>) -> Waiter {
        self.line().join(context)
    }

    /// A woken waiter runs. `None` if it has to wait again, at the end of the line.
    fn resume(&mut self, waiter: Waiter) -> Option<Self::Output>;

    /// The wait is given up, by dropping its future. A waiter that was woken passes the wake-up on
    /// here.
    fn give_up(&mut self, waiter: Waiter);
}

/// ```text
///             1 poll: attempt                      3 woken
///   New ───────────────────────► Waiting(waiter) ───────────► resume ──► Done
///    │                                │     ▲                   │          ▲
///    └────────────────────────────────┼─────┼───────────────────┼──────────┘
///                2 it succeeds        │     └───────────────────┘ 4 again
///                                     └──► give_up
///                                       5 drop
/// ```
pub struct Wait<O: Operation> {
    operation: O,
    waiter: Option<Waiter>,
}

impl<O: Operation> Wait<O> {
    /// A wait that does nothing before it is polled.
    #[inline]
    pub const fn new(operation: O) -> Self {
        Self::resumed(operation, None)
    }

    /// The rest of a wait that was [interrupted](Self::interrupt).
    #[inline]
    pub const fn resumed(operation: O, waiter: Option<Waiter>) -> Self {
        Self { operation, waiter }
    }

    /// Takes a wait apart that another one continues: dropping this gives up nothing.
    pub const fn interrupt(&mut self) -> (&mut O, Option<Waiter>) {
        (&mut self.operation, self.waiter.take())
    }
}

/// Nothing points into it.
impl<O: Operation> Unpin for Wait<O> {}

impl<O: Operation> Future for Wait<O> {
    type Output = O::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<O::Output> {
        let this = &mut *self;
        let Some(waiter) = this.waiter else {
            if let Some(output) = this.operation.attempt() {
                return Poll::Ready(output);
            }
            this.waiter = Some(this.operation.join(context));
            return Poll::Pending;
        };
        let line = this.operation.line();
        if certain(line.waiter_state(&waiter)) == WaiterState::Waiting {
            line.poll_again(waiter, context);
            return Poll::Pending;
        }
        let Some(output) = this.operation.resume(waiter) else {
            this.operation.line().wait_again(waiter, context);
            return Poll::Pending;
        };
        this.waiter = None;
        this.operation.line().leave(waiter);
        Poll::Ready(output)
    }
}

impl<O: Operation> Drop for Wait<O> {
    #[inline]
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.operation.give_up(waiter);
            self.operation.line().leave(waiter);
        }
    }
}
