//! `Handle`: a callback that the loop will run, and the means to cancel it.
//!
//! ```text
//!            1 new            2 run
//!   (call_soon) ──► scheduled ──────► ran (may be run again by hand, as asyncio allows)
//!                      │ 3 cancel
//!                      ▼
//!                  cancelled: callback and arguments are dropped at once
//! ```
//!
//! The garbage collector need not know of a handle while its loop runs: the loop is alive then, and so
//! is all that waits in it. A handle is shown to the collector (`track`) when that may end: when its
//! callback has run and somebody still holds it, when it is cancelled, and when the loop stops running.
//! With a hundred thousand timers set, collections were more than half of the cost.
//!
//! `Handle` and its subclass `TimerHandle` share one struct. Attributes with an underscore are those
//! of asyncio's own class: libraries and debuggers read them.

#[cfg(Py_3_14)]
mod thread_safe;
mod timer;

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::event_loop::EventLoop;
use crate::interop::{
    Arguments, ClassBuilder, Freelist, Object, Raised, Result, Slot, attribute, call_function,
    call_method, call_with_context, fetch, globals, matches, noargs, trap, trap_int,
};

#[cfg(Py_3_14)]
pub use thread_safe::make_class as make_thread_safe_class;
pub use timer::make_class as make_timer_class;

/// How many dead handles are kept: more than a burst of callbacks in one turn has.
static SPARE: Freelist<256> = Freelist::new();

/// The C struct of both classes.
///
/// What each run touches stands first, in one cache line.
#[repr(C)]
pub struct Handle {
    header: ffi::PyObject,
    callback: Slot,
    /// No arguments: empty. One: the argument itself, and `single` is set. More: their tuple.
    arguments: Slot,
    context: Slot,
    /// Set by `cancel`, never cleared.
    cancelled: Cell<bool>,
    single: Cell<bool>,
    /// Set while a timer is in its loop's heap, and until it is run.
    scheduled: Cell<bool>,
    /// Set once the garbage collector knows of the handle.
    tracked: Cell<bool>,
    event_loop: Slot,
    source_traceback: Slot,
    /// The text of a handle that debug mode saw cancelled, made before its callback was dropped.
    repr: Slot,
    /// The deadline of a timer, as the caller gave it.
    when: Slot,
    weak_references: Cell<*mut ffi::PyObject>,
    /// The thread that runs the callback of a thread-safe handle now, or 0.
    #[cfg(Py_3_14)]
    running: Cell<u64>,
}

impl Handle {
    /// The struct behind a `Handle` or `TimerHandle`.
    #[inline]
    pub fn of(object: &Object) -> &Self {
        // SAFETY: the callers pass instances of the two classes only: `self` of a method, or an
        // entry of the ready queue.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// A handle of `class` for `callback(*arguments)` on `event_loop`, whose native part is given if the
    /// handle is about to be queued there.
    #[inline]
    pub fn create(
        class: *mut ffi::PyTypeObject,
        callback: &Object,
        arguments: &[Object],
        context: Option<&Object>,
        event_loop: &Object,
        native: Option<&EventLoop>,
    ) -> Result<Object> {
        let context = match context {
            Some(context) if !context.is_none() => context.clone(),
            // SAFETY: returns a new reference or NULL with an exception set.
            _ => unsafe { Object::from_returned(ffi::PyContext_CopyCurrent())? },
        };
        // SAFETY: `class` is one of the two classes, whose struct this is.
        let object = unsafe { Object::from_owned(SPARE.allocate::<Handle>(class)?.cast()) };
        let handle = Handle::of(&object);
        handle.callback.set(callback.clone());
        match arguments {
            [] => {}
            [single] => {
                handle.single.set(true);
                handle.arguments.set(single.clone());
            }
            several => handle.arguments.set(tuple_of(several)?),
        }
        handle.context.set(context);
        handle.event_loop.set(event_loop.clone());
        if native.is_some_and(EventLoop::debug) {
            handle
                .source_traceback
                .set(call_function(&globals().asyncio.extract_stack, &[])?);
        }
        if !native.is_some_and(EventLoop::is_turning) {
            Handle::track(&object);
        }
        Ok(object)
    }

    /// Shows the handle to the garbage collector.
    #[inline]
    pub fn track(this: &Object) {
        if !Handle::of(this).tracked.replace(true) {
            // SAFETY: a complete object of a garbage collected class that is not tracked yet.
            unsafe { ffi::PyObject_GC_Track(this.as_ptr().cast()) };
        }
    }

    /// The loop is done with the handle: whoever still holds it may be in a cycle with it.
    #[inline]
    pub fn release(this: &Object) {
        // SAFETY: `this` is a valid object; one reference is the caller's.
        if unsafe { ffi::Py_REFCNT(this.as_ptr()) } > 1 {
            Handle::track(this);
        }
    }

    /// Whether `cancel` was called.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Tells a timer that it has left its loop's heap.
    pub fn set_scheduled(&self, scheduled: bool) {
        self.scheduled.set(scheduled);
    }

    /// Whether a timer is in its loop's heap.
    pub fn is_scheduled(&self) -> bool {
        self.scheduled.get()
    }

    fn set_when(&self, when: Object) {
        self.when.set(when);
    }

    /// Runs the callback in its context. What it raises goes to the loop's exception handler, but for
    /// `SystemExit` and `KeyboardInterrupt`, which leave the loop.
    #[inline]
    pub fn run(this: &Object) -> Result<()> {
        #[cfg(Py_3_14)]
        if this.is_exactly(globals().classes.thread_safe_handle.as_ptr()) {
            return thread_safe::run(this);
        }
        Self::run_now(this)
    }

    #[inline]
    fn run_now(this: &Object) -> Result<()> {
        let handle = Handle::of(this);
        handle.scheduled.set(false);
        let Err(raised) = handle.call() else {
            return Ok(());
        };
        if leaves_the_loop() {
            return Err(raised);
        }
        Self::report(this, &fetch(raised))
    }

    fn call(&self) -> Result<()> {
        let callback = self.callback.get_or_none();
        let context = self.context.get_or_none();
        let arguments = self.arguments.get();
        // SAFETY: the slice handed over begins behind a free place, and `arguments` keeps what is in
        // it alive during the call.
        unsafe {
            match arguments {
                None => {
                    let place = [std::ptr::null_mut::<ffi::PyObject>()];
                    call_with_context(&context, &callback, place.as_ptr().add(1), 0)?;
                }
                Some(single) if self.single.get() => {
                    let places = [std::ptr::null_mut(), single.as_ptr()];
                    call_with_context(&context, &callback, places.as_ptr().add(1), 1)?;
                }
                Some(tuple) => {
                    let count = ffi::PyTuple_GET_SIZE(tuple.as_ptr()) as usize;
                    let mut places = vec![std::ptr::null_mut(); count + 1];
                    for (index, place) in places[1..].iter_mut().enumerate() {
                        *place = ffi::PyTuple_GET_ITEM(tuple.as_ptr(), index as ffi::Py_ssize_t);
                    }
                    call_with_context(&context, &callback, places.as_ptr().add(1), count)?;
                }
            }
        }
        Ok(())
    }

    /// Tells the loop's exception handler what the callback raised.
    pub fn report(this: &Object, exception: &Object) -> Result<()> {
        let handle = Handle::of(this);
        let text = format_callback(handle)?;
        // SAFETY: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let message = format!("Exception in callback {}", text.bound(py));
        let context = PyDict::new(py);
        let names = &globals().names;
        context.set_item(names.message.bound(py), message)?;
        context.set_item(names.exception.bound(py), exception.bound(py))?;
        context.set_item(names.handle.bound(py), this.bound(py))?;
        if let Some(traceback) = handle.source_traceback.get() {
            context.set_item(names.source_traceback.bound(py), traceback.bound(py))?;
        }
        let event_loop = handle.event_loop.get_or_none();
        call_method(
            &names.call_exception_handler,
            &[event_loop.as_ptr(), context.as_ptr()],
        )?;
        Ok(())
    }

    /// Lets go of everything, for the garbage collector and at the end.
    fn clear(&self) {
        for slot in self.slots() {
            slot.clear();
        }
    }

    const fn slots(&self) -> [&Slot; 7] {
        [
            &self.callback,
            &self.arguments,
            &self.context,
            &self.event_loop,
            &self.source_traceback,
            &self.repr,
            &self.when,
        ]
    }

    fn arguments_tuple(&self) -> Result<Object> {
        match self.arguments.get() {
            None => Ok(globals().no_arguments.clone()),
            Some(single) if self.single.get() => tuple_of(std::slice::from_ref(&single)),
            Some(tuple) => Ok(tuple),
        }
    }
}

/// Whether the exception that is set ends `run_forever` instead of going to the exception handler.
pub fn leaves_the_loop() -> bool {
    // SAFETY: both classes are always valid.
    unsafe { matches(ffi::PyExc_SystemExit) || matches(ffi::PyExc_KeyboardInterrupt) }
}

fn tuple_of(items: &[Object]) -> Result<Object> {
    // SAFETY: a new tuple's places are filled with new references before anybody sees it.
    unsafe {
        let tuple = Object::from_returned(ffi::PyTuple_New(items.len() as ffi::Py_ssize_t))?;
        for (index, item) in items.iter().enumerate() {
            ffi::PyTuple_SetItem(
                tuple.as_ptr(),
                index as ffi::Py_ssize_t,
                item.clone().into_ptr(),
            );
        }
        Ok(tuple)
    }
}

/// The callback as asyncio's messages show it. Whether arguments are shown in debug mode only is the
/// running Python's choice: newer versions take a keyword for it.
fn format_callback(handle: &Handle) -> Result<Object> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let function = globals().asyncio.format_callback_source.bound(py);
    let callback = handle.callback.get_or_none();
    let arguments = attribute_arguments(handle)?;
    let keywords = PyDict::new(py);
    let defaults = function.getattr("__kwdefaults__")?;
    if !defaults.is_none() {
        let event_loop = handle.event_loop.get_or_none();
        let debug = call_method(&globals().names.get_debug, &[event_loop.as_ptr()])?;
        keywords.set_item("debug", debug.bound(py))?;
    }
    Ok(function
        .call((callback.bound(py), arguments.bound(py)), Some(&keywords))?
        .into())
}

// The class, as Python sees it.

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let names = &globals().names;
    let [callback, args, event_loop, context] = arguments.bind(
        c"Handle",
        [&names.callback, &names.args, &names.loop_, &names.context],
        4,
        3,
    )?;
    let handle = Handle::of(this);
    fill(handle, callback, args, event_loop, context)
}

/// What both classes' `__init__` do with the arguments they share.
fn fill(
    handle: &Handle,
    callback: Option<&Object>,
    args: Option<&Object>,
    event_loop: Option<&Object>,
    context: Option<&Object>,
) -> Result<()> {
    let context = match context {
        Some(context) if !context.is_none() => context.clone(),
        // SAFETY: returns a new reference or NULL with an exception set.
        _ => unsafe { Object::from_returned(ffi::PyContext_CopyCurrent())? },
    };
    handle.context.set(context);
    handle.callback.set_optional(callback.cloned());
    handle.single.set(false);
    let args = args.cloned().unwrap_or_else(Object::none);
    // SAFETY: returns a new reference or NULL with an exception set.
    let args = unsafe { Object::from_returned(ffi::PySequence_Tuple(args.as_ptr()))? };
    handle.arguments.set(args);
    let event_loop = event_loop.cloned().unwrap_or_else(Object::none);
    handle.event_loop.set(event_loop.clone());
    if call_method(&globals().names.get_debug, &[event_loop.as_ptr()])?.is_true()? {
        handle
            .source_traceback
            .set(call_function(&globals().asyncio.extract_stack, &[])?);
    }
    Ok(())
}

/// `Handle.cancel()`: drops the callback and its arguments. In debug mode keeps their text.
pub fn cancel(this: &Object) -> Result<Object> {
    let handle = Handle::of(this);
    if !handle.cancelled.get() {
        handle.cancelled.set(true);
        Handle::track(this);
        if in_debug_mode(handle)? {
            // SAFETY: `this` is valid.
            let text = unsafe { Object::from_returned(ffi::PyObject_Repr(this.as_ptr()))? };
            handle.repr.set(text);
        }
        handle.callback.clear();
        handle.arguments.clear();
        handle.single.set(false);
    }
    Ok(Object::none())
}

fn in_debug_mode(handle: &Handle) -> Result<bool> {
    let event_loop = handle.event_loop.get_or_none();
    match EventLoop::of(&event_loop) {
        Some(native) => Ok(native.debug()),
        None => call_method(&globals().names.get_debug, &[event_loop.as_ptr()])?.is_true(),
    }
}

fn cancelled(this: &Object) -> Result<Object> {
    Ok(boolean(Handle::of(this).cancelled.get()))
}

fn get_context(this: &Object) -> Result<Object> {
    Ok(Handle::of(this).context.get_or_none())
}

fn run_method(this: &Object) -> Result<Object> {
    Handle::run(this)?;
    Ok(Object::none())
}

fn repr_info(this: &Object) -> Result<Object> {
    let handle = Handle::of(this);
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let info = PyList::empty(py);
    info.append(this.bound(py).get_type().name()?)?;
    if handle.cancelled.get() {
        info.append("cancelled")?;
    }
    if handle
        .callback
        .get()
        .is_some_and(|callback| !callback.is_none())
    {
        info.append(format_callback(handle)?.bound(py))?;
    }
    if let Some(traceback) = handle.source_traceback.get() {
        if traceback.is_true()? {
            let frame = traceback.bound(py).get_item(-1)?;
            let (file, line) = (frame.get_item(0)?, frame.get_item(1)?);
            info.append(format!("created at {file}:{line}"))?;
        }
    }
    Ok(info.into_any().into())
}

unsafe extern "C" fn repr(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the interpreter passes a valid handle.
        let this = unsafe { Object::from_borrowed(this) };
        if let Some(text) = Handle::of(&this).repr.get() {
            return Ok(text);
        }
        // SAFETY: the GIL is held.
        let py = unsafe { Python::assume_attached() };
        let info: Vec<String> = this.bound(py).call_method0("_repr_info")?.extract()?;
        let text = PyString::new(py, &format!("<{}>", info.join(" ")));
        Ok(text.into_any().into())
    })
}

/// A Python bool.
pub fn boolean(value: bool) -> Object {
    // SAFETY: True and False are always valid.
    unsafe {
        Object::from_borrowed(if value {
            ffi::Py_True()
        } else {
            ffi::Py_False()
        })
    }
}

/// `isinstance(handle, asyncio.Handle)` holds, although our classes do not derive from asyncio's: those
/// have room for eight attributes that ours would carry along unused. `isinstance` asks an object for
/// its `__class__` too, and there a handle of ours says what it stands for.
fn attribute_class(this: &Object) -> Result<Object> {
    let (globals, class) = (globals(), this.class());
    let classes = &globals.classes;
    if class == classes.handle.as_ptr() {
        return Ok(globals.asyncio.handle.clone());
    }
    if class == classes.timer_handle.as_ptr() {
        return Ok(globals.asyncio.timer_handle.clone());
    }
    #[cfg(Py_3_14)]
    if class == classes.thread_safe_handle.as_ptr() {
        return Ok(globals.asyncio.thread_safe_handle.clone());
    }
    // SAFETY: an object's class is a valid object.
    Ok(unsafe { Object::from_borrowed(class.cast()) })
}

fn attribute_callback(this: &Object) -> Result<Object> {
    Ok(Handle::of(this).callback.get_or_none())
}

fn attribute_args(this: &Object) -> Result<Object> {
    attribute_arguments(Handle::of(this))
}

fn attribute_arguments(handle: &Handle) -> Result<Object> {
    if handle.callback.is_empty() {
        Ok(Object::none())
    } else {
        handle.arguments_tuple()
    }
}

fn attribute_loop(this: &Object) -> Result<Object> {
    Ok(Handle::of(this).event_loop.get_or_none())
}

fn attribute_repr(this: &Object) -> Result<Object> {
    Ok(Handle::of(this).repr.get_or_none())
}

fn attribute_source_traceback(this: &Object) -> Result<Object> {
    Ok(Handle::of(this).source_traceback.get_or_none())
}

fn set_source_traceback(this: &Object, value: Option<&Object>) -> Result<()> {
    Handle::of(this)
        .source_traceback
        .set_optional(value.filter(|value| !value.is_none()).cloned());
    Ok(())
}

unsafe extern "C" fn initialise_slot(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: the interpreter passes a handle, a tuple and a dict or null.
    unsafe { initialise_with(this, args, kwargs, initialise) }
}

/// Runs an `__init__` that is written for the vectorcall convention from the slot that is not.
///
/// # Safety
/// Called from `tp_init` with the arguments it was given.
pub unsafe fn initialise_with(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
    body: fn(&Object, Arguments<'_>) -> Result<()>,
) -> c_int {
    trap_int(|| {
        // SAFETY: the tuple and the dict live through the call, and so do the references copied out
        // of them, which stand in one array as the vectorcall convention has it.
        unsafe {
            let this = Object::from_borrowed(this);
            let count = ffi::PyTuple_GET_SIZE(args);
            let mut values: Vec<_> = (0..count).map(|i| ffi::PyTuple_GET_ITEM(args, i)).collect();
            let mut names = None;
            if !kwargs.is_null() && ffi::PyDict_Size(kwargs) > 0 {
                let (keys, size) = (ffi::PyDict_Keys(kwargs), ffi::PyDict_Size(kwargs));
                let keys = Object::from_returned(keys)?;
                let keys = Object::from_returned(ffi::PyList_AsTuple(keys.as_ptr()))?;
                for index in 0..size {
                    let key = ffi::PyTuple_GET_ITEM(keys.as_ptr(), index);
                    let value = ffi::PyDict_GetItemWithError(kwargs, key);
                    if value.is_null() {
                        return Err(Raised);
                    }
                    values.push(value);
                }
                names = Some(keys);
            }
            let names = names.as_ref().map_or(std::ptr::null_mut(), Object::as_ptr);
            body(&this, Arguments::new(values.as_ptr(), count, names))
        }
    })
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

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead handle. Only exact instances have the size that
    // the freelist's blocks have; others are freed as their class says.
    unsafe {
        let handle = &*this.cast::<Handle>();
        if handle.tracked.get() {
            ffi::PyObject_GC_UnTrack(this.cast());
        }
        if !handle.weak_references.get().is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        handle.clear();
        let class = ffi::Py_TYPE(this);
        let classes = &globals().classes;
        if classes.is_handle(class) {
            SPARE.free(this);
        } else {
            if let Some(free) = (*class).tp_free {
                free(this.cast());
            }
            ffi::Py_DECREF(class.cast());
        }
    }
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on a handle, with its own visitor.
    unsafe {
        for slot in (*this.cast::<Handle>()).slots() {
            let stop = slot.visit(visit, arg);
            if stop != 0 {
                return stop;
            }
        }
        visit(ffi::Py_TYPE(this).cast(), arg)
    }
}

unsafe extern "C" fn clear_slot(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on a handle.
    unsafe { (*this.cast::<Handle>()).clear() };
    0
}

/// Makes the class `Handle`.
pub fn make_class() -> Result<Object> {
    ClassBuilder::new::<Handle>(c"greenloop.Handle")
        .subclassable()
        .doc(c"Handle(callback, args, loop, context=None)\n--\n\nA callback that an event loop will run; see asyncio.Handle.")
        .slot(ffi::Py_tp_new, new_slot as *mut c_void)
        .slot(ffi::Py_tp_init, initialise_slot as *mut c_void)
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .slot(ffi::Py_tp_clear, clear_slot as *mut c_void)
        .slot(ffi::Py_tp_repr, repr as *mut c_void)
        .methods(vec![
            noargs!(c"cancel", cancel, c"Cancel the callback: it will not be run."),
            noargs!(c"cancelled", cancelled, c"Return True if the callback was cancelled."),
            #[cfg(Py_3_12)]
            noargs!(c"get_context", get_context, c"Return the context the callback runs in."),
            noargs!(c"_run", run_method, c"Run the callback; what it raises is reported."),
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
            attribute!(c"_source_traceback", attribute_source_traceback, set_source_traceback),
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
