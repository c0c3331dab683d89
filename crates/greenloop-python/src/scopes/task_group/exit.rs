//! Entering a group, and leaving it: the wait for the children, and the exception raised in the
//! end.
//!
//! ```text
//!    __aexit__ ─► start: notes the body's exception, aborts if there is one
//!                   │
//!                   ▼             a child is left
//!             wait_or_finish ─────────────────────► blocked ──► woken, or cancelled: again
//!                   │ none is left
//!                   ▼
//!                finish: a base error, all errors as a group, a cancellation, or nothing
//!                   │
//!                   ▼
//!               concluded: lets the exceptions go
//! ```
//! A cancellation while the exit waits does not end it: the children are cancelled, and the exit
//! waits for them. So no child outlives its group.

use greenloop_core::WaitList as _;
use greenloop_core::observe::WaitKind;
use greenloop_cpython::{
    Arguments, ExceptionClass, Native, Object, Raised, Result, fetch, making, raise_anything,
    raise_object, restore, set_cause,
};

use super::{GroupRef, abort, cancel_parent, is_base_error, refusal};
use crate::asyncio::edition::edition;
use crate::asyncio::{globals, is_cancellation, running_loop};
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::observing::Wait;
use crate::scopes::expiry::is_cancelled;
use crate::task;

/// `group.__aenter__()`.
///
/// The group is entered when the awaitable is awaited.
pub fn enter(this: &GroupRef) -> Result<Object> {
    Awaitable::create(&ENTER, this, None)
}

/// Returns the group itself, for `as`. It never waits.
static ENTER: Operation<GroupRef> = Operation {
    name: c"TaskGroup.__aenter__",
    start: |_, group| {
        begin(group)?;
        ready(group.clone().into_object())
    },
    resume: |_, _| ready(Object::none()),
    interrupt: |_, _, exception| Err(restore(exception)),
    waits: |_, _| None,
    inside: |_| &[],
    behind: None,
};

/// `__aenter__`: the current task becomes the parent.
///
/// A group can be entered once. `cancel` is called by name, as a subclass may have its own.
///
/// # Errors
/// `RuntimeError` for a second time, and without a loop or a current task.
fn begin(this: &GroupRef) -> Result<()> {
    let group = this.get();
    if group.entered.get() {
        return Err(refusal(this, "has already been entered"));
    }
    if group.event_loop.is_empty() {
        group.event_loop.set(running_loop()?);
    }
    let parent = task::current_task(Some(&group.event_loop.get_or_none()))?;
    group.parent_task.set_optional(parent);
    if group.parent_task.is_empty() {
        return Err(refusal(this, "cannot determine the parent task"));
    }
    group.entered.set(true);
    if group.cancel_on_enter.get() {
        this.invoke(&globals().names.cancel, [])?;
    }
    Ok(())
}

/// `group.__aexit__(et, exc, tb)`.
///
/// # Errors
/// `TypeError` for wrong arguments, at once; all others when it is awaited.
pub fn exit(this: &GroupRef, arguments: Arguments<'_>) -> Result<Object> {
    let names = &globals().names;
    let parameters = [&names.et, &names.exc, &names.tb];
    let [class, exception, _] = arguments.bind(c"TaskGroup.__aexit__", parameters, 3, 3)?;
    let none = Object::none();
    let (class, exception) = (class.unwrap_or(&none), exception.unwrap_or(&none));
    if class.is_none() && exception.is_none() {
        return Awaitable::create(&EXIT, this, None);
    }
    let raised = making::pair(class, exception)?;
    Awaitable::create(&EXIT, this, Some(&raised))
}

/// The body's exception is a pair in `value` until the first step moves it to the group.
static EXIT: Operation<GroupRef> = Operation {
    name: c"TaskGroup.__aexit__",
    start: |this, owner| concluded(owner, start(this, owner)),
    resume: |this, owner| {
        owner.get().completed.remove(this);
        concluded(owner, wait_or_finish(this, owner))
    },
    interrupt: |this, owner, exception| {
        owner.get().completed.remove(this);
        concluded(owner, interrupted(this, owner, exception))
    },
    waits: |_, group| Some(Wait::on(WaitKind::TaskGroup, &group.get().number)),
    inside: |_| &[c"TaskGroup._aexit"],
    behind: None,
};

/// At the end, however it comes, the group releases its exceptions: they are heavy and tend to be
/// in cycles.
///
/// The error to raise is taken out before, since releasing the others may run user code.
fn concluded(owner: &GroupRef, progress: Result<Progress>) -> Result<Progress> {
    if matches!(progress, Ok(Progress::Blocked)) {
        return progress;
    }
    let progress = progress.map_err(fetch);
    let group = owner.get();
    for slot in [
        &group.body_class,
        &group.body_exception,
        &group.propagated,
        &group.pending,
    ] {
        slot.clear();
    }
    if edition().group.forgets {
        group.parent_task.clear();
        group.errors.set(Object::none());
        group.base_error.clear();
    }
    progress.map_err(restore)
}

/// The first step of `__aexit__`: notes how the body ended, and aborts the tasks if it failed.
///
/// A `SystemExit` or `KeyboardInterrupt` of the body is raised in the end, after the children.
fn start(this: &Native<Awaitable>, owner: &GroupRef) -> Result<Progress> {
    let group = owner.get();
    group.exiting.set(true);
    let raised = this.get().value().take();
    if let Some((class, exception)) = raised.and_then(|raised| raised.as_pair()) {
        group
            .body_class
            .set_optional(Some(class).filter(|class| !class.is_none()));
        group
            .body_exception
            .set_optional(Some(exception).filter(|value| !value.is_none()));
    }
    if let Some(exception) = group.body_exception.get() {
        if is_base_error(owner, &exception)? && group.base_error.is_empty() {
            group.base_error.set(exception);
        }
    }
    if let Some(class) = group.body_class.get() {
        if is_cancelled(&class, edition().group.takes_subclasses)? {
            group.propagated.set_optional(group.body_exception.get());
        }
    }
    if !edition().group.settles_last {
        settle(owner)?;
    }
    if !group.body_class.is_empty() && !group.aborting.get() {
        // The parent is being cancelled, or the body has failed.
        abort(owner)?;
    }
    wait_or_finish(this, owner)
}

/// Takes back the group's own request to cancel its parent. If it was the only one, the
/// cancellation that it has led to goes no further.
///
/// Called once, at the beginning or at the end of the exit by the running asyncio's rule.
fn settle(owner: &GroupRef) -> Result<()> {
    let group = owner.get();
    if !group.parent_cancel_requested.get() {
        return Ok(());
    }
    if task::uncancel(&group.parent_task.get_or_none())? == 0 {
        group.propagated.clear();
    } else if group.propagated.is_empty() && edition().group.keeps_cancellation {
        group.propagated.set_optional(group.pending.take());
    }
    Ok(())
}

/// Finishes if there are no tasks, or waits for the last one.
///
/// Called again after each wake-up, as asyncio's `while self._tasks`. A group without children
/// costs no turn.
fn wait_or_finish(this: &Native<Awaitable>, owner: &GroupRef) -> Result<Progress> {
    let group = owner.get();
    if group.tasks.is_empty() {
        return finish(owner);
    }
    Awaitable::prepare_on(this, &group.event_loop.get_or_none())?;
    group.completed.push(this);
    Ok(Progress::Blocked)
}

/// The wait may be cancelled several times: by others, and when the group's own cancellation is
/// under way already.
///
/// Another exception than a cancellation comes from code that drives the coroutine by hand, and
/// leaves the children alone, as in asyncio.
fn interrupted(this: &Native<Awaitable>, owner: &GroupRef, exception: Object) -> Result<Progress> {
    let group = owner.get();
    if !is_cancellation(&exception) {
        return Err(restore(exception));
    }
    group.pending.set(exception.clone());
    if !group.aborting.get() {
        group.propagated.set(exception);
        abort(owner)?;
    }
    wait_or_finish(this, owner)
}

/// No child is left.
///
/// # Errors
/// One of, in this order: a `SystemExit` or `KeyboardInterrupt`; a cancellation from elsewhere, if
/// no child has failed; a `BaseExceptionGroup` of the children's errors and the body's.
fn finish(owner: &GroupRef) -> Result<Progress> {
    let group = owner.get();
    let edition = &edition().group;
    if let Some(exception) = group.base_error.get() {
        return Err(raise_anything(&exception));
    }
    if edition.settles_last {
        settle(owner)?;
    }
    // Errors come before a cancellation.
    if !group.has_errors()? {
        if let Some(cancellation) = group.propagated.take() {
            return Err(raise_anything(&cancellation));
        }
    }
    let body_class = group.body_class.get();
    if let Some(class) = &body_class {
        if !is_cancelled(class, edition.takes_subclasses)? {
            group.add_error(&group.body_exception.get_or_none())?;
        }
    }
    if group.has_errors()? {
        return Err(fail(owner, body_class.as_ref()));
    }
    ready(if edition.can_be_cancelled {
        Object::boolean(true)
    } else {
        Object::none()
    })
}

/// Raises all errors together.
///
/// The list of errors is gone afterwards: exceptions, tracebacks and frames refer to each other.
fn fail(owner: &GroupRef, body_class: Option<&Object>) -> Raised {
    let group = owner.get();
    let raise = || -> Result<Raised> {
        if edition().group.settles_last {
            // A cancellation from elsewhere is not lost: it comes at the parent's next wait.
            let parent = group.parent_task.get_or_none();
            if task::cancelling(&parent)? != 0 {
                task::uncancel(&parent)?;
                task::cancel(&parent)?;
            }
        }
        let errors = group.errors()?;
        if edition().group.lets_generator_exit && is_generator_exit(body_class)? {
            // A list, unless a program has put something else there.
            if errors.size()? == 1 {
                return Ok(raise_anything(&group.body_exception.get_or_none()));
            }
        }
        let group_error = exception_group(&errors)?;
        // Without a cause its context is not shown either.
        set_cause(&group_error, None);
        Ok(raise_object(&group_error))
    };
    let raised = raise().unwrap_or_else(|raised| raised);
    let exception = fetch(raised);
    group.errors.set(Object::none());
    restore(exception)
}

/// Whether the body ended with a `GeneratorExit`, which is raised again alone.
///
/// A rule of newer releases: an asynchronous generator with a group in it can be closed.
fn is_generator_exit(class: Option<&Object>) -> Result<bool> {
    match class {
        Some(class) => class.is_subclass(&ExceptionClass::GeneratorExit.object()),
        None => Ok(false),
    }
}

/// The exception group of the failed tasks' exceptions.
///
/// `BaseExceptionGroup(...)` makes an `ExceptionGroup` where no member is a mere `BaseException`.
fn exception_group(errors: &Object) -> Result<Object> {
    let text = making::text("unhandled errors in a TaskGroup")?;
    let class = ExceptionClass::BaseExceptionGroup.object();
    class.call([&text, errors])
}

/// `group.cancel()` of 3.15: ends the group without an exception.
///
/// Before the group is entered it is only noted, and takes effect as soon as it is. A second call
/// does nothing.
pub fn cancel(this: &GroupRef) -> Result<Object> {
    let group = this.get();
    if !group.entered.get() {
        group.cancel_on_enter.set(true);
        return Ok(Object::none());
    }
    let is_over = group.exiting.get() && group.tasks.is_empty();
    if !is_over && !group.aborting.get() {
        abort(this)?;
        if !group.parent_task.is_empty() && !group.parent_cancel_requested.get() {
            cancel_parent(this)?;
        }
    }
    Ok(Object::none())
}
