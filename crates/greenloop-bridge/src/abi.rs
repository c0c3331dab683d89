//! The contract between the two sides: a table of C functions in a capsule, and the form that a
//! future has in it.
//!
//! Greenloop's extension and this crate's users are built separately, by different compilers and at
//! different times, so only C crosses this boundary. A change of meaning or of layout gets a new
//! [`VERSION`]. Functions may be added at the end of [`Table`]; its `size` tells how many there
//! are.

use std::ffi::{CStr, c_int, c_void};

use pyo3::ffi::{PyObject, visitproc};

/// The version of this interface.
pub const VERSION: u32 = 1;

/// The capsule that holds the [`Table`].
pub const CAPSULE: &CStr = c"greenloop._native._BRIDGE";

/// The answer of [`Kind::poll`] for a future that is not done.
pub const PENDING: c_int = 0;
/// The answer of [`Kind::poll`] with the result, a new reference, in its last argument. The future
/// is gone.
pub const READY: c_int = 1;
/// The answer of [`Kind::poll`] with an exception set. The future is gone.
pub const RAISED: c_int = -1;

/// The functions that Greenloop exports.
#[repr(C)]
pub struct Table {
    /// [`VERSION`] of the table's maker.
    pub version: u32,
    /// The size of the table in bytes.
    pub size: u32,
    /// How many bytes [`create`](Self::create) has for a future.
    pub room: usize,
    /// To a multiple of how many bytes its place is aligned.
    pub alignment: usize,
    /// Makes an awaitable with an empty place, into which the caller moves a future of this kind at
    /// once. NULL with an exception set if that fails. GIL.
    pub create: unsafe extern "C" fn(*const Kind, *mut *mut c_void) -> *mut PyObject,
    /// The awaitable behind the second argument of [`Kind::poll`]: a new reference. GIL.
    pub awaitable: unsafe extern "C" fn(*const c_void) -> *mut PyObject,
    /// Has an awaitable of a Rust future poll it again in the next turn. GIL; leaves exceptions
    /// alone.
    pub wake_awaitable: unsafe extern "C" fn(*mut PyObject),
    /// Wakes the waiter that [`Kind::poll`] was given. Any thread.
    pub wake_polled: unsafe extern "C" fn(*const c_void),
    /// A waker, owned, for the waiter that [`Kind::poll`] was given. Any thread.
    pub waker_of_polled: unsafe extern "C" fn(*const c_void) -> *const c_void,
    /// Another one. Any thread, as the two below.
    pub clone_waker: unsafe extern "C" fn(*const c_void) -> *const c_void,
    /// Has the future polled again in the loop's next turn; without effect when that is over.
    pub wake: unsafe extern "C" fn(*const c_void),
    /// Gives a waker back.
    pub drop_waker: unsafe extern "C" fn(*const c_void),
    /// Both at once, for less.
    pub wake_and_drop: unsafe extern "C" fn(*const c_void),
}

/// A future's type, as far as Greenloop has to know it.
#[repr(C)]
pub struct Kind {
    /// Polls the future in its place. The second argument names the waiter to wake, for the time of
    /// the call; the third is the place for a result. GIL.
    pub poll: unsafe extern "C" fn(*mut c_void, *const c_void, *mut *mut PyObject) -> c_int,
    /// Drops the future in its place. GIL; leaves exceptions alone.
    pub drop: unsafe extern "C" fn(*mut c_void),
    /// Shows the objects that the future holds to the garbage collector.
    pub traverse: unsafe extern "C" fn(*mut c_void, visitproc, *mut c_void) -> c_int,
}
