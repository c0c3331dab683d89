//! The common part of the lesson's four programs: their options, and the producer and consumer of
//! the first, which the last one uses again.

use std::fmt::Display;
use std::time::Duration;

use greenloop::queue::Queue;
use greenloop::sync::Event;

/// The options of the programs.
pub struct Options {
    /// The time between two rounds, or for each.
    pub interval: Duration,
    pub rounds: u32,
    /// Of lesson 2 alone.
    pub mode: Option<String>,
}

impl Options {
    /// Reads `--interval SECONDS`, `--rounds NUMBER` and `--mode NAME` from the command line.
    pub fn from_command_line(rounds: u32) -> Self {
        let mut options = Self {
            interval: Duration::from_secs(2),
            rounds,
            mode: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            let understood = match name.as_str() {
                "--interval" => {
                    let seconds = value.parse().ok();
                    let interval = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
                    interval.map(|interval| options.interval = interval)
                }
                "--rounds" => value.parse().ok().map(|rounds| options.rounds = rounds),
                "--mode" => {
                    options.mode = Some(value.clone());
                    Some(())
                }
                _ => None,
            };
            if understood.is_none() {
                eprintln!("not understood: {name} {value}");
                std::process::exit(2);
            }
        }
        options
    }
}

/// A message, or the end of the input.
pub type Message = Option<String>;

/// Owns the queue and fills it.
#[allow(dead_code, reason = "lessons 1 and 4 have this producer")]
pub struct Producer {
    pub queue: Queue<Message>,
    rounds: u32,
    interval: Duration,
    all_sent: Event,
}

#[allow(dead_code, reason = "as above")]
impl Producer {
    pub fn new(rounds: u32, interval: Duration) -> Self {
        Self {
            queue: Queue::unbounded(),
            rounds,
            interval,
            all_sent: Event::new(),
        }
    }

    pub async fn run(&self) {
        for number in 1..=self.rounds {
            self.send(format!("Round {number}")).await;
        }
        self.all_sent.set();
    }

    async fn send(&self, message: String) {
        put(&self.queue, Some(message)).await;
        greenloop::sleep(self.interval).await;
    }

    pub async fn stop(&self, timeout: Duration) {
        greenloop::sleep(timeout).await;
        // On a machine that lags behind, the last rounds may still be on their way.
        self.all_sent.wait().await;
        put(&self.queue, None).await;
    }
}

/// Prints the messages of the queue, until the input ends.
#[allow(dead_code, reason = "as above")]
pub async fn consume(queue: &Queue<Message>) {
    while let Some(message) = get(queue).await {
        println!("{message}");
    }
    end_of_input();
}

/// Puts a message into a queue that is never shut down.
#[allow(dead_code, reason = "lesson 3 has no queue")]
pub async fn put(queue: &Queue<Message>, message: Message) {
    queue.put(message).await.expect("the queue stays open");
}

/// Gets a message from a queue that is never shut down.
#[allow(dead_code, reason = "lesson 3 has no queue")]
pub async fn get(queue: &Queue<Message>) -> Message {
    queue.get().await.expect("the queue stays open")
}

#[allow(dead_code, reason = "lesson 4 never gets there")]
pub fn end_of_input() {
    println!("[End of input]");
}

/// Seconds as people write them: 20 and not 20.0.
#[allow(dead_code, reason = "lesson 4 tells of its timeout")]
pub fn seconds(span: Duration) -> impl Display {
    span.as_secs_f64()
}
