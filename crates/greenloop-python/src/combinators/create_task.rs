//! `create_task`: a task on the running loop.
//!
//! What is called most, with a coroutine alone and inside of a task of ours, takes a short cut to
//! the loop. All else is asyncio's own function, which passes on to `loop.create_task` what the
//! running version passes on.

use greenloop_cpython::{Arguments, Object, Result};

use crate::asyncio::globals;
use crate::future::Future;
use crate::task::{self, Task};

/// `create_task(coro, *, name=None, context=None)`.
pub fn create_task(_module: &Object, arguments: Arguments<'_>) -> Result<Object> {
    if let (Some(coroutine), Some(task)) = (arguments.only(), task::stepping()) {
        let future = Future::of(&task);
        let native = future
            .fast_loop()
            .filter(|native| native.makes_native_tasks());
        if let Some(native) = native {
            return Task::spawn(&future.event_loop().get_or_none(), native, coroutine);
        }
    }
    arguments.pass_to(&globals().asyncio.create_task)
}
