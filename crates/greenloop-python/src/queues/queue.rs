//! The struct of a queue, and the interface through which the core's logic uses it.
//!
//! There is one struct for all three classes, which differ only in the order in which items are
//! taken.

use std::cell::Cell;

use greenloop_core::sync::{self, Refusal, Refused, Store};
use greenloop_cpython::{
    Held, Instance, Object, Raised, Result, Slot, Visited, Visitor, call_method, no_attribute,
    visit_slots,
};
use pyo3::ffi;

use super::items::Items;
use super::maxsize::Maxsize;
use super::overrides::{Known, Method, Overrides};
use crate::asyncio::globals;
use crate::awaitable::{Line, LoopBound};
use crate::sync::event_of;

pub struct Queue {
    pub bound: LoopBound,
    pub logic: sync::Queue<Line>,
    pub items: Items,
    pub maxsize: Maxsize,
    /// The overrides of the instance's class, as last determined.
    pub overrides: Cell<Known>,
    /// The event `_finished`: set when all items are done. Empty before `__init__`.
    pub finished: Slot,
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
            finished: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        let slots = [self.bound.slot(), self.maxsize.slot(), &self.finished];
        visit_slots(visitor, slots)?;
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

impl Queue {
    /// The queue behind an instance of one of the classes.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        Instance::<Self>::of(object)
    }
}

/// A queue and its object, as the core's logic sees them. Methods that the object overrides are
/// called.
pub struct Face<'a> {
    pub object: &'a Object,
    pub queue: &'a Queue,
    pub overrides: Overrides,
}

impl<'a> Face<'a> {
    #[inline]
    pub fn of(object: &'a Object) -> Result<Self> {
        Ok(Self {
            object,
            queue: Queue::of(object),
            overrides: Overrides::of(object)?,
        })
    }

    /// The event `_finished`.
    #[inline]
    pub fn finished(&self) -> Result<Object> {
        match self.queue.finished.get() {
            Some(finished) => Ok(finished),
            None => Err(no_attribute(self.object, "_finished")),
        }
    }

    /// Puts an item in and wakes the first waiter for one; raises `QueueFull` or `QueueShutDown`.
    #[inline]
    pub fn put_nowait(&self, item: Object) -> Result<()> {
        let finished = self.finished()?;
        let event = &event_of(&finished).state;
        self.queue
            .logic
            .put_nowait(self, event, item)?
            .map_err(|Refused(refusal, _item)| refused(refusal))
    }

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
        call_method(method.name(), &[self.object.as_ptr()])
    }

    /// The same, with an argument.
    #[cold]
    pub fn call_with(&self, method: Method, argument: &Object) -> Result<Object> {
        call_method(method.name(), &[self.object.as_ptr(), argument.as_ptr()])
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
    // SAFETY: an exception class.
    unsafe { ffi::PyErr_SetNone(class.as_ptr()) };
    Raised
}
