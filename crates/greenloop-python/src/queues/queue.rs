//! The struct of a queue, and the interface through which the core's logic uses it.
//!
//! There is one struct for all three classes, which differ only in the order in which items are
//! taken.
//!
//! ```text
//!    core: sync::Queue     decides: admit, refuse, wake      knows no item
//!         │ Store
//!    QueueStore (this file)      is_empty, is_full, put, take      by name where overridden
//!         │
//!    Items, Maxsize        the store and its capacity        native, or Python objects
//! ```
//! A `QueueStore` is made for each operation and lives as long as it: it finds out once which
//! methods are overridden, and all the steps of the operation use that answer.

use std::cell::Cell;

use greenloop_core::observe::{EventKind, WaitKind};
use greenloop_core::sync::{self, Refusal, Refused, Store};
use greenloop_cpython::{
    Class, Held, Native, NativeSlot, Object, Raised, Result, Visited, Visitor, no_attribute,
    raise_bare,
};

use super::items::Items;
use super::maxsize::Maxsize;
use super::overrides::{Known, Method, Overrides};
use crate::asyncio::globals;
use crate::awaitable::{Line, LoopBound};
use crate::observing::{Number, is_recording, tell};
use crate::sync::{Event, Primitive};

/// `Queue`.
///
/// Exported as `QUEUE` to the rooms that use a queue of their own.
pub static CLASS: Class<Queue> = Class::new();

/// `LifoQueue`.
///
/// Below `Queue`, with the same struct.
pub static LIFO_CLASS: Class<Queue> = Class::new();

/// `PriorityQueue`.
///
/// Below `Queue`, with the same struct; its store is a list from the first.
pub static PRIORITY_CLASS: Class<Queue> = Class::new();

/// A reference to a queue.
///
/// Its class may be any of the three or a subclass.
pub type QueueRef = Native<Queue>;

/// The fields of a queue.
pub struct Queue {
    /// The loop it is bound to.
    ///
    /// Empty until a `put` or `get` blocks; `join` binds the event instead.
    pub bound: LoopBound,
    /// The decisions, and the lines of its waiters.
    ///
    /// The count of unfinished items and the flag of `shutdown` are in it too. A foreign waiter's
    /// future gets the result None, as asyncio's does.
    pub logic: sync::Queue<Line>,
    /// `_queue`
    pub items: Items,
    /// `_maxsize`
    pub maxsize: Maxsize,
    /// The overrides of the instance's class, as last determined.
    ///
    /// Valid while the class's version is the one it was determined at.
    pub overrides: Cell<Known>,
    /// Which one it is, for an observer.
    pub number: Number,
    /// The event `_finished`: set when all items are done. Empty before `__init__`.
    pub finished: NativeSlot<Primitive<Event>>,
}

// SAFETY: each field is shown once; the awaitables in the two lines leave their waiters to these.
unsafe impl Held for Queue {
    fn new() -> Self {
        Self {
            bound: LoopBound::new(),
            logic: sync::Queue::new(
                Line::waking_with(Object::none),
                Line::waking_with(Object::none),
            ),
            items: Items::new(),
            maxsize: Maxsize::new(),
            overrides: Cell::new(Known::nothing()),
            number: Number::none(),
            finished: NativeSlot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.bound.slot().visit(visitor)?;
        self.maxsize.slot().visit(visitor)?;
        self.finished.visit(visitor)?;
        self.logic.getters.visit(visitor)?;
        self.logic.putters.visit(visitor)?;
        self.items.visit(visitor)
    }

    /// For the garbage collector: the queue is empty afterwards and has no event, as before
    /// `__init__`.
    fn clear(&self) {
        self.bound.slot().clear();
        self.logic.getters.clear();
        self.logic.putters.clear();
        self.items.clear();
        self.maxsize.clear();
        self.finished.clear();
    }
}

/// A queue and its object, as the core's logic sees them. Methods that the object overrides are
/// called.
///
/// Any call of an overridden method is user code, which may change the queue or its class. A change
/// of the overrides is seen by the next operation.
pub struct QueueStore<'a> {
    /// The object, which its own methods are called on.
    pub object: &'a QueueRef,
    /// Its fields.
    pub queue: &'a Queue,
    /// The methods that it overrides.
    pub overrides: Overrides,
}

impl<'a> QueueStore<'a> {
    /// The store of a queue, as its class and its attributes are now.
    ///
    /// Cheap for an instance whose class is unchanged and which has no attributes: no name is
    /// looked up.
    ///
    /// # Errors
    /// Those of looking up a class's methods.
    #[inline]
    pub fn of(object: &'a QueueRef) -> Result<Self> {
        Ok(Self {
            object,
            queue: object.get(),
            overrides: Overrides::of(object)?,
        })
    }

    /// The event `_finished`.
    ///
    /// # Errors
    /// `AttributeError` before `__init__`.
    #[inline]
    pub fn finished(&self) -> Result<Native<Primitive<Event>>> {
        match self.queue.finished.get() {
            Some(finished) => Ok(finished),
            None => Err(no_attribute(self.object, "_finished")),
        }
    }

    /// `put_nowait(item)`
    ///
    /// The first waiting getter is woken and runs in the next turn.
    ///
    /// # Errors
    /// `QueueFull`, or `QueueShutDown` from Python 3.13 on; the item is dropped then.
    #[inline]
    pub fn put_nowait(&self, item: Object) -> Result<()> {
        let finished = self.finished()?;
        let event = &finished.get().state;
        self.queue
            .logic
            .put_nowait(self, event, item)?
            .map_err(|Refused(refusal, _item)| refused(refusal))
    }

    /// `get_nowait()`
    ///
    /// The first waiting putter is woken.
    ///
    /// # Errors
    /// `QueueEmpty`, or `QueueShutDown` from Python 3.13 on.
    #[inline]
    pub fn get_nowait(&self) -> Result<Object> {
        self.queue.logic.get_nowait(self)?.map_err(refused)
    }

    /// As [`Store::is_full`], but for an override of `full`, which may have called this.
    ///
    /// An overridden `qsize` is still called, since asyncio's `full` compares its result.
    #[inline]
    pub fn is_full_itself(&self) -> Result<bool> {
        let maxsize = &self.queue.maxsize;
        if self.overrides.has(Method::Qsize) {
            return maxsize.ask(|| self.call(Method::Qsize));
        }
        maxsize.is_reached_by(|| self.queue.items.len(self.object))
    }

    /// Tells an observer that an item was put or taken.
    #[cold]
    fn tell(&self, kind: EventKind) {
        let left = self.queue.items.known_len().unwrap_or_default();
        tell(
            kind,
            WaitKind::QueueGet,
            &self.queue.number,
            i64::try_from(left).unwrap_or(i64::MAX),
        );
    }

    /// Calls one of the object's methods by name.
    ///
    /// User code: nothing of the queue may be borrowed meanwhile.
    #[cold]
    pub fn call(&self, method: Method) -> Result<Object> {
        self.object.invoke(method.name(), [])
    }

    /// The same, with an argument.
    #[cold]
    pub fn call_with(&self, method: Method, argument: &Object) -> Result<Object> {
        self.object.invoke(method.name(), [argument])
    }

    /// The truth of the answer, whatever object it is.
    #[cold]
    fn ask(&self, method: Method) -> Result<bool> {
        self.call(method)?.is_true()
    }
}

impl Store for QueueStore<'_> {
    type Item = Object;
    type Error = Raised;

    #[inline]
    fn is_empty(&self) -> Result<bool> {
        if self.overrides.has(Method::Empty) {
            return self.ask(Method::Empty);
        }
        self.queue.items.is_empty(self.object)
    }

    #[inline]
    fn is_full(&self) -> Result<bool> {
        if self.overrides.has(Method::Full) {
            return self.ask(Method::Full);
        }
        self.is_full_itself()
    }

    #[inline]
    fn put(&self, item: Object) -> Result<()> {
        if self.overrides.has(Method::Put) {
            self.call_with(Method::Put, &item)?;
        } else {
            self.queue
                .items
                .put(self.object, self.overrides.put, item)?;
        }
        if is_recording() {
            self.tell(EventKind::Put);
        }
        Ok(())
    }

    #[inline]
    fn take(&self) -> Result<Object> {
        let item = if self.overrides.has(Method::Get) {
            self.call(Method::Get)?
        } else {
            self.queue.items.take(self.object, self.overrides.get)?
        };
        if is_recording() {
            self.tell(EventKind::Get);
        }
        Ok(item)
    }
}

/// Raises asyncio's exception for a refusal.
///
/// It is raised without arguments, as a class.
#[cold]
pub fn refused(refusal: Refusal) -> Raised {
    let asyncio = &globals().asyncio;
    let class = match refusal {
        Refusal::Empty => &asyncio.queue_empty,
        Refusal::Full => &asyncio.queue_full,
        #[cfg(Py_3_13)]
        Refusal::ShutDown => &asyncio.queue_shut_down,
        // Before 3.13 nothing can shut a queue down.
        #[cfg(not(Py_3_13))]
        Refusal::ShutDown => &asyncio.queue_empty,
    };
    raise_bare(class)
}
