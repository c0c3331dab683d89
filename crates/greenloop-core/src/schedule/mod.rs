//! Schedules: the orders in which a program's jobs may run, chosen, written down and run again.
//!
//! asyncio promises an order for most jobs and leaves some of it open: which of two timers with the
//! same deadline comes first, when input and the results of other threads arrive. A program that
//! works in one order may fail in another. Here a turn's jobs are put into another order than
//! asyncio's ([`Arranger`]), by choices ([`Choices`]) that are random by a seed or given in full.
//!
//! ```text
//!   turn: the jobs are complete ──► Arranger ── may this one come later, and how much? ──► Choices
//!                                      └── puts it behind others, or holds it back for turns
//! ```
//! Each job that may come later is a point, and points are numbered. A choice of 0 is asyncio's
//! order, so a schedule is the short list of its other choices ([`Deviation`]), and a [`Token`] is
//! that list as text.

mod arranger;
mod choices;
mod token;

pub use arranger::{Arranger, Batch, Source};
pub use choices::{Choices, Deviation};
pub use token::{BadToken, Origin, Token};

/// Which orders may be chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Only orders that production can have: what arrives from outside, and timers with the same
    /// deadline, in any order and late.
    Exact,
    /// Any job that is ready may be late, too.
    Hostile,
}
