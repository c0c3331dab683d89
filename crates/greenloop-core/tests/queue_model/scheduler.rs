//! The waiters that were woken or cancelled and run next, and the plainest wait list.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;

use greenloop_core::{WaitList, WaiterState};

/// Both sides of the comparison have one.
#[derive(Default)]
pub struct Scheduler {
    pub standings: RefCell<Vec<WaiterState>>,
    pub ready: RefCell<VecDeque<usize>>,
}

impl Scheduler {
    pub fn end(&self, waiter: usize, waiter_state: WaiterState) {
        self.standings.borrow_mut()[waiter] = waiter_state;
        self.ready.borrow_mut().push_back(waiter);
    }

    pub fn waiter_state(&self, waiter: usize) -> WaiterState {
        self.standings.borrow()[waiter]
    }
}

/// The plainest line.
pub struct Line {
    scheduler: Rc<Scheduler>,
    pub waiters: RefCell<Vec<usize>>,
}

impl Line {
    pub fn new(scheduler: &Rc<Scheduler>) -> Self {
        Self {
            scheduler: Rc::clone(scheduler),
            waiters: RefCell::default(),
        }
    }

    fn position(&self, waiter: usize) -> Option<usize> {
        self.waiters
            .borrow()
            .iter()
            .position(|other| *other == waiter)
    }
}

impl WaitList for Line {
    type Waiter = usize;
    type Error = Infallible;

    fn push(&self, waiter: &usize) {
        self.waiters.borrow_mut().push(*waiter);
    }

    fn remove(&self, waiter: &usize) -> bool {
        let position = self.position(*waiter);
        if let Some(position) = position {
            self.waiters.borrow_mut().remove(position);
        }
        position.is_some()
    }

    fn first(&self) -> Option<usize> {
        self.waiters.borrow().first().copied()
    }

    fn after(&self, waiter: &usize) -> Option<usize> {
        let position = self.position(*waiter)?;
        self.waiters.borrow().get(position + 1).copied()
    }

    fn waiter_state(&self, waiter: &usize) -> Result<WaiterState, Infallible> {
        Ok(self.scheduler.waiter_state(*waiter))
    }

    fn wake(&self, waiter: &usize) -> Result<(), Infallible> {
        assert_eq!(self.scheduler.waiter_state(*waiter), WaiterState::Waiting);
        self.scheduler.end(*waiter, WaiterState::Woken);
        Ok(())
    }
}
