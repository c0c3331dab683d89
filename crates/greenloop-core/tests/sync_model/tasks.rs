//! The tasks that use a subject: who holds, who waits, who was cancelled, moved by one action after
//! the other.

use greenloop_core::WaiterState;

use super::manual_line::Waiter;
use super::{Action, Step, Subject, remove};

/// The tasks of one subject: who holds, who waits, and who of those has a cancellation coming.
pub struct Tasks<S> {
    pub subject: S,
    asked: usize,
    holding: Vec<Waiter>,
    waiting: Vec<Waiter>,
    thrown: Vec<Waiter>,
    /// In which order they got what they asked for.
    pub served: Vec<Waiter>,
}

impl<S: Subject> Tasks<S> {
    pub fn new(subject: S) -> Self {
        Self {
            subject,
            asked: 0,
            holding: Vec::new(),
            waiting: Vec::new(),
            thrown: Vec::new(),
            served: Vec::new(),
        }
    }

    pub fn perform(&mut self, action: Action) {
        match action {
            Action::Ask => {
                let waiter = self.asked;
                self.asked += 1;
                let step = self.subject.ask(waiter);
                self.note(waiter, step);
            }
            Action::GiveBack(choice) => {
                if take(&mut self.holding, choice).is_some() {
                    self.subject.give_back();
                }
            }
            Action::Cancel(choice) => {
                if let Some(waiter) = chosen(&self.waiting, choice) {
                    if self.subject.waiter_state(waiter) == WaiterState::Waiting {
                        self.subject.cancel_wait(waiter);
                    } else if !self.thrown.contains(&waiter) {
                        self.thrown.push(waiter);
                    }
                }
            }
            Action::Run(choice) => {
                if let Some(waiter) = chosen(&self.over(), choice) {
                    self.run(waiter);
                }
            }
            Action::WaitForCondition(choice) => {
                // A semaphore's tasks have no condition.
                if let Some(waiter) = take(&mut self.holding, choice) {
                    self.subject.wait(waiter);
                    self.waiting.push(waiter);
                }
            }
            Action::Notify(limit) => self.subject.notify(limit),
        }
    }

    /// Those whose wait is over.
    fn over(&self) -> Vec<Waiter> {
        let over = |waiter: &Waiter| self.subject.waiter_state(*waiter) != WaiterState::Waiting;
        self.waiting.iter().copied().filter(over).collect()
    }

    fn run(&mut self, waiter: Waiter) {
        remove(&mut self.waiting, waiter);
        let thrown = self.thrown.contains(&waiter);
        remove(&mut self.thrown, waiter);
        let cancelled = thrown || self.subject.waiter_state(waiter) == WaiterState::Cancelled;
        let step = self.subject.run(waiter, cancelled);
        self.note(waiter, step);
    }

    fn note(&mut self, waiter: Waiter, step: Step) {
        match step {
            Step::Has => {
                self.holding.push(waiter);
                self.served.push(waiter);
            }
            Step::Waits => self.waiting.push(waiter),
            Step::Gone => {}
        }
    }

    /// Everybody runs and gives back at once, until nobody can go on.
    pub fn finish(&mut self) {
        loop {
            for _ in std::mem::take(&mut self.holding) {
                self.subject.give_back();
            }
            let Some(waiter) = self.over().first().copied() else {
                return;
            };
            self.run(waiter);
        }
    }
}

fn chosen(among: &[Waiter], choice: usize) -> Option<Waiter> {
    (!among.is_empty()).then(|| among[choice % among.len()])
}

fn take(among: &mut Vec<Waiter>, choice: usize) -> Option<Waiter> {
    let waiter = chosen(among, choice)?;
    remove(among, waiter);
    Some(waiter)
}
