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
mod number;
mod recorder;
mod telling;

pub use control::functions;
pub use number::Number;
pub use recorder::is_recording;
pub use telling::{
    Step, Wait, because_of, tell, tell_at_place, tell_cancel_request, tell_finish, tell_new_task,
    tell_of_loop, tell_wait, tell_wake,
};
