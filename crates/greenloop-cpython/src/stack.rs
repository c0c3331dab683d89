//! Checks that the thread's stack has room for one more call, which keeps recursion from killing
//! the process.
//!
//! Python code can have native code call Python code that calls native code, and so on: tasks that
//! start eagerly inside of each other, a `wait_for` of a `wait_for`, a `__lt__` that puts into a
//! queue. Up to 3.13 the interpreter counts calls without a look at the stack. A thread's stack may
//! have only 256 KiB, and our frames are larger than that count was made for. So every entry into
//! native code compares its own address with the end of the stack, and raises `RecursionError`
//! close to it.
//!
//! The safe range is kept for the thread that asked last, under the GIL like everything here. So
//! the usual answer takes two loads and a comparison; only another thread, or one that is deep
//! down, looks up its bounds. The end of a stack that is not the thread's own (of a library that
//! switches stacks) is unknown, and the answer is yes.

use std::cell::Cell;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ops::Range;

use greenloop_os as os;

use super::error::{Raised, Result, raise};
use super::exceptions::ExceptionClass;

/// The bytes left free at the end of a stack: the interpreter may need that many before its own
/// check, for instance to import a module or to compile one. Of a small stack it is a quarter.
const RESERVE: usize = 128 * 1024;

/// The bytes assumed below the first call that asks, if the system does not tell the size of the
/// stack.
const ASSUMED: usize = 512 * 1024;

/// The addresses at which an answer is yes, of the thread that asked last.
struct Safe {
    low: Cell<usize>,
    len: Cell<usize>,
}

// SAFETY: used with the GIL held only.
unsafe impl Sync for Safe {}

impl Safe {
    const fn nowhere() -> Self {
        Self {
            low: Cell::new(0),
            len: Cell::new(0),
        }
    }

    #[inline]
    fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.low.get()) < self.len.get()
    }

    fn set(&self, range: &Range<usize>) {
        self.low.set(range.start);
        self.len.set(range.len());
    }
}

/// For calls.
static TO_CALL: Safe = Safe::nowhere();

/// For the end of objects, which may run finalisers, and those may call: so this is the smaller
/// one.
#[cfg(not(Py_3_14))]
static TO_DROP: Safe = Safe::nowhere();

thread_local! {
    /// The whole stack of the thread, or an empty range before the first request.
    static BOUNDS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The caller's position on the stack.
#[inline]
fn here() -> usize {
    let marker = MaybeUninit::<u8>::uninit();
    marker.as_ptr() as usize
}

/// Whether another call may be made.
#[inline]
pub fn has_room() -> bool {
    let here = here();
    TO_CALL.contains(here) || look(here, 1)
}

/// Whether an object may be brought to its end here, in the midst of others.
#[cfg(not(Py_3_14))]
#[inline]
pub fn has_room_to_drop() -> bool {
    let here = here();
    TO_DROP.contains(here) || look(here, 2)
}

/// Raises `RecursionError` if another call may not be made, with `text` behind the interpreter's
/// own.
#[inline]
pub fn ensure_room() -> Result<()> {
    if has_room() { Ok(()) } else { Err(exhausted()) }
}

/// The error of a recursion that has come to its end.
#[cold]
pub fn exhausted() -> Raised {
    recursion_error(c"maximum recursion depth exceeded")
}

/// A `RecursionError` in these words.
#[cold]
pub fn recursion_error(text: &CStr) -> Raised {
    raise(ExceptionClass::RecursionError, text)
}

/// Asks for the thread's own stack, which is the one that is kept from then on. `reserves` times
/// the reserve must be free.
#[cold]
#[inline(never)]
fn look(here: usize, reserves: usize) -> bool {
    let (low, high) = match BOUNDS.get() {
        (0, 0) => {
            let bounds = os::stack::bounds().unwrap_or(here.saturating_sub(ASSUMED)..usize::MAX);
            BOUNDS.set((bounds.start, bounds.end));
            (bounds.start, bounds.end)
        }
        known => known,
    };
    if !(low..high).contains(&here) {
        return true;
    }
    let reserve = RESERVE.min((high - low) / 4);
    TO_CALL.set(&(low + reserve..high));
    #[cfg(not(Py_3_14))]
    TO_DROP.set(&(low + 2 * reserve..high));
    here >= low + reserves * reserve
}
