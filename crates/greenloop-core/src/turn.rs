//! One turn of the loop, the only place where jobs are run.
//!
//! ```text
//!   1. sweep   cancelled timers are dropped
//!   2. poll    the operating system is asked, and waited for if nothing is ready
//!   3. expire  timers that are due join the ready jobs
//!   4. run     exactly what is ready now, in order
//! ```
//!
//! The order and the count are asyncio's (`BaseEventLoop._run_once`): a job that becomes ready in
//! this turn runs in the next one, behind the events that the poll between them brings. Two things
//! differ, and neither shows in the order of jobs: a turn that has work polls the operating system
//! only when [`PollBudget`] says so, and a turn without timers and without a poll does not read the
//! clock.

use crate::{Instant, PollBudget, Ready, Timers};

/// The jobs that wait to be run, and the state that decides when they are.
#[derive(Debug)]
pub struct Queue<J> {
    /// The jobs of the next turn.
    pub ready: Ready<J>,
    /// The jobs that become ready at a deadline.
    pub timers: Timers<J>,
    /// Whether the next turn polls although it has work.
    pub budget: PollBudget,
    /// Whether the loop is to end after the turn that sees this: such a turn polls, but never
    /// waits. That is how `loop.stop()` before `loop.run_forever()` is documented.
    pub stopping: bool,
}

impl<J> Queue<J> {
    /// A queue without jobs.
    pub const fn new() -> Self {
        Self {
            ready: Ready::new(),
            timers: Timers::new(),
            budget: PollBudget::new(),
            stopping: false,
        }
    }
}

impl<J> Default for Queue<J> {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a poll may wait for the operating system to have something to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Not at all: there is work.
    Now,
    /// Until a timer is due. The deadline may have passed already, and may be NaN.
    Until(Instant),
    /// For as long as it takes: nothing else will happen.
    Forever,
}

impl Wait {
    /// The shorter of the two.
    fn or_sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::Forever, wait) | (wait, Self::Forever) => wait,
            (Self::Until(one), Self::Until(another)) if another < one => other,
            (Self::Until(_), Self::Until(_)) => self,
        }
    }
}

/// The operations that a loop supplies so that [`turn`] can drive it.
pub trait Host {
    /// Something that can be run once.
    type Job;
    /// An interrupt, which ends the turn early and is returned to the caller of [`turn`]; in Python
    /// `KeyboardInterrupt` and `SystemExit`.
    type Interrupt;

    /// Gives `access` the queue, to itself and for a moment: `access` neither runs nor drops a job,
    /// so no user code runs in it. Of the host it calls at most
    /// [`is_cancelled`](Self::is_cancelled), [`looks_ahead`](Self::looks_ahead),
    /// [`prefetch`](Self::prefetch), [`prefetch_further`](Self::prefetch_further),
    /// [`arrange`](Self::arrange), [`note_due`](Self::note_due) and [`has_io`](Self::has_io), which
    /// therefore must not ask for the queue.
    fn queue<R>(&self, access: impl FnOnce(&mut Queue<Self::Job>) -> R) -> R;

    /// Reads the clock.
    fn now(&self) -> Instant;

    /// The time, seen from `now`, strictly before which timers are due: `now` plus the clock's
    /// resolution, or else a timer might be found not yet due by less than the clock can tell
    /// and the loop would spin.
    fn horizon(&self, now: Instant) -> Instant;

    /// Polls the operating system, waits no longer than `wait`, and pushes the resulting jobs into
    /// the queue. It may return early with nothing.
    fn poll(&self, wait: Wait) -> Result<(), Self::Interrupt>;

    /// Whether the job must not be run. Also called with the queue borrowed.
    fn is_cancelled(&self, job: &Self::Job) -> bool;

    /// Runs the job, which is there, and takes it out or leaves it to be dropped.
    fn run(&self, job: &mut Option<Self::Job>) -> Result<(), Self::Interrupt>;

    /// Whether a poll could bring anything but the passing of time. If not, turns that have work
    /// do without. Called with the queue borrowed.
    fn has_io(&self) -> bool {
        true
    }

    /// Whether the job is of a kind of which many are ready at once and each has been out of the
    /// caches for long, so that [`prefetch`](Self::prefetch) pays. Called with the queue borrowed.
    fn looks_ahead(&self, _job: &Self::Job) -> bool {
        false
    }

    /// The job will be run soon, and its memory may be prefetched. Called with the queue borrowed.
    fn prefetch(&self, _job: &Self::Job) {}

    /// As [`prefetch`](Self::prefetch), when that memory has arrived: it may be read, and the
    /// memory it points to prefetched.
    fn prefetch_further(&self, _job: &Self::Job) {}

    /// The jobs of a turn are complete, and none has run: a host that wants another order than
    /// first in, first out puts them into it. Called with the queue borrowed.
    #[inline]
    fn arrange(&self, _ready: &mut Ready<Self::Job>) {}

    /// A timer with this deadline is due, and its job becomes the last that is ready. Called with
    /// the queue borrowed.
    #[inline]
    fn note_due(&self, _deadline: Instant) {}

    /// Jobs were found cancelled among the timers, and leave them. They are dropped here, where
    /// user code may run.
    #[cold]
    fn discard(&self, cancelled: Vec<Self::Job>) {
        drop(cancelled);
    }

    /// A job that was cancelled is passed over. Returns whether it is a timer: cancellations of
    /// timers are reported to [`Timers::note_cancelled`] also when they have become ready.
    fn pass_over(&self, job: &Self::Job) -> bool;
}

/// The number of jobs by which the prefetch of the memory they point to is ahead of the running
/// job; that of the jobs' own memory is twice as far ahead. A callback of 100 ns and a cache miss
/// take about as long, so one is too few, and too many evict each other.
const LOOK_AHEAD: usize = 4;

/// Runs one turn.
///
/// An interrupt from [`Host::run`] or [`Host::poll`] ends it; the jobs that have not run stay in
/// the queue, in order, and the loop remains usable.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "hosts have one loop of turns: a call for each costs a tenth of an empty turn"
)]
pub fn turn<H: Host>(host: &H) -> Result<(), H::Interrupt> {
    let jobs = match open(host) {
        Opening::Run { jobs } => jobs,
        Opening::Poll(wait) => {
            host.poll(wait)?;
            expire(host, Some(wait))
        }
        Opening::Expire => expire(host, None),
    };
    for left in (0..jobs).rev() {
        let mut place = host.queue(|queue| {
            let job = queue.ready.pop()?;
            if left > LOOK_AHEAD && host.looks_ahead(&job) {
                if let Some(later) = queue.ready.get(2 * LOOK_AHEAD - 1) {
                    host.prefetch(later);
                }
                if let Some(later) = queue.ready.get(LOOK_AHEAD - 1) {
                    host.prefetch_further(later);
                }
            }
            Some(job)
        });
        // The queue is shorter than it was if a job emptied it, as closing the loop does.
        let Some(job) = &place else {
            break;
        };
        if host.is_cancelled(job) {
            pass_over(host, job);
        } else {
            host.run(&mut place)?;
        }
    }
    Ok(())
}

/// The first half of a turn, for a host whose jobs are run by other code: makes ready the jobs of
/// new events and of due timers. It waits until there is one, but no longer than `limit`.
///
/// # Errors
/// An interrupt from [`Host::poll`].
#[cold]
pub fn gather<H: Host>(host: &H, limit: Wait) -> Result<(), H::Interrupt> {
    let wait = match open(host) {
        Opening::Poll(wait) => wait.or_sooner(limit),
        Opening::Run { .. } | Opening::Expire => Wait::Now,
    };
    host.poll(wait)?;
    expire(host, Some(wait));
    Ok(())
}

#[cold]
fn pass_over<H: Host>(host: &H, job: &H::Job) {
    if host.pass_over(job) {
        host.queue(|queue| queue.timers.note_passed_over());
    }
}

/// The work of a turn before it can run jobs.
enum Opening {
    /// Nothing: this many jobs are ready, and no timer is set.
    Run { jobs: usize },
    /// Ask the operating system.
    Poll(Wait),
    /// Look for timers that are due.
    Expire,
}

/// Sweeps the timers and decides how to go on, in one access to the queue unless there was
/// something to sweep.
#[inline]
fn open<H: Host>(host: &H) -> Opening {
    loop {
        let opening = host.queue(|queue| {
            if !queue.timers.is_empty() {
                let dead = take_cancelled(host, &mut queue.timers);
                if !dead.is_empty() {
                    return Err(dead);
                }
            }
            Ok(decide(host, queue))
        });
        match opening {
            Ok(opening) => return opening,
            // Before the decision: it may run user code that makes something ready, and a loop that
            // then waited would sleep on its work.
            Err(dead) => host.discard(dead),
        }
    }
}

/// Decides how to open a turn, once the timers have been swept.
#[inline]
fn decide<H: Host>(host: &H, queue: &mut Queue<H::Job>) -> Opening {
    if queue.stopping {
        return Opening::Poll(Wait::Now);
    }
    let deadline = queue.timers.next_deadline();
    if queue.ready.is_empty() {
        return Opening::Poll(deadline.map_or(Wait::Forever, Wait::Until));
    }
    if queue.budget.is_spent() && host.has_io() {
        return Opening::Poll(Wait::Now);
    }
    if deadline.is_some() {
        return Opening::Expire;
    }
    host.arrange(&mut queue.ready);
    let jobs = queue.ready.len();
    queue.budget.charge_turn(jobs);
    Opening::Run { jobs }
}

/// Takes the cancelled timers that asyncio takes at the start of a turn: all if they are too many,
/// else those in front.
fn take_cancelled<H: Host>(host: &H, timers: &mut Timers<H::Job>) -> Vec<H::Job> {
    let is_dead = |job: &H::Job| host.is_cancelled(job);
    if timers.needs_compaction() {
        timers.compact(is_dead)
    } else {
        std::iter::from_fn(|| timers.pop_cancelled_head(is_dead)).collect()
    }
}

/// Makes the timers ready that are due, and returns how many jobs the turn is to run. `polled`
/// says how long the poll was allowed to wait, if there was one.
fn expire<H: Host>(host: &H, polled: Option<Wait>) -> usize {
    let now = host.now();
    let horizon = host.horizon(now);
    host.queue(|queue| {
        match polled {
            Some(Wait::Now) => queue.budget.polled(now),
            Some(Wait::Until(_) | Wait::Forever) => queue.budget.waited(now),
            None => queue.budget.observe(now),
        }
        // Cancelled ones too, as in asyncio, only to be passed over: looking at each here would
        // cost a cache miss, and the ready ring drops them where user code may run.
        let ready = &mut queue.ready;
        queue.timers.take_due(horizon, |deadline, job| {
            host.note_due(deadline);
            ready.push(job);
        });
        host.arrange(&mut queue.ready);
        let jobs = queue.ready.len();
        queue.budget.charge_turn(jobs);
        jobs
    })
}
