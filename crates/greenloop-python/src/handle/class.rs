//! The class `Handle` as Python sees it: its methods, its attributes and its deallocation.

use std::ffi::{c_int, c_void};

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{
    Arguments, ClassBuilder, Object, Result, attached, attribute, call_method, init, noargs, unary,
};
use pyo3::ffi;
use pyo3::prelude::*;

use super::{Handle, SPARE, format_callback};
use crate::asyncio::{creation_stack, globals};
use crate::scheduler::Scheduler;

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let [callback, args, event_loop, context] = arguments.bind(
        c"Handle.__init__",
        [&names.callback, &names.args, &names.loop_, &names.context],
        4,
        3,
    )?;
    let handle = Handle::of(this);
    fill(handle, callback, args, event_loop, context)
}

/// The common part of both classes' `__init__`.
pub(super) fn fill(
    handle: &Handle,
    callback: Option<&Object>,
    args: Option<&Object>,
    event_loop: Option<&Object>,
    context: Option<&Object>,
) -> Result<()> {
    let event_loop = event_loop.cloned().unwrap_or_else(Object::none);
    let debug = call_method(&globals().names.get_debug, &[event_loop.as_ptr()])?.is_true()?;
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
pub fn cancel(this: &Object) -> Result<Object> {
    if !Handle::of(this).cancelled.get() {
        cancel_first(this, in_debug_mode)?;
    }
    Ok(Object::none())
}

/// Cancels a handle that is not cancelled yet. Whether its loop is in debug mode is asked once the
/// handle counts as cancelled.
#[inline]
pub(super) fn cancel_first(
    this: &Object,
    is_in_debug_mode: impl FnOnce(&Handle) -> Result<bool>,
) -> Result<()> {
    let handle = Handle::of(this);
    handle.cancelled.set(true);
    Handle::track(this);
    if is_in_debug_mode(handle)? {
        let text = this.repr()?;
        handle.set_rare(|rare| &rare.repr, Some(text));
    }
    handle.callback.clear();
    handle.arguments.clear();
    handle.single.set(false);
    Ok(())
}

fn in_debug_mode(handle: &Handle) -> Result<bool> {
    let event_loop = handle.event_loop.get_or_none();
    match Scheduler::of(&event_loop) {
        Some(scheduler) => Ok(scheduler.debug()),
        None => call_method(&globals().names.get_debug, &[event_loop.as_ptr()])?.is_true(),
    }
}

fn cancelled(this: &Object) -> Result<Object> {
    Ok(Object::boolean(Handle::of(this).cancelled.get()))
}

fn get_context(this: &Object) -> Result<Object> {
    Handle::of(this).context.get()
}

fn run_method(this: &Object) -> Result<Object> {
    Handle::run(this)?;
    Ok(Object::none())
}

pub(super) fn repr_info(this: &Object) -> Result<Object> {
    let handle = Handle::of(this);
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

fn repr(this: &Object) -> Result<Object> {
    if let Some(text) = Handle::of(this).rare(|rare| &rare.repr) {
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
fn attribute_class(this: &Object) -> Result<Object> {
    let (globals, class) = (globals(), this.class());
    let classes = &globals.classes;
    // SAFETY: an object's class is a valid object.
    let own = unsafe { Object::from_borrowed(class.cast()) };
    let asyncios = if class == classes.handle.as_ptr() {
        &globals.asyncio.handle
    } else if class == classes.timer_handle.as_ptr() {
        &globals.asyncio.timer_handle
    } else {
        #[cfg(Py_3_14)]
        if class == classes.thread_safe_handle.as_ptr() {
            return Ok(stands_in(&own, &globals.asyncio.thread_safe_handle));
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

fn attribute_callback(this: &Object) -> Result<Object> {
    Ok(Handle::of(this).callback.get_or_none())
}

fn attribute_args(this: &Object) -> Result<Object> {
    Handle::of(this).arguments_or_none()
}

fn attribute_loop(this: &Object) -> Result<Object> {
    Ok(Handle::of(this).event_loop.get_or_none())
}

fn attribute_repr(this: &Object) -> Result<Object> {
    let text = Handle::of(this).rare(|rare| &rare.repr);
    Ok(text.unwrap_or_else(Object::none))
}

fn attribute_source_traceback(this: &Object) -> Result<Object> {
    let traceback = Handle::of(this).source_traceback();
    Ok(traceback.unwrap_or_else(Object::none))
}

fn set_source_traceback(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.filter(|value| !value.is_none()).cloned();
    Handle::of(this).set_rare(|rare| &rare.source_traceback, value);
    Ok(())
}

/// Makes a handle for `Handle(...)` called from Python.
unsafe extern "C" fn new_slot(
    class: *mut ffi::PyTypeObject,
    _: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the class's own allocator gives a zeroed, tracked object or NULL with an exception.
    unsafe {
        let allocate = (*class).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
        let object = allocate(class, 0);
        if !object.is_null() {
            (*object.cast::<Handle>()).tracked.set(true);
        }
        object
    }
}

pub(super) unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead handle.
    unsafe { greenloop_cpython::deallocate(this, end) }
}

unsafe fn end(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead handle. Only exact instances have the size that
    // the freelist's blocks have; others are freed as their class says.
    unsafe {
        let handle = &*this.cast::<Handle>();
        let class = ffi::Py_TYPE(this);
        let exact = globals().classes.is_handle(class);
        // The interpreter tracks an instance of a subclass in any case.
        if handle.tracked.get() || !exact {
            ffi::PyObject_GC_UnTrack(this.cast());
        }
        if !handle.weak_references.get().is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        handle.clear();
        if exact {
            SPARE.free(this);
        } else {
            if let Some(free) = (*class).tp_free {
                free(this.cast());
            }
            ffi::Py_DECREF(class.cast());
        }
    }
}

pub(super) unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on a handle, with its own visitor.
    unsafe {
        greenloop_cpython::traverse(this, visit, arg, |visitor| {
            (*this.cast::<Handle>()).visit(visitor)
        })
    }
}

pub(super) unsafe extern "C" fn clear_slot(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on a handle.
    unsafe { (*this.cast::<Handle>()).clear() };
    0
}

/// Makes the class `Handle`.
pub fn make_class() -> Result<Object> {
    ClassBuilder::new::<Handle>(c"greenloop.Handle")
        .subclassable()
        .doc(
            c"Handle(callback, args, loop, context=None)\n--\n\n\
             A callback that an event loop will run; see asyncio.Handle.",
        )
        .slot(ffi::Py_tp_new, new_slot as *mut c_void)
        .init(init!(initialise))
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .slot(ffi::Py_tp_clear, clear_slot as *mut c_void)
        .repr(unary!(repr))
        .methods(vec![
            noargs!(
                c"cancel",
                cancel,
                c"Cancel the callback: it will not be run."
            ),
            noargs!(leaf c"cancelled", cancelled, c"Return True if the callback was cancelled."),
            #[cfg(Py_3_12)]
            noargs!(
                c"get_context",
                get_context,
                c"Return the context the callback runs in."
            ),
            noargs!(
                c"_run",
                run_method,
                c"Run the callback; what it raises is reported."
            ),
            noargs!(c"_repr_info", repr_info, c"Return the parts of the repr."),
        ])
        .attributes(vec![
            attribute!(c"__class__", attribute_class),
            attribute!(c"_callback", attribute_callback),
            attribute!(c"_args", attribute_args),
            attribute!(c"_cancelled", cancelled),
            attribute!(c"_loop", attribute_loop),
            attribute!(c"_context", get_context),
            attribute!(c"_repr", attribute_repr),
            attribute!(
                c"_source_traceback",
                attribute_source_traceback,
                set_source_traceback
            ),
        ])
        .members(vec![ffi::PyMemberDef {
            name: c"__weaklistoffset__".as_ptr(),
            type_code: ffi::Py_T_PYSSIZET,
            offset: std::mem::offset_of!(Handle, weak_references) as ffi::Py_ssize_t,
            flags: ffi::Py_READONLY,
            doc: std::ptr::null(),
        }])
        .build(None)
}
