//! Functions that make one awaitable of several: `gather`, `wait`, `as_completed`, `shield`; and
//! `create_task` and `ensure_future`, which make tasks.
//!
//! They learn that a future is done by a native function (`future::notify_when_done`), so that a
//! child costs no Python callback. Their arguments and results may be of any class and on any loop:
//! see `any_future`.

mod as_completed;
mod awaited_by;
mod children;
mod create_task;
mod ensure_future;
mod gather;
mod shield;
mod wait;

use greenloop_cpython::{
    ClassCell, ExceptionClass, Function, Object, Raised, Result, fast, fetch, matches, restore,
};

use crate::any_future;
use crate::asyncio::edition::CREATE_TASK_SHOWS_KWARGS;

#[cfg(not(Py_3_12))]
pub use ensure_future::Home;
pub use ensure_future::{as_future, set_wrap_awaitable};

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    wait::make_class()?;
    as_completed::make_class()
}

/// The public class by its name.
pub fn classes() -> [(&'static str, &'static ClassCell); 1] {
    [("_AsCompletedIterator", &as_completed::CLASS)]
}

/// The functions of the module that this room has.
pub fn functions() -> Vec<Function> {
    vec![
        fast(
            c"gather",
            gather::gather,
            c"gather(*coros_or_futures, return_exceptions=False)\n--\n\n\
              Run awaitables concurrently; return a future of the list of their results.",
        ),
        fast(
            c"shield",
            shield::shield,
            c"shield(arg)\n--\n\n\
              Shield an awaitable from cancellation; return a future of its outcome.",
        ),
        fast(
            c"wait",
            wait::wait,
            c"wait(fs, *, timeout=None, return_when='ALL_COMPLETED')\n--\n\n\
              Wait for futures, at most timeout seconds; return the sets (done, pending).",
        ),
        fast(
            c"as_completed",
            as_completed::as_completed,
            c"as_completed(fs, *, timeout=None)\n--\n\n\
              Iterate over awaitables in the order of their completion; raise TimeoutError after \
              timeout seconds.",
        ),
        fast(
            c"create_task",
            create_task::create_task,
            if CREATE_TASK_SHOWS_KWARGS {
                c"create_task(coro, **kwargs)\n--\n\n\
                  Schedule a coroutine as a task of the running loop; return the task."
            } else {
                c"create_task(coro, *, name=None, context=None)\n--\n\n\
                  Schedule a coroutine as a task of the running loop; return the task."
            },
        ),
        fast(
            c"ensure_future",
            ensure_future::ensure_future,
            c"ensure_future(coro_or_future, *, loop=None)\n--\n\n\
              Return a future of an awaitable: a future itself, or a new task.",
        ),
    ]
}

/// Without memory an outer future cannot be given its outcome: then the `MemoryError` is its
/// outcome, since nothing else would end it. Other errors are left to be reported, as asyncio does
/// it.
///
/// # Errors
/// `raised`, unless it is a `MemoryError`; that one too if the outer future has its outcome
/// already.
#[cold]
fn fail_without_memory(outer: &Object, raised: Raised) -> Result<()> {
    if !matches(ExceptionClass::MemoryError) {
        return Err(raised);
    }
    let exception = fetch(raised);
    if any_future::is_done(outer)? {
        return Err(restore(exception));
    }
    any_future::set_exception(outer, &exception)
}
