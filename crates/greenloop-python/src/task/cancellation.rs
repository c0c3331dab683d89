//! The path of a cancellation from a task to the object that can be cancelled, along tasks that
//! await tasks.
//!
//! ```text
//!   task ──► task ──► gather ──► task ──► awaitable: cancelled on the spot
//!                        └─────► future: cancelled on the spot
//! ```
//! asyncio's `cancel` methods call each other. Here one loop walks the path and keeps it in memory,
//! so that its length is not limited by the stack. A path that comes back to itself (tasks that
//! await each other in a circle, a task that gathers itself) would never end. It raises
//! `RecursionError`, as asyncio does when the calls have used up the interpreter's limit.
//!
//! What `cancel` does, by `asyncio.Task.cancel`: the count of requests goes up; the object that the
//! task waits for is cancelled if it can be; if it cannot, or the task runs or is about to, the
//! next step throws a `CancelledError`. Nothing is thrown here. The task may catch the exception,
//! so cancelling is a request.

use std::collections::HashSet;

use greenloop_core::observe::WakeCause;
use greenloop_cpython::{Native, Object, Result, recursion_error};

use super::gathering_future::{GatheringFuture, child_at};
use super::{CLASS, GATHERING_FUTURE, Task};
use crate::asyncio::globals;
use crate::awaitable::Awaitable;
use crate::future::{self, Future, PENDING};
use crate::observing::{because_of, is_recording, tell_cancel_request};

/// A path is searched for circles only once it is longer than nearly all are.
const LONG: usize = 64;

/// One place of the path that has not been answered yet.
enum Link {
    /// A task, which notes a cancellation for its next step if the object it waits for refuses.
    Task(Native<Task>),
    /// The future of a `gather`, with its children and the number of them that were asked.
    Gathering {
        /// The future that `gather` returned.
        future: Native<GatheringFuture>,
        /// The list of its children, which code that a cancellation runs may change.
        children: Object,
        /// The index of the next child.
        asked: usize,
        /// Whether one of those asked took the request.
        reached: bool,
    },
    /// An awaitable that waits through a future, and answers as that does.
    Awaitable(Object),
}

/// The answer of one object.
enum Answer {
    /// Whether it was cancelled.
    Given(bool),
    /// That is for another object to say.
    Beyond(Link, Object),
}

/// `task.cancel(message)`, of one of our tasks or of a subclass that calls its base.
///
/// False if the task is done. A second call while the first is under way counts as well
/// (`cancelling()`).
pub fn cancel_task(task: &Native<Task>, message: Option<&Object>) -> Result<bool> {
    if is_recording() && task.get().future.state() == PENDING {
        tell_cancel_request(task.get().future.number());
    }
    because_of(WakeCause::Cancellation, || {
        walk(ask_task(task, message)?, message)
    })
}

/// `future.cancel(message)`, of the result of `gather`.
///
/// Whether any child took the request; the future itself stays pending until the children have
/// ended.
pub fn cancel_gathering(
    future: &Native<GatheringFuture>,
    message: Option<&Object>,
) -> Result<bool> {
    walk(ask_gathering(future), message)
}

/// `waiter.cancel(msg=message)`, of any object that a task waits for.
///
/// An object that is not ours is asked by its method, which may be code of the program. The answer
/// is its truth.
pub fn cancel_waiter(waiter: &Object, message: Option<&Object>) -> Result<bool> {
    walk(ask(waiter, message)?, message)
}

/// Nearly all cancellations end at the first object, for which no path is kept in memory.
#[inline]
fn walk(first: Answer, message: Option<&Object>) -> Result<bool> {
    match first {
        Answer::Given(answer) => Ok(answer),
        Answer::Beyond(link, next) => walk_on(link, next, message),
    }
}

/// Asks one object after the other along the path, and hands each answer back to those before, last
/// first.
#[inline(never)]
fn walk_on(first: Link, mut next: Object, message: Option<&Object>) -> Result<bool> {
    let mut path = Path::default();
    path.push(first)?;
    loop {
        let mut answer = match ask(&next, message)? {
            Answer::Given(answer) => answer,
            Answer::Beyond(link, further) => {
                path.push(link)?;
                next = further;
                continue;
            }
        };
        next = loop {
            let Some(link) = path.last() else {
                return Ok(answer);
            };
            match link.hear(answer, message) {
                Ok(own) => answer = own,
                Err(child) => break child,
            }
            path.pop();
        };
    }
}

/// Asks one object, or says which one has to be asked in its stead.
fn ask(object: &Object, message: Option<&Object>) -> Result<Answer> {
    if let Some(awaitable) = Awaitable::native(object) {
        return match Awaitable::future_of_wait(awaitable) {
            Some(future) => Ok(Answer::Beyond(Link::Awaitable(object.clone()), future)),
            None => Awaitable::cancel_natively(awaitable, message).map(Answer::Given),
        };
    }
    if let Some(task) = CLASS.exactly(object) {
        return ask_task(task, message);
    }
    let none = Object::none();
    let message = message.unwrap_or(&none);
    if let Some(future) = future::CLASS.exactly(object) {
        return Future::cancel(future, Some(message)).map(Answer::Given);
    }
    if let Some(gathering) = GATHERING_FUTURE.exactly(object) {
        return Ok(ask_gathering(gathering));
    }
    let (name, keywords) = (&globals().names.cancel, &globals().keywords.msg);
    let answer = object.invoke_named(name, [], keywords, [message])?;
    answer.is_true().map(Answer::Given)
}

/// Counts the request. A task that does not wait takes it at once, for its next step.
fn ask_task(object: &Native<Task>, message: Option<&Object>) -> Result<Answer> {
    let task = object.get();
    task.future.log_traceback().set(false);
    if task.future.state() != PENDING {
        return Ok(Answer::Given(false));
    }
    let requests = task.cancel_requests.get().saturating_add(1);
    task.cancel_requests.set(requests);
    let Some(waiter) = task.waiter.get() else {
        task.cancel_at_next_step(message);
        return Ok(Answer::Given(true));
    };
    if is_walked_through(&waiter) {
        return Ok(Answer::Beyond(Link::Task(object.clone()), waiter));
    }
    // Nearly always: the path ends here, and need not be kept.
    if let Answer::Given(false) = ask(&waiter, message)? {
        task.cancel_at_next_step(message);
    }
    Ok(Answer::Given(true))
}

/// Whether cancelling `object` may be cancelling others.
#[inline]
fn is_walked_through(object: &Object) -> bool {
    CLASS.is_class_of(object)
        || GATHERING_FUTURE.is_class_of(object)
        || Awaitable::native(object)
            .is_some_and(|awaitable| Awaitable::future_of_wait(awaitable).is_some())
}

/// The children are asked one by one, in their order. A gathering without children refuses.
fn ask_gathering(gathering: &Native<GatheringFuture>) -> Answer {
    if gathering.up::<Future>().get().state() != PENDING {
        return Answer::Given(false);
    }
    let children = gathering.get().children().get_or_none();
    match child_at(&children, 0) {
        None => Answer::Given(false),
        Some(child) => Answer::Beyond(
            Link::Gathering {
                future: gathering.clone(),
                children,
                asked: 1,
                reached: false,
            },
            child,
        ),
    }
}

impl Link {
    /// Takes the answer of the object that was asked. Returns the link's own answer, or the object
    /// that it asks next.
    fn hear(
        &mut self,
        answer: bool,
        message: Option<&Object>,
    ) -> std::result::Result<bool, Object> {
        match self {
            Self::Awaitable(_) => Ok(answer),
            Self::Task(task) => {
                if !answer {
                    task.get().cancel_at_next_step(message);
                }
                Ok(true)
            }
            Self::Gathering {
                future,
                children,
                asked,
                reached,
            } => {
                *reached |= answer;
                if let Some(child) = child_at(children, *asked) {
                    *asked += 1;
                    return Err(child);
                }
                if *reached {
                    future.get().note_cancel_request();
                }
                Ok(*reached)
            }
        }
    }

    /// By what a circle is recognised; each link holds its object, so no address is used twice.
    fn address(&self) -> usize {
        let object: &Object = match self {
            Self::Task(task) => task,
            Self::Awaitable(awaitable) => awaitable,
            Self::Gathering { future, .. } => future,
        };
        object.as_ptr().addr()
    }
}

/// The links between the first object and the one that is being asked to cancel.
#[derive(Default)]
struct Path {
    links: Vec<Link>,
    /// The addresses of all links of a long path.
    seen: Option<HashSet<usize>>,
}

impl Path {
    /// Raises `RecursionError` if the path comes back to itself.
    fn push(&mut self, link: Link) -> Result<()> {
        self.links.push(link);
        if self.links.len() < LONG {
            return Ok(());
        }
        let seen = self.seen.get_or_insert_default();
        let missing = &self.links[seen.len()..];
        for link in missing {
            if !seen.insert(link.address()) {
                return Err(recursion_error(
                    c"maximum recursion depth exceeded while calling a Python object",
                ));
            }
        }
        Ok(())
    }

    /// The nearest link that has not been answered.
    fn last(&mut self) -> Option<&mut Link> {
        self.links.last_mut()
    }

    /// Its object has answered: the object may be on the path again from here on.
    fn pop(&mut self) {
        if let (Some(link), Some(seen)) = (self.links.pop(), &mut self.seen) {
            seen.remove(&link.address());
        }
    }
}
