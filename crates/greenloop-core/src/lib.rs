//! Decides what an event loop runs next.
//!
//! This crate knows no Python, makes no system call and reads no clock. A [`Host`] hands it time,
//! jobs and events, so every decision of the loop can be tested on a clock that the test moves by
//! hand.
//!
//! The story in one paragraph: all scheduled jobs wait in a [`Queue`]. Its [`Ready`] ring holds the
//! jobs that may run now; its [`Timers`] heap holds those that may run later, ordered by
//! [`Instant`]. One [`turn`] polls the operating system through the host (not every time:
//! [`PollBudget`] explains why), moves the timers that are due behind the jobs that are ready, and
//! runs exactly the jobs that are in the ring at that moment. `turn` is the only place where a job
//! is run. It is asyncio's `BaseEventLoop._run_once` to the letter: same jobs, same order, same
//! number of turns.
//!
//! Tasks blocked on anything but a timer are queued in a [`WaitList`]; the primitives of [`sync`]
//! decide which is woken next, and [`priority_heap`] keeps the items of a priority queue. A
//! connection's [`WriteQueue`] knows how much is left to write, its
//! [`FlowControl`] decides when a writer has to pause, and its [`WriteCoalescer`] which writes
//! become one packet.
//!
//! [`Registered`] is what the poller knows of a descriptor, and decides when that has to change.
//! A [`ReceiveSizePredictor`] says how much room the next receive of a connection gets.
//! A [`ReadBuffer`] holds the bytes that a stream has received and nobody has read.
//! [`find_message`] finds the end of the next message in it. A [`Watchdog`] notices that a job
//! takes too long, while it does.
//!
//! [`observe`] holds the events that a loop tells an observer, the live state that they add up to,
//! and the search for deadlocks. [`schedule`] chooses other orders than asyncio's, for tests.
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
pub mod observe;
mod poll_budget;
pub mod priority_heap;
mod read_buffer;
mod ready;
mod receive_size;
mod registration;
pub mod schedule;
pub mod sync;
mod timers;
mod turn;
mod wait_list;
mod watchdog;
mod write_coalescing;
mod write_queue;

pub use flow_control::{FlowControl, Transition};
pub use instant::Instant;
pub use poll_budget::PollBudget;
pub use read_buffer::{Limit, Message, ReadBuffer, find_message};
pub use ready::Ready;
pub use receive_size::{Receive, ReceiveSizePredictor};
pub use registration::{Interest, Mode, Registered, Registrar, Registration};
pub use timers::Timers;
pub use turn::{Host, Queue, Wait, gather, turn};
pub use wait_list::{WaitList, WaiterState};
pub use watchdog::{Episode, Look, Watchdog};
pub use write_coalescing::{Write, WriteCoalescer};
pub use write_queue::WriteQueue;
