//! The door to the platform: the only place that asks which one it is.
//!
//! A platform supplies the items below. They are private to the crate; the public types forward to
//! their methods and document them.
//!
//! * `Selector`: `new`, `add`, `modify`, `remove`, `wait`, `AsFd`; behind
//!   [`Poller`](crate::Poller).
//! * `EventBuffer`: `with_capacity`, `iter`, `len`, `clear`; behind [`Events`](crate::Events).
//! * `Signal`: `new`, `set`, `clear`, `AsFd`; behind [`Waker`](crate::Waker).
//! * `accept` and `NON_BLOCKING`, behind [`listener`](crate::listener).
//! * `stack_bounds`, behind [`stack`](crate::stack).
//! * `ThreadFiles`: `open`, `sample`; `current_thread`, `system_call` and `waits_for_futex`; behind
//!   [`thread_activity`](crate::thread_activity).
//! * `Pointer`, `read_own_memory` and `name_of_descriptor`, behind [`subject`](crate::subject).
//! * `MORE_FOLLOWS` and `CORK`, behind [`socket`](crate::socket): a flag of `send` and an option of
//!   TCP.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::{CORK, EventBuffer, MORE_FOLLOWS, Selector, Signal, ThreadFiles, accept};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use linux::{
    NON_BLOCKING, Pointer, current_thread, name_of_descriptor, read_own_memory, stack_bounds,
    system_call, waits_for_futex,
};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
compile_error!(
    "greenloop-os has no door for this platform yet: it needs a Selector and an EventBuffer \
     (kqueue on macOS and the BSDs), a Signal (a non-blocking pipe or EVFILT_USER), \
     stack_bounds, ThreadFiles (which may say of everything that it is unknown) and, on macOS, \
     CLOCK_UPTIME_RAW as the clock, which is what time.monotonic() reads there"
);
