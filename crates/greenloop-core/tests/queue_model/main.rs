//! The queue against asyncio's, transcribed: the same programs have the same outcomes in the same
//! order.

mod core_queue;
mod scheduler;
mod transcription;

use std::rc::Rc;

use greenloop_core::WaiterState;
use greenloop_core::sync::Refusal;
use proptest::prelude::*;

use core_queue::Core;
use scheduler::Scheduler;
use transcription::Transcription;

/// What a program may do. A number that names a waiter is taken modulo the number of waiters.
#[derive(Clone, Copy, Debug)]
enum Step {
    Put,
    Get,
    Join,
    PutNowait,
    GetNowait,
    TaskDone,
    Cancel(usize),
    ShutDown { immediate: bool },
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Put),
        6 => Just(Step::Get),
        1 => Just(Step::Join),
        2 => Just(Step::PutNowait),
        2 => Just(Step::GetNowait),
        2 => Just(Step::TaskDone),
        4 => any::<usize>().prop_map(Step::Cancel),
        6 => Just(Step::Turn),
    ]
}

/// A program, most of which never shut the queue down and some of which do somewhere.
fn program() -> impl Strategy<Value = Vec<Step>> {
    let end = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<bool>()));
    (prop::collection::vec(step(), 0..60), end).prop_map(|(mut steps, end)| {
        if let Some((place, immediate)) = end {
            steps.insert(place.index(steps.len() + 1), Step::ShutDown { immediate });
        }
        steps
    })
}

/// What a waiter wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    Put(u32),
    Get,
    Join,
}

/// What came of it, or of something that does not wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Put,
    Got(u32),
    Joined,
    Refused(Refusal),
    Cancelled,
    TooOften,
}

type Log = Vec<(Want, Outcome)>;

/// What is compared: the core's queue and the transcription.
trait Subject {
    fn new(scheduler: &Rc<Scheduler>, maxsize: usize) -> Self;
    /// Goes on with a wait or begins it; `None` if it waits.
    fn go_on(&self, waiter: usize, want: Want) -> Option<Outcome>;
    fn interrupted(&self, waiter: usize, want: Want);
    fn put_nowait(&self, item: u32) -> Outcome;
    fn get_nowait(&self) -> Outcome;
    fn task_done(&self) -> Option<Outcome>;
    fn shut_down(&self, immediate: bool);
    /// The items, how many wait to get and to put, and how many items are unfinished.
    fn state(&self) -> (Vec<u32>, usize, usize, isize);
}

/// A program being run on one subject.
struct Run<S> {
    scheduler: Rc<Scheduler>,
    subject: S,
    wants: Vec<Want>,
    cancel_requested: Vec<bool>,
    done: Vec<bool>,
    log: Log,
    next_item: u32,
}

impl<S: Subject> Run<S> {
    fn new(maxsize: usize) -> Self {
        let scheduler = Rc::default();
        Self {
            subject: S::new(&scheduler, maxsize),
            scheduler,
            wants: Vec::new(),
            cancel_requested: Vec::new(),
            done: Vec::new(),
            log: Vec::new(),
            next_item: 0,
        }
    }

    fn item(&mut self) -> u32 {
        self.next_item += 1;
        self.next_item
    }

    fn note(&mut self, want: Want, outcome: Outcome) {
        self.log.push((want, outcome));
    }

    fn begin(&mut self, want: Want) {
        let waiter = self.wants.len();
        self.wants.push(want);
        self.cancel_requested.push(false);
        self.done.push(false);
        self.scheduler
            .standings
            .borrow_mut()
            .push(WaiterState::Waiting);
        self.go_on(waiter);
    }

    fn go_on(&mut self, waiter: usize) {
        self.scheduler.standings.borrow_mut()[waiter] = WaiterState::Waiting;
        if let Some(outcome) = self.subject.go_on(waiter, self.wants[waiter]) {
            self.done[waiter] = true;
            self.note(self.wants[waiter], outcome);
        }
    }

    /// As a task is cancelled: one that waits at once, one that was woken when it runs.
    fn cancel(&mut self, number: usize) {
        if self.wants.is_empty() {
            return;
        }
        let waiter = number % self.wants.len();
        if self.done[waiter] {
            return;
        }
        self.cancel_requested[waiter] = true;
        if self.scheduler.waiter_state(waiter) == WaiterState::Waiting {
            self.scheduler.end(waiter, WaiterState::Cancelled);
        }
    }

    /// Runs those who were ready at its start.
    fn turn(&mut self) {
        let ready = std::mem::take(&mut *self.scheduler.ready.borrow_mut());
        for waiter in ready {
            if self.cancel_requested[waiter] {
                self.subject.interrupted(waiter, self.wants[waiter]);
                self.done[waiter] = true;
                self.note(self.wants[waiter], Outcome::Cancelled);
            } else {
                self.go_on(waiter);
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Put => {
                let item = self.item();
                self.begin(Want::Put(item));
            }
            Step::Get => self.begin(Want::Get),
            Step::Join => self.begin(Want::Join),
            Step::PutNowait => {
                let item = self.item();
                let outcome = self.subject.put_nowait(item);
                self.note(Want::Put(item), outcome);
            }
            Step::GetNowait => {
                let outcome = self.subject.get_nowait();
                self.note(Want::Get, outcome);
            }
            Step::TaskDone => {
                if let Some(outcome) = self.subject.task_done() {
                    self.note(Want::Join, outcome);
                }
            }
            Step::Cancel(number) => self.cancel(number),
            Step::ShutDown { immediate } => self.subject.shut_down(immediate),
            Step::Turn => self.turn(),
        }
    }

    fn waits(&self, which: impl Fn(Want) -> bool) -> bool {
        let mut waiters = self.wants.iter().zip(&self.done);
        waiters.any(|(want, done)| !done && which(*want))
    }
}

/// More cases than by default, unless the environment says how many.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default.cases,
        None => 500,
    };
    ProptestConfig { cases, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_queue_does_what_asyncio_s_does(maxsize in 0..4_usize, steps in program()) {
        let mut core = Run::<Core>::new(maxsize);
        let mut plain = Run::<Transcription>::new(maxsize);
        for step in steps {
            core.step(step);
            plain.step(step);
            prop_assert_eq!(&core.log, &plain.log);
            prop_assert_eq!(core.subject.state(), plain.subject.state());
        }
    }

    /// Holds of any queue, however it decides: once everybody who was woken has run, nobody waits
    /// for what is there, every item is in one place, and items come out in the order they went in.
    #[test]
    fn no_wake_up_and_no_item_is_lost(maxsize in 0..4_usize, steps in program()) {
        let throws_away = |step: &Step| matches!(step, Step::ShutDown { immediate: true });
        let immediate = steps.iter().any(throws_away);
        let mut run = Run::<Core>::new(maxsize);
        for step in steps {
            run.step(step);
        }
        while !run.scheduler.ready.borrow().is_empty() {
            run.turn();
        }
        let (items, ..) = run.subject.state();
        let full = maxsize > 0 && items.len() >= maxsize;
        prop_assert!(items.is_empty() || !run.waits(|want| want == Want::Get));
        prop_assert!(full || !run.waits(|want| matches!(want, Want::Put(_))));
        let mut put = Vec::new();
        let mut got = Vec::new();
        for (want, outcome) in &run.log {
            match (want, outcome) {
                (Want::Put(item), Outcome::Put) => put.push(*item),
                (_, Outcome::Got(item)) => got.push(*item),
                _ => {}
            }
        }
        got.extend(items);
        if immediate {
            prop_assert!(put.starts_with(&got));
        } else {
            prop_assert_eq!(put, got);
        }
    }
}
