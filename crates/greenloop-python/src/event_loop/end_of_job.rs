//! `EndOfJob`: functions to be called when the job that runs is done.
//!
//! A transport uses it to learn that a job has written all it is going to write.
//!
//! They are called after the job and before the next one, so no other job sees a transport that has
//! not sent what it joined. A function that adds another one has it called in the same round.

use std::cell::Cell;

use greenloop_cpython::{GilCell, Object, Result, fetch, restore};

/// One such function, and the object that it is called with.
type Ending = (Object, fn(&Object));

/// The functions for the job that runs.
pub struct EndOfJob {
    endings: GilCell<Vec<Ending>>,
    /// Whether there are none, which is checked after each job.
    none: Cell<bool>,
}

impl EndOfJob {
    /// Nothing to call.
    pub const fn new() -> Self {
        Self {
            endings: GilCell::new(Vec::new()),
            none: Cell::new(true),
        }
    }

    /// Whether there is nothing to call.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.none.get()
    }

    /// Has `end` called with `owner` when the job is done.
    ///
    /// The owner is held until then. The same owner may be added twice, and is called twice.
    #[inline]
    pub fn add(&self, owner: &Object, end: fn(&Object)) {
        self.none.set(false);
        let ending = (owner.clone(), end);
        // SAFETY: the list grows by an entry, and drops none.
        unsafe { self.endings.with_untested(|endings| endings.push(ending)) };
    }

    /// Calls the added functions. The job is done. Returns `outcome`.
    ///
    /// An exception that the job has raised is kept aside meanwhile, and set again afterwards.
    #[cold]
    pub fn run(&self, outcome: Result<()>) -> Result<()> {
        // Dropping an owner may run user code. No exception may be set for that, and it may add to
        // the list.
        let outcome = outcome.map_err(fetch);
        while !self.none.replace(true) {
            // SAFETY: the list is handed out as it is, and dropped outside.
            let mut endings = unsafe { self.endings.with_untested(std::mem::take) };
            for (owner, end) in endings.drain(..) {
                end(&owner);
            }
            // The memory is kept for the next job, unless another list was begun.
            let keep = |list: &mut Vec<Ending>| {
                if list.is_empty() {
                    std::mem::swap(list, &mut endings);
                }
            };
            // SAFETY: the two lists change places, and the one that leaves is dropped outside.
            unsafe { self.endings.with_untested(keep) };
        }
        outcome.map_err(restore)
    }
}
