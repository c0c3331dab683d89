//! The result of `coroutine.__await__()`: an iterator that drives one of our coroutines by hand.
//!
//! The interpreter uses the class's slot instead of this method, and continues with the coroutine
//! itself.

use super::attached::attached;
use super::class::ClassBuilder;
use super::coroutine::{Resumed, resume, throw};
use super::error::Result;
use super::gc::{Visited, Visitor};
use super::iteration::{Iteration, Next, iterated};
use super::making::ByName as _;
use super::native::{Class, Layout, Native};
use super::object::Object;
use super::record::{Dead, Header, Record, Spare, Tracked};
use super::slot::Slot;

/// The C struct.
#[repr(C)]
pub struct CoroutineWrapper {
    header: Header,
    coroutine: Slot,
    tracked: Tracked,
}

static CLASS: Class<CoroutineWrapper> = Class::new();
static SPARE: Spare<CoroutineWrapper, 8> = Spare::new();

// SAFETY: the struct is the whole instance.
unsafe impl Layout for CoroutineWrapper {
    const OFFSET: usize = 0;
}

// SAFETY: it begins with a header, and its fields are empty when they are zero. The one slot is
// shown.
unsafe impl Record for CoroutineWrapper {
    fn tracked(&self) -> Option<&Tracked> {
        Some(&self.tracked)
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.coroutine.visit(visitor)
    }

    fn clear(&self) {
        self.coroutine.clear();
    }

    fn is_empty(&self) -> bool {
        self.coroutine.is_empty()
    }

    fn bury(dead: Dead<Self>) {
        SPARE.keep(dead);
    }
}

impl CoroutineWrapper {
    /// A wrapper that drives `coroutine`.
    pub fn create(coroutine: &Object) -> Result<Object> {
        let wrapper = SPARE.allocate(&CLASS)?;
        wrapper.get().coroutine.set(coroutine.clone());
        wrapper.track();
        Ok(wrapper.into_object())
    }
}

impl Iteration for CoroutineWrapper {
    fn advance(this: &Native<Self>) -> Result<Next> {
        next(resume(&this.get().coroutine.get_or_none()))
    }

    fn throw(this: &Native<Self>, exception: Object) -> Result<Next> {
        next(throw(&this.get().coroutine.get_or_none(), &exception))
    }

    fn close(this: &Native<Self>) -> Result<()> {
        let coroutine = this.get().coroutine.get_or_none();
        coroutine.bound(attached()).invoke_method(c"close", ())?;
        Ok(())
    }
}

fn next(resumed: Resumed) -> Result<Next> {
    match resumed {
        Resumed::Yielded(object) => Ok(Next::Yielded(object)),
        Resumed::Returned(value) => Ok(Next::Returned(value)),
        Resumed::Failed(raised) => Err(raised),
    }
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    let class = ClassBuilder::<CoroutineWrapper>::of_records(c"greenloop.coroutine_wrapper")
        .doc(c"An iterator that drives a coroutine of native code.");
    iterated(class).build_into(&CLASS)
}
