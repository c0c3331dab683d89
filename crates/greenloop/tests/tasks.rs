//! Tasks: their order, their ends, and what is left of them.

mod trace;

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use greenloop::{JoinHandle, Runtime, gather, run, spawn, yield_now};
use trace::{OnDrop, Trace};

/// A task that notes its name and a number at each of its steps.
fn noting(trace: &Trace, name: &'static str, steps: usize) -> JoinHandle<()> {
    let trace = trace.clone();
    spawn(async move {
        for step in 0..steps {
            trace.note(format_args!("{name}{step}"));
            yield_now().await;
        }
    })
}

#[test]
fn tasks_run_in_turns_first_in_first_out() {
    let trace = Trace::default();
    run(async {
        let tasks = [noting(&trace, "a", 2), noting(&trace, "b", 3)];
        trace.note("main");
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(trace.take(), "main a0 b0 a1 b1 b2");
}

#[test]
fn what_a_task_spawns_runs_in_the_next_turn() {
    let trace = Trace::default();
    run(async {
        let inner = trace.clone();
        let parent = spawn(async move {
            inner.note("parent");
            noting(&inner, "child", 1).await.unwrap();
            inner.note("joined");
        });
        noting(&trace, "sibling", 2).await.unwrap();
        parent.await.unwrap();
    });
    assert_eq!(trace.take(), "parent sibling0 child0 sibling1 joined");
}

#[test]
fn awaiting_a_finished_task_does_not_wait() {
    run(async {
        let mut task = spawn(async { 1 });
        yield_now().await;
        let poll = poll_fn(|context| Poll::Ready(pin!(&mut task).poll(context).is_ready()));
        assert!(poll.await);
    });
}

#[test]
fn an_aborted_task_is_dropped_in_the_next_turn_and_says_so() {
    let trace = Trace::default();
    run(async {
        let dropped = OnDrop(trace.clone(), "dropped");
        let task = spawn(async move {
            let _dropped = dropped;
            pending::<()>().await;
        });
        yield_now().await;
        task.abort();
        task.abort();
        trace.note("aborted");
        assert!(!task.is_finished());
        yield_now().await;
        assert!(task.is_finished());
        assert!(task.await.unwrap_err().is_cancelled());
    });
    assert_eq!(trace.take(), "aborted dropped");
}

#[test]
fn a_task_that_was_aborted_before_its_first_step_never_runs() {
    let trace = Trace::default();
    run(async {
        let task = noting(&trace, "a", 1);
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    assert_eq!(trace.take(), "");
}

#[test]
fn a_task_can_abort_itself_and_goes_on_until_it_waits() {
    let trace = Trace::default();
    run(async {
        let itself: Rc<Cell<Option<JoinHandle<()>>>> = Rc::default();
        let (handle, inner) = (itself.clone(), trace.clone());
        let task = spawn(async move {
            let handle = handle.take().unwrap();
            handle.abort();
            inner.note("aborted");
            // Nobody awaits it any more, and it holds its own handle.
            yield_now().await;
            inner.note("never");
        });
        itself.set(Some(task));
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(trace.take(), "aborted");
}

#[test]
fn a_task_that_finishes_before_an_abort_has_its_effect_keeps_its_output() {
    run(async {
        let task = spawn(async { 5 });
        yield_now().await;
        task.abort();
        yield_now().await;
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn dropping_a_handle_detaches_the_task() {
    let trace = Trace::default();
    run(async {
        drop(noting(&trace, "a", 2));
        yield_now().await;
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(trace.take(), "a0 a1");
}

#[test]
fn a_panic_ends_its_task_alone() {
    run(async {
        let task: JoinHandle<()> = spawn(async { panic!("number 5") });
        let error = task.await.unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.to_string(), "the task panicked: number 5");
        let resumed = catch_unwind(AssertUnwindSafe(|| error.resume_panic()));
        assert_eq!(
            resumed.unwrap_err().downcast_ref::<&str>(),
            Some(&"number 5")
        );
    });
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_destructor_that_panics_ends_its_task_alone() {
    run(async {
        // When the future has finished, when it is aborted, and as an output that nobody takes.
        let bomb = PanicsWhenDropped;
        let finishes = spawn(async move {
            let _bomb = &bomb;
            1
        });
        assert!(finishes.await.unwrap_err().is_panic());
        let bomb = PanicsWhenDropped;
        let aborted = spawn(async move {
            let _bomb = &bomb;
            pending::<()>().await;
        });
        yield_now().await;
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_panic());
        drop(spawn(async { PanicsWhenDropped }));
        yield_now().await;
        assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
    });
}

#[test]
fn a_panic_of_the_future_leaves_run_and_a_usable_runtime() {
    let runtime = Runtime::new().unwrap();
    let trace = Trace::default();
    let inner = trace.clone();
    drop(runtime.spawn(async move {
        inner.note("first");
        yield_now().await;
        inner.note("second");
    }));
    let panicking = || runtime.run(async { panic!("no") });
    catch_unwind(AssertUnwindSafe(panicking)).unwrap_err();
    trace.note("again");
    runtime.run(async {
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(trace.take(), "first again second");
}

#[test]
fn a_loop_inside_of_a_loop_is_refused() {
    run(async {
        let refused = catch_unwind(|| run(async {}));
        assert!(refused.is_err());
        yield_now().await;
    });
    // And the thread has no loop any more.
    assert!(catch_unwind(|| drop(spawn(async {}))).is_err());
}

#[test]
fn what_is_left_is_dropped_in_the_order_of_spawning() {
    let trace = Trace::default();
    run(async {
        for name in ["a", "b", "c"] {
            let dropped = OnDrop(trace.clone(), name);
            drop(spawn(async move {
                let _dropped = dropped;
                pending::<()>().await;
            }));
        }
        // Its place is free again, for a task that is younger than the others.
        spawn(async {}).await.unwrap();
        let dropped = OnDrop(trace.clone(), "d");
        drop(spawn(async move { drop(dropped) }));
    });
    assert_eq!(trace.take(), "d a b c");
}

#[test]
fn a_task_spawned_while_the_loop_ends_is_cancelled() {
    struct SpawnsWhenDropped(Rc<Cell<Option<JoinHandle<()>>>>);
    impl Drop for SpawnsWhenDropped {
        fn drop(&mut self) {
            self.0.set(Some(spawn(async {})));
        }
    }
    let late: Rc<Cell<Option<JoinHandle<()>>>> = Rc::default();
    let spawns = SpawnsWhenDropped(late.clone());
    run(async move {
        drop(spawn(async move {
            let _spawns = spawns;
            pending::<()>().await;
        }));
    });
    let late = late.take().unwrap();
    assert!(late.is_finished());
    let outcome = futures::executor::block_on(late);
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn a_handle_outlives_its_loop() {
    let (finished, unfinished) = run(async {
        let tasks = (spawn(async { 1 }), spawn(pending::<()>()));
        yield_now().await;
        tasks
    });
    assert_eq!(futures::executor::block_on(finished).unwrap(), 1);
    let outcome = futures::executor::block_on(unfinished);
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn tasks_and_their_outputs_leave_nothing_behind() {
    let witness = Rc::new(());
    let runtime = Runtime::new().unwrap();
    for round in 0..3 {
        let task_witness = witness.clone();
        runtime.run(async move {
            let tasks: Vec<_> = (0..100)
                .map(|number| {
                    let witness = task_witness.clone();
                    spawn(async move {
                        if number % 2 == 0 {
                            yield_now().await;
                        }
                        witness
                    })
                })
                .collect();
            for (number, task) in tasks.into_iter().enumerate() {
                match number % 3 {
                    0 => drop(task.await),
                    1 => drop(task),
                    _ => task.abort(),
                }
            }
            yield_now().await;
            yield_now().await;
        });
        assert_eq!(Rc::strong_count(&witness), 1, "round {round}");
        assert_eq!(runtime.unfinished_tasks(), 0);
    }
}

#[test]
fn a_waker_that_outlives_its_task_wakes_nobody() {
    run(async {
        let kept = Rc::new(Cell::new(None));
        let keeps = kept.clone();
        spawn(poll_fn(move |context| {
            keeps.set(Some(context.waker().clone()));
            Poll::Ready(())
        }))
        .await
        .unwrap();
        // The next task must not be woken in its place.
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let task = spawn(poll_fn(move |_| {
            counted.set(counted.get() + 1);
            Poll::<()>::Pending
        }));
        yield_now().await;
        kept.take().unwrap().wake();
        yield_now().await;
        assert_eq!(polls.get(), 1);
        task.abort();
    });
}

#[test]
fn gathered_tasks_run_at_once_and_give_their_outputs_in_order() {
    let trace = Trace::default();
    run(async {
        let tasks = [3, 1, 2].map(|steps| {
            let trace = trace.clone();
            async move {
                for _ in 0..steps {
                    yield_now().await;
                }
                trace.note(steps);
                steps
            }
        });
        assert_eq!(gather(tasks).await, [3, 1, 2]);
    });
    assert_eq!(trace.take(), "1 2 3");
    run(async { assert_eq!(gather(Vec::<std::future::Ready<()>>::new()).await, []) });
}

#[test]
fn dropping_a_gathering_aborts_its_tasks() {
    let trace = Trace::default();
    run(async {
        let names = ["a", "b"].map(|name| {
            let dropped = OnDrop(trace.clone(), name);
            async move {
                let _dropped = dropped;
                pending::<()>().await;
            }
        });
        let gathering = gather(names);
        yield_now().await;
        drop(gathering);
        trace.note("dropped");
        yield_now().await;
    });
    assert_eq!(trace.take(), "dropped a b");
}

#[test]
fn a_panic_of_a_gathered_task_is_the_gatherers() {
    let gathering = || {
        run(async {
            gather([false, true].map(|panics| async move { assert!(!panics, "no") })).await;
        });
    };
    assert!(catch_unwind(gathering).is_err());
}

#[test]
fn what_is_gathered_in_place_may_borrow() {
    let trace = Trace::default();
    run(async {
        let outputs = greenloop::gather!(
            async {
                trace.note("a0");
                yield_now().await;
                trace.note("a1");
                1
            },
            async {
                trace.note("b0");
                "b"
            },
            async { yield_now().await },
        );
        assert_eq!(outputs.await, (1, "b", ()));
    });
    assert_eq!(trace.take(), "a0 b0 a1");
}

#[test]
fn futures_of_other_libraries_wake_their_tasks() {
    use futures::StreamExt as _;
    use futures::stream::FuturesUnordered;
    run(async {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let task = spawn(receiver);
        yield_now().await;
        sender.send(5).unwrap();
        assert_eq!(task.await.unwrap(), Ok(5));
        // Its futures are polled with wakers of its own, not with the task's.
        let event = greenloop::sync::Event::new();
        let mut several: FuturesUnordered<_> = (0..3).map(|_| event.wait()).collect();
        let (count, ()) = greenloop::gather!(
            async {
                let mut count = 0;
                while several.next().await.is_some() {
                    count += 1;
                }
                count
            },
            async {
                yield_now().await;
                event.set();
            }
        )
        .await;
        assert_eq!(count, 3);
    });
}
