//! A host whose clock stands still until a test, or a wait, moves it.
//!
//! Its queue is a `RefCell`, and what a job does when it runs or is dropped goes through it: if
//! the turn did either while it holds the queue, the test would panic.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use greenloop_core::{Host, Instant, Queue, Ready, Wait};

/// The clock's resolution: timers are due up to, but without, half a second ahead.
pub const RESOLUTION: f64 = 0.5;

/// What ended a turn early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupt {
    /// A job asked for it.
    Raised,
    /// The turn would have waited for ever.
    Idle,
}

type Action = Box<dyn FnOnce(&ManualHost) -> Result<(), Interrupt>>;

/// Says whether a job is cancelled, and outlives it.
pub type Cancellation = Rc<Cell<bool>>;

/// An action to be run once, and perhaps another when the job is dropped.
pub struct Job {
    action: Action,
    cancelled: Cancellation,
    /// Whether it was given to the timers.
    pub timer: bool,
    when_dropped: Option<Box<dyn FnOnce()>>,
}

impl Job {
    pub fn new(
        action: impl FnOnce(&ManualHost) -> Result<(), Interrupt> + 'static,
    ) -> (Self, Cancellation) {
        let cancelled = Cancellation::default();
        let job = Self {
            action: Box::new(action),
            cancelled: Rc::clone(&cancelled),
            timer: false,
            when_dropped: None,
        };
        (job, cancelled)
    }

    pub fn when_dropped(mut self, action: impl FnOnce() + 'static) -> Self {
        self.when_dropped = Some(Box::new(action));
        self
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(action) = self.when_dropped.take() {
            action();
        }
    }
}

#[derive(Default)]
pub struct ManualHost {
    pub queue: RefCell<Queue<Job>>,
    pub clock: Cell<f64>,
    /// How often the clock was read.
    pub clock_reads: Cell<u32>,
    /// Every wait the turn asked for.
    pub polls: RefCell<Vec<Wait>>,
    /// Jobs the next poll finds.
    pub input: RefCell<Vec<Job>>,
    pub without_io: Cell<bool>,
    /// Whether the jobs of a turn are run in the opposite order.
    pub backwards: Cell<bool>,
    /// Timers for a job to cancel.
    pub others: RefCell<Vec<Cancellation>>,
    /// The names of the jobs that were run, in order.
    pub trace: RefCell<Vec<&'static str>>,
}

impl ManualHost {
    /// Makes a job ready that leaves its name in the trace.
    pub fn soon(&self, name: &'static str) -> Cancellation {
        self.soon_do(move |host| host.record(name))
    }

    /// Makes a job ready.
    pub fn soon_do(
        &self,
        action: impl FnOnce(&ManualHost) -> Result<(), Interrupt> + 'static,
    ) -> Cancellation {
        let (job, cancelled) = Job::new(action);
        self.queue.borrow_mut().ready.push(job);
        cancelled
    }

    /// Sets a timer for a job that leaves its name in the trace.
    pub fn at(&self, deadline: f64, name: &'static str) -> Cancellation {
        let (job, cancelled) = Job::new(move |host| host.record(name));
        self.push_timer(deadline, job);
        cancelled
    }

    pub fn push_timer(&self, deadline: f64, mut job: Job) {
        job.timer = true;
        self.queue
            .borrow_mut()
            .timers
            .push(Instant::new(deadline), job);
    }

    /// Cancels a job that is among the timers, or was.
    pub fn cancel_timer(&self, cancelled: &Cancellation) {
        cancelled.set(true);
        self.queue.borrow_mut().timers.note_cancelled();
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it is the last expression of a job"
    )]
    pub fn record(&self, name: &'static str) -> Result<(), Interrupt> {
        self.trace.borrow_mut().push(name);
        Ok(())
    }

    /// The names of the jobs that were run since the last call.
    pub fn ran(&self) -> Vec<&'static str> {
        self.trace.take()
    }

    /// The waits the turn asked for since the last call.
    pub fn polled(&self) -> Vec<Wait> {
        self.polls.take()
    }
}

impl Host for ManualHost {
    type Job = Job;
    type Interrupt = Interrupt;

    fn queue<R>(&self, access: impl FnOnce(&mut Queue<Job>) -> R) -> R {
        access(&mut self.queue.borrow_mut())
    }

    fn now(&self) -> Instant {
        self.clock_reads.set(self.clock_reads.get() + 1);
        Instant::new(self.clock.get())
    }

    fn horizon(&self, now: Instant) -> Instant {
        Instant::new(now.as_secs() + RESOLUTION)
    }

    fn poll(&self, wait: Wait) -> Result<(), Interrupt> {
        self.polls.borrow_mut().push(wait);
        let input = self.input.take();
        match wait {
            Wait::Forever if input.is_empty() => return Err(Interrupt::Idle),
            Wait::Until(deadline) if input.is_empty() => {
                self.clock.set(self.clock.get().max(deadline.as_secs()));
            }
            _ => {}
        }
        let mut queue = self.queue.borrow_mut();
        for job in input {
            queue.ready.push(job);
        }
        Ok(())
    }

    fn is_cancelled(&self, job: &Job) -> bool {
        job.cancelled.get()
    }

    fn run(&self, job: &mut Option<Job>) -> Result<(), Interrupt> {
        job.take().map_or(Ok(()), |mut job| {
            let action = std::mem::replace(&mut job.action, Box::new(|_| Ok(())));
            action(self)
        })
    }

    fn has_io(&self) -> bool {
        !self.without_io.get()
    }

    fn arrange(&self, ready: &mut Ready<Job>) {
        if self.backwards.get() {
            let len = ready.len();
            (0..len / 2).for_each(|place| ready.swap(place, len - 1 - place));
        }
    }

    fn pass_over(&self, job: &Job) -> bool {
        job.timer
    }
}
