//! The ssl object of a connection, and the two memory BIOs between it and the transport.
//!
//! `SSLContext.wrap_bio` of any context makes the object. An `ssl.SSLObject` only calls the same
//! methods of its native `_sslobj`, so that one is called directly, with our own memory. An object
//! of any other class is called by name, with objects that it may keep.
//!
//! Reading from an ssl object until it has no more ends with an exception, which costs as much as
//! reading a small message. That read can be saved: the transport's bytes are in the incoming BIO,
//! and the object takes from there no more than the record it works on. So when it returned less
//! than it was asked for, that record is done, and if the BIO is empty there is nothing more.
//!
//! An engine is opened once, by the constructor of its protocol, and never closed: it ends with the
//! protocol. A program may replace each of the three objects, and then all of them are called by
//! name.

use std::cell::Cell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ops::Range;

use greenloop_cpython::making::{self, ByName as _, Enter as _};
use greenloop_cpython::{
    Buffer, ExceptionClass, Memory, Object, Result, Slot, Visited, Visitor, attached, fetch,
    matches, show_bytes, show_part, show_room, visit_slots,
};

use super::library::library;
use crate::asyncio::globals;

/// The ssl object and its BIOs. All of them are empty until [`open`](Self::open), and after the
/// collector has cleared them; a call then meets None, and raises an `AttributeError`.
pub struct Engine {
    /// The result of `wrap_bio`.
    object: Slot,
    /// The object that reads and writes: the native object in it, or itself.
    worker: Slot,
    /// What the peer has sent: fed here, read by the ssl object.
    incoming: Slot,
    /// What the ssl object has for the peer: handshake messages, records and alerts.
    outgoing: Slot,
    /// Whether `worker` and the BIOs are of the native classes, so that they may be shown our
    /// memory.
    direct: Cell<bool>,
    /// Set when the incoming BIO was seen to be empty, until something is fed. A program may put
    /// something there by itself, so this is good for estimates and for flow control.
    drained: Cell<bool>,
    /// How much was fed into an empty BIO, until that is taken note of.
    fed: Cell<Option<usize>>,
}

impl Engine {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            object: Slot::empty(),
            worker: Slot::empty(),
            incoming: Slot::empty(),
            outgoing: Slot::empty(),
            direct: Cell::new(false),
            drained: Cell::new(false),
            fed: Cell::new(None),
        }
    }

    /// Has the context make the object. The hostname is None for a server, and for a client that
    /// names none. A context of another class may return any object; it only has to have the
    /// methods of an `ssl.SSLObject`.
    ///
    /// # Errors
    /// What `wrap_bio` raises: `ssl.SSLError` for a context of the wrong side, `ValueError` for one
    /// that checks a hostname and is given none, `ImportError` without an `ssl` module. Nothing has
    /// changed then.
    pub fn open(
        &self,
        context: &Object,
        server_side: &Object,
        server_hostname: &Object,
    ) -> Result<()> {
        let (library, names) = (library()?, &globals().names);
        let py = attached();
        let memory_bio: Object = making::import(py, c"ssl")?.look_up(c"MemoryBIO")?.into();
        let incoming = memory_bio.call([])?;
        let outgoing = memory_bio.call([])?;
        let keywords = making::dict(py)?;
        keywords.enter(&names.server_side, server_side.bound(py))?;
        keywords.enter(&names.server_hostname, server_hostname.bound(py))?;
        let bios = (incoming.bound(py), outgoing.bound(py));
        let object = context
            .bound(py)
            .look_up(c"wrap_bio")?
            .invoke_with(bios, &keywords)?;
        let object = Object::from(object);
        let (mut worker, mut direct) = (object.clone(), false);
        if object.has_class(&library.ssl_object)
            && incoming.has_class(&library.memory_bio)
            && outgoing.has_class(&library.memory_bio)
            && library.methods_are_original()?
        {
            let native = object.attribute(&names.sslobj)?;
            if native.has_class(&library.native_object) {
                (worker, direct) = (native, true);
            }
        }
        // Never true beside an object that is not native: dropping the old objects may run other
        // code.
        self.direct.set(false);
        self.drained.set(false);
        self.fed.set(None);
        self.incoming.set(incoming);
        self.outgoing.set(outgoing);
        self.worker.set(worker);
        self.object.set(object);
        self.direct.set(direct);
        Ok(())
    }

    /// Puts another ssl object in its place, which is called by name: tests do so.
    pub fn replace(&self, object: Object) {
        self.direct.set(false);
        self.worker.set(object.clone());
        self.object.set(object);
    }

    /// The same for a BIO, which the ssl object does not get to know. So what is fed from now on
    /// reaches the ssl object only if the program moves it there.
    pub fn replace_incoming(&self, bio: Object) {
        self.direct.set(false);
        self.incoming.set(bio);
    }

    /// The same for the other BIO.
    pub fn replace_outgoing(&self, bio: Object) {
        self.direct.set(false);
        self.outgoing.set(bio);
    }

    /// The result of `wrap_bio`, or None.
    pub fn object(&self) -> Object {
        self.object.get_or_none()
    }

    /// The BIO that the peer's bytes are put into, or None.
    pub fn incoming(&self) -> Object {
        self.incoming.get_or_none()
    }

    /// The BIO that the encrypted bytes are taken from, or None.
    pub fn outgoing(&self) -> Object {
        self.outgoing.get_or_none()
    }

    /// Whether the object may be shown our memory. If not, each call makes a `bytes` object, which
    /// the callee may keep.
    #[inline]
    pub fn is_direct(&self) -> bool {
        self.direct.get()
    }

    /// What the garbage collector has to see.
    pub const fn slots(&self) -> [&Slot; 4] {
        [&self.object, &self.worker, &self.incoming, &self.outgoing]
    }
}

/// The operations of an ssl object on our memory.
impl Engine {
    /// Puts bytes from the peer into the incoming BIO. Without [`is_direct`](Self::is_direct) a
    /// copy is put there. OpenSSL copies them, so the caller's memory is free again when this
    /// returns. Nothing is decrypted yet.
    ///
    /// # Errors
    /// `MemoryError`, or what another BIO raises.
    #[inline]
    pub fn feed<'a>(&self, bytes: impl Into<Memory<'a>>) -> Result<()> {
        let bytes = bytes.into();
        let name = &globals().names.write;
        self.fed
            .set(self.drained.replace(false).then_some(bytes.len()));
        let incoming = self.incoming.get_or_none();
        self.lend(bytes, |data| incoming.invoke(name, [data]))
            .map(drop)
    }

    /// Calls a method of the ssl object or of a BIO with an object for some bytes. If they may not
    /// be shown our memory, it is a copy. The object that stands for the memory is reused by later
    /// calls.
    #[inline]
    fn lend<R>(&self, bytes: Memory<'_>, call: impl FnOnce(&Object) -> Result<R>) -> Result<R> {
        if self.direct.get() {
            // SAFETY: `direct` says that both are of the native classes, and their methods take the
            // buffer first of all and give it back last, when the bytes are copied or encrypted.
            return unsafe { show_bytes(bytes, call) };
        }
        call(&*bytes.copied()?)
    }

    /// Reads at most `most` bytes into an object of exactly as many; `None` if something is
    /// missing. An empty object is the end of the session: the peer has sent its `close_notify`
    /// alert (RFC 8446, section 6.1).
    ///
    /// # Errors
    /// `ssl.SSLError` for bytes that are no valid record, above all.
    #[inline]
    pub fn read(&self, most: usize) -> Result<Option<Object>> {
        let worker = self.worker.get_or_none();
        let most = Object::size_of(most.min(c_int::MAX as usize))?;
        let name = &globals().names.read;
        unless_again(worker.invoke(name, [&most]))
    }

    /// Reads into memory, from its start on, and returns what it has read. An object that may not
    /// be shown our memory reads nothing this way.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_into<'a>(&self, room: &'a mut [MaybeUninit<u8>]) -> Result<Option<&'a [u8]>> {
        if !self.direct.get() {
            return Ok(None);
        }
        let worker = self.worker.get_or_none();
        let most = Object::size_of(room.len().min(c_int::MAX as usize))?;
        let name = &globals().names.read;
        // SAFETY: the worker is of the native class, whose method writes to the buffer's start,
        // returns how many bytes that were, and keeps no buffer.
        unsafe { show_room(room, |room| counted(worker.invoke(name, [&most, room]))) }
    }

    /// The same into a part of an application's buffer: how many bytes were read.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_into_part(
        &self,
        buffer: &mut Buffer<'_>,
        part: Range<usize>,
    ) -> Result<Option<usize>> {
        if !self.direct.get() {
            return Ok(None);
        }
        let worker = self.worker.get_or_none();
        let most = Object::size_of(part.len().min(c_int::MAX as usize))?;
        let name = &globals().names.read;
        // SAFETY: the worker is of the native class, whose method asks for the buffer before it
        // reads anything, and gives it back before it returns.
        unsafe {
            show_part(buffer, part, |part| {
                counted(worker.invoke(name, [&most, part]))
            })
        }
    }

    /// `read(most, buffer)`
    ///
    /// Reads into the start of a writable buffer, and returns how many bytes; zero is the end of
    /// the session.
    pub fn read_into_object(&self, most: usize, buffer: &Object) -> Result<Option<usize>> {
        let worker = self.worker.get_or_none();
        let most = Object::size_of(most)?;
        counted(worker.invoke(&globals().names.read, [&most, buffer]))
    }

    /// `write(data)`: how many bytes of it were encrypted. OpenSSL makes records of at most 16 KiB
    /// and puts them into the outgoing BIO, which has no limit. It may take a part only; `None`
    /// means that it waits for the peer, as in a renegotiation.
    #[inline]
    pub fn write(&self, data: &Object) -> Result<Option<usize>> {
        let worker = self.worker.get_or_none();
        counted(worker.invoke(&globals().names.write, [data]))
    }

    /// The same with bytes that the caller keeps in place.
    pub fn write_memory(&self, bytes: Memory<'_>) -> Result<Option<usize>> {
        self.lend(bytes, |data| self.write(data))
    }

    /// Takes all out of the outgoing BIO. Usually this is the last copy: the object is given to the
    /// transport below, whose `send(2)` reads from it.
    #[inline]
    pub fn take_outgoing(&self) -> Result<Object> {
        let outgoing = self.outgoing.get_or_none();
        outgoing.invoke(&globals().names.read, [])
    }

    /// How many bytes wait in the outgoing BIO. It is the BIO's attribute `pending`.
    #[inline]
    pub fn outgoing_pending(&self) -> Result<usize> {
        pending(&self.outgoing.get_or_none())
    }

    /// How many bytes wait in the incoming BIO. The answer is remembered as
    /// [`is_drained`](Self::is_drained).
    #[inline]
    pub fn incoming_pending(&self) -> Result<usize> {
        let waiting = pending(&self.incoming.get_or_none())?;
        self.drained.set(waiting == 0);
        Ok(waiting)
    }

    /// About how many that are, most often without asking. After one feed into an empty BIO it is
    /// the number of bytes fed. The estimate is used up by that, since a read changes the number.
    #[inline]
    pub fn incoming_estimate(&self) -> Result<usize> {
        match self.fed.take() {
            Some(waiting) => Ok(waiting),
            None => self.incoming_pending(),
        }
    }

    /// Whether the incoming BIO was empty when it was last looked at, and was fed nothing since.
    #[inline]
    pub fn is_drained(&self) -> bool {
        self.drained.get()
    }

    /// `getattr(ssl_object, name)()`: `None` if something is missing. For `do_handshake` and
    /// `unwrap`, which are of the object itself and not of the native one, since programs replace
    /// them.
    pub fn ask(&self, name: &Object) -> Result<Option<Object>> {
        let object = self.object.get_or_none();
        unless_again(object.invoke(name, []))
    }
}

/// `bio.pending` as a number of bytes.
#[inline]
fn pending(bio: &Object) -> Result<usize> {
    bio.attribute(&globals().names.pending)?.count()
}

/// `None` in place of the exception that says that bytes of the peer's are missing.
#[inline]
fn unless_again(answer: Result<Object>) -> Result<Option<Object>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(raised) => {
            if !library()?.is_again() {
                return Err(raised);
            }
            drop(fetch(raised));
            Ok(None)
        }
    }
}

/// The same of an answer that is a count.
#[inline]
fn counted(answer: Result<Object>) -> Result<Option<usize>> {
    unless_again(answer)?.map(|count| count.count()).transpose()
}

/// Whether the exception that is set is an `Exception`, which ends a connection and not the
/// program. asyncio catches no other `BaseException` here, so `KeyboardInterrupt`, `SystemExit` and
/// a cancellation pass.
pub fn is_ordinary() -> bool {
    matches(ExceptionClass::Exception)
}

/// Shows the objects that an engine holds to the garbage collector.
pub fn visit(engine: &Engine, visitor: &Visitor) -> Visited {
    visit_slots(visitor, engine.slots())
}
