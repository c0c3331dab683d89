//! The place where CPython 3.14 and later keep a thread's current task.
//!
//! asyncio's function costs 10 to 17 ns a step, and writing the word costs 2. The place differs
//! between versions and is documented nowhere, so it is searched for at import with known objects,
//! and used only if it was found. Otherwise asyncio's function is called.

use std::ptr;
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;

use super::making::{self, ByName as _};
use super::object::Object;

/// How many words of a thread's state are searched: up to where the current task is in the versions
/// that are known (872 bytes in 3.14, 1032 in 3.15), which all of their states are larger than.
const WORDS: usize = if cfg!(Py_3_15) { 1048 } else { 888 } / size_of::<usize>();

/// The places, as offsets in words.
struct Places {
    running_loop: usize,
    current_task: usize,
}

static PLACES: OnceLock<Places> = OnceLock::new();

/// Whether the places were found.
pub fn is_known() -> bool {
    PLACES.get().is_some()
}

/// Searches for the places. Called once, by the module's import. While a loop runs on the thread
/// nothing is touched, and nothing found.
pub fn find_places(py: Python<'_>) -> PyResult<()> {
    let asyncio = making::import(py, c"_asyncio")?;
    let (set_loop, swap) = (
        asyncio.look_up(c"_set_running_loop")?,
        asyncio.look_up(c"_swap_current_task")?,
    );
    if !asyncio.invoke_method(c"_get_running_loop", ())?.is_none() {
        return Ok(());
    }
    let object = || py.get_type::<PyAny>().call0();
    let (event_loop, one, other) = (object()?, object()?, object()?);
    set_loop.invoke((&event_loop,))?;
    let search = || -> PyResult<Option<Places>> {
        let running_loop = word_of(&event_loop);
        swap.invoke((&event_loop, &one))?;
        let first = word_of(&one);
        swap.invoke((&event_loop, &other))?;
        let second = word_of(&other).filter(|_| word_of(&one).is_none());
        swap.invoke((&event_loop, Object::none()))?;
        let gone = word_of(&other).is_none();
        Ok(match (running_loop, first) {
            (Some(running_loop), Some(current_task)) if first == second && gone => Some(Places {
                running_loop,
                current_task,
            }),
            _ => None,
        })
    };
    let found = search();
    set_loop.invoke((Object::none(),))?;
    if let Some(places) = found? {
        let _ = PLACES.set(places);
    }
    Ok(())
}

/// Makes `task`, or none, the thread's current one and returns the one before. `None` if the place
/// is not known or `event_loop` does not run on this thread: then the caller uses asyncio's own
/// function.
#[inline]
pub fn swap(event_loop: &Object, task: Option<&Object>) -> Option<Option<Object>> {
    let places = PLACES.get()?;
    // SAFETY: the GIL is held, so there is a thread state; both offsets were verified. The word of
    // the current task owns a reference, and what is taken out of it belongs to the caller.
    unsafe {
        let state = ffi::PyThreadState_Get().cast::<*mut ffi::PyObject>();
        if state.add(places.running_loop).read() != event_loop.as_ptr() {
            return None;
        }
        let new = task.map_or(ptr::null_mut(), |task| task.clone().into_ptr());
        let old = state.add(places.current_task).replace(new);
        Some((!old.is_null()).then(|| Object::from_owned(old)))
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
