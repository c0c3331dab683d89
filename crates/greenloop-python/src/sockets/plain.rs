//! The sockets that native code may use by their descriptors: those of exactly the standard class,
//! in non-blocking mode.
//!
//! A socket's state is read each time, because it may be closed or change its mode at any time. The
//! edge knows how a socket is laid out; where that is not known, every socket is used through its
//! methods.

use std::ffi::c_int;
use std::os::fd::RawFd;

use greenloop_cpython::{Object, Socket, SocketObject};

/// The present state of a plain socket.
#[derive(Clone, Copy)]
pub struct Plain {
    /// -1 once it is closed or detached, which every system call refuses.
    pub descriptor: RawFd,
    /// The family, as `socket(2)` takes it.
    pub family: c_int,
    /// The kind, without flags.
    pub kind: c_int,
    /// The protocol.
    pub protocol: c_int,
}

/// A socket of exactly the standard class that does not block.
///
/// `None` for everything else, a subclass of `socket.socket` or an `ssl.SSLSocket` for instance,
/// and for a socket with a timeout. A few loads from the object, and no call.
#[inline]
pub fn plain(socket: &Object) -> Option<Plain> {
    let fields = Socket::exactly(socket)?.get();
    (!fields.blocks()).then(|| Plain::of(fields))
}

impl Plain {
    /// The present state of a socket that was plain when a wait for it began.
    ///
    /// A socket whose mode was changed meanwhile is taken as it is. An object that is no socket at
    /// all has -1 everywhere, which every system call refuses.
    pub fn now(socket: &Object) -> Self {
        Socket::instance(socket).map_or(
            Self {
                descriptor: -1,
                family: -1,
                kind: -1,
                protocol: -1,
            },
            |socket| Self::of(socket.get()),
        )
    }

    /// The numbers are in the object itself, since CPython keeps them beside the descriptor.
    #[inline]
    fn of(fields: &SocketObject) -> Self {
        let [family, kind, protocol] = fields.numbers();
        Self {
            descriptor: fields.descriptor(),
            family,
            kind,
            protocol,
        }
    }
}
