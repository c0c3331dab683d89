//! `Job`: an entry of a loop's queue, as data.
//!
//! A job is one to three words and a tag. The `match` that runs it is the turn's
//! (`event_loop/turn.rs`), so that a job costs no virtual call. Code that is known only to rooms
//! above stands in records of functions: a [`Notification`], a [`Reaction`], an alarm's
//! [`Bell`](super::Bell).

use std::ffi::CStr;

use greenloop_cpython::{Layout, Native, Object, Result};
use pyo3::gc::{PyTraverseError, PyVisit};

use super::alarm::Alarm;

/// What the objects of a job carry, whose structs are those of rooms above: each of these kinds has
/// no value of its own, and one class of structs extends it.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name;

        // SAFETY: a value without size is anywhere.
        unsafe impl Layout for $name {
            const OFFSET: usize = 0;
        }
    )*};
}

kinds! {
    /// The kind of tasks, whose structs begin with a future's. Nothing else extends it.
    TaskKind;
    /// The kind of handles. Nothing else extends it.
    HandleKind;
    /// The kind of awaitables, as sleepers in the heap. Nothing else extends it.
    SleeperKind;
}

/// An entry of the ready queue or of the heap of timers.
#[derive(Clone)]
pub enum Job {
    /// Steps a task, in its own context.
    Step(Native<TaskKind>),
    /// Throws an exception into a task that yielded something it should not have.
    Throw(Native<TaskKind>, Object),
    /// Calls a future's done callback in the context it was added with.
    Callback {
        callback: Object,
        future: Object,
        context: Object,
    },
    /// Tells a combinator that a future is done.
    Notify {
        function: Notify,
        owner: Object,
        future: Object,
    },
    /// Runs one of our `Handle`s or `TimerHandle`s.
    Handle(Native<HandleKind>),
    /// Ends a native `sleep`.
    Sleeper(Native<SleeperKind>),
    /// Rings a native alarm: that of a timeout.
    Alarm(Native<Alarm>),
    /// Tells native code that a descriptor is ready.
    Ready(NativeListener),
    /// Runs a handle of another class, which the loop was handed by asyncio's own code.
    ForeignHandle(Object),
}

impl Job {
    /// Shows the objects that the job holds to the garbage collector.
    pub fn visit(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        match self {
            Self::Step(task) => visit.call(task.as_py()),
            Self::Handle(handle) => visit.call(handle.as_py()),
            Self::Sleeper(sleeper) => visit.call(sleeper.as_py()),
            Self::ForeignHandle(handle) => visit.call(handle.as_py()),
            // The collector does not know of alarms themselves.
            Self::Alarm(alarm) => match alarm.get().target() {
                Some(target) => visit.call(target.as_py()),
                None => Ok(()),
            },
            Self::Ready(listener) => visit.call(listener.owner.as_py()),
            Self::Throw(task, exception) => {
                visit.call(task.as_py())?;
                visit.call(exception.as_py())
            }
            Self::Notify { owner, future, .. } => {
                visit.call(owner.as_py())?;
                visit.call(future.as_py())
            }
            Self::Callback {
                callback,
                future,
                context,
            } => {
                visit.call(callback.as_py())?;
                visit.call(future.as_py())?;
                visit.call(context.as_py())
            }
        }
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Step(_) => "Step",
            Self::Throw(..) => "Throw",
            Self::Callback { .. } => "Callback",
            Self::Notify { .. } => "Notify",
            Self::Handle(_) => "Handle",
            Self::Sleeper(_) => "Sleeper",
            Self::Alarm(_) => "Alarm",
            Self::Ready(_) => "Ready",
            Self::ForeignHandle(_) => "ForeignHandle",
        };
        formatter.write_str(name)
    }
}

/// A native function that is called when a future is done, and the facts about it. There is one
/// static for each; two are the same if they are in the same place.
pub struct Notification {
    /// Called with the owner and the future that is done. It runs in no particular context.
    pub call: fn(owner: &Object, future: &Object) -> Result<()>,
    /// The name of asyncio's callback for the same purpose, for the repr of the future.
    pub name: Option<&'static CStr>,
    /// The task that waits for the owner, if one does. `asyncio.capture_call_graph()` shows it.
    pub parent: fn(owner: &Object) -> Option<Object>,
}

impl Notification {
    /// A notification that texts show by its repr.
    pub const fn unnamed(call: fn(&Object, &Object) -> Result<()>) -> Self {
        Self {
            call,
            name: None,
            parent: |_| None,
        }
    }

    /// A notification with the name of asyncio's callback.
    pub const fn named(name: &'static CStr, call: fn(&Object, &Object) -> Result<()>) -> Self {
        Self {
            name: Some(name),
            ..Self::unnamed(call)
        }
    }
}

/// A reference to a notification, which also identifies it.
pub type Notify = &'static Notification;

/// The reaction of native code when its descriptor is ready.
pub struct Reaction {
    /// Runs in no particular context. The generation is that of the notified registration: if the
    /// owner has ended that one since, there is nothing to do.
    pub react: fn(owner: &Object, generation: u32) -> Result<()>,
    /// A handle that represents the reaction, for messages.
    pub handle: fn(owner: &Object) -> Result<Native<HandleKind>>,
    /// Whether the owner reacts in the coming turn anyway, where owners do so at all: readiness of
    /// its descriptor is then no news.
    pub is_due: Option<fn(owner: &Object, generation: u32) -> bool>,
}

/// One side of a descriptor that native code listens to.
#[derive(Clone)]
pub struct NativeListener {
    /// The functions of the listener's kind.
    pub reaction: &'static Reaction,
    /// The object that reacts.
    pub owner: Object,
    /// The owner's number for its present registration.
    pub generation: u32,
}
