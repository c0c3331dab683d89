//! Sleeping and timeouts, on a clock that moves by itself when everybody waits.

mod trace;

use std::future::{Future as _, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use greenloop::{Elapsed, Runtime, now, sleep, sleep_until, spawn, timeout, yield_now};
use trace::Trace;

const SECOND: Duration = Duration::from_secs(1);

fn virtual_time() -> Runtime {
    Runtime::builder().virtual_clock().build().unwrap()
}

#[test]
fn sleepers_wake_by_deadline_and_then_by_age() {
    let trace = Trace::default();
    virtual_time().run(async {
        let tasks = [(3, "d"), (1, "a"), (2, "b"), (2, "c")].map(|(seconds, name)| {
            let trace = trace.clone();
            spawn(async move {
                sleep(SECOND * seconds).await;
                trace.note(name);
                assert_eq!(now(), greenloop::Instant::new(seconds.into()));
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(trace.take(), "a b c d");
}

#[test]
fn a_virtual_year_takes_no_time() {
    let start = Instant::now();
    virtual_time().run(sleep(SECOND * 3600 * 24 * 365));
    assert!(start.elapsed() < 10 * SECOND);
}

#[test]
fn the_clock_stands_still_while_anybody_runs() {
    virtual_time().run(async {
        let sleeper = spawn(sleep(Duration::from_nanos(1)));
        for _ in 0..1000 {
            yield_now().await;
        }
        assert_eq!(now(), greenloop::Instant::new(0.0));
        sleeper.await.unwrap();
        assert!(now() > greenloop::Instant::new(0.0));
    });
}

#[test]
fn a_sleep_is_never_too_short() {
    greenloop::run(async {
        for nanoseconds in [1, 999, 30_000, 1_000_001] {
            let delay = Duration::from_nanos(nanoseconds);
            let start = Instant::now();
            sleep(delay).await;
            assert!(start.elapsed() >= delay);
        }
    });
}

#[test]
fn a_delay_begins_when_it_is_awaited() {
    virtual_time().run(async {
        let second = sleep(SECOND);
        sleep(SECOND).await;
        second.await;
        assert_eq!(now(), greenloop::Instant::new(2.0));
    });
}

#[test]
fn a_deadline_that_has_passed_is_over_soon() {
    virtual_time().run(async {
        sleep(SECOND).await;
        sleep_until(greenloop::Instant::new(0.5)).await;
        sleep_until(greenloop::Instant::new(f64::NAN)).await;
        assert_eq!(now(), greenloop::Instant::new(1.0));
    });
}

#[test]
fn a_delay_of_zero_lets_the_others_run_once() {
    let trace = Trace::default();
    virtual_time().run(async {
        let other = trace.clone();
        drop(spawn(async move { other.note("other") }));
        sleep(Duration::ZERO).await;
        trace.note("main");
    });
    assert_eq!(trace.take(), "other main");
}

#[test]
fn a_timeout_gives_what_came_in_time() {
    virtual_time().run(async {
        let in_time = timeout(SECOND, async {
            sleep(SECOND / 2).await;
            5
        });
        assert_eq!(in_time.await, Ok(5));
        assert_eq!(timeout(SECOND, pending::<()>()).await, Err(Elapsed));
        assert_eq!(now(), greenloop::Instant::new(1.5));
    });
}

#[test]
fn a_future_that_is_ready_at_its_deadline_is_in_time() {
    virtual_time().run(async {
        assert_eq!(timeout(SECOND, sleep(SECOND)).await, Ok(()));
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
    });
}

#[test]
fn a_sleep_that_is_given_up_holds_nothing_up() {
    let runtime = virtual_time();
    runtime.run(async {
        for _ in 0..10_000 {
            assert_eq!(timeout(SECOND * 1000, yield_now()).await, Ok(()));
        }
        sleep(SECOND).await;
        assert_eq!(now(), greenloop::Instant::new(1.0));
    });
}

#[test]
fn sleeps_that_one_turn_gives_up_do_not_pile_up() {
    /// Wakes nobody; its references tell who is still to be woken.
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    virtual_time().run(async {
        let nobody = Arc::new(Nobody);
        let waker = Waker::from(Arc::clone(&nobody));
        let mut most = 0;
        for _ in 0..10_000 {
            let mut given_up = pin!(sleep(SECOND));
            let polled = given_up.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            most = most.max(Arc::strong_count(&nobody));
        }
        // asyncio's measure, which it takes between turns only: no more than a hundred, or half of
        // them.
        assert!(most < 250, "{most}");
    });
}

#[test]
fn a_sleep_that_is_handed_to_another_task_wakes_that_one() {
    virtual_time().run(async {
        let mut moved = Box::pin(sleep(SECOND));
        let polled = poll_fn(|context| Poll::Ready(moved.as_mut().poll(context).is_pending()));
        assert!(polled.await);
        spawn(moved).await.unwrap();
        assert_eq!(now(), greenloop::Instant::new(1.0));
    });
}

#[test]
fn sleeps_work_inside_of_other_combinators() {
    use futures::FutureExt as _;
    virtual_time().run(async {
        let (mut long, mut short) = (pin!(sleep(2 * SECOND).fuse()), pin!(sleep(SECOND).fuse()));
        futures::select! {
            () = long => unreachable!("the other one is shorter"),
            () = short => {}
        }
        let sleeps = (1..=3).map(|seconds| sleep(SECOND * seconds));
        futures::future::join_all(sleeps).await;
        assert_eq!(now(), greenloop::Instant::new(4.0));
    });
}

#[test]
fn the_clock_stands_still_while_another_thread_works() {
    virtual_time().run(async {
        let work = greenloop::spawn_blocking(|| std::thread::sleep(Duration::from_millis(2)));
        let sleeper = spawn(sleep(SECOND));
        work.await.unwrap();
        assert_eq!(now(), greenloop::Instant::new(0.0));
        sleeper.await.unwrap();
    });
}

#[test]
fn a_seed_gives_an_order_again_and_no_job_is_lost() {
    let order_of = |seed| {
        let runtime = Runtime::builder()
            .virtual_clock()
            .seed(seed)
            .build()
            .unwrap();
        let trace = Trace::default();
        for number in 0..20_u32 {
            let trace = trace.clone();
            drop(runtime.spawn(async move {
                sleep(SECOND * (number % 3)).await;
                trace.note(number);
            }));
        }
        runtime.run(sleep(SECOND * 10));
        trace.take()
    };
    let orders: Vec<String> = (0..10).map(order_of).collect();
    assert_eq!(orders, (0..10).map(order_of).collect::<Vec<_>>());
    let mut different = orders.clone();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() > 5, "{different:?}");
    for order in orders {
        let mut numbers: Vec<u32> = order.split(' ').map(|n| n.parse().unwrap()).collect();
        // A second has to pass between them, whatever the seed.
        assert!(numbers.is_sorted_by_key(|number| number % 3));
        numbers.sort_unstable();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    }
}
