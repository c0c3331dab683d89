//! `as_completed`: awaitables in the order of their completion.
//!
//! Up to 3.12 it is a generator, which begins at its first `next`. From 3.13 on it begins at once
//! and can also be iterated over asynchronously, which gives the futures themselves. One class does
//! both.
//!
//! Completed futures are put in a queue, and the awaitables that the iterator yields wait for its
//! next entry. An entry of `None` means that the time is over.
//!
//! ```text
//!    begin            todo: all futures      queue: empty       left: how many there are
//!    future is done   todo less one          queue: the future
//!    time is over     todo: empty            queue: a None for each that is not done
//!    next             an awaitable that takes the next entry of the queue, and left less one
//! ```
//! There are exactly as many entries in the end as awaitables were given out, so each gets one, and
//! one without a future raises `TimeoutError`.

use std::cell::Cell;

use greenloop_core::observe::WaitKind;
use greenloop_cpython::making;
use greenloop_cpython::{
    Anything, Arguments, Class, ExceptionClass, Held, Native, NativeSlot, Object, Raised, Result,
    Slot, Visited, Visitor, attached, class_of, fast, noargs, one, raise_bare, raise_value,
    readonly, restore, thrown, type_error, visit_slots,
};
use pyo3::prelude::*;

use super::awaited_by;
use super::ensure_future::{Home, as_future, current_loop};
use crate::any_future;
use crate::asyncio::edition::AS_COMPLETED_IS_ASYNC;
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::future::{notify_when_done, stop_notifying};
use crate::observing::Wait;
use crate::queues::{self, QUEUE, Queue, QueueRef};
use crate::scheduler::Notification;

/// The class.
///
/// From Python 3.13 on asyncio has such a class; before, it has a generator, for which this stands.
pub static CLASS: Class<AsCompleted> = Class::new();

/// The iterator.
pub struct AsCompleted {
    /// The arguments, until the iterator begins.
    ///
    /// Always empty from Python 3.13 on, where the iterator begins in the call.
    given: Slot,
    /// In seconds, until the iterator begins; empty for None.
    timeout: Slot,
    /// The queue of the futures that are done.
    ///
    /// Its awaitables hold it by themselves, so they work after the iterator has gone.
    done: NativeSlot<Queue>,
    /// The set of those that are not.
    ///
    /// Emptied when the time is over.
    todo: Slot,
    /// How many awaitables are still to be given out.
    left: Cell<usize>,
    /// The timer's handle, set if there is a timeout and a future.
    handle: Slot,
    /// The task that began the iteration, from 3.14 on.
    task: Slot,
}

impl AsCompleted {
    const fn slots(&self) -> [&Slot; 5] {
        [
            &self.given,
            &self.timeout,
            &self.todo,
            &self.handle,
            &self.task,
        ]
    }

    /// Makes futures of the arguments, and waits for all of them.
    ///
    /// Coroutines become tasks, in the order of the set that removes duplicates, which is arbitrary
    /// as in asyncio. Iterating over the argument is user code.
    ///
    /// # Errors
    /// Those of `ensure_future` and of the iteration, and those of asyncio's `get_event_loop`.
    fn begin(this: &Native<Self>, given: &Object, timeout: Option<&Object>) -> Result<()> {
        let state = this.get();
        let globals = globals();
        let done = queues::create()?;
        let home = Home::new(current_loop()?);
        let task = awaited_by::current_task(None)?;
        let distinct = making::set_of(given)?;
        let todo = making::set()?;
        for object in items(&distinct)? {
            let future = as_future(&object, Some(&home))?;
            todo.set_add(&future)?;
        }
        let futures = items(&todo)?;
        // Nothing of the iterator is changed before all of that has been found to be right.
        state.task.set_optional(task.clone());
        state.done.set(done);
        for future in &futures {
            notify_when_done(future, &FUTURE_IS_DONE, this)?;
            awaited_by::add(future, task.as_ref())?;
        }
        if let (Some(timeout), false) = (timeout, futures.is_empty()) {
            let function = this.attribute(&globals.names.handle_timeout)?;
            let event_loop = home.event_loop();
            let handle = event_loop.invoke(&globals.names.call_later, [timeout, &function])?;
            state.handle.set(handle);
        }
        state.todo.set(todo);
        state.left.set(futures.len());
        Ok(())
    }

    /// Counts one awaitable less to return. Returns whether there was one.
    fn take_one(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// The queue has no limit and wakes the awaitable that waits longest.
    fn put(&self, item: &Object) -> Result<()> {
        match self.done.get() {
            Some(queue) => queues::put_nowait(&queue, item.clone()),
            // The garbage collector has cleared the iterator.
            None => Ok(()),
        }
    }
}

// SAFETY: the iterator's slots and the slot of its queue are shown once each.
unsafe impl Held for AsCompleted {
    fn new() -> Self {
        Self {
            given: Slot::empty(),
            timeout: Slot::empty(),
            done: NativeSlot::empty(),
            todo: Slot::empty(),
            left: Cell::new(0),
            handle: Slot::empty(),
            task: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())?;
        self.done.visit(visitor)
    }

    fn clear(&self) {
        self.done.clear();
        for slot in self.slots() {
            slot.clear();
        }
    }
}

/// `as_completed(fs, *, timeout=None)`.
///
/// # Errors
/// `TypeError` for a single awaitable: in the call from Python 3.13 on, before at the first `next`.
pub fn as_completed(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.fs, &names.timeout];
    let [given, timeout] = arguments.bind(c"as_completed", parameters, 1, 1)?;
    let none = Object::none();
    let given = given.unwrap_or(&none);
    let timeout = timeout.filter(|timeout| !timeout.is_none());
    if AS_COMPLETED_IS_ASYNC {
        refuse_awaitable(given)?;
    }
    let iterator = CLASS.create()?;
    if AS_COMPLETED_IS_ASYNC {
        AsCompleted::begin(&iterator, given, timeout)?;
    } else {
        let state = iterator.get();
        state.given.set(given.clone());
        state.timeout.set_optional(timeout.cloned());
    }
    Ok(iterator.into_object())
}

/// The name is shown in the futures' reprs.
static FUTURE_IS_DONE: Notification = Notification::named(
    if AS_COMPLETED_IS_ASYNC {
        c"_AsCompletedIterator._handle_completion"
    } else {
        c"as_completed.<locals>._on_completion"
    },
    |iterator, future| match CLASS.instance(iterator) {
        Some(iterator) => future_is_done(iterator, future),
        None => Ok(()),
    },
);

/// One awaitable is not several.
///
/// Anything that `inspect.isawaitable` knows is refused; before `as_completed` was a class, only
/// futures and coroutines were. The usual collections need no question.
fn refuse_awaitable(given: &Object) -> Result<()> {
    if given.is_plain_collection() {
        return Ok(());
    }
    let (refused, expected) = if AS_COMPLETED_IS_ASYNC {
        let refused = globals().asyncio.isawaitable.call([given])?.is_true()?;
        (refused, "expects an iterable of awaitables")
    } else {
        let refused = any_future::is_future(given)? || crate::awaitable::is_coroutine(given)?;
        (refused, "expect an iterable of futures")
    };
    if refused {
        let class = making::class_name(given)?;
        return Err(type_error(&format!("{expected}, not {class}")));
    }
    Ok(())
}

/// One of the futures is done.
///
/// Called in the turn after the future's end. The last one cancels the timer.
///
/// # Errors
/// `KeyError` for a future that is not awaited, which only a program that calls asyncio's private
/// methods can cause.
fn future_is_done(this: &Native<AsCompleted>, future: &Object) -> Result<()> {
    let state = this.get();
    let todo = state.todo.get_or_none();
    if todo.set_size() == 0 {
        // The time was over before.
        return Ok(());
    }
    if !todo.set_discard(future)? {
        return Err(key_error(future));
    }
    awaited_by::discard(future, state.task.get().as_ref())?;
    state.put(future)?;
    if todo.set_size() == 0 {
        if let Some(handle) = state.handle.get() {
            handle.invoke(&globals().names.cancel, [])?;
        }
    }
    Ok(())
}

/// The time is over: the waiters are notified, once for each future that is not done.
///
/// Called by the loop's timer. The futures are not cancelled.
fn handle_timeout(this: &Native<AsCompleted>) -> Result<Object> {
    let state = this.get();
    let todo = state.todo.get_or_none();
    if todo.is_none() {
        return Ok(todo);
    }
    let task = state.task.get();
    for future in items(&todo)? {
        stop_notifying(&future, &FUTURE_IS_DONE, this)?;
        awaited_by::discard(&future, task.as_ref())?;
        state.put(&Object::none())?;
    }
    todo.set_clear()?;
    Ok(Object::none())
}

/// The awaitables of plain iteration, which wait for the next future in the queue and return its
/// result.
///
/// A task that waits in one and is cancelled takes nothing out of the queue.
static RESULT: Operation<QueueRef> = Operation {
    name: if AS_COMPLETED_IS_ASYNC {
        c"_AsCompletedIterator._wait_for_one"
    } else {
        c"as_completed.<locals>._wait_for_one"
    },
    start: |this, queue| result_of(queues::try_to_get(this, queue)?),
    resume: |this, queue| result_of(queues::try_to_get(this, queue)?),
    interrupt: queues::stop_getting,
    waits: |_, _| Some(Wait::of(WaitKind::Wait)),
    inside: |_| &[c"Queue.get"],
    behind: None,
};

/// The awaitable of asynchronous iteration, for the next future that is done. Once it has begun,
/// its `value` holds the queue that it waits at: another `__init__` gives the iterator a new one.
static NEXT: Operation<Native<AsCompleted>> = Operation {
    name: c"_AsCompletedIterator.__anext__",
    start: |this, iterator| {
        let state = iterator.get();
        let queue = state.take_one().then(|| state.done.get()).flatten();
        let queue = queue.ok_or_else(|| raise_bare(ExceptionClass::StopAsyncIteration))?;
        let item = queues::try_to_get(this, &queue)?;
        this.get().value().set(queue.into_object());
        future_of(item)
    },
    resume: |this, _| {
        let value = this.get().value().get_or_none();
        match QUEUE.instance(&value) {
            Some(queue) => future_of(queues::try_to_get(this, queue)?),
            None => Err(raise_bare(ExceptionClass::StopAsyncIteration)),
        }
    },
    interrupt: |this, _, exception| {
        let value = this.get().value().get_or_none();
        match QUEUE.instance(&value) {
            Some(queue) => queues::stop_getting(this, queue, exception),
            None => Err(restore(exception)),
        }
    },
    waits: |_, _| Some(Wait::of(WaitKind::Wait)),
    inside: |_| &[c"_AsCompletedIterator._wait_for_one", c"Queue.get"],
    behind: None,
};

/// The future that came out of the queue, if one did.
///
/// # Errors
/// `TimeoutError` for an entry that says that the time is over.
fn future_of(item: Progress) -> Result<Progress> {
    match item {
        Progress::Returned(item) if item.is_none() => {
            Err(raise_bare(&globals().asyncio.timeout_error))
        }
        future_or_wait => Ok(future_or_wait),
    }
}

/// The result of the future that an item stands for, or its exception.
fn result_of(item: Progress) -> Result<Progress> {
    match future_of(item)? {
        Progress::Returned(future) => any_future::result_of(&future).map(Progress::Returned),
        wait => Ok(wait),
    }
}

/// The next awaitable, if there is one.
///
/// `None` ends the iteration. It never waits: the awaitable does.
fn advance(this: &Native<AsCompleted>) -> Result<Option<Object>> {
    let state = this.get();
    if let Some(given) = state.given.take() {
        refuse_awaitable(&given)?;
        AsCompleted::begin(this, &given, state.timeout.take().as_ref())?;
    }
    let queue = state.take_one().then(|| state.done.get()).flatten();
    let awaitable = queue.map(|queue| Awaitable::create(&RESULT, &queue, None));
    awaitable.transpose()
}

/// Programs call it through the class `_AsCompletedIterator` only.
fn initialise(this: &Native<AsCompleted>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let parameters = [&names.aws, &names.timeout];
    let [given, timeout] = arguments.bind(c"_AsCompletedIterator.__init__", parameters, 2, 2)?;
    let none = Object::none();
    let timeout = timeout.filter(|timeout| !timeout.is_none());
    AsCompleted::begin(this, given.unwrap_or(&none), timeout)
}

/// `send(value)` of the generator: the next awaitable, or `StopIteration` where the iteration ends.
fn send(this: &Native<AsCompleted>, _value: &Object) -> Result<Object> {
    let awaitable = advance(this)?;
    awaitable.ok_or_else(|| raise_bare(ExceptionClass::StopIteration))
}

/// A generator that is at a `yield` without a `try` ends with the exception.
fn throw(this: &Native<AsCompleted>, arguments: Arguments<'_>) -> Result<Object> {
    let exception = thrown(arguments.positional())?;
    close(this)?;
    Err(restore(exception))
}

/// `close()` of the generator: it gives nothing more, and the futures run on.
fn close(this: &Native<AsCompleted>) -> Result<Object> {
    let state = this.get();
    state.given.clear();
    state.left.set(0);
    Ok(Object::none())
}

/// The items of a set, as they are now.
///
/// A copy, since the set may change while code runs.
fn items(set: &Object) -> Result<Vec<Object>> {
    let py = attached();
    let items = set.bound(py).try_iter()?;
    items.map(|item| Ok(item?.into())).collect()
}

/// What `set.remove` raises.
fn key_error(key: &Object) -> Raised {
    raise_value(ExceptionClass::KeyError, key)
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    let class = class_of::<AsCompleted>(c"greenloop._AsCompletedIterator")
        .doc(c"The iterator that as_completed() returns.")
        .iter_by(|this| Ok(this.clone().into_object()))
        .next_by(advance)
        .methods([noargs(
            c"_handle_timeout",
            handle_timeout,
            c"Stop waiting for the futures that are not done.",
        )]);
    if AS_COMPLETED_IS_ASYNC {
        return class
            .subclassable()
            .init_by(initialise)
            .aiter_by(|this| Ok(this.clone().into_object()))
            .anext_by(|this| Awaitable::create(&NEXT, this, None))
            .attributes([
                readonly(c"_todo", |this: &Native<AsCompleted>| {
                    Ok(this.get().todo.get_or_none())
                }),
                readonly(c"_done", |this: &Native<AsCompleted>| {
                    Ok(this.get().done.get_or_none())
                }),
            ])
            .build_into(&CLASS);
    }
    // A generator's methods.
    class
        .not_callable()
        .methods([
            one(
                c"send",
                send,
                c"send($self, value, /)\n--\n\nReturn the next awaitable; the value is ignored.",
            ),
            fast(
                c"throw",
                throw,
                c"throw($self, type, value=None, traceback=None, /)\n--\n\n\
                  Raise an exception and end the iteration.",
            ),
            noargs(c"close", close, c"End the iteration."),
        ])
        .build_into(&CLASS)
}
