//! The class `Task` as Python sees it: its methods and attributes beyond a future's.
//!
//! It follows `_asyncio.Task` of CPython's `Modules/_asynciomodule.c`. The methods of a future come
//! from `future_methods`; those that a task refuses or does in another way are put over them.

use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, ClassBuilder, ExceptionClass, Native, Object, Raised, Result, attribute, fast,
    leaf_noargs, noargs, one, raise, readonly,
};

use super::cancellation::cancel_task;
use super::creation::Start;
use super::{CLASS, Task, context_of};
use crate::asyncio::edition::{TASKS_SHOW_CONTEXT, TASKS_START_EAGERLY};
use crate::asyncio::globals;
use crate::future::{
    Beginning, NATIVE, cannot_delete, future_attributes, future_methods, iterate, parse_message,
};

/// `Task.__init__(coro, *, loop=None, name=None, context=None, eager_start=False)`.
///
/// Programs rarely call it: `create_task` goes to `Task::create`. Raises a `TypeError` for what is
/// no coroutine, and from 3.15 on a `RuntimeError` for a task that is initialised already.
fn initialise(this: &Native<Task>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let [coroutine, event_loop, name, context, eager] = arguments.bind_natively(
        c"Task",
        [
            &names.coro,
            &names.loop_,
            &names.name,
            &names.context,
            &names.eager_start,
        ],
        1,
        1,
    )?;
    if eager.is_some() && !TASKS_START_EAGERLY {
        return Err(greenloop_cpython::type_error(
            "Task() got an unexpected keyword argument 'eager_start'",
        ));
    }
    let task = this.get();
    task.future.ensure_fresh()?;
    let none = Object::none();
    let coroutine = coroutine.unwrap_or(&none);
    let eager = eager.map_or(Ok(false), Object::is_true)?;
    let start = Start {
        coroutine,
        name,
        context,
        eager,
    };
    // An initialised task is initialised again, once nothing can fail any more.
    let beginning = Beginning::on(event_loop)?;
    let name = task.check(&start)?;
    task.future.begin(beginning);
    task.name.clear();
    Task::begin(this, &start, name)
}

/// `Task.cancel(msg=None)`: see `task/cancellation.rs`. No code of the coroutine runs in this call.
fn cancel(this: &Native<Task>, arguments: Arguments<'_>) -> Result<Object> {
    let message = parse_message(&arguments)?;
    Ok(Object::boolean(cancel_task(this, message)?))
}

/// `Task.cancelling()` (3.11): how many requests were not taken back, by which `timeout` and
/// `TaskGroup` tell whose cancellation it is.
fn cancelling(this: &Native<Task>) -> Result<Object> {
    number(this.get().cancel_requests.get())
}

fn uncancel(this: &Native<Task>) -> Result<Object> {
    number(this.get().uncancel())
}

fn number(number: u32) -> Result<Object> {
    Object::int(number.into())
}

/// The `RuntimeError` of `set_result` and `set_exception`: a task's outcome is its coroutine's.
fn refuse(operation: &str) -> Raised {
    making::runtime_error(&format!("Task does not support {operation} operation"))
}

fn set_result(_this: &Native<Task>, _result: &Object) -> Result<Object> {
    Err(refuse("set_result"))
}

fn set_exception(_this: &Native<Task>, _exception: &Object) -> Result<Object> {
    Err(refuse("set_exception"))
}

fn get_name(this: &Native<Task>) -> Result<Object> {
    this.get().name()
}

/// `Task.set_name(value)`: stores `str(value)`, which may be code of the program.
fn set_name(this: &Native<Task>, name: &Object) -> Result<Object> {
    let name = name.text()?;
    #[cfg(Py_3_14)]
    super::base_fields::rename(this, &name);
    this.get().name.set(name);
    Ok(Object::none())
}

fn get_coro(this: &Native<Task>) -> Result<Object> {
    Ok(this.get().coroutine().get_or_none())
}

fn get_context(this: &Native<Task>) -> Result<Object> {
    context_of(this)
}

/// `Task.get_stack(*, limit=None)`, by asyncio's own function, which reads `_coro` and the frames
/// behind it.
fn get_stack(this: &Native<Task>, arguments: Arguments<'_>) -> Result<Object> {
    let globals = globals();
    let none = Object::none();
    let [limit] = arguments.bind_natively(c"get_stack", [&globals.names.limit], 0, 0)?;
    let limit = limit.unwrap_or(&none);
    globals.asyncio.task_get_stack.call([this, limit])
}

/// `Task.print_stack(*, limit=None, file=None)`, by asyncio's own function.
fn print_stack(this: &Native<Task>, arguments: Arguments<'_>) -> Result<Object> {
    let globals = globals();
    let none = Object::none();
    let parameters = [&globals.names.limit, &globals.names.file];
    let [limit, file] = arguments.bind_natively(c"print_stack", parameters, 0, 0)?;
    let (limit, file) = (limit.unwrap_or(&none), file.unwrap_or(&none));
    let print = &globals.asyncio.task_print_stack;
    print.call([this, limit, file])
}

fn attribute_log_destroy_pending(this: &Native<Task>) -> Result<Object> {
    Ok(Object::boolean(this.get().log_destroy_pending.get()))
}

/// Sets `_log_destroy_pending`. asyncio clears it of tasks whose end somebody else hears of, such
/// as the children of `gather`.
fn set_log_destroy_pending(this: &Native<Task>, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(cannot_delete)?.is_true()?;
    this.get().log_destroy_pending.set(value);
    Ok(())
}

fn attribute_must_cancel(this: &Native<Task>) -> Result<Object> {
    Ok(Object::boolean(this.get().must_cancel.get()))
}

fn attribute_waiter(this: &Native<Task>) -> Result<Object> {
    Ok(this.get().waiter.get_or_none())
}

/// `repr(task)`, by asyncio's function, which shows name, coroutine and what the task waits for.
fn repr(this: &Native<Task>) -> Result<Object> {
    if this.get().future.event_loop().is_empty() {
        let class = ExceptionClass::RuntimeError;
        return Err(raise(class, c"Future object is not initialized."));
    }
    globals().asyncio.task_repr.call([this])
}

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    make_class()?;
    super::gathering_future::make_class()
}

/// Makes the class `Task`.
fn make_class() -> Result<()> {
    let mut methods = vec![
        one(
            c"set_result",
            set_result,
            c"set_result($self, result, /)\n--\n\n\
             Raise RuntimeError: a task sets its result itself.",
        ),
        one(
            c"set_exception",
            set_exception,
            c"set_exception($self, exception, /)\n--\n\n\
             Raise RuntimeError: a task sets its exception itself.",
        ),
        fast(
            c"cancel",
            cancel,
            c"cancel($self, /, msg=None)\n--\n\n\
             Request the task to cancel itself; return False if it is done.\n\n\
             The coroutine gets a CancelledError, with msg as its argument, at its await in a\n\
             later turn. A coroutine that catches it and goes on should call uncancel().",
        ),
        leaf_noargs(
            c"cancelling",
            cancelling,
            c"Return how many cancellations were requested and not taken back.",
        ),
        noargs(
            c"uncancel",
            uncancel,
            c"Take one request for cancellation back; return how many are left.",
        ),
        noargs(c"get_name", get_name, c"Return the task's name."),
        one(
            c"set_name",
            set_name,
            c"set_name($self, value, /)\n--\n\nName the task; the value is converted to a string.",
        ),
        noargs(
            c"get_coro",
            get_coro,
            c"Return the coroutine, or None if the task finished eagerly.",
        ),
        fast(
            c"get_stack",
            get_stack,
            c"get_stack($self, /, *, limit=None)\n--\n\n\
             Return the frames of the suspended coroutine, oldest first.\n\n\
             At most limit frames are returned: the newest of a suspended coroutine, the oldest\n\
             of the traceback of one that has failed. A task that was cancelled or has a result\n\
             has none.",
        ),
        fast(
            c"print_stack",
            print_stack,
            c"print_stack($self, /, *, limit=None, file=None)\n--\n\n\
             Print the stack or the traceback of the task.\n\n\
             It goes to file, or to sys.stderr. The frames are those of get_stack(limit=limit).",
        ),
    ];
    if TASKS_SHOW_CONTEXT {
        methods.push(noargs(
            c"get_context",
            get_context,
            c"Return the context the task runs in.",
        ));
    }
    let attributes = vec![
        attribute(
            c"_log_destroy_pending",
            attribute_log_destroy_pending,
            set_log_destroy_pending,
        ),
        readonly(c"_must_cancel", attribute_must_cancel),
        readonly(c"_coro", get_coro),
        readonly(c"_fut_waiter", attribute_waiter),
    ];
    ClassBuilder::<Task>::derived(c"greenloop.Task")
        .subclassable()
        .doc(if TASKS_START_EAGERLY {
            c"Task(coro, *, loop=None, name=None, context=None, eager_start=False)\n--\n\n\
             A coroutine that an event loop drives; see asyncio.Task."
        } else {
            c"Task(coro, *, loop=None, name=None, context=None)\n--\n\n\
             A coroutine that an event loop drives; see asyncio.Task."
        })
        .init_by(initialise)
        .repr_by(repr)
        .iter_by(|this| iterate(this.up()))
        .await_by(|this| iterate(this.up()))
        .methods(future_methods())
        .attributes(future_attributes())
        .methods(methods)
        .attributes(attributes)
        .build_derived()?;
    NATIVE.add(&CLASS);
    Ok(())
}
