//! The class `Future` as Python sees it: its methods and attributes, most of which `Task` shares.

use greenloop_cpython::making::IntoObject as _;
use std::ffi::c_void;

use greenloop_cpython::{
    Arguments, ClassBuilder, ExceptionClass, Object, Raised, Result, call_function, copy_context,
    fast, init, noargs, one, raise, raise_object, reducing, unary,
};
use pyo3::ffi;

use super::attributes::future_attributes;
use super::base::derived;
use super::callbacks::{Callback, add};
use super::{CANCELLED, FINISHED, Future, PENDING, ensure_base_fits, invalid_state, iterate};
use crate::asyncio::globals;

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let [event_loop] = arguments.bind_natively(c"Future", [&globals().names.loop_], 0, 0)?;
    let future = Future::of(this);
    future.ensure_fresh()?;
    future.initialise(event_loop)
}

fn result(this: &Object) -> Result<Object> {
    let future = Future::of(this);
    if future.event_loop.is_empty() {
        return Err(invalid_state(c"Future object is not initialized."));
    }
    future.outcome()
}

/// `future.exception()`: None if there is a result.
pub fn retrieve_exception(this: &Object) -> Result<Object> {
    let future = Future::of(this);
    if future.event_loop.is_empty() {
        return Err(invalid_state(c"Future object is not initialized."));
    }
    match future.state.get() {
        CANCELLED => Err(raise_object(&future.make_cancelled_error()?)),
        FINISHED => {
            future.log_traceback.set(false);
            Ok(future.exception.get_or_none())
        }
        _ => Err(invalid_state(c"Exception is not set.")),
    }
}

fn set_result(this: &Object, result: &Object) -> Result<Object> {
    ensure_ours(this)?;
    Future::of(this).ensure_initialised()?;
    Future::finish(this, result.clone())?;
    Ok(Object::none())
}

fn set_exception(this: &Object, exception: &Object) -> Result<Object> {
    ensure_ours(this)?;
    set_exception_of(this, exception)?;
    Ok(Object::none())
}

/// `future.set_exception(exception)`, for a class or an instance.
pub fn set_exception_of(this: &Object, exception: &Object) -> Result<()> {
    let future = Future::of(this);
    future.ensure_initialised()?;
    future.ensure_pending()?;
    // SAFETY: all objects are valid.
    unsafe {
        let exception = if ffi::PyExceptionClass_Check(exception.as_ptr()) != 0 {
            let instance = call_function(exception, &[])?;
            // The constructor is user code, which may have finished the future.
            future.ensure_pending()?;
            instance
        } else {
            exception.clone()
        };
        if ffi::PyExceptionInstance_Check(exception.as_ptr()) == 0 {
            return Err(raise(
                ExceptionClass::TypeError,
                c"invalid exception object",
            ));
        }
        Future::fail(this, without_stop_iteration(exception)?)
    }
}

/// `StopIteration` cannot be raised into a coroutine: it is wrapped, or in older versions refused.
fn without_stop_iteration(exception: Object) -> Result<Object> {
    let class = ExceptionClass::StopIteration.as_ptr();
    let wraps = globals().wraps_stop_iteration;
    // SAFETY: both are valid objects.
    let stops = unsafe {
        if wraps {
            match ffi::PyObject_IsInstance(exception.as_ptr(), class) {
                -1 => return Err(Raised),
                answer => answer == 1,
            }
        } else {
            exception.is_exactly(class.cast())
        }
    };
    if !stops {
        return Ok(exception);
    }
    let text = c"StopIteration interacts badly with generators and cannot be raised into a Future";
    if !wraps {
        return Err(raise(ExceptionClass::TypeError, text));
    }
    // SAFETY: all are exceptions; both setters take over a reference.
    unsafe {
        let wrapper = greenloop_cpython::fetch(raise(ExceptionClass::RuntimeError, text));
        ffi::PyException_SetCause(wrapper.as_ptr(), exception.clone().into_ptr());
        ffi::PyException_SetContext(wrapper.as_ptr(), exception.into_ptr());
        Ok(wrapper)
    }
}

fn add_done_callback(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let name = c"add_done_callback";
    let globals = globals();
    let [function, context] = arguments.bind_natively(
        name,
        [&globals.names.callback, &globals.names.context],
        1,
        1,
    )?;
    if Future::of(this).event_loop.is_empty() {
        let class = ExceptionClass::RuntimeError;
        return Err(raise(class, c"uninitialized Future object"));
    }
    let context = match context {
        Some(context) if !context.is_none() => context.clone(),
        _ => copy_context()?,
    };
    let function = function.cloned().unwrap_or_else(Object::none);
    add(this, Callback::Call { function, context })?;
    Ok(Object::none())
}

/// Comparing runs user code, which may do anything to the future. So all are compared first, on a
/// copy, and then those that were equal and are still there are removed.
fn remove_done_callback(this: &Object, function: &Object) -> Result<Object> {
    let future = Future::of(this);
    future.ensure_initialised()?;
    let mut equal = Vec::new();
    for callback in future.callbacks.to_vec() {
        let (candidate, _) = callback.as_pair()?;
        // SAFETY: both are valid objects.
        let answer = unsafe {
            ffi::PyObject_RichCompareBool(candidate.as_ptr(), function.as_ptr(), ffi::Py_EQ)
        };
        match answer {
            -1 => return Err(Raised),
            0 => {}
            _ => equal.push(callback),
        }
    }
    let removed = future
        .callbacks
        .retain(|callback| !equal.iter().any(|one| same(one, callback)));
    removed.len().into_object()
}

fn same(one: &Callback, other: &Callback) -> bool {
    match (one, other) {
        (Callback::Wake(one), Callback::Wake(other)) => one.is(other.as_ptr()),
        (
            Callback::Call { function, context },
            Callback::Call {
                function: other,
                context: other_context,
            },
        ) => function.is(other.as_ptr()) && context.is(other_context.as_ptr()),
        (
            Callback::Notify { function, owner },
            Callback::Notify {
                function: other,
                owner: other_owner,
            },
        ) => std::ptr::eq(*function, *other) && owner.is(other_owner.as_ptr()),
        _ => false,
    }
}

/// The `msg` of a `cancel` call.
pub fn parse_message<'a>(arguments: &Arguments<'a>) -> Result<Option<&'a Object>> {
    let [message] = arguments.bind_natively(c"cancel", [&globals().names.msg], 1, 0)?;
    Ok(message)
}

fn cancel(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    let message = parse_message(&arguments)?;
    Future::of(this).ensure_initialised()?;
    Ok(Object::boolean(Future::cancel(this, message)?))
}

fn cancelled(this: &Object) -> Result<Object> {
    Ok(Object::boolean(Future::of(this).state.get() == CANCELLED))
}

fn done(this: &Object) -> Result<Object> {
    Ok(Object::boolean(Future::of(this).state.get() != PENDING))
}

fn get_loop(this: &Object) -> Result<Object> {
    Future::of(this).ensure_initialised()?;
    Ok(Future::of(this).event_loop.get_or_none())
}

fn make_cancelled_error(this: &Object) -> Result<Object> {
    Future::of(this).make_cancelled_error()
}

fn repr(this: &Object) -> Result<Object> {
    Future::of(this).ensure_initialised()?;
    call_function(&globals().asyncio.future_repr, &[this.as_ptr()])
}

/// The methods that `Future` and `Task` share.
pub fn future_methods() -> Vec<ffi::PyMethodDef> {
    vec![
        noargs!(
            c"result",
            result,
            c"Return the result, or raise the exception, of a future that is done."
        ),
        noargs!(
            c"exception",
            retrieve_exception,
            c"Return the exception of a future that is done, or None."
        ),
        fast!(
            c"add_done_callback",
            add_done_callback,
            c"add_done_callback($self, fn, /, *, context=None)\n--\n\n\
              Call fn(future), in a context, in the turn after the future is done."
        ),
        one!(
            c"remove_done_callback",
            remove_done_callback,
            c"remove_done_callback($self, fn, /)\n--\n\n\
             Remove all callbacks equal to fn; return their number."
        ),
        noargs!(
            leaf c"cancelled",
            cancelled,
            c"Return whether the future was cancelled."
        ),
        noargs!(
            leaf c"done",
            done,
            c"Return whether the future has a result or an exception, or was cancelled."
        ),
        noargs!(
            c"get_loop",
            get_loop,
            c"Return the event loop the future is bound to."
        ),
        noargs!(
            c"_make_cancelled_error",
            make_cancelled_error,
            c"Return the CancelledError to raise for a cancelled future."
        ),
        reducing(),
    ]
}

/// `Future.set_result(task, …)`, called on the class with a task, reaches the future in the task,
/// as it does where `Task` inherits from `Future`. So the receiver is anything of
/// `_asyncio.Future`.
fn install_setters(class: &Object) -> Result<()> {
    let setters = vec![
        one!(
            c"set_result",
            set_result,
            c"set_result($self, result, /)\n--\n\nFinish the future with a result."
        ),
        one!(
            c"set_exception",
            set_exception,
            c"set_exception($self, exception, /)\n--\n\n\
             Finish the future with an exception, an instance or a class."
        ),
    ];
    let base = globals().asyncio.future.as_ptr().cast();
    for setter in setters.leak() {
        // SAFETY: the definition lives for ever, and its name ends with a NUL.
        unsafe {
            let descriptor = Object::from_returned(ffi::PyDescr_NewMethod(base, setter))?;
            if ffi::PyObject_SetAttrString(class.as_ptr(), setter.ml_name, descriptor.as_ptr()) < 0
            {
                return Err(Raised);
            }
        }
    }
    Ok(())
}

/// Refuses a future that is not one of ours; only a call on the class can pass one.
fn ensure_ours(this: &Object) -> Result<()> {
    let classes = &globals().classes;
    let is = |class: *mut ffi::PyTypeObject| {
        // SAFETY: both are valid.
        unsafe { ffi::PyObject_TypeCheck(this.as_ptr(), class) != 0 }
    };
    if Future::is_native(this) || is(classes.future.as_ptr()) || is(classes.task.as_ptr()) {
        return Ok(());
    }
    Err(greenloop_cpython::type_error(
        "the method applies to futures and tasks of greenloop only",
    ))
}

/// Makes the class `Future`.
pub fn make_class() -> Result<Object> {
    ensure_base_fits(&globals().asyncio.future)?;
    let mut methods = future_methods();
    methods.extend([fast!(
        c"cancel",
        cancel,
        c"cancel($self, /, msg=None)\n--\n\n\
         Cancel the future and return True, or return False if it is done."
    )]);
    let class = derived::<Future>(ClassBuilder::new::<Future>(c"greenloop.Future"))
        .subclassable()
        .doc(c"Future(*, loop=None)\n--\n\nA result that is not there yet; see asyncio.Future.")
        .init(init!(initialise))
        .repr(unary!(repr))
        .slot(ffi::Py_tp_iter, iterate as *mut c_void)
        .slot(ffi::Py_am_await, iterate as *mut c_void)
        .methods(methods)
        .attributes(future_attributes())
        .build(Some(&globals().asyncio.future))?;
    install_setters(&class)?;
    Ok(class)
}
