//! `Pulse`: what a thread beside a loop may know of it at any moment, without the GIL.
//!
//! ```text
//!   the loop's thread ── job begins, wait begins and ends ──► Pulse ◄── reads ── the watchdog
//! ```
//! A loop has one for its life. Waits are noted at all times, since each is a system call anyway;
//! jobs only while somebody watches.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use greenloop_os::thread_activity::ThreadId;

/// The signs of life of one loop.
pub struct Pulse {
    /// Which loop it is, counted from 1.
    number: u32,
    /// Grows whenever a job begins, and whenever a wait ends.
    progress: AtomicU64,
    /// Whether the loop waits in the poller, or does not run.
    idle: AtomicBool,
    /// The number of the task whose step runs, or 0.
    task: AtomicU32,
    /// The thread that runs the loop, by the system's number, or 0.
    thread: AtomicI32,
}

/// The pulses of the loops that run.
static RUNNING: Mutex<Vec<Arc<Pulse>>> = Mutex::new(Vec::new());

/// How many loops were made.
static LAST: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The pulse of the loop that this thread runs.
    static PULSE: RefCell<Option<Arc<Pulse>>> = const { RefCell::new(None) };
}

impl Pulse {
    /// That of a new loop, which does not run.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            number: LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
            progress: AtomicU64::new(0),
            idle: AtomicBool::new(true),
            task: AtomicU32::new(0),
            thread: AtomicI32::new(0),
        })
    }

    /// Which loop it is, counted from 1.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// A number that is another one whenever something has happened.
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Acquire)
    }

    /// Whether the loop waits in the poller, or does not run.
    pub fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Acquire)
    }

    /// The number of the task whose step runs, or 0.
    pub fn task(&self) -> u32 {
        self.task.load(Ordering::Relaxed)
    }

    /// The thread that runs the loop, if one does.
    pub fn thread(&self) -> Option<ThreadId> {
        let thread = self.thread.load(Ordering::Relaxed);
        (thread != 0).then(|| ThreadId::from_raw(thread))
    }

    /// The loop begins to wait in the poller.
    #[inline]
    pub fn wait_begins(&self) {
        self.idle.store(true, Ordering::Release);
    }

    /// It does not wait any more.
    #[inline]
    pub fn wait_ends(&self) {
        self.beat();
        self.idle.store(false, Ordering::Release);
    }

    /// Only the loop's own thread does this, so that it need not be one access.
    #[inline]
    fn beat(&self) {
        let progress = self.progress.load(Ordering::Relaxed);
        self.progress
            .store(progress.wrapping_add(1), Ordering::Release);
    }
}

/// A job begins in the loop that this thread runs: the step of a task, or another one with 0.
#[inline]
pub fn job_begins(task: u32) {
    PULSE.with_borrow(|pulse| {
        if let Some(pulse) = pulse {
            pulse.beat();
            pulse.task.store(task, Ordering::Relaxed);
        }
    });
}

/// A step ended, and that of the task goes on in which it was nested, if `task` is not 0.
#[inline]
pub fn step_goes_on(task: u32) {
    job_begins(task);
}

/// The loops that run.
pub fn running() -> Vec<Arc<Pulse>> {
    list().clone()
}

/// No code of the program runs while it is held, so that a panic cannot have left it half changed.
fn list() -> MutexGuard<'static, Vec<Arc<Pulse>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The run of a loop in this thread, from its making to its drop.
pub struct Run {
    pulse: Arc<Pulse>,
    /// That of the loop in whose job this one runs, if there is one.
    before: Option<Arc<Pulse>>,
}

impl Run {
    /// The loop begins to run.
    pub fn begin(pulse: &Arc<Pulse>) -> Self {
        let thread = ThreadId::current().as_raw();
        pulse.thread.store(thread, Ordering::Relaxed);
        pulse.wait_ends();
        list().push(pulse.clone());
        Self {
            pulse: pulse.clone(),
            before: PULSE.replace(Some(pulse.clone())),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(PULSE.replace(self.before.take()));
        let pulse = &self.pulse;
        pulse.beat();
        pulse.wait_begins();
        pulse.task.store(0, Ordering::Relaxed);
        pulse.thread.store(0, Ordering::Relaxed);
        list().retain(|running| !Arc::ptr_eq(running, pulse));
    }
}
