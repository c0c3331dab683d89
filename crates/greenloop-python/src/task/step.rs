//! One step of a task: resume the coroutine, and handle what it yields, returns or raises.
//!
//! ```text
//!   run_step (our turn) ──────────┐               ┌─ wait_for ─► waits: an awaitable or a future
//!   called_step (other loops) ────┼─► advance ────┼─ finish ───► done: a result
//!   start_eagerly (its creator) ──┘   one send    └─ fail ─────► done: failed or cancelled
//!                                     or throw
//! ```
//! It follows `task_step` and `task_wakeup` of CPython's `Modules/_asynciomodule.c`. The three
//! callers differ in how the task becomes the current one and how its context is entered; all the
//! rest is shared.
//!
//! A step runs the program's code: after [`advance`], nothing read before may be relied on.

use greenloop_core::observe::Outcome;
use greenloop_cpython::{
    Arguments, BoundMethod, ExceptionClass, Native, Object, Raised, Result, Resumed, fast, fetch,
    matches, one, raise_while_handling, restore, resume, run_in_context, throw,
};

#[cfg(Py_3_14)]
use super::CLASS;
#[cfg(Py_3_14)]
use super::base_fields::add_waiter;
use super::cancellation::cancel_waiter;
use super::current::entered;
#[cfg(Py_3_14)]
use super::graph::awaited_by;
use super::refusal::{already_done, refuse_itself, refuse_loop, refuse_object, refuse_yield};
use super::{Task, context_of, observed, of_job, registry};
use crate::asyncio::globals;
use crate::awaitable::{self, Awaitable};
use crate::future::{
    self, Callback, Future, PENDING, WaitingTask, add_callback, call_soon, push_without_memory,
    wake,
};
use crate::handle::{self, Handle};
use crate::observing::{is_observed, is_recording, tell_wake};
#[cfg(Py_3_12)]
use crate::scheduler::swap;
use crate::scheduler::{Job, Scheduler, TaskKind, within};

/// A step from the ready queue: enters the task's context and runs the coroutine to its next await.
///
/// `exception` is thrown into the coroutine in place of what the object that woke the task has to
/// throw. An error that is returned ends the run; any other has been given to the exception
/// handler.
#[inline]
pub fn run_step(
    scheduler: &Scheduler,
    task: &Native<TaskKind>,
    exception: Option<Object>,
) -> Result<()> {
    let this = of_job(task);
    if let Err(raised) = scheduler.set_current_task(task) {
        return Err(put_off(this, exception, raised));
    }
    let native = this.get();
    let exception = match native.waiter.take() {
        Some(waiter) if exception.is_none() => failure_of(&waiter),
        _ => exception,
    };
    let outcome = if native.context.can_be_entered() {
        let is_done = || native.future.state() != PENDING;
        native
            .context
            .inside(|| take_step(this, exception), is_done)
    } else {
        step_in_other_context(scheduler, this, exception.as_ref())
    };
    match outcome {
        Ok(()) => Ok(()),
        Err(raised) if handle::leaves_the_loop() => Err(raised),
        Err(raised) => {
            let exception = match go_on_without_memory(this, raised) {
                Ok(()) => return Ok(()),
                Err(raised) => fetch(raised),
            };
            scheduler.clear_current_task()?;
            Handle::report(&step_handle(task, None)?, &exception)
        }
    }
}

/// Queues a step again of which nothing could be done, for when the loop runs again. Returns the
/// error that was in the way.
///
/// `call_soon` may be Python code, which is not to be called while an exception is set.
#[cold]
fn put_off(this: &Native<Task>, exception: Option<Object>, raised: Raised) -> Raised {
    let refusal = fetch(raised);
    match schedule(this, exception) {
        Ok(()) => restore(refusal),
        Err(raised) => raise_while_handling(fetch(raised), &refusal),
    }
}

/// Handles a lack of memory before the coroutine was resumed, or before the task is queued where it
/// will be woken: its `await` raises that in the next turn, since nothing else would ever continue
/// it.
#[cold]
fn go_on_without_memory(this: &Native<Task>, raised: Raised) -> Result<()> {
    let task = this.get();
    let no_memory = matches(ExceptionClass::MemoryError);
    if !no_memory || task.future.state() != PENDING || !task.waiter.is_empty() {
        return Err(raised);
    }
    schedule(this, Some(fetch(raised)))
}

/// A step in an object that is no `contextvars.Context` but has a method `run`.
#[cold]
fn step_in_other_context(
    scheduler: &Scheduler,
    this: &Native<Task>,
    exception: Option<&Object>,
) -> Result<()> {
    scheduler.clear_current_task()?;
    let (context, step) = (context_of(this)?, step_function(this)?);
    run_in_context(&context, &step, exception).map(drop)
}

/// The exception or cancellation that the future that woke the task throws into it.
///
/// None if it has a result, and where the object is not ours and thus has woken the task by its
/// callback.
#[inline]
fn failure_of(waiter: &Object) -> Option<Object> {
    let failure = if let Some(awaitable) = Awaitable::native(waiter) {
        Awaitable::failure(awaitable)
    } else {
        let future = Future::native(waiter)?.get();
        if future.state() == PENDING {
            return None;
        }
        future.failure()
    };
    match failure {
        Ok(failure) => failure,
        Err(raised) => Some(fetch(raised)),
    }
}

/// A step whose caller has entered the task's context: by `call_soon` on a foreign loop, in debug
/// mode, or from a foreign future's callback.
///
/// asyncio's record is entered by its own functions, which raise a `RuntimeError` while another
/// task is current.
fn called_step(this: &Native<Task>, exception: Option<Object>) -> Result<()> {
    if let Some(scheduler) = Scheduler::of(&this.get().future.event_loop().get_or_none()) {
        scheduler.clear_current_task()?;
    }
    if is_recording() {
        tell_wake(this.get().future.number());
    }
    // An awaitable that wakes a task notifies only the step.
    let woken_by = this.get().waiter.take();
    let exception = exception.or_else(|| {
        let awaitable = woken_by.filter(Awaitable::is_native)?;
        failure_of(&awaitable)
    });
    entered(this, || take_step(this, exception))
        .or_else(|raised| go_on_without_memory(this, raised))
}

/// The first step of an eager task, run inside its creator's call.
///
/// The task before is current again afterwards, whatever happens. One that is done lets its
/// coroutine go, as in asyncio. Before 3.12 there are no eager tasks, and the step is queued.
pub fn start_eagerly(this: &Native<Task>) -> Result<()> {
    #[cfg(Py_3_12)]
    {
        let task = this.get();
        let event_loop = this.get().future.event_loop().get_or_none();
        let before = swap(&event_loop, Some(this))?;
        let outcome = registry::register(this).and_then(|()| {
            let is_done = || task.future.state() != PENDING;
            task.context.inside(|| take_step(this, None), is_done)
        });
        let outcome = outcome.map_err(fetch);
        let swapped = swap(&event_loop, before.as_ref());
        if task.future.state() != PENDING {
            task.coroutine().clear();
        }
        match outcome {
            Ok(()) => swapped.map(drop),
            Err(exception) => Err(restore(exception)),
        }
    }
    #[cfg(not(Py_3_12))]
    schedule(this, None)
}

/// Queues a step, or the throwing of an exception.
///
/// On a loop that is not fast the loop's `call_soon` is called, in the task's context.
pub fn schedule(this: &Native<Task>, exception: Option<Object>) -> Result<()> {
    let job = |exception: Option<Object>| match exception {
        None => Job::Step(this.up().clone()),
        Some(exception) => Job::Throw(this.up().clone(), exception),
    };
    if let Some(scheduler) = this.get().future.fast_loop() {
        scheduler.push(job(exception));
        return Ok(());
    }
    schedule_by_name(this, exception.as_ref())
        .or_else(|raised| push_without_memory(this.up(), job(exception), raised))
}

/// `event_loop.call_soon(task_step[, exception], context=context)`.
fn schedule_by_name(this: &Native<Task>, exception: Option<&Object>) -> Result<()> {
    let event_loop = this.get().future.event_loop().get_or_none();
    let (step, context) = (step_function(this)?, context_of(this)?);
    call_soon(&event_loop, &step, exception, &context)
}

/// One step, which is told to an observer if there is one.
#[inline]
fn take_step(this: &Native<Task>, exception: Option<Object>) -> Result<()> {
    if is_observed() {
        if is_recording() {
            return observed::take_step(this, exception);
        }
        observed::note_step(this.get());
    }
    advance(this, exception)
}

/// Resumes the coroutine once and sees to the outcome. An error leaves the step: it is a mistake in
/// the use of tasks, or `SystemExit` or `KeyboardInterrupt`.
///
/// Raises `InvalidStateError` if the task is done, and `RuntimeError` if it was never initialised.
pub(super) fn advance(this: &Native<Task>, exception: Option<Object>) -> Result<()> {
    let task = this.get();
    if task.future.state() != PENDING {
        return Err(already_done(this, exception.as_ref()));
    }
    let exception = if task.must_cancel.get() {
        task.must_cancel.set(false);
        Some(cancellation(task, exception).unwrap_or_else(fetch))
    } else {
        exception
    };
    task.waiter.clear();
    let Some(coroutine) = task.coroutine().get() else {
        let class = ExceptionClass::RuntimeError;
        return Err(greenloop_cpython::raise(
            class,
            c"uninitialized Task object",
        ));
    };
    let resumed = within(this.up(), || match exception {
        None => resume(&coroutine),
        Some(exception) => throw(&coroutine, &exception),
    });
    match resumed {
        Resumed::Yielded(awaited) => wait_for(this, awaited),
        Resumed::Returned(value) => finish(this, value),
        Resumed::Failed(raised) => fail(this, raised),
    }
}

/// The `CancelledError` that a pending `cancel` throws: the waiter's own if it has one.
fn cancellation(task: &Task, exception: Option<Object>) -> Result<Object> {
    if let Some(exception) = exception {
        if exception.is_instance(&globals().asyncio.cancelled_error)? {
            return Ok(exception);
        }
    }
    task.future.make_cancelled_error()
}

/// The coroutine returned. Waiters are stepped in the next turn.
fn finish(this: &Native<Task>, value: Object) -> Result<()> {
    let task = this.get();
    let unregistered = registry::unregister(this).map_err(fetch);
    if is_recording() {
        let cancelled = task.must_cancel.get();
        observed::tell_end(task, cancelled, Outcome::Returned);
    }
    if task.must_cancel.replace(false) {
        // Cancelled during its last step: the result is lost, as in asyncio.
        let message = task.future.cancel_message().get();
        Future::cancel(this.up(), message.as_ref())?;
    } else {
        Future::finish(this.up(), value)?;
    }
    unregistered.map_err(restore)
}

/// The coroutine raised. A `CancelledError` cancels the task, and is kept to be raised to the first
/// waiter as it is; `SystemExit` and `KeyboardInterrupt` become its exception and end the run as
/// well.
fn fail(this: &Native<Task>, raised: Raised) -> Result<()> {
    let task = this.get();
    let cancelled = matches(&globals().asyncio.cancelled_error);
    let leaves = handle::leaves_the_loop();
    let exception = fetch(raised);
    let unregistered = registry::unregister(this).map_err(fetch);
    if is_recording() {
        observed::tell_end(task, cancelled, Outcome::Raised);
    }
    if cancelled {
        task.future.set_cancelled_error(exception);
        Future::cancel(this.up(), None)?;
        return unregistered.map_err(restore);
    }
    Future::fail(this.up(), exception.clone())?;
    unregistered.map_err(restore)?;
    if leaves {
        Err(restore(exception))
    } else {
        Ok(())
    }
}

/// The coroutine awaits something: an awaitable or a future of ours, which take the frequent and
/// short ways, or an object that behaves as a future. Each way checks that the object is of this
/// loop and was yielded by `await`.
#[inline]
fn wait_for(this: &Native<Task>, awaited: Object) -> Result<()> {
    if awaited.is_none() {
        // A bare yield lets all other tasks run once.
        return wake(this.up().clone());
    }
    let awaited = match awaitable::CLASS.claim(awaited) {
        Ok(awaitable) => return wait_for_awaitable(this, awaitable),
        Err(other) => other,
    };
    let awaited = match future::NATIVE.claim(awaited) {
        Ok(future) => return wait_for_native(this, future),
        Err(other) => other,
    };
    wait_for_foreign(this, awaited)
}

/// The awaitable and the task learn of each other. If it was woken before, the task is queued.
#[inline]
fn wait_for_awaitable(this: &Native<Task>, awaited: Native<Awaitable>) -> Result<()> {
    let task = this.get();
    let awaitable = awaited.get();
    if !awaitable.belongs_to(task.future.event_loop()) {
        return refuse_loop(this, &awaited);
    }
    if !awaitable.receive() {
        // Its future has taken its place where a method of a future was called before.
        return match Awaitable::future_of_wait(&awaited) {
            Some(future) => wait_for_foreign(this, future),
            None => refuse_yield(this, &awaited),
        };
    }
    awaitable.attach(this.up().clone())?;
    task.waiter.set(awaited.into_object());
    if task.must_cancel.get() {
        cancel_awaited(task)?;
    }
    Ok(())
}

/// The future gets the task as a callback, which costs no object.
#[inline]
fn wait_for_native(this: &Native<Task>, awaited: Native<Future>) -> Result<()> {
    let task = this.get();
    let future = awaited.get();
    if awaited.is(this.as_ptr()) {
        return refuse_itself(this);
    }
    if future.event_loop().as_ptr() != task.future.event_loop().as_ptr() {
        return refuse_loop(this, &awaited);
    }
    if !future.blocking().replace(false) {
        return refuse_yield(this, &awaited);
    }
    #[cfg(Py_3_14)]
    if let Some(awaited) = CLASS.exactly(&awaited) {
        add_waiter(awaited, this.clone().into_object())?;
    }
    add_callback(&awaited, Callback::Wake(this.up().clone()))?;
    task.waiter.set(awaited.into_object());
    if task.must_cancel.get() {
        cancel_awaited(task)?;
    }
    Ok(())
}

/// Anything with `_asyncio_future_blocking`: asyncio's futures and tasks, and subclasses of ours.
///
/// Every question is an attribute or a method of the object, in asyncio's order, and may be code of
/// the program.
fn wait_for_foreign(this: &Native<Task>, awaited: Object) -> Result<()> {
    let task = this.get();
    let globals = globals();
    let blocking = awaited.optional_attribute(&globals.names.blocking)?;
    let Some(blocking) = blocking.filter(|blocking| !blocking.is_none()) else {
        return refuse_object(this, &awaited);
    };
    let blocking = blocking.is_true()?;
    if awaited.is(this.as_ptr()) {
        return refuse_itself(this);
    }
    let event_loop = match awaited.optional_attribute(&globals.names.get_loop)? {
        Some(get_loop) => get_loop.call([])?,
        None => awaited.attribute(&globals.names.loop_attribute)?,
    };
    if event_loop.as_ptr() != task.future.event_loop().as_ptr() {
        return refuse_loop(this, &awaited);
    }
    if !blocking {
        return refuse_yield(this, &awaited);
    }
    awaited.set_attribute(&globals.names.blocking, &Object::boolean(false))?;
    let wakeup = wakeup_function(this)?;
    let context = context_of(this)?;
    let (name, keywords) = (&globals.names.add_done_callback, &globals.keywords.context);
    awaited.invoke_named(name, [&wakeup], keywords, [&context])?;
    task.waiter.set(awaited);
    if task.must_cancel.get() {
        cancel_awaited(task)?;
    }
    Ok(())
}

/// A cancellation that came while the task ran reaches what the task has begun to wait for.
fn cancel_awaited(task: &Task) -> Result<()> {
    let Some(waiter) = task.waiter.get() else {
        return Ok(());
    };
    let message = task.future.cancel_message().get();
    if cancel_waiter(&waiter, message.as_ref())? {
        task.must_cancel.set(false);
    }
    Ok(())
}

// The two functions by which a loop that is not ours, or a future that is not, continues a task.

/// `call_soon` is given this: a step, or with an argument the throwing of an exception.
fn step_method(this: &Native<Task>, arguments: Arguments<'_>) -> Result<Object> {
    called_step(this, arguments.positional().first().cloned())?;
    Ok(Object::none())
}

/// `add_done_callback` is given this: continues the task with the future's outcome.
fn wakeup_method(this: &Native<Task>, future: &Object) -> Result<Object> {
    let is_done = |future: &Native<Future>| future.get().state() != PENDING;
    let exception = if Future::native(future).is_some_and(is_done) {
        failure_of(future)
    } else {
        match future.invoke(&globals().names.result, []) {
            Ok(_) => None,
            Err(raised) => Some(fetch(raised)),
        }
    };
    called_step(this, exception)?;
    Ok(Object::none())
}

static STEP: BoundMethod<Task> =
    BoundMethod::new(|| fast(c"task_step", step_method, c"Continue the task."));
static WAKEUP: BoundMethod<Task> = BoundMethod::new(|| {
    one(
        c"task_wakeup",
        wakeup_method,
        c"Continue the task with a future's outcome.",
    )
});

fn step_function(this: &Native<Task>) -> Result<Object> {
    STEP.bind(this)
}

/// The function that a future's callback list shows for a waiting task.
pub fn wakeup_function(this: &Native<Task>) -> Result<Object> {
    WAKEUP.bind(this)
}

/// What futures and awaitables ask of the tasks that wait for them.
pub static WAITING: WaitingTask = WaitingTask {
    schedule: |task| schedule(of_job(task), None),
    cancel: cancel_waiter,
    kind: observed::kind_of_wait,
    callback: |task| Ok((wakeup_function(of_job(task))?, context_of(of_job(task))?)),
    #[cfg(Py_3_14)]
    awaited_by,
};

/// A handle that represents a step in messages.
pub fn step_handle(task: &Native<TaskKind>, exception: Option<&Object>) -> Result<Native<Handle>> {
    let this = of_job(task);
    let event_loop = this.get().future.event_loop().get_or_none();
    let arguments: &[Object] = exception.map_or(&[], std::slice::from_ref);
    Handle::create(
        &handle::CLASS,
        &step_function(this)?,
        arguments,
        Some(&context_of(this)?),
        &event_loop,
        None,
    )
}
