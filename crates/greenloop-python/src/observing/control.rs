//! Recording, as the package asks for it.

use greenloop_core::observe::{Event, EventBody, EventKind};
use greenloop_cpython::making;
use greenloop_cpython::{Object, Place, Result, locals_of};
use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::recorder::{Recorder, replace, with_recorder};

/// The most events that a recording may keep: 2 GiB of them.
const MOST_EVENTS: usize = 1 << 26;

/// Adds the functions to the module.
pub fn functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(start_recording, module)?)?;
    module.add_function(wrap_pyfunction!(stop_recording, module)?)?;
    module.add_function(wrap_pyfunction!(read_recording, module)?)?;
    module.add_function(wrap_pyfunction!(locals_of_frame, module)?)
}

/// Record the events of all loops of the process from now on, the latest `capacity` of them.
///
/// An event takes 32 bytes. Places are those of the program: frames of code in the folders of
/// `libraries`, each of which ends with a separator, are passed over. `namer` is called at the end
/// of each step in which a resource got its number, with the task. Raise `ValueError` for a
/// capacity below 1 or above 2**26, and `RuntimeError` if there is a recording already.
#[pyfunction]
#[pyo3(
    name = "_start_recording",
    text_signature = "(capacity, libraries, namer)"
)]
fn start_recording(
    capacity: usize,
    libraries: Vec<String>,
    namer: Bound<'_, PyAny>,
) -> PyResult<()> {
    if !(1..=MOST_EVENTS).contains(&capacity) {
        let text = format!("the capacity has to be from 1 to {MOST_EVENTS} events, not {capacity}");
        return Err(making::value_error(&text).into());
    }
    if with_recorder(|_| ()).is_some() {
        return Err(making::runtime_error("a recording is being made already").into());
    }
    let mut recorder = Recorder::new(capacity, libraries, Object::from(namer));
    recorder.write(EventBody::new(EventKind::LoopStarted));
    drop(replace(Some(recorder)));
    Ok(())
}

/// Record no more, and forget what was recorded. Without a recording nothing happens.
#[pyfunction]
#[pyo3(name = "_stop_recording", text_signature = "()")]
fn stop_recording() {
    drop(replace(None));
}

/// Return what was recorded since an earlier call: the cursor for the next call, the number of
/// events that were overwritten before they were read, the events as bytes, and the places and the
/// names that the call before did not return.
///
/// `cursor`, `places` and `names` are 0 at first; then the cursor and how many places and names
/// there are. A place is a code object and a line, or 0. Each event is 32 bytes: time, value, task,
/// other, site, kind and detail, little-endian. Return None without a recording.
#[pyfunction]
#[pyo3(name = "_read_recording", text_signature = "(cursor, places, names)")]
fn read_recording(
    py: Python<'_>,
    mut cursor: u64,
    places: usize,
    names: usize,
) -> PyResult<Option<Py<PyAny>>> {
    let mut events = Vec::new();
    let read = with_recorder(|recorder| {
        let lost = recorder.ring().read(&mut cursor, &mut events);
        let places = recorder.places().all().get(places..).unwrap_or_default();
        let names = recorder.names().get(names..).unwrap_or_default();
        (lost, places.to_vec(), names.to_vec())
    });
    let Some((lost, places, names)) = read else {
        return Ok(None);
    };
    let places: Result<Vec<_>> = places.iter().map(shown).collect();
    let names: Result<Vec<_>> = names.iter().map(|name| making::text(name)).collect();
    let parts = vec![
        number(cursor)?,
        number(lost)?,
        making::bytes(&to_bytes(&events))?,
        making::list(places?)?,
        making::list(names?)?,
    ];
    Ok(Some(making::tuple(parts)?.bound(py).clone().unbind()))
}

/// Return the local variables of a frame in a new dictionary. The look changes nothing: the frame
/// keeps no object for longer, and what the program has got from `locals()` stays as it is.
#[pyfunction]
#[pyo3(name = "_locals_of", text_signature = "(frame)")]
fn locals_of_frame(py: Python<'_>, frame: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let locals = locals_of(&Object::from(frame))?;
    Ok(locals.bound(py).clone().unbind())
}

/// A count as Python gets it.
fn number(count: u64) -> Result<Object> {
    Object::int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A place as Python gets it.
fn shown(place: &Place) -> Result<Object> {
    let line = i64::from(place.line().unwrap_or(0));
    making::pair(&place.code, &Object::int(line)?)
}

/// The events, one behind the other.
fn to_bytes(events: &[Event]) -> Vec<u8> {
    let words = events.iter().flat_map(|event| event.to_words());
    words.flat_map(u64::to_le_bytes).collect()
}
