//! Queues between tasks: asyncio's, on the logic of `greenloop-core`.

mod any_queue;
mod error;
mod order;
mod remote_sender;
mod stream;

pub use any_queue::AnyQueue;
pub use error::{GetError, PutError, ShutDown, TaskDoneError};
pub use order::{Fifo, Lifo, Order, Sorted};
pub use remote_sender::RemoteSender;
pub use stream::Items;

/// A queue whose items come out in the order they went in: `asyncio.Queue`.
///
/// See [`AnyQueue`] for its methods.
///
/// ```
/// use greenloop::queue::Queue;
///
/// greenloop::run(async {
///     let queue = Queue::bounded(1);
///     greenloop::gather!(
///         async {
///             for number in 1..=3 {
///                 queue.put(number).await.unwrap();
///             }
///             queue.shutdown();
///         },
///         async {
///             let mut sum = 0;
///             while let Ok(number) = queue.get().await {
///                 sum += number;
///             }
///             assert_eq!(sum, 6);
///         },
///     ).await;
/// });
/// ```
pub type Queue<T> = AnyQueue<Fifo<T>>;

/// A queue that gives the smallest item first, and of equal ones the oldest:
/// `asyncio.PriorityQueue`.
///
/// For the greatest first put [`Reverse`](std::cmp::Reverse)d items in. See [`AnyQueue`] for its
/// methods.
///
/// ```
/// use greenloop::queue::PriorityQueue;
///
/// let queue = PriorityQueue::unbounded();
/// for number in [3, 1, 2] {
///     queue.put_nowait(number).unwrap();
/// }
/// assert_eq!(queue.get_nowait(), Ok(1));
/// ```
pub type PriorityQueue<T> = AnyQueue<Sorted<T>>;

/// A queue that gives the newest item first: `asyncio.LifoQueue`.
///
/// See [`AnyQueue`] for its methods.
///
/// ```
/// use greenloop::queue::LifoQueue;
///
/// let queue = LifoQueue::unbounded();
/// queue.put_nowait("first").unwrap();
/// queue.put_nowait("last").unwrap();
/// assert_eq!(queue.get_nowait(), Ok("last"));
/// ```
pub type LifoQueue<T> = AnyQueue<Lifo<T>>;
