//! A queue between those who put items in and those who get them out.
//!
//! What is woken is an offer, not a gift: a woken getter looks again whether there is an item, and
//! joins the line at its end if somebody was faster; so does a putter. A waiter that leaves without
//! using the offer hands it on. An item is in the store or with its getter, never with a waiter, so
//! none is lost.

use std::cell::Cell;

use super::Event;
use crate::{Standing, WaitList};

/// Where the items are. Its methods may come back to the queue.
pub trait Store {
    /// What is put in and taken out.
    type Item;
    /// What any of it may fail with.
    type Error;

    /// Whether there is nothing to take.
    ///
    /// # Errors
    /// Whatever the store fails with.
    fn is_empty(&self) -> Result<bool, Self::Error>;

    /// Whether there is no room for another item.
    ///
    /// # Errors
    /// Whatever the store fails with.
    fn is_full(&self) -> Result<bool, Self::Error>;

    /// Puts an item in.
    ///
    /// # Errors
    /// Whatever the store fails with.
    fn put(&self, item: Self::Item) -> Result<(), Self::Error>;

    /// Takes the item out whose turn it is.
    ///
    /// # Errors
    /// Whatever the store fails with.
    fn take(&self) -> Result<Self::Item, Self::Error>;
}

/// What the queue knows beside its items.
#[derive(Debug, Default)]
pub struct Queue<L> {
    /// Those who wait for an item.
    pub getters: L,
    /// Those who wait for room.
    pub putters: L,
    /// How many items were put in and not reported as done yet.
    unfinished: Cell<isize>,
    shut_down: Cell<bool>,
}

/// What somebody does who wants to put or get and is ready to wait.
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
    /// A queue that nobody waits for.
    pub const fn new(getters: L, putters: L) -> Self {
        Self {
            getters,
            putters,
            unfinished: Cell::new(0),
            shut_down: Cell::new(false),
        }
    }

    /// Begins anew: nothing is unfinished, and those who waited are forgotten, not woken.
    pub fn reset(&self) {
        while self.getters.pop().is_some() {}
        while self.putters.pop().is_some() {}
        self.unfinished.set(0);
        self.shut_down.set(false);
    }

    /// How many items are unfinished; whoever counts by himself may set it.
    pub const fn unfinished(&self) -> &Cell<isize> {
        &self.unfinished
    }

    /// Whether the queue was shut down; setting it wakes nobody.
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
        if !store.is_full()? && self.putters.standing(waiter)? == Standing::Woken {
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
        if !store.is_empty()? && self.getters.standing(waiter)? == Standing::Woken {
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

    /// Nothing is put in any more, and what is there can be taken; with `immediate` it is thrown
    /// away. All who wait are woken, to find that out.
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
