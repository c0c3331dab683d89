//! The places where CPython keeps the content of a context and the current context of a thread.
//!
//! No public function returns either without making an object, so the two structs are read
//! directly. The layout is verified at import: the places are searched for with contexts of known
//! content, and the result is tried out. If anything is not as expected, as in an interpreter that
//! does not exist yet, [`layout`] is `None` and contexts are copied by `PyContext_CopyCurrent`.

use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::error::Raised;
use super::making::{self, ByName as _};

/// How many words of a thread's state are searched: all of CPython 3.12's, which has the smallest
/// of the supported versions (288 bytes; 360 in 3.11, more from 3.13 on).
const THREAD_STATE_WORDS: usize = 288 / size_of::<usize>();

/// The places, as offsets in words.
pub struct Layout {
    /// In a thread's state: the context that was entered last, or null.
    current: usize,
    /// In a context: its values, an immutable mapping. Setting a variable puts another one there.
    values: usize,
    /// In a context: the first weak reference to it, or null.
    weak_references: usize,
    /// The class of the mappings.
    values_class: *mut ffi::PyTypeObject,
}

// SAFETY: written once, at import; the class is static.
unsafe impl Send for Layout {}
// SAFETY: as above.
unsafe impl Sync for Layout {}

static LAYOUT: OnceLock<Layout> = OnceLock::new();

/// The places, if they were found.
#[inline]
pub fn layout() -> Option<&'static Layout> {
    LAYOUT.get()
}

/// Searches for the places. Called once, by the module's import.
pub fn find_context_layout(py: Python<'_>) -> PyResult<()> {
    let Some(layout) = search(py)? else {
        return Ok(());
    };
    if works(&layout, py)? {
        let _ = LAYOUT.set(layout);
    }
    Ok(())
}

impl Layout {
    /// The values of the calling thread's context, borrowed, or null before it has one.
    #[inline]
    pub fn current_values(&self) -> *mut ffi::PyObject {
        // SAFETY: the GIL is held, so there is a thread state; both offsets were verified.
        unsafe {
            let state = ffi::PyThreadState_Get().cast::<*mut ffi::PyObject>();
            let context = state.add(self.current).read();
            if context.is_null() {
                context
            } else {
                self.values_of(context).read()
            }
        }
    }

    /// Whether `object` is a context's values and not a context.
    ///
    /// # Safety
    /// It is a valid object.
    #[inline]
    pub unsafe fn is_values(&self, object: *mut ffi::PyObject) -> bool {
        // SAFETY: promised by the caller.
        unsafe { ffi::Py_TYPE(object) == self.values_class }
    }

    /// The place of a context's values.
    ///
    /// # Safety
    /// `context` is exactly a `contextvars.Context`.
    #[inline]
    pub const unsafe fn values_of(&self, context: *mut ffi::PyObject) -> *mut *mut ffi::PyObject {
        // SAFETY: the offset lies in the struct.
        unsafe { context.cast::<*mut ffi::PyObject>().add(self.values) }
    }

    /// Whether there is a weak reference to a context.
    ///
    /// # Safety
    /// `context` is exactly a `contextvars.Context`.
    #[inline]
    pub const unsafe fn is_weakly_referenced(&self, context: *mut ffi::PyObject) -> bool {
        // SAFETY: the offset lies in the struct.
        let place = unsafe {
            context
                .cast::<*mut ffi::PyObject>()
                .add(self.weak_references)
        };
        // SAFETY: as above.
        !unsafe { place.read() }.is_null()
    }
}

/// Looks for the places of objects that are known from elsewhere.
fn search(py: Python<'_>) -> PyResult<Option<Layout>> {
    let variable = new_variable(py)?;
    let (one, other) = (new_context(py)?, new_context(py)?);
    for context in [&one, &other] {
        context.invoke_method(c"run", (variable.look_up(c"set")?, "a value"))?;
    }
    let (Some(values), Some(other_values)) = (values_by_name(&one)?, values_by_name(&other)?)
    else {
        return Ok(None);
    };
    let reference = making::import(py, c"weakref")?.invoke_method(c"ref", (&one,))?;
    let words = one
        .get_type()
        .look_up(c"__basicsize__")?
        .extract::<usize>()?
        / size_of::<usize>();
    // SAFETY: a context has at least `words` words.
    let find_in = |context: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>| unsafe {
        find(context.as_ptr().cast(), words, object)
    };
    let (place, other_place) = (find_in(&one, &values), find_in(&other, &other_values));
    let weak_references = find_in(&one, &reference);
    let (current, other_current) = (find_current(&one)?, find_current(&other)?);
    Ok(match (place, weak_references, current) {
        (Some(values_place), Some(weak_references), Some(current))
            if place == other_place && Some(current) == other_current =>
        {
            Some(Layout {
                current,
                values: values_place,
                weak_references,
                values_class: values.get_type_ptr(),
            })
        }
        _ => None,
    })
}

/// Uses the places as [`super::ContextSlot`] does, and checks the outcome with public means.
fn works(layout: &Layout, py: Python<'_>) -> PyResult<bool> {
    let variable = new_variable(py)?;
    let (get, set) = (variable.look_up(c"get")?, variable.look_up(c"set")?);
    let run = c"run";
    let (source, target) = (new_context(py)?, new_context(py)?);
    source.invoke_method(run, (&set, "before"))?;
    // SAFETY: both are contexts, of which none is entered; the reference that is overwritten is
    // dropped, and the one that is written is new.
    unsafe {
        let values = layout.values_of(source.as_ptr()).read();
        ffi::Py_INCREF(values);
        let old = layout.values_of(target.as_ptr()).replace(values);
        ffi::Py_DECREF(old);
    }
    let read =
        |context: &Bound<'_, PyAny>| context.invoke_method(run, (&get,))?.extract::<String>();
    let copied = read(&target)? == "before";
    target.invoke_method(run, (&set, "after"))?;
    // SAFETY: both are contexts.
    let parted = unsafe {
        layout.values_of(source.as_ptr()).read() != layout.values_of(target.as_ptr()).read()
    };
    let isolated = read(&source)? == "before" && read(&target)? == "after";
    // SAFETY: `target` is a context; Enter and Exit pair, and nothing is run in between.
    let current = unsafe {
        if ffi::PyContext_Enter(target.as_ptr()) < 0 {
            return Err(Raised.into());
        }
        let current = layout.current_values() == layout.values_of(target.as_ptr()).read();
        if ffi::PyContext_Exit(target.as_ptr()) < 0 {
            return Err(Raised.into());
        }
        current
    };
    // SAFETY: both are contexts.
    let unreferenced = unsafe {
        let reference = making::import(py, c"weakref")?.invoke_method(c"ref", (&source,))?;
        let seen = layout.is_weakly_referenced(source.as_ptr());
        drop(reference);
        seen && !layout.is_weakly_referenced(target.as_ptr())
    };
    Ok(copied && parted && isolated && current && unreferenced)
}

fn new_variable(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let class = making::import(py, c"contextvars")?.look_up(c"ContextVar")?;
    Ok(class.invoke(("greenloop's look at contexts",))?)
}

fn new_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(making::import(py, c"contextvars")?.invoke_method(c"Context", ())?)
}

/// A context's values as the garbage collector names them: the only thing a context refers to while
/// it is not entered.
fn values_by_name<'py>(context: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = context.py();
    let referents = making::import(py, c"gc")?.invoke_method(c"get_referents", (context,))?;
    let referents = referents.cast_into::<PyList>()?;
    if referents.len() != 1 {
        return Ok(None);
    }
    let values = referents.get_item(0)?;
    let is_mapping = values.get_type().name()? == "hamt";
    Ok(is_mapping.then_some(values))
}

/// The offset at which this thread's state names `context` while it is entered, and only then.
fn find_current(context: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    // SAFETY: the state is that of this thread, and it has at least that many words; Enter and Exit
    // pair, and nothing is run in between.
    unsafe {
        let state = ffi::PyThreadState_Get().cast::<usize>();
        let before = find(state, THREAD_STATE_WORDS, context);
        if ffi::PyContext_Enter(context.as_ptr()) < 0 {
            return Err(Raised.into());
        }
        let entered = find(state, THREAD_STATE_WORDS, context);
        if ffi::PyContext_Exit(context.as_ptr()) < 0 {
            return Err(Raised.into());
        }
        Ok(entered.filter(|_| before.is_none()))
    }
}

/// The offset of the only word that is the address of `object`.
///
/// # Safety
/// `words` words may be read at `start`.
unsafe fn find(start: *const usize, words: usize, object: &Bound<'_, PyAny>) -> Option<usize> {
    let address = object.as_ptr() as usize;
    // SAFETY: passed on from the caller. Volatile, because C may have left some of them unwritten.
    let mut places =
        (0..words).filter(|&word| unsafe { start.add(word).read_volatile() } == address);
    let place = places.next()?;
    places.next().is_none().then_some(place)
}
