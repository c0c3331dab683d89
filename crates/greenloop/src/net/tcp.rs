//! TCP.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::AsRawFd as _;

use greenloop_os::listener::accept;
use greenloop_os::socket::set_no_delay;
use socket2::Domain;

use super::address::{internet, lookup};
use super::connecting::connect;
use super::halves::{OwnedReadHalf, OwnedWriteHalf, split};
use super::registered::{Registered, impl_read, impl_write};
use crate::runtime::Readiness;

/// Accepts TCP connections. Dropping it ends listening; accepted connections stay open.
///
/// ```
/// use futures::{AsyncReadExt as _, AsyncWriteExt as _};
/// use greenloop::net::{TcpListener, TcpStream};
///
/// greenloop::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (mut server, peer) = listener.accept().await?;
///     assert_eq!(peer, client.local_addr()?);
///     client.write_all(b"hello").await?;
///     let mut received = [0; 5];
///     server.read_exact(&mut received).await?;
///     assert_eq!(&received, b"hello");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct TcpListener {
    listener: Registered<net::TcpListener>,
}

impl TcpListener {
    /// Listens at an address; port 0 asks the system for a free one.
    ///
    /// # Errors
    /// If the address is in use, or none of this machine (`bind(2)`).
    ///
    /// # Panics
    /// Outside of [`run`](crate::run).
    ///
    /// ```
    /// greenloop::run(async {
    ///     let listener = greenloop::net::TcpListener::bind("127.0.0.1:0".parse().unwrap());
    ///     assert!(listener.is_ok());
    /// });
    /// ```
    #[track_caller]
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = Registered::new(listener)?;
        Ok(Self { listener })
    }

    /// Waits for a connection, and returns it with the address of the peer.
    ///
    /// *Cancel safety:* a connection that was not returned stays in the queue of the listener.
    ///
    /// # Errors
    /// If the process or the system has no descriptor left (`accept(2)`); one may try again later.
    ///
    /// ```
    /// # use greenloop::net::{TcpListener, TcpStream};
    /// # greenloop::run(async {
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    /// assert_eq!(server.peer_addr()?, client.local_addr()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let taken = self.listener.when(Readiness::Reading, |listener| {
            match accept(listener.as_raw_fd()) {
                // Gone before it was accepted: try the next one at once.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
                    Err(io::ErrorKind::Interrupted.into())
                }
                outcome => outcome,
            }
        });
        let (descriptor, peer) = taken.await?;
        let stream = TcpStream::new(net::TcpStream::from(descriptor))?;
        Ok((stream, internet(&peer)?))
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    ///
    /// ```
    /// # greenloop::run(async {
    /// let listener = greenloop::net::TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.socket().local_addr()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listener.fmt(formatter)
    }
}

/// A TCP connection. Small packets are sent at once (`TCP_NODELAY`), as by asyncio.
///
/// It is read and written by the traits of `futures::io`, which give the errors of `recv(2)` and
/// `send(2)`. Dropping it closes the connection.
///
/// ```
/// use std::time::Duration;
/// use futures::AsyncReadExt as _;
/// use greenloop::net::{TcpListener, TcpStream};
///
/// greenloop::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
///     let mut stream = TcpStream::connect(listener.local_addr()?).await?;
///     let mut byte = [0];
///     let read = stream.read(&mut byte);
///     assert!(greenloop::timeout(Duration::from_millis(1), read).await.is_err());
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct TcpStream {
    stream: Registered<net::TcpStream>,
}

impl TcpStream {
    fn new(stream: net::TcpStream) -> io::Result<Self> {
        set_no_delay(stream.as_raw_fd())?;
        let stream = Registered::new(stream)?;
        Ok(Self { stream })
    }

    /// Connects to an address.
    ///
    /// *Cancel safety:* dropping the future ends the attempt.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    ///
    /// # Panics
    /// When it is awaited outside [`run`](crate::run).
    ///
    /// ```
    /// use greenloop::net::{TcpListener, TcpStream};
    ///
    /// greenloop::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let address = listener.local_addr()?;
    ///     let stream = TcpStream::connect(address).await?;
    ///     assert_eq!(stream.peer_addr()?, address);
    ///     drop(listener);
    ///     assert!(TcpStream::connect(address).await.is_err());
    ///     std::io::Result::Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let connected = connect(Domain::for_address(address), &address.into()).await?;
        Self::new(net::TcpStream::from(connected))
    }

    /// Connects to the first address of a host that can be connected to.
    ///
    /// *Cancel safety:* as [`connect`](Self::connect).
    ///
    /// # Errors
    /// That of looking up the name, or of the last address.
    ///
    /// ```
    /// use greenloop::net::{TcpListener, TcpStream};
    ///
    /// greenloop::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    ///     let port = listener.local_addr()?.port();
    ///     assert!(TcpStream::connect_host("127.0.0.1", port).await.is_ok());
    ///     std::io::Result::Ok(())
    /// })
    /// # .unwrap();
    /// ```
    pub async fn connect_host(host: &str, port: u16) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in lookup(host, port).await? {
            match Self::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The two directions, each with its own owner.
    ///
    /// ```
    /// # use futures::{AsyncReadExt as _, AsyncWriteExt as _};
    /// # use greenloop::net::{TcpListener, TcpStream};
    /// # greenloop::run(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut server, _) = listener.accept().await?;
    /// let (mut reads, mut writes) = client.into_split();
    /// writes.write_all(b"x").await?;
    /// # server.read_exact(&mut [0]).await?;
    /// # server.write_all(b"y").await?;
    /// reads.read_exact(&mut [0]).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn into_split(
        self,
    ) -> (
        OwnedReadHalf<net::TcpStream>,
        OwnedWriteHalf<net::TcpStream>,
    ) {
        split(self.stream)
    }

    /// The address at this end.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    ///
    /// ```
    /// # use greenloop::net::{TcpListener, TcpStream};
    /// # greenloop::run(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert!(stream.local_addr()?.ip().is_loopback());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.socket().local_addr()
    }

    /// The address at the other end.
    ///
    /// # Errors
    /// Those of `getpeername(2)`.
    ///
    /// ```
    /// # use greenloop::net::{TcpListener, TcpStream};
    /// # greenloop::run(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.socket().peer_addr()
    }
}

impl_read!(TcpStream);
impl_write!(TcpStream);

impl fmt::Debug for TcpStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(formatter)
    }
}
