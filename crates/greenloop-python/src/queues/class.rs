//! The classes `Queue`, `LifoQueue` and `PriorityQueue`.
//!
//! All methods are those of `asyncio.Queue`, with its private ones that subclasses call or replace:
//! `_init`, `_get`, `_put`, `_format`, `_get_loop` and `_wakeup_next`. The three classes differ in
//! `_init`, `_put` and `_get` alone, and asyncio's class hierarchy is kept: the other two inherit
//! from `Queue`.
//!
//! What is called at each operation runs in one of two ways. `QueueStore` calls a method by name if
//! it is overridden, and else goes to the store directly; the methods here are what Python code
//! calls.

use std::ffi::CStr;

use greenloop_core::sync::NothingUnfinished;
use greenloop_cpython::making::IntoObject as _;
use greenloop_cpython::{
    Arguments, ClassBuilder, ExceptionClass, Method, Object, Result, class_of, copied, fast,
    leaf_fast, leaf_noargs, noargs, of_class, one, raise,
};

use super::attributes::attributes;
use super::copying::{getstate, setstate};
use super::description::{format, repr, str};
use super::overrides::{Discipline, Method as OverriddenMethod};
use super::queue::{CLASS, LIFO_CLASS, PRIORITY_CLASS, Queue, QueueRef, QueueStore};
use super::waiting::{get, item_of, join, put};
use crate::asyncio::globals;
use crate::sync::{WAITERS, create_set_event};

/// Makes `Queue`.
pub fn make_class() -> Result<()> {
    common(c"greenloop.Queue")
        .doc(
            c"Queue(maxsize=0)\n--\n\n\
             A queue between tasks, first in, first out; see asyncio.Queue.\n\n\
             It is full with maxsize items; 0 or less is no limit. Its methods must be called \
             in the thread of the loop.",
        )
        .methods(methods())
        .methods(discipline(|| Discipline::Fifo))
        .methods(copied(getstate, setstate))
        .attributes(attributes())
        .build_into(&CLASS)
}

/// Makes `LifoQueue`.
pub fn make_lifo_class() -> Result<()> {
    common(c"greenloop.LifoQueue")
        .doc(
            c"LifoQueue(maxsize=0)\n--\n\n\
             A queue between tasks, last in, first out; see asyncio.LifoQueue.",
        )
        .methods(discipline(|| Discipline::Lifo))
        .build_below(&CLASS, &LIFO_CLASS)
}

/// Makes `PriorityQueue`.
pub fn make_priority_class() -> Result<()> {
    common(c"greenloop.PriorityQueue")
        .doc(
            c"PriorityQueue(maxsize=0)\n--\n\n\
             A queue between tasks, the smallest item first; see asyncio.PriorityQueue.",
        )
        .methods(discipline(|| Discipline::Priority))
        .build_below(&CLASS, &PRIORITY_CLASS)
}

/// The parts that the three classes have in common.
fn common(name: &'static CStr) -> ClassBuilder<Queue> {
    class_of::<Queue>(name)
        .subclassable()
        .init_by(initialise)
        .repr_by(repr)
        .str_by(str)
}

/// `_init`, `_put` and `_get` of the class whose discipline the function returns.
///
/// The discipline is a function and not a value because the table of methods is made of functions
/// without a state, each compiled for its class.
fn discipline<D>(discipline: D) -> [Method<Queue>; 3]
where
    D: Fn() -> Discipline + Copy + 'static,
{
    [
        one(
            c"_init",
            move |this: &QueueRef, _maxsize: &Object| {
                this.get().items.initialise(discipline());
                Ok(Object::none())
            },
            c"_init($self, maxsize, /)\n--\n\nCreate an empty store for the items.",
        ),
        one(
            c"_put",
            move |this: &QueueRef, item: &Object| {
                let items = &this.get().items;
                items.put(this, discipline(), item.clone())?;
                Ok(Object::none())
            },
            c"_put($self, item, /)\n--\n\nAdd an item to the store.",
        ),
        noargs(
            c"_get",
            move |this: &QueueRef| this.get().items.take(this, discipline()),
            c"_get($self, /)\n--\n\nRemove an item from the store and return it.",
        ),
    ]
}

/// `put`, `get` and `join` are leaves, as they only make an awaitable; the others may call methods
/// of a subclass.
fn methods() -> Vec<Method<Queue>> {
    vec![
        of_class(
            c"__class_getitem__",
            Object::generic_alias,
            c"__class_getitem__($cls, type, /)\n--\n\n\
              Return an alias for type checkers: Queue[int] is a queue of ints.",
        ),
        noargs(
            c"qsize",
            qsize,
            c"qsize($self, /)\n--\n\nReturn the number of items in the queue.",
        ),
        noargs(
            c"empty",
            empty,
            c"empty($self, /)\n--\n\nReturn whether the queue is empty.",
        ),
        noargs(
            c"full",
            full,
            c"full($self, /)\n--\n\n\
              Return whether the queue is full, which one without a maxsize never is.",
        ),
        leaf_fast(
            c"put",
            put,
            c"put($self, item)\n--\n\n\
              Put an item into the queue; wait for a free slot if it is full.\n\n\
              From Python 3.13 on it raises QueueShutDown once the queue is shut down. A put \
              that is cancelled while it waits has put nothing.",
        ),
        fast(
            c"put_nowait",
            put_nowait,
            c"put_nowait($self, item)\n--\n\nPut an item into the queue, or raise QueueFull.",
        ),
        leaf_noargs(
            c"get",
            get,
            c"get($self, /)\n--\n\n\
              Remove and return an item; wait for one if the queue is empty.\n\n\
              Waiting tasks are woken in the order of their calls. A get that is cancelled \
              has taken no item.",
        ),
        noargs(
            c"get_nowait",
            get_nowait,
            c"get_nowait($self, /)\n--\n\nRemove and return an item, or raise QueueEmpty.",
        ),
        noargs(
            c"task_done",
            task_done,
            c"task_done($self, /)\n--\n\n\
              Report one item as processed, for join(); raise ValueError if all are.",
        ),
        leaf_noargs(
            c"join",
            join,
            c"join($self, /)\n--\n\n\
              Wait until every item that was put into the queue is processed.\n\n\
              It counts items by put() and task_done(); an empty queue is not enough.",
        ),
        #[cfg(Py_3_13)]
        fast(
            c"shutdown",
            shutdown,
            c"shutdown($self, immediate=False)\n--\n\n\
              Shut the queue down: put() raises QueueShutDown, and so does get() once the queue \
              is empty; immediate drops the items that are left.",
        ),
        noargs(
            c"_format",
            format,
            c"_format($self, /)\n--\n\nReturn the queue's state as text, for its repr.",
        ),
        noargs(
            c"_get_loop",
            get_loop,
            c"_get_loop($self, /)\n--\n\n\
              Return the running loop, which the queue is bound to from the first call on.",
        ),
        one(
            c"_wakeup_next",
            wakeup_next,
            c"_wakeup_next($self, waiters, /)\n--\n\n\
              Wake the first of the waiters that is still waiting.",
        ),
    ]
}

/// A second call makes the queue new: items are dropped, and waiters are forgotten without being
/// woken. What may fail comes first.
///
/// # Errors
/// `TypeError` for wrong arguments, and those of a subclass's `_init`, which is called last.
fn initialise(this: &QueueRef, arguments: Arguments<'_>) -> Result<()> {
    let [maxsize] = arguments.bind(c"Queue.__init__", [&globals().names.maxsize], 1, 0)?;
    let maxsize = match maxsize {
        Some(maxsize) => maxsize.clone(),
        None => 0_i32.into_object()?,
    };
    let store = QueueStore::of(this)?;
    let finished = create_set_event()?;
    let queue = store.queue;
    queue.logic.reset();
    queue.finished.set(finished);
    queue.maxsize.set(maxsize.clone());
    if store.overrides.has(OverriddenMethod::Init) {
        return store.call_with(OverriddenMethod::Init, &maxsize).map(drop);
    }
    queue.items.initialise(store.overrides.init);
    Ok(())
}

/// `len(self._queue)`.
fn qsize(this: &QueueRef) -> Result<Object> {
    this.get().items.len(this)?.into_object()
}

/// `not self._queue`, which for a store of a subclass's is its own truth.
fn empty(this: &QueueRef) -> Result<Object> {
    this.get().items.is_empty(this).map(Object::boolean)
}

/// Not by an override of `full`, which may have called it by `super()`.
fn full(this: &QueueRef) -> Result<Object> {
    QueueStore::of(this)?.is_full_itself().map(Object::boolean)
}

/// As asyncio's it calls `self.full()` and `self._put(item)`, where those are overridden.
fn put_nowait(this: &QueueRef, arguments: Arguments<'_>) -> Result<Object> {
    let item = item_of(arguments, c"Queue.put_nowait")?;
    QueueStore::of(this)?.put_nowait(item.clone())?;
    Ok(Object::none())
}

/// As asyncio's it calls `self.empty()` and `self._get()`, where those are overridden.
fn get_nowait(this: &QueueRef) -> Result<Object> {
    QueueStore::of(this)?.get_nowait()
}

/// `task_done()`, which wakes the waiters of `join` when it was the last item.
///
/// # Errors
/// `ValueError` if no item is unfinished.
fn task_done(this: &QueueRef) -> Result<Object> {
    let store = QueueStore::of(this)?;
    let finished = store.finished()?;
    let outcome = store.queue.logic.task_done(&finished.get().state)?;
    outcome.map_err(|NothingUnfinished| {
        let class = ExceptionClass::ValueError;
        raise(class, c"task_done() called too many times")
    })?;
    Ok(Object::none())
}

/// `shutdown(immediate=False)`. The waiters of `put`, and those of `get` that have nothing to wait
/// for, raise `QueueShutDown`.
///
/// With `immediate` the items are taken out one by one, by `_get` if it is overridden, and count as
/// done. All waiters are woken, and find out in the next turn.
#[cfg(Py_3_13)]
fn shutdown(this: &QueueRef, arguments: Arguments<'_>) -> Result<Object> {
    let [immediate] = arguments.bind(c"Queue.shutdown", [&globals().names.immediate], 1, 0)?;
    let immediate = immediate.map_or(Ok(false), Object::is_true)?;
    let store = QueueStore::of(this)?;
    let finished = store.finished()?;
    let event = &finished.get().state;
    store.queue.logic.shut_down(&store, event, immediate)?;
    Ok(Object::none())
}

/// # Errors
/// `RuntimeError` if the queue is bound to another loop.
fn get_loop(this: &QueueRef) -> Result<Object> {
    this.get().bound.running_loop(this)
}

/// `_wakeup_next(waiters)`, for subclasses that have further ways to put and get.
///
/// Our own view is taken apart natively; a deque of futures in asyncio's way.
fn wakeup_next(_this: &QueueRef, waiters: &Object) -> Result<Object> {
    if let Some(view) = WAITERS.exactly(waiters) {
        view.get().wake_next()?;
        return Ok(Object::none());
    }
    // A subclass may keep its own waiters in any object.
    let names = &globals().names;
    while waiters.is_true()? {
        let waiter = waiters.invoke(&names.popleft, [])?;
        if !waiter.invoke(&names.done, [])?.is_true()? {
            waiter.invoke(&names.set_result, [&Object::none()])?;
            break;
        }
    }
    Ok(Object::none())
}
