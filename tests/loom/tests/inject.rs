//! The inject queue in every interleaving of its threads.

use greenloop_loom::inject::{Inject, WakeUp};
use loom::sync::Arc;
use loom::sync::Notify;
use loom::sync::atomic::{AtomicUsize, Ordering};

/// A loop sleeps on it, as on an eventfd: a wake-up that comes first is not lost.
struct Bed {
    notify: Notify,
    wake_ups: AtomicUsize,
}

impl Bed {
    fn new() -> Self {
        Self {
            notify: Notify::new(),
            wake_ups: AtomicUsize::new(0),
        }
    }
}

impl WakeUp for Bed {
    fn wake_up(&self) {
        self.wake_ups.fetch_add(1, Ordering::SeqCst);
        self.notify.notify();
    }
}

/// The loop's side: sleeps until it has that many messages. Loom reports a sleep that nobody ends.
fn take_all(queue: &Inject<u32, Bed>, count: usize) -> Vec<u32> {
    let mut messages = Vec::new();
    while messages.len() < count {
        if queue.fall_asleep() {
            queue.waker().notify.wait();
        }
        messages.extend(queue.take());
    }
    messages
}

#[test]
fn no_message_and_no_wake_up_is_lost() {
    loom::model(|| {
        let queue = Arc::new(Inject::new(Bed::new()));
        let threads: Vec<_> = (0..2)
            .map(|number| {
                let queue = Arc::clone(&queue);
                loom::thread::spawn(move || queue.inject(number).expect("it is open"))
            })
            .collect();
        let mut messages = take_all(&queue, 2);
        messages.sort_unstable();
        assert_eq!(messages, [0, 1]);
        for thread in threads {
            thread.join().expect("it does not panic");
        }
    });
}

#[test]
fn messages_of_a_thread_keep_their_order_and_wake_once_per_sleep() {
    loom::model(|| {
        let queue = Arc::new(Inject::new(Bed::new()));
        let other = Arc::clone(&queue);
        let thread = loom::thread::spawn(move || {
            other.inject(1).expect("it is open");
            other.inject(2).expect("it is open");
        });
        assert_eq!(take_all(&queue, 2), [1, 2]);
        thread.join().expect("it does not panic");
        assert!(queue.waker().wake_ups.load(Ordering::SeqCst) <= 2);
    });
}

#[test]
fn a_message_is_taken_or_comes_back_when_the_loop_ends() {
    loom::model(|| {
        let queue = Arc::new(Inject::new(Bed::new()));
        let other = Arc::clone(&queue);
        let thread = loom::thread::spawn(move || other.inject(1).is_err());
        let taken = queue.close();
        let came_back = thread.join().expect("it does not panic");
        assert_eq!(taken.len() + usize::from(came_back), 1);
    });
}
