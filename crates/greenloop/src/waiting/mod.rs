//! The parts of a wait: the target to wake, the line of waiters, and a wait that can be given up at
//! any time.

mod line;
mod wait;
mod wake_target;

pub use line::{Line, Waiter};
pub use wait::{Operation, Wait};
pub use wake_target::WakeTarget;

/// The value of a result that cannot be an error: waking one of our waiters never fails.
#[inline]
pub fn certain<T>(result: Result<T, std::convert::Infallible>) -> T {
    let Ok(value) = result;
    value
}
