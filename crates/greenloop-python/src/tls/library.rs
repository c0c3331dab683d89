//! The objects that are looked up once in the modules `ssl` and `asyncio.sslproto`, when TLS is
//! first used: some builds of Python have no `ssl`.
//!
//! What a release of asyncio does is read off its code and not off its version, since fixes were
//! ported back to older releases.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{GilOnce, Object, Result, attached, matches};
use pyo3::prelude::*;

use crate::asyncio::globals;

/// Classes and functions of the standard library.
pub struct Library {
    /// `_ssl.MemoryBIO`, the native class.
    pub memory_bio: Object,
    /// `ssl.SSLObject`, whose methods only call those of its `_sslobj`.
    pub ssl_object: Object,
    /// `_ssl._SSLSocket`, the native class of an `_sslobj`.
    pub native_object: Object,
    /// `SSLObject.read` and `SSLObject.write` as they were.
    ///
    /// They are compared when a connection is made: a program that has replaced one is called by
    /// name.
    read: Object,
    write: Object,
    /// `ssl.SSLError`, which ends a handshake or a shutdown.
    pub ssl_error: Object,
    /// `ssl.SSLWantReadError`: the ssl object needs more of the peer's bytes.
    want_read: Object,
    /// `ssl.SSLSyscallError`, which asyncio treats as the same.
    syscall_error: Object,
    /// `ssl.CertificateError`, for which the message about a failed handshake is another one.
    pub certificate_error: Object,
    /// `sslproto.SSLProtocolState`
    pub states: Object,
    /// `sslproto.AppProtocolState`
    pub application_states: Object,
}

static LIBRARY: GilOnce<Library> = GilOnce::new();

/// The objects that were looked up. The error that there is no `ssl` module is raised each time. A
/// pointer is loaded and compared; the look-up is done once for each process.
///
/// # Errors
/// `ImportError` without an `ssl` module.
#[inline]
pub fn library() -> Result<&'static Library> {
    match LIBRARY.get() {
        Some(library) => Ok(library),
        None => look_up(),
    }
}

/// If an import runs other code that looks up as well, both results are equal.
#[cold]
fn look_up() -> Result<&'static Library> {
    let library = Library::new(attached())?;
    Ok(LIBRARY.keep(library))
}

impl Library {
    /// Looks up the parts of the ssl module.
    ///
    /// # Errors
    /// `ImportError`, or `AttributeError` for a name that the release lacks.
    fn new(py: Python<'_>) -> PyResult<Self> {
        let (native, ssl) = (making::import(py, c"_ssl")?, making::import(py, c"ssl")?);
        let sslproto = making::import(py, c"asyncio.sslproto")?;
        let ssl_object = ssl.look_up(c"SSLObject")?;
        Ok(Self {
            memory_bio: native.look_up(c"MemoryBIO")?.into(),
            native_object: native.look_up(c"_SSLSocket")?.into(),
            read: ssl_object.look_up(c"read")?.into(),
            write: ssl_object.look_up(c"write")?.into(),
            ssl_object: ssl_object.into(),
            ssl_error: ssl.look_up(c"SSLError")?.into(),
            want_read: ssl.look_up(c"SSLWantReadError")?.into(),
            syscall_error: ssl.look_up(c"SSLSyscallError")?.into(),
            certificate_error: ssl.look_up(c"CertificateError")?.into(),
            states: sslproto.look_up(c"SSLProtocolState")?.into(),
            application_states: sslproto.look_up(c"AppProtocolState")?.into(),
        })
    }

    /// Whether none of the bypassed methods was replaced. Of `SSLObject`, that is: it is asked once
    /// for each connection.
    pub fn methods_are_original(&self) -> Result<bool> {
        let names = &globals().names;
        let same = |name, method: &Object| -> Result<bool> {
            Ok(self.ssl_object.attribute(name)?.same_as(method))
        };
        Ok(same(&names.read, &self.read)? && same(&names.write, &self.write)?)
    }

    /// Whether the exception that is set says no more than that bytes of the peer's are missing.
    /// asyncio's `SSLAgainErrors` are the same two.
    pub fn is_again(&self) -> bool {
        matches(&self.want_read) || matches(&self.syscall_error)
    }
}

/// A constant of `asyncio.constants`, read at each use: programs change some.
///
/// # Errors
/// `AttributeError` for a name that is not there.
pub fn constant(name: &str) -> Result<Object> {
    let py = attached();
    Ok(making::import(py, c"asyncio.constants")?
        .look_up(name)?
        .into())
}
