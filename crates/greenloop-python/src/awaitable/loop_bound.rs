//! The loop that a primitive belongs to, by the rules of asyncio's `mixins._LoopBoundMixin`.
//!
//! From 3.10 on a primitive gets its loop when it is first waited on, not when it is made, so that
//! it can be a module's global. Using it on a second loop raises a `RuntimeError` at the first wait
//! there, and never where the primitive does not have to wait.

use greenloop_cpython::making;
use greenloop_cpython::{Object, Raised, Result, Slot};

use crate::asyncio::running_loop_or_none;

/// The loop that a primitive belongs to: the one it first waited on. All zeroes is none yet.
pub struct LoopBound {
    event_loop: Slot,
}

impl LoopBound {
    /// Bound to no loop.
    pub const fn new() -> Self {
        Self {
            event_loop: Slot::empty(),
        }
    }

    /// The loop, if there is one yet.
    pub const fn slot(&self) -> &Slot {
        &self.event_loop
    }

    /// The names of the attributes that asyncio's instance has: `names`, and `_loop` once it is
    /// bound.
    pub fn with_loop(&self, names: &[&'static str]) -> Vec<&'static str> {
        let bound = (!self.event_loop.is_empty()).then_some("_loop");
        names.iter().copied().chain(bound).collect()
    }

    /// Binds to the running loop, or checks that it is the one bound to.
    ///
    /// `running` is the slot of the task's loop, which is compared by identity: no method is
    /// called.
    #[inline]
    pub(super) fn bind_to(&self, running: &Slot, owner: &Object) -> Result<()> {
        if self.event_loop.is_empty() {
            self.event_loop.set_optional(running.get());
        } else if self.event_loop.as_ptr() != running.as_ptr() {
            return Err(other_loop(owner));
        }
        Ok(())
    }

    /// The running loop, to which the primitive is bound now. Without one it is None, on which no
    /// task can wait.
    ///
    /// Asks `asyncio.events`, so that libraries which replace its functions are heard.
    pub fn running_loop(&self, owner: &Object) -> Result<Object> {
        let running = running_loop_or_none()?;
        if self.event_loop.is_empty() && !running.is_none() {
            self.event_loop.set(running.clone());
        }
        let bound = self.event_loop.get_or_none();
        if bound.is(running.as_ptr()) {
            Ok(running)
        } else {
            Err(other_loop(owner))
        }
    }
}

/// The `RuntimeError` of a primitive that belongs to another loop. Calls `repr` of the primitive.
#[cold]
fn other_loop(owner: &Object) -> Raised {
    match making::represented(owner) {
        Ok(text) => {
            // Programs know the object by the name that asyncio's has, and look for that.
            let text = match text.strip_prefix("<greenloop.") {
                Some(rest) => format!("<asyncio.locks.{rest}"),
                None => text,
            };
            making::runtime_error(&format!("{text} is bound to a different event loop"))
        }
        Err(raised) => raised,
    }
}
