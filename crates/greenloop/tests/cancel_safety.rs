//! Dropping a future at any point loses nothing, and wakes who is next.
//!
//! Every wait is dropped at each of the three points there are: before it was polled, while it
//! waits, and after it was woken but before it has run.

mod trace;

use std::future::Future;
use std::rc::Rc;

use greenloop::queue::{Queue, ShutDown};
use greenloop::sync::{Barrier, Condition, Event, Lock, Semaphore};
use greenloop::{JoinHandle, run, spawn, yield_now};
use trace::Trace;

/// When a wait is dropped.
#[derive(Clone, Copy, PartialEq, Debug)]
enum When {
    NotPolled,
    Waiting,
    Woken,
}

const ALWAYS: [When; 3] = [When::NotPolled, When::Waiting, When::Woken];

/// A task that notes its name when `future` is ready.
fn noting<T: 'static>(
    trace: &Trace,
    name: &'static str,
    future: impl Future<Output = T> + 'static,
) -> JoinHandle<T> {
    let trace = trace.clone();
    spawn(async move {
        let output = future.await;
        trace.note(name);
        output
    })
}

/// Has `first` and then `second` wait, calls `wake` for one of them, and drops the first. Then the
/// second must get what the first one does not need any more.
async fn second_gets_it<A: 'static, B: 'static>(
    when: When,
    first: impl Future<Output = A> + 'static,
    second: impl Future<Output = B> + 'static,
    wake: impl FnOnce(),
) {
    let trace = Trace::default();
    let first = noting(&trace, "first", first);
    if when == When::NotPolled {
        first.abort();
    }
    let second = noting(&trace, "second", second);
    yield_now().await;
    if when == When::Waiting {
        first.abort();
        yield_now().await;
    }
    wake();
    if when == When::Woken {
        // The abort comes after the wake-up, in the same turn.
        first.abort();
    }
    for _ in 0..3 {
        yield_now().await;
    }
    assert_eq!(trace.take(), "second", "{when:?}");
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    second.await.unwrap();
}

#[test]
fn a_lock_goes_to_the_next() {
    for when in ALWAYS {
        let lock = Rc::new(Lock::new(()));
        run(async {
            let acquire = || {
                let lock = lock.clone();
                async move { drop(lock.acquire().await) }
            };
            let guard = lock.try_acquire().unwrap();
            second_gets_it(when, acquire(), acquire(), || drop(guard)).await;
        });
        assert!(!lock.is_locked());
    }
}

#[test]
fn a_permit_goes_to_the_next() {
    for when in ALWAYS {
        let semaphore = Rc::new(Semaphore::new(0));
        run(async {
            let acquire = || {
                let semaphore = semaphore.clone();
                async move { semaphore.acquire().await.forget() }
            };
            second_gets_it(when, acquire(), acquire(), || semaphore.release()).await;
        });
        assert_eq!(semaphore.value(), 0, "{when:?}");
        semaphore.release();
        assert_eq!(semaphore.value(), 1, "{when:?}");
    }
}

#[test]
fn an_item_goes_to_the_next() {
    for when in ALWAYS {
        let queue = Rc::new(Queue::unbounded());
        run(async {
            let get = || {
                let queue = queue.clone();
                async move { assert_eq!(queue.get().await, Ok("item")) }
            };
            second_gets_it(when, get(), get(), || queue.put_nowait("item").unwrap()).await;
        });
        assert!(queue.is_empty());
    }
}

#[test]
fn an_item_goes_to_the_next_that_streams() {
    use futures::StreamExt as _;
    for when in ALWAYS {
        let queue = Rc::new(Queue::unbounded());
        run(async {
            let next = || {
                let queue = queue.clone();
                async move { assert_eq!(queue.stream().next().await, Some("item")) }
            };
            second_gets_it(when, next(), next(), || queue.put_nowait("item").unwrap()).await;
        });
    }
}

#[test]
fn room_goes_to_the_next() {
    for when in ALWAYS {
        let queue = Rc::new(Queue::bounded(1));
        queue.put_nowait("there").unwrap();
        run(async {
            let put = |item| {
                let queue = queue.clone();
                async move { assert_eq!(queue.put(item).await, Ok(())) }
            };
            second_gets_it(when, put("first"), put("second"), || {
                assert_eq!(queue.get_nowait(), Ok("there"));
            })
            .await;
        });
        assert_eq!(queue.get_nowait(), Ok("second"));
        assert!(queue.is_empty());
    }
}

#[test]
fn a_notification_goes_to_the_next() {
    for when in ALWAYS {
        let (lock, condition) = (Rc::new(Lock::new(())), Rc::new(Condition::new()));
        run(async {
            let wait = || {
                let (lock, condition) = (lock.clone(), condition.clone());
                async move {
                    let guard = lock.acquire().await;
                    drop(condition.wait(guard).await);
                }
            };
            second_gets_it(when, wait(), wait(), || condition.notify_one()).await;
        });
        assert!(!lock.is_locked());
    }
}

#[test]
fn a_notification_passes_on_from_a_waiter_that_waits_for_the_lock_again() {
    run(async {
        let (lock, condition) = (Rc::new(Lock::new(())), Rc::new(Condition::new()));
        let trace = Trace::default();
        let wait = |name| {
            let (lock, condition) = (lock.clone(), condition.clone());
            noting(&trace, name, async move {
                let guard = lock.acquire().await;
                drop(condition.wait(guard).await);
            })
        };
        let (first, second) = (wait("first"), wait("second"));
        yield_now().await;
        let guard = lock.try_acquire().unwrap();
        condition.notify_one();
        // Woken, but the lock is taken: the first one stands in the lock's line now.
        yield_now().await;
        first.abort();
        yield_now().await;
        drop(guard);
        second.await.unwrap();
        assert_eq!(trace.take(), "second");
        assert!(!lock.is_locked());
    });
}

#[test]
fn a_dropped_wait_for_an_event_or_a_join_leaves_the_others_alone() {
    for when in ALWAYS {
        run(async {
            let event = Rc::new(Event::new());
            let wait = || {
                let event = event.clone();
                async move { event.wait().await }
            };
            second_gets_it(when, wait(), wait(), || event.set()).await;

            let queue = Rc::new(Queue::unbounded());
            queue.put_nowait(()).unwrap();
            let join = || {
                let queue = queue.clone();
                async move { queue.join().await }
            };
            second_gets_it(when, join(), join(), || queue.task_done().unwrap()).await;
        });
    }
}

#[test]
fn a_party_that_leaves_a_barrier_is_not_counted() {
    run(async {
        let barrier = Rc::new(Barrier::new(2));
        let wait = || {
            let barrier = barrier.clone();
            spawn(async move { barrier.wait().await })
        };
        let gone = wait();
        yield_now().await;
        assert_eq!(barrier.waiting(), 1);
        gone.abort();
        yield_now().await;
        assert_eq!(barrier.waiting(), 0);
        let (one, other) = (wait(), wait());
        assert_eq!(one.await.unwrap(), Ok(0));
        assert_eq!(other.await.unwrap(), Ok(1));
    });
}

#[test]
fn a_party_that_leaves_a_full_barrier_lets_the_next_round_in() {
    run(async {
        let barrier = Rc::new(Barrier::new(2));
        let wait = || {
            let barrier = barrier.clone();
            spawn(async move { barrier.wait().await })
        };
        let first = wait();
        yield_now().await;
        let last = wait();
        let outside = [wait(), wait()];
        yield_now().await;
        // All were there; the first one is woken, and given up before it has run.
        first.abort();
        assert_eq!(last.await.unwrap(), Ok(1));
        for (index, task) in outside.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Ok(index));
        }
    });
}

#[test]
fn what_is_never_awaited_does_nothing() {
    let queue = Queue::bounded(1);
    drop(queue.put("never"));
    assert!(queue.is_empty());
    queue.put_nowait("item").unwrap();
    drop(queue.get());
    assert_eq!(queue.len(), 1);
    let lock = Lock::new(());
    drop(lock.acquire());
    assert!(!lock.is_locked());
    let semaphore = Semaphore::new(1);
    drop(semaphore.acquire());
    assert_eq!(semaphore.value(), 1);
    let barrier = Barrier::new(1);
    drop(barrier.wait());
    assert_eq!(run(barrier.wait()), Ok(0));
}

#[test]
fn the_item_of_a_put_that_was_refused_comes_back() {
    run(async {
        let queue = Rc::new(Queue::bounded(1));
        queue.put_nowait(1).unwrap();
        let waiting = queue.clone();
        let task = spawn(async move { waiting.put(2).await });
        yield_now().await;
        queue.shutdown();
        assert_eq!(task.await.unwrap(), Err(ShutDown(2)));
        assert_eq!(queue.put(3).await, Err(ShutDown(3)));
        assert_eq!(queue.get().await, Ok(1));
        assert_eq!(queue.get().await, Err(ShutDown(())));
    });
}
