//! The waiters that each primitive wakes: which, in which order, and in which turn.

mod trace;

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use greenloop::queue::{GetError, LifoQueue, PriorityQueue, PutError, Queue};
use greenloop::sync::{Barrier, BarrierBroken, Condition, Event, Lock, Semaphore};
use greenloop::{JoinHandle, gather, run, spawn, yield_now};
use trace::Trace;

fn noting<F>(trace: &Trace, name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let trace = trace.clone();
    spawn(async move {
        let output = future.await;
        trace.note(name);
        output
    })
}

#[test]
fn a_lock_is_handed_on_in_the_order_of_asking() {
    let lock = Rc::new(Lock::new(Vec::new()));
    run(async {
        let tasks = (0..5).map(|number| {
            let lock = lock.clone();
            async move {
                for _ in 0..2 {
                    let mut order = lock.acquire().await;
                    yield_now().await;
                    order.push(number);
                }
            }
        });
        gather(tasks).await;
    });
    assert_eq!(*lock.try_acquire().unwrap(), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
}

#[test]
fn no_task_overtakes_the_one_that_was_woken_for_a_lock() {
    run(async {
        let lock = Rc::new(Lock::new(()));
        let guard = lock.acquire().await;
        let waiting = lock.clone();
        let task = spawn(async move { drop(waiting.acquire().await) });
        yield_now().await;
        drop(guard);
        assert!(!lock.is_locked());
        assert!(lock.try_acquire().is_none(), "it is on its way to the task");
        task.await.unwrap();
        assert!(lock.try_acquire().is_some());
    });
}

#[test]
fn a_semaphore_lets_as_many_in_as_it_has_permits() {
    run(async {
        let semaphore = Rc::new(Semaphore::new(2));
        let trace = Trace::default();
        let tasks: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                let semaphore = semaphore.clone();
                noting(
                    &trace,
                    name,
                    async move { semaphore.acquire().await.forget() },
                )
            })
            .collect();
        yield_now().await;
        assert_eq!(trace.take(), "a b");
        semaphore.release();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(trace.take(), "c");
    });
}

#[test]
fn an_event_wakes_all_even_if_it_is_cleared_at_once() {
    run(async {
        let event = Rc::new(Event::new());
        let trace = Trace::default();
        let tasks = ["a", "b"].map(|name| {
            let event = event.clone();
            noting(&trace, name, async move { event.wait().await })
        });
        yield_now().await;
        event.set();
        event.clear();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(trace.take(), "a b");
    });
}

#[test]
fn a_condition_wakes_as_many_as_it_is_told_to() {
    run(async {
        let (lock, condition) = (Rc::new(Lock::new(0)), Rc::new(Condition::new()));
        let trace = Trace::default();
        let tasks = ["a", "b", "c"].map(|name| {
            let (lock, condition) = (lock.clone(), condition.clone());
            noting(&trace, name, async move {
                let guard = lock.acquire().await;
                let mut guard = condition.wait(guard).await;
                *guard += 1;
            })
        });
        yield_now().await;
        let guard = lock.acquire().await;
        condition.notify(2);
        yield_now().await;
        assert_eq!(trace.take(), "", "the lock is held");
        drop(guard);
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(trace.take(), "a b");
        condition.notify_all();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((trace.take().as_str(), *lock.acquire().await), ("c", 3));
    });
}

#[test]
fn a_barrier_is_used_again_and_again() {
    run(async {
        let barrier = Rc::new(Barrier::new(3));
        let trace = Trace::default();
        let tasks = (0..3).map(|_| {
            let (barrier, trace) = (barrier.clone(), trace.clone());
            async move {
                for round in 0..3 {
                    trace.note(round);
                    barrier.wait().await.unwrap();
                }
            }
        });
        gather(tasks).await;
        assert_eq!(trace.take(), "0 0 0 1 1 1 2 2 2");
    });
}

#[test]
fn a_broken_barrier_sends_everybody_away() {
    run(async {
        let barrier = Rc::new(Barrier::new(2));
        let wait = || {
            let barrier = barrier.clone();
            spawn(async move { barrier.wait().await })
        };
        let reset = wait();
        yield_now().await;
        barrier.reset();
        assert_eq!(reset.await.unwrap(), Err(BarrierBroken));
        assert!(!barrier.is_broken());
        let aborted = wait();
        yield_now().await;
        barrier.abort();
        assert_eq!(aborted.await.unwrap(), Err(BarrierBroken));
        assert_eq!(wait().await.unwrap(), Err(BarrierBroken));
        assert!(barrier.is_broken());
        barrier.reset();
        let (one, other) = (wait(), wait());
        assert_eq!((one.await.unwrap(), other.await.unwrap()), (Ok(0), Ok(1)));
    });
}

#[test]
fn getters_and_putters_take_turns_at_a_queue_of_one() {
    let trace = Trace::default();
    run(async {
        let queue = Queue::bounded(1);
        greenloop::gather!(
            async {
                for number in 0..4 {
                    queue.put(number).await.unwrap();
                    trace.note(format_args!("put{number}"));
                }
            },
            async {
                for number in 0..4 {
                    assert_eq!(queue.get().await, Ok(number));
                    trace.note(format_args!("got{number}"));
                }
            }
        )
        .await;
    });
    assert_eq!(trace.take(), "put0 got0 put1 got1 put2 got2 put3 got3");
}

#[test]
fn queues_have_their_order() {
    let priority = PriorityQueue::unbounded();
    let last_first = LifoQueue::unbounded();
    for item in [(2, 'a'), (1, 'b'), (2, 'c')] {
        priority.put_nowait(std::cmp::Reverse(item.0)).unwrap();
        last_first.put_nowait(item.1).unwrap();
    }
    let priorities = std::iter::from_fn(|| priority.get_nowait().ok());
    assert_eq!(priorities.map(|item| item.0).collect::<Vec<_>>(), [2, 2, 1]);
    let last = std::iter::from_fn(|| last_first.get_nowait().ok());
    assert_eq!(last.collect::<String>(), "cba");
}

#[test]
fn items_of_the_same_priority_come_in_the_order_they_went() {
    /// Of the same priority as all others.
    #[derive(PartialEq, Eq, Debug)]
    struct Equal(u32);
    impl Ord for Equal {
        fn cmp(&self, _: &Self) -> std::cmp::Ordering {
            std::cmp::Ordering::Equal
        }
    }
    impl PartialOrd for Equal {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    let queue = PriorityQueue::unbounded();
    (0..10).for_each(|number| queue.put_nowait(Equal(number)).unwrap());
    (0..10).for_each(|number| assert_eq!(queue.get_nowait().unwrap().0, number));
}

#[test]
fn a_queue_says_why_it_refuses() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.get_nowait(), Err(GetError::Empty));
    queue.put_nowait(1).unwrap();
    assert_eq!(queue.put_nowait(2), Err(PutError::Full(2)));
    queue.shutdown();
    assert_eq!(queue.put_nowait(3), Err(PutError::ShutDown(3)));
    assert_eq!(queue.get_nowait(), Ok(1));
    assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
}

#[test]
fn joining_waits_for_what_is_reported_and_shutting_down_counts_as_that() {
    run(async {
        let queue = Rc::new(Queue::unbounded());
        queue.join().await;
        (0..3).for_each(|number| queue.put_nowait(number).unwrap());
        let joining = queue.clone();
        let joined = spawn(async move { joining.join().await });
        queue.get().await.unwrap();
        queue.task_done().unwrap();
        yield_now().await;
        assert!(!joined.is_finished());
        queue.get().await.unwrap();
        queue.shutdown_now();
        yield_now().await;
        assert!(!joined.is_finished(), "one that was taken is not done");
        queue.task_done().unwrap();
        joined.await.unwrap();
    });
}

#[test]
fn a_stream_ends_with_its_queue() {
    use futures::StreamExt as _;
    run(async {
        let queue = Rc::new(Queue::bounded(1));
        let putting = queue.clone();
        let task = spawn(async move {
            for number in 0..5 {
                putting.put(number).await.unwrap();
            }
            putting.shutdown();
        });
        let mut stream = queue.stream();
        let mut numbers = Vec::new();
        while let Some(number) = stream.next().await {
            numbers.push(number);
        }
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!(stream.next().await, None);
        task.await.unwrap();
    });
}

#[test]
fn primitives_work_on_other_executors() {
    let (queue, lock) = (Queue::bounded(1), Lock::new(0));
    futures::executor::block_on(async {
        let put = pin!(async {
            for number in 1..=3 {
                queue.put(number).await.unwrap();
            }
            queue.shutdown();
        });
        let add = pin!(async {
            while let Ok(number) = queue.get().await {
                *lock.acquire().await += number;
            }
        });
        futures::join!(put, add);
    });
    assert_eq!(lock.into_inner(), 6);
}

#[test]
fn a_wait_may_be_polled_by_another_task_than_began_it() {
    run(async {
        let event = Rc::new(Event::new());
        let held = event.clone();
        let mut wait = Box::pin(async move { held.wait().await });
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(wait.as_mut().poll(context).is_pending())
        });
        assert!(polled.await);
        let task = spawn(wait);
        yield_now().await;
        event.set();
        task.await.unwrap();
    });
}
