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
    Arguments, ClassBuilder, Freelist, Object, Result, Slot, Visited, Visitor, attribute, fast,
    init, type_error, visit_slots,
};
use pyo3::ffi;

use super::cancellation::cancel_gathering;
use crate::asyncio::globals;
use crate::future::{Derived, Future, PENDING, cannot_delete, derived, parse_message};

/// How many dead ones are kept for new ones.
static SPARE: Freelist<256> = Freelist::new();

/// The C struct. All zeroes is a gathering of nothing.
#[repr(C)]
pub struct GatheringFuture {
    future: Future,
    /// The list of the children, as `_children` shows it.
    children: Slot,
    /// The task that called `gather`, from 3.14 on, if any: it awaits the children.
    awaiting: Slot,
    pub gathering: Gathering,
    /// Set when a cancellation reached a child: the outcome will be a cancellation then.
    cancel_requested: Cell<bool>,
}

impl GatheringFuture {
    /// The struct behind a `_GatheringFuture`.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        // SAFETY: called on instances of this class only: receivers of its methods, and owners of
        // the notifications that `gather` asks for.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// One that has not begun.
    #[inline]
    pub fn create() -> Result<Object> {
        let class = globals().classes.gathering_future.as_ptr();
        // SAFETY: `GatheringFuture` is the class's struct, and the list serves it alone.
        unsafe {
            let block = SPARE.allocate_with_attributes::<Self>(class)?;
            Ok(Object::from_owned(block.cast()))
        }
    }

    /// `__init__`: all children are known, and `attach` puts the future on their loop.
    #[inline]
    pub fn begin(
        this: &Object,
        children: Object,
        attach: impl FnOnce(&Future) -> Result<()>,
    ) -> Result<()> {
        let gathering = Self::of(this);
        gathering.children.set(children);
        attach(&gathering.future)
    }

    /// Whether the outcomes of the children do not matter any more, or not yet.
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
    // SAFETY: `children` is valid, and asked for its length if it is a list.
    unsafe {
        if ffi::PyList_Check(children.as_ptr()) == 0 {
            return 0;
        }
        ffi::PyList_GET_SIZE(children.as_ptr()) as usize
    }
}

/// The child at a place of the list, which may have been made shorter.
pub fn child_at(children: &Object, index: usize) -> Option<Object> {
    (index < count(children)).then(|| {
        // SAFETY: what has items is a list; the item is borrowed from it.
        unsafe {
            let index = index as ffi::Py_ssize_t;
            Object::from_borrowed(ffi::PyList_GET_ITEM(children.as_ptr(), index))
        }
    })
}

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let parameters = [&names.children, &names.loop_];
    let [children, event_loop] = arguments.bind(c"_GatheringFuture.__init__", parameters, 1, 1)?;
    let gathering = GatheringFuture::of(this);
    gathering.future.ensure_fresh()?;
    let Some(event_loop) = event_loop.filter(|event_loop| !event_loop.is_none()) else {
        return Err(type_error("a gathering future needs its children's loop"));
    };
    let none = Object::none();
    // SAFETY: the argument is a valid object.
    let list = unsafe { ffi::PySequence_List(children.unwrap_or(&none).as_ptr()) };
    // SAFETY: a new reference or NULL with an exception set.
    let list = unsafe { Object::from_returned(list)? };
    gathering.future.initialise(Some(event_loop))?;
    gathering.cancel_requested.set(false);
    gathering.children.set(list);
    Ok(())
}

fn cancel(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let message = parse_message(&arguments)?;
    Ok(Object::boolean(cancel_gathering(this, message)?))
}

fn attribute_children(this: &Object) -> Result<Object> {
    Ok(GatheringFuture::of(this).children.get_or_none())
}

fn attribute_cancel_requested(this: &Object) -> Result<Object> {
    Ok(Object::boolean(
        GatheringFuture::of(this).is_cancel_requested(),
    ))
}

fn set_cancel_requested(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(cannot_delete)?.is_true()?;
    GatheringFuture::of(this).cancel_requested.set(value);
    Ok(())
}

impl Derived for GatheringFuture {
    fn base() -> &'static Object {
        &globals().asyncio.future
    }

    fn class() -> *mut ffi::PyTypeObject {
        globals().classes.gathering_future.as_ptr()
    }

    fn spare() -> &'static Freelist<256> {
        &SPARE
    }

    fn has_something_to_report(&self) -> bool {
        self.future.has_something_to_report()
    }

    fn finalise(this: &Object) {
        Future::finalise(this);
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
pub fn make_class() -> Result<Object> {
    derived::<GatheringFuture>(ClassBuilder::new::<GatheringFuture>(
        c"greenloop._GatheringFuture",
    ))
    .subclassable()
    .doc(c"_GatheringFuture(children, *, loop)\n--\n\nWhat gather() returns.")
    .init(init!(initialise))
    .methods(vec![fast!(
        c"cancel",
        cancel,
        c"cancel($self, /, msg=None)\n--\n\nCancel the children; return whether any was reached."
    )])
    .attributes(vec![
        attribute!(c"_children", attribute_children),
        attribute!(
            c"_cancel_requested",
            attribute_cancel_requested,
            set_cancel_requested
        ),
    ])
    .build(Some(&globals().classes.future.object()))
}
