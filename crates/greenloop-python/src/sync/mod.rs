//! asyncio's synchronisation primitives as Python sees them.
//!
//! Their decisions (which waiter is woken, what a waiter passes on when it gives up) are made in
//! [`greenloop_core::sync`]; here are their classes. Each asynchronous method is an
//! [`Operation`](crate::awaitable::Operation): three functions, for the first step, for the step
//! after a wake-up, and for an exception that arrives meanwhile.
//!
//! An instance of a subclass may have overridden any method, and any instance may have been given
//! one as an attribute. So where asyncio's code calls one of its public methods, it is called by
//! name here too. Only a *plain* instance, of exactly the class and without attributes, takes the
//! short cut.

mod acquire;
mod barrier;
mod condition;
mod copying;
mod event;
mod lock;
mod primitive;
mod semaphore;
mod waiters;

pub use barrier::make_class as make_barrier_class;
pub use condition::make_class as make_condition_class;
pub use event::{create_set_event, event_of, make_class as make_event_class};
pub use lock::make_class as make_lock_class;
pub use semaphore::{
    make_bounded_class as make_bounded_semaphore_class, make_class as make_semaphore_class,
};
pub use waiters::{Waiters, make_class as make_waiters_class, replace as replace_waiters};
