//! Looks at tasks and loops: the facts of a moment, as tuples for the package.
//!
//! A look runs no code of the program and changes nothing but numbers: a task or a resource gets
//! its number when it is first asked for. Words, names and lines are found by the package, which
//! may take its time.

use greenloop_core::observe::Histogram;
use greenloop_cpython::{Object, Result, attached, making};
use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::event_loop::{EventLoop, Figures, running_loops};
use crate::observing::{holders_of, place, tick};
use crate::task::{self, State};

/// Adds the functions to the module.
pub fn functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(look_at_task, module)?)?;
    module.add_function(wrap_pyfunction!(look_at_loops, module)?)?;
    module.add_function(wrap_pyfunction!(look_at_holders, module)?)
}

/// Return how a task of this package stands: its number, whether it is done (0), ready (1) or
/// suspended (2), for how many milliseconds, and what it waits for: the kind of wait, the number of
/// the resource or task or 0, the seconds until a sleep ends or None, and the awaited object.
///
/// The time is None if the task has not run since the watch began. Without a wait the kind is 0,
/// and the object None. Return None for an object that is no task of this package.
#[pyfunction]
#[pyo3(name = "_look_at_task", text_signature = "(task)")]
fn look_at_task(task: Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
    let task = Object::from(task);
    let Some(task) = task::CLASS.exactly(&task) else {
        return Ok(None);
    };
    let state = task::state_of(task);
    let since = match task::last_step(task) {
        0 => Object::none(),
        last => number(tick().saturating_sub(last))?,
    };
    let mut parts = vec![number(task::number_of(task))?, number(state as u32)?, since];
    match task::waits_of(task).filter(|_| state == State::Waiting) {
        Some(waits) => parts.extend([
            number(u32::from(waits.wait.kind.number()))?,
            number(waits.wait.number)?,
            optional(waits.wait.remaining)?,
            waits.awaited,
        ]),
        None => parts.extend([number(0)?, number(0)?, Object::none(), Object::none()]),
    }
    Ok(Some(given(&making::tuple(parts)?)))
}

/// Return the loops of this package that run: for each the object, its number, the system's number
/// of its thread, whether it waits in the poller, how
/// many steps there were while somebody watched, how many jobs are ready, timers set and
/// descriptors watched, and of the spans between polls the count, the median, the 99th percentile
/// and the longest, in nanoseconds.
#[pyfunction]
#[pyo3(name = "_look_at_loops", text_signature = "()")]
fn look_at_loops() -> PyResult<Py<PyAny>> {
    let loops = running_loops();
    let shown = loops.iter().filter_map(|event_loop| {
        let figures = EventLoop::of(event_loop)?.figures();
        Some(shown_loop(event_loop, &figures))
    });
    Ok(given(&making::list(shown.collect::<Result<_>>()?)?))
}

fn shown_loop(event_loop: &Object, figures: &Figures) -> Result<Object> {
    let spans = |question: fn(&Histogram) -> u64| figures.lag.as_ref().map_or(0, question);
    making::tuple(vec![
        event_loop.clone(),
        number(figures.number)?,
        Object::int(i64::from(figures.thread))?,
        Object::boolean(figures.is_idle),
        count(figures.progress)?,
        count(figures.ready as u64)?,
        count(figures.timers as u64)?,
        count(figures.descriptors as u64)?,
        count(spans(Histogram::count))?,
        count(spans(|spans| spans.quantile(0.5)))?,
        count(spans(|spans| spans.quantile(0.99)))?,
        count(spans(Histogram::longest))?,
    ])
}

/// Return who holds the lock or semaphore with this number: for each the number of the task or 0,
/// since how many milliseconds, the code object and the line where it was taken, or None and 0.
///
/// Return None if nobody holds it, as far as it is known.
#[pyfunction]
#[pyo3(name = "_look_at_holders", text_signature = "(number)")]
fn look_at_holders(resource: u32) -> PyResult<Option<Py<PyAny>>> {
    let Some((holders, _)) = holders_of(resource) else {
        return Ok(None);
    };
    let shown = holders.iter().map(|holding| {
        let place = place(holding.site);
        making::tuple(vec![
            number(holding.task)?,
            number(tick().saturating_sub(holding.since))?,
            place
                .as_ref()
                .map_or_else(Object::none, |place| place.code.clone()),
            number(place.and_then(|place| place.line()).unwrap_or(0))?,
        ])
    });
    let shown = making::list(shown.collect::<Result<_>>()?)?;
    Ok(Some(given(&shown)))
}

/// An object as PyO3 hands it out.
pub(super) fn given(object: &Object) -> Py<PyAny> {
    object.bound(attached()).clone().unbind()
}

pub(super) fn number(number: u32) -> Result<Object> {
    Object::int(i64::from(number))
}

pub(super) fn count(count: u64) -> Result<Object> {
    Object::int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn optional(seconds: Option<f64>) -> Result<Object> {
    seconds.map_or_else(|| Ok(Object::none()), Object::float)
}
