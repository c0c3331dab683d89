//! The common part of all `sock_*` methods: try, wait until the descriptor is ready, and try again.
//!
//! ```text
//!           1 start                  2 wait                  3 react, once or more
//!   Fresh ─────────► tried at once ────────► WAITING ──────────────────────────► DONE or FAILED
//!     │                                                                                │
//!     └──► DELEGATED to asyncio's coroutine                     4 resume, in the next turn
//! ```
//! The awaitable holds the loop as its owner, the socket as its value, and the other arguments in
//! `kept`, which holds the result or the exception after 3. The loop registers the awaitable as the
//! listener. So a later listener of the same descriptor ends its wait silently, as in asyncio, and
//! a wait that ends removes no other's listener (`is_listening`).

use greenloop_cpython::making::{self, IntoObject as _};
use std::ffi::CStr;
use std::os::fd::RawFd;

use greenloop_cpython::{
    Arguments, ExceptionClass, Object, Result, call_function, call_method, fetch, matches, restore,
};
use pyo3::ffi;

use super::plain::{Plain, plain};
use crate::asyncio::{globals, running_loop_or_none};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::event_loop::{EventLoop, Side};
use crate::handle::{Handle, leaves_the_loop};
use crate::scheduler::{NativeListener, Reaction};
use crate::transports::native_table;

/// One of the methods.
pub trait Exchange: Sized + 'static {
    /// The coroutine's name.
    const NAME: &'static CStr;
    /// Which side of the descriptor says that it is worth while to try again.
    const SIDE: Side;
    /// The method, and the function that asyncio has called when the descriptor is ready.
    const METHODS: (&'static str, &'static str);
    /// How many arguments there are besides the socket. Two are a [`pair`] in `kept`.
    const COUNT: usize = 1;
    /// Whether an attempt does no more than to receive.
    const RECEIVES: bool = false;

    /// Does it without waiting: `None` if that is not possible at the moment.
    fn attempt(exchange: &Request<'_>) -> Result<Option<Object>>;

    /// The first attempt. Raises or succeeds as the method does that asyncio calls.
    fn begin(exchange: &Request<'_>) -> Result<Option<Object>> {
        Self::attempt(exchange)
    }

    /// The operation of its awaitables.
    const OPERATION: &'static Operation = &Operation {
        name: Self::NAME,
        start: start::<Self>,
        resume: resume::<Self>,
        interrupt: interrupt::<Self>,
        behind: None,
    };

    /// The loop's reaction when the descriptor is ready.
    const REACTION: &'static Reaction = &Reaction {
        react: |this, _| react::<Self>(this),
        handle: handle::<Self>,
        is_due: None,
    };
}

/// The parameters of an attempt.
pub struct Request<'a> {
    pub event_loop: &'a EventLoop,
    pub socket: Object,
    /// The awaitable itself, which holds the arguments.
    pub awaitable: &'a Awaitable,
    pub plain: Plain,
}

impl Request<'_> {
    /// The arguments besides the socket.
    #[inline]
    pub fn given(&self) -> Object {
        self.awaitable.kept().get_or_none()
    }

    /// `sock.name(*arguments)`: `None` if it would block.
    pub fn by_name(&self, name: &Object, arguments: &[&Object]) -> Result<Option<Object>> {
        let mut all = vec![self.socket.as_ptr()];
        all.extend(arguments.iter().map(|argument| argument.as_ptr()));
        unless_blocking(call_method(name, &all))
    }
}

/// `None` in place of an exception that says that it would block.
pub fn unless_blocking(outcome: Result<Object>) -> Result<Option<Object>> {
    let blocks =
        || matches(ExceptionClass::BlockingIOError) || matches(ExceptionClass::InterruptedError);
    match outcome {
        Ok(object) => Ok(Some(object)),
        Err(raised) if blocks() => {
            drop(fetch(raised));
            Ok(None)
        }
        Err(raised) => Err(raised),
    }
}

/// The step of an awaitable that listens to its descriptor.
const WAITING: u8 = 1;
/// It has its result.
const DONE: u8 = 2;
/// It has its exception.
const FAILED: u8 = 3;
/// asyncio's coroutine does it.
const DELEGATED: u8 = 4;
/// The first step that an exchange may use for itself.
pub const OWN_STEP: u8 = 5;

/// The coroutine of a call with these arguments.
pub fn create<T: Exchange>(event_loop: &Object, socket: &Object, given: Object) -> Result<Object> {
    let object = Awaitable::create(T::OPERATION, event_loop, Some(socket))?;
    Awaitable::of(&object).kept().set(given);
    Ok(object)
}

/// Two arguments in one place.
pub fn pair(first: &Object, second: &Object) -> Result<Object> {
    making::pair(first, second)
}

fn is_pair(object: &Object) -> bool {
    // SAFETY: the object is valid.
    unsafe {
        ffi::PyTuple_CheckExact(object.as_ptr()) != 0 && ffi::PyTuple_GET_SIZE(object.as_ptr()) == 2
    }
}

/// One of the arguments that [`pair`] put together.
pub fn item(pair: &Object, index: ffi::Py_ssize_t) -> Object {
    // SAFETY: `pair` made the tuple, whose items are borrowed from it.
    unsafe { Object::from_borrowed(ffi::PyTuple_GET_ITEM(pair.as_ptr(), index)) }
}

/// Handles a call with `arguments`, the first two of which are required: returns a coroutine, or
/// has asyncio's own function refuse them with its messages.
pub fn call<T: Exchange>(this: &Object, arguments: Arguments<'_>, name: &Object) -> Result<Object> {
    let make = |socket: &Object, given: &Object| create::<T>(this, socket, given.clone());
    if let ([socket, given], true) = (arguments.positional(), arguments.has_no_keywords()) {
        return make(socket, given);
    }
    let parameters = [&globals().names.sock, name];
    match arguments.bind(T::NAME, parameters, 2, 2) {
        Ok([Some(socket), Some(given)]) => make(socket, given),
        Ok(_) => refuse::<T>(this, arguments),
        Err(raised) => {
            drop(fetch(raised));
            refuse::<T>(this, arguments)
        }
    }
}

/// As [`call`], for three parameters besides the loop, of which the last may have a default.
pub fn call_with_pair<T: Exchange>(
    this: &Object,
    arguments: Arguments<'_>,
    names: [&Object; 2],
    default: Option<Object>,
) -> Result<Object> {
    let [first, second] = names;
    let parameters = [&globals().names.sock, first, second];
    let required = if default.is_some() { 2 } else { 3 };
    let bound = match arguments.bind(T::NAME, parameters, 3, required) {
        Ok(bound) => bound,
        Err(raised) => {
            drop(fetch(raised));
            return refuse::<T>(this, arguments);
        }
    };
    match (bound, default) {
        ([Some(socket), Some(first), Some(second)], _) => {
            create::<T>(this, socket, pair(first, second)?)
        }
        ([Some(socket), Some(first), None], Some(second)) => {
            create::<T>(this, socket, pair(first, &second)?)
        }
        _ => refuse::<T>(this, arguments),
    }
}

/// Refuses arguments as asyncio's own function does.
#[cold]
pub fn refuse<T: Exchange>(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
    arguments.forward_to(&asyncios::<T>(T::METHODS.0)?, this)
}

/// A function of asyncio's loop class.
fn asyncios<T: Exchange>(name: &str) -> Result<Object> {
    let name = making::interned_text(name)?;
    globals().asyncio.selector_event_loop.attribute(&name)
}

/// The first step: tries at once, and waits only if that would block.
fn start<T: Exchange>(this: &Object) -> Result<Progress> {
    match request(this) {
        Some(request) => {
            let outcome = T::begin(&request)?;
            proceed::<T>(this, &request, outcome)
        }
        None => leave_to_asyncio::<T>(this),
    }
}

/// The parameters of a native attempt, if one is possible.
pub fn request(this: &Object) -> Option<Request<'_>> {
    let awaitable = Awaitable::of(this);
    let owner = awaitable.owner().as_ptr();
    // SAFETY: the owner is held until the awaitable is finished, and a loop of ours: the receiver
    // of one of the methods.
    let event_loop = unsafe { EventLoop::of_pointer(owner)? };
    let socket = awaitable.value().get()?;
    let plain = plain(&socket).filter(|_| !event_loop.shows_readiness())?;
    Some(Request {
        event_loop,
        socket,
        awaitable,
        plain,
    })
}

/// Returns the outcome of an attempt, or waits.
pub fn proceed<T: Exchange>(
    this: &Object,
    request: &Request<'_>,
    outcome: Option<Object>,
) -> Result<Progress> {
    if let Some(result) = outcome {
        return Ok(Progress::Returned(result));
    }
    let awaitable = request.awaitable;
    let event_loop = awaitable.owner().get_or_none();
    ensure_no_transport(&event_loop, request.plain.descriptor)?;
    Awaitable::prepare_on(this, &event_loop)?;
    awaitable.descriptor().set(request.plain.descriptor);
    listen::<T>(this, request.event_loop, &request.socket)?;
    awaitable.step().set(WAITING);
    Ok(Progress::Blocked)
}

/// Registers the awaitable with the loop as the listener of its socket.
#[inline]
fn listen<T: Exchange>(this: &Object, event_loop: &EventLoop, socket: &Object) -> Result<()> {
    let descriptor = Awaitable::of(this).descriptor().get();
    match T::SIDE {
        // A wait to read always follows an attempt that found nothing.
        Side::Reader => event_loop.wait_to_read(descriptor, socket, listener::<T>(this)),
        // There may be room again since a part was sent.
        Side::Writer => event_loop.wait_for(descriptor, T::SIDE, listener::<T>(this)),
    }
}

/// As [`listen`], but the present state is reported too.
fn listen_anew<T: Exchange>(this: &Object, event_loop: &EventLoop) -> Result<()> {
    let descriptor = Awaitable::of(this).descriptor().get();
    event_loop.wait_for(descriptor, T::SIDE, listener::<T>(this))
}

/// The listener that runs the next attempt when the socket is ready.
fn listener<T: Exchange>(this: &Object) -> NativeListener {
    NativeListener {
        reaction: T::REACTION,
        owner: this.clone(),
        ticket: 0,
    }
}

/// Ends the registration of a wait that is over or given up.
fn stop_listening<T: Exchange>(awaitable: &Awaitable, this: &Object) {
    let owner = awaitable.owner().as_ptr();
    // SAFETY: as in `request`; a null owner is no loop.
    if let Some(event_loop) = unsafe { EventLoop::of_pointer(owner) } {
        event_loop.stop_listening(awaitable.descriptor().get(), T::SIDE, this);
    }
}

/// `loop._ensure_fd_no_transport(fd)`, which need not be asked where no transport has the
/// descriptor.
fn ensure_no_transport(event_loop: &Object, descriptor: RawFd) -> Result<()> {
    let names = &globals().names;
    let table = event_loop.attribute(&names.transports)?;
    if native_table(&table).is_some_and(|table| table.find(descriptor).is_none()) {
        return Ok(());
    }
    let number = descriptor.into_object()?;
    let arguments = [event_loop.as_ptr(), number.as_ptr()];
    call_method(&names.ensure_fd_no_transport, &arguments).map(drop)
}

/// The descriptor is ready.
fn react<T: Exchange>(this: &Object) -> Result<()> {
    let awaitable = Awaitable::of(this);
    if awaitable.step().get() != WAITING {
        return Ok(());
    }
    let owner = awaitable.owner().as_ptr();
    // SAFETY: as in `request`.
    let Some(event_loop) = (unsafe { EventLoop::of_pointer(owner) }) else {
        return Ok(());
    };
    // There may be another listener by now, or none: the wait may have ended since this was queued.
    // One that was interrupted has no future any more that could tell its state.
    if !event_loop.is_listening(awaitable.descriptor().get(), T::SIDE, this)
        || Awaitable::standing(this)? != greenloop_core::Standing::Waiting
    {
        return Ok(());
    }
    let socket = awaitable.value().get_or_none();
    let outcome = T::attempt(&Request {
        event_loop,
        plain: Plain::now(&socket),
        socket,
        awaitable,
    });
    let (result, step) = match outcome {
        Ok(Some(result)) => (result, DONE),
        // A change that makes it readable after this attempt is reported without a new
        // registration.
        Ok(None) if T::SIDE == Side::Reader => return Ok(()),
        Ok(None) => return listen_anew::<T>(this, event_loop),
        Err(raised) if leaves_the_loop() => {
            let exception = fetch(raised);
            listen_anew::<T>(this, event_loop)?;
            return Err(restore(exception));
        }
        Err(raised) => (fetch(raised), FAILED),
    };
    // The attempt may have run a signal handler, which can do anything.
    let over = !event_loop.is_listening(awaitable.descriptor().get(), T::SIDE, this);
    if over || Awaitable::standing(this)? != greenloop_core::Standing::Waiting {
        return Ok(());
    }
    awaitable.kept().set(result);
    awaitable.step().set(step);
    stop_listening::<T>(awaitable, this);
    // Bytes that may be left are for the next receiver, which tries at once.
    let settles = T::RECEIVES && awaitable.is_on_fast_loop();
    Awaitable::wake(this)?;
    if settles {
        event_loop.settle();
    }
    Ok(())
}

/// The part of [`Exchange::OPERATION`] for an awaitable that resumes, with an exception or without.
pub fn resume_with<T: Exchange>(this: &Object, exception: Option<Object>) -> Result<Progress> {
    match exception {
        None => resume::<T>(this),
        Some(exception) => interrupt::<T>(this, exception),
    }
}

/// The task runs again: the outcome was stored by the attempt that woke it, or is that of a future
/// which other code has finished.
fn resume<T: Exchange>(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    match awaitable.step().get() {
        DONE => Ok(Progress::Returned(awaitable.kept().get_or_none())),
        FAILED => Err(restore(awaitable.kept().get_or_none())),
        DELEGATED => Ok(finish_delegated(delegate::continue_with(this, None)?)),
        _ => {
            // Somebody else has ended the wait, by the future that a foreign one has.
            stop_listening::<T>(awaitable, this);
            let future = awaitable.waiter().get_or_none();
            let result = call_method(&globals().names.result, &[future.as_ptr()])?;
            Ok(Progress::Returned(result))
        }
    }
}

/// The task is cancelled: the wait ends, and nothing is received or sent for it.
fn interrupt<T: Exchange>(this: &Object, exception: Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    if awaitable.step().get() == DELEGATED {
        let delegated = delegate::continue_with(this, Some(&exception))?;
        return Ok(finish_delegated(delegated));
    }
    stop_listening::<T>(awaitable, this);
    Err(restore(exception))
}

/// Awaits asyncio's own coroutine.
#[cold]
pub fn leave_to_asyncio<T: Exchange>(this: &Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    let all = arguments_of::<T>(awaitable)?;
    let all: Vec<_> = all.iter().map(Object::as_ptr).collect();
    let coroutine = call_function(&asyncios::<T>(T::METHODS.0)?, &all)?;
    awaitable.step().set(DELEGATED);
    Ok(finish_delegated(delegate::begin(this, &coroutine)?))
}

/// The loop, the socket, and the other arguments.
fn arguments_of<T: Exchange>(awaitable: &Awaitable) -> Result<Vec<Object>> {
    let mut all = vec![
        awaitable.owner().get_or_none(),
        awaitable.value().get_or_none(),
    ];
    let given = awaitable.kept().get_or_none();
    match T::COUNT {
        0 => {}
        1 => all.push(given),
        // The data may have been replaced by the rest of it.
        _ if is_pair(&given) => all.extend([item(&given, 0), item(&given, 1)]),
        _ => all.push(given),
    }
    Ok(all)
}

/// The progress of an exchange that asyncio's coroutine carries out.
fn finish_delegated(delegated: Delegated) -> Progress {
    match delegated {
        Delegated::Waits(progress) => progress,
        Delegated::Returned(result) => Progress::Returned(result),
    }
}

/// A handle that represents the reaction: of asyncio's function with asyncio's arguments.
fn handle<T: Exchange>(this: &Object) -> Result<Object> {
    let mut arguments = arguments_of::<T>(Awaitable::of(this))?;
    if arguments[0].is_none() {
        // It is over already, and holds nothing any more.
        arguments[0] = running_loop_or_none()?;
    }
    let event_loop = arguments[0].clone();
    arguments.insert(1, this.clone());
    let function = asyncios::<T>(T::METHODS.1)?;
    let class = globals().classes.handle.as_ptr();
    Handle::create(class, &function, &arguments, None, &event_loop, None)
}
