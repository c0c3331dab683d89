//! The end of the interpreter, as a daemon thread meets it.
//!
//! Up to 3.13 CPython ends such a thread, the next time it asks for the GIL, with `pthread_exit`,
//! which unwinds its stack. The stack holds our frames: Rust would run their destructors without
//! the GIL, and abort the process where it catches panics. From 3.14 on CPython blocks the thread
//! for ever instead. Greenloop and its bridge do the same on earlier versions by this guard, which
//! they share: it does not let an unwinding pass.
//!
//! The guard must be next to the call. The compiler assumes that the functions of `pyo3::ffi` never
//! unwind: their callers have no entries in the unwinding tables, and no guard further up the stack
//! would run. So pyo3's methods that enter Python cannot be guarded, and the bridge has its own.

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
