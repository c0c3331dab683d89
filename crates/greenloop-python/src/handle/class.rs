//! The class `Handle` as Python sees it: its methods, its attributes and its deallocation.
//!
//! Everything here follows `asyncio.Handle` of CPython's `asyncio/events.py`. A program may make a
//! handle by itself, for a loop of any class, so nothing here assumes that the loop is ours or that
//! the arguments are a tuple. What the scheduler makes does not go through `__init__`; see `create`
//! in the module above.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Arguments, ClassBuilder, Native, Object, Result, attached, attribute, leaf_noargs, noargs,
    readonly,
};
use pyo3::prelude::*;

use super::{CLASS, Handle, NATIVE, TIMER, format_callback};
use crate::asyncio::{creation_stack, globals};
use crate::scheduler::Scheduler;

/// `Handle.__init__(callback, args, loop, context=None)`. Raises a `TypeError` for arguments that
/// do not fit. A second call starts the handle afresh, as in asyncio.
fn initialise(this: &Native<Handle>, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let [callback, args, event_loop, context] = arguments.bind(
        c"Handle.__init__",
        [&names.callback, &names.args, &names.loop_, &names.context],
        4,
        3,
    )?;
    let handle = this.get();
    fill(handle, callback, args, event_loop, context)
}

/// The common part of both classes' `__init__`.
///
/// The loop's `get_debug` is called first, by name, and the stack is taken in debug mode: both may
/// run code of the program and raise, and the handle has not changed by then. Without a context the
/// current one is copied, as `contextvars.copy_context()` does.
pub(super) fn fill(
    handle: &Handle,
    callback: Option<&Object>,
    args: Option<&Object>,
    event_loop: Option<&Object>,
    context: Option<&Object>,
) -> Result<()> {
    let event_loop = event_loop.cloned().unwrap_or_else(Object::none);
    let debug = event_loop
        .invoke(&globals().names.get_debug, [])?
        .is_true()?;
    let traceback = if debug { Some(creation_stack()?) } else { None };
    handle.context.set(context)?;
    handle.cancelled.set(false);
    handle.set_rare(|rare| &rare.repr, None);
    handle.set_rare(|rare| &rare.source_traceback, traceback);
    handle.event_loop.set(event_loop);
    handle.callback.set_optional(callback.cloned());
    // Both are set together: the slot holds one argument or all of them.
    handle.single.set(false);
    handle.arguments.set_optional(args.cloned());
    Ok(())
}

/// `Handle.cancel()`: drops the callback and its arguments. In debug mode keeps their text.
///
/// A second call does nothing. What the callback and its arguments held is dropped at once, as in
/// asyncio, so that a cancelled timer keeps no object alive until its deadline. That may run
/// finalisers.
pub fn cancel(this: &Native<Handle>) -> Result<Object> {
    if !this.get().cancelled.get() {
        cancel_first(this, in_debug_mode)?;
    }
    Ok(Object::none())
}

/// Cancels a handle that is not cancelled yet. Whether its loop is in debug mode is asked once the
/// handle counts as cancelled.
///
/// The flag is set before anything else, because `__repr__` of the program's objects may come back
/// here. The collector tracks the handle from now on: a cancelled one may stay with the program for
/// any time.
#[inline]
pub(super) fn cancel_first(
    this: &Native<Handle>,
    is_in_debug_mode: impl FnOnce(&Handle) -> Result<bool>,
) -> Result<()> {
    let handle = this.get();
    handle.cancelled.set(true);
    this.track();
    if is_in_debug_mode(handle)? {
        let text = this.repr()?;
        handle.set_rare(|rare| &rare.repr, Some(text));
    }
    handle.callback.clear();
    handle.arguments.clear();
    handle.single.set(false);
    Ok(())
}

/// Whether the handle's loop is in debug mode: one of ours has the answer at hand, another is asked
/// by name.
fn in_debug_mode(handle: &Handle) -> Result<bool> {
    let event_loop = handle.event_loop.get_or_none();
    match Scheduler::of(&event_loop) {
        Some(scheduler) => Ok(scheduler.debug()),
        None => event_loop.invoke(&globals().names.get_debug, [])?.is_true(),
    }
}

fn cancelled(this: &Native<Handle>) -> Result<Object> {
    Ok(Object::boolean(this.get().cancelled.get()))
}

fn get_context(this: &Native<Handle>) -> Result<Object> {
    this.get().context.get()
}

fn run_method(this: &Native<Handle>) -> Result<Object> {
    Handle::run(this)?;
    Ok(Object::none())
}

/// `_repr_info()`: the parts of the repr as a list of texts, to which `TimerHandle` adds its own,
/// as asyncio's subclass does. Calls `repr` of the callback and of its arguments.
pub(super) fn repr_info(this: &Native<Handle>) -> Result<Object> {
    let handle = this.get();
    let py = attached();
    let mut info = vec![making::text(&making::class_name(this)?)?];
    if handle.cancelled.get() {
        info.push(making::text("cancelled")?);
    }
    if handle
        .callback
        .get()
        .is_some_and(|callback| !callback.is_none())
    {
        info.push(format_callback(handle)?);
    }
    if let Some(traceback) = handle.source_traceback() {
        if traceback.is_true()? {
            let frame = traceback.bound(py).get_item(-1)?;
            // By name: by number the line of source is looked up too, which fails at exit.
            let (file, line) = (frame.look_up(c"filename")?, frame.look_up(c"lineno")?);
            let (file, line) = (making::shown(&file.into())?, making::shown(&line.into())?);
            info.push(making::text(&format!("created at {file}:{line}"))?);
        }
    }
    making::list(info)
}

/// `repr(handle)`. A handle that was cancelled in debug mode shows the text from before; any other
/// asks for its parts by name, so that a subclass can add to them.
fn repr(this: &Native<Handle>) -> Result<Object> {
    if let Some(text) = this.get().rare(|rare| &rare.repr) {
        return Ok(text);
    }
    let py = attached();
    let info: Vec<String> = this.bound(py).invoke_method(c"_repr_info", ())?.extract()?;
    making::text(&format!("<{}>", info.join(" ")))
}

/// `isinstance(handle, asyncio.Handle)` holds, although our classes do not derive from asyncio's:
/// those have room for eight attributes that ours would carry along unused. `isinstance` asks an
/// object for its `__class__` too, and our handle returns the class that it replaces. That is
/// asyncio's class, unless ours was put in its place.
fn attribute_class(this: &Native<Handle>) -> Result<Object> {
    let asyncio = &globals().asyncio;
    let own = this.class_object();
    let asyncios = if CLASS.is_class_of(this) {
        &asyncio.handle
    } else if TIMER.is_class_of(this) {
        &asyncio.timer_handle
    } else {
        #[cfg(Py_3_14)]
        if super::THREAD_SAFE.is_class_of(this) {
            return Ok(stands_in(&own, &asyncio.thread_safe_handle));
        }
        return Ok(own);
    };
    Ok(stands_in(&own, asyncios))
}

/// `asyncios`, or `own` if it is installed in that one's place.
fn stands_in(own: &Object, asyncios: &Object) -> Object {
    let py = attached();
    let events = globals().asyncio.events.bound(py);
    let name = asyncios.bound(py).look_up(c"__name__");
    match name.and_then(|name| events.look_up(name)) {
        Ok(installed) if installed.is(own.bound(py)) => own.clone(),
        _ => asyncios.clone(),
    }
}

fn attribute_callback(this: &Native<Handle>) -> Result<Object> {
    Ok(this.get().callback.get_or_none())
}

fn attribute_args(this: &Native<Handle>) -> Result<Object> {
    this.get().arguments_or_none()
}

fn attribute_loop(this: &Native<Handle>) -> Result<Object> {
    Ok(this.get().event_loop.get_or_none())
}

fn attribute_repr(this: &Native<Handle>) -> Result<Object> {
    let text = this.get().rare(|rare| &rare.repr);
    Ok(text.unwrap_or_else(Object::none))
}

fn attribute_source_traceback(this: &Native<Handle>) -> Result<Object> {
    let traceback = this.get().source_traceback();
    Ok(traceback.unwrap_or_else(Object::none))
}

/// Sets `_source_traceback`; None and deletion both remove it.
fn set_source_traceback(this: &Native<Handle>, value: Option<&Object>) -> Result<()> {
    let value = value.filter(|value| !value.is_none()).cloned();
    this.get().set_rare(|rare| &rare.source_traceback, value);
    Ok(())
}

/// Makes the class `Handle`.
pub fn make_class() -> Result<()> {
    ClassBuilder::<Handle>::of_open_records(c"greenloop.Handle")
        .doc(
            c"Handle(callback, args, loop, context=None)\n--\n\n\
         A callback that an event loop will run; see asyncio.Handle.",
        )
        .init_by(initialise)
        .repr_by(repr)
        .methods(vec![
            noargs(
                c"cancel",
                cancel,
                c"Cancel the callback: it will not be run.",
            ),
            leaf_noargs(
                c"cancelled",
                cancelled,
                c"Return True if the callback was cancelled.",
            ),
            #[cfg(Py_3_12)]
            noargs(
                c"get_context",
                get_context,
                c"Return the context the callback runs in.",
            ),
            noargs(
                c"_run",
                run_method,
                c"Run the callback; what it raises is reported.",
            ),
            noargs(c"_repr_info", repr_info, c"Return the parts of the repr."),
        ])
        .attributes(vec![
            readonly(c"__class__", attribute_class),
            readonly(c"_callback", attribute_callback),
            readonly(c"_args", attribute_args),
            readonly(c"_cancelled", cancelled),
            readonly(c"_loop", attribute_loop),
            readonly(c"_context", get_context),
            readonly(c"_repr", attribute_repr),
            attribute(
                c"_source_traceback",
                attribute_source_traceback,
                set_source_traceback,
            ),
        ])
        .build_into(&CLASS)?;
    NATIVE.add(&CLASS);
    Ok(())
}
