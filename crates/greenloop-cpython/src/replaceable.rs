//! A name in a module whose value may be replaced, and nearly never is.
//!
//! Tests replace `time.monotonic`. Looking up a name costs as much as reading a clock, so the
//! interpreter reports changes instead: from 3.12 on it calls the watchers of a dictionary, and
//! 3.11 gives each state of a dictionary its own number.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::making::{self, ByName as _};

/// One such name. The objects are held for ever.
pub struct Replaceable {
    /// Whether the value has to be looked at. Set when the dictionary changes, and cleared when the
    /// value is found to be the original; for ever set if changes are not reported.
    suspect: AtomicBool,
    /// Whether changes are reported.
    watched: AtomicBool,
    dictionary: AtomicPtr<ffi::PyObject>,
    name: AtomicPtr<ffi::PyObject>,
    original: AtomicPtr<ffi::PyObject>,
    #[cfg(not(Py_3_12))]
    version: std::sync::atomic::AtomicU64,
}

/// The clock of asyncio's loops: `time.monotonic`.
pub static MONOTONIC: Replaceable = Replaceable::unknown();

impl Replaceable {
    const fn unknown() -> Self {
        Self {
            suspect: AtomicBool::new(true),
            watched: AtomicBool::new(false),
            dictionary: AtomicPtr::new(ptr::null_mut()),
            name: AtomicPtr::new(ptr::null_mut()),
            original: AtomicPtr::new(ptr::null_mut()),
            #[cfg(not(Py_3_12))]
            version: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// Takes the present value for the original. Called once, by the module's import.
    fn watch(&'static self, py: Python<'_>, module: &CStr, name: &CStr) -> PyResult<()> {
        let module = making::import(py, module)?;
        let original = module.look_up(name)?;
        let name = making::interned(name)?;
        self.dictionary.store(
            module.cast::<PyModule>()?.dict().into_ptr(),
            Ordering::Relaxed,
        );
        self.name.store(name.into_ptr(), Ordering::Relaxed);
        self.original.store(original.into_ptr(), Ordering::Relaxed);
        self.watched
            .store(self.ask_for_changes(), Ordering::Relaxed);
        Ok(())
    }

    /// Whether the value is the one from the beginning.
    #[inline]
    pub fn is_original(&self) -> bool {
        !self.is_suspect() || self.look()
    }

    #[cfg(Py_3_12)]
    #[inline]
    fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed)
    }

    /// Looks the value up. A name that is gone, or `None` as at the end of the interpreter, was not
    /// replaced.
    #[cold]
    fn look(&self) -> bool {
        let dictionary = self.dictionary.load(Ordering::Relaxed);
        if dictionary.is_null() {
            return true;
        }
        self.note_version(dictionary);
        // SAFETY: the GIL is held, and both objects are held for ever. The result is borrowed;
        // strings are compared without an error.
        let value = unsafe { ffi::PyDict_GetItem(dictionary, self.name.load(Ordering::Relaxed)) };
        let is_original = value.is_null()
            || value == self.original.load(Ordering::Relaxed)
            // SAFETY: compares addresses.
            || value == unsafe { ffi::Py_None() };
        let watched = self.watched.load(Ordering::Relaxed);
        self.suspect
            .store(!(is_original && watched), Ordering::Relaxed);
        is_original
    }
}

#[cfg(Py_3_12)]
mod watching {
    use std::ffi::c_int;

    use super::{MONOTONIC, Ordering, Replaceable, ffi};

    type Callback = unsafe extern "C" fn(
        c_int,
        *mut ffi::PyObject,
        *mut ffi::PyObject,
        *mut ffi::PyObject,
    ) -> c_int;

    unsafe extern "C" {
        /// Returns the number of a new watcher, or -1 with an exception set if all are taken.
        fn PyDict_AddWatcher(callback: Callback) -> c_int;
    }

    /// Called before a change, whichever it is.
    unsafe extern "C" fn note_change(
        _event: c_int,
        _dictionary: *mut ffi::PyObject,
        _key: *mut ffi::PyObject,
        _value: *mut ffi::PyObject,
    ) -> c_int {
        MONOTONIC.suspect.store(true, Ordering::Relaxed);
        0
    }

    impl Replaceable {
        pub(super) fn ask_for_changes(&'static self) -> bool {
            // SAFETY: the GIL is held, the callback lives for ever, and the dictionary is one.
            unsafe {
                let watcher = PyDict_AddWatcher(note_change);
                let told = watcher >= 0
                    && ffi::PyDict_Watch(watcher, self.dictionary.load(Ordering::Relaxed)) == 0;
                if !told {
                    ffi::PyErr_Clear();
                }
                told
            }
        }

        #[expect(clippy::unused_self, reason = "3.11 has something to note")]
        pub(super) fn note_version(&self, _dictionary: *mut ffi::PyObject) {}
    }
}

#[cfg(not(Py_3_12))]
mod versions {
    use super::{Ordering, Replaceable, ffi};

    impl Replaceable {
        #[expect(
            clippy::unused_self,
            reason = "later versions have a dictionary to watch"
        )]
        pub(super) fn ask_for_changes(&'static self) -> bool {
            true
        }

        #[inline]
        pub(super) fn is_suspect(&self) -> bool {
            let dictionary = self.dictionary.load(Ordering::Relaxed);
            self.suspect.load(Ordering::Relaxed)
                || self.version.load(Ordering::Relaxed) != version_of(dictionary)
        }

        pub(super) fn note_version(&self, dictionary: *mut ffi::PyObject) {
            self.version
                .store(version_of(dictionary), Ordering::Relaxed);
        }
    }

    #[inline]
    fn version_of(dictionary: *mut ffi::PyObject) -> u64 {
        // SAFETY: it is a dictionary, which is held for ever; the GIL is held.
        unsafe { (*dictionary.cast::<ffi::PyDictObject>()).ma_version_tag }
    }
}

/// Begins to watch. Called once, by the module's import.
pub fn watch_names(py: Python<'_>) -> PyResult<()> {
    MONOTONIC.watch(py, c"time", c"monotonic")
}
