//! The decision when to poll the operating system although work is ready.
//!
//! asyncio polls in every turn. With a native scheduler a poll costs more than the turn itself (120
//! ns against 90), so a loop that is busy for long polls only now and then. Programs count turns,
//! though, and rely on input arriving two turns after they have sent something or begun to watch a
//! descriptor. So the loop polls
//!
//! * at the next turn after an event that is known to bring input ([`PollBudget::expect_input`]):
//!   something was sent, closed or registered, or another thread has called; and after a poll that
//!   has brought some, since there may be more ([`PollBudget::input_came`]);
//! * at each of the first [`EAGER_POLLS`] turns after the loop has begun to run or has waited. A
//!   program that does network I/O seldom has more turns between two waits, so it gets asyncio's
//!   rhythm;
//! * but not if nothing that can bring input has run since the last poll, and that poll left none
//!   behind ([`PollBudget::settled`]): input that has come nevertheless has only just come, and is
//!   seen a turn later;
//! * otherwise after a number of turns that adapts to how long they take. It starts at one, doubles
//!   while polls follow each other so fast that they would cost more than a hundredth of the time,
//!   and halves once they come too late. Turns that take more than [`TOO_LATE`] poll each time.
//!
//! Reading the clock in each turn would make the last rule exact, for 16 ns. Where the clock is
//! read anyway, because timers are set, it bounds the wait directly ([`PollBudget::observe`]).

use crate::Instant;

/// The most turns between two polls. A poll's cost divided by this is noise (2 ns a turn).
const MOST_TURNS: u32 = 61;

/// The most jobs between two polls: one turn may hold many.
const MOST_JOBS: usize = 512;

/// How many turns poll, each of them, after the loop has begun to run or has waited.
const EAGER_POLLS: u32 = 8;

/// Seconds between two polls from which on they come too late.
const TOO_LATE: f64 = 100e-6;

/// Seconds between two polls up to which they come too often.
const TOO_SOON: f64 = 25e-6;

/// The amount of work that may still run before the operating system is polled.
#[derive(Debug)]
pub struct PollBudget {
    /// How many turns may pass between two polls, from 1 to [`MOST_TURNS`].
    allowance: u32,
    /// How many polls are left before the allowance counts.
    eager: u32,
    /// Turns since the last poll.
    turns: u32,
    /// Jobs since the last poll.
    jobs: usize,
    /// When the last poll ended; `None` before the first.
    last_poll: Option<Instant>,
    /// Set at the start, by [`expect_input`](Self::expect_input), and when
    /// [`observe`](Self::observe) sees that the last poll is too long ago; cleared by the next
    /// poll.
    overdue: bool,
    /// The input of the poll that is under way; nothing between polls.
    came: Came,
    /// Jobs since the last poll that have [settled](Self::settled).
    settled: usize,
    /// Set if there may be input even when each job has settled: by
    /// [`expect_input`](Self::expect_input), and by a poll that has left some behind. Cleared by
    /// the next poll.
    unsettled: bool,
}

/// The input of a poll.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Came {
    Nothing,
    Input,
    /// Only a part of the input that there is.
    Part,
}

impl PollBudget {
    /// A budget that is spent: the first turn of a loop polls, as all of asyncio's do.
    pub const fn new() -> Self {
        Self {
            allowance: 1,
            eager: EAGER_POLLS,
            turns: 0,
            jobs: 0,
            last_poll: None,
            overdue: true,
            came: Came::Nothing,
            settled: 0,
            unsettled: false,
        }
    }

    /// The loop begins to run, or has waited: each of the next turns polls, as asyncio's do. A
    /// program that runs the loop for one thing after another gives it no other turn in which to
    /// see new input.
    pub fn begin(&mut self) {
        self.eager = EAGER_POLLS;
        self.overdue = true;
    }

    /// Accounts for one turn that runs `jobs` jobs.
    #[inline]
    pub fn charge_turn(&mut self, jobs: usize) {
        self.turns = self.turns.saturating_add(1);
        self.jobs = self.jobs.saturating_add(jobs);
    }

    /// Whether the operating system has to be polled before anything else is run.
    #[inline]
    pub fn is_spent(&self) -> bool {
        (self.turns >= self.allowance || self.jobs >= MOST_JOBS || self.overdue)
            && !self.is_settled()
    }

    /// Whether a poll would be in vain: every job since the last poll has settled. Never true after
    /// many jobs, since so many may be only a part of the events that the poll had to report.
    const fn is_settled(&self) -> bool {
        self.settled == self.jobs && self.jobs > 0 && self.jobs < MOST_JOBS && !self.unsettled
    }

    /// The job that runs has taken all the input that it was notified of, or all that is wanted,
    /// and has done nothing else that can bring more: it has sent nothing and run none of the
    /// program's code. If that holds for each job since the last poll, the next turn need not poll,
    /// and a message that wakes a task costs one poll and not two.
    #[inline]
    pub fn settled(&mut self) {
        self.settled += 1;
    }

    /// Shows the budget a time that was read for another reason.
    #[inline]
    pub fn observe(&mut self, now: Instant) {
        self.overdue |= self
            .since_last_poll(now)
            .is_some_and(|elapsed| elapsed > TOO_LATE);
    }

    /// The program has just sent something, or begun to watch a descriptor, or another thread has
    /// called. Data sent to a connection of the same loop, as in many tests, has arrived by now; a
    /// newly watched descriptor may be ready; and the thread may have sent something before it
    /// called. The next turn polls, as asyncio's does, and the program can count turns.
    #[inline]
    pub fn expect_input(&mut self) {
        self.overdue = true;
        self.unsettled = true;
    }

    /// The poll that is under way has brought input. There may be more of it: readiness lasts until
    /// everything is read, and asyncio tells of it at each turn.
    #[inline]
    pub fn input_came(&mut self) {
        self.came = self.came.max(Came::Input);
    }

    /// As [`input_came`](Self::input_came), if more is known to be there than the notified
    /// listeners can take, such as the end of a stream behind its last bytes.
    #[inline]
    pub fn part_came(&mut self) {
        self.came = Came::Part;
    }

    /// The operating system was asked while work was ready; `now` is the time of its answer.
    ///
    /// Adapts the allowance to the time since the last poll: halves it as often as that span has to
    /// be halved to be short enough, or doubles it. An early poll does not show how long the turns
    /// of a whole allowance take, so it doubles nothing.
    pub fn polled(&mut self, now: Instant) {
        if self.eager > 0 {
            self.eager -= 1;
            self.restart(now);
            self.overdue |= self.eager > 0;
            return;
        }
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
        self.begin();
    }

    fn since_last_poll(&self, now: Instant) -> Option<f64> {
        self.last_poll.map(|last| now.as_secs() - last.as_secs())
    }

    fn restart(&mut self, now: Instant) {
        self.turns = 0;
        self.jobs = 0;
        self.last_poll = Some(now);
        let came = std::mem::replace(&mut self.came, Came::Nothing);
        self.overdue = came > Came::Nothing;
        self.unsettled = came == Came::Part;
        self.settled = 0;
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

    /// A budget after a poll at time zero, of a loop that is busy for long, with the given
    /// allowance.
    fn budget(allowance: u32) -> PollBudget {
        let mut budget = PollBudget {
            allowance,
            eager: 0,
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
        for _ in 0..EAGER_POLLS {
            assert!(budget.is_spent());
            budget.polled(Instant::new(0.0));
        }
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
        check(61, 24e-6, 61);
        // In between: as it was.
        check(8, 25e-6, 8);
        check(8, 100e-6, 8);
        // Slow turns: more polls, down to one on every turn, and at once when very slow.
        check(8, 101e-6, 4);
        check(61, 180e-6, 30);
        check(8, 380e-6, 2);
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
        budget.observe(Instant::new(90e-6));
        assert!(!budget.is_spent());
        budget.observe(Instant::new(110e-6));
        assert!(budget.is_spent());
        budget.polled(Instant::new(120e-6));
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
    fn a_poll_that_brings_input_is_followed_by_another() {
        let mut budget = budget(16);
        budget.input_came();
        budget.polled(Instant::new(1e-6));
        assert!(budget.is_spent());
        budget.polled(Instant::new(2e-6));
        assert_eq!(turns_left(&mut budget), 16);
    }

    #[test]
    fn a_turn_after_settled_jobs_alone_does_not_poll_and_the_next_does() {
        let check = |came: fn(&mut PollBudget), after: fn(&mut PollBudget), spent: bool| {
            let mut budget = budget(16);
            came(&mut budget);
            budget.waited(Instant::new(1.0));
            budget.charge_turn(2);
            after(&mut budget);
            assert_eq!(budget.is_spent(), spent);
            budget.charge_turn(1);
            assert!(budget.is_spent());
        };
        let both_settle = |budget: &mut PollBudget| {
            budget.settled();
            budget.settled();
        };
        check(PollBudget::input_came, both_settle, false);
        check(PollBudget::input_came, PollBudget::settled, true);
        check(PollBudget::input_came, |_| {}, true);
        // There was more, and nobody has taken it.
        check(PollBudget::part_came, both_settle, true);
        // A thread has called in between.
        check(
            PollBudget::input_came,
            |budget| {
                budget.settled();
                budget.settled();
                budget.expect_input();
            },
            true,
        );
    }

    #[test]
    fn nothing_has_settled_where_nothing_has_run() {
        let mut budget = budget(16);
        budget.waited(Instant::new(1.0));
        assert!(budget.is_spent());
    }

    #[test]
    fn many_settled_jobs_are_followed_by_a_poll() {
        let mut budget = budget(16);
        budget.waited(Instant::new(1.0));
        budget.charge_turn(MOST_JOBS);
        for _ in 0..MOST_JOBS {
            budget.settled();
        }
        assert!(budget.is_spent());
    }

    #[test]
    fn every_turn_after_a_wait_polls_and_then_the_allowance_counts_as_before() {
        let mut budget = budget(16);
        for waited_until in [10.0, 20.0] {
            budget.waited(Instant::new(waited_until));
            for _ in 0..EAGER_POLLS {
                assert!(budget.is_spent());
                budget.polled(Instant::new(waited_until));
            }
            assert_eq!(turns_left(&mut budget), 16);
        }
        budget.begin();
        assert!(budget.is_spent());
    }
}
