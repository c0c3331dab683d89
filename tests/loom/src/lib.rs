//! The only file of the Rust face in which threads meet, built on the primitives of the crate
//! `loom`, which tries every interleaving that the memory model allows.
//!
//! A package of its own: so it is built with loom alone, in seconds, and tested with everything
//! else.

/// Takes the place of the module in `remote` that has the standard library's.
mod primitives {
    pub use loom::sync::{Mutex, MutexGuard};
}

#[path = "../../../crates/greenloop/src/remote/inject.rs"]
pub mod inject;
