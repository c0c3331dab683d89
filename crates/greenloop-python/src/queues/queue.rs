//! The struct of a queue, and the interface through which the core's logic uses it.
//!
//! There is one struct for all three classes, which differ only in the order in which items are
//! taken.

use std::cell::Cell;

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
use crate::sync::{Event, Primitive};

/// `Queue`.
pub static CLASS: Class<Queue> = Class::new();

/// `LifoQueue`.
pub static LIFO_CLASS: Class<Queue> = Class::new();

/// `PriorityQueue`.
pub static PRIORITY_CLASS: Class<Queue> = Class::new();

/// A reference to a queue.
pub type QueueRef = Native<Queue>;

/// The fields of a queue.
pub struct Queue {
    /// The loop it is bound to.
    pub bound: LoopBound,
    /// The decisions, and the lines of its waiters.
    pub logic: sync::Queue<Line>,
    /// `_queue`
    pub items: Items,
    /// `_maxsize`
    pub maxsize: Maxsize,
    /// The overrides of the instance's class, as last determined.
    pub overrides: Cell<Known>,
    /// The event `_finished`: set when all items are done. Empty before `__init__`.
    pub finished: NativeSlot<Primitive<Event>>,
}

impl Held for Queue {
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
pub struct Face<'a> {
    /// The object, which its own methods are called on.
    pub object: &'a QueueRef,
    /// Its fields.
    pub queue: &'a Queue,
    /// The methods that it overrides.
    pub overrides: Overrides,
}

impl<'a> Face<'a> {
    /// The face of a queue, as its class and its attributes are now.
    #[inline]
    pub fn of(object: &'a QueueRef) -> Result<Self> {
        Ok(Self {
            object,
            queue: object.get(),
            overrides: Overrides::of(object)?,
        })
    }

    /// The event `_finished`.
    #[inline]
    pub fn finished(&self) -> Result<Native<Primitive<Event>>> {
        match self.queue.finished.get() {
            Some(finished) => Ok(finished),
            None => Err(no_attribute(self.object, "_finished")),
        }
    }

    /// `put_nowait(item)`
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
    #[inline]
    pub fn get_nowait(&self) -> Result<Object> {
        self.queue.logic.get_nowait(self)?.map_err(refused)
    }

    /// As [`Store::is_full`], but for an override of `full`, which may have called this.
    #[inline]
    pub fn is_full_itself(&self) -> Result<bool> {
        let maxsize = &self.queue.maxsize;
        if self.overrides.has(Method::Qsize) {
            return maxsize.ask(|| self.call(Method::Qsize));
        }
        maxsize.is_reached_by(|| self.queue.items.len(self.object))
    }

    /// Calls one of the object's methods by name.
    #[cold]
    pub fn call(&self, method: Method) -> Result<Object> {
        self.object.invoke(method.name(), [])
    }

    /// The same, with an argument.
    #[cold]
    pub fn call_with(&self, method: Method, argument: &Object) -> Result<Object> {
        self.object.invoke(method.name(), [argument])
    }

    #[cold]
    fn ask(&self, method: Method) -> Result<bool> {
        self.call(method)?.is_true()
    }
}

impl Store for Face<'_> {
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
            return self.call_with(Method::Put, &item).map(drop);
        }
        self.queue.items.put(self.object, self.overrides.put, item)
    }

    #[inline]
    fn take(&self) -> Result<Object> {
        if self.overrides.has(Method::Get) {
            return self.call(Method::Get);
        }
        self.queue.items.take(self.object, self.overrides.get)
    }
}

/// Raises asyncio's exception for a refusal.
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
