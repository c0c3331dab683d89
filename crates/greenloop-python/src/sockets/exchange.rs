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
//!
//! An attempt by name, an audit hook and the exporter of a buffer run user code. The wait may be
//! over after each of them, so `react` asks again before it stores a result.

use std::ffi::CStr;
use std::os::fd::RawFd;

use greenloop_core::observe::WaitKind;
use greenloop_cpython::making::{self, IntoObject as _};
use greenloop_cpython::{
    Arguments, ExceptionClass, Native, Object, Result, fetch, matches, restore, type_error,
};

use super::plain::{Plain, plain};
use crate::asyncio::{globals, running_loop_or_none};
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::event_loop::{EventLoop, LoopRef, Side};
use crate::handle::{self, Handle, leaves_the_loop};
use crate::observing::Wait;
use crate::scheduler::{HandleKind, NativeListener, Reaction};
use crate::transports::native_table;

/// One of the methods.
pub trait Exchange: Sized + 'static {
    /// The coroutine's name.
    const NAME: &'static CStr;
    /// What a task waits for meanwhile, for an observer.
    const WAITS: WaitKind = WaitKind::Socket;
    /// Which side of the descriptor says that it is worth while to try again. It decides about the
    /// second registration too.
    const SIDE: Side;
    /// The method, and the function that asyncio has called when the descriptor is ready. The first
    /// is called when a call is refused or delegated.
    const METHODS: (&'static str, &'static str);
    /// How many arguments there are besides the socket. Two are a [`pair`] in `kept`.
    const COUNT: usize = 1;
    /// Whether an attempt does no more than to receive.
    const RECEIVES: bool = false;

    /// Does it without waiting: `None` if that is not possible at the moment.
    ///
    /// It is called more than once. What one attempt leaves for the next, such as the rest of the
    /// data, it puts into `kept`. Its errors are those of the method, and end the wait.
    fn attempt(exchange: &Request<'_>) -> Result<Option<Object>>;

    /// The first attempt. Raises or succeeds as the method does that asyncio calls.
    fn begin(exchange: &Request<'_>) -> Result<Option<Object>> {
        Self::attempt(exchange)
    }

    /// The operation of its awaitables.
    const OPERATION: &'static Operation<LoopRef> = &Operation {
        name: Self::NAME,
        start: start::<Self>,
        resume: resume::<Self>,
        interrupt: interrupt::<Self>,
        waits: |_, _| Some(Wait::of(Self::WAITS)),
        inside: |_| &[],
        behind: None,
    };

    /// The loop's reaction when the descriptor is ready.
    const REACTION: &'static Reaction = &Reaction {
        react: |this, _| match waiting(this) {
            Some((this, owner)) => react::<Self>(this, &owner),
            None => Ok(()),
        },
        handle: |this| match Awaitable::native(this) {
            Some(this) => handle::<Self>(this),
            None => Err(type_error("a listener that is no awaitable")),
        },
        is_due: None,
    };
}

/// The parameters of an attempt.
pub struct Request<'a> {
    /// The native part of the loop.
    pub event_loop: &'a EventLoop,
    /// The socket.
    pub socket: Object,
    /// The awaitable itself, which holds the arguments.
    pub this: &'a Native<Awaitable>,
    /// The socket's state. It was read just now, and goes stale when any Python code runs.
    pub plain: Plain,
}

impl Request<'_> {
    /// The arguments besides the socket.
    #[inline]
    pub fn given(&self) -> Object {
        self.this.get().kept().get_or_none()
    }

    /// `sock.name(*arguments)`: `None` if it would block.
    pub fn by_name(&self, name: &Object, arguments: &[&Object]) -> Result<Option<Object>> {
        unless_blocking(self.socket.invoke_with(name, arguments))
    }
}

/// `None` in place of an exception that says that it would block. asyncio catches both classes;
/// after `EINTR` CPython itself tries again (PEP 475).
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

/// The step of an awaitable that listens to its descriptor. Only in this step does [`react`] do
/// anything.
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
pub fn create<T: Exchange>(event_loop: &LoopRef, socket: &Object, given: Object) -> Result<Object> {
    let awaitable = Awaitable::create_native(T::OPERATION, event_loop, Some(socket))?;
    awaitable.get().kept().set(given);
    Ok(awaitable.into_object())
}

/// Two arguments in one place.
pub fn pair(first: &Object, second: &Object) -> Result<Object> {
    making::pair(first, second)
}

/// The arguments that [`pair`] put together.
///
/// # Errors
/// If the object is no pair.
#[inline]
pub fn pair_in(pair: &Object) -> Result<[&Object; 2]> {
    match pair.as_tuple() {
        Some([first, second]) => Ok([first, second]),
        _ => Err(making::runtime_error("two arguments were expected")),
    }
}

/// Handles a call with `arguments`, the first two of which are required: returns a coroutine, or
/// has asyncio's own function refuse them with its messages.
pub fn call<T: Exchange>(
    this: &LoopRef,
    arguments: Arguments<'_>,
    name: &Object,
) -> Result<Object> {
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
    this: &LoopRef,
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
pub fn refuse<T: Exchange>(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    arguments.forward_to(&asyncios::<T>(T::METHODS.0)?, this)
}

/// A function of asyncio's loop class.
fn asyncios<T: Exchange>(name: &str) -> Result<Object> {
    let name = making::interned_text(name)?;
    globals().asyncio.selector_event_loop.attribute(&name)
}

/// The first step: tries at once, and waits only if that would block.
fn start<T: Exchange>(this: &Native<Awaitable>, owner: &LoopRef) -> Result<Progress> {
    match request(this, owner) {
        Some(request) => {
            let outcome = T::begin(&request)?;
            proceed::<T>(owner, &request, outcome)
        }
        None => leave_to_asyncio::<T>(this),
    }
}

/// The parameters of a native attempt, if one is possible. It is not for a socket of another class,
/// a blocking one, and a loop on which a program has replaced the watching of descriptors.
pub fn request<'a>(this: &'a Native<Awaitable>, owner: &'a LoopRef) -> Option<Request<'a>> {
    let event_loop = EventLoop::native_part(owner);
    let socket = this.get().value().get()?;
    let plain = plain(&socket).filter(|_| !event_loop.shows_readiness())?;
    Some(Request {
        event_loop,
        socket,
        this,
        plain,
    })
}

/// Returns the outcome of an attempt, or waits. The order is asyncio's: the check for a transport,
/// the future, the registration.
///
/// # Errors
/// `RuntimeError` for a descriptor of a transport and for a closed loop, `OSError` of the poller.
pub fn proceed<T: Exchange>(
    owner: &LoopRef,
    request: &Request<'_>,
    outcome: Option<Object>,
) -> Result<Progress> {
    if let Some(result) = outcome {
        return Ok(Progress::Returned(result));
    }
    let this = request.this;
    ensure_no_transport(owner, request.plain.descriptor)?;
    Awaitable::prepare_on(this, owner)?;
    this.get().descriptor().set(request.plain.descriptor);
    listen::<T>(this, request.event_loop, &request.socket)?;
    this.get().step().set(WAITING);
    Ok(Progress::Blocked)
}

/// Registers the awaitable with the loop as the listener of its socket.
#[inline]
fn listen<T: Exchange>(
    this: &Native<Awaitable>,
    event_loop: &EventLoop,
    socket: &Object,
) -> Result<()> {
    let descriptor = this.get().descriptor().get();
    match T::SIDE {
        // A wait to read always follows an attempt that found nothing.
        Side::Reader => event_loop.wait_to_read(descriptor, socket, listener::<T>(this)),
        // There may be room again since a part was sent.
        Side::Writer => event_loop.wait_for(descriptor, T::SIDE, listener::<T>(this)),
    }
}

/// As [`listen`], but the present state is reported too.
fn listen_anew<T: Exchange>(this: &Native<Awaitable>, event_loop: &EventLoop) -> Result<()> {
    let descriptor = this.get().descriptor().get();
    event_loop.wait_for(descriptor, T::SIDE, listener::<T>(this))
}

/// The listener that runs the next attempt when the socket is ready.
fn listener<T: Exchange>(this: &Native<Awaitable>) -> NativeListener {
    NativeListener {
        reaction: T::REACTION,
        owner: Object::clone(this),
        generation: 0,
    }
}

/// The awaitable that a reaction's owner is, and the loop it waits on, unless the wait is over. The
/// owner is cleared when the coroutine is done.
#[inline]
fn waiting(this: &Object) -> Option<(&Native<Awaitable>, LoopRef)> {
    let this = Awaitable::native(this)?;
    let owner = this.get().owner()?;
    Some((this, EventLoop::reference(&owner)?.clone()))
}

/// Ends the registration of a wait that is over or given up. The poller keeps it for the next wait.
fn stop_listening<T: Exchange>(this: &Native<Awaitable>, event_loop: &EventLoop) {
    event_loop.stop_listening(this.get().descriptor().get(), T::SIDE, this);
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
    let ensure = &names.ensure_fd_no_transport;
    event_loop.invoke(ensure, [&number]).map(drop)
}

/// The descriptor is ready. An exception that leaves the loop is no outcome of the exchange: the
/// wait goes on, and `run_forever` raises it.
fn react<T: Exchange>(this: &Native<Awaitable>, owner: &LoopRef) -> Result<()> {
    let awaitable = this.get();
    if awaitable.step().get() != WAITING {
        return Ok(());
    }
    let event_loop = EventLoop::native_part(owner);
    // There may be another listener by now, or none: the wait may have ended since this was queued.
    // One that was interrupted has no future any more that could tell its state.
    if !event_loop.is_listening(awaitable.descriptor().get(), T::SIDE, this)
        || Awaitable::waiter_state(this)? != greenloop_core::WaiterState::Waiting
    {
        return Ok(());
    }
    let socket = awaitable.value().get_or_none();
    let outcome = T::attempt(&Request {
        event_loop,
        plain: Plain::now(&socket),
        socket,
        this,
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
    if over || Awaitable::waiter_state(this)? != greenloop_core::WaiterState::Waiting {
        return Ok(());
    }
    awaitable.kept().set(result);
    awaitable.step().set(step);
    stop_listening::<T>(this, event_loop);
    // Bytes that may be left are for the next receiver, which tries at once.
    let settles = T::RECEIVES && awaitable.is_on_fast_loop();
    Awaitable::wake(this)?;
    if settles {
        event_loop.settle();
    }
    Ok(())
}

/// The part of [`Exchange::OPERATION`] for an awaitable that resumes, with an exception or without.
pub fn resume_with<T: Exchange>(
    this: &Native<Awaitable>,
    owner: &LoopRef,
    exception: Option<Object>,
) -> Result<Progress> {
    match exception {
        None => resume::<T>(this, owner),
        Some(exception) => interrupt::<T>(this, owner, exception),
    }
}

/// The task runs again: the outcome was stored by the attempt that woke it, or is that of a future
/// which other code has finished.
fn resume<T: Exchange>(this: &Native<Awaitable>, owner: &LoopRef) -> Result<Progress> {
    let awaitable = this.get();
    match awaitable.step().get() {
        DONE => Ok(Progress::Returned(awaitable.kept().get_or_none())),
        FAILED => Err(restore(awaitable.kept().get_or_none())),
        DELEGATED => Ok(finish_delegated(delegate::continue_with(this, None)?)),
        _ => {
            // Somebody else has ended the wait, by the future that a foreign one has.
            stop_listening::<T>(this, EventLoop::native_part(owner));
            let future = awaitable.waiter().unwrap_or_else(Object::none);
            let result = future.invoke(&globals().names.result, [])?;
            Ok(Progress::Returned(result))
        }
    }
}

/// The task is cancelled: the wait ends, and nothing is received or sent for it. Bytes that the
/// kernel holds stay there for the next receiver.
fn interrupt<T: Exchange>(
    this: &Native<Awaitable>,
    owner: &LoopRef,
    exception: Object,
) -> Result<Progress> {
    if this.get().step().get() == DELEGATED {
        let delegated = delegate::continue_with(this, Some(&exception))?;
        return Ok(finish_delegated(delegated));
    }
    stop_listening::<T>(this, EventLoop::native_part(owner));
    Err(restore(exception))
}

/// Awaits asyncio's own coroutine. The function of its class is called with our loop as `self`, so
/// that an override is not called twice.
#[cold]
pub fn leave_to_asyncio<T: Exchange>(this: &Native<Awaitable>) -> Result<Progress> {
    let all = arguments_of::<T>(this.get())?;
    let all: Vec<_> = all.iter().collect();
    let coroutine = asyncios::<T>(T::METHODS.0)?.call_with(&all)?;
    this.get().step().set(DELEGATED);
    Ok(finish_delegated(delegate::begin(this, &coroutine)?))
}

/// The loop, the socket, and the other arguments.
fn arguments_of<T: Exchange>(awaitable: &Awaitable) -> Result<Vec<Object>> {
    let mut all = vec![
        awaitable.owner().unwrap_or_else(Object::none),
        awaitable.value().get_or_none(),
    ];
    let given = awaitable.kept().get_or_none();
    match T::COUNT {
        0 => {}
        1 => all.push(given),
        // The data may have been replaced by the rest of it.
        _ => match given.as_tuple() {
            Some([first, second]) => all.extend([first.clone(), second.clone()]),
            _ => all.push(given),
        },
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
fn handle<T: Exchange>(this: &Native<Awaitable>) -> Result<Native<HandleKind>> {
    let mut arguments = arguments_of::<T>(this.get())?;
    if arguments[0].is_none() {
        // It is over already, and holds nothing any more.
        arguments[0] = running_loop_or_none()?;
    }
    let event_loop = arguments[0].clone();
    arguments.insert(1, Object::clone(this));
    let function = asyncios::<T>(T::METHODS.1)?;
    Handle::create(
        &handle::CLASS,
        &function,
        &arguments,
        None,
        &event_loop,
        None,
    )
    .map(Native::into_up)
}
