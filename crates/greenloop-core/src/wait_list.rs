//! The line in which tasks wait: one interface under every primitive of [`sync`](crate::sync).
//!
//! A list holds waiters in the order of their arrival. A task that waits joins it; a waiter that is
//! woken or gives up leaves it, from any place and in constant time. The primitives decide *which
//! waiter* is woken and *what a waiter passes on when it gives up*. A face (Python's, Rust's)
//! decides what a waiter is and how it is woken, by implementing [`WaitList`]. No primitive is
//! written twice, and none can forget how to undo a wait.
//!
//! ```text
//!              1 push              2 wake
//!   (outside) ───────► Waiting ─────────────► Woken ─────┐
//!                         │                              │ 4 remove or pop
//!                         └───────────────► Cancelled ───┴─────────────► (outside)
//!                            3 the face
//! ```
//! A woken or cancelled waiter stays in the line until it runs and leaves by itself, as a future in
//! asyncio's `_waiters` does. Until then it keeps its place, and no other waiter overtakes it. In a
//! queue, whose wake-ups are offers, a waiter is taken out and then woken
//! ([`pop_and_wake`](WaitList::pop_and_wake)), as in asyncio's `_getters`.

/// How a waiter stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaiterState {
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
    /// The error of asking or waking a waiter.
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
    /// Any error of a foreign waiter.
    fn waiter_state(&self, waiter: &Self::Waiter) -> Result<WaiterState, Self::Error>;

    /// Wakes a waiter that is [`Waiting`](WaiterState::Waiting).
    ///
    /// # Errors
    /// Any error of a foreign waiter.
    fn wake(&self, waiter: &Self::Waiter) -> Result<(), Self::Error>;

    /// Whether the list is empty.
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

    /// Whether all its waiters were cancelled; true of an empty list.
    ///
    /// # Errors
    /// As [`waiter_state`](Self::waiter_state).
    #[inline]
    fn all_cancelled(&self) -> Result<bool, Self::Error> {
        let mut next = self.first();
        while let Some(waiter) = next {
            if self.waiter_state(&waiter)? != WaiterState::Cancelled {
                return Ok(false);
            }
            next = self.after(&waiter);
        }
        Ok(true)
    }

    /// Wakes the first `limit` of those that still wait, in order; all stay in the list. Returns
    /// their number.
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
            if self.waiter_state(&waiter)? == WaiterState::Waiting {
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
            if self.waiter_state(&waiter)? == WaiterState::Waiting {
                self.wake(&waiter)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
