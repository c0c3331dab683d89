//! `Scheduler`: the part of an event loop that handles, futures, awaitables and tasks use.
//!
//! asyncio's loop, task and future know each other. Here a loop embeds a scheduler by value, and
//! its futures keep a pointer to that: the jobs that wait to be run, a few flags, and the record of
//! the current task. Nothing in this room knows how a job is run; the loop's turn does
//! (`event_loop/turn.rs`).
//!
//! ```text
//!   event_loop ──► task ──► awaitable ──► future, handle ──► scheduler
//!        └───────────────── embeds ────────────────────────────▲
//! ```
//! Which objects are loops of ours is known above, and handed in ([`Scheduler::of`]).

mod alarm;
mod current;
mod job;

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use greenloop_core::{Instant, Queue};
use greenloop_cpython::{GilCell, MONOTONIC, Native, Object, Result, Slot};
use greenloop_os as os;
use pyo3::gc::{PyTraverseError, PyVisit};

use crate::observing::Pulse;

pub use alarm::{Alarm, Bell, CLASS as ALARM, make_class as make_alarm_class};
#[cfg(Py_3_12)]
pub use current::swap;
pub use current::{CurrentTask, away, is_recorded, stepping, with_stepping, within};
pub use job::{
    HandleKind, Job, NativeListener, Notification, Notify, Reaction, SleeperKind, TaskKind,
};

/// The function behind [`Scheduler::of`].
type Lookup = fn(&Object) -> Option<&Scheduler>;

static LOOKUP: OnceLock<Lookup> = OnceLock::new();

/// Hands in the function that finds the scheduler of one of our loops. Called once, by the module's
/// import.
pub fn set_lookup(lookup: Lookup) {
    let _ = LOOKUP.set(lookup);
}

/// The part of a loop that its handles, futures, awaitables and tasks use. It is touched with the
/// GIL held only.
pub struct Scheduler {
    /// The jobs that wait to be run.
    queue: GilCell<Queue<Job>>,
    /// Set while a push into the ready queue may stand for a call of `call_soon`.
    fast: Cell<bool>,
    /// Set while an override has to see that a timer is set, or tells the time.
    own_timers: Cell<bool>,
    /// The time where it does not pass by itself: in a simulated run.
    virtual_time: Cell<Option<Instant>>,
    debug: Cell<bool>,
    /// The thread in `run_forever`, as `threading.get_ident()` names it, or 0.
    thread: Cell<u64>,
    /// The current task as asyncio knows it.
    current_task: CurrentTask,
    /// The loop as Python sees it while it runs turns, and nothing at other times.
    event_loop: Slot,
    /// What a thread beside the loop may know of it.
    pulse: Arc<Pulse>,
}

impl Scheduler {
    /// The scheduler of a loop that is not open yet: no short cut may be taken.
    pub fn new() -> Self {
        Self {
            queue: GilCell::new(Queue::new()),
            fast: Cell::new(false),
            own_timers: Cell::new(false),
            virtual_time: Cell::new(None),
            debug: Cell::new(false),
            thread: Cell::new(0),
            current_task: CurrentTask::nothing(),
            event_loop: Slot::empty(),
            pulse: Pulse::new(),
        }
    }

    /// The scheduler of `object`, if that is one of our loops.
    #[inline]
    pub fn of(object: &Object) -> Option<&Self> {
        LOOKUP.get().and_then(|lookup| lookup(object))
    }

    /// What a thread beside the loop may know of it.
    #[inline]
    pub const fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    // The jobs

    /// Gives `access` the queue, for a moment in which it runs no Python code and drops no job.
    #[inline]
    pub fn queue<R>(&self, access: impl FnOnce(&mut Queue<Job>) -> R) -> R {
        self.queue.with(access)
    }

    /// As [`queue`](Self::queue), for what is done once or more for each job.
    ///
    /// # Safety
    /// `access` does not come back to the queue: it runs no Python code and drops no job.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "what is done with the queue is a few instructions each time"
    )]
    pub unsafe fn queue_untested<R>(&self, access: impl FnOnce(&mut Queue<Job>) -> R) -> R {
        // SAFETY: the caller promises for `access` what the cell asks for.
        unsafe { self.queue.with_untested(access) }
    }

    /// Puts a job at the end of the ready queue.
    #[inline]
    pub fn push(&self, job: Job) {
        // SAFETY: a job is moved to the end of a ring.
        unsafe { self.queue_untested(|queue| queue.ready.push(job)) }
    }

    /// Puts a job into the heap of timers.
    #[inline]
    pub fn push_timer(&self, deadline: Instant, job: Job) {
        // SAFETY: a job is moved into a heap, which compares deadlines.
        unsafe { self.queue_untested(|queue| queue.timers.push(deadline, job)) }
    }

    /// A timer in the heap was cancelled.
    #[inline]
    pub fn note_cancelled_timer(&self) {
        self.queue(|queue| queue.timers.note_cancelled());
    }

    /// Has the loop stop after the current turn, or after one turn if it does not run.
    pub fn stop(&self) {
        self.queue(|queue| queue.stopping = true);
    }

    /// Takes every job out, for the caller to drop.
    pub fn take_jobs(&self) -> (VecDeque<Job>, Vec<Job>) {
        let (ready, timers) = self.queue(|queue| (queue.ready.take(), queue.timers.take()));
        for job in ready.iter().chain(&timers) {
            if let Job::Alarm(alarm) = job {
                // The loop shows its target to the garbage collector no more.
                alarm.get().silence(None);
            }
        }
        (ready, timers)
    }

    /// Shows the objects that the jobs hold to the garbage collector.
    pub fn visit(&self, visit: &PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        // The collector runs with the GIL held and never while a cell is being accessed: accesses
        // allocate no Python object.
        self.queue(|queue| {
            let mut jobs = queue.ready.iter().chain(queue.timers.iter());
            jobs.try_for_each(|job| job.visit(visit))
        })
    }

    // The questions of the short cuts

    /// Whether the ready queue may be used without calling `call_soon`.
    #[inline]
    pub fn is_fast(&self) -> bool {
        self.fast.get()
    }

    /// Decides [`is_fast`](Self::is_fast).
    pub fn set_fast(&self, fast: bool) {
        self.fast.set(fast);
    }

    /// Whether timers may not be set without calling `call_later` and `call_at`, because one of
    /// these, `time` or `time.monotonic` was replaced.
    #[inline]
    pub fn has_own_timers(&self) -> bool {
        self.own_timers.get() || self.follows_replaced_clock()
    }

    /// Whether the time is that of a `time.monotonic` which was replaced. A virtual clock does not
    /// ask it.
    #[inline]
    pub fn follows_replaced_clock(&self) -> bool {
        !MONOTONIC.is_original() && self.virtual_time.get().is_none()
    }

    /// Notes whether the loop's class or the loop itself has methods that set timers or tell the
    /// time.
    pub fn set_own_timers(&self, own: bool) {
        self.own_timers.set(own);
    }

    /// The time on the loop's clock, unless the loop [has its own](Self::has_own_timers).
    #[inline]
    pub fn now(&self) -> Instant {
        self.virtual_time.get().unwrap_or_else(os::monotonic)
    }

    /// The time, if it does not pass by itself: in a simulated run it jumps from deadline to
    /// deadline, and begins at zero.
    #[inline]
    pub fn virtual_time(&self) -> Option<Instant> {
        self.virtual_time.get()
    }

    /// Sets the time, which from then on does not pass by itself; or has it pass again, as that of
    /// the system's clock. Timers keep their deadlines.
    pub fn set_virtual_time(&self, time: Option<Instant>) {
        self.virtual_time.set(time);
    }

    /// Whether debug mode is on.
    #[inline]
    pub fn debug(&self) -> bool {
        self.debug.get()
    }

    /// Switches debug mode on or off.
    pub fn set_debug(&self, debug: bool) {
        self.debug.set(debug);
    }

    // The state of the run

    /// The thread in `run_forever`, as `threading.get_ident()` names it, or 0.
    #[inline]
    pub fn thread(&self) -> u64 {
        self.thread.get()
    }

    /// Notes the thread in `run_forever`.
    pub fn set_thread(&self, thread: u64) {
        self.thread.set(thread);
    }

    /// Whether some thread is in `run_forever`.
    pub fn runs(&self) -> bool {
        self.thread.get() != 0
    }

    /// Whether turns are being run, which keeps the loop and all that waits in it alive.
    #[inline]
    pub fn is_turning(&self) -> bool {
        !self.event_loop.is_empty()
    }

    /// The loop as Python sees it, while it runs turns.
    #[inline]
    pub const fn event_loop(&self) -> &Slot {
        &self.event_loop
    }

    /// Makes `task` the current task of the loop, which runs.
    #[inline]
    pub fn set_current_task(&self, task: &Native<TaskKind>) -> Result<()> {
        self.current_task.set(&self.event_loop, task)
    }

    /// Leaves no task current, before anything other than a native step looks.
    #[inline]
    pub fn clear_current_task(&self) -> Result<()> {
        self.current_task.clear(&self.event_loop)
    }
}
