//! The files in which threads meet, the queue of messages to a loop and the ring of its events,
//! built on the primitives of the crate `loom`, which tries every interleaving that the memory
//! model allows.
//!
//! A package of its own: so it is built with loom alone, in seconds, and tested with everything
//! else.

/// Takes the place of the modules beside these files that have the standard library's.
mod primitives {
    pub use loom::sync::atomic::{AtomicU64, Ordering, fence};
    pub use loom::sync::{Arc, Mutex, MutexGuard};
}

#[path = "../../../crates/greenloop-core/src/observe/event.rs"]
pub mod event;
#[path = "../../../crates/greenloop/src/remote/inject.rs"]
pub mod inject;
#[path = "../../../crates/greenloop-core/src/observe/numbered.rs"]
mod numbered;
#[path = "../../../crates/greenloop-core/src/observe/ring.rs"]
pub mod ring;
