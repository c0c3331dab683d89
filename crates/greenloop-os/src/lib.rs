//! The operating system, as an event loop needs it.
//!
//! Six questions: what time is it ([`monotonic`], [`resolution`]), which descriptors are ready
//! ([`Poller`]), which connections and data come through one ([`listener`], [`socket`],
//! [`datagram`], [`address`]), how far the thread's stack goes ([`stack`]), what another thread
//! does at this moment ([`thread_activity`], [`activity`], [`subject`]), and, the other way round,
//! how another thread gets a loop out of a wait ([`Waker`]) without taking its signals
//! ([`quiet_thread`]). The answers are plain values; what follows from them for a loop is decided
//! in `greenloop-core`, which makes no system call.
//!
//! The crate uses `rustix` where it offers a call safely. Every other call is one of `libc` in an
//! `unsafe` block: portable calls in the file of their capability, those of a single platform under
//! `sys/`, behind a door per platform. Nothing above that door says `cfg(target_os)`. Every fact
//! relied upon names its man page.
//!
//! What the crate never does:
//!
//! * it never keeps state about a descriptor: registrations live in the kernel, and the caller
//!   knows which descriptor a number means;
//! * it never closes a descriptor it did not create, and leaks none into a child process;
//! * it never ends a wait early for want of a finer unit: timeouts are rounded up.

pub mod activity;
pub mod address;
mod clock;
mod counter;
pub mod datagram;
pub mod listener;
mod poller;
mod prefetch;
pub mod quiet_thread;
pub mod socket;
pub mod stack;
mod stopwatch;
pub mod subject;
mod sys;
pub mod thread_activity;
mod waker;

pub use clock::{monotonic, resolution};
pub use poller::{Event, Events, Poller};
pub use prefetch::prefetch;
pub use stopwatch::Stopwatch;
pub use waker::Waker;
