//! The running asyncio: its names, functions and classes, looked up once, its [`edition`], and the
//! questions that we ask it.
//!
//! This is the lowest room above the edge: it knows no class of ours. Everything is looked up at
//! import, by `initialise`, because nothing can be imported any more while the interpreter ends.

mod cancellation;
mod creation_stack;
pub mod edition;
mod globals;
mod names;
mod running_loop;

pub use cancellation::is_cancellation;
pub use creation_stack::{creation_stack, launcher_file, set_launcher_file};
pub use globals::{globals, initialise};
pub use running_loop::{current_loop, running_loop, running_loop_or_none};
