//! The line in which everybody waits: one interface under every primitive of [`sync`](crate::sync).
//!
//! A list holds waiters in the order they came. Who decides to wait joins it, who is woken or gives
//! up leaves it, from any place and in constant time. The primitives decide *who* is woken and
//! *what a waiter that gives up hands on*; a face (Python's, Rust's) decides what a waiter is and
//! how it is woken, by implementing [`WaitList`]. No primitive is written twice, and none can
//! forget how to undo a wait.
//!
//! ```text
//!              1 push              2 wake
//!   (outside) ───────► Waiting ─────────────► Woken ─────┐
//!                         │                              │ 4 remove or pop
//!                         └───────────────► Cancelled ───┴─────────────► (outside)
//!                            3 the face
//! ```
//! A woken or cancelled waiter stays in the line until it runs and leaves by itself, as a future in
//! asyncio's `_waiters` does: until then it keeps its place, and nobody overtakes it.

/// How a waiter stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It waits to be woken.
    Waiting,
    /// It was woken, and has not run yet.
    Woken,
    /// It was cancelled, and has not run yet.
    Cancelled,
}

/// Waiters in the order they came.
///
/// All methods take `&self`: waking may come back to the very list, where waiters belong to a
/// foreign scheduler that runs user code.
pub trait WaitList {
    /// A handle to one waiter. Two clones are the same waiter.
    type Waiter: Clone;
    /// What asking or waking a waiter may fail with.
    type Error;

    /// Puts a waiter at the end.
    fn push(&self, waiter: &Self::Waiter);

    /// Takes a waiter out, wherever it stands. Returns whether it was in the list.
    fn remove(&self, waiter: &Self::Waiter) -> bool;

    /// The waiter that has been here longest.
    fn first(&self) -> Option<Self::Waiter>;

    /// The one behind `waiter`, or `None` at the end or if `waiter` is not in the list.
    fn after(&self, waiter: &Self::Waiter) -> Option<Self::Waiter>;

    /// How a waiter stands.
    ///
    /// # Errors
    /// Whatever a foreign waiter answers.
    fn standing(&self, waiter: &Self::Waiter) -> Result<Standing, Self::Error>;

    /// Wakes a waiter that is [`Waiting`](Standing::Waiting).
    ///
    /// # Errors
    /// Whatever a foreign waiter answers.
    fn wake(&self, waiter: &Self::Waiter) -> Result<(), Self::Error>;

    /// Whether nobody is here.
    #[inline]
    fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// Takes the first waiter out.
    #[inline]
    fn pop(&self) -> Option<Self::Waiter> {
        let first = self.first()?;
        self.remove(&first);
        Some(first)
    }

    /// Whether all who are here were cancelled; true of an empty list.
    ///
    /// # Errors
    /// As [`standing`](Self::standing).
    #[inline]
    fn all_cancelled(&self) -> Result<bool, Self::Error> {
        let mut next = self.first();
        while let Some(waiter) = next {
            if self.standing(&waiter)? != Standing::Cancelled {
                return Ok(false);
            }
            next = self.after(&waiter);
        }
        Ok(true)
    }

    /// Wakes the first `limit` of those who wait, in order; all stay in the list. Returns how many.
    ///
    /// # Errors
    /// As [`wake`](Self::wake); those behind the one that failed are not woken.
    #[inline]
    fn wake_waiting(&self, limit: usize) -> Result<usize, Self::Error> {
        let mut woken = 0;
        let mut next = self.first();
        while let Some(waiter) = next {
            if woken == limit {
                break;
            }
            if self.standing(&waiter)? == Standing::Waiting {
                woken += 1;
                self.wake(&waiter)?;
            }
            next = self.after(&waiter);
        }
        Ok(woken)
    }

    /// Takes waiters out from the front until one was woken. Returns whether one was.
    ///
    /// # Errors
    /// As [`wake`](Self::wake).
    #[inline]
    fn pop_and_wake(&self) -> Result<bool, Self::Error> {
        while let Some(waiter) = self.pop() {
            if self.standing(&waiter)? == Standing::Waiting {
                self.wake(&waiter)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
