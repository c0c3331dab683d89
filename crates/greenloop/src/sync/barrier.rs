//! A point that a number of tasks reach before any of them goes on.

use std::error::Error;
use std::fmt;
use std::future::Future;

use greenloop_core::{WaitList as _, sync};

use crate::waiting::{Line, Operation, Wait, Waiter, certain};

/// A point that a number of tasks reach before any of them goes on, again and again:
/// `asyncio.Barrier`.
///
/// ```
/// use greenloop::sync::Barrier;
///
/// greenloop::run(async {
///     let barrier = Barrier::new(2);
///     let (one, other) = greenloop::gather!(barrier.wait(), barrier.wait()).await;
///     assert_eq!((one, other), (Ok(0), Ok(1)));
/// });
/// ```
pub struct Barrier {
    logic: sync::Barrier,
    /// The tasks inside that wait for the others, and those outside that wait to be admitted.
    line: Line,
}

/// The error of [`Barrier::wait`]: the barrier was aborted, or was reset during the wait.
///
/// ```
/// use greenloop::sync::{Barrier, BarrierBroken};
///
/// greenloop::run(async {
///     let barrier = Barrier::new(2);
///     let (waited, ()) = greenloop::gather!(barrier.wait(), async { barrier.reset() }).await;
///     assert_eq!(waited, Err(BarrierBroken));
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierBroken;

impl fmt::Display for BarrierBroken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the barrier is broken")
    }
}

impl Error for BarrierBroken {}

impl Barrier {
    /// A barrier for that many parties.
    ///
    /// # Panics
    /// If there are none.
    ///
    /// ```
    /// assert_eq!(greenloop::sync::Barrier::new(3).parties(), 3);
    /// ```
    #[track_caller]
    pub fn new(parties: usize) -> Self {
        assert!(parties > 0, "a barrier needs at least one party");
        let parties = i64::try_from(parties).unwrap_or(i64::MAX);
        Self {
            logic: sync::Barrier::new(parties),
            line: Line::new(),
        }
    }

    /// Waits until all parties are there, and returns which of them this was, counted from 0 in the
    /// order of arrival.
    ///
    /// While the parties of one round leave, a task that comes for the next one waits outside.
    ///
    /// *Cancel safety:* dropping the future takes the party out again, and the others wait on. If
    /// all were there already, they go on without it.
    ///
    /// # Errors
    /// [`BarrierBroken`] if the barrier is broken, or is reset or aborted meanwhile.
    ///
    /// ```
    /// let barrier = greenloop::sync::Barrier::new(1);
    /// assert_eq!(greenloop::run(barrier.wait()), Ok(0));
    /// ```
    pub fn wait(&self) -> impl Future<Output = Result<usize, BarrierBroken>> + Unpin {
        Wait::new(Pass {
            barrier: self,
            inside: None,
        })
    }

    /// Breaks the barrier: every waiter inside leaves with an error. The barrier is then reusable.
    ///
    /// ```
    /// let barrier = greenloop::sync::Barrier::new(2);
    /// barrier.abort();
    /// barrier.reset();
    /// assert!(!barrier.is_broken());
    /// ```
    pub fn reset(&self) {
        self.tell(self.logic.reset());
    }

    /// Breaks the barrier: all tasks inside leave with an error, and so do new ones until the next
    /// reset.
    ///
    /// ```
    /// let barrier = greenloop::sync::Barrier::new(2);
    /// barrier.abort();
    /// assert!(greenloop::run(barrier.wait()).is_err());
    /// ```
    pub fn abort(&self) {
        self.tell(self.logic.abort());
    }

    /// Whether it is broken: from [`abort`](Self::abort) to the next [`reset`](Self::reset).
    ///
    /// ```
    /// assert!(!greenloop::sync::Barrier::new(2).is_broken());
    /// ```
    pub fn is_broken(&self) -> bool {
        self.logic.state() == sync::BarrierState::Broken
    }

    /// How many parties have to be there before any of them goes on.
    ///
    /// ```
    /// assert_eq!(greenloop::sync::Barrier::new(2).parties(), 2);
    /// ```
    pub fn parties(&self) -> usize {
        usize::try_from(self.logic.parties()).unwrap_or(0)
    }

    /// How many parties are there and wait for the others: less than [`parties`](Self::parties),
    /// and 0 while the parties of a round leave.
    ///
    /// ```
    /// assert_eq!(greenloop::sync::Barrier::new(2).waiting(), 0);
    /// ```
    pub fn waiting(&self) -> usize {
        usize::try_from(self.logic.waiting()).unwrap_or(0)
    }

    /// Has all look again, if the logic says so.
    fn tell(&self, notify: sync::Notify) {
        if notify.0 {
            certain(self.line.wake_waiting(usize::MAX));
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("state", &self.logic.state())
            .field("inside", &self.logic.count())
            .finish_non_exhaustive()
    }
}

/// Being there, from the arrival on. Dropping it departs.
struct Inside<'a> {
    barrier: &'a Barrier,
    index: i64,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.barrier.tell(self.barrier.logic.depart());
    }
}

/// Waiting outside and then inside.
struct Pass<'a> {
    barrier: &'a Barrier,
    inside: Option<Inside<'a>>,
}

impl Pass<'_> {
    /// Goes as far as it can now.
    fn advance(&mut self) -> Option<Result<usize, BarrierBroken>> {
        let barrier = self.barrier;
        if self.inside.is_none() {
            match barrier.logic.admits() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(sync::Broken) => return Some(Err(BarrierBroken)),
            }
            let (index, last) = barrier.logic.arrive();
            self.inside = Some(Inside { barrier, index });
            barrier.tell(last);
        }
        let passes = barrier.logic.passes();
        if passes == Ok(false) {
            return None;
        }
        let inside = self.inside.take()?;
        Some(match passes {
            Ok(_) => Ok(usize::try_from(inside.index).unwrap_or(0)),
            Err(sync::Broken) => Err(BarrierBroken),
        })
    }
}

impl Operation for Pass<'_> {
    type Output = Result<usize, BarrierBroken>;

    fn line(&self) -> &Line {
        &self.barrier.line
    }

    fn attempt(&mut self) -> Option<Self::Output> {
        self.advance()
    }

    fn resume(&mut self, waiter: Waiter) -> Option<Self::Output> {
        self.barrier.line.remove(&waiter);
        self.advance()
    }

    fn give_up(&mut self, waiter: Waiter) {
        self.barrier.line.remove(&waiter);
        self.inside = None;
    }
}
