//! `Window`: our memory as an object that has a buffer, for the length of one native call.
//!
//! The functions of the `ssl` module take bytes from, and put them into, any object that has a
//! buffer. There is one window per process, which shows another piece of memory each time, where a
//! memoryview would have to be made and thrown away. It is given only to the native functions of
//! `ssl`: they use it at once, before they release the GIL, and keep neither it nor its buffer.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use greenloop_cpython::{ClassBuilder, ExceptionClass, GilCell, Object, Raised, Result};
use pyo3::ffi;

use crate::asyncio::globals;

/// The C struct of a window.
#[repr(C)]
struct Window {
    header: ffi::PyObject,
    start: Cell<*mut u8>,
    length: Cell<usize>,
    read_only: Cell<bool>,
}

/// The one that there is, once it was made.
static WINDOW: GilCell<Option<Object>> = GilCell::new(None);

/// The window to show memory through, which is made at the first call.
fn window() -> Result<Object> {
    if let Some(window) = WINDOW.with(|window| window.clone()) {
        return Ok(window);
    }
    let class = globals().classes.window.as_ptr();
    // SAFETY: the allocator gives a zeroed block laid out as the struct, which shows no memory.
    let window = unsafe { Object::from_returned(ffi::PyType_GenericAlloc(class, 0))? };
    let there = WINDOW.with(|place| place.replace(window.clone()));
    drop(there);
    Ok(window)
}

/// Calls `call` with a window on the memory, and ends the window afterwards, even if other code
/// has it.
fn show<R>(
    start: *mut u8,
    length: usize,
    read_only: bool,
    call: impl FnOnce(&Object) -> Result<R>,
) -> Result<R> {
    let object = window()?;
    // SAFETY: the object was made by `window`.
    let window = unsafe { &*object.as_ptr().cast::<Window>() };
    window.start.set(start);
    window.length.set(length);
    window.read_only.set(read_only);
    let result = call(&object);
    window.start.set(ptr::null_mut());
    window.length.set(0);
    result
}

/// Calls a native function with an object that shows some bytes.
///
/// # Safety
/// The function takes the buffer before it releases the GIL, and does not keep it.
#[inline]
pub unsafe fn show_bytes<R>(bytes: &[u8], call: impl FnOnce(&Object) -> Result<R>) -> Result<R> {
    show(bytes.as_ptr().cast_mut(), bytes.len(), true, call)
}

/// Calls a native function with an object that shows memory to be written.
///
/// # Safety
/// As for [`show_bytes`]; the function writes from the start of the memory and does not read it.
#[inline]
pub unsafe fn show_room<R>(
    room: &mut [MaybeUninit<u8>],
    call: impl FnOnce(&Object) -> Result<R>,
) -> Result<R> {
    show(room.as_mut_ptr().cast(), room.len(), false, call)
}

/// Fills a view with the memory that is shown now, which is none between two calls.
unsafe extern "C" fn give_buffer(
    this: *mut ffi::PyObject,
    view: *mut ffi::Py_buffer,
    flags: c_int,
) -> c_int {
    // SAFETY: called by the interpreter on a window, with a view to be filled; the memory is valid
    // for the length of the call that the window was given to.
    unsafe {
        let window = &*this.cast::<Window>();
        let Ok(length) = ffi::Py_ssize_t::try_from(window.length.get()) else {
            let Raised =
                greenloop_cpython::raise(ExceptionClass::OverflowError, c"too much memory");
            return -1;
        };
        let read_only = c_int::from(window.read_only.get());
        ffi::PyBuffer_FillInfo(
            view,
            this,
            window.start.get().cast(),
            length,
            read_only,
            flags,
        )
    }
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    ClassBuilder::new::<Window>(c"greenloop._native.Window")
        .collected_as_base()
        .not_callable()
        .doc(c"Memory that a function of the ssl module reads or writes.")
        .slot(ffi::Py_bf_getbuffer, give_buffer as *mut c_void)
        .build(None)
}
