//! A value in a dictionary that is written again and again under the same key.
//!
//! `PyDict_SetItem` hashes the key and searches for it each time, which is a tenth of a task's step
//! where asyncio keeps the current task in a dictionary (up to CPython 3.13). So the place of the
//! value is remembered, together with the facts that prove the place is still right: the table that
//! the dictionary uses, how far that table is filled, and which key is there. If any of them has
//! changed, the caller goes the usual way. It also does so if the interpreter is not laid out as
//! expected, which is verified at import.

use std::cell::Cell;
use std::ptr;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;

use super::dict::Dict;
use super::error::Result;
use super::making::{self, ByName as _};
use super::object::Object;

/// CPython's `PyDictKeysObject` of 3.11 to 3.13, without the indices and entries that follow it.
#[repr(C)]
struct Table {
    references: isize,
    log2_size: u8,
    log2_index_bytes: u8,
    kind: u8,
    version: u32,
    usable: isize,
    filled: isize,
}

/// A `kind` whose keys may be of any class, and whose entries are `Entry`s.
const GENERAL: u8 = 0;

/// The low bits of a dictionary's version name its watchers, from 3.12 on.
#[cfg(Py_3_12)]
const WATCHERS: u64 = 0xff;

#[repr(C)]
struct Entry {
    hash: isize,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
}

/// Whether tables look as described here. Unset before [`verify_dict_layout`] is called.
static WORKS: OnceLock<bool> = OnceLock::new();

/// The place of one key's value in one dictionary.
pub struct DictEntry {
    table: Cell<*mut Table>,
    /// The entry's number in the table.
    index: Cell<isize>,
    entry: Cell<*mut Entry>,
}

impl DictEntry {
    /// A place that is not known yet.
    pub const fn unknown() -> Self {
        Self {
            table: Cell::new(ptr::null_mut()),
            index: Cell::new(0),
            entry: Cell::new(ptr::null_mut()),
        }
    }

    /// Does `dictionary[key] = value`. The old value is dropped last, which may run user code.
    #[inline]
    pub fn put(&self, dictionary: &Dict, key: &Object, value: &Object) -> Result<()> {
        if self.replace(dictionary, key, value) {
            return Ok(());
        }
        dictionary.set(key, value)?;
        self.remember(dictionary, key);
        Ok(())
    }

    /// The same if `key` has a value whose place is known; or nothing, and returns false.
    #[inline]
    fn replace(&self, dictionary: &Dict, key: &Object, value: &Object) -> bool {
        let table = self.table.get();
        let dictionary = dictionary.as_ptr();
        // SAFETY: the dictionary is valid. If the table is the dictionary's own, it is alive, and
        // so are the entries of which it says that they were filled; what stands there is a key and
        // a value, or null.
        unsafe {
            if table.is_null() || table_of(dictionary) != table || is_watched(dictionary) {
                return false;
            }
            // Another table may lie where this one was.
            let entry = self.entry.get();
            if self.index.get() >= (*table).filled
                || entry != entries(table).offset(self.index.get())
            {
                return false;
            }
            let old = (*entry).value;
            if (*entry).key != key.as_ptr() || old.is_null() {
                return false;
            }
            if old != value.as_ptr() {
                (*entry).value = value.clone().into_ptr();
                ffi::Py_DECREF(old);
            }
            true
        }
    }

    /// Finds the place of `key`, which has just been set.
    fn remember(&self, dictionary: &Dict, key: &Object) {
        self.table.set(ptr::null_mut());
        if WORKS.get() == Some(&true) {
            // SAFETY: a dict.
            unsafe { self.find(dictionary.as_ptr(), key.as_ptr()) };
        }
    }

    unsafe fn find(&self, dictionary: *mut ffi::PyObject, key: *mut ffi::PyObject) {
        // SAFETY: as in `replace`. A dictionary of a class's instance shares its keys, but has none
        // of any class.
        unsafe {
            let table = table_of(dictionary);
            if (*table).kind != GENERAL {
                return;
            }
            let entries = entries(table);
            // The key that was set last is at the end.
            for index in (0..(*table).filled).rev() {
                let entry = entries.offset(index);
                if (*entry).key == key && !(*entry).value.is_null() {
                    self.table.set(table);
                    self.index.set(index);
                    self.entry.set(entry);
                    return;
                }
            }
        }
    }
}

unsafe fn table_of(dictionary: *mut ffi::PyObject) -> *mut Table {
    // SAFETY: the caller passes a dictionary.
    unsafe { (*dictionary.cast::<ffi::PyDictObject>()).ma_keys.cast() }
}

#[cfg(not(Py_3_12))]
unsafe fn is_watched(_dictionary: *mut ffi::PyObject) -> bool {
    false
}

#[cfg(Py_3_12)]
unsafe fn is_watched(dictionary: *mut ffi::PyObject) -> bool {
    #[allow(
        deprecated,
        reason = "the field is gone where this file is not compiled any more"
    )]
    // SAFETY: the caller passes a dictionary.
    unsafe {
        (*dictionary.cast::<ffi::PyDictObject>()).ma_version_tag & WATCHERS != 0
    }
}

/// The entries follow the indices.
unsafe fn entries(table: *mut Table) -> *mut Entry {
    // SAFETY: the caller passes a dictionary's table.
    unsafe {
        let behind = table.add(1).cast::<u8>();
        behind.add(1 << (*table).log2_index_bytes).cast()
    }
}

/// Whether tables look as described here.
pub fn is_known() -> bool {
    WORKS.get() == Some(&true)
}

/// Tries out whether dictionaries are laid out as described here. Called once, by the module's
/// import.
pub fn verify_dict_layout(py: Python<'_>) -> PyResult<()> {
    let _ = WORKS.set(works(py)?);
    Ok(())
}

fn works(py: Python<'_>) -> PyResult<bool> {
    let class = making::import(py, c"builtins")?.look_up(c"object")?;
    let new = || class.call0();
    let keys = [Object::from(new()?), new()?.into(), new()?.into()];
    let plain = making::dict(py)?;
    let Some(dictionary) = Dict::of(&plain.clone().into_any().into()) else {
        return Ok(false);
    };
    for key in &keys {
        dictionary.set(key, &Object::none())?;
    }
    for key in &keys {
        let (place, value) = (DictEntry::unknown(), Object::from(new()?));
        // SAFETY: a dictionary of this interpreter, which has the key.
        unsafe { place.find(dictionary.as_ptr(), key.as_ptr()) };
        let replaced = place.replace(&dictionary, key, &value);
        let found = dictionary.get(key)?;
        if !replaced || !found.is_some_and(|found| value.is(found.as_ptr())) {
            return Ok(false);
        }
        // A key that is gone, or was set elsewhere, is not written.
        dictionary.remove(key)?;
        if place.replace(&dictionary, key, &value) {
            return Ok(false);
        }
    }
    Ok(plain.is_empty())
}
