//! A group's children: their creation, and the group's reaction when one is done.
//!
//! ```text
//!    create_task ──► refused? ──► the loop makes the task ──► roster, notification
//!    the task is done ──► off the roster ──┬ it was the last: wake the exit
//!                                          └ it failed: keep the error, abort, cancel the parent
//! ```
//! The order inside of each is asyncio's (`TaskGroup.create_task`, `_on_task_done`), since programs
//! see it through task factories, eager tasks and subclasses.

use greenloop_core::{WaitList as _, WaiterState};
use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{Arguments, Object, Raised, Result, Signature, attached, same_string};

use super::{CLASS, GroupRef, TaskGroup, abort, cancel_parent, is_base_error, is_exact, refusal};
use crate::asyncio::edition::{GroupEdition, edition};
use crate::asyncio::globals;
use crate::event_loop::EventLoop;
use crate::future::{CANCELLED, Future, future_of, notify_when_done};
use crate::scheduler::{Notification, stepping};
use crate::task;

/// `group.create_task(coro, ...)`.
///
/// Returns the new task. A task factory may run it eagerly, so that it is done, or has aborted the
/// group, when this function sees it; the rules say what the running asyncio does then.
///
/// # Errors
/// `RuntimeError` if the group is not entered, is over or is aborting; `TypeError` for wrong
/// arguments; and those of the loop's `create_task`.
pub fn create_task(this: &GroupRef, arguments: Arguments<'_>) -> Result<Object> {
    let group = this.get();
    let edition = &edition().group;
    let coroutine = coroutine(&arguments, edition)?;
    let refused = if !group.entered.get() {
        Some("has not been entered")
    } else if group.exiting.get() && group.tasks.is_empty() {
        Some("is finished")
    } else if group.aborting.get() {
        Some("is shutting down")
    } else {
        None
    };
    if let Some(text) = refused {
        return Err(refuse(this, edition, coroutine, text));
    }
    let task = make_task(group, edition, &arguments)?;
    #[cfg(Py_3_14)]
    show(group, &task)?;
    if edition.sees_eager_tasks && task::is_done(&task)? {
        child_is_done(this, &task)?;
        return Ok(task);
    }
    group.tasks.insert(&task)?;
    if is_exact(this) {
        notify_when_done(&task, &ON_CHILD_DONE, this)?;
    } else {
        let names = &globals().names;
        let callback = this.attribute(&names.on_task_done)?;
        task.invoke(&names.add_done_callback, [&callback])?;
    }
    if edition.cancels_late_tasks && group.aborting.get() && !task::is_done(&task)? {
        task::cancel(&task)?;
    }
    Ok(task)
}

/// The first argument, when all are such as the running asyncio's method takes.
///
/// The short way, for a coroutine alone, is the usual one.
#[inline]
fn coroutine<'a>(arguments: &Arguments<'a>, edition: &GroupEdition) -> Result<&'a Object> {
    match arguments.only() {
        Some(coroutine) => Ok(coroutine),
        None => coroutine_among(arguments, edition),
    }
}

/// The coroutine among the arguments of `create_task`, whose other arguments are the task's.
///
/// # Errors
/// `TypeError` in Python's words for too many, missing or unknown arguments.
#[inline(never)]
fn coroutine_among<'a>(arguments: &Arguments<'a>, edition: &GroupEdition) -> Result<&'a Object> {
    let (function, names) = (c"TaskGroup.create_task", &globals().names);
    let parameters = [&names.coro, &names.name, &names.context];
    let signature = Signature {
        name: function,
        parameters: &parameters,
        positional: 1,
        required: 1,
    };
    let missing = || signature.missing(&[0]);
    if !edition.takes_keywords {
        let [coroutine, _, _] = arguments.bind(function, parameters, 1, 1)?;
        return coroutine.ok_or_else(missing);
    }
    let by_name = arguments
        .keywords()
        .find(|(keyword, _)| same_string(&names.coro, keyword));
    match (arguments.positional(), by_name) {
        ([], by_name) => by_name.map(|(_, value)| value).ok_or_else(missing),
        ([_, ..], Some((name, _))) => Err(signature.twice(name)),
        ([coroutine], None) => Ok(coroutine),
        (more, None) => Err(signature.too_many(more.len(), 0)),
    }
}

/// The error of `create_task` in a group that takes no more tasks. Newer versions close the
/// coroutine, so that it is not reported as never awaited.
///
/// The error of closing it takes the place of the refusal.
#[cold]
fn refuse(this: &GroupRef, edition: &GroupEdition, coroutine: &Object, text: &str) -> Raised {
    if edition.closes_refused {
        if let Err(raised) = coroutine.invoke(&globals().names.close, []) {
            return raised;
        }
    }
    refusal(this, text)
}

/// `self._loop.create_task(...)`.
///
/// On our loop, in a step of a task of it, the loop's native part is at hand without a look-up. A
/// loop with a task factory or a replaced `create_task` is called by name.
#[inline]
fn make_task(
    group: &TaskGroup,
    edition: &GroupEdition,
    arguments: &Arguments<'_>,
) -> Result<Object> {
    let event_loop = group.event_loop.get_or_none();
    let stepping = stepping();
    let native = match &stepping {
        Some(task) if future_of(task).get().is_on(&event_loop) => {
            EventLoop::of_future(future_of(task).get())
        }
        _ => EventLoop::of(&event_loop),
    };
    let made = native.and_then(|native| native.create_native_task(&event_loop, arguments));
    made.unwrap_or_else(|| make_task_by_name(&event_loop, edition, arguments))
}

/// With the keywords that the running asyncio passes on: a task factory sees them.
///
/// `rules` say whether the name is an argument or is set afterwards.
fn make_task_by_name(
    event_loop: &Object,
    edition: &GroupEdition,
    arguments: &Arguments<'_>,
) -> Result<Object> {
    let names = &globals().names;
    if edition.takes_keywords {
        return arguments.forward(&names.create_task, event_loop);
    }
    let parameters = [&names.coro, &names.name, &names.context];
    let [coroutine, name, context] = arguments.bind(c"create_task", parameters, 1, 1)?;
    let py = attached();
    let (none, keywords) = (Object::none(), making::dict(py)?);
    let coroutine = coroutine.unwrap_or(&none).bound(py);
    let name = name.unwrap_or(&none).bound(py);
    if !edition.names_afterwards {
        keywords.enter(&names.name, &name)?;
    }
    if let Some(context) = context.filter(|context| !context.is_none()) {
        keywords.enter(&names.context, context.bound(py))?;
    }
    let create = event_loop.attribute(&names.create_task)?;
    let task = create.bound(py).invoke_with((coroutine,), &keywords)?;
    if edition.names_afterwards {
        making::import(py, c"asyncio.tasks")?.invoke_method(c"_set_task_name", (&task, name))?;
    }
    Ok(task.into())
}

/// `asyncio.capture_call_graph()` shows that the parent awaits the child, and so does
/// `python -m asyncio pstree`.
///
/// Undone by `hide` when the task is done, and by one of our tasks itself.
#[cfg(Py_3_14)]
fn show(group: &TaskGroup, task: &Object) -> Result<()> {
    let (globals, parent) = (globals(), group.parent_task.get_or_none());
    if let Some(task) = task::CLASS.exactly(task) {
        return task::add_waiter(task, parent);
    }
    let futures = &globals.asyncio.futures;
    let shown = futures.invoke(&globals.names.add_to_awaited_by, [task, &parent]);
    shown.map(drop)
}

/// Takes the edge out by which call graphs show that the parent awaits a task that is not ours.
#[cfg(Py_3_14)]
fn hide(group: &TaskGroup, task: &Object) -> Result<()> {
    if Future::is_native(task) {
        return Ok(());
    }
    let (globals, parent) = (globals(), group.parent_task.get_or_none());
    let futures = &globals.asyncio.futures;
    let hidden = futures.invoke(&globals.names.discard_from_awaited_by, [task, &parent]);
    hidden.map(drop)
}

/// `self._on_task_done(task)`.
///
/// By name for a subclass, which may count its tasks there.
fn child_is_done(this: &GroupRef, task: &Object) -> Result<()> {
    if is_exact(this) {
        return on_child_done(this, task);
    }
    this.invoke(&globals().names.on_task_done, [task]).map(drop)
}

/// A child is done. The group's own task waits for it.
///
/// `parent` lets the call graph find the group's task without an edge for each child.
static ON_CHILD_DONE: Notification = Notification {
    #[cfg(Py_3_14)]
    parent: super::parent_of,
    ..Notification::unnamed(|group, task| match CLASS.instance(group) {
        Some(group) => on_child_done(group, task),
        None => Ok(()),
    })
};

/// Takes a child that is done out of the group, and reacts to its exception.
///
/// Runs in the turn after the child's end, or in `create_task` for a child that is done at once.
/// The exit is woken before the failure is looked at, and runs after this function in any case.
///
/// # Errors
/// Those of foreign tasks' methods, and of an `_abort` or `_is_base_error` that a subclass has.
pub fn on_child_done(this: &GroupRef, task: &Object) -> Result<()> {
    let group = this.get();
    group.tasks.remove(task)?;
    #[cfg(Py_3_14)]
    hide(group, task)?;
    if group.tasks.is_empty() {
        wake_exit(group)?;
    }
    match failure_of(task)? {
        None => Ok(()),
        Some(exception) => on_child_failed(this, task, &exception),
    }
}

/// The last child is done.
///
/// An exit that was cancelled is not woken: it looks at the roster by itself when it runs.
fn wake_exit(group: &TaskGroup) -> Result<()> {
    match group.completed.first() {
        Some(exit) if group.completed.waiter_state(&exit)? == WaiterState::Waiting => {
            group.completed.wake(&exit)
        }
        _ => Ok(()),
    }
}

/// The exception of the child, unless it is a cancellation.
///
/// Asking marks the exception as seen, so that the loop does not log it again.
#[inline]
fn failure_of(task: &Object) -> Result<Option<Object>> {
    if let Some(future) = Future::native(task) {
        let future = future.get();
        return Ok(if future.state() == CANCELLED {
            None
        } else {
            future.seen_exception()
        });
    }
    let names = &globals().names;
    if task.invoke(&names.cancelled, [])?.is_true()? {
        return Ok(None);
    }
    let exception = task.invoke(&names.exception, [])?;
    Ok(Some(exception).filter(|exception| !exception.is_none()))
}

/// A task has failed: keeps its exception, and cancels the other tasks and the parent.
///
/// A group that is aborting, or has cancelled its parent, only collects the error.
#[cold]
fn on_child_failed(this: &GroupRef, task: &Object, exception: &Object) -> Result<()> {
    let group = this.get();
    group.add_error(exception)?;
    if is_base_error(this, exception)? && group.base_error.is_empty() {
        group.base_error.set(exception.clone());
    }
    if task::is_done(&group.parent_task.get_or_none())? {
        return report_orphan(group, task, exception);
    }
    if !group.aborting.get() && !group.parent_cancel_requested.get() {
        // The parent is cancelled to end whatever runs in the group's body. That it was the group
        // which did it is noted, for the exit to take back.
        abort(this)?;
        cancel_parent(this)?;
    }
    Ok(())
}

/// The parent task has ended without waiting for its child.
///
/// Nobody would raise the error then, so the loop's exception handler gets it.
fn report_orphan(group: &TaskGroup, task: &Object, exception: &Object) -> Result<()> {
    let py = attached();
    let names = &globals().names;
    let parent = group.parent_task.get_or_none();
    let message = format!(
        "Task {} has errored out but its parent task {} is already completed",
        making::represented(task)?,
        making::shown(&parent)?
    );
    let context = making::dict(py)?;
    context.enter(&names.message, message)?;
    context.enter(&names.exception, exception.bound(py))?;
    context.enter(&names.task, task.bound(py))?;
    let event_loop = group.event_loop.get_or_none();
    let context = Object::from(context.into_any());
    let reported = event_loop.invoke(&names.call_exception_handler, [&context]);
    reported.map(drop)
}
