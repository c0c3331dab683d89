//! `_GatheringFuture`: the result of `gather`. Cancelling it cancels the children.
//!
//! A call of `cancel` does not cancel this future itself: it cancels the children, and their
//! outcomes decide, as with a task. The children's notifications own the future, and it owns its
//! children.
//!
//! It exists before its children are known, because they need it as the target of their
//! notifications. Until `begin` it is on no loop, and a notification does nothing; the same holds
//! if a later argument of `gather` is refused.

use std::cell::Cell;

use greenloop_core::sync::Gathering;
use greenloop_cpython::{
    Arguments, Class, ClassBuilder, Derived, Layout, Native, Object, Result, Slot, SpareDerived,
    Visited, Visitor, attribute, extends, fast, readonly, type_error, visit_slots,
};

use super::cancellation::cancel_gathering;
use crate::asyncio::globals;
use crate::future::{self, Future, NATIVE, PENDING, cannot_delete, parse_message};

/// How many dead ones are kept for new ones.
static SPARE: SpareDerived<GatheringFuture> = SpareDerived::new();

/// The class.
pub static CLASS: Class<GatheringFuture> = Class::new();

/// The C struct. All zeroes is a gathering of nothing.
#[repr(C)]
pub struct GatheringFuture {
    future: Future,
    /// The list of the children, as `_children` shows it.
    children: Slot,
    /// The task that called `gather`, from 3.14 on, if any: it awaits the children.
    awaiting: Slot,
    /// How many children are not done yet, and what is to become of them: the core decides.
    pub gathering: Gathering,
    /// Set when a cancellation reached a child: the outcome will be a cancellation then.
    cancel_requested: Cell<bool>,
}

impl GatheringFuture {
    /// One that has not begun.
    ///
    /// All zeroes: no loop, no children. Raises a `MemoryError`.
    #[inline]
    pub fn create() -> Result<Native<Self>> {
        Native::allocate()
    }

    /// `__init__`: all children are known, and `attach` puts the future on their loop.
    ///
    /// `attach` binds the future half to the loop, and may fail.
    #[inline]
    pub fn begin(
        this: &Native<Self>,
        children: Object,
        attach: impl FnOnce(&Future) -> Result<()>,
    ) -> Result<()> {
        let gathering = this.get();
        gathering.children.set(children);
        attach(&gathering.future)
    }

    /// Whether the outcomes of the children do not matter any more, or not yet.
    ///
    /// A notification of a child that comes then is dropped.
    #[inline]
    pub fn is_settled(&self) -> bool {
        self.future.event_loop().is_empty() || self.future.state() != PENDING
    }

    /// The list of the children.
    #[inline]
    pub const fn children(&self) -> &Slot {
        &self.children
    }

    /// The task that awaits the children.
    #[inline]
    pub const fn awaiting(&self) -> &Slot {
        &self.awaiting
    }

    /// Whether a cancellation reached a child.
    #[inline]
    pub fn is_cancel_requested(&self) -> bool {
        self.cancel_requested.get()
    }

    /// A cancellation has reached a child.
    pub fn note_cancel_request(&self) {
        self.cancel_requested.set(true);
    }
}

/// The number of children: none if `__init__` was not called, and `_children` is None.
pub fn count(children: &Object) -> usize {
    children.list_len()
}

/// The child at a place of the list, which may have been made shorter.
pub fn child_at(children: &Object, index: usize) -> Option<Object> {
    children.list_item(index)
}

/// `__init__(children, *, loop)`: for programs that make one by hand, as asyncio's class allows.
fn initialise(this: &Native<GatheringFuture>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let parameters = [&names.children, &names.loop_];
    let [children, event_loop] = arguments.bind(c"_GatheringFuture.__init__", parameters, 1, 1)?;
    let gathering = this.get();
    gathering.future.ensure_fresh()?;
    let Some(event_loop) = event_loop.filter(|event_loop| !event_loop.is_none()) else {
        return Err(type_error("a gathering future needs its children's loop"));
    };
    let none = Object::none();
    let list = children.unwrap_or(&none).to_list()?;
    gathering.future.initialise(Some(event_loop))?;
    gathering.cancel_requested.set(false);
    gathering.children.set(list);
    Ok(())
}

/// `cancel(msg=None)`: the future is cancelled when its children are, in later turns.
fn cancel(this: &Native<GatheringFuture>, arguments: Arguments<'_>) -> Result<Object> {
    let message = parse_message(&arguments)?;
    Ok(Object::boolean(cancel_gathering(this, message)?))
}

fn attribute_children(this: &Native<GatheringFuture>) -> Result<Object> {
    Ok(this.get().children.get_or_none())
}

fn attribute_cancel_requested(this: &Native<GatheringFuture>) -> Result<Object> {
    Ok(Object::boolean(this.get().is_cancel_requested()))
}

/// Sets `_cancel_requested`, which asyncio's class sets in its `cancel`.
fn set_cancel_requested(this: &Native<GatheringFuture>, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(cannot_delete)?.is_true()?;
    this.get().cancel_requested.set(value);
    Ok(())
}

// SAFETY: it begins with a future, which begins with the base's part, and has no children when it
// is zeroed.
unsafe impl Layout for GatheringFuture {
    const OFFSET: usize = 0;
}

extends!(GatheringFuture { future: Future });

// SAFETY: it begins with a future, and is derived from what futures are derived from. Its two
// slots are shown beside those of the future.
unsafe impl Derived for GatheringFuture {
    fn base() -> &'static Object {
        &globals().asyncio.future
    }

    fn class() -> &'static Class<Self> {
        &CLASS
    }

    fn spare() -> &'static SpareDerived<Self> {
        &SPARE
    }

    fn has_something_to_report(&self) -> bool {
        self.future.has_something_to_report()
    }

    fn finalise(this: &Native<GatheringFuture>) {
        Future::finalise(this.up());
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        visit_slots(visitor, [&self.children, &self.awaiting])?;
        self.future.visit(visitor)
    }

    fn clear(&self) {
        self.children.clear();
        self.awaiting.clear();
        self.future.clear();
    }
}

/// Makes the class, below `Future`.
pub fn make_class() -> Result<()> {
    ClassBuilder::<GatheringFuture>::derived(c"greenloop._GatheringFuture")
    .subclassable()
    .doc(c"_GatheringFuture(children, *, loop)\n--\n\nWhat gather() returns.")
    .init_by(initialise)
    .methods([fast(
        c"cancel",
        cancel,
        c"cancel($self, /, msg=None)\n--\n\nCancel the children; return whether any was reached.",
    )])
    .attributes(vec![
        readonly(c"_children", attribute_children),
        attribute(c"_cancel_requested", attribute_cancel_requested, set_cancel_requested),
    ])
    .build_below(&future::CLASS, &CLASS)?;
    NATIVE.add(&CLASS);
    Ok(())
}
