//! A line whose waiters are numbers, moved by hand: a test says who is cancelled and who runs.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use greenloop_core::{WaitList, WaiterState};

/// A waiter is its number: two lines that share [`Standings`] may hold the same one in turn.
pub type Waiter = usize;

/// How each waiter stands, and who was woken, in order.
#[derive(Default)]
pub struct Standings {
    of_each: RefCell<Vec<WaiterState>>,
    woken: RefCell<Vec<Waiter>>,
    /// Waking this one fails.
    unwakeable: Cell<Option<Waiter>>,
}

/// What waking an unwakeable waiter fails with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CannotWake(pub Waiter);

impl Standings {
    /// A new waiter, waiting.
    pub fn waiter(&self) -> Waiter {
        self.of_each.borrow_mut().push(WaiterState::Waiting);
        self.of_each.borrow().len() - 1
    }

    /// Has a waiter wait once more.
    pub fn wait_again(&self, waiter: Waiter) {
        self.of_each.borrow_mut()[waiter] = WaiterState::Waiting;
    }

    /// Cancels one that waits, as the owner of a future does.
    pub fn cancel(&self, waiter: Waiter) {
        assert_eq!(self.of(waiter), WaiterState::Waiting);
        self.of_each.borrow_mut()[waiter] = WaiterState::Cancelled;
    }

    /// How a waiter stands.
    pub fn of(&self, waiter: Waiter) -> WaiterState {
        self.of_each.borrow()[waiter]
    }

    /// Everybody who was woken so far, in order.
    pub fn woken(&self) -> Vec<Waiter> {
        self.woken.borrow().clone()
    }

    /// Has waking this one fail from now on.
    pub fn make_unwakeable(&self, waiter: Waiter) {
        self.unwakeable.set(Some(waiter));
    }
}

/// The line.
pub struct ManualLine {
    pub standings: Rc<Standings>,
    queue: RefCell<VecDeque<Waiter>>,
}

impl ManualLine {
    pub fn new(standings: &Rc<Standings>) -> Self {
        Self {
            standings: Rc::clone(standings),
            queue: RefCell::default(),
        }
    }

    /// Everybody in the line, in order.
    pub fn to_vec(&self) -> Vec<Waiter> {
        self.queue.borrow().iter().copied().collect()
    }

    /// Puts a new waiter at the end.
    pub fn join(&self) -> Waiter {
        let waiter = self.standings.waiter();
        self.push(&waiter);
        waiter
    }

    fn position(&self, waiter: Waiter) -> Option<usize> {
        self.queue
            .borrow()
            .iter()
            .position(|other| *other == waiter)
    }
}

impl WaitList for ManualLine {
    type Waiter = Waiter;
    type Error = CannotWake;

    fn push(&self, waiter: &Waiter) {
        assert_eq!(self.position(*waiter), None, "nobody waits twice");
        self.queue.borrow_mut().push_back(*waiter);
    }

    fn remove(&self, waiter: &Waiter) -> bool {
        let position = self.position(*waiter);
        position
            .and_then(|position| self.queue.borrow_mut().remove(position))
            .is_some()
    }

    fn first(&self) -> Option<Waiter> {
        self.queue.borrow().front().copied()
    }

    fn after(&self, waiter: &Waiter) -> Option<Waiter> {
        let position = self.position(*waiter)?;
        self.queue.borrow().get(position + 1).copied()
    }

    fn waiter_state(&self, waiter: &Waiter) -> Result<WaiterState, CannotWake> {
        Ok(self.standings.of(*waiter))
    }

    fn wake(&self, waiter: &Waiter) -> Result<(), CannotWake> {
        assert_eq!(
            self.standings.of(*waiter),
            WaiterState::Waiting,
            "woken twice"
        );
        if self.standings.unwakeable.get() == Some(*waiter) {
            return Err(CannotWake(*waiter));
        }
        self.standings.of_each.borrow_mut()[*waiter] = WaiterState::Woken;
        self.standings.woken.borrow_mut().push(*waiter);
        Ok(())
    }
}
