//! A queue between the tasks that put items in and those that get them out.
//!
//! A wake-up is an offer, not a gift: a woken getter looks again whether there is an item, and
//! joins the line at its end if another task was faster. A putter does the same. A waiter that
//! leaves without using the offer passes it on. An item is in the store or with its getter, never
//! with a waiter, so none is lost.

use std::cell::Cell;

use super::Event;
use crate::{WaitList, WaiterState};

/// The store of the items. Its methods may call back into the queue.
pub trait Store {
    /// The type of the items.
    type Item;
    /// The error of its methods.
    type Error;

    /// Whether there is nothing to take.
    ///
    /// # Errors
    /// Any error of the store.
    fn is_empty(&self) -> Result<bool, Self::Error>;

    /// Whether there is no room for another item.
    ///
    /// # Errors
    /// Any error of the store.
    fn is_full(&self) -> Result<bool, Self::Error>;

    /// Puts an item in.
    ///
    /// # Errors
    /// Any error of the store.
    fn put(&self, item: Self::Item) -> Result<(), Self::Error>;

    /// Takes the item out whose turn it is.
    ///
    /// # Errors
    /// Any error of the store.
    fn take(&self) -> Result<Self::Item, Self::Error>;
}

/// The state of a queue besides its items.
#[derive(Debug, Default)]
pub struct Queue<L> {
    /// The tasks that wait for an item.
    pub getters: L,
    /// The tasks that wait for room.
    pub putters: L,
    /// How many items were put in and not reported as done yet.
    unfinished: Cell<isize>,
    shut_down: Cell<bool>,
}

/// The next step of a task that wants to put or get and is ready to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// Do it.
    Now,
    /// Wait in the line, then ask again.
    Wait,
    /// Give up: the queue was shut down.
    Never,
}

/// Why nothing was put or taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is nothing to take.
    Empty,
    /// There is no room.
    Full,
    /// The queue was shut down.
    ShutDown,
}

/// Why an item was not put in, and the item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused<T>(pub Refusal, pub T);

/// More items were reported as done than were put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NothingUnfinished;

impl<L: WaitList> Queue<L> {
    /// A queue without waiters.
    pub const fn new(getters: L, putters: L) -> Self {
        Self {
            getters,
            putters,
            unfinished: Cell::new(0),
            shut_down: Cell::new(false),
        }
    }

    /// Resets the queue: no item is unfinished, and the waiters are dropped, not woken.
    pub fn reset(&self) {
        while self.getters.pop().is_some() {}
        while self.putters.pop().is_some() {}
        self.unfinished.set(0);
        self.shut_down.set(false);
    }

    /// The number of unfinished items; a caller that counts by itself may set it.
    pub const fn unfinished(&self) -> &Cell<isize> {
        &self.unfinished
    }

    /// Whether the queue was shut down; setting it wakes no waiter.
    pub const fn shut_down_flag(&self) -> &Cell<bool> {
        &self.shut_down
    }

    /// Whether an item may be put in.
    ///
    /// # Errors
    /// As the store's.
    #[inline]
    pub fn admit_putter<S: Store>(&self, store: &S) -> Result<Admission, S::Error> {
        if !store.is_full()? {
            return Ok(Admission::Now);
        }
        if self.shut_down.get() {
            return Ok(Admission::Never);
        }
        Ok(Admission::Wait)
    }

    /// Whether an item may be taken.
    ///
    /// # Errors
    /// As the store's.
    #[inline]
    pub fn admit_getter<S: Store>(&self, store: &S) -> Result<Admission, S::Error> {
        if !store.is_empty()? {
            return Ok(Admission::Now);
        }
        if self.shut_down.get() && store.is_empty()? {
            return Ok(Admission::Never);
        }
        Ok(Admission::Wait)
    }

    /// Puts an item in and wakes a getter. `finished` is cleared: there is something to be done
    /// now. An item that is refused comes back.
    ///
    /// # Errors
    /// As the store's and [`WaitList::wake`].
    #[inline]
    pub fn put_nowait<S: Store<Error = L::Error>>(
        &self,
        store: &S,
        finished: &Event<impl WaitList<Error = L::Error>>,
        item: S::Item,
    ) -> Result<Result<(), Refused<S::Item>>, S::Error> {
        if self.shut_down.get() {
            return Ok(Err(Refused(Refusal::ShutDown, item)));
        }
        if store.is_full()? {
            return Ok(Err(Refused(Refusal::Full, item)));
        }
        store.put(item)?;
        self.unfinished.set(self.unfinished.get().wrapping_add(1));
        finished.clear();
        if !self.getters.is_empty() {
            self.getters.pop_and_wake()?;
        }
        Ok(Ok(()))
    }

    /// Takes an item out and wakes a putter.
    ///
    /// # Errors
    /// As the store's and [`WaitList::wake`].
    #[inline]
    pub fn get_nowait<S: Store<Error = L::Error>>(
        &self,
        store: &S,
    ) -> Result<Result<S::Item, Refusal>, S::Error> {
        if store.is_empty()? {
            let shut_down = self.shut_down.get();
            return Ok(Err(if shut_down {
                Refusal::ShutDown
            } else {
                Refusal::Empty
            }));
        }
        let item = store.take()?;
        if !self.putters.is_empty() {
            self.putters.pop_and_wake()?;
        }
        Ok(Ok(item))
    }

    /// A putter gives up. If it was woken and there is room, the next one is woken in its place.
    ///
    /// # Errors
    /// As the store's and [`WaitList::wake`].
    pub fn putter_gives_up<S: Store<Error = L::Error>>(
        &self,
        store: &S,
        waiter: &L::Waiter,
    ) -> Result<(), S::Error> {
        self.putters.remove(waiter);
        if !store.is_full()? && self.putters.waiter_state(waiter)? == WaiterState::Woken {
            self.putters.pop_and_wake()?;
        }
        Ok(())
    }

    /// A getter gives up. If it was woken and there is an item, the next one is woken in its place.
    ///
    /// # Errors
    /// As the store's and [`WaitList::wake`].
    pub fn getter_gives_up<S: Store<Error = L::Error>>(
        &self,
        store: &S,
        waiter: &L::Waiter,
    ) -> Result<(), S::Error> {
        self.getters.remove(waiter);
        if !store.is_empty()? && self.getters.waiter_state(waiter)? == WaiterState::Woken {
            self.getters.pop_and_wake()?;
        }
        Ok(())
    }

    /// One of the items is done; with the last one, `finished` is set.
    ///
    /// # Errors
    /// As [`WaitList::wake`].
    #[inline]
    pub fn task_done(
        &self,
        finished: &Event<impl WaitList<Error = L::Error>>,
    ) -> Result<Result<(), NothingUnfinished>, L::Error> {
        let unfinished = self.unfinished.get();
        if unfinished <= 0 {
            return Ok(Err(NothingUnfinished));
        }
        self.unfinished.set(unfinished - 1);
        if unfinished == 1 {
            finished.set()?;
        }
        Ok(Ok(()))
    }

    /// Whether [`finished`](Event) has to be waited for.
    #[inline]
    pub fn has_unfinished(&self) -> bool {
        self.unfinished.get() > 0
    }

    /// Refuses new items. The present ones can still be taken; with `immediate` they are dropped.
    /// All waiters are woken, to see that.
    ///
    /// # Errors
    /// As the store's and [`WaitList::wake`].
    pub fn shut_down<S: Store<Error = L::Error>>(
        &self,
        store: &S,
        finished: &Event<impl WaitList<Error = L::Error>>,
        immediate: bool,
    ) -> Result<(), S::Error> {
        self.shut_down.set(true);
        if immediate {
            while !store.is_empty()? {
                drop(store.take()?);
                if self.has_unfinished() {
                    self.unfinished.set(self.unfinished.get() - 1);
                }
            }
            if self.unfinished.get() == 0 {
                finished.set()?;
            }
        }
        while self.getters.pop_and_wake()? {}
        while self.putters.pop_and_wake()? {}
        Ok(())
    }
}
