//! Unix sockets.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net;
use std::path::Path;

use greenloop_os::listener::accept;
use socket2::{Domain, SockAddr};

use super::connecting::connect;
use super::halves::{OwnedReadHalf, OwnedWriteHalf, split};
use super::registered::{Registered, impl_read, impl_write};
use crate::runtime::Readiness;

/// Accepts connections at a Unix socket. Dropping it ends listening; accepted connections stay
/// open.
///
/// ```
/// use futures::{AsyncReadExt as _, AsyncWriteExt as _};
/// use greenloop::net::{UnixListener, UnixStream};
///
/// # let path = std::env::temp_dir().join(format!("greenloop-doc-{}", std::process::id()));
/// greenloop::run(async {
///     let listener = UnixListener::bind(&path)?;
///     let mut client = UnixStream::connect(&path).await?;
///     # std::fs::remove_file(&path)?;
///     let mut server = listener.accept().await?;
///     client.write_all(b"hello").await?;
///     let mut received = [0; 5];
///     server.read_exact(&mut received).await?;
///     assert_eq!(&received, b"hello");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct UnixListener {
    listener: Registered<net::UnixListener>,
}

impl UnixListener {
    /// Listens at a path, which must not be there yet. The file stays when this is dropped.
    ///
    /// # Errors
    /// Those of `bind(2)`.
    ///
    /// # Panics
    /// Outside of [`run`](crate::run).
    ///
    /// ```
    /// greenloop::run(async {
    ///     let taken = greenloop::net::UnixListener::bind("/dev/null");
    ///     assert!(taken.is_err());
    /// });
    /// ```
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let listener = net::UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        let listener = Registered::new(listener)?;
        Ok(Self { listener })
    }

    /// Waits for a connection. Clients of a Unix socket mostly have no name, so none is returned.
    ///
    /// *Cancel safety:* a connection that was not returned stays in the queue of the listener.
    ///
    /// # Errors
    /// If the process or the system has no descriptor left (`accept(2)`).
    ///
    /// ```
    /// # use greenloop::net::{UnixListener, UnixStream};
    /// # let name = format!("greenloop-doc-accept-{}", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// # greenloop::run(async {
    /// let listener = UnixListener::bind(&path)?;
    /// let client = UnixStream::connect(&path).await?;
    /// # std::fs::remove_file(&path)?;
    /// let server = listener.accept().await?;
    /// # drop((client, server));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn accept(&self) -> io::Result<UnixStream> {
        let taken = self
            .listener
            .when(Readiness::Reading, |listener| accept(listener.as_raw_fd()));
        let (descriptor, _peer) = taken.await?;
        UnixStream::new(net::UnixStream::from(descriptor))
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listener.fmt(formatter)
    }
}

/// A connection over a Unix socket, read and written by the traits of `futures::io`. Dropping it
/// closes the connection.
///
/// ```
/// use futures::{AsyncReadExt as _, AsyncWriteExt as _};
/// use greenloop::net::UnixStream;
///
/// greenloop::run(async {
///     let (mut near, mut far) = UnixStream::pair()?;
///     near.write_all(b"hello").await?;
///     drop(near);
///     let mut text = String::new();
///     far.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct UnixStream {
    stream: Registered<net::UnixStream>,
}

impl UnixStream {
    pub(crate) fn new(stream: net::UnixStream) -> io::Result<Self> {
        let stream = Registered::new(stream)?;
        Ok(Self { stream })
    }

    /// Connects to a path.
    ///
    /// *Cancel safety:* dropping the future ends the attempt.
    ///
    /// # Errors
    /// Those of `connect(2)`; also `WouldBlock` if too many wait to be accepted there, which cannot
    /// be waited for.
    ///
    /// # Panics
    /// When it is awaited outside [`run`](crate::run).
    ///
    /// ```
    /// greenloop::run(async {
    ///     assert!(greenloop::net::UnixStream::connect("/dev/null").await.is_err());
    /// });
    /// ```
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let address = SockAddr::unix(path)?;
        let connected = connect(Domain::UNIX, &address).await?;
        Self::new(net::UnixStream::from(connected))
    }

    /// Two ends of one connection.
    ///
    /// # Errors
    /// If the process or the system has no descriptor left.
    ///
    /// # Panics
    /// Outside of [`run`](crate::run).
    ///
    /// ```
    /// use futures::{AsyncReadExt as _, AsyncWriteExt as _};
    ///
    /// greenloop::run(async {
    ///     let (mut near, mut far) = greenloop::net::UnixStream::pair()?;
    ///     near.write_all(b"x").await?;
    ///     far.read_exact(&mut [0]).await
    /// })
    /// # .unwrap();
    /// ```
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (near, far) = net::UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok((Self::new(near)?, Self::new(far)?))
    }

    /// The two directions, each with its own owner.
    ///
    /// ```
    /// # greenloop::run(async {
    /// let (near, far) = greenloop::net::UnixStream::pair()?;
    /// let (reads, writes) = near.into_split();
    /// # drop((reads, writes, far));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn into_split(
        self,
    ) -> (
        OwnedReadHalf<net::UnixStream>,
        OwnedWriteHalf<net::UnixStream>,
    ) {
        split(self.stream)
    }
}

impl_read!(UnixStream);
impl_write!(UnixStream);

impl fmt::Debug for UnixStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(formatter)
    }
}
