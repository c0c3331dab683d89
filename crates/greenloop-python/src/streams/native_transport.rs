//! What a writer asks of its transport without a call of Python's.
//!
//! A writer takes any transport and calls its methods by name. Of those that are exactly ours it
//! asks the same without these calls, of which each write that is drained has two.
//! Transports know streams, since they feed them, so what a writer needs of them is handed in.
//!
//! ```text
//!    Writer ── write, drain ──► a class of ours, as it was made? ── yes ─► its function
//!                                                                └─ no ──► its method, by name
//! ```
//! A method that a program has replaced, on the class or on a transport, is seen: the class has
//! another version then, or the transport has attributes.

use greenloop_cpython::{GilOnce, Object, Result};

use crate::asyncio::globals;

/// A class of transports. Each function returns `None` for an object of another class, or with a
/// replaced method: that has to be called by name.
#[derive(Clone, Copy)]
pub struct NativeTransport {
    /// `is_closing()`.
    pub is_closing: fn(&Object) -> Option<Result<bool>>,
    /// `write(data)`.
    pub write: fn(&Object, &Object) -> Option<Result<()>>,
}

/// The classes, the most frequent first.
static NATIVE: GilOnce<[NativeTransport; 2]> = GilOnce::new();

/// Hands in the classes. Called once, by the module's import.
pub fn set_native_transports(classes: [NativeTransport; 2]) {
    NATIVE.keep(classes);
}

/// `transport.is_closing()`.
///
/// # Errors
/// Those of the method, and of the truth of its answer.
#[inline]
pub fn is_closing(transport: &Object) -> Result<bool> {
    let mut classes = NATIVE.get().into_iter().flatten();
    if let Some(answer) = classes.find_map(|class| (class.is_closing)(transport)) {
        return answer;
    }
    let name = &globals().names.is_closing;
    transport.invoke(name, [])?.is_true()
}

/// `transport.write(data)`, whose result is dropped.
///
/// # Errors
/// Those of the method.
#[inline]
pub fn write(transport: &Object, data: &Object) -> Result<()> {
    let mut classes = NATIVE.get().into_iter().flatten();
    if let Some(outcome) = classes.find_map(|class| (class.write)(transport, data)) {
        return outcome;
    }
    transport.invoke(&globals().names.write, [data]).map(drop)
}
