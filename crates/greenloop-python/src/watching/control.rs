//! Watching, as the package asks for it.
//!
//! There is one watch in a process, of all its loops, as there is one recording. Both may go on at
//! the same time.

use std::path::PathBuf;
use std::time::Duration;

use greenloop_cpython::{GilCell, Object, Result, apart, making};
use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::desk::Order;
use super::front::Front;
use super::guard::Guard;
use super::looks::{count, given, number};
use super::stalls::Stall;
use crate::event_loop::os_error;
use crate::observing::{after_fork, begin_watch, end_watch};

/// The guard of the process, while it is watched.
static GUARD: GilCell<Option<Guard>> = GilCell::new(None);

/// Adds the functions to the module.
pub fn functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(start_watch, module)?)?;
    module.add_function(wrap_pyfunction!(stop_watch, module)?)?;
    module.add_function(wrap_pyfunction!(forget_watch, module)?)?;
    module.add_function(wrap_pyfunction!(set_watch_threshold, module)?)?;
    module.add_function(wrap_pyfunction!(next_order, module)?)?;
    module.add_function(wrap_pyfunction!(check_again, module)?)?;
    module.add_function(wrap_pyfunction!(answer, module)?)?;
    module.add_function(wrap_pyfunction!(look_at_stalls, module)?)
}

/// Watch all loops of the process from now on, and let clients ask at a socket with this path.
///
/// A step that takes `threshold` seconds is a stall. Places are those of the program, as in
/// `_start_recording`. Raise `RuntimeError` if the process is watched already, and `OSError` if the
/// socket cannot be made, or a thread.
#[pyfunction]
#[pyo3(name = "_start_watch", text_signature = "(path, threshold, libraries)")]
fn start_watch(path: PathBuf, threshold: f64, libraries: Vec<String>) -> PyResult<()> {
    if with_guard(|_| ()).is_some() {
        return Err(making::runtime_error("the process is watched already").into());
    }
    let threshold = duration(threshold)?;
    let guard = Front::open(path)
        .and_then(|front| Guard::begin(front, threshold))
        .map_err(|error| os_error(&error))?;
    begin_watch(libraries);
    drop(GUARD.with(|place| place.replace(guard)));
    Ok(())
}

/// Watch no more. The thread that waits for orders gets None.
#[pyfunction]
#[pyo3(name = "_stop_watch", text_signature = "()")]
fn stop_watch() {
    end_watch();
    // Its thread ends at once, and needs no GIL for that.
    drop(GUARD.with(Option::take));
}

/// Watch no more, in the child of a fork, which has no thread that watches.
#[pyfunction]
#[pyo3(name = "_forget_watch", text_signature = "()")]
fn forget_watch() {
    end_watch();
    after_fork();
    if let Some(guard) = GUARD.with(Option::take) {
        guard.forget();
    }
}

/// Change after how many seconds a step is a stall. Without a watch nothing happens.
#[pyfunction]
#[pyo3(name = "_set_watch_threshold", text_signature = "(threshold)")]
fn set_watch_threshold(threshold: f64) -> PyResult<()> {
    let threshold = duration(threshold)?;
    with_guard(|guard| guard.shared().set_threshold(threshold));
    Ok(())
}

fn duration(seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        let text = format!("the threshold has to be a number of seconds, not {seconds}");
        making::value_error(&text)
    })
}

/// Wait for the next order, and return it; None when the watch has ended.
///
/// `("answer", ticket, request)`: a client wants an answer, which `_answer` gives. `("stall",
/// number)`, `("stall-changed", number)` and `("stall-over", number)`: a stall has begun, is to
/// blame on its step after all, or has ended. `("check",)`: it is time to look for deadlocks.
#[pyfunction]
#[pyo3(name = "_next_order", text_signature = "()")]
fn next_order() -> PyResult<Option<Py<PyAny>>> {
    let Some(desk) = with_guard(|guard| guard.shared().desk.clone()) else {
        return Ok(None);
    };
    desk.note_thread();
    let order = apart(|| desk.next());
    desk.note_taken();
    let parts = match order {
        None => return Ok(None),
        Some(Order::Answer { ticket, request }) => {
            vec![
                making::text("answer")?,
                count(ticket)?,
                making::bytes(&request)?,
            ]
        }
        Some(Order::Stall(number)) => vec![making::text("stall")?, count(number)?],
        Some(Order::StallChanged(number)) => vec![making::text("stall-changed")?, count(number)?],
        Some(Order::StallOver(number)) => vec![making::text("stall-over")?, count(number)?],
        Some(Order::Check) => vec![making::text("check")?],
    };
    Ok(Some(given(&making::tuple(parts)?)))
}

/// Have another order to look for deadlocks given, although nothing may happen until then.
#[pyfunction]
#[pyo3(name = "_check_again", text_signature = "()")]
fn check_again() {
    with_guard(|guard| guard.shared().check_again());
}

/// Send the answer to a client. A report is kept, for those who ask while the GIL cannot be had.
#[pyfunction]
#[pyo3(name = "_answer", text_signature = "(ticket, answer, is_report)")]
fn answer(ticket: u64, answer: Vec<u8>, is_report: bool) {
    with_guard(|guard| guard.shared().desk.answer(ticket, answer, is_report));
}

/// Return the latest stalls: for each its number, the number of the loop, the system's number of
/// its thread, when it began in seconds since 1970, how many seconds it has lasted, whether it is
/// over, the word for what holds the loop up and a text, and the system's number of the thread that
/// has the GIL, or 0, after how many seconds it was noticed, and the progress of the loop since
/// when it lasts.
#[pyfunction]
#[pyo3(name = "_look_at_stalls", text_signature = "()")]
fn look_at_stalls() -> PyResult<Py<PyAny>> {
    let stalls = with_guard(|guard| guard.shared().stalls.all()).unwrap_or_default();
    let shown = stalls.iter().map(shown);
    Ok(given(&making::list(shown.collect::<Result<_>>()?)?))
}

fn shown(stall: &Stall) -> Result<Object> {
    making::tuple(vec![
        count(stall.number)?,
        number(stall.event_loop)?,
        Object::int(i64::from(stall.thread))?,
        Object::float(stall.began)?,
        Object::float(stall.length.as_secs_f64())?,
        Object::boolean(stall.over),
        making::text(stall.cause.word())?,
        making::text(&stall.text)?,
        Object::int(i64::from(stall.holder))?,
        Object::float(stall.noticed.as_secs_f64())?,
        count(stall.progress)?,
    ])
}

/// Gives `access` the guard, if there is one, for a moment in which no Python code runs.
fn with_guard<R>(access: impl FnOnce(&Guard) -> R) -> Option<R> {
    GUARD.with(|guard| guard.as_ref().map(access))
}
