//! The exceptions that mean a cancellation.

use greenloop_cpython::{Object, is_of_class};

use super::globals::globals;

/// Whether `exception` is a `CancelledError`.
pub fn is_cancellation(exception: &Object) -> bool {
    is_of_class(exception, &globals().asyncio.cancelled_error)
}
