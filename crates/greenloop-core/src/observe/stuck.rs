//! The tasks that can never run again: the fixpoint under every finding of a deadlock.
//!
//! It begins with the parties that may come in any case and follows the consequences: a task that
//! may run may end and release its resources. A task that is not reached can never run. That is the
//! deadlock of the AND-OR model: a wait for any of several parties is over with the first of them,
//! a wait for all with the last, and a resource becomes available when one of its givers may run.

use std::collections::{BTreeMap, BTreeSet};

use super::wait_graph::{Needs, Party, WaitGraph};

/// A graph, and the givers of its resources, which are looked up again and again.
pub(super) struct Relations<'a> {
    pub(super) graph: &'a WaitGraph,
    /// The tasks that can give a resource; a resource that is missing can be given by anyone.
    givers: BTreeMap<u32, Vec<u32>>,
}

impl<'a> Relations<'a> {
    pub(super) fn of(graph: &'a WaitGraph) -> Self {
        Self {
            graph,
            givers: graph.givers(),
        }
    }

    /// The tasks that can give a resource, if that is known.
    pub(super) fn givers(&self, resource: u32) -> Option<&[u32]> {
        self.givers.get(&resource).map(Vec::as_slice)
    }

    /// All tasks that can never run again.
    pub(super) fn stuck(&self) -> BTreeSet<u32> {
        let waiting = self.graph.waits.keys();
        let unfinished = waiting.filter(|task| !self.graph.finished.contains(task));
        self.stuck_among(&unfinished.copied().collect())
    }

    /// The tasks among these that could never run even if all others could: the greatest set each
    /// of whose members waits for others of it. None of them may have finished.
    pub(super) fn stuck_among(&self, tasks: &BTreeSet<u32>) -> BTreeSet<u32> {
        let mut spread = self.spread_among(tasks);
        while spread.run_next().is_some() {}
        spread.left()
    }

    /// What may happen among these tasks because others may run.
    pub(super) fn spread_among(&self, tasks: &BTreeSet<u32>) -> Spread {
        let mut spread = Spread::new(self, tasks);
        for party in spread.named_by.keys().copied().collect::<Vec<_>>() {
            if self.can_come_from_outside(party, tasks) {
                spread.come(party);
            }
        }
        spread
    }

    /// Whether a party may come although none of these tasks ever runs.
    fn can_come_from_outside(&self, party: Party, tasks: &BTreeSet<u32>) -> bool {
        match party {
            Party::Outside => true,
            Party::Task(task) => !tasks.contains(&task),
            Party::Resource(resource) => self
                .givers(resource)
                .is_none_or(|givers| givers.iter().any(|giver| !tasks.contains(giver))),
        }
    }
}

/// The consequences of what may happen, as they spread among some tasks.
pub(super) struct Spread {
    /// How many parties each task still waits for. It may run when none is missing.
    missing: BTreeMap<u32, usize>,
    /// The tasks that wait for a party, as often as they name it.
    named_by: BTreeMap<Party, Vec<u32>>,
    /// The resources that each task can give, of those that are waited for.
    gives: BTreeMap<u32, Vec<u32>>,
    /// The tasks that may run, and whose consequences were not looked at yet.
    running: Vec<u32>,
}

impl Spread {
    fn new(relations: &Relations<'_>, tasks: &BTreeSet<u32>) -> Self {
        let mut spread = Self {
            missing: BTreeMap::new(),
            named_by: BTreeMap::new(),
            gives: BTreeMap::new(),
            running: Vec::new(),
        };
        for task in tasks {
            let needs = relations.graph.waits.get(task).map(|wait| &wait.needs);
            let missing = match needs {
                // Without a party to wait for, one is missing for ever.
                Some(Needs::AnyOf(_)) => 1,
                Some(Needs::AllOf(parties)) => parties.len(),
                None => 0,
            };
            spread.missing.insert(*task, missing);
            if missing == 0 {
                spread.running.push(*task);
            }
            for party in needs.map_or(&[][..], Needs::parties) {
                spread.named_by.entry(*party).or_default().push(*task);
            }
        }
        for party in spread.named_by.keys() {
            if let Party::Resource(resource) = *party {
                for giver in relations.givers(resource).unwrap_or_default() {
                    spread.gives.entry(*giver).or_default().push(resource);
                }
            }
        }
        spread
    }

    /// A party may come, and those that wait for it miss one less.
    pub(super) fn come(&mut self, party: Party) {
        // Taken out, because a party comes once.
        for task in self.named_by.remove(&party).unwrap_or_default() {
            if let Some(missing) = self.missing.get_mut(&task).filter(|missing| **missing > 0) {
                *missing -= 1;
                if *missing == 0 {
                    self.running.push(task);
                }
            }
        }
    }

    /// Has the next task that may run end and release its resources.
    pub(super) fn run_next(&mut self) -> Option<u32> {
        let task = self.running.pop()?;
        self.come(Party::Task(task));
        for resource in self.gives.remove(&task).unwrap_or_default() {
            self.come(Party::Resource(resource));
        }
        Some(task)
    }

    /// The tasks that miss a party, when all others have run.
    pub(super) fn left(self) -> BTreeSet<u32> {
        let left = self.missing.into_iter().filter(|(_, missing)| *missing > 0);
        left.map(|(task, _)| task).collect()
    }
}
