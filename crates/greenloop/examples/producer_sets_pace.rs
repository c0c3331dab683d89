//! Lesson 1: a producer and a consumer, and the producer sets the pace.
//!
//! Three things happen at once in one thread: the producer sends a message every two seconds, the
//! consumer prints what arrives, and a third future ends the input after twenty. None of them knows
//! of the others' timing; they meet at the queue, and `gather!` runs them side by side.
//!
//! The same as `examples/lesson/producer_sets_pace.py`.

mod lesson;

use lesson::{Options, Producer, consume};

fn main() {
    let Options {
        interval, rounds, ..
    } = Options::from_command_line(10);
    greenloop::run(async {
        let producer = Producer::new(rounds, interval);
        greenloop::gather!(
            producer.run(),
            consume(&producer.queue),
            producer.stop(rounds * interval),
        )
        .await;
    });
}
