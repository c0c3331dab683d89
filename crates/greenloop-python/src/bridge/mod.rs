//! Rust futures of other extensions on our loops: the functions that the crate `greenloop-bridge`
//! calls.
//!
//! Such a future lives in a [`RustFuture`], an awaitable that holds it. The awaitable's steps poll
//! it: on the loop's thread, in the task's context, with the GIL held. Wakers hold a [`Remote`]; a
//! wake-up from a thread without the GIL goes through the loop's
//! [`Inbox`](crate::event_loop::Inbox).
//! ([0011](../../../../docs/decisions/0011-the-bridge.md))

mod future;
mod remote;
mod table;

pub use future::RustFuture;
pub use remote::{Holder, Remote};
pub use table::add_capsule;
