//! The class `TaskGroup` as Python sees it.
//!
//! The attributes with an underscore are asyncio's. Libraries read them, and subclasses set them.

use greenloop_core::WaitList as _;
use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, Held as _, Object, Result, Slot, attached, attribute, class_of, copied, fast, init,
    noargs, one, set_state, state_of, type_error, unary,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::children::{create_task, on_child_done};
use super::exit::{cancel, enter, exit};
use super::{TaskGroup, abort_children, ends_the_program, of};
use crate::awaitable::Awaitable;
use crate::scopes::running_rules::rules;

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let [] = arguments.bind(c"TaskGroup.__init__", [], 0, 0)?;
    let group = of(this);
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

fn repr_slot(this: &Object) -> Result<Object> {
    let text = describe(of(this))?;
    making::text(&text)
}

/// The text of the repr: the number of tasks and errors, and the state.
fn describe(group: &TaskGroup) -> Result<String> {
    let mut info = vec!["<TaskGroup".to_owned()];
    if !group.tasks.is_empty() {
        info.push(format!("tasks={}", group.tasks.len()));
    }
    if group.has_errors()? {
        let py = attached();
        let errors = group.errors.get_or_none().bound(py).len()?;
        info.push(format!("errors={errors}"));
    }
    if group.aborting.get() {
        info.push("cancelling".to_owned());
    } else if group.entered.get() {
        info.push("entered".to_owned());
    }
    Ok(info.join(" ") + ">")
}

fn on_task_done(this: &Object, task: &Object) -> Result<Object> {
    on_child_done(this, task)?;
    Ok(Object::none())
}

fn abort(this: &Object) -> Result<Object> {
    abort_children(this)?;
    Ok(Object::none())
}

fn is_base_error(_this: &Object, exception: &Object) -> Result<Object> {
    ends_the_program(exception).map(Object::boolean)
}

/// An attribute that is true or false.
macro_rules! flag {
    ($name:literal, $field:ident) => {{
        fn read(this: &Object) -> Result<Object> {
            Ok(Object::boolean(of(this).$field.get()))
        }
        fn write(this: &Object, value: Option<&Object>) -> Result<()> {
            of(this)
                .$field
                .set(value.map_or(Ok(false), Object::is_true)?);
            Ok(())
        }
        attribute!($name, read, write)
    }};
}

/// An attribute that is an object or None.
macro_rules! object {
    ($name:literal, $field:ident) => {{
        fn read(this: &Object) -> Result<Object> {
            Ok(of(this).$field.get_or_none())
        }
        fn write(this: &Object, value: Option<&Object>) -> Result<()> {
            set_slot(&of(this).$field, value);
            Ok(())
        }
        attribute!($name, read, write)
    }};
}

fn set_slot(slot: &Slot, value: Option<&Object>) {
    slot.set_optional(value.filter(|value| !value.is_none()).cloned());
}

fn tasks(this: &Object) -> Result<Object> {
    of(this).tasks.as_set()
}

fn set_tasks(this: &Object, value: Option<&Object>) -> Result<()> {
    // SAFETY: `value` is a valid object.
    let set = value.filter(|value| unsafe { ffi::PySet_Check(value.as_ptr()) } != 0);
    let set = set.ok_or_else(|| type_error("a group's tasks must be a set"))?;
    of(this).tasks.replace(set.clone());
    Ok(())
}

fn errors(this: &Object) -> Result<Object> {
    of(this).errors()
}

fn set_errors(this: &Object, value: Option<&Object>) -> Result<()> {
    of(this)
        .errors
        .set(value.cloned().unwrap_or_else(Object::none));
    Ok(())
}

/// The object that the exit waits for: a future, or an awaitable that answers as one.
fn on_completed(this: &Object) -> Result<Object> {
    let exit = of(this).completed.first();
    Ok(exit.map_or_else(Object::none, |exit| Awaitable::shown(&exit)))
}

/// The attributes of asyncio's groups, in the order in which it makes them.
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
fn getstate(this: &Object) -> Result<Object> {
    state_of(this, ATTRIBUTES)
}

/// `__setstate__(state)`. Nobody leaves a copy, so nothing is completed there.
fn setstate(this: &Object, state: &Object) -> Result<Object> {
    set_state(this, state, |_, name, _| Ok(name == "_on_completed_fut"))?;
    Ok(Object::none())
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    let mut methods = vec![
        noargs!(
            c"__aenter__",
            enter,
            c"Enter the group, as the child of the current task."
        ),
        fast!(
            c"__aexit__",
            exit,
            c"Wait for all tasks of the group; raise their exceptions as an exception group."
        ),
        #[cfg(Py_3_14)]
        fast!(
            c"create_task",
            create_task,
            c"create_task($self, /, coro, **kwargs)\n--\n\n\
             Create a new task in this group and return it.\n\nSimilar to `asyncio.create_task`."
        ),
        #[cfg(not(Py_3_14))]
        fast!(
            c"create_task",
            create_task,
            c"create_task($self, /, coro, *, name=None, context=None)\n--\n\n\
             Create a new task in this group and return it.\n\nSimilar to `asyncio.create_task`."
        ),
        one!(
            c"_on_task_done",
            on_task_done,
            c"Remove a task that is done, and abort the group if it failed."
        ),
        noargs!(c"_abort", abort, c"Cancel all tasks of the group."),
        one!(
            c"_is_base_error",
            is_base_error,
            c"Return whether an exception is a SystemExit or a KeyboardInterrupt."
        ),
    ];
    methods.extend(copied!(getstate, setstate));
    let mut attributes = vec![
        flag!(c"_entered", entered),
        flag!(c"_exiting", exiting),
        flag!(c"_aborting", aborting),
        flag!(c"_parent_cancel_requested", parent_cancel_requested),
        object!(c"_loop", event_loop),
        object!(c"_parent_task", parent_task),
        object!(c"_base_error", base_error),
        attribute!(c"_tasks", tasks, set_tasks),
        attribute!(c"_errors", errors, set_errors),
        attribute!(c"_on_completed_fut", on_completed),
    ];
    if rules().group.can_be_cancelled {
        methods.push(noargs!(
            c"cancel",
            cancel,
            c"Cancel all tasks and the body of the group, which then ends without an exception."
        ));
        attributes.push(flag!(c"_cancel_on_enter", cancel_on_enter));
    }
    class_of::<TaskGroup>(c"greenloop.TaskGroup")
        .subclassable()
        .doc(
            c"TaskGroup()\n--\n\n\
             An asynchronous context manager for a group of tasks; see asyncio.TaskGroup.",
        )
        .init(init!(initialise))
        .repr(unary!(repr_slot))
        .methods(methods)
        .attributes(attributes)
        .build(None)
}
