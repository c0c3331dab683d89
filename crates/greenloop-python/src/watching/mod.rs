//! Watching a program while it runs: what its tasks and loops do at a moment, for the package,
//! which tells people of it.
//!
//! ```text
//!   the loops ── pulse ──► guard (a thread that needs no GIL) ── orders ──► the package's thread
//!                            ▲ looks, clients of the socket                      │ answers
//!                            └───────────────────────────────────────────────────┘
//! ```
//! Nothing of it runs in the thread of a loop. A newcomer reads `looks` (what there is to see),
//! then `control` and `guard`.
//!
//! # Who does what
//!
//! * A **loop** keeps its [`Pulse`](crate::observing::Pulse): it counts jobs, and says when it
//!   waits in the poller and which task steps. Tasks note the tick of their last step, and locks
//!   and semaphores who holds them. That is all that a program pays for being watched.
//! * The **guard** ([`guard`]) reads the pulses without the GIL, a few times in the time that a
//!   step may take. It decides with the core's `Watchdog` whether a step takes too long, and asks
//!   the system what the loop's thread does meanwhile ([`inquest`]). So a loop that is blocked,
//!   even by native code that keeps the GIL, is noticed all the same.
//! * **Clients** ([`front`]) are other processes of the user. Each is served by a thread of its
//!   own, which lives as long as its request.
//! * The **package's thread** takes orders from the [`desk`]: to answer a client, to find the line
//!   of a stall, to look for deadlocks. It is a thread of Python, so that it gets the GIL as
//!   others do, within the interval in which threads take turns. Where it does not, the guard says
//!   so, and clients get the last report, marked as old.
//!
//! # What is read from other threads
//!
//! Only atomics: the pulses, the tick, and what is behind the locks of the desk and of the stalls.
//! Tasks, loops, holders and all else of Python's is touched with the GIL held, by the package's
//! thread as by any other.
//!
//! The guard holds no lock while it looks at a loop, and a loop takes one only when it begins or
//! ends a run, so that neither ever waits for the other.
//!
//! # What it promises
//!
//! A stall is reported once, and its length when it is over; the machine is blamed where it is to
//! blame. A deadlock is reported once, and only if it is one. A client that reads slowly, sends
//! garbage or dies costs the program nothing, and a watch that ends leaves no thread, descriptor or
//! file behind.
//!
//! # Forks
//!
//! The child of a fork has none of these threads, and whatever lock they held stays locked. So it
//! forgets the guard as a whole, and begins a watch of its own.

mod control;
mod dead;
mod desk;
mod front;
mod guard;
mod inquest;
mod looks;
mod stalls;

use pyo3::prelude::*;
use pyo3::types::PyModule;

/// Adds the functions to the module.
pub fn functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    looks::functions(module)?;
    dead::functions(module)?;
    control::functions(module)
}
