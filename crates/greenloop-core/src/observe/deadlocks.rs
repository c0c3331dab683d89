//! The wait-for graph and the lines of a model, in which deadlocks are looked for.
//!
//! A model knows the owners of locks and permits, and the tasks that await each other. It does not
//! know the future producers of a queue or setters of an event, so that such a wait counts as one
//! that any task may end; a caller that knows more adds it to the graph.

use std::collections::BTreeMap;

use super::event::WaitKind;
use super::knots::Line;
use super::live::{Resource, Task, TaskState, Waiting};
use super::model::Model;
use super::wait_graph::{Needs, Party, TaskWait, WaitGraph};

impl Model {
    /// The wait-for graph of this moment. `has_way_out` says of a task whether something else may
    /// end its wait, above all a time limit: no event says when one ends, so that the model cannot
    /// know.
    pub fn wait_graph(&self, has_way_out: impl Fn(u32) -> bool) -> WaitGraph {
        let mut graph = WaitGraph::default();
        for (number, task) in self.tasks() {
            if task.is_finished() {
                graph.finished.insert(*number);
            }
            let Some(waiting) = task.waiting() else {
                continue;
            };
            let Some(party) = party_of(waiting) else {
                continue;
            };
            let mut parties = vec![party];
            parties.extend(has_way_out(*number).then_some(Party::Outside));
            let wait = TaskWait {
                needs: Needs::AnyOf(parties),
                kind: waiting.kind,
                site: waiting.site,
            };
            graph.waits.insert(*number, wait);
        }
        for (number, resource) in self.resources() {
            if let Some(owners) = resource.exclusive_owners() {
                let owners = owners.iter().map(|holder| holder.task);
                graph.owners.insert(*number, owners.collect());
            }
        }
        graph
    }

    /// The lines in which tasks wait for a lock, a permit, an item or room, as far as it is known
    /// how much is available.
    pub fn lines(&self) -> Vec<Line> {
        let woken = self.woken();
        let mut lines = Vec::new();
        for (number, resource) in self.resources() {
            for (kind, free) in available(resource) {
                let waits = |task: &u32| {
                    let waiting = self.task(*task).and_then(Task::waiting);
                    waiting.is_some_and(|waiting| waiting.kind == Some(kind))
                };
                let waiting: Vec<u32> = self.waiters(*number).filter(waits).collect();
                if !waiting.is_empty() {
                    lines.push(Line {
                        resource: *number,
                        kind,
                        free,
                        waiting,
                        woken: woken.get(number).copied().unwrap_or(0),
                    });
                }
            }
        }
        lines
    }

    /// How many tasks have waited for a resource and have not run since they were woken.
    fn woken(&self) -> BTreeMap<u32, usize> {
        let mut woken = BTreeMap::new();
        for task in self.tasks().values() {
            if let TaskState::Ready { after, .. } = task.state {
                *woken.entry(after).or_default() += 1;
            }
        }
        woken
    }
}

/// The party that could end a wait, if its kind is known.
fn party_of(waiting: &Waiting) -> Option<Party> {
    use WaitKind as Kind;
    let party = waiting.party;
    match waiting.kind? {
        Kind::Task if party != 0 => Some(Party::Task(party)),
        Kind::QueueGet
        | Kind::QueuePut
        | Kind::QueueJoin
        | Kind::Lock
        | Kind::Semaphore
        | Kind::Event
        | Kind::Condition
        | Kind::Barrier
        | Kind::Gather
        | Kind::Wait
        | Kind::TaskGroup
        | Kind::Shield
        | Kind::Future
            if party != 0 =>
        {
            Some(Party::Resource(party))
        }
        _ => Some(Party::Outside),
    }
}

/// The amount of a resource that is available, for each kind of wait for it.
fn available(resource: &Resource) -> Vec<(WaitKind, u64)> {
    let amount = |level: i64| u64::try_from(level).unwrap_or(0);
    match (resource.kind, resource.level) {
        (Some(WaitKind::Lock), _) => {
            let is_free = resource.owners.all().is_some_and(<[_]>::is_empty);
            vec![(WaitKind::Lock, u64::from(is_free))]
        }
        (Some(WaitKind::Semaphore), Some(permits)) => {
            vec![(WaitKind::Semaphore, amount(permits))]
        }
        (Some(WaitKind::QueueGet | WaitKind::QueuePut | WaitKind::QueueJoin), Some(items)) => {
            let room = resource.capacity.saturating_sub(items);
            let of_room = (resource.capacity > 0).then(|| (WaitKind::QueuePut, amount(room)));
            let of_items = (WaitKind::QueueGet, amount(items));
            of_room.into_iter().chain([of_items]).collect()
        }
        _ => vec![],
    }
}
