//! The task that awaits a child of `gather`, `wait`, `as_completed` or `shield`, for
//! `capture_call_graph`.
//!
//! The task that awaits the outer future waits for the children too, and nothing else would record
//! that. There is no such graph before 3.14, and the functions here do nothing then.

#[cfg(Py_3_14)]
mod edges {
    use crate::asyncio::globals;
    pub use crate::task::current_task;
    use greenloop_cpython::{Object, Result};

    /// `task`, if there is one, awaits `future` from now on.
    ///
    /// Each `add` has to be undone by a `discard`; both are calls of asyncio's.
    #[inline]
    pub fn add(future: &Object, task: Option<&Object>) -> Result<()> {
        write(&globals().asyncio.add_to_awaited_by, future, task)
    }

    /// `task` does not await `future` any more.
    #[inline]
    pub fn discard(future: &Object, task: Option<&Object>) -> Result<()> {
        write(&globals().asyncio.discard_from_awaited_by, future, task)
    }

    /// Calls one of asyncio's two functions, which note and forget that `task` awaits `future`.
    fn write(function: &Object, future: &Object, task: Option<&Object>) -> Result<()> {
        match task {
            Some(task) => function.call([future, task]).map(drop),
            None => Ok(()),
        }
    }
}

#[cfg(not(Py_3_14))]
mod edges {
    use greenloop_cpython::{Object, Result};

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
