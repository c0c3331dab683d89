//! Lesson 4: why the three futures of lesson 1 are gathered, and not awaited one by one.
//!
//! `await` means "do not go on until this is finished". Awaited one after the other, the consumer
//! only starts when the producer has sent everything, and the future that would end the input is
//! never polled at all: the program would hang for ever. Here a timeout bounds the wait, and the
//! program says what it sees.
//!
//! The same as `examples/lesson/why_gather.py`.

mod lesson;

use lesson::{Options, Producer, consume, seconds};

fn main() {
    let Options {
        interval, rounds, ..
    } = Options::from_command_line(10);
    let timeout = rounds * interval;
    greenloop::run(async {
        let producer = Producer::new(rounds, interval);

        println!("1. await producer.run()");
        producer.run().await;
        println!("   It sent for {rounds} rounds, and nobody listened.");
        println!("   The queue holds {} messages.", producer.queue.len());

        println!("2. await consumer.run()");
        if greenloop::timeout(timeout, consume(&producer.queue))
            .await
            .is_err()
        {
            println!("   It got every message at once, and then waited for the end of the input.");
            println!(
                "   Given up after {} seconds; by itself it would wait for ever.",
                seconds(timeout)
            );
        }

        println!("3. await producer.stop(...)");
        println!(
            "   Never reached: it would have ended the input, but it stands behind the wait for it."
        );
        println!();
        println!(
            "Each of the three needs the others to be running. asyncio.gather starts all three"
        );
        println!("before it waits for any of them.");
    });
}
