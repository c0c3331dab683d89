//! `Pulse`: what a thread beside a loop may know of it at any moment, without the GIL.
//!
//! ```text
//!   the loop's thread ── job begins, wait begins and ends ──► Pulse ◄── reads ── the watchdog
//! ```
//! A loop has one for its life. Waits are noted at all times, since each is a system call anyway;
//! jobs only while somebody watches.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};
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
    /// The thread that runs the loop, by the system's number, or 0.
    thread: AtomicI32,
}

/// The pulses of the loops that run: the list of this generation of forks.
///
/// Where a thread that reads a list is not in the child of a fork, the list may stay locked for
/// ever. So the child goes on with the next one.
static RUNNING: [Mutex<Vec<Arc<Pulse>>>; GENERATIONS] =
    [const { Mutex::new(Vec::new()) }; GENERATIONS];

/// How many forks of forks have a list of their own. Then the first one is used again, which is
/// locked only if a fork met a lock that is held for some nanoseconds.
const GENERATIONS: usize = 16;

/// How many forks have led to this process, as far as it was watched.
static GENERATION: AtomicUsize = AtomicUsize::new(0);

/// How many loops were made.
static LAST: AtomicU32 = AtomicU32::new(0);

impl Pulse {
    /// That of a new loop, which does not run.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            number: LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
            progress: AtomicU64::new(0),
            idle: AtomicBool::new(true),
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

    /// A job begins. Only the loop's own thread says so, so that it need not be one access.
    #[inline]
    pub fn beat(&self) {
        let progress = self.progress.load(Ordering::Relaxed);
        self.progress
            .store(progress.wrapping_add(1), Ordering::Release);
    }
}

/// The loops that run.
pub fn running() -> Vec<Arc<Pulse>> {
    list().clone()
}

/// No code of the program runs while it is held, so that a panic cannot have left it half changed.
fn list() -> MutexGuard<'static, Vec<Arc<Pulse>>> {
    RUNNING[generation()]
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn generation() -> usize {
    GENERATION.load(Ordering::Relaxed) % GENERATIONS
}

/// In the child of a fork, whose threads but this one are gone.
pub fn after_fork() {
    let before = RUNNING[generation()].try_lock().map(|list| list.clone());
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // If nobody knows what runs, nothing that runs already is watched.
    *list() = before.unwrap_or_default();
}

/// The run of a loop in this thread, from its making to its drop.
pub struct Run(Arc<Pulse>);

impl Run {
    /// The loop begins to run.
    pub fn begin(pulse: &Arc<Pulse>) -> Self {
        let thread = ThreadId::current().as_raw();
        pulse.thread.store(thread, Ordering::Relaxed);
        pulse.wait_ends();
        list().push(pulse.clone());
        Self(pulse.clone())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let pulse = &self.0;
        pulse.beat();
        pulse.wait_begins();
        pulse.thread.store(0, Ordering::Relaxed);
        list().retain(|running| !Arc::ptr_eq(running, pulse));
    }
}
