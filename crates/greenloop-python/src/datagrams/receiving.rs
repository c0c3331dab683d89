//! Receiving: one datagram in a turn, as in asyncio.
//!
//! Several may wait, since one socket serves all peers. In that case the next turn receives another
//! one by itself, and the poller is not asked in between.
//!
//! The order of a turn is asyncio's: the poller's events first, then the jobs. A look and an event
//! for the same registration would deliver two datagrams in one turn, so an event that arrives
//! while a look is queued is dropped (`is_due`), and the look receives what it announced.

use greenloop_cpython::{Arguments, Native, Object, Result, copy_context, fetch, making};
use greenloop_os::datagram::receive_from;
use greenloop_os::socket::Family;

use super::{DatagramRef, Transport};
use crate::asyncio::{globals, running_loop_or_none};
use crate::event_loop::{EventLoop, Side, os_error};
use crate::handle::{self, Handle};
use crate::scheduler::{HandleKind, Job, NativeListener, Reaction, Scheduler};
use crate::sockets::{plain, unless_none_yet};

/// The most that is received into the loop's buffer, which it keeps; no datagram is larger than a
/// quarter.
///
/// The length in UDP's header has 16 bits (RFC 768). A `max_size` above the limit leaves the
/// receive to asyncio.
const MOST: usize = 256 * 1024;

/// The poller has reported the descriptor.
static REACTION: Reaction = Reaction {
    react: |this, generation| react(this, generation, false),
    handle,
    is_due: Some(look_is_due),
};

/// It is time for another look.
static LOOK: Reaction = Reaction {
    react: |this, generation| react(this, generation, true),
    handle,
    is_due: None,
};

/// The descriptor is ready, or a look is due: receives a datagram and calls the protocol. A job of
/// an earlier registration does nothing. An old generation, or another listener in the table, means
/// such a job.
///
/// The protocol's method is user code: it may close the transport, listen again, or raise. So the
/// state is kept alive by a reference of this function's, and whether to look again is decided
/// after the call.
///
/// # Errors
/// What `datagram_received` or `error_received` raises. The loop's exception handler gets it, and
/// the transport goes on, as with asyncio.
fn react(this: &Object, generation: u32, looks: bool) -> Result<()> {
    let Some(transport) = Transport::of_owner(this) else {
        return Ok(());
    };
    let Some(state) = transport.state() else {
        return Ok(());
    };
    let state = state.get();
    if looks {
        state.expectation.take_look(generation);
    } else if state.expectation.is_due(generation) {
        return Ok(());
    }
    if state.generation.get() != generation || !is_listening(&transport) {
        return Ok(());
    }
    state.expectation.set_telling(true);
    let received = in_context(&state.context.get_or_none(), transport);
    state.expectation.set_telling(false);
    let received = received?;
    if state.expectation.learn(looks, received) {
        state.expectation.expect_look(generation);
        look_again(&transport, generation);
    }
    Ok(())
}

/// Whether a look is queued for the registration: it finds what the poller would report.
fn look_is_due(this: &Object, generation: u32) -> bool {
    let state = Transport::of_owner(this).and_then(|transport| transport.state());
    state.is_some_and(|state| state.get().expectation.is_due(generation))
}

/// The job as a handle of `_read_ready`, for a program that looks at the loop's queue.
fn handle(this: &Object) -> Result<Native<HandleKind>> {
    let transport = Transport::of_owner(this);
    let event_loop = transport.and_then(|one| one.slot(&one.places.event_loop));
    let event_loop = match event_loop.filter(|event_loop| !event_loop.is_none()) {
        Some(event_loop) => event_loop,
        // It is closed: reports go to the running loop.
        None => running_loop_or_none()?,
    };
    let method = this.attribute(&globals().names.read_ready)?;
    Handle::create(&handle::CLASS, &method, &[], None, &event_loop, None).map(Native::into_up)
}

/// Whether the loop still listens for the transport: no other listener has replaced it, and it was
/// not stopped.
fn is_listening(transport: &Transport<'_>) -> bool {
    let event_loop = transport.slot(&transport.places.event_loop);
    let socket = transport.slot(&transport.places.socket);
    match (event_loop.as_ref().and_then(EventLoop::of), &socket) {
        (Some(native), Some(socket)) => plain(socket).is_none_or(|plain| {
            native.is_listening(plain.descriptor, Side::Reader, transport.this)
        }),
        _ => false,
    }
}

/// Receives in the next turn whether the poller reports anything or not.
///
/// The job is pushed behind all that are ready: it runs in the next turn, since a turn runs what
/// was ready when it began.
fn look_again(transport: &Transport<'_>, generation: u32) {
    let event_loop = transport.slot(&transport.places.event_loop);
    if let Some(scheduler) = event_loop.as_ref().and_then(Scheduler::of) {
        scheduler.push(Job::Ready(NativeListener {
            reaction: &LOOK,
            owner: Object::clone(transport.this),
            generation,
        }));
    }
}

/// Calls `_read_ready` in a context. Returns whether there was a datagram. A context of another
/// class than `contextvars.Context` has its method `run` called; the answer is false then, because
/// the result of a Python method says nothing about datagrams.
fn in_context(context: &Object, transport: Transport<'_>) -> Result<bool> {
    if context.is_context() {
        return context.inside(|| read_ready(transport));
    }
    let method = transport.this.attribute(&globals().names.read_ready)?;
    let run = &globals().names.run_in_context;
    context.invoke(run, [&method]).map(|_| false)
}

/// `_read_ready()`. Returns whether there was a datagram.
///
/// One `recvfrom(2)`. The special cases of asyncio's method (an unusual `max_size`, a socket that
/// is no longer plain, a loop that is gone) are left to it.
///
/// # Errors
/// What the protocol raises. An `OSError` of the socket is no error here: it goes to
/// `error_received`, and the transport stays open, since the error may be about a datagram that was
/// sent earlier (`udp(7)`).
fn read_ready(transport: Transport<'_>) -> Result<bool> {
    if !transport.is_open() {
        return Ok(false);
    }
    let socket = transport.slot(&transport.places.socket);
    let plain = socket
        .as_ref()
        .and_then(plain)
        .filter(|plain| Family::of(plain.family) != Family::Other);
    let event_loop = transport.slot(&transport.places.event_loop);
    let native = event_loop.as_ref().and_then(EventLoop::of);
    let state = transport.state();
    let size = transport
        .slot(&transport.places.max_size)
        .and_then(|size| size.exact_int())
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| (1..=MOST).contains(size));
    let (Some(plain), Some(native), Some(state), Some(size)) = (plain, native, state, size) else {
        let name = &globals().names.read_ready;
        return transport.leave_to_asyncio(name, &[]).map(|_| false);
    };
    let outcome = native.receive(size, |buffer| {
        let (bytes, address) = receive_from(plain.descriptor, buffer)?;
        Ok((making::bytes(bytes), address))
    });
    let protocol = transport.protocol();
    let names = &globals().names;
    match unless_none_yet(outcome) {
        Ok(None) => Ok(false),
        Ok(Some((data, address))) => {
            let (data, address) = (data?, state.get().show(address)?);
            protocol.invoke(&names.datagram_received, [&data, &address])?;
            Ok(true)
        }
        // It is an `OSError`: nothing else comes of a system call.
        Err(raised) => {
            let error = fetch(raised);
            let answer = protocol.invoke(&names.error_received, [&error]);
            answer.map(|_| false)
        }
    }
}

/// The method `_read_ready`.
pub fn read_ready_method(this: &DatagramRef) -> Result<Object> {
    if let Some(transport) = Transport::of(this) {
        read_ready(transport)?;
    }
    Ok(Object::none())
}

/// `_listen(fd)`: from now on, in the present context.
///
/// The context is copied now, because asyncio's handle would copy it now. A generation marks this
/// registration: jobs of the one before have another.
///
/// # Errors
/// `TypeError` for wrong arguments, `OSError` for a descriptor that the poller refuses,
/// `RuntimeError` for a closed loop.
pub fn listen(this: &DatagramRef, arguments: Arguments<'_>) -> Result<Object> {
    let [descriptor] = arguments.bind(c"_listen", [&globals().names.fd], 1, 1)?;
    let descriptor = descriptor
        .and_then(Object::exact_int)
        .and_then(|descriptor| i32::try_from(descriptor).ok())
        .unwrap_or(-1);
    let transport = Transport::of(this);
    let event_loop = transport.and_then(|one| one.slot(&one.places.event_loop));
    let state = transport.and_then(|one| one.state());
    let (Some(native), Some(state)) = (event_loop.as_ref().and_then(EventLoop::of), state) else {
        return Err(os_error(&std::io::Error::from(
            std::io::ErrorKind::NotConnected,
        )));
    };
    let state = state.get();
    let context = copy_context()?;
    state.context.set(context);
    state.generation.set(state.generation.get().wrapping_add(1));
    let listener = NativeListener {
        reaction: &REACTION,
        owner: Object::clone(this),
        generation: state.generation.get(),
    };
    native.listen(descriptor, Side::Reader, listener)?;
    Ok(Object::none())
}
