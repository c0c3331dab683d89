//! The items of a queue as a stream.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::any_queue::Get;
use super::{AnyQueue, Order};
use crate::waiting::Wait;

/// The stream of [`AnyQueue::stream`].
///
/// While it is pending it waits in line with the tasks that [`get`](AnyQueue::get); dropping it
/// ends that wait, and takes nothing. After its end it stays at its end.
#[must_use = "a stream takes nothing before it is polled"]
pub struct Items<'a, O: Order> {
    queue: &'a AnyQueue<O>,
    /// The wait for the next item, if there is one to be waited for.
    next: Option<Wait<Get<'a, O>>>,
    ended: bool,
}

impl<'a, O: Order> Items<'a, O> {
    pub(super) const fn new(queue: &'a AnyQueue<O>) -> Self {
        Self {
            queue,
            next: None,
            ended: false,
        }
    }
}

impl<O: Order> Unpin for Items<'_, O> {}

impl<O: Order> Stream for Items<'_, O> {
    type Item = O::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<O::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let queue = self.queue;
        let next = self.next.get_or_insert_with(|| Wait::new(Get { queue }));
        let Poll::Ready(outcome) = Pin::new(next).poll(context) else {
            return Poll::Pending;
        };
        self.next = None;
        self.ended = outcome.is_err();
        Poll::Ready(outcome.ok())
    }
}

impl<O: Order> FusedStream for Items<'_, O> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<O: Order> fmt::Debug for Items<'_, O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Items")
            .field("queue", self.queue)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
