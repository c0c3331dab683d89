//! `Choices`: by how much each job comes later, from a seed or from a list.

use std::collections::VecDeque;

use fastrand::Rng;

/// A choice that is not asyncio's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deviation {
    /// The number of the point where it was made, from 0.
    pub point: u64,
    /// By how much the job comes later; see [`Choices::choose`].
    pub by: u32,
    /// A check of all that the run had done by then, of one digit in base 62. `None` for a choice
    /// that is to be made whatever happened before, as when some of a schedule are left out.
    pub check: Option<u8>,
}

/// Where choices come from.
#[derive(Debug)]
enum Origin {
    /// Chance: one choice in `one_in` deviates.
    Seed { rng: Rng, one_in: u32 },
    /// Those of a list, and asyncio's order elsewhere.
    Given(VecDeque<Deviation>),
}

/// The choices of one run, made one after the other and written down.
#[derive(Debug)]
pub struct Choices {
    origin: Origin,
    /// How many points there were.
    points: u64,
    /// The choices that were not asyncio's.
    deviations: Vec<Deviation>,
    /// Stands for all points so far: two runs that were asked the same questions have the same.
    digest: u64,
    /// The point at which the run was found to be another one than the list's.
    diverged: Option<u64>,
    /// The largest answer that each point allowed, if they are wanted.
    limits: Option<Vec<u32>>,
}

/// How rare deviations are, by the seed: a fault may need several, or a single one at its place.
const RARITIES: [u32; 6] = [2, 4, 8, 16, 32, 64];

impl Choices {
    /// By chance: the same seed gives the same choices.
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let one_in = RARITIES[rng.usize(..RARITIES.len())];
        Self::from_origin(Origin::Seed { rng, one_in })
    }

    /// The deviations of a list, in the order of their points. None at all is asyncio's order.
    pub fn given(deviations: impl IntoIterator<Item = Deviation>) -> Self {
        Self::from_origin(Origin::Given(deviations.into_iter().collect()))
    }

    const fn from_origin(origin: Origin) -> Self {
        Self {
            origin,
            points: 0,
            deviations: Vec::new(),
            digest: 0xCBF2_9CE4_8422_2325,
            diverged: None,
            limits: None,
        }
    }

    /// Has the largest answer of each point written down, for a search through all of them.
    pub fn note_limits(&mut self) {
        self.limits = Some(Vec::new());
    }

    /// Chooses by how much a job comes later: 0 to `ahead` are the jobs of its turn that it lets
    /// pass, and more are the turns that it is late, up to `late`.
    #[inline]
    pub fn choose(&mut self, ahead: usize, late: u32) -> usize {
        let most = u32::try_from(ahead)
            .unwrap_or(u32::MAX)
            .saturating_add(late);
        if most == 0 {
            return 0;
        }
        let point = self.points;
        self.points += 1;
        self.digest = mix(mix(self.digest, u64::from(most)), u64::from(late));
        if let Some(limits) = &mut self.limits {
            limits.push(most);
        }
        let by = match &mut self.origin {
            Origin::Seed { rng, one_in } => {
                if rng.u32(..*one_in) == 0 {
                    // The least and the most are likelier than what lies between.
                    match rng.u32(..4) {
                        0 => 1,
                        1 => most,
                        _ => rng.u32(1..=most),
                    }
                } else {
                    0
                }
            }
            Origin::Given(list) => match list.front() {
                Some(next) if next.point == point => {
                    let next = list.pop_front();
                    next.map_or(0, |next| self.follow(next, most))
                }
                _ => 0,
            },
        };
        if by > 0 {
            let check = Some(check_of(self.digest));
            self.deviations.push(Deviation { point, by, check });
            self.digest = mix(self.digest, u64::from(by));
        }
        by as usize
    }

    /// The choice that a list asks for, as far as it is possible.
    #[cold]
    fn follow(&mut self, next: Deviation, most: u32) -> u32 {
        let differs = next
            .check
            .is_some_and(|check| check != check_of(self.digest));
        if differs || next.by > most {
            self.diverged.get_or_insert(next.point);
        }
        next.by.min(most)
    }

    /// How many points there were.
    pub const fn points(&self) -> u64 {
        self.points
    }

    /// The choices that were not asyncio's.
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Stands for the whole run so far.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// The first point at which the run was found to be another one than the one that the list is
    /// of. A run that ends before the list does has diverged where it ended.
    pub fn diverged(&self) -> Option<u64> {
        self.diverged.or(match &self.origin {
            Origin::Given(list) => list.front().map(|_| self.points),
            Origin::Seed { .. } => None,
        })
    }

    /// The largest answer of each point, if [they were wanted](Self::note_limits).
    pub fn limits(&self) -> &[u32] {
        self.limits.as_deref().unwrap_or_default()
    }
}

/// A digit of a token.
const fn check_of(digest: u64) -> u8 {
    ((digest >> 32) % 62) as u8
}

/// FNV-1a, by words instead of bytes, with the high bits mixed downwards.
#[inline]
const fn mix(digest: u64, word: u64) -> u64 {
    let mixed = (digest ^ word).wrapping_mul(0x0000_0100_0000_01B3);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mut choices: Choices) -> (Vec<usize>, Choices) {
        let asked = (0..200).map(|index| choices.choose(index % 5, 2)).collect();
        (asked, choices)
    }

    #[test]
    fn a_seed_gives_the_same_choices_again_and_another_seed_others() {
        let (one, _) = run(Choices::random(1));
        assert_eq!(one, run(Choices::random(1)).0);
        assert!((2..20).any(|seed| run(Choices::random(seed)).0 != one));
    }

    #[test]
    fn the_choices_written_down_are_the_same_run() {
        for seed in 0..50 {
            let (answers, choices) = run(Choices::random(seed));
            let (again, replayed) = run(Choices::given(choices.deviations().iter().copied()));
            assert_eq!(answers, again);
            assert_eq!(choices.digest(), replayed.digest());
            assert_eq!(replayed.diverged(), None);
        }
    }

    #[test]
    fn a_run_that_is_another_one_is_noticed_where_it_differs() {
        let (_, choices) = run(Choices::random(7));
        let mut replayed = Choices::given(choices.deviations().iter().copied());
        for _ in 0..200 {
            replayed.choose(1, 1);
        }
        assert!(replayed.diverged().is_some());
        let short = Choices::given(choices.deviations().iter().copied());
        assert_eq!(short.diverged(), Some(0), "it ended before the first");
    }

    #[test]
    fn where_nothing_can_be_chosen_there_is_no_point() {
        let mut choices = Choices::random(1);
        assert_eq!(choices.choose(0, 0), 0);
        assert_eq!(choices.points(), 0);
    }

    #[test]
    fn the_largest_answers_are_written_down_if_they_are_wanted() {
        let mut choices = Choices::given([]);
        choices.note_limits();
        choices.choose(2, 1);
        choices.choose(0, 0);
        choices.choose(0, 4);
        assert_eq!(choices.limits(), [3, 4]);
    }
}
