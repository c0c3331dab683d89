//! The table of C functions that `greenloop-bridge` imports.

use std::ffi::c_void;
use std::sync::Arc;

use greenloop_bridge::abi;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::future::{ALIGNMENT, ROOM};
use super::remote::holds_gil;
use super::{Remote, RustFuture};
use crate::awaitable::Awaitable;
use crate::interop::{Object, trap};

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
};

/// Adds the capsule with the table to the module.
pub fn add_capsule(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let table = (&raw const TABLE).cast_mut().cast();
    // SAFETY: the table and the name live for ever.
    let capsule =
        unsafe { Object::from_returned(ffi::PyCapsule_New(table, abi::CAPSULE.as_ptr(), None))? };
    module.add("_BRIDGE", capsule.bound(module.py()))
}

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

unsafe extern "C" fn awaitable(polled: *const c_void) -> *mut ffi::PyObject {
    // SAFETY: it is what `poll` was given, and poll runs.
    unsafe { RustFuture::of_polled(polled) }
        .awaitable()
        .into_ptr()
}

unsafe extern "C" fn wake_awaitable(awaitable: *mut ffi::PyObject) {
    // SAFETY: the caller passes a valid object, and holds the GIL.
    let awaitable = unsafe { Object::from_borrowed(awaitable) };
    if Awaitable::is_native(&awaitable) {
        RustFuture::wake(&awaitable);
    }
}

unsafe extern "C" fn wake_polled(polled: *const c_void) {
    // SAFETY: it is what `poll` was given, and poll runs.
    let future = unsafe { RustFuture::of_polled(polled) };
    if holds_gil() {
        future.note_wake();
    } else {
        future.remote().wake();
    }
}

unsafe extern "C" fn waker_of_polled(polled: *const c_void) -> *const c_void {
    // SAFETY: it is what `poll` was given, and poll runs.
    let future = unsafe { RustFuture::of_polled(polled) };
    future.remote().add_waker().cast()
}

/// The remote behind a waker, which keeps it.
unsafe fn remote(waker: *const c_void) -> std::mem::ManuallyDrop<Arc<Remote>> {
    // SAFETY: a waker is what `Remote::add_waker` returned.
    std::mem::ManuallyDrop::new(unsafe { Arc::from_raw(waker.cast()) })
}

unsafe extern "C" fn clone_waker(waker: *const c_void) -> *const c_void {
    // SAFETY: the caller passes a waker that it holds.
    unsafe { remote(waker) }.add_waker().cast()
}

unsafe extern "C" fn wake(waker: *const c_void) {
    // SAFETY: as above.
    unsafe { remote(waker) }.wake();
}

unsafe extern "C" fn drop_waker(waker: *const c_void) {
    // SAFETY: the caller passes a waker that it holds, and gives it away.
    unsafe { Arc::<Remote>::from_raw(waker.cast()) }.drop_waker();
}
