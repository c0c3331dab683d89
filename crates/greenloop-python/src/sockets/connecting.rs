//! `sock_connect` and `sock_accept`.
//!
//! Both are rare compared with reads and writes, and involve more of Python: names are looked up,
//! addresses have many forms, an audit hook may be installed. So the socket's own methods are
//! called, and asyncio's own `_ensure_resolved`; only the waiting is native.
//!
//! ```text
//!                1 a name or IPv6            2 getaddrinfo has answered
//!   sock_connect ──────────────► RESOLVING ────────────────┐
//!        │                                                 ▼      3 EINPROGRESS
//!        └────────────────────────────────────────────► connect(2) ────────────► WAITING
//!          1 a numeric IPv4 address                        │                        │ 4 writable
//!                                                          ▼                        ▼
//!                                                         DONE              SO_ERROR decides
//! ```
//! A connect is begun once: the second attempt does not call `connect(2)` again but asks the socket
//! for its pending error (`connect(2)`, `getsockopt(2)`).

use greenloop_core::observe::WaitKind;
use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{Arguments, ExceptionClass, Native, Object, Result, attached};
use greenloop_os::socket::{Family, has_ports, take_error};
use pyo3::prelude::*;

use super::address::from_python;
use super::exchange::{
    Exchange, OWN_STEP, Request, call, create, leave_to_asyncio, pair, pair_in, proceed, refuse,
    request, resume_with,
};
use crate::asyncio::globals;
use crate::awaitable::delegate::{self, Delegated};
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::event_loop::{LoopRef, Side, os_error};
use crate::observing::Wait;

/// The step of a connect whose name is being looked up.
///
/// Cancelling the task in this step cancels the lookup, whose thread goes on in the executor, as
/// with asyncio.
const RESOLVING: u8 = OWN_STEP;

/// `sock_connect`: waits for writability, and returns None.
struct Connect;

impl Exchange for Connect {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_connect";
    const WAITS: WaitKind = WaitKind::Connect;
    const SIDE: Side = Side::Writer;
    const METHODS: (&'static str, &'static str) = ("sock_connect", "_sock_connect_cb");

    /// By name, since the socket's own `connect` raises the audit event `socket.connect` (PEP 578)
    /// and knows every form of address. `EINPROGRESS` is a `BlockingIOError`, which means to wait.
    ///
    /// # Errors
    /// What `connect` raises, above all the `OSError` of a peer that refuses at once.
    fn begin(request: &Request<'_>) -> Result<Option<Object>> {
        let address = request.given();
        request.by_name(&globals().names.connect, &[&address])
    }

    /// The descriptor is writable: the connection is there, or an error says why not. It is called
    /// once, since either answer ends the wait.
    ///
    /// # Errors
    /// An `OSError` of the class that belongs to the number (`ConnectionRefusedError` for one),
    /// with asyncio's words and the address in them.
    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let pending = take_error(request.plain.descriptor).map_err(|error| os_error(&error))?;
        let Some(error) = pending.and_then(|error| error.raw_os_error()) else {
            return Ok(Some(Object::none()));
        };
        let address = request.given();
        let text = format!("Connect call failed {}", making::shown(&address)?);
        let class = ExceptionClass::OSError;
        Err(making::raise_with(class, (error, text))?)
    }

    const OPERATION: &'static Operation<LoopRef> = &Operation {
        waits: |_, _| Some(Wait::of(Self::WAITS)),
        name: Self::NAME,
        start: start_connecting,
        resume: |this, owner| go_on(this, owner, None),
        interrupt: |this, owner, exception| go_on(this, owner, Some(exception)),
        inside: |_| &[],
        behind: None,
    };
}

/// The first step of `sock_connect`: connects at once to an address that is resolved, or looks it
/// up before. Unix sockets have nothing to look up; their paths go to `connect` as they are.
///
/// # Errors
/// Of the lookup and of `connect`.
fn start_connecting(this: &Native<Awaitable>, owner: &LoopRef) -> Result<Progress> {
    let Some(request) = request(this, owner) else {
        return leave_to_asyncio::<Connect>(this);
    };
    let address = request.given();
    let family = Family::of(request.plain.family);
    if !matches!(family, Family::V4 | Family::V6) || is_resolved(&request, &address) {
        let outcome = Connect::begin(&request)?;
        return proceed::<Connect>(owner, &request, outcome);
    }
    resolve(owner, &request, &address)
}

/// Whether asyncio's `_ensure_resolved` would return an equal address. It is asked for IPv4 alone:
/// of an IPv6 address asyncio's function makes a tuple of four, which is not the pair that was
/// given.
fn is_resolved(request: &Request<'_>, address: &Object) -> bool {
    let plain = &request.plain;
    Family::of(plain.family) == Family::V4
        && has_ports(plain.kind, plain.protocol)
        && from_python(Family::V4, address).is_some()
}

/// Awaits `loop._ensure_resolved(address, family=…, type=…, proto=…, loop=loop)`.
///
/// asyncio's function answers without a thread if the host is numeric, and else calls `getaddrinfo`
/// in the executor. A program may have replaced it, or `getaddrinfo` of its loop, which is why it
/// is called by name.
///
/// # Errors
/// What calling the method raises before its coroutine runs.
fn resolve(owner: &LoopRef, request: &Request<'_>, address: &Object) -> Result<Progress> {
    let py = attached();
    let names = &globals().names;
    let this = request.this;
    let keywords = making::dict(py)?;
    for name in [&names.family, &names.type_, &names.proto] {
        keywords.enter(name, request.socket.attribute(name)?)?;
    }
    keywords.enter(&names.loop_, owner.bound(py))?;
    let method = owner.attribute(&names.ensure_resolved)?;
    let coroutine = method.bound(py).invoke_with((address,), &keywords)?;
    // The awaited object takes the socket's place.
    this.get().kept().set(pair(&request.socket, address)?);
    this.get().step().set(RESOLVING);
    let delegated = delegate::begin(this, &coroutine.into())?;
    connect_when_resolved(this, owner, delegated)
}

/// Goes on with the first of the looked up addresses. The socket is looked at again: the program
/// may have closed it meanwhile, and then it has the descriptor -1, which `connect` refuses with
/// `EBADF`.
///
/// # Errors
/// Of the lookup (`socket.gaierror`) and of `connect`.
fn connect_when_resolved(
    this: &Native<Awaitable>,
    owner: &LoopRef,
    delegated: Delegated,
) -> Result<Progress> {
    let resolved = match delegated {
        Delegated::Waits(progress) => return Ok(progress),
        Delegated::Returned(resolved) => resolved,
    };
    let py = attached();
    let address = resolved.bound(py).get_item(0)?.get_item(4)?;
    let awaitable = this.get();
    let before = awaitable.kept().get_or_none();
    let [socket, _] = pair_in(&before)?;
    awaitable.value().set(socket.clone());
    awaitable.kept().set(address.into());
    awaitable.step().set(0);
    match request(this, owner) {
        Some(request) => {
            let outcome = Connect::begin(&request)?;
            proceed::<Connect>(owner, &request, outcome)
        }
        // It has become a blocking one meanwhile.
        None => leave_to_asyncio::<Connect>(this),
    }
}

/// Resumes the look-up or the connect, whichever the step is in; with `exception`, throws it there.
fn go_on(this: &Native<Awaitable>, owner: &LoopRef, exception: Option<Object>) -> Result<Progress> {
    if this.get().step().get() != RESOLVING {
        return resume_with::<Connect>(this, owner, exception);
    }
    let delegated = delegate::continue_with(this, exception.as_ref())?;
    connect_when_resolved(this, owner, delegated)
}

/// `sock_accept`: waits for readability, and returns the pair of the connection and the peer's
/// address.
struct Accept;

impl Exchange for Accept {
    const NAME: &'static std::ffi::CStr = c"BaseSelectorEventLoop.sock_accept";
    const WAITS: WaitKind = WaitKind::Accept;
    const SIDE: Side = Side::Reader;
    const METHODS: (&'static str, &'static str) = ("sock_accept", "_sock_accept");
    const COUNT: usize = 0;

    /// By the socket's own `accept`. The connection is made non-blocking afterwards, whatever
    /// `socket.setdefaulttimeout` says.
    ///
    /// # Errors
    /// The `OSError` of `accept(2)`. Unlike a server, it raises `ConnectionAbortedError` too, as
    /// asyncio does.
    fn attempt(request: &Request<'_>) -> Result<Option<Object>> {
        let names = &globals().names;
        let Some(accepted) = request.by_name(&names.accept, &[])? else {
            return Ok(None);
        };
        let [connection, _] = pair_in(&accepted)?;
        connection.invoke(&names.setblocking, [&Object::boolean(false)])?;
        Ok(Some(accepted))
    }
}

/// `loop.sock_connect(sock, address)`
///
/// Returns an awaitable and does nothing else before it is awaited.
pub fn sock_connect(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    call::<Connect>(this, arguments, &globals().names.address)
}

/// `loop.sock_accept(sock)`
///
/// The arguments are bound by hand, because [`call`] expects two.
pub fn sock_accept(this: &LoopRef, arguments: Arguments<'_>) -> Result<Object> {
    let bound = match arguments.only() {
        Some(socket) => Some(socket),
        None => match arguments.bind(Accept::NAME, [&globals().names.sock], 1, 1) {
            Ok([socket]) => socket,
            Err(raised) => {
                drop(greenloop_cpython::fetch(raised));
                None
            }
        },
    };
    match bound {
        Some(socket) => create::<Accept>(this, socket, Object::none()),
        None => refuse::<Accept>(this, arguments),
    }
}
