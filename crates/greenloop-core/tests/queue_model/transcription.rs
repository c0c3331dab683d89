//! `asyncio.queues.Queue` of CPython 3.13, line by line.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use greenloop_core::WaiterState;
use greenloop_core::sync::Refusal;

use super::scheduler::Scheduler;
use super::{Outcome, Subject, Want};

/// The attributes have asyncio's names.
pub struct Transcription {
    scheduler: Rc<Scheduler>,
    maxsize: usize,
    queue: RefCell<VecDeque<u32>>,
    getters: RefCell<VecDeque<usize>>,
    putters: RefCell<VecDeque<usize>>,
    joiners: RefCell<VecDeque<usize>>,
    unfinished_tasks: Cell<isize>,
    finished: Cell<bool>,
    is_shutdown: Cell<bool>,
}

impl Transcription {
    fn empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    fn full(&self) -> bool {
        self.maxsize > 0 && self.queue.borrow().len() >= self.maxsize
    }

    fn wakeup_next(&self, waiters: &RefCell<VecDeque<usize>>) {
        loop {
            let Some(waiter) = waiters.borrow_mut().pop_front() else {
                break;
            };
            if self.scheduler.waiter_state(waiter) == WaiterState::Waiting {
                self.scheduler.end(waiter, WaiterState::Woken);
                break;
            }
        }
    }

    fn set_finished(&self) {
        if !self.finished.replace(true) {
            for waiter in self.joiners.borrow().iter() {
                if self.scheduler.waiter_state(*waiter) == WaiterState::Waiting {
                    self.scheduler.end(*waiter, WaiterState::Woken);
                }
            }
        }
    }
}

impl Subject for Transcription {
    fn new(scheduler: &Rc<Scheduler>, maxsize: usize) -> Self {
        Self {
            scheduler: Rc::clone(scheduler),
            maxsize,
            queue: RefCell::default(),
            getters: RefCell::default(),
            putters: RefCell::default(),
            joiners: RefCell::default(),
            unfinished_tasks: Cell::new(0),
            finished: Cell::new(true),
            is_shutdown: Cell::new(false),
        }
    }

    fn go_on(&self, waiter: usize, want: Want) -> Option<Outcome> {
        match want {
            Want::Put(item) => {
                if self.full() {
                    if self.is_shutdown.get() {
                        return Some(Outcome::Refused(Refusal::ShutDown));
                    }
                    self.putters.borrow_mut().push_back(waiter);
                    return None;
                }
                Some(self.put_nowait(item))
            }
            Want::Get => {
                if self.empty() {
                    if self.is_shutdown.get() && self.empty() {
                        return Some(Outcome::Refused(Refusal::ShutDown));
                    }
                    self.getters.borrow_mut().push_back(waiter);
                    return None;
                }
                Some(self.get_nowait())
            }
            Want::Join => {
                let before = self.joiners.borrow().len();
                self.joiners.borrow_mut().retain(|other| *other != waiter);
                let went_on = self.joiners.borrow().len() < before;
                if went_on || self.unfinished_tasks.get() <= 0 || self.finished.get() {
                    return Some(Outcome::Joined);
                }
                self.joiners.borrow_mut().push_back(waiter);
                None
            }
        }
    }

    fn interrupted(&self, waiter: usize, want: Want) {
        let woken = self.scheduler.waiter_state(waiter) == WaiterState::Woken;
        let line = match want {
            Want::Put(_) => &self.putters,
            Want::Get => &self.getters,
            Want::Join => &self.joiners,
        };
        line.borrow_mut().retain(|other| *other != waiter);
        match want {
            Want::Put(_) if !self.full() && woken => self.wakeup_next(&self.putters),
            Want::Get if !self.empty() && woken => self.wakeup_next(&self.getters),
            _ => {}
        }
    }

    fn put_nowait(&self, item: u32) -> Outcome {
        if self.is_shutdown.get() {
            return Outcome::Refused(Refusal::ShutDown);
        }
        if self.full() {
            return Outcome::Refused(Refusal::Full);
        }
        self.queue.borrow_mut().push_back(item);
        self.unfinished_tasks.set(self.unfinished_tasks.get() + 1);
        self.finished.set(false);
        self.wakeup_next(&self.getters);
        Outcome::Put
    }

    fn get_nowait(&self) -> Outcome {
        if self.empty() {
            if self.is_shutdown.get() {
                return Outcome::Refused(Refusal::ShutDown);
            }
            return Outcome::Refused(Refusal::Empty);
        }
        let item = self.queue.borrow_mut().pop_front().expect("not empty");
        self.wakeup_next(&self.putters);
        Outcome::Got(item)
    }

    fn task_done(&self) -> Option<Outcome> {
        if self.unfinished_tasks.get() <= 0 {
            return Some(Outcome::TooOften);
        }
        self.unfinished_tasks.set(self.unfinished_tasks.get() - 1);
        if self.unfinished_tasks.get() == 0 {
            self.set_finished();
        }
        None
    }

    fn shut_down(&self, immediate: bool) {
        self.is_shutdown.set(true);
        if immediate {
            while !self.empty() {
                self.queue.borrow_mut().pop_front();
                if self.unfinished_tasks.get() > 0 {
                    self.unfinished_tasks.set(self.unfinished_tasks.get() - 1);
                }
            }
            if self.unfinished_tasks.get() == 0 {
                self.set_finished();
            }
        }
        while !self.getters.borrow().is_empty() {
            self.wakeup_next(&self.getters);
        }
        while !self.putters.borrow().is_empty() {
            self.wakeup_next(&self.putters);
        }
    }

    fn state(&self) -> (Vec<u32>, usize, usize, isize) {
        (
            self.queue.borrow().iter().copied().collect(),
            self.getters.borrow().len(),
            self.putters.borrow().len(),
            self.unfinished_tasks.get(),
        )
    }
}
