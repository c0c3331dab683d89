//! The current task: the one whose step this thread runs, and the one in asyncio's own record.
//!
//! asyncio enters and leaves a task at each step; together that costs 30 to 45 ns. Here the entry
//! is only written, and left in place until something other than one of our steps is about to run.
//! The next step overwrites it, and [`CurrentTask::clear`] removes it before plain callbacks,
//! before the loop waits and when it ends. No code can see the stale entry, because nothing else
//! runs in between. asyncio's entry alone holds the task.
//!
//! Two places name a task, and they differ when tasks nest: the thread's own note of whose
//! coroutine runs ([`stepping`]), which only awaitables read, and asyncio's record, which programs
//! read. An eager task that starts inside another's step, or a task of asyncio's own, changes the
//! record; the check [`is_recorded`] tells.

use std::cell::Cell;
use std::ptr;

#[cfg(not(Py_3_14))]
use greenloop_cpython::DictEntry;
#[cfg(Py_3_14)]
use greenloop_cpython::swap_current_task;
use greenloop_cpython::{Native, Object, Result, Slot};

use super::TaskKind;
use crate::asyncio::globals;

thread_local! {
    /// The native task whose coroutine this thread runs, borrowed: its step holds it.
    static STEPPING: Cell<*const Native<TaskKind>> = const { Cell::new(ptr::null()) };
}

/// The native task whose coroutine runs on this thread, innermost first, which receives the
/// awaitables that it awaits.
///
/// None in plain callbacks and where no loop runs. A task of asyncio's own that starts eagerly
/// inside a step does not change it. Costs a new reference.
#[inline]
pub fn stepping() -> Option<Native<TaskKind>> {
    with_stepping(|task| Some(task?.clone()))
}

/// Shows `look` the task that [`stepping`] returns, without a new reference.
#[inline]
pub fn with_stepping<R>(look: impl FnOnce(Option<&Native<TaskKind>>) -> R) -> R {
    // SAFETY: `within` holds the reference until its body has ended, of which this call is a part,
    // and resets it however it ends.
    look(unsafe { STEPPING.get().as_ref() })
}

/// Runs `body` as a part of `task`'s step.
///
/// Steps nest where a coroutine starts an eager task or runs another loop; the previous note is put
/// back in the end.
#[inline]
pub fn within<R>(task: &Native<TaskKind>, body: impl FnOnce() -> R) -> R {
    // Looked up once: in a library that is loaded at run time that is a call.
    STEPPING.with(|stepping| {
        let _before = Before(stepping, stepping.replace(task));
        body()
    })
}

/// Runs `body` outside any task's step: a loop that runs inside another one's task.
///
/// Without it an awaitable that the inner loop drives outside any native step would take the outer
/// task for its receiver.
pub fn away<R>(body: impl FnOnce() -> R) -> R {
    STEPPING.with(|stepping| {
        let _before = Before(stepping, stepping.replace(ptr::null()));
        body()
    })
}

/// The task whose step goes on when the inner one ends, even by a panic.
struct Before<'a>(&'a Cell<*const Native<TaskKind>>, *const Native<TaskKind>);

impl Drop for Before<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

/// The entry that one loop has written into asyncio's record.
pub struct CurrentTask {
    /// Set while the record names a native task as the loop's current one.
    any: Cell<bool>,
    #[cfg(not(Py_3_14))]
    place: DictEntry,
}

impl CurrentTask {
    /// No entry yet.
    pub const fn nothing() -> Self {
        Self {
            any: Cell::new(false),
            #[cfg(not(Py_3_14))]
            place: DictEntry::unknown(),
        }
    }

    /// Makes `task` the current task of `event_loop`, which runs.
    #[inline]
    pub fn set(&self, event_loop: &Slot, task: &Object) -> Result<()> {
        self.write(event_loop, task)?;
        self.any.set(true);
        Ok(())
    }

    /// Leaves no task current on `event_loop`.
    #[inline]
    pub fn clear(&self, event_loop: &Slot) -> Result<()> {
        if self.any.replace(false) {
            return remove(event_loop);
        }
        Ok(())
    }

    /// CPython 3.11 to 3.13 keep the current tasks in a dictionary with the loops as keys.
    #[cfg(not(Py_3_14))]
    #[inline]
    fn write(&self, event_loop: &Slot, task: &Object) -> Result<()> {
        // SAFETY: the slot of a loop that runs goes on holding it: it is emptied at the run's end.
        let key = unsafe { event_loop.borrowed_or_none() };
        self.place.put(&globals().current_tasks, &key, task)
    }

    /// CPython 3.14 and later keep it in the thread's state.
    #[cfg(Py_3_14)]
    #[inline]
    #[expect(
        clippy::unused_self,
        reason = "older versions keep the place of the entry"
    )]
    fn write(&self, event_loop: &Slot, task: &Object) -> Result<()> {
        swap(&event_loop.get_or_none(), Some(task)).map(drop)
    }
}

/// Leaves a record alone from which somebody else has removed the task, as nested loops do.
#[cfg(not(Py_3_14))]
#[cold]
fn remove(event_loop: &Slot) -> Result<()> {
    globals().current_tasks.remove(&event_loop.get_or_none())
}

#[cfg(Py_3_14)]
fn remove(event_loop: &Slot) -> Result<()> {
    swap(&event_loop.get_or_none(), None).map(drop)
}

/// Whether asyncio's own record names `task` as the current one of `event_loop`.
#[cfg(not(Py_3_14))]
#[inline]
pub fn is_recorded(event_loop: &Slot, task: &Object) -> Result<bool> {
    // SAFETY: the slot of a task that runs goes on holding its loop.
    let key = unsafe { event_loop.borrowed_or_none() };
    let recorded = globals().current_tasks.get(&key)?;
    Ok(recorded.is_some_and(|recorded| recorded.is(task.as_ptr())))
}

/// Whether asyncio's own record names `task` as the current one of `event_loop`.
#[cfg(Py_3_14)]
#[inline]
pub fn is_recorded(event_loop: &Slot, task: &Object) -> Result<bool> {
    let current_task = &globals().asyncio.current_task;
    let recorded = current_task.call([&event_loop.get_or_none()])?;
    Ok(task.is(recorded.as_ptr()))
}

/// Makes another task, or none, the current one and returns the one before, for an eager task that
/// runs inside another task's step.
#[cfg(Py_3_12)]
pub fn swap(event_loop: &Object, task: Option<&Object>) -> Result<Option<Object>> {
    #[cfg(Py_3_14)]
    if let Some(before) = swap_current_task(event_loop, task) {
        return Ok(before);
    }
    let none = Object::none();
    let swap = &globals().asyncio.swap_current_task;
    let old = swap.call([event_loop, task.unwrap_or(&none)])?;
    Ok(Some(old).filter(|old| !old.is_none()))
}
