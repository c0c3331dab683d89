//! A queue of any order.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use greenloop_core::sync::{self, Admission, NothingUnfinished, Refusal, Refused, Store};

use super::remote_sender::RemoteSenders;
use super::{GetError, Items, Order, PutError, RemoteSender, ShutDown, TaskDoneError};
use crate::sync::WaitForIt;
use crate::waiting::{Line, Operation, Wait, Waiter, certain};

/// A queue between tasks, in any [`Order`]; mostly used by the names [`Queue`](super::Queue),
/// [`PriorityQueue`](super::PriorityQueue) and [`LifoQueue`](super::LifoQueue).
///
/// Tasks share one by borrowing it or in an [`Rc`]. Other threads put items in by its
/// [`remote_sender`](Self::remote_sender).
pub struct AnyQueue<O: Order> {
    logic: sync::Queue<Line>,
    items: Stored<O>,
    /// Set when all items are done.
    finished: sync::Event<Line>,
    remote_senders: RemoteSenders,
}

/// The items, as the core's logic sees them.
struct Stored<O> {
    /// How many there may be; zero means any number.
    maxsize: usize,
    items: RefCell<O>,
}

impl<O: Order> AnyQueue<O> {
    /// A queue that always has room.
    ///
    /// ```
    /// let queue = greenloop::queue::Queue::unbounded();
    /// (0..1000).for_each(|number| queue.put_nowait(number).unwrap());
    /// ```
    pub fn unbounded() -> Self {
        Self::with_maxsize(0)
    }

    /// A queue with room for that many items.
    ///
    /// # Panics
    /// If there is room for none.
    ///
    /// ```
    /// let queue = greenloop::queue::Queue::bounded(1);
    /// queue.put_nowait('a').unwrap();
    /// assert!(queue.is_full());
    /// ```
    #[track_caller]
    pub fn bounded(maxsize: usize) -> Self {
        assert!(maxsize > 0, "a bounded queue needs room for an item");
        Self::with_maxsize(maxsize)
    }

    fn with_maxsize(maxsize: usize) -> Self {
        let finished = sync::Event::new(Line::new());
        finished.set_value(true);
        Self {
            logic: sync::Queue::new(Line::new(), Line::new()),
            items: Stored {
                maxsize,
                items: RefCell::default(),
            },
            finished,
            remote_senders: RemoteSenders::default(),
        }
    }

    /// Puts an item in, and waits for room if there is none.
    ///
    /// *Cancel safety:* dropping the future drops the item, which is not in the queue then; if room
    /// was made for it, the next waiter for room gets that.
    ///
    /// # Errors
    /// [`ShutDown`], with the item, if the queue was shut down.
    ///
    /// ```
    /// use greenloop::queue::Queue;
    ///
    /// greenloop::run(async {
    ///     let queue = Queue::bounded(1);
    ///     queue.put(1).await.unwrap();
    ///     let (put, got) = greenloop::gather!(queue.put(2), queue.get()).await;
    ///     assert_eq!((put, got), (Ok(()), Ok(1)));
    /// });
    /// ```
    #[inline]
    pub fn put(
        &self,
        item: O::Item,
    ) -> impl Future<Output = Result<(), ShutDown<O::Item>>> + Unpin {
        Wait::new(Put {
            queue: self,
            item: Some(item),
        })
    }

    /// Waits for an item and takes it.
    ///
    /// *Cancel safety:* dropping the future takes nothing; if an item was put in for it, the next
    /// waiter gets that.
    ///
    /// # Errors
    /// [`ShutDown`] if the queue was shut down and is empty.
    ///
    /// ```
    /// use greenloop::queue::Queue;
    ///
    /// let queue = Queue::unbounded();
    /// queue.put_nowait("hello").unwrap();
    /// assert_eq!(greenloop::run(queue.get()), Ok("hello"));
    /// ```
    #[inline]
    pub fn get(&self) -> impl Future<Output = Result<O::Item, ShutDown>> + Unpin {
        Wait::new(Get { queue: self })
    }

    /// Puts an item in if there is room.
    ///
    /// # Errors
    /// [`PutError`], with the item, if there is none, or the queue was shut down.
    ///
    /// ```
    /// let queue = greenloop::queue::Queue::bounded(1);
    /// assert!(queue.put_nowait('a').is_ok());
    /// assert!(queue.put_nowait('b').is_err());
    /// ```
    #[inline]
    pub fn put_nowait(&self, item: O::Item) -> Result<(), PutError<O::Item>> {
        let outcome = certain(self.logic.put_nowait(&self.items, &self.finished, item));
        outcome.map_err(|Refused(refusal, item)| match refusal {
            Refusal::ShutDown => PutError::ShutDown(item),
            Refusal::Full | Refusal::Empty => PutError::Full(item),
        })
    }

    /// Takes an item if there is one.
    ///
    /// # Errors
    /// [`GetError`] if there is none.
    ///
    /// ```
    /// let queue = greenloop::queue::Queue::unbounded();
    /// queue.put_nowait('a').unwrap();
    /// assert_eq!(queue.get_nowait(), Ok('a'));
    /// assert!(queue.get_nowait().is_err());
    /// ```
    #[inline]
    pub fn get_nowait(&self) -> Result<O::Item, GetError> {
        let outcome = certain(self.logic.get_nowait(&self.items));
        outcome.map_err(|refusal| match refusal {
            Refusal::ShutDown => GetError::ShutDown,
            Refusal::Empty | Refusal::Full => GetError::Empty,
        })
    }

    /// Reports an item that was taken as done, for [`join`](Self::join).
    ///
    /// # Errors
    /// [`TaskDoneError`] if all that were put in are done already.
    ///
    /// ```
    /// let queue = greenloop::queue::Queue::unbounded();
    /// queue.put_nowait('a').unwrap();
    /// queue.get_nowait().unwrap();
    /// assert!(queue.task_done().is_ok());
    /// assert!(queue.task_done().is_err());
    /// ```
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        let outcome = certain(self.logic.task_done(&self.finished));
        outcome.map_err(|NothingUnfinished| TaskDoneError)
    }

    /// Waits until every item that was put in has been reported as done.
    ///
    /// *Cancel safety:* dropping the future changes nothing.
    ///
    /// ```
    /// use greenloop::queue::Queue;
    ///
    /// greenloop::run(async {
    ///     let queue = Queue::unbounded();
    ///     queue.put_nowait('a').unwrap();
    ///     greenloop::gather!(queue.join(), async {
    ///         queue.get().await.unwrap();
    ///         queue.task_done().unwrap();
    ///     }).await;
    /// });
    /// ```
    pub fn join(&self) -> impl Future<Output = ()> + Unpin {
        Wait::new(WaitForIt(&self.finished))
    }

    /// Refuses new items from now on; those in the queue can still be taken. A waiter for room, or
    /// for an item that does not come any more, gets an error.
    ///
    /// ```
    /// let queue = greenloop::queue::Queue::unbounded();
    /// queue.put_nowait('a').unwrap();
    /// queue.shutdown();
    /// assert_eq!(greenloop::run(queue.get()), Ok('a'));
    /// assert!(greenloop::run(queue.get()).is_err());
    /// ```
    pub fn shutdown(&self) {
        self.remote_senders.close();
        certain(self.logic.shut_down(&self.items, &self.finished, false));
    }

    /// As [`shutdown`](Self::shutdown), and drops the items in the queue. They count as done.
    ///
    /// ```
    /// let queue = greenloop::queue::Queue::unbounded();
    /// queue.put_nowait('a').unwrap();
    /// queue.shutdown_now();
    /// assert!(greenloop::run(queue.get()).is_err());
    /// greenloop::run(queue.join());
    /// ```
    pub fn shutdown_now(&self) {
        self.remote_senders.close();
        certain(self.logic.shut_down(&self.items, &self.finished, true));
    }

    /// A sender with which other threads put items in.
    ///
    /// A task of the running loop serves it, which ends when the last clone of the sender is gone,
    /// the queue is shut down or dropped, or the loop ends.
    ///
    /// # Panics
    /// Outside of [`run`](crate::run).
    ///
    /// ```
    /// use std::rc::Rc;
    /// use greenloop::queue::Queue;
    ///
    /// greenloop::run(async {
    ///     let queue = Rc::new(Queue::unbounded());
    ///     let sender = queue.remote_sender();
    ///     std::thread::spawn(move || sender.send("hello"));
    ///     assert_eq!(queue.get().await, Ok("hello"));
    /// });
    /// ```
    #[track_caller]
    pub fn remote_sender(self: &Rc<Self>) -> RemoteSender<O::Item>
    where
        O: 'static,
        O::Item: Send,
    {
        self.remote_senders.add(self)
    }

    /// The items as a stream, which takes them one by one and ends when the queue is shut down and
    /// empty.
    ///
    /// *Cancel safety:* an item is taken when the stream gives it, not before.
    ///
    /// ```
    /// use futures::StreamExt as _;
    /// use greenloop::queue::Queue;
    ///
    /// let queue = Queue::unbounded();
    /// (1..=3).for_each(|number| queue.put_nowait(number).unwrap());
    /// queue.shutdown();
    /// let numbers: Vec<_> = greenloop::run(queue.stream().collect());
    /// assert_eq!(numbers, [1, 2, 3]);
    /// ```
    pub const fn stream(&self) -> Items<'_, O> {
        Items::new(self)
    }

    /// Whether nothing is put in any more.
    pub(super) fn is_shut_down(&self) -> bool {
        self.logic.shut_down_flag().get()
    }

    /// How many items there are: asyncio's `qsize`.
    ///
    /// ```
    /// assert_eq!(greenloop::queue::Queue::<u32>::unbounded().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.items.items.borrow().len()
    }

    /// Whether there are no items, so that a task that gets one has to wait.
    ///
    /// ```
    /// assert!(greenloop::queue::Queue::<u32>::unbounded().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        certain(self.items.is_empty())
    }

    /// Whether there is no room, so that a task that puts an item has to wait. An unbounded queue
    /// is never full.
    ///
    /// ```
    /// assert!(!greenloop::queue::Queue::<u32>::unbounded().is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        certain(self.items.is_full())
    }

    /// How many items there may be, or `None` if any number.
    ///
    /// ```
    /// assert_eq!(greenloop::queue::Queue::<u32>::bounded(5).maxsize(), Some(5));
    /// ```
    pub fn maxsize(&self) -> Option<usize> {
        Some(self.items.maxsize).filter(|&maxsize| maxsize > 0)
    }
}

impl<O: Order> fmt::Debug for AnyQueue<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AnyQueue")
            .field("len", &self.len())
            .field("maxsize", &self.maxsize())
            .field("getters", &self.logic.getters.len())
            .field("putters", &self.logic.putters.len())
            .field("unfinished", &self.logic.unfinished().get())
            .finish_non_exhaustive()
    }
}

impl<O: Order> Store for Stored<O> {
    type Item = O::Item;
    type Error = Infallible;

    #[inline]
    fn is_empty(&self) -> Result<bool, Infallible> {
        Ok(self.items.borrow().is_empty())
    }

    #[inline]
    fn is_full(&self) -> Result<bool, Infallible> {
        Ok(self.maxsize > 0 && self.items.borrow().len() >= self.maxsize)
    }

    #[inline]
    fn put(&self, item: O::Item) -> Result<(), Infallible> {
        self.items.borrow_mut().push(item);
        Ok(())
    }

    #[inline]
    fn take(&self) -> Result<O::Item, Infallible> {
        // The logic looks before it takes.
        let item = self.items.borrow_mut().pop();
        Ok(item.expect("an order that is not empty has an item"))
    }
}

/// Waiting for room.
pub(super) struct Put<'a, O: Order> {
    pub queue: &'a AnyQueue<O>,
    /// The item, until it is in the queue.
    pub item: Option<O::Item>,
}

impl<O: Order> Put<'_, O> {
    #[inline]
    fn advance(&mut self) -> Option<Result<(), ShutDown<O::Item>>> {
        let queue = self.queue;
        let admission = certain(queue.logic.admit_putter(&queue.items));
        if admission == Admission::Wait {
            return None;
        }
        let item = self.item.take()?;
        Some(
            queue
                .put_nowait(item)
                .map_err(|error| ShutDown(error.into_inner())),
        )
    }
}

impl<O: Order> Operation for Put<'_, O> {
    type Output = Result<(), ShutDown<O::Item>>;

    #[inline]
    fn line(&self) -> &Line {
        &self.queue.logic.putters
    }

    #[inline]
    fn attempt(&mut self) -> Option<Self::Output> {
        self.advance()
    }

    #[inline]
    fn resume(&mut self, _waiter: Waiter) -> Option<Self::Output> {
        self.advance()
    }

    fn give_up(&mut self, waiter: Waiter) {
        let queue = self.queue;
        certain(queue.logic.putter_gives_up(&queue.items, &waiter));
    }
}

/// Waiting for an item.
pub(super) struct Get<'a, O: Order> {
    pub queue: &'a AnyQueue<O>,
}

impl<O: Order> Get<'_, O> {
    #[inline]
    fn advance(&mut self) -> Option<Result<O::Item, ShutDown>> {
        let queue = self.queue;
        match certain(queue.logic.admit_getter(&queue.items)) {
            Admission::Wait => None,
            Admission::Never => Some(Err(ShutDown(()))),
            Admission::Now => Some(queue.get_nowait().map_err(|_| ShutDown(()))),
        }
    }
}

impl<O: Order> Operation for Get<'_, O> {
    type Output = Result<O::Item, ShutDown>;

    #[inline]
    fn line(&self) -> &Line {
        &self.queue.logic.getters
    }

    #[inline]
    fn attempt(&mut self) -> Option<Self::Output> {
        self.advance()
    }

    #[inline]
    fn resume(&mut self, _waiter: Waiter) -> Option<Self::Output> {
        self.advance()
    }

    fn give_up(&mut self, waiter: Waiter) {
        let queue = self.queue;
        certain(queue.logic.getter_gives_up(&queue.items, &waiter));
    }
}
