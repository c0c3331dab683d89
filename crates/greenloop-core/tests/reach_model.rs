//! Dead tasks in random heaps, found and defined: the definition tries every set of tasks that
//! could be dead, and follows references for as long as that reaches anything.

use std::collections::{BTreeMap, BTreeSet};

use greenloop_core::observe::{
    Givers, Heap, HeapTask, Needs, Party, TaskWait, WaitKind, find_dead, find_stuck,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const OBJECTS: u32 = 8;
const TASKS: u32 = 5;
/// Resources have the numbers behind the tasks.
const RESOURCES: u32 = 4;

/// A heap, its tasks and its resources.
#[derive(Clone, Debug)]
struct Moment {
    /// The references of each object.
    references: Vec<Vec<u32>>,
    /// How many more references each has than that. Fewer must not be.
    from_outside: Vec<i8>,
    held: Vec<u32>,
    tasks: BTreeMap<u32, HeapTask>,
    resources: BTreeMap<u32, Givers>,
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![
        // One more than there are.
        10 => (1..=TASKS + 1).prop_map(Party::Task),
        20 => (1..=RESOURCES).prop_map(|resource| Party::Resource(TASKS + resource)),
        1 => Just(Party::Outside),
    ]
}

fn wait() -> impl Strategy<Value = TaskWait> {
    let parties = || prop::collection::vec(party(), 1..4);
    let needs = prop_oneof![
        12 => party().prop_map(|party| Needs::AnyOf(vec![party])),
        2 => parties().prop_map(Needs::AnyOf),
        2 => parties().prop_map(Needs::AllOf),
        1 => Just(Needs::AnyOf(vec![])),
        1 => Just(Needs::AllOf(vec![])),
    ];
    needs.prop_map(|needs| TaskWait {
        needs,
        kind: Some(WaitKind::Event),
        site: 1,
    })
}

fn task() -> impl Strategy<Value = HeapTask> {
    (
        prop::option::weighted(0.7, 0..OBJECTS),
        prop::collection::vec(0..OBJECTS, 0..4),
        prop::option::weighted(0.9, wait()),
    )
        .prop_map(|(object, inside, wait)| HeapTask {
            object,
            inside,
            wait,
        })
}

fn givers() -> impl Strategy<Value = Givers> {
    prop_oneof![
        // Sometimes an object that is not there.
        15 => (0..OBJECTS).prop_map(Givers::WhoReaches),
        1 => Just(Givers::WhoReaches(OBJECTS)),
        8 => prop::collection::vec(1..=TASKS, 0..3).prop_map(Givers::Owners),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    const OBJECTS_HERE: usize = OBJECTS as usize;
    let references = prop::collection::vec(0..OBJECTS, 0..5);
    let from_outside = prop_oneof![30 => Just(0_i8), 1 => 1..3_i8];
    (
        prop::collection::vec(references, OBJECTS_HERE),
        prop::collection::vec(from_outside, OBJECTS_HERE),
        prop::collection::vec(0..OBJECTS, 0..2),
        prop::collection::btree_map(1..=TASKS, task(), 2..=5),
        prop::collection::btree_map(TASKS + 1..=TASKS + RESOURCES, givers(), 3..=4),
    )
        .prop_map(
            |(references, from_outside, held, tasks, resources)| Moment {
                references,
                from_outside,
                held,
                tasks,
                resources,
            },
        )
}

type Tasks = BTreeSet<u32>;
type Objects = BTreeSet<u32>;

impl Moment {
    fn heap(&self) -> Heap {
        let mut heap = Heap::default();
        for (object, references) in (0..).zip(&self.references) {
            heap.add(self.count(object));
            for next in references {
                heap.refer_to(*next);
            }
        }
        for object in &self.held {
            heap.hold(*object);
        }
        heap
    }

    fn count(&self, object: u32) -> u64 {
        let all = self.references.iter().flatten();
        let inner = all.filter(|next| **next == object).count();
        let inner = i64::try_from(inner).expect("a test has few");
        let count = inner + i64::from(self.from_outside[object as usize]);
        u64::try_from(count).unwrap_or(0)
    }

    fn found(&self) -> Tasks {
        find_dead(&self.heap(), &self.tasks, &self.resources).tasks
    }

    fn objects(&self) -> impl Iterator<Item = u32> {
        (0..).take(self.references.len())
    }

    /// The tasks that an object is inside of.
    fn owners(&self, object: u32) -> impl Iterator<Item = u32> {
        let tasks = self.tasks.iter();
        let owners = tasks.filter(move |(_, task)| task.inside.contains(&object));
        owners.map(|(number, _)| *number)
    }

    /// The objects that are alive if these tasks are dead, and all others alive.
    fn alive(&self, dead: &Tasks) -> Objects {
        let is_given = |object: u32| {
            let is_task = |(number, task): (&u32, &HeapTask)| {
                task.object == Some(object) && !dead.contains(number)
            };
            self.from_outside[object as usize] != 0
                || self.held.contains(&object)
                || self.tasks.iter().any(is_task)
        };
        let mut alive = Objects::new();
        loop {
            let before = alive.len();
            for object in self.objects() {
                if alive.contains(&object) {
                    continue;
                }
                let refers = |from: &u32| self.references[*from as usize].contains(&object);
                let is_reached = match self.owners(object).next() {
                    Some(_) => self.owners(object).any(|owner| !dead.contains(&owner)),
                    None => is_given(object) || alive.iter().any(refers),
                };
                if is_reached {
                    alive.insert(object);
                }
            }
            if alive.len() == before {
                return alive;
            }
        }
    }

    /// Whether these tasks are dead if they are: none of them has a way to go on.
    fn is_closed(&self, dead: &Tasks) -> bool {
        if dead.iter().any(|task| self.tasks[task].wait.is_none()) {
            return false;
        }
        let alive = self.alive(dead);
        let comes = |party: &Party| match party {
            Party::Outside => true,
            Party::Task(task) => !dead.contains(task),
            Party::Resource(resource) => match self.resources.get(resource) {
                None => true,
                Some(Givers::Owners(owners)) => owners.iter().any(|owner| !dead.contains(owner)),
                Some(Givers::WhoReaches(object)) => {
                    self.references.len() <= *object as usize || alive.contains(object)
                }
            },
        };
        dead.iter().all(|task| match &self.tasks[task].wait {
            None => false,
            Some(wait) => match &wait.needs {
                Needs::AnyOf(parties) => !parties.iter().any(comes),
                Needs::AllOf(parties) => !parties.iter().all(comes),
            },
        })
    }

    /// All tasks that are dead in any way: such sets together are one.
    fn dead(&self) -> Tasks {
        let tasks: Vec<u32> = self.tasks.keys().copied().collect();
        let sets = (0_u32..1 << tasks.len()).map(|bits| {
            let chosen = (0..).zip(&tasks).filter(|(bit, _)| bits & (1 << bit) != 0);
            chosen.map(|(_, task)| *task).collect::<Tasks>()
        });
        sets.filter(|set| self.is_closed(set)).flatten().collect()
    }

    /// The objects that a task could reach by itself, without what is inside of others.
    fn reach_of(&self, task: &HeapTask) -> Objects {
        let is_open =
            |object: &u32| task.inside.contains(object) || self.owners(*object).next().is_none();
        let own = task.inside.iter().copied().chain(task.object);
        let mut reach: Objects = own.filter(is_open).collect();
        loop {
            let next = reach
                .iter()
                .flat_map(|from| &self.references[*from as usize]);
            let next: Objects = next.copied().filter(is_open).chain(reach.clone()).collect();
            if next == reach {
                return reach;
            }
            reach = next;
        }
    }

    /// The dead tasks that could give each resource which dead tasks wait for and nobody can reach.
    fn givers(&self, dead: &Tasks) -> BTreeMap<u32, Vec<u32>> {
        let alive = self.alive(dead);
        let mut givers = BTreeMap::new();
        for wait in dead
            .iter()
            .filter_map(|task| self.tasks[task].wait.as_ref())
        {
            for party in wait.needs.parties() {
                let Party::Resource(resource) = party else {
                    continue;
                };
                let Some(Givers::WhoReaches(object)) = self.resources.get(resource) else {
                    continue;
                };
                if *object < OBJECTS && !alive.contains(object) {
                    let reaches = |task: &&u32| self.reach_of(&self.tasks[task]).contains(object);
                    givers.insert(*resource, dead.iter().filter(reaches).copied().collect());
                }
            }
        }
        givers
    }

    /// The same without knowing of an object. Those behind it get its number and so on.
    fn without(&self, forgotten: u32) -> Self {
        let rename =
            |object: u32| (object != forgotten).then(|| object - u32::from(object > forgotten));
        let mut less = self.clone();
        for object in less.references.remove(forgotten as usize) {
            less.from_outside[object as usize] += 1;
        }
        less.from_outside.remove(forgotten as usize);
        for list in less.references.iter_mut().chain([&mut less.held]) {
            *list = list.iter().copied().filter_map(rename).collect();
        }
        for task in less.tasks.values_mut() {
            task.object = task.object.and_then(rename);
            task.inside = task.inside.iter().copied().filter_map(rename).collect();
        }
        less.resources.retain(|_, givers| match givers {
            Givers::Owners(_) => true,
            Givers::WhoReaches(object) => rename(*object).map(|name| *object = name).is_some(),
        });
        less
    }

    /// Has someone who is alive do something. Which of all that are possible, the numbers say.
    fn act(&mut self, action: usize, from: usize, to: usize) {
        fn pick<T: Copy>(all: impl IntoIterator<Item = T>, which: usize) -> Option<T> {
            let all: Vec<T> = all.into_iter().collect();
            all.get(which.checked_rem(all.len())?).copied()
        }
        let dead = self.found();
        let alive = self.alive(&dead);
        let referred = alive
            .iter()
            .flat_map(|from| &self.references[*from as usize]);
        let in_hand: Objects = referred.chain(&alive).copied().collect();
        let (Some(from), Some(to)) = (pick(alive, from), pick(in_hand, to)) else {
            return;
        };
        let references = &mut self.references[from as usize];
        match action {
            0 => references.push(to),
            1 => drop(references.pop()),
            2 => self.from_outside[to as usize] += 1,
            3 if self.from_outside[from as usize] > 0 => self.from_outside[from as usize] -= 1,
            _ => {
                // A task goes on and waits for something else.
                let free = self.tasks.keys().filter(|task| !dead.contains(task));
                let task = pick(free.copied(), action).and_then(|task| self.tasks.get_mut(&task));
                if let Some(task) = task {
                    task.wait = Some(TaskWait {
                        needs: Needs::AnyOf(vec![Party::Resource(TASKS + 1 + to % RESOURCES)]),
                        kind: None,
                        site: 2,
                    });
                }
            }
        }
    }
}

/// So many times 256 heaps, unless fewer cases are asked for than there are by default.
fn config(times: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.saturating_mul(times),
        ..config
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn the_tasks_that_are_found_are_those_that_no_way_leads_to(moment in moment()) {
        let expected = moment.dead();
        prop_assert!(moment.is_closed(&expected));
        let dead = find_dead(&moment.heap(), &moment.tasks, &moment.resources);
        prop_assert_eq!(&dead.tasks, &expected);

        prop_assert_eq!(&dead.graph.reached_by, &moment.givers(&expected));
        prop_assert!(dead.abridged.is_empty());
        let stuck = find_stuck(&dead.graph);
        let in_knots = stuck.knots.iter().flat_map(|knot| &knot.members);
        let members = in_knots.chain(&stuck.behind);
        for member in members.clone() {
            prop_assert_eq!(Some(&member.wait), moment.tasks[&member.task].wait.as_ref());
        }
        prop_assert_eq!(members.map(|member| member.task).collect::<Tasks>(), expected);
    }
}

proptest! {
    #![proptest_config(config(4))]

    #[test]
    fn a_reference_from_outside_or_between_objects_makes_no_task_dead(
        moment in moment(),
        from in 0..OBJECTS,
        to in 0..OBJECTS,
    ) {
        let dead = moment.found();
        let mut counted = moment.clone();
        counted.from_outside[to as usize] += 1;
        let mut held = moment.clone();
        held.held.push(to);
        let mut inner = moment.clone();
        inner.references[from as usize].push(to);
        for more in [counted, held, inner] {
            prop_assert!(more.found().is_subset(&dead), "{more:?}");
        }
    }

    #[test]
    fn knowing_less_never_finds_more(
        moment in moment(),
        object in 0..OBJECTS,
        resource in TASKS + 1..=TASKS + RESOURCES,
    ) {
        let dead = moment.found();
        prop_assert!(moment.without(object).found().is_subset(&dead));
        let mut less = moment.clone();
        less.resources.remove(&resource);
        prop_assert!(less.found().is_subset(&dead));
    }

    #[test]
    fn an_object_with_more_references_than_it_counts_is_held(
        moment in moment(),
        object in 0..OBJECTS,
    ) {
        let mut wrong = moment.clone();
        wrong.references[0].push(object);
        wrong.from_outside[object as usize] = -1;
        let mut held = wrong.clone();
        held.from_outside[object as usize] = 1;
        prop_assert_eq!(wrong.found(), held.found());
    }

    #[test]
    fn whatever_those_alive_do_a_dead_task_stays_dead(
        moment in moment(),
        actions in prop::collection::vec((0_usize..8, 0_usize..64, 0_usize..64), 1..6),
    ) {
        let mut moment = moment;
        for (action, from, to) in actions {
            let dead = moment.found();
            moment.act(action, from, to);
            prop_assert!(dead.is_subset(&moment.found()), "{moment:?}");
        }
    }
}

#[test]
fn random_heaps_have_all_that_is_looked_for() {
    let mut seen = BTreeMap::<&str, usize>::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..400 {
        let moment = moment()
            .new_tree(&mut runner)
            .expect("it is made")
            .current();
        let dead = find_dead(&moment.heap(), &moment.tasks, &moment.resources);
        let stuck = find_stuck(&dead.graph);
        let mut see = |name, times: usize| *seen.entry(name).or_default() += times;
        see("dead", dead.tasks.len());
        see("alive", moment.tasks.len() - dead.tasks.len());
        see("none", usize::from(dead.tasks.is_empty()));
        see("two knots", usize::from(stuck.knots.len() > 1));
        see("behind", stuck.behind.len());
        let members = stuck.knots.iter().map(|knot| knot.members.len());
        see(
            "circles of two",
            members.filter(|number| *number > 1).count(),
        );
        let givers = || dead.graph.reached_by.values();
        see(
            "given by nobody",
            givers().filter(|tasks| tasks.is_empty()).count(),
        );
        see(
            "given by some",
            givers().filter(|tasks| tasks.len() > 1).count(),
        );
        let mut free = moment.clone();
        free.resources.clear();
        see(
            "dead by reach",
            dead.tasks.difference(&free.found()).count(),
        );
        let mut open = moment.clone();
        open.tasks.values_mut().for_each(|task| task.inside.clear());
        see(
            "dead by what is inside",
            dead.tasks.difference(&open.found()).count(),
        );
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.values().all(|times| *times > 20), "{seen:?}");
}
