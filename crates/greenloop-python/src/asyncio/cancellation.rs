//! The exceptions that mean a cancellation.
//!
//! `CancelledError` is a `BaseException` and no `Exception`, so a program that catches the latter
//! lets a cancellation through. Native code has to make the same distinction wherever it holds an
//! exception back.

use greenloop_cpython::{Object, is_of_class};

use super::globals::globals;

/// Whether `exception` is a `CancelledError`.
///
/// Subclasses count. The class is that of `asyncio.exceptions`, looked up at import. Runs no code.
pub fn is_cancellation(exception: &Object) -> bool {
    is_of_class(exception, &globals().asyncio.cancelled_error)
}
