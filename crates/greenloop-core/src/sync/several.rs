//! Waiting for several things at once: what the completion of one means for the whole.
//!
//! [`Gathering`] is behind `gather`, [`Countdown`] behind `wait`. Both only count; the face decides
//! whom to notify and how to look up an outcome. A question about an outcome is a closure because
//! the answer may run user code, and because asking has an effect: an exception that was asked for
//! counts as seen.

use std::cell::Cell;

/// When a wait for several is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReturnWhen {
    /// With the first that is done.
    FirstCompleted,
    /// With the first that raises, else when all are done.
    FirstException,
    /// When all are done.
    AllCompleted,
}

/// Counts down to the end of a wait for several.
#[derive(Debug)]
pub struct Countdown {
    left: Cell<usize>,
    return_when: Cell<ReturnWhen>,
}

impl Countdown {
    /// A wait for nothing yet.
    pub const fn new() -> Self {
        Self {
            left: Cell::new(0),
            return_when: Cell::new(ReturnWhen::AllCompleted),
        }
    }

    /// Begins to wait for `count` things.
    pub fn begin(&self, count: usize, return_when: ReturnWhen) {
        self.left.set(count);
        self.return_when.set(return_when);
    }

    /// One is done. Returns whether the wait is over. `raised` is called only if it matters: not
    /// for the last one, nor if the first ends the wait anyway.
    ///
    /// # Errors
    /// Those of `raised`.
    pub fn one_is_done<E>(&self, raised: impl FnOnce() -> Result<bool, E>) -> Result<bool, E> {
        let left = self.left.get().saturating_sub(1);
        self.left.set(left);
        Ok(left == 0
            || match self.return_when.get() {
                ReturnWhen::FirstCompleted => true,
                ReturnWhen::FirstException => raised()?,
                ReturnWhen::AllCompleted => false,
            })
    }
}

impl Default for Countdown {
    fn default() -> Self {
        Self::new()
    }
}

/// The reaction of a gathering to a child that is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Too late, the gathering has its outcome: nothing else looks at the child's exception.
    Ignore,
    /// The gathering fails with the child's exception.
    Fail,
    /// Wait for the others.
    Wait,
    /// All children are done: collect their results.
    Collect,
}

/// Counts the children of a gathering.
#[derive(Debug, Default)]
pub struct Gathering {
    children: Cell<usize>,
    finished: Cell<usize>,
    keeps_exceptions: Cell<bool>,
}

impl Gathering {
    /// Takes exceptions for results from now on, or not.
    pub fn keep_exceptions(&self, keep: bool) {
        self.keeps_exceptions.set(keep);
    }

    /// One child more.
    #[inline]
    pub fn add(&self) {
        self.children.set(self.children.get() + 1);
    }

    /// Whether no child is left that could still notify.
    #[inline]
    pub fn all_are_done(&self) -> bool {
        self.finished.get() == self.children.get()
    }

    /// A child is done. `settled` says whether the gathering has its outcome already, or never
    /// began.
    ///
    /// # Errors
    /// Those of `raised`.
    #[inline]
    pub fn child_is_done<E>(
        &self,
        settled: bool,
        raised: impl FnOnce() -> Result<bool, E>,
    ) -> Result<Verdict, E> {
        self.finished.set(self.finished.get() + 1);
        if settled {
            return Ok(Verdict::Ignore);
        }
        if !self.keeps_exceptions.get() && raised()? {
            return Ok(Verdict::Fail);
        }
        if self.all_are_done() {
            Ok(Verdict::Collect)
        } else {
            Ok(Verdict::Wait)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn steps(return_when: ReturnWhen, raises: &[bool]) -> (Vec<bool>, usize) {
        let countdown = Countdown::new();
        countdown.begin(raises.len(), return_when);
        let asked = Cell::new(0);
        let over = raises.iter().map(|&raised| {
            let Ok(over) = countdown.one_is_done(|| {
                asked.set(asked.get() + 1);
                Ok::<_, Infallible>(raised)
            });
            over
        });
        (over.collect(), asked.get())
    }

    #[test]
    fn a_wait_for_all_ends_with_the_last() {
        let all = ReturnWhen::AllCompleted;
        assert_eq!(
            steps(all, &[true, true, false]),
            (vec![false, false, true], 0)
        );
    }

    #[test]
    fn a_wait_for_the_first_ends_at_once_and_stays_over() {
        let first = ReturnWhen::FirstCompleted;
        assert_eq!(steps(first, &[false, false]), (vec![true, true], 0));
    }

    #[test]
    fn a_wait_for_an_exception_asks_for_it_but_not_of_the_last() {
        let exception = ReturnWhen::FirstException;
        let (over, asked) = steps(exception, &[false, true, false, true]);
        assert_eq!((over, asked), (vec![false, true, false, true], 3));
    }

    fn verdicts(keep: bool, raises: &[bool]) -> Vec<Verdict> {
        let gathering = Gathering::default();
        gathering.keep_exceptions(keep);
        for _ in raises {
            gathering.add();
        }
        let mut settled = false;
        let verdicts = raises.iter().map(|&raised| {
            let Ok(verdict) = gathering.child_is_done(settled, || Ok::<_, Infallible>(raised));
            settled |= verdict == Verdict::Fail || verdict == Verdict::Collect;
            verdict
        });
        verdicts.collect()
    }

    #[test]
    fn a_gathering_collects_when_all_are_done() {
        use Verdict::{Collect, Wait};
        assert_eq!(
            verdicts(false, &[false, false, false]),
            [Wait, Wait, Collect]
        );
        assert_eq!(verdicts(true, &[true, false, true]), [Wait, Wait, Collect]);
    }

    #[test]
    fn a_gathering_fails_with_the_first_exception_and_ignores_the_rest() {
        use Verdict::{Fail, Ignore, Wait};
        let outcome = verdicts(false, &[false, true, true, false]);
        assert_eq!(outcome, [Wait, Fail, Ignore, Ignore]);
    }
}
