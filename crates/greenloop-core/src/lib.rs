//! Decides what an event loop runs next.
//!
//! This crate knows no Python, makes no system call and reads no clock. It is handed time, jobs
//! and events by a [`Host`], so every decision of the loop can be tested on a clock the test
//! moves by hand.
//!
//! The story in one paragraph: whatever is to be run waits in a [`Queue`]. What may run now
//! stands in the [`Ready`] ring, what may run later in the [`Timers`] heap, ordered by
//! [`Instant`]. One [`turn`] asks the host for what the operating system has to say (not
//! necessarily each time: [`PollBudget`] holds the reason), moves the timers that are due behind
//! the jobs that are ready, and runs exactly the jobs that stood there at that moment. `turn` is
//! the only place where a job is run, and it is asyncio's `BaseEventLoop._run_once` to the
//! letter: same jobs, same order, same number of turns.
//!
//! Who waits for something other than time stands in a [`WaitList`]; the primitives of [`sync`] say
//! who is woken next. A connection's [`WriteQueue`] knows what is left to be written, and its
//! [`FlowControl`] when a writer has to pause.
//!
//! What a stream has received and nobody has read stands in a [`ReadBuffer`]; where a message in it
//! ends finds [`find_message`].
//!
//! What the crate never does:
//!
//! * it never runs or drops a job while the [`Queue`] is borrowed, because either may call back
//!   into the loop;
//! * it never runs a timer before its deadline, nor one of two equal deadlines out of order;
//! * it never looks into a job: cancellation, contexts and errors belong to the host.

#![forbid(unsafe_code)]

mod flow_control;
mod instant;
mod poll_budget;
mod read_buffer;
mod ready;
pub mod sync;
mod timers;
mod turn;
mod wait_list;
mod write_queue;

pub use flow_control::FlowControl;
pub use instant::Instant;
pub use poll_budget::PollBudget;
pub use read_buffer::{Limit, Message, ReadBuffer, find_message};
pub use ready::Ready;
pub use timers::Timers;
pub use turn::{Host, Queue, Wait, gather, turn};
pub use wait_list::{Standing, WaitList};
pub use write_queue::WriteQueue;
