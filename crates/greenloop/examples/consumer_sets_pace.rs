//! Lesson 2: the same program, but the consumer sets the pace.
//!
//! Now it is the consumer that needs two seconds for a message, and the producer waits until the
//! last one is dealt with before it sends the next. There are two ways to wait beside the queue:
//!
//! * `--mode join`: the consumer reports each message with `task_done`, the producer waits in
//!   `join`;
//! * `--mode event`: the consumer sets an `Event` when it is ready for another message.
//!
//! The same as `examples/lesson/consumer_sets_pace.py`.

mod lesson;

use std::time::Duration;

use greenloop::queue::Queue;
use greenloop::sync::Event;
use lesson::{Message, Options, end_of_input, get, put};

/// Sends a message, then waits until every message sent has been reported as done.
async fn send_and_join(queue: &Queue<Message>, rounds: u32) {
    for number in 1..=rounds {
        put(queue, Some(format!("Round {number}"))).await;
        queue.join().await;
    }
    put(queue, None).await;
}

/// Takes its time over a message, and reports it as done afterwards.
async fn consume_and_report(queue: &Queue<Message>, interval: Duration) {
    while let Some(message) = get(queue).await {
        println!("{message}");
        greenloop::sleep(interval).await;
        queue.task_done().expect("the message was put in");
    }
    end_of_input();
}

/// Waits for the sign before it sends anything at all, the end of the input included.
async fn send_when_ready(queue: &Queue<Message>, consumer_is_ready: &Event, rounds: u32) {
    let messages = (1..=rounds).map(|number| Some(format!("Round {number}")));
    for message in messages.chain([None]) {
        consumer_is_ready.wait().await;
        consumer_is_ready.clear();
        put(queue, message).await;
    }
}

/// Gives the sign whenever it has nothing left to do.
async fn consume_and_sign(queue: &Queue<Message>, ready: &Event, interval: Duration) {
    ready.set();
    while let Some(message) = get(queue).await {
        println!("{message}");
        greenloop::sleep(interval).await;
        ready.set();
    }
    end_of_input();
}

fn main() {
    let Options {
        interval,
        rounds,
        mode,
    } = Options::from_command_line(10);
    let queue = Queue::unbounded();
    greenloop::run(async {
        match mode.as_deref() {
            None | Some("join") => {
                greenloop::gather!(
                    send_and_join(&queue, rounds),
                    consume_and_report(&queue, interval),
                )
                .await;
            }
            Some("event") => {
                let ready = Event::new();
                greenloop::gather!(
                    send_when_ready(&queue, &ready, rounds),
                    consume_and_sign(&queue, &ready, interval),
                )
                .await;
            }
            Some(other) => {
                eprintln!("--mode is join or event, not {other}");
                std::process::exit(2);
            }
        }
    });
}
