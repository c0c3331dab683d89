//! The line of waiting awaitables: a doubly linked list through the awaitables themselves.
//!
//! Waiting allocates nothing, and a waiter leaves from any place in constant time. The list borrows
//! its awaitables: one that is deallocated leaves it first. The list owns the task or future behind
//! each awaitable, as asyncio's `_waiters` owns futures: a primitive keeps its waiters alive, but
//! not a coroutine that was driven by hand and dropped. The one exception is a guest, see
//! [`Line::push_guest`].
//!
//! ```text
//!   Line ── first ──► awaitable ◄──► awaitable ◄──► awaitable ◄── last
//!                         │ waiter
//!                         ▼
//!                    task or future (owned by the line, shown to the collector by it)
//! ```
//! Which waiter is woken, and when one leaves, is decided by the core's `sync`, which knows the
//! line as a `WaitList`. Its `waiter_state` and `wake` may run code of the program, for a foreign
//! wait, and `clear` by what it drops.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use greenloop_core::{WaitList, WaiterState};
use greenloop_cpython::{Native, Object, Raised, Result, Visited, Visitor};

use super::{Awaitable, NOTHING, Stage};

/// A link to an awaitable in a line, which is alive: it leaves the line before it dies.
type Link = Option<NonNull<Awaitable>>;

/// The place of an awaitable in a line. All zeroes is nowhere.
pub struct Place {
    previous: Cell<Link>,
    next: Cell<Link>,
    /// The line, or null. It is alive: when a line ends, it removes its waiters first.
    line: Cell<*const Line>,
    /// Whether the line owns the awaitable, because nothing else does.
    is_guest: Cell<bool>,
}

impl Place {
    /// Whether the awaitable is in a line. The line then shows its waiter to the collector, and not
    /// the awaitable.
    pub fn is_linked(&self) -> bool {
        !self.line.get().is_null()
    }

    /// Leaves the awaitable's line, whichever it is.
    #[inline]
    pub fn leave(waiter: &Native<Awaitable>) {
        let line = waiter.get().place.line.get();
        // SAFETY: a line that is not null is alive; see the field.
        if let Some(line) = unsafe { line.as_ref() } {
            line.remove(waiter);
        }
    }
}

impl Awaitable {
    /// An awaitable that represents in a line a future that was put there by hand.
    ///
    /// It is finished, so that nothing drives it, and has nothing but the future as its waiter.
    pub fn guest(future: &Object) -> Result<Native<Self>> {
        let object = Self::create_untracked(&NOTHING, future, None)?;
        let awaitable = object.get();
        awaitable.owner.clear();
        awaitable.waiter.set(future.clone());
        awaitable.foreign.set(true);
        awaitable.stage.set(Stage::Finished);
        Ok(object)
    }
}

/// The line.
pub struct Line {
    first: Cell<Link>,
    last: Cell<Link>,
    len: Cell<usize>,
    /// The result of a future that waits here, set when it is woken.
    result: fn() -> Object,
}

impl Line {
    /// An empty line, whose futures are woken with True.
    pub const fn new() -> Self {
        Self::waking_with(|| Object::boolean(true))
    }

    /// An empty line, with the result of its futures.
    ///
    /// `result` makes the value of `future.result()` for a foreign wait: asyncio sets True in a
    /// lock, False in a condition and None in a queue.
    pub const fn waking_with(result: fn() -> Object) -> Self {
        Self {
            first: Cell::new(None),
            last: Cell::new(None),
            len: Cell::new(0),
            result,
        }
    }

    /// The number of its waiters.
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Everybody in it, in order.
    ///
    /// Each is held by the vector, so the caller may run any code. Costs one allocation.
    pub fn to_vec(&self) -> Vec<Native<Awaitable>> {
        std::iter::successors(self.first(), |waiter| self.after(waiter)).collect()
    }

    /// Puts an awaitable at the end that is held nowhere else, until it is taken out.
    pub fn push_guest(&self, guest: Native<Awaitable>) {
        self.push(&guest);
        guest.get().place.is_guest.set(true);
        // `remove` takes the reference back.
        std::mem::forget(guest);
    }

    /// Shows the tasks and futures behind the awaitables to the garbage collector: the awaitables
    /// leave them to the line that they stand in, which is one.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        let mut next = self.first.get();
        while let Some(awaitable) = Self::linked(next) {
            awaitable.waiter.visit(visitor)?;
            next = awaitable.place.next.get();
        }
        Ok(())
    }

    /// Releases the tasks and futures, because a cycle is being broken; the awaitables stay until
    /// they are deallocated.
    pub fn clear(&self) {
        for awaitable in self.to_vec() {
            awaitable.get().waiter.clear();
        }
    }

    /// The awaitable that a link leads to.
    fn linked<'a>(link: Link) -> Option<&'a Awaitable> {
        // SAFETY: see `Link`.
        link.map(|awaitable| unsafe { awaitable.as_ref() })
    }

    fn object(link: Link) -> Option<Native<Awaitable>> {
        // SAFETY: what is linked is a living awaitable.
        link.map(|awaitable| unsafe { Native::carrying(awaitable.as_ptr()) })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

impl WaitList for Line {
    type Waiter = Native<Awaitable>;
    type Error = Raised;

    /// It goes to the end, whatever its state. Constant time, without an allocation.
    #[inline]
    fn push(&self, waiter: &Native<Awaitable>) {
        let place = &waiter.get().place;
        if place.is_linked() {
            // The wait was ended by hand, as `set_result` does, and begins again: asyncio leaves
            // such a waiter where it is, and passes it over.
            Place::leave(waiter);
        }
        let link = Some(NonNull::from(waiter.get()));
        let last = self.last.replace(link);
        place.previous.set(last);
        place.next.set(None);
        place.line.set(self);
        match Self::linked(last) {
            Some(last) => last.place.next.set(link),
            None => self.first.set(link),
        }
        self.len.set(self.len.get() + 1);
    }

    /// False if it is not in this line. May drop a guest's last reference but the caller's.
    #[inline]
    fn remove(&self, waiter: &Native<Awaitable>) -> bool {
        let place = &waiter.get().place;
        if !ptr::eq(place.line.get(), self) {
            return false;
        }
        place.line.set(ptr::null());
        let (previous, next) = (place.previous.get(), place.next.get());
        match Self::linked(previous) {
            Some(previous) => previous.place.next.set(next),
            None => self.first.set(next),
        }
        match Self::linked(next) {
            Some(next) => next.place.previous.set(previous),
            None => self.last.set(previous),
        }
        self.len.set(self.len.get() - 1);
        if place.is_guest.replace(false) {
            // SAFETY: the reference that `push_guest` kept; the caller has another.
            drop(unsafe { Object::from_owned(waiter.as_ptr()) });
        }
        true
    }

    #[inline]
    fn first(&self) -> Option<Native<Awaitable>> {
        Self::object(self.first.get())
    }

    #[inline]
    fn after(&self, waiter: &Native<Awaitable>) -> Option<Native<Awaitable>> {
        let place = &waiter.get().place;
        ptr::eq(place.line.get(), self)
            .then(|| place.next.get())
            .and_then(Self::object)
    }

    #[inline]
    fn waiter_state(&self, waiter: &Native<Awaitable>) -> Result<WaiterState> {
        Awaitable::waiter_state(waiter)
    }

    #[inline]
    fn wake(&self, waiter: &Native<Awaitable>) -> Result<()> {
        Awaitable::wake_with(waiter, self.result)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }
}
