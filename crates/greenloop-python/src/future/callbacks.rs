//! The list of a future's callbacks, which are scheduled when it is done.
//!
//! Most futures have exactly one, the task that awaits them, so the first is in the struct itself
//! and needs no allocation: waking a task needs no function, no handle and no context.
//!
//! ```text
//!    push ──► first (in the struct) ──► more (a boxed vector, in order)
//!               └──────────── schedule_all, when the future is done ────────► the loop, in order
//! ```
//! Nothing here calls a callback. `schedule_all` takes the list out before it hands over the first,
//! and the future is done by then, so a callback that is added meanwhile goes to the loop at once.

use std::cell::Cell;

use greenloop_cpython::{
    ExceptionClass, Native, Object, Raised, Result, Slot, Visited, Visitor, copy_context, fetch,
    matches, visit_slots,
};

use super::notifier::notifier;
use super::waiting_task::waiting_task;
use super::{Future, PENDING};
use crate::asyncio::globals;
use crate::observing::{is_recording, tell_wake};
use crate::scheduler::{Job, Notify, Scheduler, TaskKind};

/// One callback.
#[derive(Clone)]
pub enum Callback {
    /// Continue this task, which awaits the future.
    Wake(Native<TaskKind>),
    /// Call this with the future, in this context.
    Call {
        /// The function.
        function: Object,
        /// The context it was added with.
        context: Object,
    },
    /// Tell `owner`, a combinator such as `gather`, by a native function.
    Notify {
        /// The function that is called with the owner and the future.
        function: Notify,
        /// The object that is notified.
        owner: Object,
    },
}

impl Callback {
    /// The job that does it, now that `future` is done.
    ///
    /// The job holds what the callback held, and the future if the function is to be called with
    /// it.
    #[inline]
    fn into_job(self, future: &Native<Future>) -> Job {
        match self {
            Self::Wake(task) => Job::Step(task),
            Self::Call { function, context } => Job::Callback {
                callback: function,
                future: future.clone().into_object(),
                context,
            },
            Self::Notify { function, owner } => Job::Notify {
                function,
                owner,
                future: future.clone().into_object(),
            },
        }
    }

    /// The function and its context, as `_callbacks` shows them.
    ///
    /// A task's and a combinator's function are made for the purpose, and a combinator's context is
    /// a copy of the current one. So this may fail for want of memory.
    pub fn as_pair(&self) -> Result<(Object, Object)> {
        match self {
            Self::Wake(task) => (waiting_task()?.callback)(task),
            Self::Call { function, context } => Ok((function.clone(), context.clone())),
            Self::Notify { function, owner } => Ok((notifier(function, owner)?, copy_context()?)),
        }
    }
}

/// The callbacks behind the first. Few futures have any, so that all of them spend one word on it
/// and not the three of a vector.
type Others = Option<Box<Vec<Callback>>>;

/// The callbacks of one future, in the order they were added. All zeroes is the empty list.
#[repr(C)]
pub struct Callbacks {
    /// The first callback's function; its owner if there is a `first_notify`, its task if there is
    /// neither that nor a context.
    first: Slot,
    /// Set only beside a function, and then never empty.
    first_context: Slot,
    /// Set only beside an owner.
    first_notify: Cell<Option<Notify>>,
    /// The others.
    more: Cell<Others>,
}

impl Callbacks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Adds one behind the others.
    ///
    /// The first costs no allocation, the second one for the box and one for the vector.
    #[inline]
    pub fn push(&self, callback: Callback) {
        if !self.first.is_empty() {
            let mut more = self.more.take().unwrap_or_default();
            more.push(callback);
            self.more.set(Some(more));
            return;
        }
        match callback {
            Callback::Wake(task) => self.first.set(task.into_object()),
            Callback::Call { function, context } => {
                self.first.set(function);
                self.first_context.set(context);
            }
            Callback::Notify { function, owner } => {
                self.first.set(owner);
                self.first_notify.set(Some(function));
            }
        }
    }

    /// The first one, taken out.
    #[inline]
    fn take_first(&self) -> Option<Callback> {
        let first = self.first.take()?;
        if let Some(function) = self.first_notify.take() {
            let owner = first;
            return Some(Callback::Notify { function, owner });
        }
        Some(match self.first_context.take() {
            // SAFETY: what stands alone is a task: see `push`.
            None => Callback::Wake(unsafe { Native::from_object(first) }),
            Some(context) => Callback::Call {
                function: first,
                context,
            },
        })
    }

    /// All of them, taken out.
    #[inline]
    pub fn take(&self) -> (Option<Callback>, Others) {
        (self.take_first(), self.more.take())
    }

    /// A copy of all of them.
    ///
    /// Takes the list out and puts it back, since the vector may not be borrowed while code runs;
    /// nothing does in between, as cloning a reference runs none.
    pub fn to_vec(&self) -> Vec<Callback> {
        let (first, more) = self.take();
        let all: Vec<_> = first
            .into_iter()
            .chain(more.map(|more| *more).unwrap_or_default())
            .collect();
        for callback in &all {
            self.push(callback.clone());
        }
        all
    }

    /// Keeps those that `keep` says yes to, and returns the others. `keep` runs no Python code.
    pub fn retain(&self, mut keep: impl FnMut(&Callback) -> bool) -> Vec<Callback> {
        let (first, more) = self.take();
        let more = more.map(|more| *more).unwrap_or_default();
        let (kept, removed): (Vec<_>, Vec<_>) =
            first.into_iter().chain(more).partition(|c| keep(c));
        for callback in kept {
            self.push(callback);
        }
        removed
    }

    /// Shows them to the garbage collector.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        // SAFETY: the collector runs no code that changes the list, which is only looked at here.
        let more = unsafe { &*self.more.as_ptr() };
        let more = more
            .iter()
            .flat_map(|more| more.iter())
            .flat_map(|callback| match callback {
                Callback::Wake(task) => [Some(&**task), None],
                Callback::Call { function, context } => [Some(function), Some(context)],
                Callback::Notify { owner, .. } => [Some(owner), None],
            });
        visit_slots(visitor, [&self.first, &self.first_context])?;
        more.flatten().try_for_each(|object| visitor.show(object))
    }
}

/// Hands all callbacks of a done future to its loop, in order. If the loop refuses one, it gets
/// none of those behind it either, as in asyncio.
///
/// Runs no code of the program on a fast loop. On others `call_soon` is called for each, and may be
/// overridden. The future's state is final by then.
#[inline]
pub fn schedule_all(this: &Native<Future>) -> Result<()> {
    let (first, more) = this.get().callbacks().take();
    if let Some(first) = first {
        schedule(this, first)?;
    }
    if let Some(more) = more {
        for callback in *more {
            schedule(this, callback)?;
        }
    }
    Ok(())
}

/// Hands one callback to the loop: as a job if the loop is ours and in no debug mode and without
/// overrides, else by `call_soon`.
#[inline]
fn schedule(this: &Native<Future>, callback: Callback) -> Result<()> {
    if is_recording() {
        tell_callback(&callback);
    }
    if let Some(scheduler) = this.get().fast_loop() {
        scheduler.push(callback.into_job(this));
        return Ok(());
    }
    schedule_by_name(this, &callback)
        .or_else(|raised| push_without_memory(this, callback.into_job(this), raised))
}

/// Tells an observer of a task that the future has woken.
#[cold]
fn tell_callback(callback: &Callback) {
    if let Callback::Wake(task) = callback {
        tell_wake(super::future_of(task).get().number());
    }
}

/// By the loop's own `call_soon`, with the future as argument.
fn schedule_by_name(this: &Native<Future>, callback: &Callback) -> Result<()> {
    let (function, context) = callback.as_pair()?;
    let event_loop = this.get().event_loop().get_or_none();
    call_soon(&event_loop, &function, Some(this), &context)
}

/// Pushes a job directly to the loop of `future` if there is no memory for a handle: nothing would
/// do it later. Other errors, such as that of a closed loop, are the caller's.
///
/// Returns the error otherwise, still set in the interpreter.
#[cold]
pub fn push_without_memory(future: &Native<Future>, job: Job, raised: Raised) -> Result<()> {
    let no_memory = matches(ExceptionClass::MemoryError);
    let event_loop = future.get().event_loop().get_or_none();
    match Scheduler::of(&event_loop).filter(|_| no_memory) {
        Some(scheduler) => {
            drop(fetch(raised));
            scheduler.push(job);
            Ok(())
        }
        None => Err(raised),
    }
}

/// `event_loop.call_soon(function[, argument], context=context)`, by name.
///
/// For loops of other classes, and for ours in debug mode or with overrides. Raises what the method
/// raises: a `RuntimeError` on a closed loop.
pub fn call_soon(
    event_loop: &Object,
    function: &Object,
    argument: Option<&Object>,
    context: &Object,
) -> Result<()> {
    let globals = globals();
    let (name, keywords) = (&globals.names.call_soon, &globals.keywords.context);
    match argument {
        None => event_loop.invoke_named(name, [function], keywords, [context]),
        Some(argument) => event_loop.invoke_named(name, [function, argument], keywords, [context]),
    }
    .map(drop)
}

/// Adds a callback, or hands it to the loop at once if the future is done.
///
/// Even then it is not called here: it runs in the next turn, as `Future.add_done_callback` of
/// asyncio says.
#[inline]
pub fn add(this: &Native<Future>, callback: Callback) -> Result<()> {
    let future = this.get();
    if future.state() == PENDING {
        future.callbacks().push(callback);
        Ok(())
    } else {
        schedule(this, callback)
    }
}
