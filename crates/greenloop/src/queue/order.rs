//! The order in which a queue's items are taken.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

/// Keeps the items of a queue, and says which is taken next. Implemented by [`Fifo`], [`Lifo`] and
/// [`Sorted`]; a queue of one's own order can be had by implementing it.
///
/// ```
/// use greenloop::queue::{AnyQueue, Order};
///
/// /// Keeps the newest item only.
/// #[derive(Default)]
/// struct Latest(Option<u32>);
///
/// impl Order for Latest {
///     type Item = u32;
///     fn push(&mut self, item: u32) {
///         self.0 = Some(item);
///     }
///     fn pop(&mut self) -> Option<u32> {
///         self.0.take()
///     }
///     fn len(&self) -> usize {
///         self.0.is_some().into()
///     }
/// }
///
/// let queue = AnyQueue::<Latest>::unbounded();
/// queue.put_nowait(1).unwrap();
/// queue.put_nowait(2).unwrap();
/// assert_eq!(queue.get_nowait(), Ok(2));
/// ```
pub trait Order: Default {
    /// The type of the items.
    type Item;

    /// Puts an item in. The queue has made sure that there is room.
    ///
    /// An order may drop items, as the one above does. The queue's [`join`](super::AnyQueue::join)
    /// still waits for them to be reported as done.
    fn push(&mut self, item: Self::Item);

    /// Takes the next item, or returns `None` if there is none.
    ///
    /// A queue whose order returns `None` although it [is not empty](Self::is_empty) panics.
    fn pop(&mut self) -> Option<Self::Item>;

    /// How many items there are, which a bounded queue compares with its
    /// [`maxsize`](super::AnyQueue::maxsize).
    fn len(&self) -> usize;

    /// Whether there are none, and a task that gets an item has to wait.
    #[inline]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// First in, first out: the order of [`Queue`](super::Queue).
///
/// ```
/// use greenloop::queue::{Fifo, Order as _};
///
/// let mut items = Fifo::default();
/// items.push('a');
/// items.push('b');
/// assert_eq!(items.pop(), Some('a'));
/// ```
#[derive(Clone, Debug)]
pub struct Fifo<T>(VecDeque<T>);

/// Last in, first out: the order of [`LifoQueue`](super::LifoQueue).
///
/// ```
/// use greenloop::queue::{Lifo, Order as _};
///
/// let mut items = Lifo::default();
/// items.push('a');
/// items.push('b');
/// assert_eq!(items.pop(), Some('b'));
/// ```
#[derive(Clone, Debug)]
pub struct Lifo<T>(Vec<T>);

/// The smallest first, and of equal ones the oldest: the order of
/// [`PriorityQueue`](super::PriorityQueue).
///
/// ```
/// use greenloop::queue::{Order as _, Sorted};
///
/// let mut items = Sorted::default();
/// items.push(2);
/// items.push(1);
/// assert_eq!(items.pop(), Some(1));
/// ```
#[derive(Clone)]
pub struct Sorted<T> {
    heap: BinaryHeap<Reverse<Aged<T>>>,
    next_age: u64,
}

/// An item, and when it was put in.
#[derive(Clone)]
struct Aged<T> {
    item: T,
    age: u64,
}

impl<T: Ord> Ord for Aged<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_item = self.item.cmp(&other.item);
        by_item.then_with(|| self.age.cmp(&other.age))
    }
}

impl<T: Ord> PartialOrd for Aged<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> Eq for Aged<T> {}

impl<T: Ord> PartialEq for Aged<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Order for Fifo<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Order for Lifo<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: Ord> Order for Sorted<T> {
    type Item = T;

    fn push(&mut self, item: T) {
        let age = self.next_age;
        self.next_age += 1;
        self.heap.push(Reverse(Aged { item, age }));
    }

    fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|Reverse(aged)| aged.item)
    }

    fn len(&self) -> usize {
        self.heap.len()
    }
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Default for Sorted<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            next_age: 0,
        }
    }
}

impl<T> fmt::Debug for Sorted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sorted")
            .field("len", &self.heap.len())
            .finish_non_exhaustive()
    }
}
