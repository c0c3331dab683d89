//! An exception that another thread sends into this one, with `PyThreadState_SetAsyncExc`.
//!
//! The interpreter raises it between two instructions of Python code. A native loop may run no
//! Python code when it wakes, and its first callback would get the exception that is meant for the
//! loop. The place where the interpreter keeps the exception is not public, so it is searched for
//! at import with a known object. If it is not found, the interpreter is given an instruction to
//! run, at a higher cost.

use std::ffi::c_long;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;

use super::error::{Raised, Result, fetch, matches};
use super::making;
use super::object::Object;

/// How many words of a thread's state are searched: fewer than the states of all supported versions
/// have. The place is the 20th word in 3.11, and further in front later on.
const WORDS: usize = 40;

struct Known {
    /// The offset in words, if it was found.
    place: Option<usize>,
    /// A function without a body.
    nothing: Object,
}

// SAFETY: the function is called with the GIL held only.
unsafe impl Send for Known {}
// SAFETY: as above.
unsafe impl Sync for Known {}

static KNOWN: OnceLock<Known> = OnceLock::new();

/// Whether the place was found.
pub fn is_known() -> bool {
    KNOWN.get().is_some_and(|known| known.place.is_some())
}

/// Searches for the place. Called once, by the module's import.
pub fn find_sent_exceptions(py: Python<'_>) -> PyResult<()> {
    // Without its own dictionary it would hold the program's for ever.
    let globals = making::dict(py)?;
    let nothing = py.eval(c"lambda: None", Some(&globals), None)?.into();
    let marker = py.eval(c"type('Marker', (Exception,), {})", Some(&globals), None)?;
    // SAFETY: the GIL is held. The C API names threads by unsigned words, and this binding of it by
    // signed ones.
    let sent = unsafe {
        let thread = ffi::PyThread_get_thread_ident() as c_long;
        ffi::PyThreadState_SetAsyncExc(thread, marker.as_ptr())
    };
    let place = (sent == 1).then(|| word_of(&marker)).flatten();
    take_back(&nothing, &marker)?;
    let _ = KNOWN.set(Known { place, nothing });
    Ok(())
}

/// Has the marker raised, and drops it. To send nothing in its place would leave the interpreter,
/// up to 3.12, looking for an exception before each call and each jump, and a traced one without an
/// end.
fn take_back(nothing: &Object, marker: &Bound<'_, PyAny>) -> Result<()> {
    match nothing.call([]) {
        Err(Raised) if matches(marker) => {
            drop(fetch(Raised));
            Ok(())
        }
        outcome => outcome.map(drop),
    }
}

/// Raises the exception that was sent into this thread, if one was.
#[inline]
pub fn raise_sent_exception() -> Result<()> {
    match KNOWN.get() {
        Some(Known {
            place: Some(place), ..
        }) if !is_set(*place) => Ok(()),
        Some(known) => known.nothing.call([]).map(drop),
        None => Ok(()),
    }
}

#[inline]
fn is_set(place: usize) -> bool {
    // SAFETY: the GIL is held, so there is a thread state; the offset was verified.
    unsafe {
        let state = ffi::PyThreadState_Get().cast::<*mut ffi::PyObject>();
        !state.add(place).read_volatile().is_null()
    }
}

/// The offset of the only word of this thread's state that is the address of `object`.
fn word_of(object: &Bound<'_, PyAny>) -> Option<usize> {
    // SAFETY: the GIL is held, so there is a thread state, of at least that many words. Volatile,
    // because C may have left some of them unwritten.
    unsafe {
        let state = ffi::PyThreadState_Get().cast::<usize>();
        let address = object.as_ptr() as usize;
        let mut places = (0..WORDS).filter(|&word| state.add(word).read_volatile() == address);
        let place = places.next()?;
        places.next().is_none().then_some(place)
    }
}
