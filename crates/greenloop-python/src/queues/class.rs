//! The classes `Queue`, `LifoQueue` and `PriorityQueue`.

use greenloop_cpython::making::IntoObject as _;
use std::ffi::{CStr, c_void};

use greenloop_core::sync::NothingUnfinished;
use greenloop_cpython::{
    Arguments, ClassBuilder, ExceptionClass, Object, Result, call_method, class_of, copied, fast,
    init, method_o, noargs, one, raise,
};
use pyo3::ffi;

use super::attributes::attributes;
use super::copying::{getstate, setstate};
use super::description::{format, repr_slot, str_slot};
use super::overrides::{Discipline, Method};
use super::queue::{Face, Queue};
use super::waiting::{get, item_of, join, put};
use crate::asyncio::globals;
use crate::sync::{Waiters, create_set_event, event_of};

/// `_init`, `_put` and `_get` of one of the classes.
macro_rules! discipline {
    ($discipline:expr) => {{
        fn init(this: &Object, _maxsize: &Object) -> Result<Object> {
            Queue::of(this).items.initialise($discipline)?;
            Ok(Object::none())
        }
        fn put(this: &Object, item: &Object) -> Result<Object> {
            let items = &Queue::of(this).items;
            items.put(this, $discipline, item.clone())?;
            Ok(Object::none())
        }
        fn take(this: &Object) -> Result<Object> {
            Queue::of(this).items.take(this, $discipline)
        }
        vec![
            one!(
                c"_init",
                init,
                c"_init($self, maxsize, /)\n--\n\nCreate an empty store for the items."
            ),
            one!(
                c"_put",
                put,
                c"_put($self, item, /)\n--\n\nAdd an item to the store."
            ),
            noargs!(
                c"_get",
                take,
                c"_get($self, /)\n--\n\nRemove an item from the store and return it."
            ),
        ]
    }};
}

/// Makes `Queue`.
pub fn make_class() -> Result<Object> {
    let mut methods = methods();
    methods.extend(discipline!(Discipline::Fifo));
    methods.extend(copied!(getstate, setstate));
    common(c"greenloop.Queue", methods)
        .doc(
            c"Queue(maxsize=0)\n--\n\n\
             A queue between tasks, first in, first out; see asyncio.Queue.",
        )
        .attributes(attributes())
        .build(None)
}

/// Makes `LifoQueue`.
pub fn make_lifo_class(base: &Object) -> Result<Object> {
    common(c"greenloop.LifoQueue", discipline!(Discipline::Lifo))
        .doc(
            c"LifoQueue(maxsize=0)\n--\n\n\
             A queue between tasks, last in, first out; see asyncio.LifoQueue.",
        )
        .build(Some(base))
}

/// Makes `PriorityQueue`.
pub fn make_priority_class(base: &Object) -> Result<Object> {
    common(
        c"greenloop.PriorityQueue",
        discipline!(Discipline::Priority),
    )
    .doc(
        c"PriorityQueue(maxsize=0)\n--\n\n\
             A queue between tasks, the smallest item first; see asyncio.PriorityQueue.",
    )
    .build(Some(base))
}

/// The parts that the three classes have in common.
fn common(name: &'static CStr, methods: Vec<ffi::PyMethodDef>) -> ClassBuilder {
    class_of::<Queue>(name)
        .subclassable()
        .init(init!(initialise_queue))
        .slot(ffi::Py_tp_repr, repr_slot as *mut c_void)
        .slot(ffi::Py_tp_str, str_slot as *mut c_void)
        .methods(methods)
}

/// `Queue[int]`.
unsafe extern "C" fn class_getitem(
    class: *mut ffi::PyObject,
    item: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called as a class method with an argument.
    unsafe { ffi::Py_GenericAlias(class, item) }
}

fn methods() -> Vec<ffi::PyMethodDef> {
    let generic = ffi::PyMethodDef {
        ml_flags: ffi::METH_O | ffi::METH_CLASS,
        ..method_o(
            c"__class_getitem__",
            class_getitem,
            c"__class_getitem__($cls, type, /)\n--\n\n\
              Return an alias for type checkers: Queue[int] is a queue of ints.",
        )
    };
    vec![
        generic,
        noargs!(
            c"qsize",
            qsize,
            c"qsize($self, /)\n--\n\nReturn the number of items in the queue."
        ),
        noargs!(
            c"empty",
            empty,
            c"empty($self, /)\n--\n\nReturn whether the queue is empty."
        ),
        noargs!(
            c"full",
            full,
            c"full($self, /)\n--\n\n\
              Return whether the queue is full, which one without a maxsize never is."
        ),
        fast!(
            leaf c"put",
            put,
            c"put($self, item)\n--\n\n\
              Put an item into the queue; wait for a free slot if it is full."
        ),
        fast!(
            c"put_nowait",
            put_nowait,
            c"put_nowait($self, item)\n--\n\nPut an item into the queue, or raise QueueFull."
        ),
        noargs!(
            leaf c"get",
            get,
            c"get($self, /)\n--\n\nRemove and return an item; wait for one if the queue is empty."
        ),
        noargs!(
            c"get_nowait",
            get_nowait,
            c"get_nowait($self, /)\n--\n\nRemove and return an item, or raise QueueEmpty."
        ),
        noargs!(
            c"task_done",
            task_done,
            c"task_done($self, /)\n--\n\n\
              Report one item as processed, for join(); raise ValueError if all are."
        ),
        noargs!(
            leaf c"join",
            join,
            c"join($self, /)\n--\n\n\
              Wait until every item that was put into the queue is processed."
        ),
        #[cfg(Py_3_13)]
        fast!(
            c"shutdown",
            shutdown,
            c"shutdown($self, immediate=False)\n--\n\n\
              Shut the queue down: put() raises QueueShutDown, and so does get() once the queue \
              is empty; immediate drops the items that are left."
        ),
        noargs!(
            c"_format",
            format,
            c"_format($self, /)\n--\n\nReturn the queue's state as text, for its repr."
        ),
        noargs!(
            c"_get_loop",
            get_loop,
            c"_get_loop($self, /)\n--\n\n\
              Return the running loop, which the queue is bound to from the first call on."
        ),
        one!(
            c"_wakeup_next",
            wakeup_next,
            c"_wakeup_next($self, waiters, /)\n--\n\n\
              Wake the first of the waiters that is still waiting."
        ),
    ]
}

/// `__init__(maxsize=0)`. A second call empties the queue and forgets its waiters.
fn initialise_queue(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let [maxsize] = arguments.bind(c"Queue.__init__", [&globals().names.maxsize], 1, 0)?;
    let maxsize = match maxsize {
        Some(maxsize) => maxsize.clone(),
        None => 0_i32.into_object()?,
    };
    let face = Face::of(this)?;
    let finished = create_set_event()?;
    let queue = face.queue;
    queue.logic.reset();
    queue.finished.set(finished);
    queue.maxsize.set(maxsize.clone());
    if face.overrides.has(Method::Init) {
        return face.call_with(Method::Init, &maxsize).map(drop);
    }
    queue.items.initialise(face.overrides.init)
}

fn qsize(this: &Object) -> Result<Object> {
    let items = Queue::of(this).items.len(this)?;
    items.into_object()
}

fn empty(this: &Object) -> Result<Object> {
    Queue::of(this).items.is_empty(this).map(Object::boolean)
}

fn full(this: &Object) -> Result<Object> {
    Face::of(this)?.is_full_itself().map(Object::boolean)
}

fn put_nowait(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let item = item_of(arguments, c"Queue.put_nowait")?;
    Face::of(this)?.put_nowait(item.clone())?;
    Ok(Object::none())
}

fn get_nowait(this: &Object) -> Result<Object> {
    Face::of(this)?.get_nowait()
}

/// `task_done()`, which wakes the waiters of `join` when it was the last item.
fn task_done(this: &Object) -> Result<Object> {
    let face = Face::of(this)?;
    let finished = face.finished()?;
    let event = &event_of(&finished).state;
    let outcome = face.queue.logic.task_done(event)?;
    outcome.map_err(|NothingUnfinished| {
        let class = ExceptionClass::ValueError;
        raise(class, c"task_done() called too many times")
    })?;
    Ok(Object::none())
}

/// `shutdown(immediate=False)`. The waiters of `put`, and those of `get` that have nothing to wait
/// for, raise `QueueShutDown`.
#[cfg(Py_3_13)]
fn shutdown(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let [immediate] = arguments.bind(c"Queue.shutdown", [&globals().names.immediate], 1, 0)?;
    let immediate = immediate.map_or(Ok(false), Object::is_true)?;
    let face = Face::of(this)?;
    let finished = face.finished()?;
    let event = &event_of(&finished).state;
    face.queue.logic.shut_down(&face, event, immediate)?;
    Ok(Object::none())
}

fn get_loop(this: &Object) -> Result<Object> {
    Queue::of(this).bound.running_loop(this)
}

/// `_wakeup_next(waiters)`, for subclasses that have further ways to put and get.
fn wakeup_next(_this: &Object, waiters: &Object) -> Result<Object> {
    if Waiters::is_view(waiters) {
        Waiters::wake_next(waiters)?;
        return Ok(Object::none());
    }
    // A subclass may keep its own waiters in any object.
    let names = &globals().names;
    while waiters.is_true()? {
        let waiter = call_method(&names.popleft, &[waiters.as_ptr()])?;
        if !call_method(&names.done, &[waiter.as_ptr()])?.is_true()? {
            let none = Object::none();
            call_method(&names.set_result, &[waiter.as_ptr(), none.as_ptr()])?;
            break;
        }
    }
    Ok(Object::none())
}
