//! The turn against asyncio's `_run_once`, written down again in the plainest way: whatever a
//! program does, the same jobs run in the same turns at the same times.

#[expect(dead_code, reason = "other tests use the rest of the host")]
mod manual_host;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use greenloop_core::turn;
use manual_host::{Cancellation, Interrupt, Job, ManualHost, RESOLUTION};
use proptest::prelude::*;

/// What a job does when it runs. Routines are named by their place in the program; jobs, which
/// are runs of routines to come, by their age.
#[derive(Clone, Copy, Debug)]
enum Action {
    CallSoon(usize),
    CallLater(i32, usize),
    Cancel(usize),
    Advance(i32),
}

/// One list of actions per routine; routine 0 is where it starts.
type Program = Vec<Vec<Action>>;

/// Programs that call themselves without end are cut off here.
const MOST_JOBS: usize = 400;

fn action(routines: usize) -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..routines).prop_map(Action::CallSoon),
        4 => (-2..8_i32, 0..routines)
            .prop_map(|(delay, routine)| Action::CallLater(delay, routine)),
        2 => (0..MOST_JOBS).prop_map(Action::Cancel),
        1 => (0..4_i32).prop_map(Action::Advance),
    ]
}

fn program() -> impl Strategy<Value = Program> {
    (1..10_usize).prop_flat_map(|routines| {
        prop::collection::vec(prop::collection::vec(action(routines), 0..5), routines)
    })
}

/// A job that ran: in which turn, its age, its routine, and the time.
type Run = (usize, usize, usize, f64);

/// Runs a program on anything that can schedule.
trait Scheduler {
    fn jobs(&self) -> usize;
    fn soon(&self, routine: usize);
    fn later(&self, delay: f64, routine: usize);
    fn cancel(&self, job: usize);
    fn advance(&self, seconds: f64);

    fn perform(&self, actions: &[Action]) {
        for action in actions {
            match *action {
                Action::CallSoon(routine) if self.jobs() < MOST_JOBS => self.soon(routine),
                Action::CallLater(delay, routine) if self.jobs() < MOST_JOBS => {
                    self.later(f64::from(delay), routine);
                }
                Action::CallSoon(_) | Action::CallLater(..) => {}
                Action::Cancel(job) => self.cancel(job % self.jobs()),
                Action::Advance(seconds) => self.advance(f64::from(seconds)),
            }
        }
    }
}

/// `_run_once`, with a sorted vector for a heap.
#[derive(Default)]
struct Asyncio {
    ready: RefCell<VecDeque<usize>>,
    scheduled: RefCell<Vec<(f64, usize)>>,
    /// The routine of each job, and whether it is cancelled.
    jobs: RefCell<Vec<(usize, bool)>>,
    clock: Cell<f64>,
}

impl Asyncio {
    fn run(program: &Program) -> Vec<Run> {
        let this = Self::default();
        this.soon(0);
        let mut runs = Vec::new();
        for turn in 0.. {
            this.drop_cancelled();
            if this.ready.borrow().is_empty() {
                let Some(&(when, _)) = this.scheduled.borrow().first() else {
                    break;
                };
                this.clock.set(this.clock.get().max(when));
            }
            let end_time = this.clock.get() + RESOLUTION;
            let due = this
                .scheduled
                .borrow()
                .partition_point(|(when, _)| *when < end_time);
            let due: Vec<_> = this.scheduled.borrow_mut().drain(..due).collect();
            this.ready
                .borrow_mut()
                .extend(due.into_iter().map(|(_, job)| job));
            let todo = this.ready.borrow().len();
            for _ in 0..todo {
                let job = this
                    .ready
                    .borrow_mut()
                    .pop_front()
                    .expect("only this loop pops");
                let (routine, cancelled) = this.jobs.borrow()[job];
                if !cancelled {
                    runs.push((turn, job, routine, this.clock.get()));
                    this.perform(&program[routine]);
                }
            }
        }
        runs
    }

    fn drop_cancelled(&self) {
        let jobs = self.jobs.borrow();
        let mut scheduled = self.scheduled.borrow_mut();
        let live = scheduled.iter().position(|(_, job)| !jobs[*job].1);
        let heads = live.unwrap_or(scheduled.len());
        scheduled.drain(..heads);
    }

    fn create(&self, routine: usize) -> usize {
        let mut jobs = self.jobs.borrow_mut();
        jobs.push((routine, false));
        jobs.len() - 1
    }
}

impl Scheduler for Asyncio {
    fn jobs(&self) -> usize {
        self.jobs.borrow().len()
    }

    fn soon(&self, routine: usize) {
        let job = self.create(routine);
        self.ready.borrow_mut().push_back(job);
    }

    fn later(&self, delay: f64, routine: usize) {
        let when = self.clock.get() + delay;
        let job = self.create(routine);
        let mut scheduled = self.scheduled.borrow_mut();
        let position = scheduled.partition_point(|(other, _)| *other <= when);
        scheduled.insert(position, (when, job));
    }

    fn cancel(&self, job: usize) {
        self.jobs.borrow_mut()[job].1 = true;
    }

    fn advance(&self, seconds: f64) {
        self.clock.set(self.clock.get() + seconds);
    }
}

/// The same program on the real turn.
struct Greenloop {
    host: ManualHost,
    program: Program,
    turn: Cell<usize>,
    /// The cancellation of each job, and whether it is set as a timer.
    jobs: RefCell<Vec<(Cancellation, bool)>>,
    runs: RefCell<Vec<Run>>,
    this: std::rc::Weak<Self>,
}

impl Greenloop {
    fn run(program: &Program) -> Vec<Run> {
        let this = Rc::new_cyclic(|this| Self {
            host: ManualHost::default(),
            program: program.clone(),
            turn: Cell::default(),
            jobs: RefCell::default(),
            runs: RefCell::default(),
            this: this.clone(),
        });
        this.soon(0);
        loop {
            match turn(&this.host) {
                Ok(()) => this.turn.set(this.turn.get() + 1),
                Err(Interrupt::Idle) => break,
                Err(Interrupt::Raised) => unreachable!("no action raises"),
            }
        }
        this.runs.take()
    }

    fn create(&self, routine: usize, timer: bool) -> Job {
        let mut jobs = self.jobs.borrow_mut();
        let age = jobs.len();
        let this = self.this.upgrade().expect("the caller holds it");
        let (job, cancelled) = Job::new(move |host| {
            this.runs
                .borrow_mut()
                .push((this.turn.get(), age, routine, host.clock.get()));
            this.perform(&this.program[routine]);
            Ok(())
        });
        jobs.push((cancelled, timer));
        job
    }
}

impl Scheduler for Greenloop {
    fn jobs(&self) -> usize {
        self.jobs.borrow().len()
    }

    fn soon(&self, routine: usize) {
        let job = self.create(routine, false);
        self.host.queue.borrow_mut().ready.push(job);
    }

    fn later(&self, delay: f64, routine: usize) {
        let deadline = self.host.clock.get() + delay;
        let job = self.create(routine, true);
        self.host.push_timer(deadline, job);
    }

    fn cancel(&self, job: usize) {
        let (cancelled, timer) = &self.jobs.borrow()[job];
        // A timer that has run is counted here all the same: miscounting must not show.
        if !cancelled.replace(true) && *timer {
            self.host.queue.borrow_mut().timers.note_cancelled();
        }
    }

    fn advance(&self, seconds: f64) {
        self.host.clock.set(self.host.clock.get() + seconds);
    }
}

proptest! {
    #[test]
    fn the_same_jobs_run_in_the_same_turns_as_in_asyncio(program in program()) {
        prop_assert_eq!(Greenloop::run(&program), Asyncio::run(&program));
    }
}
