//! Task groups: what ends them, and that they leave no task behind.

mod trace;

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use greenloop::{TaskGroup, run, spawn, task_group, timeout, yield_now};
use trace::{OnDrop, Trace};

/// A task that waits for ever and notes when it is dropped.
fn spawn_waiting(group: &TaskGroup<&'static str>, trace: &Trace, name: &'static str) {
    let dropped = OnDrop(trace.clone(), name);
    group.spawn(async move {
        let _dropped = dropped;
        pending::<()>().await;
        Ok(())
    });
}

#[test]
fn a_group_is_over_when_all_its_tasks_are() {
    let trace = Trace::default();
    let output = run(task_group(async |group| {
        for steps in [2, 1] {
            let trace = trace.clone();
            group.spawn(async move {
                for _ in 0..steps {
                    yield_now().await;
                }
                trace.note(steps);
                Ok::<_, &str>(())
            });
        }
        trace.note("body");
        Ok("output")
    }));
    trace.note("over");
    assert_eq!(output, Ok("output"));
    assert_eq!(trace.take(), "body 1 2 over");
}

#[test]
fn tasks_may_spawn_into_their_group() {
    let trace = Trace::default();
    let output = run(task_group(async |group| {
        let (inner, trace) = (group.clone(), trace.clone());
        group.spawn(async move {
            yield_now().await;
            inner.spawn(async move {
                yield_now().await;
                trace.note("grandchild");
                Ok(())
            });
            Ok::<_, &str>(())
        });
        Ok(())
    }));
    assert_eq!(output, Ok(()));
    assert_eq!(trace.take(), "grandchild");
}

#[test]
fn an_error_of_a_task_ends_the_others_and_the_body() {
    let trace = Trace::default();
    let output = run(task_group(async |group| {
        spawn_waiting(&group, &trace, "sibling");
        let failing = group.spawn(async {
            yield_now().await;
            Err::<(), _>("error")
        });
        let _body = OnDrop(trace.clone(), "body");
        let outcome = failing.await;
        trace.note(outcome.unwrap_err().is_cancelled());
        pending::<()>().await;
        Ok(())
    }));
    assert_eq!(output, Err("error"));
    assert_eq!(
        trace.take(),
        "sibling body",
        "in the order in which they are woken"
    );
}

#[test]
fn an_error_of_the_body_ends_the_tasks() {
    let trace = Trace::default();
    let output: Result<(), _> = run(task_group(async |group| {
        spawn_waiting(&group, &trace, "a");
        spawn_waiting(&group, &trace, "b");
        yield_now().await;
        Err("error")
    }));
    assert_eq!(output, Err("error"));
    assert_eq!(trace.take(), "a b");
}

#[test]
fn the_first_error_is_the_only_one() {
    let output: Result<(), _> = run(task_group(async |group| {
        for error in ["first", "second"] {
            group.spawn(async move { Err::<(), _>(error) });
        }
        Ok(())
    }));
    assert_eq!(output, Err("first"));
}

#[test]
fn a_panic_of_a_task_is_the_groups_after_the_others_have_ended() {
    let trace = Trace::default();
    let panicking = || {
        run(async {
            let _output: Result<(), &str> = task_group(async |group| {
                spawn_waiting(&group, &trace, "sibling");
                group.spawn(async { panic!("no") as Result<(), _> });
                Ok(())
            })
            .await;
        });
    };
    assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
    assert_eq!(trace.take(), "sibling");
}

#[test]
fn giving_a_group_up_aborts_its_tasks() {
    let trace = Trace::default();
    run(async {
        let group = task_group(async |group| {
            spawn_waiting(&group, &trace, "a");
            pending::<Result<(), _>>().await
        });
        assert!(timeout(Duration::ZERO, group).await.is_err());
        yield_now().await;
        assert_eq!(trace.take(), "a");
    });
}

#[test]
fn what_is_spawned_into_a_group_that_is_over_is_cancelled() {
    run(async {
        let group = task_group(async |group| Ok::<_, &str>(group))
            .await
            .unwrap();
        let task = group.spawn(async { Ok(()) });
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(group.unfinished_tasks(), 0);
        // Tasks beside the group are none of its.
        assert!(spawn(async {}).await.is_ok());
    });
}
