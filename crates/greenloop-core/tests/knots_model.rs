//! Deadlocks in random graphs, found and defined: the definition tries every order in which tasks
//! could run, and every set of tasks that could be a knot.

use std::collections::{BTreeMap, BTreeSet};

use greenloop_core::observe::{
    Needs, Party, TaskWait, WaitGraph, WaitKind, find_orphan_waits, find_stuck,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const TASKS: u32 = 6;
/// Resources have the numbers behind the tasks.
const RESOURCES: u32 = 4;

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![
        6 => (1..=TASKS).prop_map(Party::Task),
        8 => (1..=RESOURCES).prop_map(|resource| Party::Resource(TASKS + resource)),
        1 => Just(Party::Outside),
    ]
}

fn wait() -> impl Strategy<Value = TaskWait> {
    let parties = || prop::collection::vec(party(), 1..4);
    let needs = prop_oneof![
        8 => party().prop_map(|party| Needs::AnyOf(vec![party])),
        4 => parties().prop_map(Needs::AnyOf),
        4 => parties().prop_map(Needs::AllOf),
        1 => Just(Needs::AnyOf(vec![])),
        1 => Just(Needs::AllOf(vec![])),
    ];
    needs.prop_map(|needs| TaskWait {
        needs,
        kind: Some(WaitKind::Lock),
        site: 1,
    })
}

fn graph() -> impl Strategy<Value = WaitGraph> {
    let task = 1..=TASKS;
    let resource = TASKS + 1..=TASKS + RESOURCES;
    let givers = || prop::collection::vec(task.clone(), 0..3);
    (
        prop::collection::btree_map(task.clone(), wait(), 2..=6),
        prop::collection::btree_map(resource.clone(), givers(), 2..=4),
        prop::collection::btree_map(resource.clone(), givers(), 0..3),
        prop::collection::btree_set(resource, 0..3),
        prop::collection::btree_set(task.clone(), 0..2),
    )
        .prop_map(|(waits, owners, reached_by, orphans, finished)| WaitGraph {
            waits,
            owners,
            reached_by,
            orphans,
            finished,
        })
}

/// A set of tasks, a bit for each.
type Tasks = u32;

fn bit(task: u32) -> Tasks {
    1 << task
}

fn set_of(tasks: impl IntoIterator<Item = u32>) -> Tasks {
    tasks.into_iter().fold(0, |set, task| set | bit(task))
}

fn tasks_of(set: Tasks) -> impl Iterator<Item = u32> {
    (1..=TASKS).filter(move |task| set & bit(*task) != 0)
}

/// The stuck tasks and the knots of a graph by their definitions.
struct Definition<'a> {
    graph: &'a WaitGraph,
    /// The tasks that wait and have not finished.
    waiting: Tasks,
    /// The tasks that can give a resource; one that is missing can be given by anybody.
    givers: BTreeMap<u32, Tasks>,
}

impl<'a> Definition<'a> {
    fn of(graph: &'a WaitGraph) -> Self {
        let unfinished = !set_of(graph.finished.iter().copied());
        let waiting = set_of(graph.waits.keys().copied()) & unfinished;
        let names = |task: &u32, resource: u32| {
            let parties = graph.waits[task].needs.parties();
            parties.contains(&Party::Resource(resource))
        };
        let mut givers = BTreeMap::new();
        for (resource, tasks) in graph.owners.iter().chain(&graph.reached_by) {
            givers.insert(*resource, set_of(tasks.iter().copied()) & unfinished);
        }
        for orphan in &graph.orphans {
            let waiters = tasks_of(waiting).filter(|task| names(task, *orphan));
            givers.insert(*orphan, set_of(waiters));
        }
        Self {
            graph,
            waiting,
            givers,
        }
    }

    fn parties(&self, task: u32) -> &[Party] {
        self.graph.waits[&task].needs.parties()
    }

    /// Whether a task can run when those in `ran` have, and those that do not wait.
    fn can_run(&self, task: u32, ran: Tasks) -> bool {
        let may_run = ran | !self.waiting;
        let comes = |party: &Party| match *party {
            Party::Outside => true,
            Party::Task(task) => may_run & bit(task) != 0,
            Party::Resource(resource) => {
                let givers = self.givers.get(&resource);
                givers.is_none_or(|givers| givers & may_run != 0)
            }
        };
        match &self.graph.waits[&task].needs {
            Needs::AnyOf(parties) => parties.iter().any(comes),
            Needs::AllOf(parties) => parties.iter().all(comes),
        }
    }

    /// The tasks that run in no order at all.
    fn stuck(&self) -> Tasks {
        let mut reached = BTreeSet::from([0]);
        let mut ahead = vec![0];
        while let Some(ran) = ahead.pop() {
            for task in tasks_of(self.waiting & !ran) {
                if self.can_run(task, ran) {
                    let next = ran | bit(task);
                    if reached.insert(next) {
                        ahead.push(next);
                    }
                }
            }
        }
        let ever = reached.into_iter().fold(0, |ever, ran| ever | ran);
        self.waiting & !ever
    }

    /// The largest sets of tasks that would be stuck if all others ran, and of which each leads to
    /// each other one.
    fn knots(&self) -> BTreeSet<Tasks> {
        let all = self.waiting;
        let is_stuck = |set: Tasks| {
            let others = all & !set;
            tasks_of(set).all(|task| !self.can_run(task, others))
        };
        let candidates = (1..=all).filter(|set| set & !all == 0);
        let knots: Vec<Tasks> = candidates
            .filter(|set| is_stuck(*set) && self.is_connected(*set))
            .collect();
        let is_largest = |set: &&Tasks| {
            let mut others = knots.iter().filter(|other| other != set);
            others.all(|other| **set & !other != 0)
        };
        knots.iter().filter(is_largest).copied().collect()
    }

    fn is_connected(&self, set: Tasks) -> bool {
        tasks_of(set).all(|start| {
            let mut met = bit(start);
            loop {
                let next = tasks_of(met).fold(met, |met, task| met | self.leads_to(task) & set);
                if next == met {
                    return met == set;
                }
                met = next;
            }
        })
    }

    /// The tasks that could end a task's wait.
    fn leads_to(&self, task: u32) -> Tasks {
        let parties = self.parties(task).iter();
        parties.fold(0, |set, party| match party {
            Party::Outside => set,
            Party::Task(task) => set | bit(*task),
            Party::Resource(resource) => set | self.givers.get(resource).unwrap_or(&0),
        })
    }
}

/// Ten thousand graphs, unless fewer cases are asked for than there are by default.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.saturating_mul(40),
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_tasks_that_are_found_are_those_that_run_in_no_order(graph in graph()) {
        let definition = Definition::of(&graph);
        let never = definition.stuck();
        let stuck = find_stuck(&graph);
        let in_knots = stuck.knots.iter().flat_map(|knot| &knot.members);
        let found = in_knots.chain(&stuck.behind).map(|member| member.task);
        let found: Vec<u32> = found.collect();
        prop_assert_eq!(set_of(found.iter().copied()), never);
        let distinct: BTreeSet<u32> = found.iter().copied().collect();
        prop_assert_eq!(distinct.len(), found.len(), "a task is in one place only");

        let tasks = |knot: &greenloop_core::observe::Knot| {
            set_of(knot.members.iter().map(|member| member.task))
        };
        let knots: BTreeSet<Tasks> = stuck.knots.iter().map(tasks).collect();
        prop_assert_eq!(knots, definition.knots());
        for knot in &stuck.knots {
            let first = knot.members[0].task;
            prop_assert_eq!(knot.members.iter().map(|member| member.task).min(), Some(first));
            let leads_back = definition.leads_to(first) & tasks(knot) != 0;
            prop_assert_eq!(knot.is_cycle, leads_back);
        }
        // A task is stuck only because of a knot.
        prop_assert_eq!(stuck.knots.is_empty(), never == 0);

        let orphans: Vec<u32> = graph.orphans.iter().copied().filter(|orphan| {
            let waiters = definition.givers[orphan];
            waiters != 0 && waiters & !never == 0
        }).collect();
        let found = find_orphan_waits(&graph);
        prop_assert_eq!(found.iter().map(|wait| wait.resource).collect::<Vec<_>>(), orphans);
    }
}

proptest! {
    #[test]
    fn knowing_less_never_finds_more(graph in graph(), forgotten in TASKS + 1..=TASKS + RESOURCES) {
        let stuck = Definition::of(&graph).stuck();
        let mut less = graph.clone();
        less.owners.remove(&forgotten);
        less.reached_by.remove(&forgotten);
        less.orphans.remove(&forgotten);
        prop_assert_eq!(Definition::of(&less).stuck() & !stuck, 0);
        let found = find_stuck(&less);
        let in_knots = found.knots.iter().flat_map(|knot| &knot.members);
        let tasks = in_knots.chain(&found.behind).map(|member| member.task);
        prop_assert_eq!(set_of(tasks) & !stuck, 0);
    }
}

#[test]
fn random_graphs_have_all_that_is_looked_for() {
    let mut seen = BTreeMap::<&str, usize>::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..400 {
        let graph = graph().new_tree(&mut runner).expect("it is made").current();
        let stuck = find_stuck(&graph);
        let mut see = |name, times: usize| *seen.entry(name).or_default() += times;
        see(
            "cycles",
            stuck.knots.iter().filter(|knot| knot.is_cycle).count(),
        );
        see(
            "abandoned",
            stuck.knots.iter().filter(|knot| !knot.is_cycle).count(),
        );
        see(
            "two or more",
            stuck
                .knots
                .iter()
                .filter(|knot| knot.members.len() > 1)
                .count(),
        );
        see("behind", stuck.behind.len());
        see("two knots", usize::from(stuck.knots.len() > 1));
        see("free", usize::from(stuck.knots.is_empty()));
        see("orphans", find_orphan_waits(&graph).len());
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.values().all(|times| *times > 20), "{seen:?}");
}
