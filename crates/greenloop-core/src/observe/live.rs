//! The state of a task and of a resource at one moment, as far as it is known.
//!
//! Events can be lost, and a recording can begin when a loop has been running for long, so no
//! number, no owner and no state is ever assumed: it is said to be unknown.

use super::event::{Outcome, WaitKind, WakeCause};

/// How a task stands.
///
/// ```text
///                  1 created               2 step began
///      (outside) ────────────► Ready ──────────────────────► Running
///                                ▲                             │ │
///                                │ 3 woken       4 wait began  │ │ 5 finished
///                                └──────────────── Waiting ◄───┘ └────────────► Finished
/// ```
/// A task that yields is ready at once, and so is one that is woken before its step has ended. A
/// task is unknown before the first event of these, and after events were lost. It may finish in
/// any state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskState {
    /// Nothing is known.
    Unknown,
    /// It will run.
    Ready {
        /// When it became ready.
        since: u64,
        /// The cause, unless it is new or has yielded.
        cause: Option<WakeCause>,
        /// The task that woke or created it, or 0.
        waker: u32,
        /// The task or resource that it waited for, or 0.
        after: u32,
    },
    /// It runs, or has tasks run within its step.
    Running {
        /// When its step began.
        since: u64,
    },
    /// It waits.
    Waiting(Waiting),
    /// It has finished.
    Finished {
        /// When it did.
        at: u64,
        /// How it did, if that was said.
        outcome: Option<Outcome>,
    },
}

/// The wait of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The kind of wait, if it is known.
    pub kind: Option<WaitKind>,
    /// The task or resource that it waits for, or 0.
    pub party: u32,
    /// The place in the source, or 0.
    pub site: u32,
    /// When it began.
    pub since: u64,
    /// When a sleep ends, or 0.
    pub deadline: i64,
}

/// A task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// The task that created it; 0 if there is none or it is not known.
    pub creator: u32,
    /// Where it was created, or 0.
    pub site: u32,
    /// How it stands.
    pub state: TaskState,
    /// How many of its steps were seen.
    pub steps: u64,
    /// How many nanoseconds its steps took.
    pub running_time: u64,
    /// How many nanoseconds the longest of them took.
    pub longest_step: u64,
    /// How often its cancellation was requested.
    pub cancel_requests: u32,
}

impl Task {
    pub(super) const UNKNOWN: Self = Self {
        creator: 0,
        site: 0,
        state: TaskState::Unknown,
        steps: 0,
        running_time: 0,
        longest_step: 0,
        cancel_requests: 0,
    };

    /// Its wait, if it waits.
    pub const fn waiting(&self) -> Option<&Waiting> {
        match &self.state {
            TaskState::Waiting(waiting) => Some(waiting),
            _ => None,
        }
    }

    /// Whether it has finished.
    pub const fn is_finished(&self) -> bool {
        matches!(self.state, TaskState::Finished { .. })
    }
}

/// A task that holds a lock, or a permit of a semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The task.
    pub task: u32,
    /// When it acquired it.
    pub since: u64,
    /// Where it did, or 0.
    pub site: u32,
}

/// The tasks that hold a resource, as far as they are known.
///
/// A lock or a semaphore is taken for a signal, which any task may give, from the first time on
/// that a task releases it which has not acquired it. A semaphore counts permits and does not know
/// their owners, so that nobody is said to hold one that is a signal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owners {
    /// Those that hold it for certain, in the order in which they acquired it.
    holders: Vec<Holder>,
    are_all: bool,
    is_signal: bool,
}

impl Owners {
    /// Nobody is known to hold it, and anybody may.
    pub(super) const UNKNOWN: Self = Self::without_holders(false, false);

    /// Nobody holds it.
    pub(super) const NONE: Self = Self::without_holders(true, false);

    /// Nobody ever holds it.
    pub(super) const SIGNAL: Self = Self::without_holders(false, true);

    const fn without_holders(are_all: bool, is_signal: bool) -> Self {
        Self {
            holders: Vec::new(),
            are_all,
            is_signal,
        }
    }

    /// All that hold it; `None` if that is not known.
    pub fn all(&self) -> Option<&[Holder]> {
        self.are_all.then_some(&*self.holders)
    }

    /// Those that hold it for certain; there may be others unless [`all`](Self::all) says so.
    pub fn certain(&self) -> &[Holder] {
        &self.holders
    }

    /// Events were lost.
    pub(super) fn forget(&mut self) {
        self.holders.clear();
        self.are_all = false;
    }

    /// It was acquired, by a task if that is known. A lock has one owner at most.
    pub(super) fn acquired(&mut self, by: Option<Holder>, is_lock: bool) {
        if is_lock {
            self.holders.clear();
            self.are_all = true;
        } else if self.is_signal {
            return;
        }
        self.holders.extend(by);
        self.are_all &= by.is_some();
    }

    /// It was released by a task, after which nobody holds it if `is_free`.
    pub(super) fn released(&mut self, by: u32, is_free: bool, is_lock: bool) {
        let own = self.holders.iter().rposition(|holder| holder.task == by);
        if let Some(place) = own {
            self.holders.remove(place);
        } else {
            // If all were known, it was not the task's own. If not, it may have been anyone's.
            self.is_signal |= self.are_all;
            self.forget();
        }
        if is_free && (is_lock || !self.is_signal) {
            self.holders.clear();
            self.are_all = true;
        }
    }
}

/// A resource: a lock, a queue, an event, a future, a connection and so on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resource {
    /// The kind of wait that it is for, if it is known.
    pub kind: Option<WaitKind>,
    /// The task that made it; 0 if there is none or it is not known.
    pub maker: u32,
    /// Where it was made, or 0.
    pub site: u32,
    /// Its capacity, or 0.
    pub capacity: i64,
    /// The items of a queue, or the free permits of a lock or a semaphore, if they are known.
    pub level: Option<i64>,
    /// Whether an event or a future is set, if it is known.
    pub is_set: Option<bool>,
    /// Those that hold a lock or a semaphore.
    pub owners: Owners,
    /// How many bytes were sent over a connection.
    pub sent: u64,
    /// How many bytes were received from a connection.
    pub received: u64,
}

impl Resource {
    /// A resource of which a kind of wait is known at most.
    pub(super) const fn heard_of(kind: Option<WaitKind>) -> Self {
        Self {
            kind,
            maker: 0,
            site: 0,
            capacity: 0,
            level: None,
            is_set: None,
            owners: Owners::UNKNOWN,
            sent: 0,
            received: 0,
        }
    }

    /// Events were lost.
    pub(super) fn forget(&mut self) {
        self.level = None;
        self.is_set = None;
        self.owners.forget();
    }

    pub(super) const fn is_lock(&self) -> bool {
        matches!(self.kind, Some(WaitKind::Lock))
    }

    /// All that hold it, if they are known and nobody else can give it: no permit is free or on its
    /// way to a task that was woken for it.
    pub fn exclusive_owners(&self) -> Option<&[Holder]> {
        let permits = if self.is_lock() { 1 } else { self.capacity };
        let owners = self.owners.all()?;
        let are_enough = i64::try_from(owners.len()).is_ok_and(|held| held >= permits);
        (are_enough && !owners.is_empty() && !self.owners.is_signal).then_some(owners)
    }
}
