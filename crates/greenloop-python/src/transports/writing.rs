//! Writing: as much as there is room for at once, the rest when there is room again.
//!
//! Where a program habitually writes in pieces, [`coalescing`] makes the kernel send them as one.
//!
//! ```text
//!             write                   room, a part is sent         room, all is sent
//!   empty ──────────► empty   pending ────────────────► pending ───────────────────► empty
//!     │  all is taken            ▲  │                     ▲    then: resume_writing(), and
//!     │                          │  └── write: appended ──┘    write_eof's shutdown or the end
//!     └── write: a part is taken ┘
//! ```
//! The order of bytes is that of the calls: nothing is sent at once while something is pending. The
//! transport is registered for room only while something is pending, so a connection whose peer
//! keeps up costs one `send(2)` for each write.

use greenloop_core::WriteQueue;
use greenloop_cpython::making::{self, ByName as _, IntoObject as _};
use greenloop_cpython::{
    Bytes, ExceptionClass, LastingBytes, Memory, Object, Result, attached, fetch, raise,
};
use greenloop_os::socket::MOST_SLICES;
use pyo3::prelude::*;

use super::receiving::is_none_yet;
use super::{
    SocketTransport, TransportRef, closing, coalescing, flow_control, handle_for, in_context,
    logger, owner,
};
use crate::asyncio::edition::TRANSPORTS_KEEP_CHUNKS;
use crate::asyncio::globals;
use crate::event_loop::{EventLoop, Side, os_error};
use crate::handle::leaves_the_loop;
use crate::scheduler::{NativeListener, Reaction};

/// As in reading, an old generation means a registration that has ended.
static REACTION: Reaction = Reaction {
    react: |this, generation| {
        let this = owner(this)?;
        let transport = this.get();
        if transport.writing_generation.get() != generation {
            return Ok(());
        }
        let context = transport.writing_context.get_or_none();
        in_context(&context, this, &globals().names.write_ready, write_ready)
    },
    handle: |this| {
        let this = owner(this)?;
        let context = &this.get().writing_context;
        handle_for(this, &globals().names.write_ready, context)
    },
    is_due: None,
};

/// `write(data)`. Sending at once costs one `send(2)`. An error of the system does not reach the
/// caller but ends the connection, as in asyncio; `pause_writing` of the protocol may be called
/// before this returns.
///
/// # Errors
/// `TypeError` for data that is not bytes-like, `RuntimeError` after `write_eof` and during a
/// `sendfile`.
pub fn write(this: &TransportRef, data: &Object) -> Result<Object> {
    let transport = this.get();
    if !data.is_bytes_like() {
        // Raises a TypeError in the running version's words.
        let refuse = globals()
            .asyncio
            .socket_transport
            .attribute(&globals().names.write)?;
        return refuse.call([this, data]);
    }
    transport.refuse_writing(
        c"Cannot call write() after write_eof()",
        c"unable to write; sendfile is in progress",
    )?;
    if !data.has_content()? {
        return Ok(Object::none());
    }
    if transport.lost.get() > 0 {
        return transport.count_lost_write();
    }
    let mut sent = 0;
    if let Some(outcome) = transport.send_at_once(this, data) {
        match unless_fatal(this, outcome)? {
            None => return Ok(Object::none()),
            Some((count, length)) if count == length => return Ok(Object::none()),
            Some((count, _)) => sent = count,
        }
        transport.start_writing(this)?;
    }
    let Some(()) = unless_fatal(this, transport.keep(data, sent))? else {
        return Ok(Object::none());
    };
    flow_control::maybe_pause(this)?;
    Ok(Object::none())
}

/// `writelines(list_of_data)`: all of it in one call of the system, as far as there is room. Up to
/// 3.11 asyncio joins the lines and calls `write`, which is inherited. It appends all lines first,
/// and sends with one `sendmsg(2)` at most [`MOST_SLICES`] of them.
///
/// # Errors
/// As for [`write()`], and what the iterable raises, in which case no line was taken.
#[cfg(Py_3_12)]
pub fn writelines(this: &TransportRef, lines: &Object) -> Result<Object> {
    let transport = this.get();
    transport.refuse_writing(
        c"Cannot call writelines() after write_eof()",
        c"unable to writelines; sendfile is in progress",
    )?;
    if !lines.is_true()? {
        return Ok(Object::none());
    }
    if transport.lost.get() > 0 {
        return transport.count_lost_write();
    }
    // All are looked at before the first is kept.
    let mut chunks = Vec::new();
    let py = attached();
    for line in lines.bound(py).try_iter()? {
        let line = Object::from(line?);
        chunks.push(LastingBytes::shown(&line)?);
    }
    let mut empty = Vec::new();
    transport.pending.with(|pending| {
        for chunk in chunks {
            let length = chunk.len();
            empty.extend(pending.push(chunk, length));
        }
    });
    drop(empty);
    if !transport.has_pending() {
        return Ok(Object::none());
    }
    write_ready(this)?;
    if transport.has_pending() {
        transport.start_writing(this)?;
        if crate::asyncio::edition::edition().writelines_pauses {
            flow_control::maybe_pause(this)?;
        }
    }
    Ok(Object::none())
}

impl SocketTransport {
    /// Whether data waits for room.
    #[inline]
    pub(super) fn has_pending(&self) -> bool {
        // SAFETY: the question compares the length of what is left with zero.
        !unsafe { self.pending.with_untested(|pending| pending.is_empty()) }
    }

    /// Sends, unless other data waits: the number of bytes of `data` that there was room for, and
    /// of all. `None` if other data waits. The write is counted as a piece of the job in any case.
    #[inline]
    fn send_at_once(&self, this: &TransportRef, data: &Object) -> Option<Result<(usize, usize)>> {
        let event_loop = self.event_loop();
        let native = event_loop.as_ref().map(EventLoop::native_part);
        let more = native.is_some_and(|native| coalescing::expect_more(this, native));
        (!self.has_pending()).then(|| self.send_now(data, native, more))
    }

    /// The number of bytes of `data` that there was room for, and of all. `more` announces to the
    /// kernel that more follow.
    ///
    /// # Errors
    /// The `OSError` of `send(2)`, such as `BrokenPipeError`; CPython ignores `SIGPIPE`, so that no
    /// signal comes.
    #[inline]
    fn send_now(
        &self,
        data: &Object,
        native: Option<&EventLoop>,
        more: bool,
    ) -> Result<(usize, usize)> {
        if self.is_foreign() {
            let count = self.send_by_name(data)?.unwrap_or(0);
            let length = Bytes::of(data)?.memory().len();
            return Ok((count.min(length), length));
        }
        // SAFETY: between here and the last use of the bytes is a system call only, which runs no
        // Python code.
        let bytes = unsafe { Bytes::of_unchanging(data)? };
        let bytes = bytes.memory();
        let outcome = if more {
            coalescing::wait_for_more(self);
            bytes.send_more(self.descriptor())
        } else {
            bytes.send(self.descriptor())
        };
        match outcome {
            Ok(count) => {
                if let Some(native) = native {
                    native.expect_input();
                }
                Ok((count, bytes.len()))
            }
            Err(error) if is_none_yet(&error) => Ok((0, bytes.len())),
            Err(error) => Err(os_error(&error)),
        }
    }

    /// Raises RuntimeError with one of the two texts after `write_eof`, or while a file is being
    /// sent.
    fn refuse_writing(&self, after_eof: &std::ffi::CStr, busy: &std::ffi::CStr) -> Result<()> {
        let class = ExceptionClass::RuntimeError;
        if self.eof.get() {
            return Err(raise(class, after_eof));
        }
        if !self.empty_waiter.is_empty() {
            return Err(raise(class, busy));
        }
        Ok(())
    }

    /// Something is written although the connection is lost: said after a few times. asyncio does
    /// it in the same words, from the fifth time on; the number is read at each call, since
    /// programs change it.
    fn count_lost_write(&self) -> Result<Object> {
        let py = attached();
        let threshold: u64 = making::import(py, c"asyncio.constants")?
            .look_up(c"LOG_THRESHOLD_FOR_CONNLOST_WRITES")?
            .extract()?;
        if self.lost.get() >= threshold {
            logger(py)?.invoke_method(c"warning", ("socket.send() raised exception.",))?;
        }
        self.lost.set(self.lost.get() + 1);
        Ok(Object::none())
    }

    /// Keeps the bytes after the first `sent` of `data` as the running version of asyncio keeps
    /// them, as far as that is observable: `bytes` themselves, and from 3.12 on our own memoryview
    /// instead of a copy of the caller's.
    ///
    /// # Errors
    /// `MemoryError`, or `BufferError` for data that cannot be shown.
    fn keep(&self, data: &Object, sent: usize) -> Result<()> {
        let chunk = LastingBytes::rest(data, sent, !TRANSPORTS_KEEP_CHUNKS)?;
        let length = chunk.len();
        drop(self.pending.with(|pending| pending.push(chunk, length)));
        Ok(())
    }

    /// Registers the transport as the listener for room to write, with a new generation.
    ///
    /// # Errors
    /// `OSError` if the poller refuses the descriptor, `RuntimeError` if the loop is closed.
    fn start_writing(&self, this: &TransportRef) -> Result<()> {
        self.writing_context.set(self.context_now()?);
        let Some(event_loop) = self.event_loop() else {
            return Ok(());
        };
        let generation = self.writing_generation.get().wrapping_add(1);
        self.writing_generation.set(generation);
        let listener = NativeListener {
            reaction: &REACTION,
            owner: Object::clone(this),
            generation,
        };
        EventLoop::native_part(&event_loop).listen(self.descriptor(), Side::Writer, listener)
    }

    /// Ends that registration, and invalidates the jobs that are queued for it. It cannot fail, and
    /// may be called without a registration.
    pub(super) fn stop_writing(&self, this: &TransportRef) {
        let generation = self.writing_generation.get().wrapping_add(1);
        self.writing_generation.set(generation);
        if let Some(event_loop) = self.event_loop() {
            EventLoop::native_part(&event_loop).stop_listening(
                self.number.get(),
                Side::Writer,
                this,
            );
        }
    }

    /// Drops the pending data. The chunks are dropped outside of the borrow: a view's owner may run
    /// code when it is released.
    pub(super) fn discard_pending(&self) {
        drop(self.pending.with(WriteQueue::take));
    }

    /// Sends as much of the pending data as there is room for: `None` if there is none.
    ///
    /// # Errors
    /// The `OSError` of the system, or what a foreign socket's method raises.
    fn send_pending(&self) -> Result<Option<usize>> {
        if self.is_foreign() {
            let waiting: Vec<_> = self.pending.with(|pending| {
                let chunks = pending.iter().take(MOST_SLICES);
                chunks
                    .map(|(chunk, range)| chunk.part(range).to_vec())
                    .collect()
            });
            return self.send_all_by_name(&waiting);
        }
        match self.send_chunks() {
            Ok(count) => {
                self.expect_input();
                Ok(Some(count))
            }
            Err(error) if is_none_yet(&error) => Ok(None),
            Err(error) => Err(os_error(&error)),
        }
    }

    /// Sends as much of the pending data as the socket takes, in one call, and returns the number
    /// of bytes. One chunk goes by `send(2)`, several by `sendmsg(2)`. No Python code runs
    /// meanwhile, which is what allows the borrow.
    fn send_chunks(&self) -> std::io::Result<usize> {
        let descriptor = self.descriptor();
        self.pending.with(|pending| {
            let mut chunks = pending.iter();
            match (chunks.next(), chunks.next()) {
                (None, _) => Ok(0),
                (Some((chunk, range)), None) => chunk.part(range).send(descriptor),
                _ => {
                    let chunks = pending.iter().take(MOST_SLICES);
                    let pieces = chunks.map(|(chunk, range)| chunk.part(range));
                    Memory::send_vectored(descriptor, pieces)
                }
            }
        })
    }
}

/// `_write_ready()`: there is room again. The end of a closing connection happens in this very job,
/// without another turn, as in asyncio.
///
/// # Errors
/// Only exceptions that leave the loop, and those of `connection_lost`, of the waiter and of
/// `shutdown`.
pub(super) fn write_ready(this: &TransportRef) -> Result<()> {
    let transport = this.get();
    if transport.lost.get() > 0 {
        return Ok(());
    }
    let count = match transport.send_pending() {
        Ok(Some(count)) => count,
        Ok(None) => return Ok(()),
        Err(raised) if leaves_the_loop() => return Err(raised),
        Err(raised) => {
            let exception = fetch(raised);
            transport.stop_writing(this);
            transport.discard_pending();
            closing::fatal_error(this, &exception, WRITE_ERROR)?;
            if let Some(waiter) = transport.empty_waiter.get() {
                waiter.invoke(&globals().names.set_exception, [&exception])?;
            }
            return Ok(());
        }
    };
    let mut done = Vec::new();
    transport
        .pending
        .with(|pending| pending.advance(count, &mut done));
    drop(done);
    // The protocol may write more, or close.
    flow_control::maybe_resume(this)?;
    if !transport.has_pending() {
        transport.stop_writing(this);
        if let Some(waiter) = transport.empty_waiter.get() {
            waiter.invoke(&globals().names.set_result, [&Object::none()])?;
        }
        if transport.closing.get() {
            // Unless the end is under way already, because the protocol has just closed.
            if transport.lost.get() == 0 {
                transport.lost.set(1);
                closing::call_connection_lost(this, &Object::none())?;
            }
        } else if transport.eof.get() {
            transport.shut_down_writing()?;
        }
    }
    Ok(())
}

const WRITE_ERROR: &str = "Fatal write error on socket transport";

/// As in reading: an error ends the connection.
fn unless_fatal<T>(this: &TransportRef, outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(raised) if leaves_the_loop() => Err(raised),
        Err(raised) => {
            closing::fatal_error(this, &fetch(raised), WRITE_ERROR)?;
            Ok(None)
        }
    }
}

/// The method `_write_ready`, for code that runs it by hand.
pub fn write_ready_method(this: &TransportRef) -> Result<Object> {
    write_ready(this)?;
    Ok(Object::none())
}

/// `write_eof()`: the peer is notified when everything is written. The connection stays open for
/// reading. A second call does nothing.
///
/// # Errors
/// The `OSError` of `shutdown(2)`.
pub fn write_eof(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    if !transport.closing.get() && !transport.eof.get() {
        transport.eof.set(true);
        if !transport.has_pending() {
            transport.shut_down_writing()?;
        }
    }
    Ok(Object::none())
}

impl SocketTransport {
    /// `self._sock.shutdown(socket.SHUT_WR)`
    ///
    /// By the socket's own method, since it happens once. The peer reads the end of the stream
    /// after all bytes.
    fn shut_down_writing(&self) -> Result<()> {
        let globals = globals();
        let socket = self.socket();
        self.expect_input();
        let how = &globals.asyncio.shut_wr;
        socket.invoke(&globals.names.shutdown, [how]).map(drop)
    }
}

/// `can_write_eof()`: True, since TCP and Unix streams have two directions that end apart.
pub fn can_write_eof(_: &TransportRef) -> Result<Object> {
    Ok(Object::boolean(true))
}

/// `get_write_buffer_size()`: the bytes that are pending, after sending those that only wait for
/// more of the same job.
pub fn get_write_buffer_size(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    coalescing::push(transport);
    let size = transport.pending.with(|pending| pending.len());
    size.into_object()
}

/// `_buffer`: a copy of the pending data, as the running asyncio keeps it: a bytearray up to 3.11,
/// then a deque. asyncio's `_make_empty_waiter` looks whether it is empty. It costs a copy, and
/// changing it has no effect.
pub fn buffer(this: &TransportRef) -> Result<Object> {
    let transport = this.get();
    let waiting: Vec<Vec<u8>> = transport.pending.with(|pending| {
        pending
            .iter()
            .map(|(chunk, range)| chunk.part(range).to_vec())
            .collect()
    });
    let py = attached();
    if !TRANSPORTS_KEEP_CHUNKS {
        return making::bytearray(&waiting.concat());
    }
    let chunks = waiting.iter().map(|chunk| making::bytes(chunk));
    let chunks = making::list(chunks.collect::<Result<_>>()?)?;
    Ok(making::import(py, c"collections")?
        .look_up(c"deque")?
        .invoke((chunks,))?
        .into())
}
