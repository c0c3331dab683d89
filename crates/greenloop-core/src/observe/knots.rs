//! Deadlocks: tasks that wait for each other, for nobody, or for something that is available.
//!
//! All findings are pure functions of plain data. They assume that a task which may run may also
//! end and release its resources, and that nobody cancels a task: a cancellation can undo any
//! deadlock. So a finding says that nothing but a cancellation can help, and a graph that knows too
//! little leads to fewer findings.

use std::collections::{BTreeMap, BTreeSet};

use super::components::components;
use super::event::WaitKind;
use super::stuck::Relations;
use super::wait_graph::{Party, TaskWait, WaitGraph};

/// The tasks that can never run again.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Stuck {
    /// The reasons, ordered by the smallest number of their members.
    pub knots: Vec<Knot>,
    /// The tasks that would run if the knots were undone, by number.
    pub behind: Vec<Member>,
}

/// Tasks that would be stuck even if all others could run: each waits, in the end, for each other
/// one. There is none that is part of a larger one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Knot {
    /// Whether it is a cycle. If not, it is one task, and nobody can end its wait any more.
    pub is_cycle: bool,
    /// The task with the smallest number, and then the others as their waits lead to them.
    pub members: Vec<Member>,
}

/// A task that can never run again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The task.
    pub task: u32,
    /// Its wait.
    pub wait: TaskWait,
    /// The resources that it holds, by number.
    pub holds: Vec<u32>,
}

/// Finds the tasks that can never run again, and the knots that hold them.
pub fn find_stuck(graph: &WaitGraph) -> Stuck {
    let relations = Relations::of(graph);
    let holdings = graph.holdings();
    let member = |task: u32| {
        let wait = graph.waits.get(&task)?.clone();
        let holds = holdings.get(&task).cloned().unwrap_or_default();
        Some(Member { task, wait, holds })
    };
    let mut behind = relations.stuck();
    let mut knots = Vec::new();
    let mut candidates = vec![behind.clone()];
    while let Some(tasks) = candidates.pop() {
        for component in Web::new(&relations, &tasks).task_components() {
            let bound = relations.stuck_among(&component);
            if bound != component {
                // Some of it waits for one of several others, of which some are elsewhere.
                candidates.extend((!bound.is_empty()).then_some(bound));
                continue;
            }
            let web = Web::new(&relations, &component);
            let members = web.in_order_of_waits();
            for task in &component {
                behind.remove(task);
            }
            knots.push(Knot {
                is_cycle: web.has_cycle(),
                members: members.into_iter().filter_map(member).collect(),
            });
        }
    }
    knots.sort_by_key(|knot| knot.members.first().map(|member| member.task));
    Stuck {
        knots,
        behind: behind.into_iter().filter_map(member).collect(),
    }
}

/// The sources of events that could still make a task ready.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sources {
    /// The jobs that are ready.
    pub ready: usize,
    /// The timers that are set.
    pub timers: usize,
    /// The descriptors that are watched, without the one that other threads wake the loop by.
    pub descriptors: usize,
    /// The jobs of executors, child processes and other things that will end.
    pub jobs: usize,
    /// Whether another thread or a signal may come, as far as the caller knows.
    pub outside: bool,
}

impl Sources {
    /// Whether nothing can happen any more.
    pub fn are_dry(self) -> bool {
        self == Self::default()
    }

    /// Whether tasks wait, and nothing can ever make one of them ready.
    pub fn are_dry_for(self, graph: &WaitGraph) -> bool {
        let waits = |task: &u32| !graph.finished.contains(task);
        self.are_dry() && graph.waits.keys().any(waits)
    }
}

/// A resource that nobody can give any more: only tasks that wait for it still refer to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrphanWait {
    /// The resource.
    pub resource: u32,
    /// The tasks that wait for it, by number. None of them can run.
    pub waiters: Vec<u32>,
}

/// Finds the orphans all of whose waiters are stuck, by number. A waiter that something else can
/// wake may still give the resource to the others.
pub fn find_orphan_waits(graph: &WaitGraph) -> Vec<OrphanWait> {
    let relations = Relations::of(graph);
    let stuck = relations.stuck();
    let waits = graph.orphans.iter().filter_map(|resource| {
        let waiters: BTreeSet<u32> = relations.givers(*resource)?.iter().copied().collect();
        let is_hopeless = !waiters.is_empty() && waiters.is_subset(&stuck);
        is_hopeless.then(|| OrphanWait {
            resource: *resource,
            waiters: waiters.into_iter().collect(),
        })
    });
    waits.collect()
}

/// The line of a lock, a semaphore or a queue between two turns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The resource.
    pub resource: u32,
    /// The kind of wait of its waiters.
    pub kind: WaitKind,
    /// How many permits, items or places are available.
    pub free: u64,
    /// The waiters that nobody has woken, in order.
    pub waiting: Vec<u32>,
    /// How many waiters were woken and have not run yet.
    pub woken: usize,
}

impl Line {
    /// Whether a hand-over is broken: something is available, tasks wait for it, and none of them
    /// is on its way. One is enough, since it wakes the next one when it runs.
    pub fn is_broken(&self) -> bool {
        self.free > 0 && self.woken == 0 && !self.waiting.is_empty()
    }
}

/// Finds the lines whose hand-over is broken, in the caller's order.
pub fn find_broken_lines(lines: impl IntoIterator<Item = Line>) -> Vec<Line> {
    lines.into_iter().filter(Line::is_broken).collect()
}

/// Some tasks and the resources between them, as a graph of numbered nodes.
struct Web {
    /// The tasks come first, by number, then the resources.
    nodes: Vec<Party>,
    tasks: usize,
    /// From a task to the parties of its wait, from a resource to its givers.
    edges: Vec<Vec<usize>>,
}

impl Web {
    /// The web of these tasks, without edges to others.
    fn new(relations: &Relations<'_>, tasks: &BTreeSet<u32>) -> Self {
        let wait = |task: &u32| relations.graph.waits.get(task);
        let parties = |task: &u32| wait(task).map_or(&[][..], |wait| wait.needs.parties());
        let named = tasks.iter().flat_map(parties).copied();
        let resources: BTreeSet<Party> = named
            .filter(|party| matches!(party, Party::Resource(_)))
            .collect();
        let nodes: Vec<Party> = tasks.iter().copied().map(Party::Task).collect();
        let nodes: Vec<Party> = nodes.into_iter().chain(resources).collect();
        let places: BTreeMap<Party, usize> = nodes.iter().copied().zip(0..).collect();
        let place = |party: Party| places.get(&party).copied();
        let edges = nodes.iter().map(|node| match node {
            Party::Task(task) => parties(task).iter().copied().filter_map(place).collect(),
            Party::Resource(resource) => {
                let givers = relations.givers(*resource).unwrap_or_default().iter();
                givers
                    .filter_map(|giver| place(Party::Task(*giver)))
                    .collect()
            }
            Party::Outside => Vec::new(),
        });
        Self {
            tasks: tasks.len(),
            edges: edges.collect(),
            nodes,
        }
    }

    /// The tasks of each component that has any.
    fn task_components(&self) -> Vec<BTreeSet<u32>> {
        let components = components(&self.edges).into_iter();
        let tasks = components.map(|component| self.tasks_at(component).collect());
        tasks
            .filter(|tasks: &BTreeSet<u32>| !tasks.is_empty())
            .collect()
    }

    fn tasks_at(&self, places: impl IntoIterator<Item = usize>) -> impl Iterator<Item = u32> {
        places
            .into_iter()
            .filter_map(|place| match self.nodes[place] {
                Party::Task(task) => Some(task),
                Party::Resource(_) | Party::Outside => None,
            })
    }

    /// Whether waits lead around in a circle: in a component, if there is an edge back to a task.
    fn has_cycle(&self) -> bool {
        self.edges.iter().flatten().any(|place| *place < self.tasks)
    }

    /// The tasks as a walk along their waits meets them, from the first one on.
    fn in_order_of_waits(&self) -> Vec<u32> {
        let mut met = vec![false; self.nodes.len()];
        let mut order = Vec::new();
        let mut ahead = vec![0];
        while let Some(place) = ahead.pop() {
            if !std::mem::replace(&mut met[place], true) {
                order.push(place);
                ahead.extend(self.edges[place].iter().rev());
            }
        }
        self.tasks_at(order).collect()
    }
}
