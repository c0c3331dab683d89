//! `create_task`: a task on the running loop.
//!
//! The most frequent call, with only a coroutine and inside one of our tasks, takes a short cut to
//! the loop. Every other call uses asyncio's own function, which passes to `loop.create_task` the
//! arguments that the running version passes.

use greenloop_cpython::{Anything, Arguments, Native, Object, Result};

use crate::asyncio::globals;
use crate::event_loop::EventLoop;
use crate::future::future_of;
use crate::scheduler::stepping;

/// `create_task(coro, *, name=None, context=None)`.
pub fn create_task(_module: &Native<Anything>, arguments: Arguments<'_>) -> Result<Object> {
    if let (Some(coroutine), Some(task)) = (arguments.only(), stepping()) {
        let future = future_of(&task).get();
        let native = EventLoop::of_future(future);
        if let Some(native) = native.filter(|native| native.makes_native_tasks()) {
            return native.spawn(&future.event_loop().get_or_none(), coroutine);
        }
    }
    arguments.pass_to(&globals().asyncio.create_task)
}
