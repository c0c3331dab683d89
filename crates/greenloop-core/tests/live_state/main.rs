//! The live state after events that a loop might tell.

mod teller;

use greenloop_core::observe::{
    EventBody, EventKind, Model, Numbers, Outcome, Party, TaskState, WaitKind, WakeCause,
    find_broken_lines, find_stuck,
};
use teller::{Teller, of};

const LOCK: u32 = 11;
const SEMAPHORE: u32 = 12;
const QUEUE: u32 = 13;

fn teller() -> Teller {
    Teller::default()
}

#[test]
fn a_task_lives_from_its_creation_to_its_end() {
    let mut teller = teller();
    teller.at(5).tell(EventBody {
        site: 3,
        ..of(EventKind::TaskCreated, 1, 2)
    });
    let ready = |since, cause, waker, after| TaskState::Ready {
        since,
        cause,
        waker,
        after,
    };
    assert_eq!(teller.state(2), ready(5, None, 1, 0));
    teller.at(8).began(2);
    assert_eq!(teller.state(2), TaskState::Running { since: 8 });
    assert_eq!(teller.model.current(), Some(2));
    teller
        .at(9)
        .waits(2, WaitKind::QueueGet, QUEUE)
        .at(10)
        .ended(2);
    let TaskState::Waiting(waiting) = teller.state(2) else {
        panic!("{:?}", teller.state(2));
    };
    assert_eq!(
        (waiting.kind, waiting.party, waiting.since),
        (Some(WaitKind::QueueGet), QUEUE, 9)
    );
    assert_eq!(teller.waiters(QUEUE), [2]);
    assert_eq!(teller.model.current(), None);
    teller.at(20).woken(1, 2, WakeCause::Task);
    assert_eq!(teller.state(2), ready(20, Some(WakeCause::Task), 1, QUEUE));
    assert_eq!(teller.waiters(QUEUE), []);
    // A second wake-up changes nothing.
    teller.at(21).woken(0, 2, WakeCause::Timer);
    assert_eq!(teller.state(2), ready(20, Some(WakeCause::Task), 1, QUEUE));
    teller.at(24).began(2).at(25).finished(2).at(26).ended(2);
    let finished = TaskState::Finished {
        at: 25,
        outcome: Some(Outcome::Returned),
    };
    assert_eq!(teller.state(2), finished);

    let task = teller.model.task(2).expect("it is there");
    assert_eq!((task.creator, task.site), (1, 3));
    assert_eq!(
        (task.steps, task.running_time, task.longest_step),
        (2, 4, 2)
    );
    let counters = teller.model.counters();
    assert_eq!((counters.steps(), counters.events), (2, 9));
    assert_eq!(counters.of_cause(WakeCause::Task), 1);
    assert_eq!(counters.of_cause(WakeCause::Timer), 1);
    assert_eq!(counters.of_outcome(Outcome::Returned), 1);
    assert_eq!((counters.lag.count(), counters.lag.longest()), (2, 4));
    let longest = counters.longest_step.expect("there was one");
    assert_eq!((longest.task, longest.began, longest.duration), (2, 8, 2));
    assert!(!teller.model.is_incomplete());
}

#[test]
fn a_task_that_yields_is_ready_and_one_that_does_not_say_what_it_waits_for_waits() {
    let mut teller = teller();
    teller
        .began(1)
        .at(3)
        .waits(1, WaitKind::Yield, 0)
        .at(4)
        .ended(1);
    assert!(matches!(teller.state(1), TaskState::Ready { since: 3, .. }));
    teller.began(1).ended(1);
    let task = teller.model.task(1).expect("it is there");
    assert_eq!(task.waiting().expect("it waits").kind, None);
    // A wake-up within the step counts.
    teller.began(1).woken(1, 1, WakeCause::Task).ended(1);
    assert!(matches!(teller.state(1), TaskState::Ready { .. }));
}

#[test]
fn steps_within_steps_are_timed_each_for_itself() {
    let mut teller = teller();
    teller.at(0).began(1).at(10).began(2);
    assert_eq!(teller.model.current(), Some(2));
    teller.at(15).ended(2).at(30).ended(1);
    let time = |task| teller.model.task(task).expect("it is there").running_time;
    assert_eq!((time(1), time(2)), (30, 5));
}

#[test]
fn a_lock_has_the_owner_that_acquired_it_last() {
    let mut teller = teller();
    teller.made(LOCK, WaitKind::Lock, 0);
    assert_eq!(teller.owners(LOCK), Some(vec![]));
    teller.at(7).acquired(1, LOCK, 0);
    assert_eq!(teller.owners(LOCK), Some(vec![1]));
    teller
        .waits(2, WaitKind::Lock, LOCK)
        .waits(3, WaitKind::Lock, LOCK);
    assert_eq!(teller.waiters(LOCK), [2, 3]);
    teller.woken(1, 2, WakeCause::Cancellation);
    assert_eq!(teller.waiters(LOCK), [3]);
    teller.released(1, LOCK, 1);
    assert_eq!(teller.owners(LOCK), Some(vec![]));
    teller.acquired(3, LOCK, 0);
    assert_eq!(teller.owners(LOCK), Some(vec![3]));
    // A callback outside of any task.
    teller.released(3, LOCK, 1).acquired(0, LOCK, 0);
    assert_eq!(teller.owners(LOCK), None);
}

#[test]
fn a_semaphore_has_the_owners_of_its_permits() {
    let mut teller = teller();
    teller.made(SEMAPHORE, WaitKind::Semaphore, 3);
    teller
        .acquired(1, SEMAPHORE, 2)
        .acquired(2, SEMAPHORE, 1)
        .acquired(1, SEMAPHORE, 0);
    assert_eq!(teller.owners(SEMAPHORE), Some(vec![1, 2, 1]));
    let exclusive = |teller: &Teller| {
        let resource = teller.model.resource(SEMAPHORE).expect("it is there");
        resource.exclusive_owners().is_some()
    };
    assert!(exclusive(&teller));
    teller.released(1, SEMAPHORE, 1);
    assert_eq!(teller.owners(SEMAPHORE), Some(vec![1, 2]));
    assert!(!exclusive(&teller));
}

#[test]
fn a_semaphore_that_others_release_has_no_owners() {
    let check = |capacity: i64, tell: fn(&mut Teller)| {
        let mut teller = teller();
        teller.made(SEMAPHORE, WaitKind::Semaphore, capacity);
        tell(&mut teller);
        assert_eq!(teller.owners(SEMAPHORE), None);
        teller
            .acquired(5, SEMAPHORE, 0)
            .released(6, SEMAPHORE, capacity);
        assert_eq!(teller.owners(SEMAPHORE), None);
        assert_eq!(teller.certain(SEMAPHORE), []);
    };
    check(0, |_| {});
    check(2, |teller| {
        teller.acquired(1, SEMAPHORE, 1).released(2, SEMAPHORE, 2);
    });
    check(2, |teller| {
        teller.released(1, SEMAPHORE, 3);
    });
}

#[test]
fn a_lock_that_others_release_is_in_no_deadlock() {
    let mut teller = teller();
    teller
        .made(LOCK, WaitKind::Lock, 0)
        .acquired(1, LOCK, 0)
        .released(2, LOCK, 1);
    teller.acquired(1, LOCK, 0).waits(1, WaitKind::Lock, LOCK);
    assert_eq!(teller.owners(LOCK), Some(vec![1]));
    assert!(
        find_stuck(&teller.model.wait_graph(|_| false))
            .knots
            .is_empty()
    );
}

#[test]
fn after_a_loss_everything_is_unknown_until_it_is_said_again() {
    let mut teller = teller();
    teller
        .made(LOCK, WaitKind::Lock, 0)
        .made(SEMAPHORE, WaitKind::Semaphore, 2);
    teller.acquired(1, LOCK, 0).acquired(1, SEMAPHORE, 1);
    teller.waits(2, WaitKind::Lock, LOCK).finished(3).began(1);
    teller.lost(40);
    assert!(teller.model.is_incomplete());
    assert_eq!(teller.model.counters().lost, 40);
    assert_eq!(
        (teller.owners(LOCK), teller.owners(SEMAPHORE)),
        (None, None)
    );
    assert_eq!(teller.state(1), TaskState::Unknown);
    assert_eq!(teller.state(2), TaskState::Unknown);
    assert!(matches!(teller.state(3), TaskState::Finished { .. }));
    assert_eq!(
        (teller.waiters(LOCK), teller.model.current()),
        (vec![], None)
    );
    // The end of a step does not say how the task stands.
    teller.ended(1);
    assert_eq!(teller.state(1), TaskState::Unknown);

    teller.acquired(4, LOCK, 0).acquired(4, SEMAPHORE, 0);
    assert_eq!(teller.owners(LOCK), Some(vec![4]));
    assert_eq!(
        (teller.owners(SEMAPHORE), teller.certain(SEMAPHORE)),
        (None, vec![4])
    );
    // The one that releases may have acquired it before, or may not.
    teller.released(1, SEMAPHORE, 1);
    assert_eq!(
        (teller.owners(SEMAPHORE), teller.certain(SEMAPHORE)),
        (None, vec![])
    );
    teller.released(4, SEMAPHORE, 2);
    assert_eq!(teller.owners(SEMAPHORE), Some(vec![]));
}

#[test]
fn what_was_not_announced_is_unknown() {
    let mut teller = teller();
    teller.acquired(1, LOCK, 0);
    assert_eq!((teller.owners(LOCK), teller.certain(LOCK)), (None, vec![1]));
    // Its kind becomes known by a wait for it, and its owner with the next acquisition.
    teller
        .waits(2, WaitKind::Lock, LOCK)
        .released(1, LOCK, 1)
        .acquired(2, LOCK, 0);
    assert_eq!(teller.owners(LOCK), Some(vec![2]));
    teller.woken(7, 8, WakeCause::Task);
    assert!(matches!(teller.state(8), TaskState::Ready { waker: 7, .. }));
    assert_eq!(teller.model.task(7), None);
    assert!(Model::joining().is_incomplete());
}

#[test]
fn the_number_of_nobody_is_nobody() {
    let nobody = Numbers::NONE_LEFT;
    let mut teller = teller();
    teller
        .created(nobody)
        .made(nobody, WaitKind::Lock, 0)
        .waits(1, WaitKind::Lock, nobody);
    assert_eq!(
        (teller.model.task(nobody), teller.model.resource(nobody)),
        (None, None)
    );
    assert_eq!(teller.waiters(nobody), []);
    teller
        .made(LOCK, WaitKind::Lock, 0)
        .acquired(nobody, LOCK, 0);
    assert_eq!(teller.owners(LOCK), None);
}

#[test]
fn queues_events_connections_jobs_and_polls_are_followed() {
    let mut teller = teller();
    teller.made(QUEUE, WaitKind::QueueGet, 4);
    let with = |kind, other, value| EventBody {
        value,
        ..of(kind, 1, other)
    };
    teller
        .tell(with(EventKind::Put, QUEUE, 3))
        .tell(with(EventKind::Get, QUEUE, 2));
    teller
        .tell(with(EventKind::Sent, 20, 100))
        .tell(with(EventKind::Received, 20, 7));
    teller.tell(with(EventKind::Set, 21, 0));
    teller
        .tell(with(EventKind::JobSubmitted, 22, 0))
        .tell(with(EventKind::JobSubmitted, 23, 0));
    teller.tell(with(EventKind::JobFinished, 22, 0));
    let resource = |number| teller.model.resource(number).expect("it is there");
    assert_eq!(
        (resource(QUEUE).level, resource(QUEUE).capacity),
        (Some(2), 4)
    );
    assert_eq!((resource(20).sent, resource(20).received), (100, 7));
    assert_eq!(resource(21).is_set, Some(true));
    assert_eq!(
        teller.model.jobs().iter().copied().collect::<Vec<_>>(),
        [23]
    );
    teller.tell(with(EventKind::Cleared, 21, 0));
    assert_eq!(
        teller.model.resource(21).and_then(|event| event.is_set),
        Some(false)
    );

    teller.tell(EventBody::new(EventKind::LoopStarted));
    teller.at(50).tell(EventBody::new(EventKind::PollBegan));
    assert_eq!(
        (teller.model.poll(), teller.model.is_loop_running()),
        (Some(50), true)
    );
    teller.at(80).tell(EventBody::new(EventKind::PollEnded));
    teller.tell(EventBody::new(EventKind::LoopStopped));
    assert_eq!(
        (teller.model.poll(), teller.model.is_loop_running()),
        (None, false)
    );
    assert_eq!(teller.model.counters().polling_time, 30);
    teller.tell(with(EventKind::CancelRequested, 9, 0));
    assert_eq!(
        teller.model.task(9).map(|task| task.cancel_requests),
        Some(1)
    );
}

#[test]
fn finished_tasks_are_forgotten_unless_they_still_matter() {
    let mut teller = teller();
    teller.made(LOCK, WaitKind::Lock, 0).acquired(1, LOCK, 0);
    teller.waits(4, WaitKind::Task, 2);
    teller.finished(1).finished(2).finished(3);
    teller.model.forget_finished();
    assert_eq!(
        teller.model.tasks().keys().copied().collect::<Vec<_>>(),
        [1, 2, 4]
    );
    teller.model.forget(4);
    assert_eq!((teller.model.task(4), teller.waiters(2)), (None, vec![]));
}

#[test]
fn a_model_tells_of_a_deadlock_unless_there_is_a_way_out() {
    let mut teller = teller();
    teller
        .made(11, WaitKind::Lock, 0)
        .made(12, WaitKind::Lock, 0);
    teller.acquired(1, 11, 0).acquired(2, 12, 0);
    teller
        .waits(1, WaitKind::Lock, 12)
        .waits(2, WaitKind::Lock, 11);
    teller
        .waits(3, WaitKind::Task, 1)
        .waits(4, WaitKind::Sleep, 0)
        .waits(5, WaitKind::Event, 13);
    let graph = teller.model.wait_graph(|_| false);
    assert_eq!(graph.waits[&4].needs.parties(), [Party::Outside]);
    let stuck = find_stuck(&graph);
    let members: Vec<u32> = stuck.knots[0]
        .members
        .iter()
        .map(|member| member.task)
        .collect();
    assert_eq!((stuck.knots.len(), members), (1, vec![1, 2]));
    assert_eq!(stuck.knots[0].members[0].holds, [11]);
    assert_eq!(
        stuck
            .behind
            .iter()
            .map(|member| member.task)
            .collect::<Vec<_>>(),
        [3]
    );
    assert!(
        find_stuck(&teller.model.wait_graph(|task| task == 2))
            .knots
            .is_empty()
    );
    teller.lost(1);
    assert!(
        find_stuck(&teller.model.wait_graph(|_| false))
            .knots
            .is_empty()
    );
}

#[test]
fn a_permit_on_its_way_to_a_task_is_no_deadlock() {
    let mut teller = teller();
    teller.made(SEMAPHORE, WaitKind::Semaphore, 2);
    teller.acquired(1, SEMAPHORE, 1).acquired(2, SEMAPHORE, 0);
    teller
        .waits(3, WaitKind::Semaphore, SEMAPHORE)
        .waits(4, WaitKind::Semaphore, SEMAPHORE);
    teller
        .waits(1, WaitKind::Task, 4)
        .waits(2, WaitKind::Task, 4);
    let knots = |teller: &Teller| find_stuck(&teller.model.wait_graph(|_| false)).knots.len();
    assert_eq!(knots(&teller), 1);
    // Task 2 gives its permit to task 3, for which it is taken at once.
    teller
        .woken(0, 2, WakeCause::Timer)
        .released(2, SEMAPHORE, 0);
    teller
        .woken(2, 3, WakeCause::Task)
        .waits(2, WaitKind::Task, 4);
    assert_eq!(knots(&teller), 0);
}

#[test]
fn a_line_that_nobody_serves_is_broken() {
    let mut teller = teller();
    teller
        .made(LOCK, WaitKind::Lock, 0)
        .made(QUEUE, WaitKind::QueueGet, 2);
    teller
        .acquired(1, LOCK, 0)
        .waits(2, WaitKind::Lock, LOCK)
        .waits(3, WaitKind::Lock, LOCK);
    let put = of(EventKind::Put, 1, QUEUE);
    teller
        .waits(4, WaitKind::QueuePut, QUEUE)
        .tell(EventBody { value: 2, ..put });
    let broken = |teller: &Teller| {
        let lines = find_broken_lines(teller.model.lines());
        lines.iter().map(|line| line.resource).collect::<Vec<_>>()
    };
    assert_eq!(broken(&teller), []);
    teller.released(1, LOCK, 1);
    assert_eq!(broken(&teller), [LOCK]);
    teller.woken(1, 2, WakeCause::Task);
    assert_eq!(broken(&teller), []);
    teller.tell(EventBody {
        value: 1,
        ..of(EventKind::Get, 1, QUEUE)
    });
    assert_eq!(broken(&teller), [QUEUE]);
    assert_eq!(teller.model.lines()[1].free, 1);
}
