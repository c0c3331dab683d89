//! `as_completed`: awaitables in the order of their completion.
//!
//! Up to 3.12 it is a generator, which begins at its first `next`. From 3.13 on it begins at once
//! and can also be iterated over asynchronously, which gives the futures themselves. One class does
//! both.
//!
//! Completed futures are put in a queue, and the awaitables that the iterator yields wait for its
//! next entry. An entry of `None` means that the time is over.

use std::cell::Cell;
use std::ffi::c_void;

#[cfg(Py_3_13)]
use greenloop_cpython::call_function;
use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, ExceptionClass, Held, Instance, Object, Raised, Result, Slot, Visited, Visitor,
    attached, attribute, call_method, class_of, fast, init, is_raised, noargs, one, raise_bare,
    raise_value, restore, thrown, trap, type_error, visit_slots,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::ensure_future::{Home, as_future, current_loop};
use super::{awaited_by, is_collection};
use crate::any_future;
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::future::{notify_when_done, stop_notifying};
use crate::queues;
use crate::scheduler::Notification;

/// The iterator.
struct AsCompleted {
    /// The arguments, until the iterator begins.
    given: Slot,
    timeout: Slot,
    /// The queue of the futures that are done.
    done: Slot,
    /// The set of those that are not.
    todo: Slot,
    /// How many awaitables are still to be given out.
    left: Cell<usize>,
    handle: Slot,
    /// The task that began the iteration, from 3.14 on.
    task: Slot,
}

impl AsCompleted {
    fn of(object: &Object) -> &Self {
        Instance::<Self>::of(object)
    }

    const fn slots(&self) -> [&Slot; 6] {
        [
            &self.given,
            &self.timeout,
            &self.done,
            &self.todo,
            &self.handle,
            &self.task,
        ]
    }

    /// Makes futures of the arguments, and waits for all of them.
    fn begin(this: &Object, given: &Object, timeout: Option<&Object>) -> Result<()> {
        let state = Self::of(this);
        let globals = globals();
        let done = queues::create()?;
        let home = Home::new(current_loop()?);
        let task = awaited_by::current_task(None)?;
        let distinct = making::set_of(given)?;
        let todo = making::set()?;
        for object in items(&distinct)? {
            let future = as_future(&object, Some(&home))?;
            // SAFETY: both are valid, the first a set.
            if unsafe { ffi::PySet_Add(todo.as_ptr(), future.as_ptr()) } < 0 {
                return Err(Raised);
            }
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
            let event_loop = home.event_loop().as_ptr();
            let arguments = [event_loop, timeout.as_ptr(), function.as_ptr()];
            state
                .handle
                .set(call_method(&globals.names.call_later, &arguments)?);
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

    fn put(&self, item: &Object) -> Result<()> {
        queues::put_nowait(&self.done.get_or_none(), item.clone())
    }
}

impl Held for AsCompleted {
    fn new() -> Self {
        Self {
            given: Slot::empty(),
            timeout: Slot::empty(),
            done: Slot::empty(),
            todo: Slot::empty(),
            left: Cell::new(0),
            handle: Slot::empty(),
            task: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, self.slots())
    }

    fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
    }
}

/// `as_completed(fs, *, timeout=None)`.
pub fn as_completed(_module: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.fs, &names.timeout];
    let [given, timeout] = arguments.bind(c"as_completed", parameters, 1, 1)?;
    let none = Object::none();
    let given = given.unwrap_or(&none);
    let timeout = timeout.filter(|timeout| !timeout.is_none());
    if cfg!(Py_3_13) {
        refuse_awaitable(given)?;
    }
    let iterator = Instance::<AsCompleted>::create(&globals().classes.as_completed_iterator)?;
    if cfg!(Py_3_13) {
        AsCompleted::begin(&iterator, given, timeout)?;
    } else {
        let state = AsCompleted::of(&iterator);
        state.given.set(given.clone());
        state.timeout.set_optional(timeout.cloned());
    }
    Ok(iterator)
}

static FUTURE_IS_DONE: Notification = Notification::named(
    if cfg!(Py_3_13) {
        c"_AsCompletedIterator._handle_completion"
    } else {
        c"as_completed.<locals>._on_completion"
    },
    future_is_done,
);

/// One awaitable is not several.
#[cfg(Py_3_13)]
fn refuse_awaitable(given: &Object) -> Result<()> {
    if is_collection(given) {
        return Ok(());
    }
    if call_function(&globals().asyncio.isawaitable, &[given.as_ptr()])?.is_true()? {
        let class = making::class_name(given)?;
        let text = format!("expects an iterable of awaitables, not {class}");
        return Err(type_error(&text));
    }
    Ok(())
}

/// One awaitable is not several.
#[cfg(not(Py_3_13))]
fn refuse_awaitable(given: &Object) -> Result<()> {
    if !is_collection(given)
        && (any_future::is_future(given)? || crate::asyncio::is_coroutine(given)?)
    {
        let class = making::class_name(given)?;
        let text = format!("expect an iterable of futures, not {class}");
        return Err(type_error(&text));
    }
    Ok(())
}

/// One of the futures is done.
fn future_is_done(this: &Object, future: &Object) -> Result<()> {
    let state = AsCompleted::of(this);
    let todo = state.todo.get_or_none();
    if todo.is_none() || is_empty(&todo) {
        // The time was over before.
        return Ok(());
    }
    // SAFETY: both are valid, the first a set.
    match unsafe { ffi::PySet_Discard(todo.as_ptr(), future.as_ptr()) } {
        -1 => return Err(Raised),
        0 => return Err(key_error(future)),
        _ => {}
    }
    awaited_by::discard(future, state.task.get().as_ref())?;
    state.put(future)?;
    if is_empty(&todo) {
        if let Some(handle) = state.handle.get() {
            call_method(&globals().names.cancel, &[handle.as_ptr()])?;
        }
    }
    Ok(())
}

/// The time is over: the waiters are notified, once for each future that is not done.
fn handle_timeout(this: &Object) -> Result<Object> {
    let state = AsCompleted::of(this);
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
    // SAFETY: `todo` is a set.
    if unsafe { ffi::PySet_Clear(todo.as_ptr()) } < 0 {
        return Err(Raised);
    }
    Ok(Object::none())
}

/// The awaitables of plain iteration, which wait for the next future in the queue and return its
/// result.
static RESULT: Operation = Operation {
    name: if cfg!(Py_3_13) {
        c"_AsCompletedIterator._wait_for_one"
    } else {
        c"as_completed.<locals>._wait_for_one"
    },
    start: |this| result_of(queues::try_to_get(this)?),
    resume: |this| result_of(queues::try_to_get(this)?),
    interrupt: queues::stop_getting,
    behind: None,
};

/// The awaitable of asynchronous iteration, for the next future that is done. Its owner is the
/// iterator until it begins, and then the queue.
static NEXT: Operation = Operation {
    name: c"_AsCompletedIterator.__anext__",
    start: |this| {
        let owner = Awaitable::of(this).owner();
        let iterator = owner.get_or_none();
        let state = AsCompleted::of(&iterator);
        if state.take_one() {
            owner.set_optional(state.done.get());
            return future_of(queues::try_to_get(this)?);
        }
        Err(raise_bare(ExceptionClass::StopAsyncIteration))
    },
    resume: |this| future_of(queues::try_to_get(this)?),
    interrupt: queues::stop_getting,
    behind: None,
};

/// The future that came out of the queue, if one did.
fn future_of(item: Progress) -> Result<Progress> {
    match item {
        Progress::Returned(item) if item.is_none() => {
            // SAFETY: the class is a valid exception class.
            unsafe { ffi::PyErr_SetNone(globals().asyncio.timeout_error.as_ptr()) };
            Err(Raised)
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

unsafe extern "C" fn iterate(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a valid iterator.
    unsafe { Object::from_borrowed(this) }.into_ptr()
}

unsafe extern "C" fn next(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid iterator, borrowed for the call.
        advance(unsafe { &*(&raw const this).cast::<Object>() })
    })
}

/// NULL without an exception says that there is nothing more.
fn advance(this: &Object) -> Result<Object> {
    let state = AsCompleted::of(this);
    if let Some(given) = state.given.take() {
        refuse_awaitable(&given)?;
        AsCompleted::begin(this, &given, state.timeout.take().as_ref())?;
    }
    if state.take_one() {
        Awaitable::create(&RESULT, &state.done.get_or_none(), None)
    } else {
        Err(Raised)
    }
}

unsafe extern "C" fn next_asynchronously(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid iterator, borrowed for the call.
        Awaitable::create(&NEXT, unsafe { &*(&raw const this).cast::<Object>() }, None)
    })
}

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let parameters = [&names.aws, &names.timeout];
    let [given, timeout] = arguments.bind(c"_AsCompletedIterator.__init__", parameters, 2, 2)?;
    let none = Object::none();
    let timeout = timeout.filter(|timeout| !timeout.is_none());
    AsCompleted::begin(this, given.unwrap_or(&none), timeout)
}

/// `send(value)` of the generator: the next awaitable, or `StopIteration` where the iteration ends.
fn send(this: &Object, _value: &Object) -> Result<Object> {
    match advance(this) {
        Err(raised) => {
            if !is_raised() {
                return Err(raise_bare(ExceptionClass::StopIteration));
            }
            Err(raised)
        }
        awaitable => awaitable,
    }
}

fn throw(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let exception = thrown(arguments.positional())?;
    close(this)?;
    Err(restore(exception))
}

/// `close()` of the generator: it gives nothing more, and the futures run on.
fn close(this: &Object) -> Result<Object> {
    let state = AsCompleted::of(this);
    state.given.clear();
    state.left.set(0);
    Ok(Object::none())
}

/// The items of a set, as they are now.
fn items(set: &Object) -> Result<Vec<Object>> {
    let py = attached();
    let items = set.bound(py).try_iter()?;
    items.map(|item| Ok(item?.into())).collect()
}

fn is_empty(set: &Object) -> bool {
    // SAFETY: `set` is a set.
    unsafe { ffi::PySet_Size(set.as_ptr()) == 0 }
}

fn key_error(key: &Object) -> Raised {
    raise_value(ExceptionClass::KeyError, key)
}

fn attribute_todo(this: &Object) -> Result<Object> {
    Ok(AsCompleted::of(this).todo.get_or_none())
}

fn attribute_done(this: &Object) -> Result<Object> {
    Ok(AsCompleted::of(this).done.get_or_none())
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    let class = class_of::<AsCompleted>(c"greenloop._AsCompletedIterator")
        .doc(c"The iterator that as_completed() returns.")
        .slot(ffi::Py_tp_iter, iterate as *mut c_void)
        .slot(ffi::Py_tp_iternext, next as *mut c_void);
    let timeout = noargs!(
        c"_handle_timeout",
        handle_timeout,
        c"Stop waiting for the futures that are not done."
    );
    if cfg!(Py_3_13) {
        return class
            .subclassable()
            .init(init!(initialise))
            .slot(ffi::Py_am_aiter, iterate as *mut c_void)
            .slot(ffi::Py_am_anext, next_asynchronously as *mut c_void)
            .methods(vec![timeout])
            .attributes(vec![
                attribute!(c"_todo", attribute_todo),
                attribute!(c"_done", attribute_done),
            ])
            .build(None);
    }
    // A generator's methods.
    let methods = vec![
        timeout,
        one!(
            c"send",
            send,
            c"send($self, value, /)\n--\n\nReturn the next awaitable; the value is ignored."
        ),
        fast!(
            c"throw",
            throw,
            c"throw($self, typ, val=None, tb=None, /)\n--\n\n\
              Raise an exception and end the iteration."
        ),
        noargs!(c"close", close, c"End the iteration."),
    ];
    class.not_callable().methods(methods).build(None)
}
