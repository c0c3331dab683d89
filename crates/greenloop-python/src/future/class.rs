//! The class `Future` as Python sees it: its methods and attributes, most of which `Task` shares.
//!
//! A name that asyncio's base class would answer is overridden here, since the base's fields stay
//! empty. Methods that read or change the state check first that `__init__` has run, as
//! `_asyncio.Future` does. Texts of errors are C's, word for word.

use greenloop_cpython::{
    Anything, Arguments, ClassBuilder, Comparison, ExceptionClass, Extends, Method, Native, Object,
    Result, copy_context, fast, fetch, is_exception, leaf_noargs, noargs, one, raise, raise_object,
    reducing, set_cause, set_context, type_error,
};

use super::attributes::future_attributes;
use super::callbacks::{Callback, add};
use super::{CANCELLED, CLASS, FINISHED, Future, NATIVE, PENDING, invalid_state, iterate};
use crate::asyncio::edition::edition;
use crate::asyncio::globals;

/// `Future.__init__(*, loop=None)`. Without a loop the current one is asked for, which may raise a
/// `RuntimeError` and runs the policy's code.
fn initialise(this: &Native<Future>, arguments: Arguments<'_>) -> Result<()> {
    let [event_loop] = arguments.bind_natively(c"Future", [&globals().names.loop_], 0, 0)?;
    let future = this.get();
    future.ensure_fresh()?;
    future.initialise(event_loop)
}

/// `Future.result()`: the result; raises the exception, a `CancelledError`, or an
/// `InvalidStateError` while the future is pending. The exception counts as retrieved.
fn result(this: &Native<Future>) -> Result<Object> {
    let future = this.get();
    if future.event_loop.is_empty() {
        return Err(invalid_state(c"Future object is not initialized."));
    }
    future.outcome()
}

/// `future.exception()`: None if there is a result.
///
/// Raises `CancelledError` if the future was cancelled, and `InvalidStateError` while it is
/// pending. The exception counts as retrieved from then on.
pub fn retrieve_exception(this: &Native<Future>) -> Result<Object> {
    let future = this.get();
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

/// `future.set_exception(exception)`, for a class or an instance.
///
/// A class is called without arguments, which is code of the program. Raises `InvalidStateError` if
/// the future is done, and `TypeError` for anything that is no exception.
pub fn set_exception_of(this: &Native<Future>, exception: &Object) -> Result<()> {
    let future = this.get();
    future.ensure_initialised()?;
    future.ensure_pending()?;
    let exception = if exception.is_exception_class() {
        let instance = exception.call([])?;
        // The constructor is user code, which may have finished the future.
        future.ensure_pending()?;
        instance
    } else {
        exception.clone()
    };
    if !is_exception(&exception) {
        return Err(raise(
            ExceptionClass::TypeError,
            c"invalid exception object",
        ));
    }
    Future::fail(this, without_stop_iteration(exception)?)
}

/// `StopIteration` cannot be raised into a coroutine: it is wrapped, or in older versions refused.
fn without_stop_iteration(exception: Object) -> Result<Object> {
    let class = ExceptionClass::StopIteration.object();
    let wraps = edition().wraps_stop_iteration;
    let stops = if wraps {
        exception.is_instance(&class)?
    } else {
        exception.class_object().is(class.as_ptr())
    };
    if !stops {
        return Ok(exception);
    }
    let text = c"StopIteration interacts badly with generators and cannot be raised into a Future";
    if !wraps {
        return Err(raise(ExceptionClass::TypeError, text));
    }
    let wrapper = fetch(raise(ExceptionClass::RuntimeError, text));
    set_cause(&wrapper, Some(exception.clone()));
    set_context(&wrapper, Some(exception));
    Ok(wrapper)
}

/// `Future.add_done_callback(fn, *, context=None)`. Without a context the current one is copied
/// now, not when the callback runs (PEP 567).
fn add_done_callback(this: &Native<Future>, arguments: Arguments<'_>) -> Result<Object> {
    let name = c"add_done_callback";
    let globals = globals();
    let [function, context] = arguments.bind_natively(
        name,
        [&globals.names.callback, &globals.names.context],
        1,
        1,
    )?;
    if this.get().event_loop.is_empty() {
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
///
/// Returns the number of those removed, as an int. A function that raises in its `__eq__` leaves
/// the list as it was.
fn remove_done_callback(this: &Native<Future>, function: &Object) -> Result<Object> {
    let future = this.get();
    future.ensure_initialised()?;
    let mut equal = Vec::new();
    for callback in future.callbacks.to_vec() {
        let (candidate, _) = callback.as_pair()?;
        if candidate.compares(Comparison::Equal, function)? {
            equal.push(callback);
        }
    }
    let removed = future
        .callbacks
        .retain(|callback| !equal.iter().any(|one| same(one, callback)));
    Object::size_of(removed.len())
}

/// Whether two entries are one: by identity of everything they hold, which runs no code.
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
///
/// None if the caller gave none. The message may be given by name or by place, as in asyncio.
pub fn parse_message<'a>(arguments: &Arguments<'a>) -> Result<Option<&'a Object>> {
    let [message] = arguments.bind_natively(c"cancel", [&globals().names.msg], 1, 0)?;
    Ok(message)
}

/// `Future.cancel(msg=None)`: whether this call has cancelled it. Its callbacks run in the next
/// turn.
fn cancel(this: &Native<Future>, arguments: Arguments<'_>) -> Result<Object> {
    let message = parse_message(&arguments)?;
    this.get().ensure_initialised()?;
    Ok(Object::boolean(Future::cancel(this, message)?))
}

fn cancelled(this: &Native<Future>) -> Result<Object> {
    Ok(Object::boolean(this.get().state.get() == CANCELLED))
}

fn done(this: &Native<Future>) -> Result<Object> {
    Ok(Object::boolean(this.get().state.get() != PENDING))
}

/// `Future.get_loop()`: raises a `RuntimeError` if `__init__` has not run.
fn get_loop(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    Ok(this.get().event_loop.get_or_none())
}

fn make_cancelled_error(this: &Native<Future>) -> Result<Object> {
    this.get().make_cancelled_error()
}

/// `repr(future)`, by the running asyncio's own function, which asks for the attributes above.
fn repr(this: &Native<Future>) -> Result<Object> {
    this.get().ensure_initialised()?;
    globals().asyncio.future_repr.call([this])
}

/// The methods that `Future` and `Task` share.
///
/// `cancel` is not among them: a task's asks the coroutine, and a gathering's the children.
pub fn future_methods<T: Extends<Future>>() -> impl Iterator<Item = Method<T>> {
    let methods = vec![
        noargs(
            c"result",
            result,
            c"Return the result, or raise the exception, of a future that is done.",
        ),
        noargs(
            c"exception",
            retrieve_exception,
            c"Return the exception of a future that is done, or None.",
        ),
        fast(
            c"add_done_callback",
            add_done_callback,
            c"add_done_callback($self, fn, /, *, context=None)\n--\n\n\
              Call fn(future), in a context, in the turn after the future is done.",
        ),
        one(
            c"remove_done_callback",
            remove_done_callback,
            c"remove_done_callback($self, fn, /)\n--\n\n\
             Remove all callbacks equal to fn; return their number.",
        ),
        leaf_noargs(
            c"cancelled",
            cancelled,
            c"Return whether the future was cancelled.",
        ),
        leaf_noargs(
            c"done",
            done,
            c"Return whether the future has a result or an exception, or was cancelled.",
        ),
        noargs(
            c"get_loop",
            get_loop,
            c"Return the event loop the future is bound to.",
        ),
        noargs(
            c"_make_cancelled_error",
            make_cancelled_error,
            c"Return the CancelledError to raise for a cancelled future.",
        ),
        reducing(),
    ];
    methods.into_iter().map(Method::inherited)
}

/// Adds `set_result` and `set_exception`.
///
/// `Future.set_result(task, …)`, called on the class with a task, reaches the future in the task,
/// as it does where `Task` inherits from `Future`. So the receiver is anything of
/// `_asyncio.Future`, and is tested in the method.
fn install_setters() -> Result<()> {
    let base = &globals().asyncio.future;
    let setters = [
        one(
            c"set_result",
            |this: &Native<Anything>, result| {
                let this = ours(this)?;
                this.get().ensure_initialised()?;
                Future::finish(this, result.clone())?;
                Ok(Object::none())
            },
            c"set_result($self, result, /)\n--\n\nFinish the future with a result.",
        ),
        one(
            c"set_exception",
            |this: &Native<Anything>, exception| {
                set_exception_of(ours(this)?, exception)?;
                Ok(Object::none())
            },
            c"set_exception($self, exception, /)\n--\n\n\
             Finish the future with an exception, an instance or a class.",
        ),
    ];
    setters
        .into_iter()
        .try_for_each(|setter| setter.install(&CLASS.object(), base))
}

/// The future, if it is one of ours; only a call on the class can pass another one.
fn ours(this: &Object) -> Result<&Native<Future>> {
    let future = NATIVE.instance(this);
    future.ok_or_else(|| type_error("the method applies to futures and tasks of greenloop only"))
}

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    make_class()?;
    super::iterator::make_class()?;
    super::notifier::make_class()
}

/// Makes the class `Future`.
fn make_class() -> Result<()> {
    ClassBuilder::<Future>::derived(c"greenloop.Future")
        .subclassable()
        .doc(c"Future(*, loop=None)\n--\n\nA result that is not there yet; see asyncio.Future.")
        .init_by(initialise)
        .repr_by(repr)
        .iter_by(iterate)
        .await_by(iterate)
        .methods(future_methods())
        .methods([fast(
            c"cancel",
            cancel,
            c"cancel($self, /, msg=None)\n--\n\n\
             Cancel the future and return True, or return False if it is done.",
        )])
        .attributes(future_attributes())
        .build_derived()?;
    NATIVE.add(&CLASS);
    install_setters()
}
