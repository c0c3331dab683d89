//! The fields that another room has behind an awaitable's struct.

use greenloop_cpython::{Dead, Longer, Native, Visited, Visitor};

use super::Awaitable;

/// A struct that goes on behind an awaitable's, for the awaitables of one [`Operation`].
///
/// Any awaitable may be given to the functions, also one that is none of these.
///
/// # Safety
/// [`visit`](Self::visit) shows only references that these fields own, each once.
///
/// [`Operation`]: super::Operation
pub unsafe trait MoreFields: Longer<Awaitable> {
    /// The awaitable is finished and holds nothing from now on.
    fn finish(this: &Native<Awaitable>);

    /// Shows the held objects to the garbage collector.
    fn visit(this: &Native<Awaitable>, visitor: &Visitor) -> Visited;

    /// Gives the memory of a dead awaitable back.
    fn free(dead: Dead<Awaitable>);
}

/// The functions for such fields, which only [`of`](Self::of) puts together.
pub struct Behind {
    pub(super) finish: fn(&Native<Awaitable>),
    pub(super) visit: fn(&Native<Awaitable>, &Visitor) -> Visited,
    pub(super) free: fn(Dead<Awaitable>),
}

impl Behind {
    /// The functions of `T`.
    pub const fn of<T: MoreFields>() -> Self {
        Self {
            finish: T::finish,
            visit: T::visit,
            free: T::free,
        }
    }
}
