//! `BufferExporter`: our memory as an object that has a buffer, for the length of one native call.
//!
//! There is one exporter per process, which shows another piece of memory each time, where a
//! memoryview would have to be made and thrown away. It is given only to native functions that use
//! it at once, before they release the GIL, and keep neither it nor its buffer.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::{ptr, slice};

use pyo3::ffi;

use super::buffer::Buffer;
use super::class::ClassBuilder;
use super::error::{Raised, Result, raise};
use super::exceptions::ExceptionClass;
use super::gil_cell::GilCell;
use super::memory::Memory;
use super::object::Object;

/// The C struct of an exporter.
#[repr(C)]
struct BufferExporter {
    header: ffi::PyObject,
    start: Cell<*mut u8>,
    length: Cell<usize>,
    read_only: Cell<bool>,
}

/// The one that there is, once it was made.
static EXPORTER: GilCell<Option<Object>> = GilCell::new(None);

/// Calls a native function with an object that shows some bytes.
///
/// # Safety
/// The function takes the buffer before it releases the GIL, and does not keep it.
#[inline]
pub unsafe fn show_bytes<R>(
    bytes: Memory<'_>,
    call: impl FnOnce(&Object) -> Result<R>,
) -> Result<R> {
    show(bytes.as_ptr().cast_mut(), bytes.len(), true, call)
}

/// Calls a native function with an object that shows memory to be written. It returns how many
/// bytes it has written, and this returns them.
///
/// # Safety
/// As for [`show_bytes`]; the function reads nothing of the memory, and the bytes that it counts
/// are those at its start.
#[inline]
pub unsafe fn show_room(
    room: &mut [MaybeUninit<u8>],
    call: impl FnOnce(&Object) -> Result<Option<usize>>,
) -> Result<Option<&[u8]>> {
    let (start, most) = (room.as_mut_ptr().cast::<u8>(), room.len());
    let written = show(start, most, false, call)?;
    // SAFETY: the memory is the caller's, and so much of it was written, by its own promise.
    Ok(written.map(|count| unsafe { slice::from_raw_parts(start, count.min(most)) }))
}

/// As [`show_room`], with some of the memory of another object: how many bytes were written. None
/// of it is shown if it is not that long.
///
/// # Safety
/// As for [`show_bytes`].
pub unsafe fn show_part(
    buffer: &mut Buffer<'_>,
    range: Range<usize>,
    call: impl FnOnce(&Object) -> Result<Option<usize>>,
) -> Result<Option<usize>> {
    let exists = range.start <= range.end && range.end <= buffer.len();
    let (start, most) = match buffer.room_pointer() {
        Some(start) if exists => (start.wrapping_add(range.start), range.len()),
        _ => (ptr::null_mut(), 0),
    };
    let written = show(start, most, false, call)?;
    Ok(written.map(|count| count.min(most)))
}

fn show<R>(
    start: *mut u8,
    length: usize,
    read_only: bool,
    call: impl FnOnce(&Object) -> Result<R>,
) -> Result<R> {
    let object = EXPORTER.with(|exporter| exporter.clone());
    let Some(object) = object else {
        return Err(raise(ExceptionClass::SystemError, c"there is no exporter"));
    };
    // SAFETY: the object was made for this struct, by `make_class`.
    let exporter = unsafe { &*object.as_ptr().cast::<BufferExporter>() };
    exporter.start.set(start);
    exporter.length.set(length);
    exporter.read_only.set(read_only);
    let result = call(&object);
    exporter.start.set(ptr::null_mut());
    exporter.length.set(0);
    result
}

/// Fills a view with the memory that is shown now, which is none between two calls.
unsafe extern "C" fn give_buffer(
    this: *mut ffi::PyObject,
    view: *mut ffi::Py_buffer,
    flags: c_int,
) -> c_int {
    // SAFETY: called by the interpreter on an exporter, with a view to be filled; the memory is
    // valid for the length of the call that the exporter was given to.
    unsafe {
        let exporter = &*this.cast::<BufferExporter>();
        let Ok(length) = ffi::Py_ssize_t::try_from(exporter.length.get()) else {
            let Raised = raise(ExceptionClass::OverflowError, c"too much memory");
            return -1;
        };
        let read_only = c_int::from(exporter.read_only.get());
        ffi::PyBuffer_FillInfo(
            view,
            this,
            exporter.start.get().cast(),
            length,
            read_only,
            flags,
        )
    }
}

/// Makes the class, and the exporter.
pub(super) fn make_class() -> Result<()> {
    let class = ClassBuilder::<BufferExporter>::new(c"greenloop._native.BufferExporter")
        .collected_as_base()
        .not_callable()
        .doc(c"Memory that a function of the ssl module reads or writes.")
        .slot(ffi::Py_bf_getbuffer, give_buffer as *mut c_void)
        .build(None)?;
    // SAFETY: the allocator gives a zeroed block laid out as the struct, which shows no memory.
    let exporter =
        unsafe { Object::from_returned(ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0))? };
    let before = EXPORTER.with(|place| place.replace(exporter));
    drop(before);
    Ok(())
}
