//! The stalls that were seen: steps that took longer than the threshold.
//!
//! A stall is in the list from the moment that it is noticed; it grows while it lasts, and is
//! marked when it is over. The native side knows the loop, the thread, the number of the task and
//! the cause; the package adds names and lines, as long as the stall is kept.
//!
//! The list can be shown without the GIL, as JSON: that is for a client who asks while native code
//! keeps the GIL, which is when it is of most use.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many are kept.
const MOST: usize = 200;

/// What held the loop up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The thread ran: Python code, or native code that gives the GIL up now and then.
    Running,
    /// It ran native code that keeps the GIL.
    Native,
    /// It waited in a system call.
    SystemCall,
    /// It waited for the GIL.
    Gil,
    /// The system gave it no processor.
    Starved,
    /// It cannot be said.
    Unknown,
}

impl Cause {
    /// The word for it in reports. Whether it was Python that ran is found out by the package.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Native => "native",
            Self::SystemCall => "system-call",
            Self::Gil => "gil",
            Self::Starved => "starved",
            Self::Unknown => "unknown",
        }
    }
}

/// A stall.
#[derive(Clone, Debug)]
pub struct Stall {
    /// Which one it is, counted from 1.
    pub number: u64,
    /// The number of the loop.
    pub event_loop: u32,
    /// The system's number of the loop's thread.
    pub thread: i32,
    /// The progress of the loop: another one, and the step is over.
    pub progress: u64,
    /// When it began, seconds since 1970.
    pub began: f64,
    /// How long it has lasted.
    pub length: Duration,
    /// How long it had lasted when it was noticed.
    pub noticed: Duration,
    /// Whether it has ended.
    pub over: bool,
    /// What held the loop up.
    pub cause: Cause,
    /// The same in words.
    pub text: String,
    /// The system's number of the thread that has the GIL, or 0, if the loop waits for it.
    pub holder: i32,
}

/// The list.
#[derive(Default)]
pub struct Stalls {
    kept: Mutex<(u64, VecDeque<Stall>)>,
}

impl Stalls {
    /// Adds one, and returns its number.
    pub fn begin(&self, stall: Stall) -> u64 {
        let (count, kept) = &mut *self.lock();
        *count += 1;
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back(Stall {
            number: *count,
            ..stall
        });
        *count
    }

    /// Changes one that is still kept.
    pub fn change(&self, number: u64, change: impl FnOnce(&mut Stall)) {
        let (_, kept) = &mut *self.lock();
        if let Some(stall) = kept.iter_mut().find(|stall| stall.number == number) {
            change(stall);
        }
    }

    /// Those that are kept, the oldest first.
    pub fn all(&self) -> Vec<Stall> {
        self.lock().1.iter().cloned().collect()
    }

    /// All as JSON, for a client whom the package's thread cannot answer.
    pub fn to_json(&self) -> String {
        let mut text = String::from("[");
        for stall in self.all() {
            let separator = if text.len() > 1 { "," } else { "" };
            // Writing into a string cannot fail.
            let _ = write!(
                text,
                "{separator}{{\"id\":{},\"loop\":{},\"began\":{:.6},\"length\":{:.6},\"over\":{},\
                 \"kind\":\"{}\",\"text\":{},\"task\":null,\"name\":null,\"awaited_by\":[],\
                 \"place\":null,\"stack\":[]}}",
                stall.number,
                stall.event_loop,
                stall.began,
                stall.length.as_secs_f64(),
                stall.over,
                stall.cause.word(),
                quoted(&stall.text),
            );
        }
        text.push(']');
        text
    }

    /// A thread that panicked left the list whole.
    fn lock(&self) -> MutexGuard<'_, (u64, VecDeque<Stall>)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.unwrap_or_default().as_secs_f64()
}

/// A string of JSON (RFC 8259).
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
