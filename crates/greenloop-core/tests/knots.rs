//! Deadlocks as programs make them, and how they are told.

use std::collections::{BTreeMap, BTreeSet};

use greenloop_core::observe::{
    Line, Needs, OrphanWait, Party, Sources, Stuck, TaskWait, WaitGraph, WaitKind,
    find_broken_lines, find_orphan_waits, find_stuck,
};

fn wait(kind: WaitKind, needs: Needs) -> TaskWait {
    TaskWait {
        needs,
        kind: Some(kind),
        site: 0,
    }
}

fn lock(resource: u32) -> TaskWait {
    wait(WaitKind::Lock, any([Party::Resource(resource)]))
}

fn task(task: u32) -> TaskWait {
    wait(WaitKind::Task, any([Party::Task(task)]))
}

fn any<const N: usize>(parties: [Party; N]) -> Needs {
    Needs::AnyOf(parties.into())
}

fn all<const N: usize>(parties: [Party; N]) -> Needs {
    Needs::AllOf(parties.into())
}

/// A graph of waits and owners.
fn graph<const W: usize, const O: usize>(
    waits: [(u32, TaskWait); W],
    owners: [(u32, &[u32]); O],
) -> WaitGraph {
    WaitGraph {
        waits: waits.into(),
        owners: owners
            .into_iter()
            .map(|(resource, owners)| (resource, owners.to_vec()))
            .collect(),
        ..WaitGraph::default()
    }
}

/// The tasks of each knot, and those behind them.
fn tasks(stuck: &Stuck) -> (Vec<Vec<u32>>, Vec<u32>) {
    let knots = stuck.knots.iter().map(|knot| &knot.members);
    let knots = knots.map(|members| members.iter().map(|member| member.task).collect());
    let behind = stuck.behind.iter().map(|member| member.task);
    (knots.collect(), behind.collect())
}

fn check(graph: &WaitGraph, knots: &[&[u32]], behind: &[u32]) {
    let found = tasks(&find_stuck(graph));
    let expected = knots.iter().map(|knot| knot.to_vec()).collect();
    assert_eq!(found, (expected, behind.to_vec()), "{graph:#?}");
}

#[test]
fn two_tasks_that_take_two_locks_in_two_orders_are_a_knot() {
    let graph = graph([(1, lock(12)), (2, lock(11))], [(11, &[1]), (12, &[2])]);
    let stuck = find_stuck(&graph);
    assert_eq!(tasks(&stuck), (vec![vec![1, 2]], vec![]));
    let knot = &stuck.knots[0];
    assert!(knot.is_cycle);
    assert_eq!(knot.members[0].holds, [11]);
    assert_eq!(knot.members[0].wait, lock(12));
    assert_eq!(knot.members[1].holds, [12]);
}

#[test]
fn the_members_of_a_knot_follow_their_waits_from_the_smallest_on() {
    let locks = [(11, &[1][..]), (12, &[2]), (13, &[3])];
    check(
        &graph([(1, lock(13)), (2, lock(11)), (3, lock(12))], locks),
        &[&[1, 3, 2]],
        &[],
    );
}

#[test]
fn a_task_that_waits_for_itself_or_for_its_own_lock_is_a_knot() {
    check(&graph([(1, task(1))], []), &[&[1]], &[]);
    check(&graph([(1, lock(11))], [(11, &[1])]), &[&[1]], &[]);
    assert!(find_stuck(&graph([(1, task(1))], [])).knots[0].is_cycle);
}

#[test]
fn a_lock_and_a_task_make_a_cycle_together() {
    // A task holds a lock and awaits one that wants the lock.
    check(
        &graph([(1, task(2)), (2, lock(11))], [(11, &[1])]),
        &[&[1, 2]],
        &[],
    );
    check(
        &graph([(1, task(2)), (2, task(1)), (3, task(1))], []),
        &[&[1, 2]],
        &[3],
    );
}

#[test]
fn whoever_waits_for_a_knot_is_behind_it() {
    let graph = graph(
        [(1, task(2)), (2, lock(11)), (3, lock(12)), (4, lock(11))],
        [(11, &[3]), (12, &[2])],
    );
    check(&graph, &[&[2, 3]], &[1, 4]);
}

#[test]
fn a_task_that_may_run_frees_whoever_waits_for_it() {
    // Task 3 is not known to wait.
    check(
        &graph([(1, lock(11)), (2, task(1))], [(11, &[3])]),
        &[],
        &[],
    );
    // The givers of resource 12 are not known.
    check(
        &graph([(1, lock(12)), (2, task(1))], [(11, &[2])]),
        &[],
        &[],
    );
    let timer = wait(WaitKind::Sleep, any([Party::Outside]));
    check(&graph([(1, lock(11)), (2, timer)], [(11, &[2])]), &[], &[]);
}

#[test]
fn a_time_limit_frees_a_cycle() {
    let limited = wait(WaitKind::Lock, any([Party::Resource(12), Party::Outside]));
    check(
        &graph([(1, limited), (2, lock(11))], [(11, &[1]), (12, &[2])]),
        &[],
        &[],
    );
}

#[test]
fn a_semaphore_is_stuck_only_if_all_its_holders_are() {
    let permit = |needs| wait(WaitKind::Semaphore, needs);
    let waits = || {
        [
            (1, task(4)),
            (2, task(4)),
            (4, permit(any([Party::Resource(11)]))),
        ]
    };
    check(&graph(waits(), [(11, &[1, 2])]), &[&[1, 4, 2]], &[]);
    check(&graph(waits(), [(11, &[1, 2, 3])]), &[], &[]);
    check(&graph(waits(), [(11, &[1, 1, 2])]), &[&[1, 4, 2]], &[]);
}

#[test]
fn a_wait_for_all_is_stuck_with_one_of_them_and_a_wait_for_any_with_the_last() {
    let stuck = || [(2, task(3)), (3, task(2))];
    let check = |needs: Needs, is_stuck: bool| {
        let mut graph = graph(stuck(), []);
        graph.waits.insert(1, wait(WaitKind::Gather, needs));
        check(&graph, &[&[2, 3]], if is_stuck { &[1] } else { &[] });
    };
    // Task 9 may run.
    check(all([Party::Task(2), Party::Task(9)]), true);
    check(any([Party::Task(2), Party::Task(9)]), false);
    check(any([Party::Task(2), Party::Task(3)]), true);
    check(all([]), false);
}

#[test]
fn of_two_ways_out_a_knot_needs_both_closed() {
    // Task 1 waits for one of 2 and 3. 2 waits for it, 3 is in a knot of its own with 4: only if
    // that is undone is 1 free, so that it is behind.
    let either = wait(WaitKind::Wait, any([Party::Task(2), Party::Task(3)]));
    let waits = [(1, either), (2, task(1)), (3, task(4)), (4, task(3))];
    check(&graph(waits, []), &[&[3, 4]], &[1, 2]);
    let both = wait(WaitKind::Gather, all([Party::Task(2), Party::Task(3)]));
    let waits = [(1, both), (2, task(1)), (3, task(4)), (4, task(3))];
    check(&graph(waits, []), &[&[1, 2], &[3, 4]], &[]);
}

#[test]
fn a_task_that_has_finished_ends_the_waits_for_it_and_gives_nothing_away() {
    let mut graph = graph([(1, lock(11)), (2, task(3)), (4, lock(11))], [(11, &[3])]);
    graph.finished.insert(3);
    check(&graph, &[&[1], &[4]], &[]);
    assert!(!find_stuck(&graph).knots[0].is_cycle);
}

#[test]
fn an_orphan_can_be_given_only_by_its_waiters() {
    let event = |needs| wait(WaitKind::Event, needs);
    let mut graph = graph(
        [
            (1, event(any([Party::Resource(11)]))),
            (2, event(any([Party::Resource(11)]))),
            (3, event(any([Party::Resource(12)]))),
        ],
        [],
    );
    graph.orphans = BTreeSet::from([11]);
    check(&graph, &[&[1, 2]], &[]);
    let expected = OrphanWait {
        resource: 11,
        waiters: vec![1, 2],
    };
    assert_eq!(find_orphan_waits(&graph), [expected]);
    // One of its waiters has a time limit, and may set the event afterwards.
    let limited = event(any([Party::Resource(11), Party::Outside]));
    graph.waits.insert(2, limited);
    assert_eq!(find_orphan_waits(&graph), []);
    check(&graph, &[], &[]);
}

#[test]
fn what_only_some_tasks_can_reach_is_given_by_them() {
    let queue = |resource| wait(WaitKind::QueueGet, any([Party::Resource(resource)]));
    let mut graph = graph([(1, queue(11)), (2, queue(12)), (3, queue(11))], []);
    graph.reached_by = BTreeMap::from([(11, vec![1, 2, 3]), (12, vec![1, 2])]);
    check(&graph, &[&[1, 2, 3]], &[]);
    graph.reached_by = BTreeMap::from([(11, vec![2]), (12, vec![2])]);
    check(&graph, &[&[2]], &[1, 3]);
    // Task 4 is not known to wait.
    graph.reached_by.insert(12, vec![2, 4]);
    check(&graph, &[], &[]);
    // Nobody can give it.
    graph.reached_by.insert(12, vec![]);
    check(&graph, &[&[2]], &[1, 3]);
    assert_eq!(find_orphan_waits(&graph), []);
}

#[test]
fn a_loop_is_dead_if_tasks_wait_and_no_source_is_left() {
    let waiting = graph([(1, lock(11))], []);
    let dry = Sources::default();
    assert!(dry.are_dry_for(&waiting));
    assert!(!dry.are_dry_for(&WaitGraph::default()));
    for source in [
        Sources { ready: 1, ..dry },
        Sources { timers: 1, ..dry },
        Sources {
            descriptors: 1,
            ..dry
        },
        Sources { jobs: 1, ..dry },
        Sources {
            outside: true,
            ..dry
        },
    ] {
        assert!(!source.are_dry_for(&waiting), "{source:?}");
    }
}

#[test]
fn a_line_is_broken_if_something_is_free_and_nobody_is_on_the_way_to_it() {
    let check = |free: u64, waiting: &[u32], woken: usize, expected: bool| {
        let line = Line {
            resource: 11,
            kind: WaitKind::Semaphore,
            free,
            waiting: waiting.to_vec(),
            woken,
        };
        assert_eq!(find_broken_lines([line.clone()]) == [line], expected);
    };
    check(1, &[1, 2], 0, true);
    check(1, &[1], 1, false);
    check(1, &[], 0, false);
    check(0, &[1], 0, false);
}

#[test]
fn a_chain_of_many_tasks_takes_no_stack_and_little_time() {
    let length = 5_000;
    let chain = (1..length).map(|number| (number, task(number + 1)));
    let mut graph = WaitGraph {
        waits: chain.collect::<BTreeMap<_, _>>(),
        ..WaitGraph::default()
    };
    assert_eq!(find_stuck(&graph), Stuck::default());
    graph.waits.insert(length, task(length));
    let stuck = find_stuck(&graph);
    assert_eq!((stuck.knots.len(), stuck.behind.len()), (1, 4_999));
    graph.waits.insert(length, task(1));
    assert_eq!(find_stuck(&graph).knots[0].members.len(), 5_000);
}
