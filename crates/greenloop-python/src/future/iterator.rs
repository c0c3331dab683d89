//! The iterator of `await future`: it yields the future once, then returns its result.
//!
//! The interpreter makes one for each `await future` in a coroutine, and the task sees only the
//! future that it yields. Native code that awaits a future needs no iterator at all
//! (`awaitable/delegate.rs`).
//!
//! ```text
//!   pending, not blocking ──► sets blocking, yields the future  (the task clears it and waits)
//!   pending, blocking     ──► RuntimeError: nobody has received the future
//!   done                  ──► returns the result or raises
//! ```

use greenloop_cpython::{
    Class, ClassBuilder, Dead, ExceptionClass, Header, Iteration, Layout, Native, NativeSlot, Next,
    Object, Record, Result, Spare, Tracked, Visited, Visitor, iterated, raise, restore,
};

use super::{Future, PENDING};
use crate::observing::{Wait, is_recording, tell_wait};

static CLASS: Class<FutureIterator> = Class::new();
static SPARE: Spare<FutureIterator, 256> = Spare::new();

/// The C struct of the iterator.
#[repr(C)]
struct FutureIterator {
    header: Header,
    /// Emptied when the iterator has nothing more to say.
    future: NativeSlot<Future>,
    tracked: Tracked,
}

// SAFETY: the class is built for this struct alone, whose header is the object's.
unsafe impl Layout for FutureIterator {
    const OFFSET: usize = 0;
}

// SAFETY: a zeroed iterator has no future and is not tracked. Only the future is shown.
unsafe impl Record for FutureIterator {
    fn tracked(&self) -> Option<&Tracked> {
        Some(&self.tracked)
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.future.visit(visitor)
    }

    fn clear(&self) {
        self.future.clear();
    }

    fn is_empty(&self) -> bool {
        self.future.is_empty()
    }

    fn bury(dead: Dead<Self>) {
        SPARE.keep(dead);
    }
}

impl Iteration for FutureIterator {
    /// One `send`. A value that is sent is not looked at, as in asyncio. After the outcome the
    /// iterator is empty and returns None.
    #[inline]
    fn advance(this: &Native<Self>) -> Result<Next> {
        let iterator = this.get();
        let Some(object) = iterator.future.get() else {
            return Ok(Next::Returned(Object::none()));
        };
        let future = object.get();
        if future.state() != PENDING {
            iterator.future.clear();
            return future.outcome().map(Next::Returned);
        }
        if future.blocking().replace(true) {
            let class = ExceptionClass::RuntimeError;
            return Err(raise(class, c"await wasn't used with future"));
        }
        if is_recording() {
            tell_awaited(&object)?;
        }
        Ok(Next::Yielded(object.into_object()))
    }

    /// Raises the exception at once; the future is not told, as it is the task that cancels it.
    fn throw(this: &Native<Self>, exception: Object) -> Result<Next> {
        this.get().future.clear();
        Err(restore(exception))
    }

    fn close(this: &Native<Self>) -> Result<()> {
        this.get().future.clear();
        Ok(())
    }
}

/// Tells an observer that the task that runs waits for this future.
#[cold]
#[inline(never)]
fn tell_awaited(future: &Native<Future>) -> Result<()> {
    let kind = (super::waiting_task()?.kind)(future);
    tell_wait(&Wait::on(kind, future.get().number()));
    Ok(())
}

/// `future.__await__()` and `iter(future)`.
///
/// The garbage collector tracks the iterator from the first: a program may keep it where the future
/// leads to.
#[inline]
pub fn iterate(future: &Native<Future>) -> Result<Object> {
    future.get().ensure_initialised()?;
    let iterator = SPARE.allocate(&CLASS)?;
    iterator.get().future.set(future.clone());
    iterator.track();
    Ok(iterator.into_object())
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    let class = ClassBuilder::<FutureIterator>::of_records(c"greenloop.FutureIter")
        .doc(c"The iterator behind `await future`.");
    iterated(class).build_into(&CLASS)
}
