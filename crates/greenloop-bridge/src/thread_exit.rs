//! What happens to a daemon thread when the interpreter ends under it.
//!
//! Up to 3.13 CPython ends such a thread, the next time it asks for the GIL, with `pthread_exit`,
//! which unwinds its stack. The stack holds frames of ours: Rust would run their destructors
//! without the GIL, and abort the process where it catches panics. From 3.14 on CPython holds the
//! thread for ever instead, and so do Greenloop and its bridge, which share this guard: it does not
//! let an unwinding pass.
//!
//! It must be next to the call. The compiler takes the functions of `pyo3::ffi` for ones that never
//! unwind: it leaves no trace in the unwinding tables of who calls them, and no guard further up
//! the stack would run. So pyo3's methods that enter Python cannot be guarded, and the bridge has
//! some of its own.

/// Dropped by an unwinding that is no panic, holds the thread for ever.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        while !std::thread::panicking() {
            std::thread::park();
        }
    }
}

/// Runs `call`, out of which the interpreter may end the thread. Costs nothing if it does not.
#[inline]
pub fn guarded<R>(call: impl FnOnce() -> R) -> R {
    let guard = Guard;
    let result = call();
    std::mem::forget(guard);
    result
}
