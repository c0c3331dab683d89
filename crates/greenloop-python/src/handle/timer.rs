//! `TimerHandle`: a handle with a deadline, by which handles are ordered.
//!
//! It follows `asyncio.TimerHandle`. The deadline is stored as the bits of a float, and the
//! caller's own object for it only if that was something else, such as an int: `when()` returns
//! what was given, and a plain float costs no object for each timer.
//!
//! The loop's heap does not compare handles; it orders its entries by deadline and then by age
//! (`crates/greenloop-core/src/timers.rs`). The comparisons here are for programs that sort
//! handles.

use greenloop_core::Instant;
use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Arguments, ClassBuilder, Comparison, Native, Object, Result, attached, attribute, noargs,
    readonly,
};

use super::class::{cancel_first, fill, repr_info};
use super::{CLASS, Handle, NATIVE, TIMER, cancel};
use crate::asyncio::globals;
use crate::scheduler::Scheduler;

impl Handle {
    /// A timer for `callback(*arguments)` at `deadline`, which the caller gave as `when` if that is
    /// anything but a plain float.
    ///
    /// The handle counts as scheduled from now on, so the caller pushes it into the heap of
    /// `scheduler` next. Raises a `MemoryError` only, and in debug mode what taking the stack
    /// raises.
    #[inline]
    pub fn create_timer(
        deadline: Instant,
        when: Option<Object>,
        callback: &Object,
        arguments: &[Object],
        context: Option<&Object>,
        event_loop: &Object,
        scheduler: &Scheduler,
    ) -> Result<Native<Self>> {
        let object = Handle::create(
            &TIMER,
            callback,
            arguments,
            context,
            event_loop,
            Some(scheduler),
        )?;
        let handle = object.get();
        handle.deadline_or_thread.set(deadline.as_secs().to_bits());
        if when.is_some() {
            handle.set_rare(|rare| &rare.when, when);
        }
        handle.set_scheduled(true);
        Ok(object)
    }
}

/// `TimerHandle.__init__(when, callback, args, loop, context=None)`. A timer that a program makes
/// is in no heap, hence not scheduled; its deadline is kept as the object that was given.
fn initialise(this: &Native<Handle>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let [when, callback, args, event_loop, context] = arguments.bind(
        c"TimerHandle.__init__",
        [
            &names.when,
            &names.callback,
            &names.args,
            &names.loop_,
            &names.context,
        ],
        5,
        4,
    )?;
    let handle = this.get();
    fill(handle, callback, args, event_loop, context)?;
    handle.set_rare(|rare| &rare.when, when.cloned());
    handle.set_scheduled(false);
    Ok(())
}

/// `TimerHandle.cancel()`. A loop of ours counts the dead entry in its heap, once for each handle
/// that is still scheduled; any other loop is told by `_timer_handle_cancelled`, before the handle
/// changes, as in asyncio.
fn cancel_timer(this: &Native<Handle>) -> Result<Object> {
    let handle = this.get();
    if handle.is_cancelled() {
        return Ok(Object::none());
    }
    let event_loop = handle.event_loop.get_or_none();
    let Some(scheduler) = Scheduler::of(&event_loop) else {
        event_loop.invoke(&globals().names.timer_handle_cancelled, [this])?;
        return cancel(this);
    };
    if handle.is_scheduled() {
        scheduler.note_cancelled_timer();
    }
    cancel_first(this, |_| Ok(scheduler.debug()))?;
    Ok(Object::none())
}

/// `TimerHandle.when()`: the deadline in seconds on the loop's clock, as it was given.
fn when(this: &Native<Handle>) -> Result<Object> {
    let handle = this.get();
    match handle.rare(|rare| &rare.when) {
        Some(when) => Ok(when),
        None => Object::float(f64::from_bits(handle.deadline_or_thread.get())),
    }
}

fn scheduled(this: &Native<Handle>) -> Result<Object> {
    Ok(Object::boolean(this.get().is_scheduled()))
}

/// Sets `_scheduled`, which asyncio's own loop does with the timers it is given; any true value
/// counts.
fn set_scheduled(this: &Native<Handle>, value: Option<&Object>) -> Result<()> {
    let value = value.map(Object::is_true).transpose()?;
    this.get().set_scheduled(value.unwrap_or(false));
    Ok(())
}

/// `_repr_info()`: the handle's parts, with the deadline behind the class's name and "cancelled".
fn timer_repr_info(this: &Native<Handle>) -> Result<Object> {
    let handle = this.get();
    let py = attached();
    let info = repr_info(this)?;
    let place = if handle.is_cancelled() { 2 } else { 1 };
    let text = format!("when={}", making::shown(&when(this)?)?);
    info.bound(py).invoke_method(c"insert", (place, text))?;
    Ok(info)
}

/// The rich comparisons. Anything but a timer of ours gets `NotImplemented`. `<=` is "earlier or
/// equal in all parts", as in asyncio, so two timers with one deadline and different callbacks are
/// neither `<=` nor `>=`.
fn compare(left: &Native<Handle>, comparison: Comparison, right: &Object) -> Result<Option<bool>> {
    let Some(right) = TIMER.instance(right) else {
        return Ok(None);
    };
    let (less, greater) = (Comparison::Less, Comparison::Greater);
    let answer = match comparison {
        Comparison::Equal => equal(left, right)?,
        Comparison::Unequal => !equal(left, right)?,
        Comparison::Less => compare_when(left, less, right)?,
        Comparison::Greater => compare_when(left, greater, right)?,
        Comparison::LessOrEqual => compare_when(left, less, right)? || equal(left, right)?,
        Comparison::GreaterOrEqual => compare_when(left, greater, right)? || equal(left, right)?,
    };
    Ok(Some(answer))
}

/// Compares the deadlines as Python objects, which runs code of the program if they are of its
/// classes.
fn compare_when(
    left: &Native<Handle>,
    comparison: Comparison,
    right: &Native<Handle>,
) -> Result<bool> {
    when(left)?.compares(comparison, &when(right)?)
}

/// Two timers are equal if deadline, callback, arguments and cancellation are.
fn equal(left: &Native<Handle>, right: &Native<Handle>) -> Result<bool> {
    let (one, other) = (left.get(), right.get());
    let same = Comparison::Equal;
    let callback = one.callback.get_or_none();
    Ok(compare_when(left, same, right)?
        && callback.compares(same, &other.callback.get_or_none())?
        && one
            .arguments_or_none()?
            .compares(same, &other.arguments_or_none()?)?
        && one.is_cancelled() == other.is_cancelled())
}

/// Makes the class `TimerHandle`.
pub fn make_class() -> Result<()> {
    ClassBuilder::<Handle>::of_derived_records(c"greenloop.TimerHandle")
        .doc(
            c"TimerHandle(when, callback, args, loop, context=None)\n--\n\n\
             A callback that an event loop will run at a deadline; see asyncio.TimerHandle.",
        )
        .init_by(initialise)
        .hash_by(|this| when(this)?.hash())
        .compare_by(compare)
        .methods(vec![
            noargs(
                c"cancel",
                cancel_timer,
                c"Cancel the callback: it will not be run.",
            ),
            noargs(
                c"when",
                when,
                c"Return the deadline in seconds on the loop's clock.",
            ),
            noargs(
                c"_repr_info",
                timer_repr_info,
                c"Return the parts of the repr.",
            ),
        ])
        .attributes(vec![
            readonly(c"_when", when),
            attribute(c"_scheduled", scheduled, set_scheduled),
        ])
        .build_below(&CLASS, &TIMER)?;
    NATIVE.add(&TIMER);
    Ok(())
}
