//! The table of C functions that `greenloop-bridge` imports.
//!
//! An extension gets the table from the capsule `_BRIDGE` of the module, and calls its functions
//! without linking to this one. The version, and the size for fields added at the end, tell both
//! sides what the other knows; the layout is defined in `crates/greenloop-bridge/src/abi.rs` alone.
//!
//! No function unwinds into the caller. Which of them need the GIL: `create`, `awaitable` and
//! `wake_awaitable` do, the others may be called by any thread.

use std::ffi::c_void;
use std::mem::ManuallyDrop;

use greenloop_bridge::abi;
use greenloop_cpython::{Native, Object, holds_gil, trap};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::future::{ALIGNMENT, ROOM};
use super::{Holder, RustFuture};
use crate::awaitable::Awaitable;

static TABLE: abi::Table = abi::Table {
    version: abi::VERSION,
    #[expect(clippy::cast_possible_truncation, reason = "a dozen words")]
    size: size_of::<abi::Table>() as u32,
    room: ROOM,
    alignment: ALIGNMENT,
    create,
    awaitable,
    wake_awaitable,
    wake_polled,
    waker_of_polled,
    clone_waker,
    wake,
    drop_waker,
    wake_and_drop,
};

/// Adds the capsule with the table to the module.
pub fn add_capsule(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let table = (&raw const TABLE).cast_mut().cast();
    // SAFETY: the table and the name live for ever.
    let capsule =
        unsafe { Object::from_returned(ffi::PyCapsule_New(table, abi::CAPSULE.as_ptr(), None))? };
    module.add("_BRIDGE", capsule.bound(module.py()))
}

/// Makes an awaitable for a Rust future of `kind`, and gives the caller the memory that the future
/// is to be moved into.
unsafe extern "C" fn create(kind: *const abi::Kind, place: *mut *mut c_void) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the caller passes a constant, and a place for the pointer.
        unsafe {
            let (awaitable, memory) = RustFuture::create(&*kind)?;
            *place = memory;
            Ok(awaitable)
        }
    })
}

/// The awaitable of the future that is being polled, as a new reference.
///
/// # Safety `polled` is what `poll` was given, and that call has not returned. GIL.
unsafe extern "C" fn awaitable(polled: *const c_void) -> *mut ffi::PyObject {
    // SAFETY: it is what `poll` was given, and poll runs with the GIL held.
    let awaitable = unsafe { Native::carrying(RustFuture::of_polled(polled).awaitable()) };
    awaitable.into_object().into_ptr()
}

/// Wakes the task that awaits the object, with the GIL held. An object of any other class is left
/// alone.
unsafe extern "C" fn wake_awaitable(awaitable: *mut ffi::PyObject) {
    // SAFETY: the caller passes a valid object, and holds the GIL.
    let awaitable = unsafe { Object::from_borrowed(awaitable) };
    if let Some(awaitable) = Awaitable::native(&awaitable) {
        RustFuture::wake(awaitable);
    }
}

/// Wakes the future that is being polled, from within its own poll or from another thread.
unsafe extern "C" fn wake_polled(polled: *const c_void) {
    // SAFETY: it is what `poll` was given, and poll runs.
    let future = unsafe { RustFuture::of_polled(polled) };
    if holds_gil() {
        future.note_wake();
    } else {
        future.holder().wake_by_ref();
    }
}

/// A waker of the future that is being polled, which may outlive the poll and go to any thread. The
/// first one allocates the record that all of them share.
unsafe extern "C" fn waker_of_polled(polled: *const c_void) -> *const c_void {
    // SAFETY: only a future that is being polled is asked for its waker.
    let future = unsafe { RustFuture::of_polled(polled) };
    Holder::clone(&future.holder()).into_raw().cast()
}

/// The holder that a waker is, which the caller keeps.
unsafe fn borrowed(waker: *const c_void) -> ManuallyDrop<Holder> {
    // SAFETY: a waker is a holder that was given away.
    ManuallyDrop::new(unsafe { Holder::from_raw(waker.cast()) })
}

/// Another waker, at the price of an atomic addition.
unsafe extern "C" fn clone_waker(waker: *const c_void) -> *const c_void {
    // SAFETY: the caller passes a waker that it holds.
    let waker = unsafe { borrowed(waker) };
    Holder::clone(&waker).into_raw().cast()
}

/// Wakes without giving the waker away.
unsafe extern "C" fn wake(waker: *const c_void) {
    // SAFETY: a waker of the caller's, which goes on holding it.
    unsafe { borrowed(waker) }.wake_by_ref();
}

/// Takes a waker back. The last one lets go of the awaitable, on the loop's thread if this one has
/// no GIL.
unsafe extern "C" fn drop_waker(waker: *const c_void) {
    // SAFETY: the caller passes a waker that it holds, and gives it away.
    drop(unsafe { Holder::from_raw(waker.cast()) });
}

/// Wakes and takes the waker back, in one step.
unsafe extern "C" fn wake_and_drop(waker: *const c_void) {
    // SAFETY: the caller's waker, which ends with the wake-up.
    unsafe { Holder::from_raw(waker.cast()) }.wake();
}
