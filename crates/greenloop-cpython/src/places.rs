//! Places in the source, as numbers: where the Python code is that has just called us.
//!
//! A place is a code object and an instruction in it. Its line is computed when somebody asks for
//! it, since the table of lines has to be searched for that.

use std::collections::hash_map::Entry;
use std::ffi::c_int;

use pyo3::ffi;
use rustc_hash::FxHashMap;

use super::object::Object;

/// The places that were seen. Each holds its code object, so that no other gets its address.
pub struct Places {
    numbers: FxHashMap<(usize, c_int), u32>,
    seen: Vec<Place>,
}

/// A place.
#[derive(Clone)]
pub struct Place {
    /// The code object.
    pub code: Object,
    /// The offset of the instruction in bytes, `f_lasti` of a frame; -1 before the first one.
    pub instruction: c_int,
}

impl Place {
    /// The line, counted from 1, or `None` for an instruction without one (PEP 626).
    pub fn line(&self) -> Option<u32> {
        // SAFETY: it is a code object, and any offset may be asked for.
        let line = unsafe { ffi::PyCode_Addr2Line(self.code.as_ptr().cast(), self.instruction) };
        u32::try_from(line).ok().filter(|line| *line > 0)
    }
}

impl Places {
    /// None yet.
    pub fn new() -> Self {
        Self {
            numbers: FxHashMap::default(),
            seen: Vec::new(),
        }
    }

    /// The number of the place where Python code called us, from 1 on; 0 where no Python code runs.
    ///
    /// Runs no Python code, not even a collection.
    #[inline]
    pub fn here(&mut self) -> u32 {
        // SAFETY: the GIL is held. The frame is borrowed from the interpreter, which runs it.
        let (code, instruction) = unsafe {
            let frame = current_frame();
            if frame.is_null() {
                return 0;
            }
            let code = Object::from_owned(ffi::PyFrame_GetCode(frame).cast());
            (code, ffi::PyFrame_GetLasti(frame))
        };
        self.number(code, instruction)
    }

    /// The number of a place.
    pub fn number(&mut self, code: Object, instruction: c_int) -> u32 {
        match self.numbers.entry((code.as_ptr().addr(), instruction)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                self.seen.push(Place { code, instruction });
                let number = u32::try_from(self.seen.len()).unwrap_or(u32::MAX);
                *unknown.insert(number)
            }
        }
    }

    /// All places; that of number `n` has the index `n - 1`.
    pub fn all(&self) -> &[Place] {
        &self.seen
    }
}

impl Default for Places {
    fn default() -> Self {
        Self::new()
    }
}

/// The frame of the Python code that runs, borrowed, or null. The object of a frame is made when it
/// is first asked for, and stays as long as the frame.
///
/// # Safety
/// The GIL is held.
#[inline]
unsafe fn current_frame() -> *mut ffi::PyFrameObject {
    // SAFETY: passed on to the caller. It fails with a null and no exception.
    unsafe {
        #[cfg(Py_3_12)]
        return ffi::PyEval_GetFrame();
        // Up to 3.11 a new object may begin a collection.
        #[cfg(not(Py_3_12))]
        {
            let enabled = ffi::PyGC_Disable();
            let frame = ffi::PyEval_GetFrame();
            if enabled != 0 {
                ffi::PyGC_Enable();
            }
            frame
        }
    }
}
