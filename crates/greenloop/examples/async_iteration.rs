//! Lesson 3: producers that can be iterated over.
//!
//! There is no queue any more. A producer is a `Stream`, which sleeps and yields in turn, and it
//! makes nothing until somebody asks. The consumer asks three producers one after the other, and so
//! hears a, b, c, a, b, c, ...
//!
//! The same as `examples/lesson/async_iteration.py`.

mod lesson;

use std::time::Duration;

use futures::stream::{self, LocalBoxStream, Stream, StreamExt as _};
use lesson::{Options, end_of_input};

/// A stream of messages, which takes its time over each.
fn producer(name: char, rounds: u32, interval: Duration) -> impl Stream<Item = String> {
    stream::iter(1..=rounds).then(move |number| async move {
        greenloop::sleep(interval).await;
        format!("Round {name}{number}")
    })
}

/// Prints the messages of its producers, taking one of each in turn.
async fn consume(mut producers: Vec<LocalBoxStream<'_, String>>) {
    while !producers.is_empty() {
        let mut those_who_go_on = Vec::new();
        for mut producer in producers {
            if let Some(message) = producer.next().await {
                println!("{message}");
                those_who_go_on.push(producer);
            }
        }
        producers = those_who_go_on;
    }
    end_of_input();
}

fn main() {
    let Options {
        interval, rounds, ..
    } = Options::from_command_line(5);
    let producers = ['a', 'b', 'c'].map(|name| producer(name, rounds, interval).boxed_local());
    greenloop::run(consume(producers.into()));
}
