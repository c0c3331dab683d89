//! The work of one turn, on a clock that a test moves by hand.

mod manual_host;

use std::rc::Rc;

use greenloop_core::{Instant, Wait, turn};
use manual_host::{Interrupt, Job, ManualHost};

/// How many turns poll, each of them, after a loop has begun to run or has waited.
const EAGER_TURNS: u32 = 8;

/// A host that has polled in the first turns, and has an allowance of one turn between polls.
fn polled_host() -> ManualHost {
    let host = ManualHost::default();
    for _ in 0..EAGER_TURNS {
        host.queue.borrow_mut().budget.polled(Instant::new(0.0));
    }
    host
}

/// A host that has had so many fast turns that it polls as rarely as it ever does, and that has
/// just polled.
fn fast_host() -> ManualHost {
    let host = polled_host();
    polls_in(&host, 200, 1e-7);
    while polls_in(&host, 1, 1e-7) == 0 {}
    host
}

/// Has that many turns of one job each, and counts the polls.
fn polls_in(host: &ManualHost, turns: u32, seconds_each: f64) -> usize {
    for _ in 0..turns {
        host.soon("job");
        host.clock.set(host.clock.get() + seconds_each);
        assert_eq!(turn(host), Ok(()));
    }
    host.polled().len()
}

#[test]
fn ready_jobs_run_in_order() {
    let host = ManualHost::default();
    host.soon("a");
    host.soon("b");
    host.soon("c");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["a", "b", "c"]);
}

#[test]
fn what_a_job_makes_ready_runs_in_the_next_turn() {
    let host = ManualHost::default();
    host.soon_do(|host| {
        host.soon("child");
        host.record("parent")
    });
    host.soon("sibling");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["parent", "sibling"]);
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["child"]);
}

#[test]
fn a_host_can_arrange_the_jobs_of_each_turn() {
    let host = ManualHost::default();
    host.backwards.set(true);
    host.soon_do(|host| {
        host.soon("d");
        host.soon("e");
        host.record("a")
    });
    host.soon("b");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["b", "a"]);
    host.at(0.0, "timer");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["timer", "e", "d"]);
}

#[test]
fn due_timers_run_behind_what_is_ready_and_behind_input() {
    let host = ManualHost::default();
    host.at(0.0, "timer");
    host.soon("ready");
    host.input
        .borrow_mut()
        .push(Job::new(|host| host.record("input")).0);
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["ready", "input", "timer"]);
}

#[test]
fn due_timers_run_by_deadline_then_by_age() {
    let host = ManualHost::default();
    for (deadline, name) in [
        (2.0, "d"),
        (1.0, "b"),
        (2.0, "e"),
        (1.0, "c"),
        (f64::NAN, "a"),
    ] {
        host.at(deadline, name);
    }
    host.clock.set(2.0);
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_timer_is_due_strictly_before_the_horizon() {
    let check = |deadline: f64, expected: &[&str]| {
        let host = ManualHost::default();
        host.at(deadline, "timer");
        host.soon("ready");
        assert_eq!(turn(&host), Ok(()));
        assert_eq!(host.ran(), expected, "at {deadline}");
    };
    check(manual_host::RESOLUTION, &["ready"]);
    check(manual_host::RESOLUTION - 0.001, &["ready", "timer"]);
}

#[test]
fn the_wait_follows_from_what_there_is_to_do() {
    let check = |ready: bool, timer: bool, stopping: bool, expected: Wait| {
        let host = ManualHost::default();
        if ready {
            host.soon("ready");
        }
        if timer {
            host.at(7.0, "timer");
        }
        host.queue.borrow_mut().stopping = stopping;
        let outcome = turn(&host);
        assert_eq!(host.polled(), [expected], "{ready} {timer} {stopping}");
        let idle = expected == Wait::Forever;
        assert_eq!(outcome, if idle { Err(Interrupt::Idle) } else { Ok(()) });
    };
    let until_the_timer = Wait::Until(Instant::new(7.0));
    check(false, false, false, Wait::Forever);
    check(false, true, false, until_the_timer);
    check(true, false, false, Wait::Now);
    check(true, true, false, Wait::Now);
    check(false, false, true, Wait::Now);
    check(false, true, true, Wait::Now);
    check(true, false, true, Wait::Now);
}

#[test]
fn work_is_run_without_a_poll_while_the_budget_lasts() {
    let host = polled_host();
    host.soon("a");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.polled(), []);
    host.soon("b");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.polled(), [Wait::Now]);
    assert_eq!(host.ran(), ["a", "b"]);
}

#[test]
fn a_stopping_turn_polls_whatever_the_budget_says() {
    let host = polled_host();
    host.soon("a");
    host.queue.borrow_mut().stopping = true;
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.polled(), [Wait::Now]);
}

#[test]
fn polls_become_rare_while_turns_are_fast_and_frequent_once_they_are_slow() {
    let host = fast_host();
    assert_eq!(polls_in(&host, 611, 1e-7), 10);
    polls_in(&host, 61, 1e-2);
    assert_eq!(polls_in(&host, 100, 1e-2), 100);
}

#[test]
fn a_timer_that_is_set_bounds_the_time_without_a_poll() {
    let host = fast_host();
    assert_eq!(polls_in(&host, 10, 1e-3), 0);
    let host = fast_host();
    host.at(1e9, "far away");
    // The first turn reads the clock for the timer, too late for its own poll.
    assert_eq!(polls_in(&host, 1, 1e-3), 0);
    assert_eq!(polls_in(&host, 1, 1e-3), 1);
}

#[test]
fn the_turns_after_a_sleep_poll_and_then_polls_are_as_rare_as_before() {
    let host = fast_host();
    host.at(host.clock.get() + 10.0, "alarm");
    assert_eq!(turn(&host), Ok(()));
    assert!(matches!(host.polled()[..], [Wait::Until(_)]));
    assert_eq!(polls_in(&host, EAGER_TURNS, 1e-7), 8);
    assert_eq!(polls_in(&host, 60, 1e-7), 0);
    assert_eq!(polls_in(&host, 1, 1e-7), 1);
}

#[test]
fn without_descriptors_work_is_run_without_any_poll() {
    let host = ManualHost::default();
    host.without_io.set(true);
    for _ in 0..1000 {
        host.soon("job");
        assert_eq!(turn(&host), Ok(()));
    }
    assert_eq!(host.polled(), []);
    assert_eq!(turn(&host), Err(Interrupt::Idle));
    assert_eq!(host.polled(), [Wait::Forever]);
}

#[test]
fn the_clock_is_read_only_for_timers_and_polls() {
    let host = polled_host();
    host.soon("a");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!((host.polled().len(), host.clock_reads.get()), (0, 0));
    host.soon("b");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!((host.polled().len(), host.clock_reads.get()), (1, 1));
    host.soon("c");
    host.at(9.0, "timer");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!((host.polled().len(), host.clock_reads.get()), (0, 2));
}

#[test]
fn a_cancelled_job_is_passed_over() {
    let host = ManualHost::default();
    host.soon("a");
    let cancelled = host.soon("b");
    host.soon("c");
    cancelled.set(true);
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["a", "c"]);
}

#[test]
fn a_job_can_cancel_one_of_the_same_turn() {
    let host = ManualHost::default();
    let victim = Rc::new(std::cell::OnceCell::<manual_host::Cancellation>::new());
    let seen_by_job = Rc::clone(&victim);
    host.soon_do(move |host| {
        seen_by_job
            .get()
            .expect("it was set before the turn")
            .set(true);
        host.record("canceller")
    });
    victim.set(host.soon("victim")).expect("it is set once");
    host.soon("bystander");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["canceller", "bystander"]);
}

#[test]
fn cancelled_timers_in_front_do_not_shorten_the_wait() {
    let host = ManualHost::default();
    let first = host.at(1.0, "first");
    let second = host.at(2.0, "second");
    host.at(3.0, "third");
    host.cancel_timer(&first);
    host.cancel_timer(&second);
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.polled(), [Wait::Until(Instant::new(3.0))]);
    assert_eq!(host.ran(), ["third"]);
}

#[test]
fn many_cancelled_timers_are_dropped_although_none_is_in_front() {
    let host = ManualHost::default();
    host.at(1.0, "front");
    let others: Vec<_> = (0..200).map(|_| host.at(9.0, "other")).collect();
    others[..150]
        .iter()
        .for_each(|other| host.cancel_timer(other));
    host.soon("ready");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.queue.borrow().timers.len(), 51);
}

#[test]
fn cancelled_timers_that_become_due_are_no_longer_counted() {
    let host = ManualHost::default();
    for _ in 0..200 {
        host.at(0.0, "live");
        let cancelled = host.at(0.0, "cancelled");
        host.cancel_timer(&cancelled);
    }
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran().len(), 200);
    (0..150).for_each(|_| drop(host.at(9.0, "later")));
    assert!(!host.queue.borrow().timers.needs_compaction());
}

#[test]
fn due_timers_that_are_cancelled_before_they_run_are_no_longer_counted() {
    let host = ManualHost::default();
    let (canceller, _) = Job::new(|host: &ManualHost| {
        let others = host.others.take();
        for other in &others {
            host.cancel_timer(other);
        }
        host.record("canceller")
    });
    host.push_timer(-1.0, canceller);
    host.others
        .replace((0..150).map(|_| host.at(0.0, "cancelled")).collect());
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["canceller"]);
    (0..150).for_each(|_| drop(host.at(9.0, "later")));
    assert!(!host.queue.borrow().timers.needs_compaction());
}

#[test]
fn an_interrupt_leaves_the_other_jobs_in_place() {
    let host = ManualHost::default();
    host.soon("a");
    host.soon_do(|_| Err(Interrupt::Raised));
    host.soon("b");
    host.soon("c");
    assert_eq!(turn(&host), Err(Interrupt::Raised));
    assert_eq!(host.ran(), ["a"]);
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["b", "c"]);
}

#[test]
fn a_job_may_empty_the_queue() {
    let host = ManualHost::default();
    host.soon_do(|host| {
        let jobs = host.queue.borrow_mut().ready.take();
        drop(jobs);
        host.record("closer")
    });
    host.soon("never");
    assert_eq!(turn(&host), Ok(()));
    assert_eq!(host.ran(), ["closer"]);
}

/// However a job leaves the queue, dropping it may call back into the loop: here it makes another
/// job ready, which panics if the queue is still borrowed.
#[test]
fn jobs_are_dropped_while_the_queue_is_free() {
    #[derive(Clone, Copy, Debug)]
    enum Leaves {
        Run,
        CancelledReady,
        CancelledTimerInFront,
        CancelledTimerDue,
        CancelledTimersInBulk,
    }
    let check = |leaves: Leaves| {
        let host = Rc::new(ManualHost::default());
        let talkative = || {
            let (job, cancelled) = Job::new(|_| Ok(()));
            let loop_of_job = Rc::clone(&host);
            (
                job.when_dropped(move || drop(loop_of_job.soon("last words"))),
                cancelled,
            )
        };
        match leaves {
            Leaves::Run => host.queue.borrow_mut().ready.push(talkative().0),
            Leaves::CancelledReady => {
                let (job, cancelled) = talkative();
                cancelled.set(true);
                host.queue.borrow_mut().ready.push(job);
            }
            Leaves::CancelledTimerInFront => {
                let (job, cancelled) = talkative();
                host.push_timer(1.0, job);
                host.cancel_timer(&cancelled);
            }
            Leaves::CancelledTimerDue => {
                let (job, cancelled) = talkative();
                host.at(-1.0, "live");
                host.push_timer(0.0, job);
                host.cancel_timer(&cancelled);
            }
            Leaves::CancelledTimersInBulk => {
                host.at(0.0, "live");
                for _ in 0..101 {
                    let (job, cancelled) = talkative();
                    host.push_timer(1.0, job);
                    host.cancel_timer(&cancelled);
                }
            }
        }
        assert_eq!(turn(&*host), Ok(()), "{leaves:?}");
        // Had the loop decided to wait before the job was dropped, it would have slept on this.
        assert!(!host.polled().contains(&Wait::Forever), "{leaves:?}");
        while !host.queue.borrow().ready.is_empty() {
            assert_eq!(turn(&*host), Ok(()), "{leaves:?}");
        }
        assert!(host.ran().contains(&"last words"), "{leaves:?}");
    };
    check(Leaves::Run);
    check(Leaves::CancelledReady);
    check(Leaves::CancelledTimerInFront);
    check(Leaves::CancelledTimerDue);
    check(Leaves::CancelledTimersInBulk);
}
