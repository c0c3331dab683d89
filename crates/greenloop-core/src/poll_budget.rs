//! When to ask the operating system although work is ready.
//!
//! asyncio asks on every turn. With a native scheduler that question costs more than the turn
//! itself (120 ns against 90), so a loop with work at hand asks only now and then. "Now and
//! then" has to hold for turns of 100 ns and of 100 ms alike: input that has arrived should be
//! seen within about a millisecond, or at the next turn where a single turn takes longer.
//!
//! A clock read per turn would decide that exactly, for 16 ns. Instead the number of turns
//! between two polls adapts to how long they took. It starts at one, asyncio's own rhythm,
//! doubles while polls follow each other fast, and halves once they come too late. Where the
//! clock is read anyway, because timers are set, it bounds the wait directly
//! ([`PollBudget::observe`]).

use crate::Instant;

/// The most turns between two polls. A poll's cost divided by this is noise (2 ns a turn).
const MOST_TURNS: u32 = 61;

/// The most jobs between two polls: one turn may hold many.
const MOST_JOBS: usize = 512;

/// Seconds between two polls from which on they come too late.
const TOO_LATE: f64 = 500e-6;

/// Seconds between two polls up to which they come too often.
const TOO_SOON: f64 = 100e-6;

/// How much may still run before the operating system is to be asked.
#[derive(Debug)]
pub struct PollBudget {
    /// How many turns may pass between two polls, from 1 to [`MOST_TURNS`].
    allowance: u32,
    /// Turns since the last poll.
    turns: u32,
    /// Jobs since the last poll.
    jobs: usize,
    /// When the last poll ended; `None` before the first.
    last_poll: Option<Instant>,
    /// Set at the start, by [`expect_input`](Self::expect_input), and when
    /// [`observe`](Self::observe) sees that the last poll is too long ago; cleared by the next poll.
    overdue: bool,
}

impl PollBudget {
    /// A budget that is spent: the first turn of a loop polls, as all of asyncio's do.
    pub const fn new() -> Self {
        Self {
            allowance: 1,
            turns: 0,
            jobs: 0,
            last_poll: None,
            overdue: true,
        }
    }

    /// Accounts for one turn that runs `jobs` jobs.
    #[inline]
    pub fn charge_turn(&mut self, jobs: usize) {
        self.turns = self.turns.saturating_add(1);
        self.jobs = self.jobs.saturating_add(jobs);
    }

    /// Whether the operating system is to be asked before anything else is run.
    #[inline]
    pub fn is_spent(&self) -> bool {
        self.turns >= self.allowance || self.jobs >= MOST_JOBS || self.overdue
    }

    /// Shows the budget a time that was read for another reason.
    #[inline]
    pub fn observe(&mut self, now: Instant) {
        self.overdue |= self
            .since_last_poll(now)
            .is_some_and(|elapsed| elapsed > TOO_LATE);
    }

    /// The program has just sent something. If it is for a connection of the same loop, as both
    /// ends are in many a test, then it has arrived: the next turn asks, as asyncio's does, and the
    /// program can count turns.
    ///
    /// So does a loop that begins to run: who runs it for one thing after another gives it no other turn
    /// in which to see what has come.
    #[inline]
    pub fn expect_input(&mut self) {
        self.overdue = true;
    }

    /// The operating system was asked while work was ready; `now` is the time of its answer.
    ///
    /// Adapts the allowance to the time since the last poll: halves it for every time that span
    /// is to be halved to be short enough, or doubles it. A poll before its time says nothing of
    /// how long the turns of a whole allowance take, so it doubles nothing.
    pub fn polled(&mut self, now: Instant) {
        if let Some(mut elapsed) = self.since_last_poll(now) {
            if elapsed < TOO_SOON && self.turns >= self.allowance {
                self.allowance = (self.allowance * 2).min(MOST_TURNS);
            }
            while elapsed > TOO_LATE && self.allowance > 1 {
                self.allowance /= 2;
                elapsed /= 2.0;
            }
        }
        self.restart(now);
    }

    /// The operating system was asked because nothing was ready, and waited for; `now` is the
    /// time of its answer.
    ///
    /// The allowance stays: the time passed in sleep says nothing about how long turns take.
    pub fn waited(&mut self, now: Instant) {
        self.restart(now);
    }

    fn since_last_poll(&self, now: Instant) -> Option<f64> {
        self.last_poll.map(|last| now.as_secs() - last.as_secs())
    }

    fn restart(&mut self, now: Instant) {
        self.turns = 0;
        self.jobs = 0;
        self.last_poll = Some(now);
        self.overdue = false;
    }
}

impl Default for PollBudget {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A budget after a poll at time zero, with the given allowance.
    fn budget(allowance: u32) -> PollBudget {
        let mut budget = PollBudget {
            allowance,
            ..PollBudget::new()
        };
        budget.polled(Instant::new(0.0));
        budget
    }

    /// How many turns of one job the budget allows before it is spent.
    fn turns_left(budget: &mut PollBudget) -> u32 {
        let mut turns = 0;
        while !budget.is_spent() {
            budget.charge_turn(1);
            turns += 1;
        }
        turns
    }

    #[test]
    fn a_new_budget_is_spent_and_then_polls_every_turn() {
        let mut budget = PollBudget::new();
        assert!(budget.is_spent());
        budget.polled(Instant::new(0.0));
        assert_eq!(turns_left(&mut budget), 1);
    }

    #[test]
    fn the_allowance_follows_the_time_between_polls() {
        let check = |allowance: u32, elapsed: f64, expected: u32| {
            let mut budget = budget(allowance);
            turns_left(&mut budget);
            budget.polled(Instant::new(elapsed));
            assert_eq!(
                turns_left(&mut budget),
                expected,
                "{allowance} turns took {elapsed} s"
            );
        };
        // Fast turns: fewer polls, up to a limit.
        check(1, 10e-6, 2);
        check(32, 10e-6, 61);
        check(61, 99e-6, 61);
        // In between: as it was.
        check(8, 100e-6, 8);
        check(8, 500e-6, 8);
        // Slow turns: more polls, down to one on every turn, and at once when very slow.
        check(8, 501e-6, 4);
        check(61, 900e-6, 30);
        check(8, 1900e-6, 2);
        check(61, 0.5, 1);
        check(1, 0.5, 1);
    }

    #[test]
    fn many_jobs_in_few_turns_spend_the_budget() {
        let mut budget = budget(61);
        budget.charge_turn(511);
        assert!(!budget.is_spent());
        budget.charge_turn(1);
        assert!(budget.is_spent());
        budget.polled(Instant::new(50e-6));
        assert!(!budget.is_spent());
    }

    #[test]
    fn an_observed_delay_spends_the_budget_before_its_turns_have_passed() {
        let mut budget = budget(61);
        budget.observe(Instant::new(400e-6));
        assert!(!budget.is_spent());
        budget.observe(Instant::new(600e-6));
        assert!(budget.is_spent());
        budget.polled(Instant::new(700e-6));
        assert!(!budget.is_spent());
    }

    #[test]
    fn expected_input_is_asked_for_at_the_next_turn_and_changes_no_rhythm() {
        let mut budget = budget(16);
        budget.charge_turn(1);
        budget.expect_input();
        assert!(budget.is_spent());
        budget.polled(Instant::new(1e-6));
        assert_eq!(turns_left(&mut budget), 16);
    }

    #[test]
    fn sleeping_does_not_change_the_allowance() {
        let mut budget = budget(16);
        budget.waited(Instant::new(10.0));
        assert_eq!(turns_left(&mut budget), 16);
        budget.waited(Instant::new(10.0));
        assert_eq!(turns_left(&mut budget), 16);
    }
}
