//! asyncio's synchronisation primitives as Python sees them.
//!
//! Their decisions (which waiter is woken, what a waiter passes on when it gives up) are made in
//! [`greenloop_core::sync`]; here are their classes. Each asynchronous method is an
//! [`Operation`](crate::awaitable::Operation): three functions, for the first step, for the step
//! after a wake-up, and for an exception that arrives meanwhile. Any other method is a function of
//! the primitive, which asks the core and makes an object of the answer.
//!
//! Each primitive has its file: `event`, `lock`, `semaphore`, `condition`, `barrier`. In it are the
//! state, the methods, and in `make_class` the table by which Python finds them. Shared are
//! `primitive` (a state with the loop that it is bound to, and the attributes of all classes),
//! `acquire` (`acquire` and `async with` of locks and semaphores), `waiters` (the line as Python
//! sees it) and `copying`.
//!
//! An instance of a subclass may have overridden any method, any instance may have been given one
//! as an attribute, and a program may have replaced one in the class. So where asyncio's code calls
//! one of its public methods, it is called by name here too. Only a *plain* instance, of exactly
//! the class, without attributes, and with the methods that the class had at import, takes the
//! short cut.
//!
//! A blocking call touches four places in turn:
//!
//! ```text
//!   Python            lock.acquire()          an Awaitable, nothing decided yet
//!   first step        Operation::start   ──►  core: try_acquire; true ends the wait
//!                                             false: prepare and join the line
//!   another task      lock.release()     ──►  core: wake the first waiter ──► Job::Step
//!   next turn         Operation::resume  ──►  core: take_over, the value is returned
//! ```
//! A call alone has no effect, like calling a coroutine function: the first step runs when the
//! awaitable is awaited. Every primitive takes as many turns as asyncio's (`asyncio.locks`), so
//! that programs interleave in the same order.
//!
//! A newcomer reads `lock` with `acquire`, then `primitive` (the part that all classes have in
//! common), then `event`. `condition` and `barrier` are built on a lock and a condition and repeat
//! asyncio's steps one by one.

mod acquire;
mod barrier;
mod condition;
mod copying;
mod event;
mod lock;
mod primitive;
mod semaphore;
mod waiters;

use greenloop_cpython::{ClassCell, Object, Result};

use crate::observing::Number;

pub use event::{CLASS as EVENT, Event, create_set_event};
pub use primitive::Primitive;
pub use waiters::{CLASS as WAITERS, Waiters, replace as replace_waiters};

/// Makes the classes of this room.
///
/// Called once, at import. `BoundedSemaphore` follows `Semaphore`, its base, and inherits from it
/// the methods that `bind_entering_cheaply` looks after.
pub fn make_classes() -> Result<()> {
    event::make_class()?;
    lock::make_class()?;
    waiters::make_class()?;
    semaphore::make_class()?;
    semaphore::make_bounded_class()?;
    condition::make_class()?;
    barrier::make_class()?;
    #[cfg(not(Py_3_14))]
    for class in [
        &*lock::CLASS,
        &semaphore::CLASS,
        &condition::CLASS,
        &barrier::CLASS,
    ] {
        greenloop_cpython::bind_entering_cheaply(&class.object())?;
    }
    Ok(())
}

/// The public classes by their names.
pub fn classes() -> [(&'static str, &'static ClassCell); 6] {
    [
        ("Event", &event::CLASS),
        ("Lock", &lock::CLASS),
        ("Semaphore", &semaphore::CLASS),
        ("BoundedSemaphore", &semaphore::BOUNDED),
        ("Condition", &condition::CLASS),
        ("Barrier", &barrier::CLASS),
    ]
}

/// Which primitive an observer knows this object as, if it is one that it knows.
pub fn number_of(object: &Object) -> Option<u32> {
    let number = |number: &Number| number.known();
    let lock = lock::CLASS.instance(object);
    let semaphore = || semaphore::CLASS.instance(object);
    let event = || event::CLASS.instance(object);
    let condition = || condition::CLASS.instance(object);
    let barrier = || barrier::CLASS.instance(object);
    lock.map(|one| number(&one.get().number))
        .or_else(|| semaphore().map(|one| number(&one.get().number)))
        .or_else(|| event().map(|one| number(&one.get().number)))
        .or_else(|| condition().map(|one| number(&one.get().number)))
        .or_else(|| barrier().map(|one| number(&one.get().number)))
}

/// The classes whose methods programs may replace, which short cuts look out for.
pub fn replaceable_classes() -> [&'static ClassCell; 5] {
    [
        &lock::CLASS,
        &semaphore::CLASS,
        &semaphore::BOUNDED,
        &condition::CLASS,
        &barrier::CLASS,
    ]
}
