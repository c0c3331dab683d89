//! The guard: a thread that needs no GIL, and looks at the loops of the process.
//!
//! It notices steps that take too long, and what holds them up; has the package's thread look for
//! deadlocks; and lets clients in. It waits in a poller between two looks, for a quarter of the
//! threshold and 20 milliseconds at most, so that it wakes up fifty times a second.
//!
//! ```text
//!   wait ──► tick ──► look at each pulse ──► Begin: a sample, an order   ──► time to look for
//!    ▲                                       Continue: more is known?        deadlocks?
//!    │                                       End: how long it took               │
//!    └──────────────────── clients are let in ◄──────────────────────────────────┘
//! ```
//! Deadlocks are looked for while things happen, and a few times after they have stopped: what has
//! rested for a second stays as it is, and a process that idles costs nothing but the guard.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use greenloop_core::{Episode, Interest, Look, Watchdog};
use greenloop_os::thread_activity::ThreadId;
use greenloop_os::{Events, Poller, Waker, monotonic, quiet_thread};

use super::desk::{Desk, Order};
use super::front::Front;
use super::inquest::{Finding, Inquest};
use super::stalls::{Stall, Stalls, now};
use crate::observing::{Pulse, running, set_tick};

/// How often it is time to look for deadlocks.
const BETWEEN_CHECKS: Duration = Duration::from_millis(200);

/// How often they are looked for after the last thing that has happened. A suspicion needs a second
/// look.
const CHECKS_AFTER_REST: u32 = 6;

/// When the first watch of the process began.
static BEGINNING: OnceLock<Instant> = OnceLock::new();

/// What the guard shares with the thread that has made it.
pub struct Shared {
    /// Where the package's thread works.
    pub desk: Arc<Desk>,
    /// The stalls.
    pub stalls: Arc<Stalls>,
    /// The threshold, in nanoseconds.
    threshold: AtomicU64,
    /// Whether the package's thread wants to look for deadlocks once more.
    checks_again: AtomicBool,
    waker: Waker,
    ends: AtomicBool,
    /// What the guard has opened.
    descriptors: [RawFd; 3],
}

/// A guard that watches. It ends when it is dropped, without the GIL.
pub struct Guard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    /// Begins, with clients at `front`. Fails if the system has no thread or descriptor left.
    pub fn begin(front: Front, threshold: Duration) -> io::Result<Self> {
        let (waker, poller) = (Waker::new()?, Poller::new()?);
        let opened = [waker.as_fd(), poller.as_fd()].map(|descriptor| descriptor.as_raw_fd());
        let shared = Arc::new(Shared {
            desk: Arc::default(),
            stalls: Arc::default(),
            threshold: AtomicU64::new(0),
            checks_again: AtomicBool::new(false),
            waker,
            ends: AtomicBool::new(false),
            descriptors: [opened[0], opened[1], front.descriptor()],
        });
        shared.set_threshold(threshold);
        let readable = Interest {
            read: true,
            write: false,
        };
        poller.add(shared.waker.as_fd().as_raw_fd(), readable)?;
        poller.add(front.descriptor(), readable)?;
        let watch = Watch {
            shared: shared.clone(),
            beginning: *BEGINNING.get_or_init(Instant::now),
            front,
            poller,
            loops: HashMap::new(),
            last_check: Instant::now(),
            progress: 0,
            checks_left: 0,
        };
        let thread = quiet_thread::spawn("greenloop-watch", move || watch.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What it shares.
    pub const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// In a process that was forked: the thread is not there, and what it has shared may be locked
    /// for ever. The descriptors are closed, or the socket would go on to take clients after the
    /// end of the parent.
    pub fn forget(mut self) {
        for descriptor in self.shared.descriptors {
            // SAFETY: in this process only the guard's thread used it, which is not there, and its
            // owners are never dropped: they are on that thread's stack, and in what is forgotten.
            drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
        }
        if let Some(thread) = self.thread.take() {
            std::mem::forget(thread);
        }
        std::mem::forget(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Release);
        self.shared.waker.wake();
        self.shared.desk.close();
        if let Some(thread) = self.thread.take() {
            // If it panicked, it has ended as well.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Changes how long a step may take.
    pub fn set_threshold(&self, threshold: Duration) {
        let nanoseconds = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX);
        self.threshold.store(nanoseconds, Ordering::Relaxed);
        self.waker.wake();
    }

    /// Has deadlocks looked for once more, although nothing may happen until then.
    pub fn check_again(&self) {
        self.checks_again.store(true, Ordering::Relaxed);
    }

    /// How long a step may take.
    pub fn threshold(&self) -> Duration {
        Duration::from_nanos(self.threshold.load(Ordering::Relaxed))
    }
}

/// The guard's own part.
struct Watch {
    shared: Arc<Shared>,
    /// When the first watch of the process began.
    beginning: Instant,
    front: Front,
    poller: Poller,
    /// The loops that it has seen running, by their numbers.
    loops: HashMap<u32, Watched>,
    last_check: Instant,
    /// The progress of all loops at the last check.
    progress: u64,
    /// How many checks are left before it rests until something happens.
    checks_left: u32,
}

/// A loop, and the step of it that is going on.
struct Watched {
    dog: Watchdog,
    inquest: Inquest,
    /// The number of the stall that is going on.
    stall: Option<u64>,
}

impl Watch {
    fn run(mut self) {
        let mut events = Events::with_capacity(8);
        while !self.shared.ends.load(Ordering::Acquire) {
            let ticks = self.beginning.elapsed().as_millis().saturating_add(1);
            set_tick(u32::try_from(ticks).unwrap_or(u32::MAX));
            let patience = self.look_at_loops();
            self.have_deadlocks_looked_for();
            // An error is as good as nothing: the loop goes around after a while.
            if self.poller.wait(&mut events, Some(patience)).is_err() {
                std::thread::sleep(patience);
            }
            self.shared.waker.drain();
            self.front.serve(&self.shared.desk, &self.shared.stalls);
        }
    }

    /// Looks at each loop that runs, and returns how long to wait for the next look.
    fn look_at_loops(&mut self) -> Duration {
        let running = running();
        let threshold = self.shared.threshold();
        let mut patience = Watchdog::new(threshold).interval();
        for pulse in &running {
            let watched = self.loops.entry(pulse.number()).or_insert_with(|| Watched {
                dog: Watchdog::new(threshold),
                inquest: Inquest::new(),
                stall: None,
            });
            watched.dog.set_threshold(threshold);
            watched.look(pulse, &self.shared);
            patience = patience.min(watched.dog.until_next_look());
        }
        let ended = |number: &u32| !running.iter().any(|pulse| pulse.number() == *number);
        for (number, watched) in &mut self.loops {
            if ended(number) {
                watched.finish(&self.shared);
            }
        }
        self.loops.retain(|number, _| !ended(number));
        patience
    }

    fn have_deadlocks_looked_for(&mut self) {
        if self.last_check.elapsed() < BETWEEN_CHECKS {
            return;
        }
        self.last_check = Instant::now();
        let running = running();
        let progress = running
            .iter()
            .map(|pulse| pulse.progress())
            .fold(0, u64::wrapping_add);
        if progress != self.progress {
            self.progress = progress;
            self.checks_left = CHECKS_AFTER_REST;
        }
        if self.shared.checks_again.swap(false, Ordering::Relaxed) {
            self.checks_left = self.checks_left.max(1);
        }
        if self.checks_left > 0 && !running.is_empty() && self.shared.desk.put(Order::Check) {
            self.checks_left -= 1;
        }
    }
}

impl Watched {
    fn look(&mut self, pulse: &Pulse, shared: &Shared) {
        let look = look_at(pulse);
        let progress = look.progress;
        self.inquest.look(&look, pulse);
        match self.dog.look(look) {
            Some(Episode::Begin { since }) => {
                self.begin(pulse, progress, since.until(look.now), shared);
            }
            Some(Episode::Continue) => self.go_on(shared),
            Some(Episode::End { length }) => self.end(length, shared),
            None => {}
        }
    }

    fn begin(&mut self, pulse: &Pulse, progress: u64, length: Duration, shared: &Shared) {
        let found = self.inquest.find();
        // The guard may itself have had no processor for a while.
        let goes_on = pulse.progress() == progress && !pulse.is_idle();
        let finding = if goes_on { found } else { Finding::too_late() };
        let number = shared.stalls.begin(Stall {
            number: 0,
            event_loop: pulse.number(),
            thread: pulse.thread().map_or(0, ThreadId::as_raw),
            progress,
            began: now() - length.as_secs_f64(),
            length,
            noticed: length,
            over: false,
            cause: finding.cause,
            text: finding.text,
            holder: finding.holder,
        });
        self.stall = Some(number);
        self.inquest.begin(&shared.desk);
        shared.desk.put(Order::Stall(number));
        self.go_on(shared);
    }

    /// The step goes on: it lasts longer, and more may be known.
    fn go_on(&mut self, shared: &Shared) {
        let Some(number) = self.stall else { return };
        let better = if self.inquest.is_to_blame(shared.threshold()) {
            self.inquest.begin(&shared.desk);
            shared.desk.put(Order::StallChanged(number));
            Some(Finding::running())
        } else {
            self.inquest.go_on(&shared.desk)
        };
        shared.stalls.change(number, |stall| {
            stall.length = Duration::from_secs_f64((now() - stall.began).max(0.0));
            if let Some(finding) = better {
                stall.cause = finding.cause;
                stall.text = finding.text;
                stall.holder = finding.holder;
            }
        });
    }

    fn end(&mut self, length: Duration, shared: &Shared) {
        if let Some(number) = self.stall.take() {
            shared.stalls.change(number, |stall| {
                stall.length = length;
                stall.over = true;
            });
            shared.desk.put(Order::StallOver(number));
        }
    }

    /// The loop runs no more.
    fn finish(&mut self, shared: &Shared) {
        if let Some(Episode::End { length }) = self.dog.finish(monotonic()) {
            self.end(length, shared);
        }
    }
}

/// A look at a loop that goes on meanwhile; see [`Look`].
fn look_at(pulse: &Pulse) -> Look {
    let before = (pulse.is_idle(), pulse.progress());
    let now = monotonic();
    let after = (pulse.is_idle(), pulse.progress());
    Look {
        now,
        progress: after.1,
        idle: after.0 || before != after,
    }
}
