//! The context of a callback or a task, copied only when code looks at it; most are never looked
//! at.
//!
//! asyncio copies the current context for every callback that is scheduled. A context is only a
//! name for an immutable mapping, so keeping the mapping is enough. The callback later runs in a
//! context that is lent to it for that time and holds the mapping meanwhile. With many callbacks
//! pending the copies were a third of their cost: each takes 64 bytes and is tracked by the garbage
//! collector.
//!
//! ```text
//!         1 copy_current          3 run                4 the run ends
//!  empty ───────────────► values ──────► lent context ────────────► values, as the run left them
//!    │  2 set               │ 5 get         │ 6 somebody holds on to it
//!    └──────────────────────┴───────────────┴───────────────► a context, for good
//! ```
//! 3, 4 and 6 are `lend`, `take_back` and `give_away`. A task that is not done after its first step
//! keeps the context it was lent (6): its next steps need it again.
//!
//! The difference is not observable. A callback sees the values that were current when it was
//! scheduled. The values it sets are seen only by its own next run (a reader's callback runs many
//! times). Code that asks for the context gets the same one each time. Python code can only look at
//! copies of the current context, but a token of `ContextVar.set` belongs to the lent context
//! itself, and C code (greenlet) can hand it out. So a lent context is taken back only if nobody
//! else holds it, strongly or weakly. Until then the garbage collector does not know of it, so
//! `gc.get_objects` shows none whose values were taken away.

use std::cell::Cell;
use std::ptr;

use pyo3::ffi;

use super::call::call_with_context;
use super::context_layout::{Layout, layout};
use super::error::{Raised, Result};
use super::gc::{Visited, Visitor};
use super::object::Object;
use super::slot::Slot;

/// A context, or the values of one that was not made yet.
#[repr(transparent)]
pub struct ContextSlot(Slot);

impl ContextSlot {
    /// Keeps the context that `contextvars.copy_context()` would return now.
    #[inline]
    pub fn copy_current(&self) -> Result<()> {
        let values = layout().map_or(ptr::null_mut(), Layout::current_values);
        let copy = if values.is_null() {
            // SAFETY: returns a new reference or NULL with an exception set.
            unsafe { Object::from_returned(ffi::PyContext_CopyCurrent())? }
        } else {
            // SAFETY: the values of the current context are a valid object.
            unsafe { Object::from_borrowed(values) }
        };
        self.0.set(copy);
        Ok(())
    }

    /// Keeps this context or, if it is `None` or not given, a copy of the current one.
    #[inline]
    pub fn set(&self, context: Option<&Object>) -> Result<()> {
        match context {
            Some(context) if !context.is_none() => {
                self.0.set(context.clone());
                Ok(())
            }
            _ => self.copy_current(),
        }
    }

    /// The context, which is the same from now on, or `None` if there is none.
    pub fn get(&self) -> Result<Object> {
        if let Some((layout, held)) = self.values() {
            let context = new_context()?;
            // Making it may have run the garbage collector, and that other code which asked too.
            if self.0.as_ptr() == held {
                // SAFETY: a new context holds an empty mapping. The reference that the slot
                // forgets is the context's from now on.
                unsafe {
                    let place = layout.values_of(context.as_ptr());
                    drop(Object::from_owned(place.replace(held)));
                }
                self.0.replace_moved(context);
            }
        }
        Ok(self.0.get_or_none())
    }

    /// Runs `callback(*arguments)` in the context.
    ///
    /// # Safety
    /// `arguments` points behind one free place, which the callee may use, to `count` valid
    /// objects.
    #[inline]
    unsafe fn call(
        &self,
        callback: &Object,
        arguments: *const *mut ffi::PyObject,
        count: usize,
    ) -> Result<Object> {
        let lent = self.lend()?;
        let context = self.0.get_or_none();
        // SAFETY: passed on from the caller.
        let result = unsafe { call_with_context(&context, callback, arguments, count) };
        if lent {
            self.take_back(context);
        }
        result
    }

    /// Runs `callback(*arguments)` in the context, with at most one argument.
    #[inline]
    pub fn run(&self, callback: &Object, argument: Option<&Object>) -> Result<Object> {
        let nothing = ptr::null_mut();
        let places = [nothing, argument.map_or(nothing, Object::as_ptr)];
        // SAFETY: the argument is valid, and there is a free place in front of it.
        unsafe {
            self.call(
                callback,
                places.as_ptr().add(1),
                usize::from(argument.is_some()),
            )
        }
    }

    /// Runs `callback(*arguments)` in the context.
    pub fn run_with(&self, callback: &Object, arguments: &[Object]) -> Result<Object> {
        let pointers = arguments.iter().map(Object::as_ptr);
        let places: Vec<_> = [ptr::null_mut()].into_iter().chain(pointers).collect();
        // SAFETY: the arguments are valid, and there is a free place in front of them.
        unsafe { self.call(callback, places.as_ptr().add(1), arguments.len()) }
    }

    /// Whether the context is CPython's own: asyncio asks for nothing but a method `run`.
    #[inline]
    pub fn can_be_entered(&self) -> bool {
        let held = self.0.as_ptr();
        self.values().is_some()
            // SAFETY: what a slot holds is valid.
            || !held.is_null() && unsafe { ffi::PyContext_CheckExact(held) } != 0
    }

    /// Runs `body` in the context, which [can be entered](Self::can_be_entered). If `is_over` says
    /// afterwards that it was for the last time, a lent context goes back; else it stays here.
    #[inline]
    pub fn inside<R>(
        &self,
        body: impl FnOnce() -> Result<R>,
        is_over: impl FnOnce() -> bool,
    ) -> Result<R> {
        let lent = self.lend()?;
        let context = self.0.get_or_none();
        // SAFETY: the context is valid; Enter and Exit pair.
        let result = unsafe {
            if ffi::PyContext_Enter(context.as_ptr()) < 0 {
                Err(Raised)
            } else {
                let result = body();
                if ffi::PyContext_Exit(context.as_ptr()) < 0 {
                    Err(Raised)
                } else {
                    result
                }
            }
        };
        if lent {
            if is_over() {
                self.take_back(context);
            } else {
                give_away(&context);
            }
        }
        result
    }

    /// Shows the held object to the garbage collector.
    #[inline]
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        self.0.visit(visitor)
    }

    /// Empties the slot and drops its object.
    #[inline]
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Puts the values into a context that is lent to this slot, unless it has its own.
    #[inline]
    fn lend(&self) -> Result<bool> {
        match self.values() {
            Some((layout, _)) => self.lend_spare(layout),
            None => Ok(false),
        }
    }

    /// The values that the slot holds as long as they are in no context, and where a context has
    /// them.
    #[inline]
    fn values(&self) -> Option<(&'static Layout, *mut ffi::PyObject)> {
        let (layout, held) = (layout()?, self.0.as_ptr());
        // SAFETY: what a slot holds is valid.
        (!held.is_null() && unsafe { layout.is_values(held) }).then_some((layout, held))
    }

    fn lend_spare(&self, layout: &Layout) -> Result<bool> {
        let held = self.0.as_ptr();
        let context = take_spare(layout)?;
        if self.0.as_ptr() != held {
            // Making it ran the garbage collector, and that other code which asked for the context.
            keep_spare(context);
            return Ok(false);
        }
        // SAFETY: a spare context has no values. The reference that the slot forgets is the
        // context's.
        unsafe { layout.values_of(context.as_ptr()).write(held) };
        self.0.replace_moved(context);
        Ok(true)
    }

    /// The end of a run in a lent context: takes its values, unless it has become known elsewhere.
    #[inline]
    fn take_back(&self, context: Object) {
        let Some(layout) = layout() else {
            return;
        };
        // SAFETY: a lent context is exactly a context. Two references are the slot's and ours.
        unsafe {
            if self.0.as_ptr() == context.as_ptr()
                && ffi::Py_REFCNT(context.as_ptr()) == 2
                && !layout.is_weakly_referenced(context.as_ptr())
            {
                let values = layout.values_of(context.as_ptr()).replace(ptr::null_mut());
                self.0.set(Object::from_owned(values));
                keep_spare(context);
            } else {
                give_away(&context);
            }
        }
    }
}

/// Makes a lent context an ordinary one, for good.
fn give_away(context: &Object) {
    // SAFETY: a lent context is a complete object that is not tracked.
    unsafe { ffi::PyObject_GC_Track(context.as_ptr().cast()) };
}

/// A context without values that the garbage collector does not know of, kept for the next run. One
/// is enough where callbacks are not nested.
struct Spare(Cell<*mut ffi::PyObject>);

// SAFETY: used with the GIL held only.
unsafe impl Sync for Spare {}

static SPARE: Spare = Spare(Cell::new(ptr::null_mut()));

#[inline]
fn take_spare(layout: &Layout) -> Result<Object> {
    let spare = SPARE.0.replace(ptr::null_mut());
    if !spare.is_null() {
        // SAFETY: the reference is the one that `keep_spare` gave away.
        return Ok(unsafe { Object::from_owned(spare) });
    }
    let context = new_context()?;
    // SAFETY: a new context is tracked, and holds an empty mapping.
    unsafe {
        ffi::PyObject_GC_UnTrack(context.as_ptr().cast());
        let empty = layout.values_of(context.as_ptr()).replace(ptr::null_mut());
        drop(Object::from_owned(empty));
    }
    Ok(context)
}

/// Keeps a context that is known nowhere else, or frees it if there is one already.
#[inline]
fn keep_spare(context: Object) {
    if SPARE.0.get().is_null() {
        SPARE.0.set(context.into_ptr());
    } else {
        // It is freed by a deallocator that expects it to be tracked.
        give_away(&context);
    }
}

fn new_context() -> Result<Object> {
    // SAFETY: returns a new reference or NULL with an exception set.
    unsafe { Object::from_returned(ffi::PyContext_New()) }
}

/// `contextvars.copy_context()`
#[inline]
pub fn copy_context() -> Result<Object> {
    // SAFETY: returns a new reference, or NULL with an exception set.
    unsafe { Object::from_returned(ffi::PyContext_CopyCurrent()) }
}

/// `context.run(callback[, argument])`, for a context of any class.
#[inline]
pub fn run_in_context(
    context: &Object,
    callback: &Object,
    argument: Option<&Object>,
) -> Result<Object> {
    let nothing = ptr::null_mut();
    let places = [nothing, argument.map_or(nothing, Object::as_ptr)];
    let count = usize::from(argument.is_some());
    // SAFETY: the argument is valid, and there is a free place in front of it.
    unsafe { call_with_context(context, callback, places.as_ptr().add(1), count) }
}
