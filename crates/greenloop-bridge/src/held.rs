//! Python objects that a Rust future holds and the garbage collector sees.

use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use pyo3::ffi::visitproc;
use pyo3::prelude::*;

use crate::thread::Thread;

/// An object that is shown to the collector by the future during whose poll it was put here.
#[derive(Default)]
pub struct Held(Arc<Entry>);

type Entry = Mutex<Option<Py<PyAny>>>;

/// The objects that the futures within one awaitable hold. The entries belong to those futures.
#[derive(Default)]
pub struct HeldObjects(Mutex<Vec<Weak<Entry>>>);

impl Held {
    /// Holds `object` from now on.
    pub fn set(&self, object: Py<PyAny>) {
        *lock(&self.0) = Some(object);
        let held_objects = Thread::with(|thread| thread.held_objects.get());
        // SAFETY: set for the time of a poll, by which the held objects are borrowed.
        if let Some(held_objects) = unsafe { held_objects.as_ref() } {
            let mut entries = lock(&held_objects.0);
            entries.retain(|entry| entry.strong_count() != 0);
            entries.push(Arc::downgrade(&self.0));
        }
    }

    /// A new reference to the object.
    pub fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.0).as_ref().map(|object| object.clone_ref(py))
    }

    /// Releases the object.
    pub fn take(&self) -> Option<Py<PyAny>> {
        lock(&self.0).take()
    }
}

impl HeldObjects {
    /// Runs a poll, which must not unwind, in which objects are put here.
    #[inline]
    pub fn during<R>(&self, thread: &Thread, poll: impl FnOnce() -> R) -> R {
        let before = thread.held_objects.replace(self);
        let result = poll();
        thread.held_objects.set(before);
        result
    }

    /// Shows all of them. An object that is being changed counts as held by others.
    ///
    /// # Safety
    /// Called from a `tp_traverse` with the arguments it was given.
    pub unsafe fn visit(&self, visit: visitproc, arg: *mut c_void) -> c_int {
        let Some(entries) = try_lock(&self.0) else {
            return 0;
        };
        for entry in entries.iter().filter_map(Weak::upgrade) {
            let Some(object) = try_lock(&entry) else {
                continue;
            };
            if let Some(object) = object.as_ref() {
                // SAFETY: the caller passes the collector's own function and argument.
                let stop = unsafe { visit(object.as_ptr(), arg) };
                if stop != 0 {
                    return stop;
                }
            }
        }
        0
    }
}

/// No Python code runs while one of these is locked, and nothing panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
