//! A point that a number of tasks reach before any of them goes on.
//!
//! The barrier decides which tasks may come in, and when all go on. They wait on a
//! [`Condition`](super::Condition), and every caller of a method here holds its lock. Where a
//! method says so, the caller notifies all waiters of the condition, and they look again.

use std::cell::Cell;

/// ```text
///             1 arrive, the last party
///   Filling ──────────────────────────► Draining
///    │ ▲  ▲                                │
///    │ │  └────────────────────────────────┘
///    │ │              2 depart, the last one
///    │ │ 2
///    │ └────── Resetting        any ───► Broken
///    └───────────► 3 reset           4 abort
/// ```
/// Resetting also follows on Draining and Broken, if parties are inside; without any, a reset
/// barrier fills at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BarrierState {
    /// Parties arrive and wait for the others.
    Filling,
    /// All parties have arrived and leave; a new one waits outside.
    Draining,
    /// Parties leave with an error; a new one waits outside.
    Resetting,
    /// Parties leave with an error, and new ones get one.
    Broken,
}

/// See [`BarrierState`] for its life.
#[derive(Debug)]
pub struct Barrier {
    parties: Cell<i64>,
    /// How many are inside.
    count: Cell<i64>,
    state: Cell<BarrierState>,
}

/// Whether all waiters of the barrier's condition have to be notified.
#[must_use = "the waiters would not learn of the new state"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notify(pub bool);

/// The barrier was aborted or reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken;

impl Barrier {
    /// A barrier for that many parties, which is more than none.
    pub const fn new(parties: i64) -> Self {
        Self {
            parties: Cell::new(parties),
            count: Cell::new(0),
            state: Cell::new(BarrierState::Filling),
        }
    }

    /// How many have to arrive.
    pub fn parties(&self) -> i64 {
        self.parties.get()
    }

    /// Says how many have to arrive.
    pub fn set_parties(&self, parties: i64) {
        self.parties.set(parties);
    }

    /// How many are inside: waiting for others, or about to leave.
    pub fn count(&self) -> i64 {
        self.count.get()
    }

    /// Says how many are inside.
    pub fn set_count(&self, count: i64) {
        self.count.set(count);
    }

    /// The state.
    pub fn state(&self) -> BarrierState {
        self.state.get()
    }

    /// Sets the barrier's state, without notifying.
    pub fn set_state(&self, state: BarrierState) {
        self.state.set(state);
    }

    /// How many wait for others to arrive.
    pub fn waiting(&self) -> i64 {
        match self.state.get() {
            BarrierState::Filling => self.count.get(),
            _ => 0,
        }
    }

    /// Whether a party may come in; if not, it waits until that changes.
    pub fn admits(&self) -> Result<bool, Broken> {
        match self.state.get() {
            BarrierState::Filling => Ok(true),
            BarrierState::Draining | BarrierState::Resetting => Ok(false),
            BarrierState::Broken => Err(Broken),
        }
    }

    /// A party that is admitted comes in and gets the next number. The last one notifies all.
    pub fn arrive(&self) -> (i64, Notify) {
        let index = self.count.get();
        // Python code can set the count to anything.
        let count = index.wrapping_add(1);
        self.count.set(count);
        let last = count == self.parties.get();
        if last {
            self.state.set(BarrierState::Draining);
        }
        (index, Notify(last))
    }

    /// Whether a party inside goes on; if not, it waits until that changes.
    pub fn passes(&self) -> Result<bool, Broken> {
        match self.state.get() {
            BarrierState::Filling => Ok(false),
            BarrierState::Draining => Ok(true),
            BarrierState::Resetting | BarrierState::Broken => Err(Broken),
        }
    }

    /// A party inside leaves, for any reason. The last one opens the barrier to those outside.
    pub fn depart(&self) -> Notify {
        self.count.set(self.count.get().wrapping_sub(1));
        let last = self.count.get() == 0;
        if last && self.state.get() != BarrierState::Broken {
            self.state.set(BarrierState::Filling);
        }
        Notify(last)
    }

    /// Breaks the barrier: every waiter leaves with an error. The barrier is then reusable.
    pub fn reset(&self) -> Notify {
        self.state.set(if self.count.get() > 0 {
            BarrierState::Resetting
        } else {
            BarrierState::Filling
        });
        Notify(true)
    }

    /// Breaks the barrier: all parties inside leave with an error, and so do new ones until the
    /// next reset.
    pub fn abort(&self) -> Notify {
        self.state.set(BarrierState::Broken);
        Notify(true)
    }
}
