//! The timers against the plainest thing that does the same: a sorted vector.

use greenloop_core::{Instant, Timers};
use proptest::prelude::*;

/// What a caller may do with timers.
#[derive(Clone, Debug)]
enum Step {
    /// Set some timers with the same deadline.
    Push {
        deadline: f64,
        count: usize,
    },
    /// Cancel some of those that are set.
    Cancel {
        first: prop::sample::Index,
        count: usize,
    },
    TakeDue {
        horizon: f64,
    },
    PopCancelledHead,
    CompactIfNeeded,
    Take,
}

/// Few distinct deadlines, so that many are equal, and the odd ones Python lets in.
fn deadline() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (0..6_i32).prop_map(f64::from),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, -1.0]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (deadline(), 1..40_usize).prop_map(|(deadline, count)| Step::Push { deadline, count }),
        5 => (any::<prop::sample::Index>(), 1..40_usize)
            .prop_map(|(first, count)| Step::Cancel { first, count }),
        8 => deadline().prop_map(|horizon| Step::TakeDue { horizon }),
        6 => Just(Step::PopCancelledHead),
        4 => Just(Step::CompactIfNeeded),
        1 => Just(Step::Take),
    ]
}

/// Entries by deadline, and by age where deadlines are equal; the entry is the age.
#[derive(Default)]
struct Model {
    sorted: Vec<(Instant, usize)>,
    dead: Vec<bool>,
}

impl Model {
    fn push(&mut self, deadline: Instant, entry: usize) {
        let position = self.sorted.partition_point(|(other, _)| *other <= deadline);
        self.sorted.insert(position, (deadline, entry));
    }

    fn pop_if(&mut self, condition: impl FnOnce(&Self, (Instant, usize)) -> bool) -> Option<usize> {
        let head = *self.sorted.first()?;
        condition(self, head).then(|| self.sorted.remove(0).1)
    }

    /// Takes the dead out and returns them by age.
    fn remove_dead(&mut self) -> Vec<usize> {
        let (removed, kept): (Vec<_>, Vec<_>) = self
            .sorted
            .drain(..)
            .partition(|(_, entry)| self.dead[*entry]);
        self.sorted = kept;
        let mut removed: Vec<usize> = removed.into_iter().map(|(_, entry)| entry).collect();
        removed.sort_unstable();
        removed
    }

    /// asyncio's rule, as asyncio writes it.
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    fn needs_compaction(&self) -> bool {
        let length = self.sorted.len();
        let cancelled = self
            .sorted
            .iter()
            .filter(|(_, entry)| self.dead[*entry])
            .count();
        length > 100 && cancelled as f64 / length as f64 > 0.5
    }
}

proptest! {
    #[test]
    fn timers_behave_like_a_sorted_vector(steps in prop::collection::vec(step(), 1..60)) {
        let mut timers = Timers::new();
        let mut model = Model::default();
        let mut entries = 0;
        for step in steps {
            match step {
                Step::Push { deadline, count } => {
                    for _ in 0..count {
                        timers.push(Instant::new(deadline), entries);
                        model.push(Instant::new(deadline), entries);
                        model.dead.push(false);
                        entries += 1;
                    }
                }
                Step::Cancel { first, count } => {
                    if !model.sorted.is_empty() {
                        let first = first.index(model.sorted.len());
                        for (_, entry) in model.sorted.iter().skip(first).take(count) {
                            if !std::mem::replace(&mut model.dead[*entry], true) {
                                timers.note_cancelled();
                            }
                        }
                    }
                }
                Step::TakeDue { horizon } => {
                    let horizon = Instant::new(horizon);
                    let mut taken = Vec::new();
                    timers.take_due(horizon, |_, entry| taken.push(entry));
                    let due = |_: &Model, (deadline, _)| deadline < horizon;
                    let expected: Vec<_> = std::iter::from_fn(|| model.pop_if(due)).collect();
                    prop_assert_eq!(&taken, &expected);
                    for entry in taken {
                        if model.dead[entry] {
                            timers.note_passed_over();
                        }
                    }
                }
                Step::PopCancelledHead => {
                    let popped = timers.pop_cancelled_head(|entry| model.dead[*entry]);
                    let expected = model.pop_if(|model, (_, entry)| model.dead[entry]);
                    prop_assert_eq!(popped, expected);
                }
                Step::CompactIfNeeded => {
                    if timers.needs_compaction() {
                        let mut removed = timers.compact(|entry| model.dead[*entry]);
                        removed.sort_unstable();
                        prop_assert_eq!(removed, model.remove_dead());
                    }
                }
                Step::Take => {
                    let mut taken = timers.take();
                    taken.sort_unstable();
                    let mut expected: Vec<_> =
                        model.sorted.drain(..).map(|(_, entry)| entry).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(taken, expected);
                }
            }
            prop_assert_eq!(timers.len(), model.sorted.len());
            prop_assert_eq!(timers.is_empty(), model.sorted.is_empty());
            prop_assert_eq!(timers.next_deadline(), model.sorted.first().map(|(head, _)| *head));
            prop_assert_eq!(timers.needs_compaction(), model.needs_compaction());
        }
        let mut left: Vec<_> = timers.iter().copied().collect();
        left.sort_unstable();
        let mut expected: Vec<_> = model.sorted.iter().map(|(_, entry)| *entry).collect();
        expected.sort_unstable();
        prop_assert_eq!(left, expected);
    }
}
