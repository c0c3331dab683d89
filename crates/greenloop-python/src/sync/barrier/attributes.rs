//! The attributes of a barrier: asyncio's public ones, and the private ones that programs read and
//! set.

use greenloop_core::sync::BarrierState;
use greenloop_cpython::making::ByName as _;
use greenloop_cpython::{Object, Result, attached, type_error};
use pyo3::prelude::*;

use super::BarrierRef;
use crate::asyncio::globals;
use crate::sync::condition;

pub(super) fn to_integer(value: Option<&Object>) -> Result<i64> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    Ok(value.bound(attached()).extract()?)
}

pub(super) fn parties(this: &BarrierRef) -> Result<Object> {
    Object::int(this.get().state.logic.parties())
}

pub(super) fn set_parties(this: &BarrierRef, value: Option<&Object>) -> Result<()> {
    this.get().state.logic.set_parties(to_integer(value)?);
    Ok(())
}

pub(super) fn count(this: &BarrierRef) -> Result<Object> {
    Object::int(this.get().state.logic.count())
}

pub(super) fn set_count(this: &BarrierRef, value: Option<&Object>) -> Result<()> {
    this.get().state.logic.set_count(to_integer(value)?);
    Ok(())
}

pub(super) fn n_waiting(this: &BarrierRef) -> Result<Object> {
    Object::int(this.get().state.logic.waiting())
}

pub(super) fn is_broken(this: &BarrierRef) -> Result<Object> {
    Ok(Object::boolean(
        this.get().state.logic.state() == BarrierState::Broken,
    ))
}

/// The states, by the values of asyncio's `_BarrierState`.
const STATES: [(BarrierState, &str); 4] = [
    (BarrierState::Filling, "filling"),
    (BarrierState::Draining, "draining"),
    (BarrierState::Resetting, "resetting"),
    (BarrierState::Broken, "broken"),
];

pub(super) fn state_name(state: BarrierState) -> &'static str {
    STATES
        .iter()
        .find(|(other, _)| *other == state)
        .map_or("", |(_, name)| name)
}

/// `_state`: a member of asyncio's `_BarrierState`.
pub(super) fn state(this: &BarrierRef) -> Result<Object> {
    let py = attached();
    let class = globals().asyncio.barrier_state.bound(py);
    Ok(class
        .invoke((state_name(this.get().state.logic.state()),))?
        .into())
}

pub(super) fn set_state(this: &BarrierRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    let value = value.bound(attached());
    let name: String = value.look_up(c"value")?.extract()?;
    let Some((state, _)) = STATES.iter().find(|(_, other)| *other == name) else {
        return Err(type_error("a barrier has no such state"));
    };
    this.get().state.logic.set_state(*state);
    Ok(())
}

/// `TypeError` for a condition of another kind, asyncio's included: the native steps work on ours.
pub(super) fn set_condition(this: &BarrierRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    let Some(condition) = condition::CLASS.instance(value) else {
        return Err(type_error(
            "a barrier's condition has to be a Condition of Greenloop",
        ));
    };
    this.get().state.condition.set(condition.clone());
    Ok(())
}
