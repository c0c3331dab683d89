//! Watching a program while it runs: what its tasks and loops do at a moment, for the package, which
//! tells people of it.
//!
//! ```text
//!   the loops ── pulse ──► guard (a thread that needs no GIL) ── orders ──► the package's thread
//!                            ▲ looks, clients of the socket                      │ answers
//!                            └───────────────────────────────────────────────────┘
//! ```
//! Nothing of it runs in the thread of a loop. A newcomer reads `looks` (what there is to see), then
//! `control` and `guard`.

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
