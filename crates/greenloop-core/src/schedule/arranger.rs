//! `Arranger`: the jobs of each turn in the order of a schedule, and those that are late.

use std::collections::VecDeque;

use super::{Choices, Level};
use crate::{Instant, Ready};

/// Where a job that came from outside is from: what one thread or one job sends stays in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// Nothing else comes from there.
    Alone,
    /// A call of a thread.
    Thread {
        /// Any number for the thread.
        number: u64,
        /// A thread that has ended before another one made its first call is of an earlier
        /// generation, whose calls stay before those of the later one.
        generation: u64,
    },
    /// What a job that runs in another thread sends, by any number for the job.
    Job(u64),
    /// Readiness, by any number for the listener. It is told again as long as it lasts, so while
    /// one such job is late the next is the same news.
    Readiness(usize),
}

impl Source {
    /// Whether what came from here stays before what came later from another source.
    fn stays_before(self, later: Self) -> bool {
        match (self, later) {
            (
                Self::Thread { number, generation },
                Self::Thread {
                    number: another,
                    generation: its,
                },
            ) => number == another || generation < its,
            (Self::Job(number), Self::Job(another)) => number == another,
            _ => false,
        }
    }
}

/// How the jobs of a turn came about: first those that jobs of earlier turns made ready.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many jobs those are.
    pub inside: usize,
    /// The jobs behind them, which the poll has brought.
    pub arrived: Vec<Source>,
    /// The deadlines of the timers behind these.
    pub due: Vec<Instant>,
    /// Whether timers may be late. On a clock that goes on by itself a later one might overtake
    /// them.
    pub late_timers: bool,
}

/// A job that is late.
#[derive(Debug)]
struct Late<J> {
    job: J,
    source: Source,
    /// How many turns it still is late.
    turns: u32,
}

/// Puts the jobs of each turn into the order of a schedule.
#[derive(Debug)]
pub struct Arranger<J> {
    choices: Choices,
    level: Level,
    /// The most turns that a job may be late.
    most_late: u32,
    late: VecDeque<Late<J>>,
    /// Jobs that told again what a late job will tell, until somebody takes them.
    repeated: Vec<J>,
    /// How many jobs were handed on.
    jobs: u64,
    /// The turn's jobs while they are put into order. Empty otherwise, and kept for its memory.
    ordered: VecDeque<J>,
    /// The sources of the arrivals that stand first in `ordered`.
    sources: VecDeque<Source>,
}

impl<J> Arranger<J> {
    /// For a run with these choices, in which a job is late by `most_late` turns at most.
    pub const fn new(choices: Choices, level: Level, most_late: u32) -> Self {
        Self {
            choices,
            level,
            most_late,
            late: VecDeque::new(),
            repeated: Vec::new(),
            jobs: 0,
            ordered: VecDeque::new(),
            sources: VecDeque::new(),
        }
    }

    /// The choices so far.
    pub const fn choices(&self) -> &Choices {
        &self.choices
    }

    /// How many jobs were handed on, late ones when their turn came.
    pub const fn jobs(&self) -> u64 {
        self.jobs
    }

    /// Whether jobs are late: the next turn has work then, and no time passes.
    pub fn has_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// The late jobs, and those that only told again what these tell.
    pub fn kept(&self) -> impl Iterator<Item = &J> {
        self.late.iter().map(|late| &late.job).chain(&self.repeated)
    }

    /// Takes the jobs that told again what a late one tells, for the caller to drop.
    pub fn take_repeated(&mut self) -> Vec<J> {
        std::mem::take(&mut self.repeated)
    }

    /// Takes the late jobs, in the order in which they would come.
    pub fn take_late(&mut self) -> Vec<J> {
        let mut late: Vec<_> = self.late.drain(..).collect();
        late.sort_by_key(|late| late.turns);
        late.into_iter().map(|late| late.job).collect()
    }

    /// Puts the jobs of a turn into order. `batch` says what they are.
    pub fn arrange(&mut self, ready: &mut Ready<J>, batch: &Batch) {
        let fixed = match self.level {
            Level::Exact => batch.inside,
            Level::Hostile => 0,
        };
        // One job alone has nothing to let pass.
        if self.late.is_empty() && (ready.len() <= 1 || ready.len() == fixed) {
            self.jobs += ready.len() as u64;
            return;
        }
        for late in &mut self.late {
            late.turns -= 1;
        }
        if self.level == Level::Hostile {
            self.release();
        }
        let earlier = self.late.len();
        // From the last to the first, so that those it may let pass stand in order already.
        let mut ties = 0;
        while ready.len() > fixed {
            let Some(job) = ready.pop_last() else {
                break;
            };
            let origin = batch.origin(ready.len());
            if self.is_told(origin.source()) {
                self.repeated.push(job);
                continue;
            }
            let room = match (self.level, origin) {
                (Level::Hostile, _) => Room::of(self.ordered.len(), self.most_late),
                (Level::Exact, Origin::Inside) => Room::of(0, 0),
                (Level::Exact, Origin::Arrived(source)) => self.room_of(source, earlier),
                (Level::Exact, Origin::Due { ties_with_next }) => {
                    ties = if ties_with_next { ties } else { 0 };
                    Room::of(ties, if batch.late_timers { self.most_late } else { 0 })
                }
            };
            let place = self.place(job, origin.source(), &room, earlier);
            match (origin, place) {
                (Origin::Due { .. }, Some(_)) => ties += 1,
                (Origin::Arrived(source), Some(place)) if self.level == Level::Exact => {
                    self.sources.insert(place, source);
                }
                _ => {}
            }
        }
        if self.level == Level::Exact {
            self.release();
        }
        while let Some(job) = ready.pop_last() {
            self.ordered.push_front(job);
        }
        self.sources.clear();
        ready.exchange(&mut self.ordered);
        self.jobs += ready.len() as u64;
    }

    /// Whether a late job will tell the same.
    fn is_told(&self, source: Source) -> bool {
        let is_same = |late: &Late<J>| late.source == source;
        matches!(source, Source::Readiness(_)) && self.late.iter().any(is_same)
    }

    /// By how much what has arrived may come later, so that it stays before what it has to.
    /// `earlier` jobs are late from earlier turns.
    fn room_of(&self, source: Source, earlier: usize) -> Room {
        let mut room = Room::of(self.sources.len(), self.most_late);
        let mut behind = self.sources.iter();
        if let Some(place) = behind.position(|later| source.stays_before(*later)) {
            room = Room::of(place, 0);
        }
        for (index, late) in self.late.iter().enumerate() {
            if index < earlier && late.source.stays_before(source) {
                room.at_least = room.at_least.max(late.turns);
            } else if index >= earlier && source.stays_before(late.source) {
                room.late = room.late.min(late.turns);
            }
        }
        room
    }

    /// Chooses the place of a job, and returns it unless the job is late.
    fn place(&mut self, job: J, source: Source, room: &Room, earlier: usize) -> Option<usize> {
        let by = self.choices.choose(room.ahead, room.late);
        let turns = u32::try_from(by.saturating_sub(room.ahead)).unwrap_or(u32::MAX);
        let turns = turns.max(room.at_least);
        if turns > 0 {
            // Behind those of earlier turns, and before those that stood behind it in this one.
            let late = Late { job, source, turns };
            self.late.insert(earlier, late);
            return None;
        }
        self.ordered.insert(by, job);
        Some(by)
    }

    /// Puts the late jobs whose turn has come before all that is in order.
    fn release(&mut self) {
        let mut place = 0;
        let mut index = 0;
        while let Some(late) = self.late.get(index) {
            if late.turns > 0 {
                index += 1;
            } else if let Some(late) = self.late.remove(index) {
                self.ordered.insert(place, late.job);
                place += 1;
            }
        }
    }
}

/// By how much a job may come later.
struct Room {
    /// How many of the jobs behind it it may let pass.
    ahead: usize,
    /// How many turns it may be late.
    late: u32,
    /// How many turns it is late whatever is chosen, since it may not overtake one that is.
    at_least: u32,
}

impl Room {
    const fn of(ahead: usize, late: u32) -> Self {
        Self {
            ahead,
            late,
            at_least: 0,
        }
    }
}

/// How one job of a turn came about.
#[derive(Clone, Copy)]
enum Origin {
    Inside,
    Arrived(Source),
    Due { ties_with_next: bool },
}

impl Origin {
    const fn source(self) -> Source {
        match self {
            Self::Arrived(source) => source,
            Self::Inside | Self::Due { .. } => Source::Alone,
        }
    }
}

impl Batch {
    /// How the job at an index of the turn came about.
    fn origin(&self, index: usize) -> Origin {
        let Some(behind) = index.checked_sub(self.inside) else {
            return Origin::Inside;
        };
        if let Some(source) = self.arrived.get(behind) {
            return Origin::Arrived(*source);
        }
        let due = behind - self.arrived.len();
        let mut pair = self.due.iter().skip(due);
        let ties_with_next = match (pair.next(), pair.next()) {
            (Some(this), Some(next)) => this >= next,
            _ => false,
        };
        Origin::Due { ties_with_next }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Deviation;
    use super::*;

    fn deviation(point: u64, by: u32) -> Deviation {
        let check = None;
        Deviation { point, by, check }
    }

    const fn thread(number: u64, generation: u64) -> Source {
        Source::Thread { number, generation }
    }

    fn arranger(level: Level, deviations: &[(u64, u32)]) -> Arranger<u32> {
        let deviations = deviations.iter().map(|(point, by)| deviation(*point, *by));
        Arranger::new(Choices::given(deviations), level, 3)
    }

    fn turn(arranger: &mut Arranger<u32>, jobs: &[u32], batch: &Batch) -> Vec<u32> {
        let mut ready = Ready::new();
        for job in jobs {
            ready.push(*job);
        }
        arranger.arrange(&mut ready, batch);
        ready.take().into()
    }

    fn inside(inside: usize) -> Batch {
        Batch {
            inside,
            ..Batch::default()
        }
    }

    #[test]
    fn without_deviations_the_order_is_asyncios() {
        for level in [Level::Exact, Level::Hostile] {
            let mut arranger = arranger(level, &[]);
            let batch = Batch {
                inside: 1,
                arrived: vec![Source::Alone, thread(1, 0)],
                due: vec![Instant::new(1.0), Instant::new(1.0)],
                late_timers: true,
            };
            assert_eq!(
                turn(&mut arranger, &[1, 2, 3, 4, 5], &batch),
                [1, 2, 3, 4, 5]
            );
            assert!(!arranger.has_late());
        }
    }

    #[test]
    fn a_hostile_schedule_lets_any_job_pass_or_be_late() {
        // The last of three jobs is asked first.
        let mut late = arranger(Level::Hostile, &[(2, 2)]);
        assert_eq!(turn(&mut late, &[1, 2, 3], &inside(3)), [2, 3, 1]);
        let mut late = arranger(Level::Hostile, &[(2, 4)]);
        assert_eq!(turn(&mut late, &[1, 2, 3], &inside(3)), [2, 3]);
        assert!(late.has_late());
        assert_eq!(turn(&mut late, &[4], &inside(1)), [4]);
        assert_eq!(turn(&mut late, &[5], &inside(1)), [5, 1]);
        assert!(!late.has_late());
    }

    #[test]
    fn an_exact_schedule_keeps_what_asyncio_promises() {
        let mut random = Arranger::new(Choices::random(3), Level::Exact, 3);
        for _ in 0..200 {
            assert_eq!(turn(&mut random, &[1, 2, 3], &inside(3)), [1, 2, 3]);
        }
        assert_eq!(random.choices().points(), 0);
    }

    #[test]
    fn timers_pass_each_other_only_if_their_deadlines_are_equal() {
        let due = [1.0, 2.0, 2.0, 3.0].map(Instant::new).to_vec();
        let batch = Batch {
            due,
            ..Batch::default()
        };
        let mut swapped = arranger(Level::Exact, &[(0, 1)]);
        assert_eq!(turn(&mut swapped, &[1, 2, 3, 4], &batch), [1, 3, 2, 4]);
        assert_eq!(swapped.choices().points(), 1);
    }

    #[test]
    fn calls_of_a_later_generation_of_threads_come_behind() {
        let mut found = BTreeSet::new();
        for seed in 0..500 {
            let mut random = Arranger::new(Choices::random(seed), Level::Exact, 3);
            let batch = Batch {
                arrived: vec![thread(1, 0), thread(2, 0), thread(3, 1), thread(1, 0)],
                ..Batch::default()
            };
            let mut seen = turn(&mut random, &[1, 2, 3, 4], &batch);
            let batch = Batch {
                arrived: vec![thread(4, 2)],
                ..Batch::default()
            };
            seen.extend(turn(&mut random, &[5], &batch));
            while random.has_late() {
                seen.extend(turn(&mut random, &[], &inside(0)));
            }
            found.insert(seen);
        }
        // 3 comes behind 1 and 2, which may change places; 4 behind 1, and 5 behind all.
        let expected = [
            [1, 2, 3, 4, 5],
            [1, 2, 4, 3, 5],
            [1, 4, 2, 3, 5],
            [2, 1, 3, 4, 5],
            [2, 1, 4, 3, 5],
        ];
        assert_eq!(found, expected.map(Vec::from).into());
    }

    #[test]
    fn calls_of_one_thread_stay_in_order() {
        let one = thread(1, 0);
        for seed in 0..500 {
            let mut random = Arranger::new(Choices::random(seed), Level::Exact, 3);
            let mut seen = Vec::new();
            for round in 0..6 {
                let batch = Batch {
                    inside: 1,
                    arrived: vec![one, Source::Alone, one],
                    ..Batch::default()
                };
                let jobs = [1000, 2 * round, 1001, 2 * round + 1];
                seen.extend(turn(&mut random, &jobs, &batch));
            }
            while random.has_late() {
                seen.extend(turn(&mut random, &[], &inside(0)));
            }
            seen.retain(|job| *job < 1000);
            assert_eq!(seen, (0..12).collect::<Vec<_>>(), "seed {seed}");
        }
    }

    #[test]
    fn readiness_that_is_told_again_while_its_job_is_late_is_no_news() {
        let batch = Batch {
            inside: 1,
            arrived: vec![Source::Readiness(7)],
            ..Batch::default()
        };
        let mut late = arranger(Level::Exact, &[(0, 2)]);
        assert_eq!(turn(&mut late, &[1, 2], &batch), [1]);
        assert_eq!(turn(&mut late, &[1, 3], &batch), [1]);
        assert_eq!(late.take_repeated(), [3]);
        assert_eq!(turn(&mut late, &[1], &inside(1)), [1, 2]);
    }

    #[test]
    fn every_order_of_a_turn_is_some_schedule() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..2000 {
            let mut random = Arranger::new(Choices::random(seed), Level::Hostile, 0);
            seen.insert(turn(&mut random, &[1, 2, 3, 4], &inside(4)));
        }
        assert_eq!(seen.len(), 24);
    }
}
