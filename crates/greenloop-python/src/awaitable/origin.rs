//! The origins of awaitables, for the warning about one that is never awaited.
//!
//! A coroutine keeps its origin if `sys.set_coroutine_origin_tracking_depth` was called, as a loop
//! does in debug mode. Asking the interpreter each time would cost more than making an awaitable,
//! so our loop reports when it turns tracking on. The origins are kept outside the awaitables,
//! since there are hardly ever any.

use std::cell::Cell;
use std::collections::HashMap;

use greenloop_cpython::making::imported;
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{GilBound, GilCell, Object, Result, attached, ensure_room};
use pyo3::prelude::*;

use crate::asyncio::launcher_file;

/// A fact that is checked each time an awaitable is made or deallocated.
type Flag = GilBound<Cell<bool>>;

/// Whether one of our loops is running in debug mode.
static TRACKING: Flag = GilBound::new(Cell::new(false));

/// Whether there are origins at all.
static ANY: Flag = GilBound::new(Cell::new(false));

/// The origins of living awaitables, by their addresses.
static ORIGINS: GilCell<Option<HashMap<usize, Object>>> = GilCell::new(None);

/// Says whether the interpreter tracks the origins of coroutines from now on.
pub fn track_origins(enabled: bool) {
    TRACKING.set(enabled);
}

/// Whether the origins of new awaitables have to be noted.
#[inline]
pub fn is_tracking() -> bool {
    TRACKING.get()
}

/// Whether an awaitable that is deallocated may have an origin.
#[inline]
pub fn has_origins() -> bool {
    ANY.get()
}

/// Notes where `awaitable` was made: here.
///
/// As deep as `sys.get_coroutine_origin_tracking_depth()` says, from the innermost frame outwards,
/// and without the frames of the launcher. Each frame is a tuple of file, line and function, as in
/// `cr_origin` of a coroutine. Walks the stack, so it is slow; debug mode only.
#[cold]
pub fn note(awaitable: &Object) -> Result<()> {
    // Functions that make awaitables have no check of the stack, since they run no other code.
    ensure_room()?;
    let py = attached();
    // A task may be made while the interpreter ends.
    let Some(sys) = imported(py, c"sys")? else {
        return Ok(());
    };
    let depth: usize = sys
        .invoke_method("get_coroutine_origin_tracking_depth", ())?
        .extract()?;
    let launcher = launcher_file().map(|file| file.bound(py));
    let mut frames = Vec::new();
    let mut frame = if depth > 0 {
        sys.invoke_method("_getframe", (0,))?
    } else {
        py.None().into_bound(py)
    };
    while frames.len() < depth && !frame.is_none() {
        let code = frame.look_up("f_code")?;
        let file = code.look_up("co_filename")?;
        if launcher
            .as_ref()
            .is_some_and(|launcher| launcher.eq(&file).unwrap_or(false))
        {
            break;
        }
        let (line, name) = (frame.look_up("f_lineno")?, code.look_up("co_name")?);
        frames.push(making::tuple(vec![file.into(), line.into(), name.into()])?);
        frame = frame.look_up("f_back")?;
    }
    if frames.is_empty() {
        return Ok(());
    }
    let origin = making::tuple(frames)?;
    let key = awaitable.as_ptr().addr();
    let old = ORIGINS.with(|origins| origins.get_or_insert_default().insert(key, origin));
    ANY.set(true);
    drop(old);
    Ok(())
}

/// Drops the origin of the awaitable that had this address, which is being deallocated.
///
/// An address is used again for the next awaitable, so an entry must not outlive its own.
#[inline]
pub fn forget(address: usize) {
    if has_origins() {
        forget_any(address);
    }
}

#[cold]
fn forget_any(key: usize) {
    let (old, any) = ORIGINS.with(|origins| {
        let old = origins.as_mut().and_then(|origins| origins.remove(&key));
        (
            old,
            origins.as_ref().is_some_and(|origins| !origins.is_empty()),
        )
    });
    ANY.set(any);
    drop(old);
}

/// `cr_origin`: the tuple of frames, or None if origins were not tracked when it was made.
pub fn origin(this: &Object) -> Result<Object> {
    let key = this.as_ptr().addr();
    let known = ORIGINS.with(|origins| origins.as_ref()?.get(&key).cloned());
    Ok(known.unwrap_or_else(Object::none))
}

/// The text that follows "was never awaited" in the warning about `awaitable`, in the words of
/// `warnings`.
///
/// Reads lines of source through `linecache`, so it runs Python code and may read files.
pub fn in_words(awaitable: &Object) -> Result<String> {
    let origin = origin(awaitable)?;
    if origin.is_none() {
        return Ok(String::new());
    }
    let py = attached();
    let get_line = making::import(py, c"linecache")?.look_up("getline")?;
    let mut frames = Vec::new();
    for frame in origin.bound(py).try_iter()? {
        let (file, number, function): (Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>) =
            frame?.extract()?;
        let line = get_line.invoke((&file, &number))?;
        frames.push(making::tuple(vec![
            file.into(),
            number.into(),
            function.into(),
            line.into(),
        ])?);
    }
    frames.reverse();
    let lines =
        making::import(py, c"traceback")?.invoke_method("format_list", (making::list(frames)?,))?;
    let text = making::text("")?
        .bound(py)
        .invoke_method("join", (lines,))?;
    let text: String = text.extract()?;
    Ok(format!(
        "\nCoroutine created at (most recent call last)\n{}",
        text.trim_end_matches('\n')
    ))
}
