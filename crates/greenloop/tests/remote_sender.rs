//! Items that other threads put into a queue: their order, and their end when the queue is gone.

use std::cell::Cell;
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;

use greenloop::queue::{PriorityQueue, PutError, Queue, RemoteSender, ShutDown};
use greenloop::{Runtime, run, spawn, yield_now};

/// Runs enough turns for what was sent from this thread to come into its queue.
async fn arrive() {
    for _ in 0..3 {
        yield_now().await;
    }
}

/// A thread that sends the numbers, and returns the first that came back.
fn send_all(
    sender: RemoteSender<u32>,
    mut numbers: std::ops::Range<u32>,
) -> thread::JoinHandle<Option<u32>> {
    thread::spawn(move || numbers.find_map(|number| sender.send(number).err().map(|error| error.0)))
}

#[test]
fn items_of_a_thread_keep_their_order() {
    for maxsize in [0, 1, 2, 100] {
        run(async {
            let queue = Rc::new(match maxsize {
                0 => Queue::unbounded(),
                maxsize => Queue::bounded(maxsize),
            });
            let sender = queue.remote_sender();
            let threads = [
                send_all(sender.clone(), 0..500),
                send_all(sender, 1000..1500),
            ];
            let mut got = Vec::new();
            while got.len() < 1000 {
                got.push(queue.get().await.unwrap());
                assert!(maxsize == 0 || queue.len() <= maxsize);
            }
            let (low, high): (Vec<_>, Vec<_>) = got.into_iter().partition(|number| *number < 1000);
            assert_eq!(low, (0..500).collect::<Vec<_>>());
            assert_eq!(high, (1000..1500).collect::<Vec<_>>());
            for thread in threads {
                assert_eq!(thread.join().unwrap(), None);
            }
        });
    }
}

#[test]
fn every_kind_of_queue_has_senders() {
    run(async {
        let queue = Rc::new(PriorityQueue::unbounded());
        let sender = queue.remote_sender();
        for number in [3, 1, 2] {
            sender.try_send(number).unwrap();
        }
        arrive().await;
        assert_eq!(queue.get_nowait(), Ok(1));
    });
}

#[test]
fn threads_are_ahead_by_no_more_than_twice_the_room_and_one() {
    run(async {
        let queue = Rc::new(Queue::bounded(2));
        let sender = queue.remote_sender();
        let mut sent = 0;
        for _ in 0..10 {
            while sender.try_send(sent).is_ok() {
                sent += 1;
            }
            assert_eq!(sender.try_send(sent), Err(PutError::Full(sent)));
            arrive().await;
        }
        assert_eq!((sent, queue.len()), (5, 2));
        for number in 0..sent {
            assert_eq!(queue.get().await, Ok(number));
        }
    });
}

#[test]
fn what_is_on_its_way_stands_in_line_with_tasks_that_put() {
    run(async {
        let queue = Rc::new(Queue::bounded(1));
        queue.put_nowait("there").unwrap();
        let putting = |item| {
            let queue = Rc::clone(&queue);
            spawn(async move { queue.put(item).await.unwrap() })
        };
        let sender = queue.remote_sender();
        let first = putting("first");
        arrive().await;
        sender.try_send("second").unwrap();
        arrive().await;
        let third = putting("third");
        arrive().await;
        for expected in ["there", "first", "second", "third"] {
            assert_eq!(queue.get().await, Ok(expected));
            arrive().await;
        }
        first.await.unwrap();
        third.await.unwrap();
    });
}

#[test]
fn an_item_comes_back_when_the_loop_has_ended() {
    let sender = run(async { Rc::new(Queue::bounded(1)).remote_sender() });
    assert!(sender.is_closed());
    assert_eq!(sender.send(1), Err(ShutDown(1)));
    assert_eq!(sender.try_send(2), Err(PutError::ShutDown(2)));
}

#[test]
fn an_item_comes_back_when_the_queue_was_shut_down() {
    for immediately in [false, true] {
        run(async {
            let queue = Rc::new(Queue::unbounded());
            let sender = queue.remote_sender();
            if immediately {
                queue.shutdown_now();
            } else {
                queue.shutdown();
            }
            assert_eq!(sender.try_send(1), Err(PutError::ShutDown(1)));
            assert_eq!(
                queue.remote_sender().try_send(2),
                Err(PutError::ShutDown(2))
            );
        });
    }
}

/// Has a thread wait for room, lets `end` end the queue, and says which number the thread got back.
fn number_that_comes_back(end: impl FnOnce(Runtime, Rc<Queue<u32>>)) -> Option<u32> {
    let runtime = Runtime::new().unwrap();
    let queue = Rc::new(Queue::bounded(1));
    let sender = runtime.run(async { queue.remote_sender() });
    let thread = send_all(sender.clone(), 0..100);
    // 0 comes into the queue, 1 stands in line, 2 is in the channel: the thread waits, or is about
    // to, with 3.
    runtime.run(async {
        while queue.is_empty() || sender.try_send(u32::MAX) != Err(PutError::Full(u32::MAX)) {
            yield_now().await;
        }
    });
    drop(sender);
    end(runtime, queue);
    thread.join().unwrap()
}

#[test]
fn a_thread_that_waits_for_room_gets_the_item_back_when_the_queue_is_gone() {
    let is_some = |number: Option<u32>| number.is_some();
    assert!(is_some(number_that_comes_back(|runtime, _queue| drop(
        runtime
    ))));
    assert!(is_some(number_that_comes_back(
        |_runtime, queue| queue.shutdown()
    )));
    assert!(is_some(number_that_comes_back(
        |_runtime, queue| queue.shutdown_now()
    )));
    assert!(is_some(number_that_comes_back(|_runtime, queue| drop(
        queue
    ))));
}

#[test]
fn a_queue_that_is_dropped_leaves_no_task() {
    let runtime = Runtime::new().unwrap();
    let queue = Rc::new(Queue::bounded(1));
    let sender = runtime.run(async {
        let sender = queue.remote_sender();
        // One comes in, and one waits for room.
        for number in 0..2 {
            sender.try_send(number).unwrap();
            arrive().await;
        }
        sender
    });
    assert_eq!(runtime.unfinished_tasks(), 1);
    drop(queue);
    assert_eq!(sender.try_send(2), Err(PutError::ShutDown(2)));
    runtime.run(arrive());
    assert_eq!(runtime.unfinished_tasks(), 0);
}

#[test]
fn a_sender_that_is_gone_leaves_its_items_and_no_task() {
    let runtime = Runtime::new().unwrap();
    let queue = Rc::new(Queue::unbounded());
    let sender = runtime.run(async { queue.remote_sender() });
    drop(sender.clone());
    sender.try_send(1).unwrap();
    drop(sender);
    runtime.run(arrive());
    assert_eq!(queue.get_nowait(), Ok(1));
    assert_eq!(runtime.unfinished_tasks(), 0);
    queue.put_nowait(2).unwrap();
}

#[test]
fn items_that_come_too_late_are_dropped() {
    let item = Arc::new(());
    let queue = Rc::new(Queue::bounded(1));
    let runtime = Runtime::new().unwrap();
    let sender = runtime.run(async {
        let sender = queue.remote_sender();
        for _ in 0..3 {
            sender.try_send(item.clone()).unwrap();
            arrive().await;
        }
        sender
    });
    // One is in the queue, one waits for room, and one waits for that.
    assert_eq!(Arc::strong_count(&item), 4);
    drop(runtime);
    assert_eq!(Arc::strong_count(&item), 2);
    assert!(sender.is_closed());
    // Nobody waits for room any more whose turn it could be.
    drop(queue.get_nowait().unwrap());
    assert_eq!(Arc::strong_count(&item), 1);
    run(async { queue.put(item).await.unwrap() });
}

#[test]
fn a_waiting_delivery_hands_its_turn_on_when_it_ends() {
    let queue = Rc::new(Queue::bounded(1));
    let of_senders = Runtime::new().unwrap();
    of_senders.run(async {
        let sender = queue.remote_sender();
        for number in 0..2 {
            sender.try_send(number).unwrap();
            arrive().await;
        }
    });
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut behind = queue.put(2);
    assert!(Pin::new(&mut behind).poll(&mut context).is_pending());
    // The delivery is woken, and ends before it runs.
    assert_eq!(queue.get_nowait(), Ok(0));
    assert!(!woken.0.load(Ordering::SeqCst));
    drop(of_senders);
    assert!(woken.0.load(Ordering::SeqCst));
    assert!(Pin::new(&mut behind).poll(&mut context).is_ready());
    assert_eq!(queue.get_nowait(), Ok(2));
}

/// Whether a waker was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn threads_that_send_without_pause_leave_turns_to_others() {
    run(async {
        let queue = Rc::new(Queue::unbounded());
        let sender = queue.remote_sender();
        let thread = thread::spawn(move || while sender.send(()).is_ok() {});
        queue.get().await.unwrap();
        for _ in 0..100 {
            yield_now().await;
        }
        queue.shutdown_now();
        thread.join().unwrap();
    });
}

#[test]
fn a_loop_that_waits_is_woken() {
    run(async {
        let queue = Rc::new(Queue::unbounded());
        let sender = queue.remote_sender();
        let (answer, answered) = mpsc::channel();
        let thread = thread::spawn(move || {
            for number in 0..100 {
                sender.send(number).unwrap();
                // Until it is answered, the loop has nothing else to do.
                answered.recv().unwrap();
            }
        });
        for expected in 0..100 {
            assert_eq!(queue.get().await, Ok(expected));
            answer.send(()).unwrap();
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_loop_does_not_wait_for_itself() {
    run(async {
        let queue = Rc::new(Queue::bounded(1));
        let sender = queue.remote_sender();
        let outcome = catch_unwind(AssertUnwindSafe(|| sender.send(1)));
        assert!(outcome.is_err());
        let unbounded = Rc::new(Queue::unbounded());
        unbounded.remote_sender().send(1).unwrap();
        assert_eq!(unbounded.get().await, Ok(1));
    });
}

#[test]
fn items_need_not_live_as_long_as_a_queue_without_senders() {
    let queue = Queue::unbounded();
    let younger = Cell::new(1);
    queue.put_nowait(&younger).unwrap();
    queue.get_nowait().unwrap().set(2);
    assert_eq!(younger.get(), 2);
}
