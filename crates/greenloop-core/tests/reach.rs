//! Tasks that can never go on because of who has what they wait for, as programs make them.

use std::collections::{BTreeMap, BTreeSet};

use greenloop_core::observe::{
    Dead, Givers, Heap, HeapTask, Needs, Party, TaskWait, WaitKind, find_dead, find_stuck,
};

/// A program at one moment: tasks that each have an object and a coroutine, and other objects.
#[derive(Clone, Default)]
struct Program {
    /// The count and the references of each.
    objects: Vec<(u64, Vec<u32>)>,
    held: Vec<u32>,
    tasks: BTreeMap<u32, HeapTask>,
    resources: BTreeMap<u32, Givers>,
}

impl Program {
    /// An object that nobody has.
    fn object(&mut self) -> u32 {
        self.objects.push((0, Vec::new()));
        u32::try_from(self.objects.len() - 1).expect("a test has few")
    }

    /// An object that tasks wait for as `Party::Resource` of the number, and that these have.
    fn resource<const N: usize>(&mut self, number: u32, holders: [u32; N]) -> u32 {
        let object = self.object();
        self.resources.insert(number, Givers::WhoReaches(object));
        for holder in holders {
            self.refer(holder, object);
        }
        object
    }

    fn refer(&mut self, from: u32, to: u32) {
        self.objects[from as usize].1.push(to);
        self.refer_from_outside(to);
    }

    /// A global, a frame that runs, a field of a C struct.
    fn refer_from_outside(&mut self, object: u32) {
        self.objects[object as usize].0 += 1;
    }

    /// A task that waits for one of these. Returns its coroutine, to which its object refers.
    fn task<const N: usize>(&mut self, number: u32, parties: [Party; N]) -> u32 {
        let (object, coroutine) = (self.object(), self.object());
        self.refer(object, coroutine);
        let task = HeapTask {
            object: Some(object),
            inside: vec![coroutine],
            wait: Some(wait(Needs::AnyOf(parties.into()))),
        };
        self.tasks.insert(number, task);
        coroutine
    }

    fn object_of(&self, task: u32) -> u32 {
        self.tasks[&task].object.expect("tasks have objects here")
    }

    fn dead(&self) -> Dead {
        let mut heap = Heap::default();
        for (count, references) in &self.objects {
            heap.add(*count);
            for object in references {
                heap.refer_to(*object);
            }
        }
        for object in &self.held {
            heap.hold(*object);
        }
        find_dead(&heap, &self.tasks, &self.resources)
    }

    /// Checks which tasks are dead, and that the graph of them says so too.
    #[track_caller]
    fn check(&self, expected: &[u32]) -> Dead {
        let dead = self.dead();
        let tasks: Vec<u32> = dead.tasks.iter().copied().collect();
        assert_eq!(tasks, expected, "{dead:#?}");
        let (knots, behind) = knots(&dead);
        let in_graph: BTreeSet<u32> = knots.into_iter().flatten().chain(behind).collect();
        assert_eq!(in_graph, dead.tasks);
        dead
    }
}

fn wait(needs: Needs) -> TaskWait {
    TaskWait {
        needs,
        kind: Some(WaitKind::Event),
        site: 7,
    }
}

/// The tasks of each knot, and those behind them.
fn knots(dead: &Dead) -> (Vec<Vec<u32>>, Vec<u32>) {
    let stuck = find_stuck(&dead.graph);
    let knots = stuck.knots.iter().map(|knot| &knot.members);
    let knots = knots.map(|members| members.iter().map(|member| member.task).collect());
    let behind = stuck.behind.iter().map(|member| member.task);
    (knots.collect(), behind.collect())
}

const EVENT: Party = Party::Resource(11);

#[test]
fn an_event_that_only_its_waiter_has_is_set_by_nobody() {
    let mut program = Program::default();
    let waiter = program.task(1, [EVENT]);
    let event = program.resource(11, [waiter]);
    let dead = program.check(&[1]);
    assert_eq!(dead.graph.waits[&1], wait(Needs::AnyOf(vec![EVENT])));
    assert_eq!(dead.graph.reached_by[&11], [1]);
    // The event knows who waits for it, and so do its waiters their tasks.
    program.refer(event, program.object_of(1));
    program.check(&[1]);
    // Another reference of the same frame.
    program.refer(waiter, event);
    program.check(&[1]);
}

#[test]
fn an_event_that_something_else_has_may_be_set() {
    let mut program = Program::default();
    let waiter = program.task(1, [EVENT]);
    let event = program.resource(11, [waiter]);
    let mut global = program.clone();
    global.refer_from_outside(event);
    global.check(&[]);
    let mut weak = program.clone();
    weak.held.push(event);
    weak.check(&[]);
    // By a way over other objects.
    let table = program.object();
    program.refer(table, event);
    program.check(&[1]);
    program.refer_from_outside(table);
    program.check(&[]);
}

#[test]
fn an_event_that_a_task_has_is_set_if_that_can_go_on() {
    let check = |party: Party, expected: &[u32]| {
        let mut program = Program::default();
        let waiter = program.task(1, [EVENT]);
        let setter = program.task(2, [party]);
        program.resource(11, [waiter, setter]);
        program.check(expected);
    };
    check(Party::Outside, &[]);
    // A task that is not there has finished, or is not known.
    check(Party::Task(9), &[]);
    check(Party::Resource(99), &[]);
    check(Party::Task(1), &[1, 2]);
    check(EVENT, &[1, 2]);
}

#[test]
fn a_task_that_does_not_wait_can_set_what_it_has() {
    let mut program = Program::default();
    let waiter = program.task(1, [EVENT]);
    let setter = program.task(2, []);
    program.resource(11, [waiter, setter]);
    program.check(&[1, 2]);
    program.tasks.get_mut(&2).expect("it is there").wait = None;
    program.check(&[]);
}

#[test]
fn a_queue_whose_producer_has_finished_gets_no_items() {
    let mut program = Program::default();
    let consumer = program.task(1, [EVENT]);
    let queue = program.resource(11, [consumer]);
    // Its task is kept by the consumer, and has no coroutine any more.
    let producer = program.object();
    program.refer(consumer, producer);
    program.check(&[1]);
    program.refer(producer, queue);
    program.check(&[1]);
    program.refer_from_outside(producer);
    program.check(&[]);
}

#[test]
fn two_tasks_that_get_from_each_other_before_they_put_are_a_knot() {
    let mut program = Program::default();
    let one = program.task(1, [Party::Resource(11)]);
    let two = program.task(2, [Party::Resource(12)]);
    let three = program.task(3, [Party::Task(2)]);
    let here = program.resource(11, [one, two]);
    program.resource(12, [one, two]);
    program.refer(three, here);
    let dead = program.check(&[1, 2, 3]);
    assert_eq!(dead.graph.reached_by[&11], [1, 2, 3]);
    assert_eq!(dead.graph.reached_by[&12], [1, 2]);
    assert_eq!(knots(&dead), (vec![vec![1, 2, 3]], vec![]));
}

#[test]
fn a_task_that_waits_for_itself_is_dead_whoever_has_it() {
    let mut program = Program::default();
    program.task(1, [Party::Task(1)]);
    program.refer_from_outside(program.object_of(1));
    program.check(&[1]);
}

#[test]
fn a_parent_is_dead_with_the_child_that_it_waits_for() {
    let check = |parties: [Party; 2], expected: &[u32]| {
        let mut program = Program::default();
        let parent = program.task(1, parties);
        let child = program.task(2, [EVENT]);
        program.refer(parent, program.object_of(2));
        program.resource(11, [parent, child]);
        let dead = program.check(expected);
        if !expected.is_empty() {
            assert_eq!(knots(&dead), (vec![vec![1, 2]], vec![]));
        }
    };
    check([Party::Task(2), Party::Task(2)], &[1, 2]);
    // It has a time limit, and can set the event then.
    check([Party::Task(2), Party::Outside], &[]);
}

#[test]
fn whoever_has_a_task_or_its_coroutine_does_not_have_what_it_uses() {
    let mut program = Program::default();
    let waiter = program.task(1, [EVENT]);
    program.resource(11, [waiter]);
    // `asyncio.run` has the coroutine of the first task in its frame.
    program.refer_from_outside(waiter);
    program.refer_from_outside(program.object_of(1));
    program.held.push(waiter);
    // A task that sleeps has both too.
    let sleeper = program.task(2, [Party::Outside]);
    program.refer(sleeper, program.object_of(1));
    program.refer(sleeper, waiter);
    program.check(&[1]);
}

#[test]
fn whoever_has_a_task_has_the_rest_of_what_it_refers_to() {
    // An attribute that somebody has put there.
    let mut program = Program::default();
    let waiter = program.task(1, [EVENT]);
    let event = program.resource(11, [waiter]);
    program.refer(program.object_of(1), event);
    program.check(&[1]);
    program.refer_from_outside(program.object_of(1));
    program.check(&[]);
}

#[test]
fn a_task_can_be_divided_so_that_nobody_gets_at_the_future_that_it_awaits() {
    let mut program = Program::default();
    let waiter = program.task(1, [EVENT]);
    let future = program.resource(11, [waiter]);
    let object = program.object_of(1);
    program.refer_from_outside(object);
    let mut whole = program.clone();
    whole.refer(object, future);
    whole.check(&[]);
    let private = program.object();
    program.refer(private, future);
    let task = program.tasks.get_mut(&1).expect("it is there");
    task.inside.push(private);
    program.check(&[1]);
}

#[test]
fn a_task_that_goes_on_has_itself() {
    // The future of a `gather` ends the wait, and the callbacks of a child refer to it.
    let check = |child: Party, expected: &[u32]| {
        let mut program = Program::default();
        let parent = program.task(1, [EVENT]);
        program.task(2, [child]);
        let (task, future) = (program.object_of(2), program.resource(11, [parent]));
        program.refer(task, future);
        program.refer(future, task);
        let dead = program.check(expected);
        assert_eq!(
            dead.graph.reached_by.contains_key(&11),
            !expected.is_empty()
        );
    };
    check(Party::Outside, &[]);
    check(Party::Task(2), &[1, 2]);
}

#[test]
fn a_lock_is_released_by_its_owner_only() {
    let lock = Party::Resource(12);
    let check = |owners: &[u32], event_is_global: bool, expected: &[u32]| {
        let mut program = Program::default();
        let owner = program.task(1, [EVENT]);
        program.task(2, [lock]);
        let event = program.resource(11, [owner]);
        if event_is_global {
            program.refer_from_outside(event);
        }
        // That everybody can reach the lock does not count.
        program
            .resources
            .insert(12, Givers::Owners(owners.to_vec()));
        program.check(expected)
    };
    let dead = check(&[1], false, &[1, 2]);
    assert_eq!(knots(&dead), (vec![vec![1]], vec![2]));
    assert_eq!(find_stuck(&dead.graph).knots[0].members[0].holds, [12]);
    check(&[1], true, &[]);
    // One of the owners of a semaphore may run.
    check(&[1, 9], false, &[1]);
    // Its owner has finished.
    let dead = check(&[], true, &[2]);
    assert!(!find_stuck(&dead.graph).knots[0].is_cycle);
}

#[test]
fn a_wait_for_all_is_dead_with_one_of_them() {
    let check = |needs: Needs, expected: &[u32]| {
        let mut program = Program::default();
        let waiter = program.task(1, [EVENT]);
        program.resource(11, [waiter]);
        program.task(2, [Party::Outside]);
        program.task(3, []);
        program.tasks.get_mut(&3).expect("it is there").wait = Some(wait(needs));
        program.check(expected);
    };
    let both = || vec![Party::Task(1), Party::Task(2)];
    check(Needs::AllOf(both()), &[1, 3]);
    check(Needs::AnyOf(both()), &[1]);
    check(Needs::AllOf(vec![]), &[1]);
    check(Needs::AnyOf(vec![]), &[1, 3]);
}

#[test]
fn of_what_is_not_in_the_heap_nothing_is_known() {
    let mut program = Program::default();
    program.task(1, [EVENT]);
    program.resources.insert(11, Givers::WhoReaches(99));
    program.check(&[]);
    // Nor does it matter who refers to it.
    let waiter = program.task(2, [Party::Resource(12)]);
    program.resource(12, [waiter]);
    program.objects[waiter as usize].1.push(99);
    program.held.push(99);
    let task = program.tasks.get_mut(&2).expect("it is there");
    task.inside.push(99);
    program.check(&[2]);
    let task = program.tasks.get_mut(&1).expect("it is there");
    task.object = Some(99);
    program.check(&[2]);
}

/// Tasks that each wait for a resource of their own, in one table that all of them have.
fn tasks_around_a_table(number: u32) -> Program {
    let mut program = Program::default();
    let table = program.object();
    for task in 1..=number {
        let coroutine = program.task(task, [Party::Resource(task)]);
        program.resource(task, [table]);
        program.refer(coroutine, table);
    }
    program
}

#[test]
fn tasks_that_could_all_give_to_each_other_are_one_knot() {
    let all: Vec<u32> = (1..=20).collect();
    let dead = tasks_around_a_table(20).check(&all);
    assert!(dead.abridged.is_empty());
    let (knots, behind) = knots(&dead);
    assert_eq!((knots.len(), behind.len()), (1, 0));
    assert_eq!(knots[0].len(), 20);
}

#[test]
fn of_too_many_pairs_only_some_are_told() {
    // Each resource has 1,000 givers, and 262 references are followed for it, one to the table.
    let dead = tasks_around_a_table(1_000).dead();
    assert_eq!((dead.tasks.len(), dead.abridged.len()), (1_000, 1_000));
    let givers = dead.graph.reached_by.values().map(Vec::len);
    assert_eq!((givers.clone().min(), givers.max()), (Some(261), Some(261)));
}

#[test]
fn a_chain_of_many_tasks_takes_no_stack_and_little_time() {
    // Each task waits for an event that only the next one has, behind a chain of objects.
    let length = 5_000;
    let mut program = Program::default();
    for task in 1..=length {
        let coroutine = program.task(task, [Party::Resource(task)]);
        if task > 1 {
            program.resource(task - 1, [coroutine]);
        }
    }
    let mut last = program.resource(length, []);
    for _ in 0..length {
        let holder = program.object();
        program.refer(holder, last);
        last = holder;
    }
    let dead = program.dead();
    assert_eq!((dead.tasks.len(), dead.abridged.len()), (5_000, 1));
    program.refer_from_outside(last);
    assert_eq!(program.dead().tasks, BTreeSet::new());
}
