//! The fields of `_asyncio.Task` that others read in a task's memory (3.14+): its name, its
//! coroutine, and the tasks that await it.
//!
//! `python -m asyncio ps` reads the memory of another process, so no override of ours can answer
//! for them; and a single registered task without a name makes it fail for the whole process.
//! greenback replaces a task's coroutine at the first place in memory where it finds it. So the
//! coroutine is in the base's field alone, and steps read it there. The fields' offsets are those
//! of CPython 3.14 and 3.15. They are verified at import with one of asyncio's own tasks. If they
//! do not hold, the base's fields are left alone, the coroutine is in our own field, and that
//! command shows none of our tasks.

#![cfg(Py_3_14)]

use std::cell::Cell;
use std::mem::offset_of;
use std::sync::atomic::{AtomicUsize, Ordering};

use greenloop_cpython::making::{self, ByName as _, Enter as _, IntoObject as _};
use greenloop_cpython::{Native, Object, Result, Slot};
use pyo3::prelude::*;

use super::{CLASS, Task};
use crate::asyncio::globals;
use crate::future::PENDING;

/// The part of `_asyncio.Task` of a GIL build that is written here.
#[repr(C)]
struct BaseTask {
    /// The object's header and a future's fields, which are left alone.
    before: [u8; 96],
    /// The task that awaits this one, or the set of several.
    awaited_by: Slot,
    state: [u8; 4],
    /// Tells other processes that the struct is a task's and no future's.
    is_task: Cell<bool>,
    awaited_by_is_set: Cell<bool>,
    between: [u8; 18],
    coroutine: Slot,
    /// The task's name, or the number from which it is made at the first request.
    name: Slot,
}

const _: () = assert!(offset_of!(BaseTask, awaited_by) == 96);
const _: () = assert!(offset_of!(BaseTask, is_task) == 108);
const _: () = assert!(offset_of!(BaseTask, awaited_by_is_set) == 109);
const _: () = assert!(offset_of!(BaseTask, coroutine) == 128);
const _: () = assert!(offset_of!(BaseTask, name) == 136);

/// The offset of a task's coroutine in bytes: of the base's field if the offsets hold, else of
/// ours. An offset costs a step one addition, where a flag would cost a branch.
static COROUTINE: AtomicUsize = AtomicUsize::new(offset_of!(Task, coroutine));

/// Decided once, at import, and the same for all tasks.
pub fn are_known() -> bool {
    COROUTINE.load(Ordering::Relaxed) == offset_of!(BaseTask, coroutine)
}

/// The field in which a task's coroutine stands.
#[inline]
pub fn coroutine(task: &Task) -> &Slot {
    // SAFETY: at either offset a task has a slot: a field of ours, or one of the base's that was
    // verified. The base's fields are an `UnsafeCell`, and they live as long as the task.
    unsafe {
        let task = std::ptr::from_ref(task);
        &*task
            .byte_add(COROUTINE.load(Ordering::Relaxed))
            .cast::<Slot>()
    }
}

/// The base's fields of a task.
fn base(task: &Native<Task>) -> &BaseTask {
    // SAFETY: our struct begins with the base's, whose places have been verified.
    unsafe { &*std::ptr::from_ref(task.get()).cast::<BaseTask>() }
}

/// Compares the places with a task of asyncio's.
///
/// Makes a task and a future of asyncio's on a stand-in for a loop, and compares what is at the
/// offsets with what they were given. Nothing of them remains: the task is silent, and its
/// coroutine is closed.
pub fn verify(py: Python<'_>) -> PyResult<()> {
    let code = c"import types
async def nothing(): pass
coroutine = nothing()
loop = types.SimpleNamespace(get_debug=bool, call_soon=lambda *_, **__: None)
";
    let names = making::dict(py)?;
    py.run(code, Some(&names), None)?;
    let item = |name: &str| -> PyResult<Bound<'_, PyAny>> { names.as_any().get_item(name) };
    let (coroutine, event_loop) = (item("coroutine")?, item("loop")?);
    let keywords = making::dict(py)?;
    keywords.enter("loop", &event_loop)?;
    let class = globals().asyncio.task.bound(py);
    let future = Object::from(
        globals()
            .asyncio
            .future
            .bound(py)
            .invoke_with((), &keywords)?,
    );
    let name = making::text("greenloop's look at a task")?;
    keywords.enter("name", &name)?;
    let task = Object::from(class.invoke_with((&coroutine,), &keywords)?);
    let add_waiter = &globals().asyncio.add_to_awaited_by;
    let awaited_by = offset_of!(BaseTask, awaited_by);
    add_waiter.call([&task, &future])?;
    let one = word_at(&task, awaited_by) == future.as_ptr().addr() && byte_at(&task, 109) == 0;
    add_waiter.call([&task, &task])?;
    let several = word_at(&task, awaited_by) != future.as_ptr().addr() && byte_at(&task, 109) == 1;
    for waiter in [&future, &task] {
        let discard_waiter = &globals().asyncio.discard_from_awaited_by;
        discard_waiter.call([&task, waiter])?;
    }
    let size: usize = class.look_up(c"__basicsize__")?.extract()?;
    let known = size >= size_of::<BaseTask>()
        && word_at(&task, offset_of!(BaseTask, coroutine)) == coroutine.as_ptr().addr()
        && word_at(&task, offset_of!(BaseTask, name)) == name.as_ptr().addr()
        && (one && several)
        && byte_at(&task, 108) == 1
        && byte_at(&future, 108) == 0;
    if known {
        COROUTINE.store(offset_of!(BaseTask, coroutine), Ordering::Relaxed);
    }
    task.bound(py).put(c"_log_destroy_pending", false)?;
    coroutine.invoke_method(c"close", ())?;
    Ok(())
}

/// The pointer that an object has at an offset in bytes.
fn word_at(object: &Object, offset: usize) -> usize {
    // SAFETY: the class's struct is larger than the offset, which the caller has seen to.
    unsafe { *object.as_ptr().byte_add(offset).cast::<usize>() }
}

/// The byte that an object has at an offset in bytes.
fn byte_at(object: &Object, offset: usize) -> u8 {
    // SAFETY: both classes' structs are larger than the offset, which the caller has seen to.
    unsafe { *object.as_ptr().cast::<u8>().add(offset) }
}

/// Fills the other fields of a task that is about to be registered. The base class clears them.
///
/// A task without a name gets its number, an int, from which asyncio makes `Task-7` when it is
/// asked.
pub fn fill(task: &Native<Task>, name: &Slot, number: u64) -> Result<()> {
    if !are_known() {
        return Ok(());
    }
    let base = base(task);
    base.is_task.set(true);
    match name.get() {
        Some(name) => base.name.set(name),
        None => base.name.set(number.into_object()?),
    }
    Ok(())
}

/// Notes that a task of any class awaits this one, unless this one is done.
///
/// `asyncio.capture_call_graph` would find out without it, but another process cannot ask. A second
/// waiter takes a set, for which there may be no memory.
#[inline]
pub fn add_waiter(task: &Native<Task>, waiter: Object) -> Result<()> {
    if !are_known() || task.get().future.state() != PENDING {
        return Ok(());
    }
    let awaited_by = &base(task).awaited_by;
    if awaited_by.is_empty() && CLASS.exactly(&waiter).is_some() {
        awaited_by.fill(waiter);
        return Ok(());
    }
    add_another(task, &waiter)
}

/// A second waiter, or one of a class that asyncio may not know.
#[cold]
fn add_another(task: &Native<Task>, waiter: &Object) -> Result<()> {
    if waiter.is(base(task).awaited_by.as_ptr()) {
        return Ok(());
    }
    let add = &globals().asyncio.add_to_awaited_by;
    add.call([task, waiter]).map(drop)
}

/// Nobody awaits a task that is done.
#[inline]
pub fn forget_waiters(task: &Native<Task>) {
    if !are_known() {
        return;
    }
    let base = base(task);
    if !base.awaited_by.is_empty() {
        base.awaited_by_is_set.set(false);
        base.awaited_by.clear();
    }
}

/// Follows `set_name`.
///
/// Without it another process would see the old name.
pub fn rename(task: &Native<Task>, name: &Object) {
    if are_known() {
        base(task).name.set(name.clone());
    }
}
