//! The line of waiting futures: a doubly linked list through the entries of a slab.
//!
//! A slab rather than links through the futures themselves, because a future of Rust may be moved
//! until it is polled, and forgotten afterwards: links into it would be unsafe. Its entries are
//! reused, so waiting allocates only when there are more waiters than ever before.

use std::cell::RefCell;
use std::convert::Infallible;
use std::task::Context;

use greenloop_core::{WaitList, WaiterState};
use slab::Slab;

use super::WakeTarget;

/// The line; see [`WaitList`] for the life of a waiter.
pub struct Line {
    places: RefCell<Places>,
}

/// A waiter of one line: the number of its place there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiter(usize);

struct Places {
    slab: Slab<Place>,
    first: Option<usize>,
    last: Option<usize>,
}

struct Place {
    /// Whether it is in the line. A waiter that was taken out keeps its entry until its future
    /// gives it back, since its state may still be asked for.
    linked: bool,
    previous: Option<usize>,
    next: Option<usize>,
    /// The target to wake; none once that was done.
    wake_target: Option<WakeTarget>,
}

impl Line {
    /// An empty line, which takes no memory before the first wait.
    pub const fn new() -> Self {
        Self {
            places: RefCell::new(Places {
                slab: Slab::new(),
                first: None,
                last: None,
            }),
        }
    }

    /// An entry for the task of `context`, which is not in the line yet.
    #[inline]
    pub fn enter(&self, context: &Context<'_>) -> Waiter {
        let wake_target = WakeTarget::of(context);
        let mut places = self.places.borrow_mut();
        Waiter(places.slab.insert(Place::of(wake_target)))
    }

    /// Puts the task of `context` at the end.
    #[inline]
    pub fn join(&self, context: &Context<'_>) -> Waiter {
        let wake_target = WakeTarget::of(context);
        let mut places = self.places.borrow_mut();
        let index = places.slab.insert(Place::of(wake_target));
        places.push(index);
        Waiter(index)
    }

    /// The waiter is polled with `context` and still waits: the task of `context` is woken from now
    /// on.
    #[inline]
    pub fn poll_again(&self, waiter: Waiter, context: &Context<'_>) {
        let is_known = {
            let places = self.places.borrow();
            let wake_target = places.slab[waiter.0].wake_target.as_ref();
            wake_target.is_some_and(|wake_target| wake_target.is_of(context))
        };
        if !is_known {
            let wake_target = Some(WakeTarget::of(context));
            let before = std::mem::replace(
                &mut self.places.borrow_mut().slab[waiter.0].wake_target,
                wake_target,
            );
            // Dropped behind the borrow: a foreign waker may do anything.
            drop(before);
        }
    }

    /// A waiter that was woken for nothing waits once more, at the end.
    #[inline]
    pub fn wait_again(&self, waiter: Waiter, context: &Context<'_>) {
        self.poll_again(waiter, context);
        self.remove(&waiter);
        self.push(&waiter);
    }

    /// The waiter's future needs its place no longer.
    #[inline]
    pub fn leave(&self, waiter: Waiter) {
        let place = {
            let mut places = self.places.borrow_mut();
            places.remove(waiter.0);
            places.slab.remove(waiter.0)
        };
        drop(place);
    }

    /// The number of waiters in the line.
    pub fn len(&self) -> usize {
        std::iter::successors(self.first(), |waiter| self.after(waiter)).count()
    }
}

impl Place {
    #[inline]
    const fn of(wake_target: WakeTarget) -> Self {
        Self {
            linked: false,
            previous: None,
            next: None,
            wake_target: Some(wake_target),
        }
    }
}

impl Places {
    #[inline]
    fn push(&mut self, index: usize) {
        let last = self.last.replace(index);
        let place = &mut self.slab[index];
        debug_assert!(!place.linked, "nobody waits twice");
        place.linked = true;
        place.previous = last;
        place.next = None;
        match last {
            Some(last) => self.slab[last].next = Some(index),
            None => self.first = Some(index),
        }
    }

    #[inline]
    fn remove(&mut self, index: usize) -> bool {
        let place = &mut self.slab[index];
        if !place.linked {
            return false;
        }
        place.linked = false;
        let (previous, next) = (place.previous, place.next);
        match previous {
            Some(previous) => self.slab[previous].next = next,
            None => self.first = next,
        }
        match next {
            Some(next) => self.slab[next].previous = previous,
            None => self.last = previous,
        }
        true
    }
}

impl WaitList for Line {
    type Waiter = Waiter;
    type Error = Infallible;

    #[inline]
    fn push(&self, waiter: &Waiter) {
        self.places.borrow_mut().push(waiter.0);
    }

    #[inline]
    fn remove(&self, waiter: &Waiter) -> bool {
        self.places.borrow_mut().remove(waiter.0)
    }

    #[inline]
    fn first(&self) -> Option<Waiter> {
        self.places.borrow().first.map(Waiter)
    }

    #[inline]
    fn after(&self, waiter: &Waiter) -> Option<Waiter> {
        let places = self.places.borrow();
        let place = places.slab.get(waiter.0)?;
        if place.linked {
            place.next.map(Waiter)
        } else {
            None
        }
    }

    /// Nobody is ever [`Cancelled`](WaiterState::Cancelled): a future that is dropped leaves at
    /// once.
    #[inline]
    fn waiter_state(&self, waiter: &Waiter) -> Result<WaiterState, Infallible> {
        let waits = self.places.borrow().slab[waiter.0].wake_target.is_some();
        Ok(if waits {
            WaiterState::Waiting
        } else {
            WaiterState::Woken
        })
    }

    #[inline]
    fn wake(&self, waiter: &Waiter) -> Result<(), Infallible> {
        let wake_target = self.places.borrow_mut().slab[waiter.0].wake_target.take();
        // Behind the borrow: a foreign waker may come back to this very line.
        if let Some(wake_target) = wake_target {
            wake_target.wake();
        }
        Ok(())
    }

    #[inline]
    fn pop(&self) -> Option<Waiter> {
        let mut places = self.places.borrow_mut();
        let first = places.first?;
        places.remove(first);
        Some(Waiter(first))
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}
