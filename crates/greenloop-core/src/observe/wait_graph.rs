//! The wait-for graph: the plain data in which deadlocks are looked for.
//!
//! A task that waits is there with the parties of its wait. A resource is there if its givers are
//! known: the tasks that hold it, or those that alone can still reach it, which are for an orphan
//! the tasks that wait for it. A task that is not there counts as able to run, and a resource that
//! is not there as available. So a graph that knows too little leads to fewer findings, never to a
//! wrong one.

use std::collections::{BTreeMap, BTreeSet};

use super::event::WaitKind;

/// One party of a wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Party {
    /// That a task ends.
    Task(u32),
    /// That a resource is available: a lock, a permit, an item, a result.
    Resource(u32),
    /// A timer, a descriptor, a signal, another thread or a job of an executor.
    Outside,
}

/// The condition under which a task goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Needs {
    /// One of these is enough; without any, the wait has no end.
    AnyOf(Vec<Party>),
    /// Each of these; without any, the wait is over.
    AllOf(Vec<Party>),
}

impl Needs {
    /// The parties, in the caller's order.
    pub fn parties(&self) -> &[Party] {
        match self {
            Self::AnyOf(parties) | Self::AllOf(parties) => parties,
        }
    }
}

/// The wait of one task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskWait {
    /// The parties that it waits for.
    pub needs: Needs,
    /// The kind of wait, if it is known.
    pub kind: Option<WaitKind>,
    /// The place in the source, or 0.
    pub site: u32,
}

/// The waits of a loop's tasks at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct WaitGraph {
    /// The tasks that wait. A task that is neither here nor finished may run.
    pub waits: BTreeMap<u32, TaskWait>,
    /// The tasks that hold a resource, each of which can release it. To be left out unless all of
    /// them are known and nobody else can give it.
    pub owners: BTreeMap<u32, Vec<u32>>,
    /// The tasks that can reach a resource, if nobody else can: any of them may release it, put an
    /// item, set the event. Its entry in `owners` does not count.
    pub reached_by: BTreeMap<u32, Vec<u32>>,
    /// The resources that nobody refers to but the tasks that wait for them. Their entries in
    /// `owners` and `reached_by` do not count.
    pub orphans: BTreeSet<u32>,
    /// The tasks that have finished. A wait for one is over, and a resource that one still holds is
    /// never released.
    pub finished: BTreeSet<u32>,
}

impl WaitGraph {
    /// The resources that each task holds.
    pub fn holdings(&self) -> BTreeMap<u32, Vec<u32>> {
        let mut holdings = BTreeMap::<u32, Vec<u32>>::new();
        for (resource, owners) in &self.owners {
            for owner in owners {
                let held = holdings.entry(*owner).or_default();
                // Several permits of one semaphore.
                if held.last() != Some(resource) {
                    held.push(*resource);
                }
            }
        }
        holdings
    }

    /// The tasks that can give a resource, for each of which that is known. Tasks that have
    /// finished are not among them.
    pub fn givers(&self) -> BTreeMap<u32, Vec<u32>> {
        let alive = |task: &u32| !self.finished.contains(task);
        let known = self.owners.iter().chain(&self.reached_by);
        let mut givers: BTreeMap<u32, Vec<u32>> = known
            .map(|(resource, givers)| (*resource, givers.iter().copied().filter(alive).collect()))
            .collect();
        for orphan in &self.orphans {
            givers.insert(*orphan, Vec::new());
        }
        for (task, wait) in self.waits.iter().filter(|(task, _)| alive(task)) {
            for party in wait.needs.parties() {
                if let Party::Resource(resource) = party {
                    if self.orphans.contains(resource) {
                        givers.entry(*resource).or_default().push(*task);
                    }
                }
            }
        }
        givers
    }
}
