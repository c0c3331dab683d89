//! Which waiting tasks can never go on, because nothing that still runs can reach what they wait
//! for.
//!
//! An event can be set by whoever has it, and nobody says who will. But who has it is known: if all
//! references to it come from the coroutines of tasks that themselves can never go on, nobody can
//! set it any more. Go finds goroutines that have leaked in that way, with its garbage collector
//! ("partial deadlocks"). Here a [`Heap`] stands for the collector: what is held from outside is
//! alive, and so is what something alive refers to, except that a coroutine refers to anything only
//! if its task is alive.
//!
//! ```text
//!   held from outside ──► object ──► object ──► event
//!                                                 │ ends the wait of
//!       event ◄── object ◄── coroutine ◄── task ◄─┘
//! ```
//!
//! The search spreads what is alive until nothing is added, each object and each reference once.
//! What it has not reached is dead. As in all findings of deadlocks, a cancellation does not count,
//! since it can undo any of them. Nor does that a coroutine is closed, by whoever has it or because
//! its task is garbage: its `finally` may set the event of another dead task.

use std::collections::{BTreeMap, BTreeSet};

use super::heap::{Givers, Heap, HeapTask};
use super::referrers::{Referrers, fair_share};
use super::stuck::Relations;
use super::wait_graph::{Party, WaitGraph};

/// The tasks that can never go on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Dead {
    /// The tasks.
    pub tasks: BTreeSet<u32>,
    /// Their waits, and who of them could give what they wait for, as if it were alive. All of them
    /// are stuck in this graph, so that [`find_stuck`](super::find_stuck) divides them into knots
    /// and those behind.
    pub graph: WaitGraph,
    /// The resources for which the graph has only those of the givers that are nearest, because
    /// there are too many ways to them. The tasks that are dead do not depend on it.
    pub abridged: BTreeSet<u32>,
}

/// Finds the tasks that can never go on. The tasks of the heap have their numbers, and so have the
/// resources that they wait for. A task or a resource that is missing counts as one that may come.
pub fn find_dead(
    heap: &Heap,
    tasks: &BTreeMap<u32, HeapTask>,
    resources: &BTreeMap<u32, Givers>,
) -> Dead {
    let mut graph = all_waits(heap, tasks, resources);
    let mut life = Life::new(heap, tasks, resources);
    let relations = Relations::of(&graph);
    let mut spread = relations.spread_among(&tasks.keys().copied().collect());
    loop {
        while let Some(task) = spread.run_next() {
            life.reach_from(task);
        }
        let Some(object) = life.ahead.pop() else {
            break;
        };
        for resource in life.follow(object) {
            spread.come(Party::Resource(resource));
        }
    }
    let dead = spread.left();
    graph.waits.retain(|task, _| dead.contains(task));
    let abridged = life.tell_givers(&mut graph);
    Dead {
        tasks: dead,
        graph,
        abridged,
    }
}

/// The waits of all tasks, as if nobody could reach an object.
fn all_waits(
    heap: &Heap,
    tasks: &BTreeMap<u32, HeapTask>,
    resources: &BTreeMap<u32, Givers>,
) -> WaitGraph {
    let mut graph = WaitGraph::default();
    for (number, task) in tasks {
        if let Some(wait) = &task.wait {
            graph.waits.insert(*number, wait.clone());
        }
    }
    for (resource, givers) in resources {
        match givers {
            Givers::Owners(owners) => {
                graph.owners.insert(*resource, owners.clone());
            }
            Givers::WhoReaches(object) if (*object as usize) < heap.size() => {
                graph.reached_by.insert(*resource, Vec::new());
            }
            // Of an object that is not there, nothing is known.
            Givers::WhoReaches(_) => {}
        }
    }
    graph
}

/// What the search knows of an object.
#[derive(Clone, Copy, Default)]
struct Mark {
    is_alive: bool,
    /// It is inside of a task, so that it is alive with that task only.
    is_inside: bool,
    /// A resource is given by whoever reaches it.
    is_resource: bool,
}

/// What is alive, as it spreads.
struct Life<'a> {
    heap: &'a Heap,
    tasks: &'a BTreeMap<u32, HeapTask>,
    marks: Vec<Mark>,
    /// The resources that each object stands for.
    resources: BTreeMap<u32, Vec<u32>>,
    /// The objects that are alive, and whose references were not followed yet.
    ahead: Vec<u32>,
}

impl<'a> Life<'a> {
    /// Of the objects, those that are held from outside are alive.
    fn new(
        heap: &'a Heap,
        tasks: &'a BTreeMap<u32, HeapTask>,
        resources: &BTreeMap<u32, Givers>,
    ) -> Self {
        let mut life = Self {
            heap,
            tasks,
            marks: vec![Mark::default(); heap.size()],
            resources: BTreeMap::new(),
            ahead: Vec::new(),
        };
        for object in tasks.values().flat_map(|task| &task.inside) {
            if let Some(mark) = life.marks.get_mut(*object as usize) {
                mark.is_inside = true;
            }
        }
        for (resource, givers) in resources {
            let Givers::WhoReaches(object) = givers else {
                continue;
            };
            if let Some(mark) = life.marks.get_mut(*object as usize) {
                mark.is_resource = true;
                life.resources.entry(*object).or_default().push(*resource);
            }
        }
        for object in heap.held_from_outside() {
            life.reach(object);
        }
        life
    }

    /// Something that is alive refers to an object.
    fn reach(&mut self, object: u32) {
        if let Some(mark) = self.marks.get_mut(object as usize) {
            if !mark.is_alive && !mark.is_inside {
                mark.is_alive = true;
                self.ahead.push(object);
            }
        }
    }

    /// A task is alive, and so are it and what is inside of it.
    fn reach_from(&mut self, task: u32) {
        let Some(task) = self.tasks.get(&task) else {
            return;
        };
        for object in &task.inside {
            if let Some(mark) = self.marks.get_mut(*object as usize) {
                // From now on it is like any other object.
                mark.is_inside = false;
            }
            self.reach(*object);
        }
        if let Some(object) = task.object {
            self.reach(object);
        }
    }

    /// Follows the references of an object that is alive. Returns the resources that it stands for.
    fn follow(&mut self, object: u32) -> Vec<u32> {
        let heap = self.heap;
        for next in heap.references_of(object as usize) {
            self.reach(*next);
        }
        if self.marks[object as usize].is_resource {
            self.resources.remove(&object).unwrap_or_default()
        } else {
            Vec::new()
        }
    }

    /// Adds to the graph of the dead tasks who of them could reach what they wait for. Returns the
    /// resources for which these are not all.
    fn tell_givers(&self, graph: &mut WaitGraph) -> BTreeSet<u32> {
        let named = graph.waits.values().flat_map(|wait| wait.needs.parties());
        let named: BTreeSet<Party> = named.copied().collect();
        let is_named = |resource: &u32| named.contains(&Party::Resource(*resource));
        // What is alive was taken out when it was followed.
        let dead = self.resources.iter();
        let wanted = dead.flat_map(|(object, all)| all.iter().map(|resource| (*resource, *object)));
        let wanted: BTreeMap<u32, u32> = wanted.filter(|(each, _)| is_named(each)).collect();
        graph.reached_by.clear();
        if wanted.is_empty() {
            return BTreeSet::new();
        }
        let tasks = graph.waits.keys();
        let tasks = tasks.filter_map(|number| Some((*number, self.tasks.get(number)?)));
        let is_alive = |object: usize| self.marks[object].is_alive;
        let mut referrers = Referrers::new(self.heap, is_alive, tasks);
        let most = fair_share(wanted.len());
        let mut abridged = BTreeSet::new();
        for (resource, object) in wanted {
            let search = referrers.tasks_that_reach(object, most);
            graph
                .reached_by
                .insert(resource, search.tasks.into_iter().collect());
            if !search.is_complete {
                abridged.insert(resource);
            }
        }
        abridged
    }
}
