//! The sending end of a queue for other threads.
//!
//! ```text
//!   threads: send ──► channel ──► Delivery ──► the queue      (a task of the loop)
//! ```
//! The channel is the crate `async-channel`'s: threads meet in it, and wait there for room. Like
//! every task, the one behind it is woken by other threads through the loop's inject queue. It puts
//! item by item into the queue, and waits in line for room as others do. It does not keep the queue
//! alive: a thread must not wait for room in a queue from which no task can take any more.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use async_channel::{Receiver, Sender, TrySendError};
use futures_core::Stream as _;

use super::any_queue::Put;
use super::{AnyQueue, Order, PutError, ShutDown};
use crate::runtime::current;
use crate::task::JoinHandle;
use crate::waiting::{Wait, Waiter};

/// Puts items into a queue from other threads, in order. From [`AnyQueue::remote_sender`].
///
/// Its clones are the same sender. The items of each thread come into the queue in the order in
/// which it sent them, in a turn of the loop soon after. When the last clone is gone, the items
/// already sent still come in; the queue stays open.
///
/// # Room
/// Sending to an unbounded queue never waits. Sending to a bounded one waits while as many items
/// are on their way as the queue may hold; items on their way wait in line with the tasks that
/// [`put`](AnyQueue::put). So the threads are ahead of the consumer by at most twice that number,
/// and one.
///
/// # Errors
/// An item comes back if it cannot come into the queue any more: because the queue was shut down or
/// dropped, or the loop has ended. A thread that waits for room then gets it back at once. An item
/// that was accepted before that, and has not come into the queue yet, is dropped.
///
/// ```
/// use std::rc::Rc;
/// use greenloop::queue::Queue;
///
/// let sum = greenloop::run(async {
///     let queue = Rc::new(Queue::bounded(2));
///     let sender = queue.remote_sender();
///     std::thread::spawn(move || (1..=4).for_each(|number| sender.send(number).unwrap()));
///     let mut sum = 0;
///     for _ in 0..4 {
///         sum += queue.get().await.unwrap();
///     }
///     sum
/// });
/// assert_eq!(sum, 10);
/// ```
pub struct RemoteSender<T> {
    channel: Sender<T>,
}

impl<T> RemoteSender<T> {
    /// Sends an item. If the queue is bounded, the thread waits for room.
    ///
    /// # Errors
    /// [`ShutDown`], with the item, if the queue was shut down or dropped, or the loop has ended.
    ///
    /// # Panics
    /// If the queue is bounded and a loop runs on this thread: it would wait for itself. A task of
    /// that loop [`put`](AnyQueue::put)s instead.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use greenloop::queue::{Queue, ShutDown};
    ///
    /// let sender = greenloop::run(async { Rc::new(Queue::unbounded()).remote_sender() });
    /// assert_eq!(sender.send("too late"), Err(ShutDown("too late")));
    /// ```
    #[track_caller]
    pub fn send(&self, item: T) -> Result<(), ShutDown<T>> {
        assert!(
            self.channel.capacity().is_none() || current::with(|_| ()).is_none(),
            "a greenloop runtime runs on this thread and would wait for itself: put the item \
             instead"
        );
        let outcome = self.channel.send_blocking(item);
        outcome.map_err(|error| ShutDown(error.into_inner()))
    }

    /// Sends an item if nothing has to be waited for.
    ///
    /// # Errors
    /// [`PutError`], with the item, if it would have to wait for room, the queue was shut down or
    /// dropped, or the loop has ended.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use greenloop::queue::{PutError, Queue};
    ///
    /// greenloop::run(async {
    ///     let queue = Rc::new(Queue::bounded(1));
    ///     let sender = queue.remote_sender();
    ///     assert_eq!(sender.try_send('a'), Ok(()));
    ///     assert_eq!(sender.try_send('b'), Err(PutError::Full('b')));
    ///     assert_eq!(queue.get().await, Ok('a'));
    /// });
    /// ```
    pub fn try_send(&self, item: T) -> Result<(), PutError<T>> {
        self.channel.try_send(item).map_err(|error| match error {
            TrySendError::Full(item) => PutError::Full(item),
            TrySendError::Closed(item) => PutError::ShutDown(item),
        })
    }

    /// Whether nothing can be sent any more.
    ///
    /// ```
    /// let queue = std::rc::Rc::new(greenloop::queue::Queue::<u32>::unbounded());
    /// let sender = greenloop::run(async { queue.remote_sender() });
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }
}

impl<T> Clone for RemoteSender<T> {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
        }
    }
}

impl<T> fmt::Debug for RemoteSender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RemoteSender")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The senders of a queue, as the queue knows them. It knows no type of theirs: with that, items
/// that borrow could not be younger than their queue.
#[derive(Default)]
pub(super) struct RemoteSenders(RefCell<Vec<Link>>);

struct Link {
    /// Makes the channel refuse later items.
    close: Box<dyn Fn()>,
    delivery: JoinHandle<()>,
}

impl RemoteSenders {
    /// A sender to `queue`, which owns this field.
    #[track_caller]
    pub fn add<O>(&self, queue: &Rc<AnyQueue<O>>) -> RemoteSender<O::Item>
    where
        O: Order + 'static,
        O::Item: Send,
    {
        let (sender, receiver) = match queue.maxsize() {
            Some(maxsize) => async_channel::bounded(maxsize),
            None => async_channel::unbounded(),
        };
        let channel = sender.downgrade();
        let link = Link {
            close: Box::new(move || {
                if let Some(channel) = channel.upgrade() {
                    channel.close();
                }
            }),
            delivery: crate::spawn(Delivery {
                queue: Rc::downgrade(queue),
                arriving: Box::pin(receiver),
                next: None,
                waiter: None,
            }),
        };
        if queue.is_shut_down() {
            (link.close)();
        }
        let mut links = self.0.borrow_mut();
        links.retain(|link| !link.delivery.is_finished());
        links.push(link);
        RemoteSender { channel: sender }
    }

    /// The queue takes nothing any more.
    pub fn close(&self) {
        for link in &*self.0.borrow() {
            (link.close)();
        }
    }
}

/// The queue is gone. A delivery that waits for room there would never be woken.
impl Drop for RemoteSenders {
    fn drop(&mut self) {
        for link in self.0.get_mut() {
            (link.close)();
            link.delivery.abort();
        }
    }
}

/// The number of items that come in by one step, so that threads that send without pause leave
/// turns to others. Taking the items that are there when the step begins would be no such limit:
/// meanwhile more arrive.
const MOST_AT_ONCE: usize = 100;

/// Puts arriving items into the queue.
struct Delivery<O: Order> {
    queue: Weak<AnyQueue<O>>,
    arriving: Pin<Box<Receiver<O::Item>>>,
    /// The item that waits for room.
    next: Option<O::Item>,
    /// Its place in the line.
    waiter: Option<Waiter>,
}

/// Nothing points into it.
impl<O: Order> Unpin for Delivery<O> {}

impl<O: Order> Delivery<O> {
    /// Puts the next item in, or waits in line for room. An item that comes too late is dropped.
    fn put(&mut self, queue: &AnyQueue<O>, context: &mut Context<'_>) -> Poll<()> {
        let put = Put {
            queue,
            item: self.next.take(),
        };
        let mut wait = Wait::resumed(put, self.waiter.take());
        let outcome = Pin::new(&mut wait).poll(context);
        let (put, waiter) = wait.interrupt();
        self.next = put.item.take();
        self.waiter = waiter;
        outcome.map(drop)
    }
}

impl<O: Order> Future for Delivery<O> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..MOST_AT_ONCE {
            let Some(queue) = this.queue.upgrade() else {
                return Poll::Ready(());
            };
            if this.next.is_none() {
                this.next = ready!(this.arriving.as_mut().poll_next(context));
            }
            if this.next.is_none() {
                return Poll::Ready(());
            }
            ready!(this.put(&queue, context));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<O: Order> Drop for Delivery<O> {
    fn drop(&mut self) {
        self.arriving.close();
        // Otherwise they would live as long as the senders do.
        while self.arriving.try_recv().is_ok() {}
        if let (Some(queue), Some(waiter)) = (self.queue.upgrade(), self.waiter.take()) {
            let put = Put {
                queue: &*queue,
                item: None,
            };
            drop(Wait::resumed(put, Some(waiter)));
        }
    }
}
