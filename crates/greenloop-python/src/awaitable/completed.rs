//! `Completed`: the awaitable of an asynchronous method that has done its work in the call already
//! and returns None. There is one per process, since it has no state.
//!
//! The `__aexit__` of a lock has nothing to wait for, but `async with` awaits what it returns.
//! asyncio makes a coroutine for it, which can be awaited once; this one can be awaited any number
//! of times, being one for all.

use greenloop_cpython::{
    Class, ClassBuilder, Dead, GilOnce, Header, Iteration, Layout, Native, Next, Object, Record,
    Result, Spare, Tracked, Visited, Visitor, coroutine, restore,
};

static CLASS: Class<Completed> = Class::new();
static SPARE: Spare<Completed, 1> = Spare::new();

/// The C struct.
#[repr(C)]
struct Completed {
    header: Header,
}

// SAFETY: an instance is a header and nothing else.
unsafe impl Layout for Completed {
    const OFFSET: usize = 0;
}

// SAFETY: the header is all there is to be valid, and nothing is held.
unsafe impl Record for Completed {
    fn tracked(&self) -> Option<&Tracked> {
        None
    }

    fn visit(&self, _: &Visitor) -> Visited {
        Ok(())
    }

    fn clear(&self) {}

    fn is_empty(&self) -> bool {
        true
    }

    fn bury(dead: Dead<Self>) {
        SPARE.keep(dead);
    }
}

impl Iteration for Completed {
    /// Returns None at once, so that `await` does not suspend.
    #[inline]
    fn advance(_this: &Native<Self>) -> Result<Next> {
        Ok(Next::Returned(Object::none()))
    }

    /// Raises the exception, as a coroutine does that has not begun.
    fn throw(_this: &Native<Self>, exception: Object) -> Result<Next> {
        Err(restore(exception))
    }

    fn close(_this: &Native<Self>) -> Result<()> {
        Ok(())
    }
}

/// The instance, which is never dropped.
static INSTANCE: GilOnce<Object> = GilOnce::new();

/// The awaitable that is done and returns None.
///
/// Costs a new reference. Raises a `MemoryError`, at the first call only.
pub fn completed() -> Result<Object> {
    if let Some(instance) = INSTANCE.get() {
        return Ok(instance.clone());
    }
    let object = SPARE.allocate(&CLASS)?.into_object();
    Ok(INSTANCE.keep(object).clone())
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    let class = ClassBuilder::<Completed>::of_records(c"greenloop.Completed")
        .doc(c"A coroutine that is done.");
    coroutine(class).build_into(&CLASS)
}
