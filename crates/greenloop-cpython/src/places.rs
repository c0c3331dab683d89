//! Places in the source, as numbers: where the Python code is that has just called us.
//!
//! A place is a code object and an instruction in it. Its line is computed when somebody asks for
//! it, since the table of lines has to be searched for that.

use std::collections::hash_map::Entry;
use std::ffi::c_int;

use pyo3::ffi;
use rustc_hash::FxHashMap;

#[cfg(all(Py_3_12, not(Py_3_15)))]
use super::await_site::current_instruction;
use super::error::clear;
use super::names::names;
use super::object::Object;

/// The places that were seen. Each holds its code object, so that no other gets its address.
pub struct Places {
    numbers: FxHashMap<(usize, c_int), u32>,
    seen: Vec<Place>,
    /// For the code objects that were seen: whether they are of a library, and not of the program.
    of_library: FxHashMap<usize, bool>,
    /// The folders of libraries whose frames are passed over, each with a separator at its end.
    libraries: Vec<String>,
    /// Keeps the code objects alive that are in `of_library` only.
    passed_over: Vec<Object>,
    /// Numbers of places of the program that were asked for lately, by the address of the
    /// instruction: none for a place where outer frames were looked at.
    latest: [(usize, u32); LATEST],
}

/// How many places are found by their instruction alone. A power of two.
const LATEST: usize = 64;

/// Where the number of the place of an instruction is kept.
fn slot(instruction: usize) -> usize {
    // Instructions take two bytes, and code objects lie apart.
    (instruction >> 1 ^ instruction >> 9) % LATEST
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
    /// None yet. The frames of code in the folders of `libraries` are passed over.
    pub fn new(libraries: Vec<String>) -> Self {
        Self {
            numbers: FxHashMap::default(),
            seen: Vec::new(),
            of_library: FxHashMap::default(),
            libraries,
            passed_over: Vec::new(),
            latest: [(0, 0); LATEST],
        }
    }

    /// The number of the place where the program called us, from 1 on; 0 where no Python code runs.
    ///
    /// That is the innermost place outside of the libraries, or the outermost of all. Runs no
    /// Python code, not even a collection.
    #[inline]
    pub fn here(&mut self) -> u32 {
        // The code of a place that was seen is kept, so that its instructions stay where they are.
        let Some(instruction) = current_instruction() else {
            return self.find_here().0;
        };
        let slot = slot(instruction);
        let (known, number) = self.latest[slot];
        if known == instruction {
            return number;
        }
        let (number, is_innermost) = self.find_here();
        if is_innermost {
            self.latest[slot] = (instruction, number);
        }
        number
    }

    /// The same, and whether it is the innermost place of all.
    #[cold]
    #[inline(never)]
    fn find_here(&mut self) -> (u32, bool) {
        // SAFETY: the GIL is held. The frame is borrowed from the interpreter, which runs it.
        let mut frame = unsafe {
            let frame = current_frame();
            if frame.is_null() {
                return (0, false);
            }
            Object::from_borrowed(frame.cast())
        };
        let mut is_innermost = true;
        loop {
            let (code, instruction) = code_of(&frame);
            if self.is_of_library(&code) {
                if let Some(outer) = outer(&frame) {
                    frame = outer;
                    is_innermost = false;
                    continue;
                }
            }
            return (self.number(code, instruction), is_innermost);
        }
    }

    /// The number of the place where a coroutine waits: in the innermost coroutine or generator
    /// that it awaits which is not of a library. 0 for other objects.
    ///
    /// Runs no Python code, since nothing but the attributes of coroutines and generators is asked.
    pub fn of_coroutine(&mut self, coroutine: &Object) -> u32 {
        let mut number = 0;
        let mut next = Some(coroutine.clone());
        while let Some((frame, awaited)) = next.as_ref().and_then(suspended) {
            if let Some(frame) = frame {
                let (code, instruction) = code_of(&frame);
                if number == 0 || !self.is_of_library(&code) {
                    number = self.number(code, instruction);
                }
            }
            next = awaited;
        }
        number
    }

    /// Whether code is of a library. The answer is found once for each code object.
    fn is_of_library(&mut self, code: &Object) -> bool {
        if self.libraries.is_empty() {
            return false;
        }
        match self.of_library.entry(code.as_ptr().addr()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                self.passed_over.push(code.clone());
                let file = attribute(code, &names().file);
                let file = file.as_ref().and_then(Object::as_str).unwrap_or_default();
                let mut libraries = self.libraries.iter();
                *unknown.insert(libraries.any(|library| file.starts_with(library.as_str())))
            }
        }
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

/// Here frames are not read directly.
#[cfg(not(all(Py_3_12, not(Py_3_15))))]
const fn current_instruction() -> Option<usize> {
    None
}

/// The code of a frame, and the instruction that it is at.
fn code_of(frame: &Object) -> (Object, c_int) {
    let frame = frame.as_ptr().cast();
    // SAFETY: it is a frame, which always has code.
    unsafe {
        let code = Object::from_owned(ffi::PyFrame_GetCode(frame).cast());
        (code, ffi::PyFrame_GetLasti(frame))
    }
}

/// The frame that called this one.
fn outer(frame: &Object) -> Option<Object> {
    // SAFETY: it is a frame; the result is a new reference, or null without an exception.
    unsafe {
        let outer = ffi::PyFrame_GetBack(frame.as_ptr().cast());
        (!outer.is_null()).then(|| Object::from_owned(outer.cast()))
    }
}

/// An attribute, unless it is None or cannot be had.
fn attribute(object: &Object, name: &Object) -> Option<Object> {
    match object.attribute(name) {
        Ok(value) => Some(value).filter(|value| !value.is_none()),
        Err(raised) => {
            clear(raised);
            None
        }
    }
}

/// The object that a suspended coroutine or generator awaits; `None` for other objects.
///
/// Runs no Python code.
pub fn awaited_in_suspense(object: &Object) -> Option<Object> {
    suspended(object)?.1
}

/// The frame of a suspended coroutine or generator, if it has one, and the object that it awaits.
/// `None` for other objects.
fn suspended(object: &Object) -> Option<(Option<Object>, Option<Object>)> {
    // SAFETY: a valid object's class is looked at.
    let [frame, awaited] = unsafe {
        let object = object.as_ptr();
        if ffi::PyCoro_CheckExact(object) != 0 {
            &names().of_coroutine
        } else if ffi::PyGen_CheckExact(object) != 0 {
            &names().of_generator
        } else {
            return None;
        }
    };
    Some((attribute(object, frame), attribute(object, awaited)))
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
