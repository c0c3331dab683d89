//! asyncio's synchronisation primitives as Python sees them.
//!
//! What they decide (who is woken, what a waiter that gives up hands on) is in
//! [`greenloop_core::sync`]; here are their classes. Each asynchronous method is an
//! [`Operation`](crate::awaitable::Operation): three functions, for the first step, for going on after
//! being woken, and for an exception that arrives meanwhile.
//!
//! An instance of a subclass may have overridden any method, so where asyncio's code calls a method of
//! its own, it is called by name there.

mod event;
mod lock;
mod waiters;

pub use event::make_class as make_event_class;
pub use lock::make_class as make_lock_class;
pub use waiters::as_deque as waiters_as_deque;
