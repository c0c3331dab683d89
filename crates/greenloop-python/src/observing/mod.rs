//! Telling an observer what tasks do: what every other room of the extension calls when something
//! happens.
//!
//! ```text
//!   task, awaitable, sync, …  ── is_recording()? ──► telling ──► recorder ──► ring (core)
//!                                one load, one branch      time, place, actor      │
//!                                                              control ◄── Python ─┘
//! ```
//! While nobody records, a room does nothing but load a flag. The numbers of tasks and resources
//! are given at their first event ([`Number`]). The format of events is that of
//! [docs/trace-format.md](../../../../docs/trace-format.md).
//!
//! There is one recording in a process, of all its loops: an event is written with the GIL held,
//! so the ring has one writer at a time. Nothing in it keeps an object alive but code objects and
//! names.

mod control;
mod holders;
mod lag;
mod mode;
mod number;
mod pulse;
mod recorder;
mod telling;

pub use control::functions;
pub use holders::{begin as begin_watch, end as end_watch, holders_of, place, set_tick, tick};
pub use lag::Lag;
pub use mode::{is_observed, is_recording};
pub use number::Number;
pub use pulse::{Pulse, Run, after_fork, running};
pub use telling::{
    Step, Wait, because_of, tell, tell_acquired, tell_cancel_request, tell_finish, tell_new_task,
    tell_of_loop, tell_released, tell_wait, tell_wake,
};
