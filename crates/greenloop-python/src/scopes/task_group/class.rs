//! The class `TaskGroup` as Python sees it.
//!
//! The attributes with an underscore are asyncio's. Libraries read them, and subclasses set them.
//!
//! A subclass may replace `_on_task_done`, `_abort` and `_is_base_error`; the methods of those
//! names here are what it reaches by `super()`, and so do the work themselves.
//!
//! Which methods and attributes exist depends on the running asyncio: `cancel` is there only if its
//! class has it.

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_core::WaitList as _;
use greenloop_cpython::{
    Arguments, Attribute, Held as _, Object, Result, Slot, attribute, class_of, copied, fast,
    making, noargs, one, readonly, set_state, state_of, type_error,
};

use super::children::{create_task, on_child_done};
use super::exit::{cancel, enter, exit};
use super::{CLASS, GroupRef, TaskGroup, abort_children, ends_the_program};
use crate::asyncio::edition::{CREATE_TASK_SHOWS_KWARGS, edition};
use crate::awaitable::Awaitable;

/// A second call makes the group new, whatever its children do.
fn initialise(this: &GroupRef, arguments: Arguments<'_>) -> Result<()> {
    let [] = arguments.bind(c"TaskGroup.__init__", [], 0, 0)?;
    let group = this.get();
    for flag in [
        &group.entered,
        &group.exiting,
        &group.aborting,
        &group.parent_cancel_requested,
        &group.cancel_on_enter,
    ] {
        flag.set(false);
    }
    group.clear();
    Ok(())
}

fn repr(this: &GroupRef) -> Result<Object> {
    let text = describe(this.get())?;
    making::text(&text)
}

/// The text of the repr: the number of tasks and errors, and the state.
///
/// The words and their order are those of `TaskGroup.__repr__`.
fn describe(group: &TaskGroup) -> Result<String> {
    let mut info = vec!["<TaskGroup".to_owned()];
    if !group.tasks.is_empty() {
        info.push(format!("tasks={}", group.tasks.len()));
    }
    if group.has_errors()? {
        let errors = group.errors.get_or_none().size()?;
        info.push(format!("errors={errors}"));
    }
    if group.aborting.get() {
        info.push("cancelling".to_owned());
    } else if group.entered.get() {
        info.push("entered".to_owned());
    }
    Ok(info.join(" ") + ">")
}

/// Called by a subclass's override, or as a done-callback.
fn on_task_done(this: &GroupRef, task: &Object) -> Result<Object> {
    on_child_done(this, task)?;
    Ok(Object::none())
}

fn abort(this: &GroupRef) -> Result<Object> {
    abort_children(this)?;
    Ok(Object::none())
}

/// # Errors
/// `AssertionError` for what is no exception.
fn is_base_error(_this: &GroupRef, exception: &Object) -> Result<Object> {
    ends_the_program(exception).map(Object::boolean)
}

/// An attribute that is true or false.
///
/// Deleting it sets it to false: there is no state without it.
fn flag<F>(name: &'static CStr, field: F) -> Attribute<TaskGroup>
where
    F: Fn(&TaskGroup) -> &Cell<bool> + Copy + 'static,
{
    attribute(
        name,
        move |this: &GroupRef| Ok(Object::boolean(field(this.get()).get())),
        move |this: &GroupRef, value: Option<&Object>| {
            field(this.get()).set(value.map_or(Ok(false), Object::is_true)?);
            Ok(())
        },
    )
}

/// An attribute that is an object or None.
///
/// None and deletion empty the slot.
fn object<F>(name: &'static CStr, field: F) -> Attribute<TaskGroup>
where
    F: Fn(&TaskGroup) -> &Slot + Copy + 'static,
{
    attribute(
        name,
        move |this: &GroupRef| Ok(field(this.get()).get_or_none()),
        move |this: &GroupRef, value: Option<&Object>| {
            set_slot(field(this.get()), value);
            Ok(())
        },
    )
}

fn set_slot(slot: &Slot, value: Option<&Object>) {
    slot.set_optional(value.filter(|value| !value.is_none()).cloned());
}

/// The set is the roster from then on, so that a program that changes it changes the group.
fn tasks(this: &GroupRef) -> Result<Object> {
    this.get().tasks.as_set()
}

/// # Errors
/// `TypeError` for anything but a set, on whose methods the roster relies.
fn set_tasks(this: &GroupRef, value: Option<&Object>) -> Result<()> {
    let set = value.filter(|value| value.is_set());
    let set = set.ok_or_else(|| type_error("a group's tasks must be a set"))?;
    this.get().tasks.replace(set.clone());
    Ok(())
}

/// A list, which is made at the first look, or None after the group has ended.
fn errors(this: &GroupRef) -> Result<Object> {
    this.get().errors()
}

/// Any object: an `append` is called on it for each error.
fn set_errors(this: &GroupRef, value: Option<&Object>) -> Result<()> {
    this.get()
        .errors
        .set(value.cloned().unwrap_or_else(Object::none));
    Ok(())
}

/// The object that the exit waits for: a future, or an awaitable that answers as one.
///
/// None while no exit waits.
fn on_completed(this: &GroupRef) -> Result<Object> {
    let exit = this.get().completed.first();
    Ok(exit.map_or_else(Object::none, |exit| Awaitable::shown(&exit)))
}

/// The attributes of asyncio's groups, in the order in which it makes them.
///
/// Those that the class does not have are left out of a copy's state.
const ATTRIBUTES: &[&str] = &[
    "_entered",
    "_exiting",
    "_aborting",
    "_loop",
    "_parent_task",
    "_parent_cancel_requested",
    "_tasks",
    "_errors",
    "_base_error",
    "_on_completed_fut",
    "_cancel_on_enter",
];

/// `__getstate__()`, for objects that have a group among their attributes.
fn getstate(this: &GroupRef) -> Result<Object> {
    state_of(this, ATTRIBUTES)
}

/// `__setstate__(state)`. Nobody leaves a copy, so nothing is completed there.
///
/// The tasks of the original are those of the copy as well, in a set.
fn setstate(this: &GroupRef, state: &Object) -> Result<Object> {
    set_state(this, state, |name, _| Ok(name == "_on_completed_fut"))?;
    Ok(Object::none())
}

/// Makes the class.
///
/// `rules` have to be readable by now: asyncio is imported.
pub fn make_class() -> Result<()> {
    let mut class = class_of::<TaskGroup>(c"greenloop.TaskGroup")
        .subclassable()
        .doc(
            c"TaskGroup()\n--\n\n\
             An asynchronous context manager for a group of tasks; see asyncio.TaskGroup.\n\n\
             The exit waits for all tasks. If one fails, the others are cancelled, and all \
             errors are raised together as an exception group.",
        )
        .init_by(initialise)
        .repr_by(repr)
        .methods([
            noargs(
                c"__aenter__",
                enter,
                c"Enter the group, as the child of the current task.",
            ),
            fast(
                c"__aexit__",
                exit,
                c"Wait for all tasks of the group; raise their exceptions as an exception group.",
            ),
            fast(
                c"create_task",
                create_task,
                if CREATE_TASK_SHOWS_KWARGS {
                    c"create_task($self, /, coro, **kwargs)\n--\n\n\
                     Create a new task in this group and return it.\n\n\
                     Similar to `asyncio.create_task`."
                } else {
                    c"create_task($self, /, coro, *, name=None, context=None)\n--\n\n\
                     Create a new task in this group and return it.\n\n\
                     Similar to `asyncio.create_task`."
                },
            ),
            one(
                c"_on_task_done",
                on_task_done,
                c"Remove a task that is done, and abort the group if it failed.",
            ),
            noargs(c"_abort", abort, c"Cancel all tasks of the group."),
            one(
                c"_is_base_error",
                is_base_error,
                c"Return whether an exception is a SystemExit or a KeyboardInterrupt.",
            ),
        ])
        .methods(copied(getstate, setstate))
        .attributes([
            flag(c"_entered", |group| &group.entered),
            flag(c"_exiting", |group| &group.exiting),
            flag(c"_aborting", |group| &group.aborting),
            flag(c"_parent_cancel_requested", |group| {
                &group.parent_cancel_requested
            }),
            object(c"_loop", |group| &group.event_loop),
            object(c"_parent_task", |group| &group.parent_task),
            object(c"_base_error", |group| &group.base_error),
            attribute(c"_tasks", tasks, set_tasks),
            attribute(c"_errors", errors, set_errors),
            readonly(c"_on_completed_fut", on_completed),
        ]);
    if edition().group.can_be_cancelled {
        class = class
            .methods([noargs(
                c"cancel",
                cancel,
                c"Cancel all tasks and the body of the group, \
                  which then ends without an exception.",
            )])
            .attributes([flag(c"_cancel_on_enter", |group| &group.cancel_on_enter)]);
    }
    class.build_into(&CLASS)
}
