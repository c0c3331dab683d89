//! Who awaits a child of `gather`, `wait`, `as_completed` or `shield`, for `capture_call_graph`.
//!
//! The task that awaits the outer future waits for the children too, and nothing else would say so.
//! There is no such graph before 3.14: everything here is nothing then.

#[cfg(Py_3_14)]
mod edges {
    use crate::future::Future;
    use crate::interop::{Object, Result, call_function, globals};
    use crate::task;

    /// `current_task(event_loop)`, where `event_loop` is the running one if none is given.
    #[inline]
    pub fn current_task(event_loop: Option<&Object>) -> Result<Option<Object>> {
        if let Some(task) = task::stepping() {
            let home = Future::of(&task).event_loop().as_ptr();
            if event_loop.is_none_or(|event_loop| event_loop.is(home)) {
                return Ok(Some(task));
            }
        }
        let function = &globals().asyncio.current_task;
        let task = match event_loop {
            Some(event_loop) => call_function(function, &[event_loop.as_ptr()])?,
            None => call_function(function, &[])?,
        };
        Ok(Some(task).filter(|task| !task.is_none()))
    }

    /// `task`, if there is one, awaits `future` from now on.
    #[inline]
    pub fn add(future: &Object, task: Option<&Object>) -> Result<()> {
        write(&globals().asyncio.add_to_awaited_by, future, task)
    }

    /// `task` does not await `future` any more.
    #[inline]
    pub fn discard(future: &Object, task: Option<&Object>) -> Result<()> {
        write(&globals().asyncio.discard_from_awaited_by, future, task)
    }

    fn write(function: &Object, future: &Object, task: Option<&Object>) -> Result<()> {
        match task {
            Some(task) => call_function(function, &[future.as_ptr(), task.as_ptr()]).map(drop),
            None => Ok(()),
        }
    }
}

#[cfg(not(Py_3_14))]
mod edges {
    use crate::interop::{Object, Result};

    #[inline]
    pub fn current_task(_event_loop: Option<&Object>) -> Result<Option<Object>> {
        Ok(None)
    }

    #[inline]
    pub fn add(_future: &Object, _task: Option<&Object>) -> Result<()> {
        Ok(())
    }

    #[inline]
    pub fn discard(_future: &Object, _task: Option<&Object>) -> Result<()> {
        Ok(())
    }
}

pub use edges::{add, current_task, discard};
