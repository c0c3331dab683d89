//! Other threads: what they wake, call and compute.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

use greenloop::sync::Event;
use greenloop::{Closed, LoopHandle, Runtime, run, spawn, spawn_blocking, yield_now};

thread_local! {
    /// Where what other threads send into the loop finds what it is for.
    static ARRIVED: Cell<Option<Rc<Event>>> = const { Cell::new(None) };
}

/// An event that is set by the last of `count` calls of [`arrive`].
fn arrivals() -> Rc<Event> {
    let event = Rc::new(Event::new());
    ARRIVED.set(Some(event.clone()));
    event
}

fn arrive() {
    if let Some(event) = ARRIVED.take() {
        event.set();
    }
}

#[test]
fn a_waker_wakes_from_any_thread() {
    run(async {
        for _ in 0..100 {
            let (sender, receiver) = futures::channel::oneshot::channel();
            let thread = thread::spawn(move || sender.send(5));
            assert_eq!(receiver.await, Ok(5));
            thread.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_busy_loop_sees_what_other_threads_wake() {
    run(async {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let thread = thread::spawn(move || sender.send(5));
        let busy = spawn(async {
            loop {
                yield_now().await;
            }
        });
        assert_eq!(receiver.await, Ok(5));
        busy.abort();
        thread.join().unwrap().unwrap();
    });
}

#[test]
fn a_waker_of_a_task_that_is_gone_wakes_nobody_from_another_thread() {
    run(async {
        let (sender, receiver) = mpsc::channel();
        spawn(poll_fn(move |context| {
            sender.send(context.waker().clone()).unwrap();
            Poll::Ready(())
        }))
        .await
        .unwrap();
        let waker = receiver.recv().unwrap();
        let kept = waker.clone();
        thread::spawn(move || waker.wake()).join().unwrap();
        yield_now().await;
        assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
        kept.wake();
        yield_now().await;
    });
}

#[test]
fn calls_come_in_the_order_of_asking_on_the_loops_thread() {
    run(async {
        let arrived = arrivals();
        let handle = LoopHandle::current();
        let (sender, receiver) = mpsc::channel();
        let here = thread::current().id();
        let caller = thread::spawn(move || {
            for number in 0..10 {
                let sender = sender.clone();
                let call = move || sender.send((number, thread::current().id())).unwrap();
                handle.call(call).unwrap();
            }
            handle.call(arrive).unwrap();
        });
        arrived.wait().await;
        caller.join().unwrap();
        let calls: Vec<_> = receiver.iter().collect();
        assert_eq!(
            calls,
            (0..10).map(|number| (number, here)).collect::<Vec<_>>()
        );
    });
}

#[test]
fn another_thread_can_spawn_what_it_could_not_send() {
    run(async {
        let arrived = arrivals();
        let handle = LoopHandle::current();
        let spawning = thread::spawn(move || {
            handle.spawn(|| {
                let not_send = Rc::new(1);
                async move {
                    yield_now().await;
                    assert_eq!(*not_send, 1);
                    arrive();
                }
            })
        });
        arrived.wait().await;
        spawning.join().unwrap().unwrap();
    });
}

#[test]
fn a_loop_that_has_ended_refuses_calls_and_drops_those_it_had_accepted() {
    struct Sends(mpsc::Sender<&'static str>);
    impl Drop for Sends {
        fn drop(&mut self) {
            self.0.send("dropped").unwrap();
        }
    }
    let (sender, receiver) = mpsc::channel();
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let sends = Sends(sender.clone());
    handle.call(move || drop(sends)).unwrap();
    assert!(receiver.try_recv().is_err());
    drop(runtime);
    assert_eq!(receiver.try_recv(), Ok("dropped"));
    let sends = Sends(sender);
    assert_eq!(handle.call(move || drop(sends)), Err(Closed));
    assert_eq!(receiver.try_recv(), Ok("dropped"));
}

#[test]
fn blocking_work_is_done_elsewhere_and_comes_back() {
    run(async {
        let here = thread::current().id();
        let there = spawn_blocking(|| thread::current().id());
        assert_ne!(there.await.unwrap(), here);
        let panicked: Result<(), _> = spawn_blocking(|| panic!("no")).await;
        assert!(panicked.unwrap_err().is_panic());
    });
}

#[test]
fn a_loop_ends_although_other_threads_still_work_for_it() {
    let (release, released) = mpsc::channel::<()>();
    let (done, is_done) = mpsc::channel();
    run(async {
        drop(spawn_blocking(move || {
            released.recv().ok();
            done.send(()).ok();
        }));
        yield_now().await;
    });
    drop(release);
    // Whether it was begun or not: the channel is closed, or has its message.
    is_done.recv().ok();
}
