//! The class `Awaitable` as Python sees it: a coroutine, and while it waits a future as well.
//!
//! Code that drives a native task's coroutine by hand, or reads `task._fut_waiter`, finds an
//! awaitable where asyncio has a future. So the awaitable has a future's methods: one that needs a
//! real future makes it, and the wait becomes a foreign one.
//!
//! ```text
//!   native wait:   task ◄── awaitable                (the awaitable's `waiter` is the task)
//!         as_future: a method of a future was called
//!   foreign wait:  task ◄── future ◄── awaitable     (the awaitable's `waiter` is the future)
//! ```
//! The change is made once per wait and never undone. The task stays suspended at the same place;
//! it only hears of the end through the future's callback from now on, in the same turn as before.
//! A task that has not received the awaitable by then waits for the future, as on asyncio.
//!
//! A wait that is dropped needs a finaliser (PEP 442), and each uncontended `lock.acquire()` makes
//! and drops an awaitable: the deallocation of a [`Finishing`](greenloop_cpython::Finishing) struct
//! has a short way for that.

use greenloop_cpython::making;
use greenloop_cpython::{
    Arguments, ClassBuilder, ExceptionClass, Native, Object, Result, attribute, coroutine, fast,
    noargs, raise, readonly, type_error,
};

use super::origin::origin;
use super::stand_in;
use super::{Awaitable, CLASS, PackedState, Stage};
use crate::asyncio::edition::COROUTINES_TELL_STATE;
use crate::asyncio::globals;
use crate::future::{Callback, Future, add_callback};

impl Awaitable {
    /// The future of the wait, made if there is none yet.
    ///
    /// What has happened to the wait already, being woken or cancelled, is done to the new future.
    /// Raises an `AttributeError` before the wait and after it. Calls the loop's `create_future`,
    /// which may be the program's.
    pub(super) fn as_future(this: &Native<Awaitable>) -> Result<Object> {
        let awaitable = this.get();
        if awaitable.stage.get() != Stage::Blocked {
            let class = ExceptionClass::AttributeError;
            return Err(raise(class, c"the coroutine does not wait for anything"));
        }
        if awaitable.foreign.get() {
            return Ok(awaitable.future());
        }
        let event_loop = awaitable.event_loop.get_or_none();
        let future = event_loop.invoke(&globals().names.create_future, [])?;
        let Some(native) = Future::native(&future) else {
            return Err(type_error("the loop's create_future was replaced"));
        };
        if awaitable.stage.get() != Stage::Blocked || awaitable.foreign.get() {
            // The call has run code that has come here as well.
            return Self::as_future(this);
        }
        let waiter_state = awaitable.waiter_state.get();
        if let Some(task) = awaitable.take_task() {
            add_callback(native, Callback::Wake(task))?;
        }
        match waiter_state {
            PackedState::Waiting => {}
            PackedState::Woken => Future::finish(native, Object::boolean(true))?,
            PackedState::Cancelled => {
                Future::cancel(native, awaitable.message.take().as_ref()).map(drop)?;
            }
        }
        // The task that receives the awaitable from now on waits for the future.
        native
            .get()
            .blocking()
            .set(awaitable.blocking.replace(false));
        awaitable.waiter.set(future.clone());
        awaitable.foreign.set(true);
        Ok(future)
    }

    /// Ends the wait with an exception, which must be one that a future takes.
    ///
    /// Raises `InvalidStateError` if the wait is over, and the errors of
    /// [`as_future`](Self::as_future).
    pub fn fail(this: &Native<Awaitable>, exception: &Object) -> Result<()> {
        let future = Self::as_future(this)?;
        future
            .invoke(&globals().names.set_exception, [exception])
            .map(drop)
    }
}

/// `done()`: false only while the awaitable waits and was neither woken nor cancelled.
fn done(this: &Native<Awaitable>) -> Result<Object> {
    let waits = Awaitable::waiter_state(this)? == greenloop_core::WaiterState::Waiting;
    let blocked = this.get().stage.get() == Stage::Blocked;
    Ok(Object::boolean(!(waits && blocked)))
}

fn cancelled(this: &Native<Awaitable>) -> Result<Object> {
    Ok(Object::boolean(Awaitable::was_cancelled(this)?))
}

/// `cancel(msg=None)`: whether this call has ended the wait. The task is stepped in the next turn.
fn cancel(this: &Native<Awaitable>, arguments: Arguments<'_>) -> Result<Object> {
    let [message] = arguments.bind_natively(c"cancel", [&globals().names.msg], 1, 0)?;
    Ok(Object::boolean(Awaitable::cancel(this, message)?))
}

/// The methods that only a real future can provide.
macro_rules! as_future {
    ($name:ident, $field:ident) => {
        fn $name(this: &Native<Awaitable>, arguments: Arguments<'_>) -> Result<Object> {
            arguments.forward(&globals().names.$field, &Awaitable::as_future(this)?)
        }
    };
}

as_future!(result, result);
as_future!(exception, exception);
as_future!(set_result, set_result);
as_future!(set_exception, set_exception);
as_future!(add_done_callback, add_done_callback);
as_future!(remove_done_callback, remove_done_callback);
as_future!(get_loop, get_loop);

/// None unless the awaitable waits: before, it is a coroutine and no future.
fn blocking(this: &Native<Awaitable>) -> Result<Object> {
    let awaitable = this.get();
    if awaitable.stage.get() != Stage::Blocked {
        return Ok(Object::none());
    }
    if awaitable.foreign.get() {
        return awaitable.future().attribute(&globals().names.blocking);
    }
    Ok(Object::boolean(awaitable.blocking.get()))
}

/// Sets `_asyncio_future_blocking`: a task of another make clears it when it receives the
/// awaitable.
fn set_blocking(this: &Native<Awaitable>, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    let awaitable = this.get();
    if awaitable.foreign.get() {
        let name = &globals().names.blocking;
        return awaitable.future().set_attribute(name, value);
    }
    awaitable.blocking.set(value.is_true()?);
    Ok(())
}

/// `__qualname__`: what messages call the coroutine, such as `Queue.get`. It is the operation's.
fn qualified_name(this: &Native<Awaitable>) -> Result<Object> {
    let name = this.get().operation().name;
    making::interned(name)
}

/// `__name__`: the part of it after the last dot.
fn name(this: &Native<Awaitable>) -> Result<Object> {
    let name = this.get().operation().name.to_string_lossy();
    let name = name.rsplit('.').next().unwrap_or_default();
    making::text(name)
}

/// `cr_running`: whether a step of it runs, as a coroutine's attribute says.
fn running(this: &Native<Awaitable>) -> Result<Object> {
    Ok(Object::boolean(this.get().stage.get() == Stage::Running))
}

/// `cr_suspended`: whether it waits, as a coroutine's attribute says.
fn suspended(this: &Native<Awaitable>) -> Result<Object> {
    let stage = this.get().stage.get();
    let suspended = matches!(stage, Stage::Blocked | Stage::Delegating);
    Ok(Object::boolean(suspended))
}

/// `cr_state` of Python 3.15, which `inspect.getcoroutinestate` returns.
fn state(this: &Native<Awaitable>) -> Result<Object> {
    making::interned(match this.get().stage.get() {
        Stage::Fresh => c"CORO_CREATED",
        Stage::Running => c"CORO_RUNNING",
        Stage::Blocked | Stage::Delegating => c"CORO_SUSPENDED",
        Stage::Finished => c"CORO_CLOSED",
    })
}

/// `repr(awaitable)`, in the words of a coroutine's: programs and tests recognise coroutines by
/// them.
fn repr(this: &Native<Awaitable>) -> Result<Object> {
    let name = this.get().operation().name;
    let text = format!(
        "<coroutine object {} at {:p}>",
        name.to_string_lossy(),
        this.as_ptr()
    );
    making::text(&text)
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    let class = ClassBuilder::<Awaitable>::of_finishing(c"greenloop.Awaitable")
        .doc(c"A coroutine of native code, such as queue.get() returns.")
        .repr_by(repr)
        .attributes(vec![
            attribute(c"_asyncio_future_blocking", blocking, set_blocking),
            readonly(c"__qualname__", qualified_name),
            readonly(c"__name__", name),
            readonly(c"cr_running", running),
            readonly(c"cr_suspended", suspended),
            readonly(c"cr_code", stand_in::code),
            readonly(c"cr_frame", stand_in::frame),
            readonly(c"cr_await", stand_in::awaited),
            readonly(c"cr_origin", |this| origin(this)),
        ])
        .methods([
            noargs(c"done", done, c"Return whether the wait is over."),
            noargs(
                c"cancelled",
                cancelled,
                c"Return whether the wait was cancelled.",
            ),
            fast(c"cancel", cancel, c"Cancel the wait."),
            fast(c"result", result, c"As Future.result()."),
            fast(c"exception", exception, c"As Future.exception()."),
            fast(c"set_result", set_result, c"As Future.set_result()."),
            fast(
                c"set_exception",
                set_exception,
                c"As Future.set_exception().",
            ),
            fast(
                c"add_done_callback",
                add_done_callback,
                c"As Future.add_done_callback().",
            ),
            fast(
                c"remove_done_callback",
                remove_done_callback,
                c"As Future.remove_done_callback().",
            ),
            fast(c"get_loop", get_loop, c"Return the loop of the wait."),
        ]);
    let class = if COROUTINES_TELL_STATE {
        class.attributes([readonly(c"cr_state", state)])
    } else {
        class
    };
    coroutine(class).build_into(&CLASS)
}
