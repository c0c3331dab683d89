//! The origins of awaitables, for the warning about one that is never awaited.
//!
//! A coroutine keeps its origin if `sys.set_coroutine_origin_tracking_depth` was called, as a loop
//! does in debug mode. Asking the interpreter each time would cost more than making an awaitable,
//! so our loop reports when it turns tracking on. The origins are [`asides`].

use std::cell::Cell;

use greenloop_cpython::making::imported;
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{GilBound, Object, Result, attached, ensure_room};
use pyo3::prelude::*;

use super::asides;
use crate::asyncio::launcher_file;

/// Whether one of our loops is running in debug mode. Checked each time an awaitable is made.
static TRACKING: GilBound<Cell<bool>> = GilBound::new(Cell::new(false));

/// Says whether the interpreter tracks the origins of coroutines from now on.
pub fn track_origins(enabled: bool) {
    TRACKING.set(enabled);
}

/// Whether the origins of new awaitables have to be noted.
#[inline]
pub fn is_tracking() -> bool {
    TRACKING.get()
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
    drop(asides::change(awaitable, |asides| {
        asides.origin.replace(origin)
    }));
    Ok(())
}

/// `cr_origin`: the tuple of frames, or None if origins were not tracked when it was made.
pub fn origin(this: &Object) -> Result<Object> {
    let known = asides::look(this, |asides| asides.origin.clone());
    Ok(known.flatten().unwrap_or_else(Object::none))
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
