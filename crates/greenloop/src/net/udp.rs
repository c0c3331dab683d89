//! UDP.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};

use super::registered::Registered;
use crate::runtime::Readiness;

/// Sends and receives datagrams, each whole or not at all.
///
/// ```
/// use greenloop::net::UdpSocket;
///
/// greenloop::run(async {
///     let near = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
///     let far = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
///     near.send_to(b"hello", far.local_addr()?).await?;
///     let mut buffer = [0; 100];
///     let (length, from) = far.recv_from(&mut buffer).await?;
///     assert_eq!((&buffer[..length], from), (&b"hello"[..], near.local_addr()?));
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct UdpSocket {
    socket: Registered<net::UdpSocket>,
}

impl UdpSocket {
    /// A socket at an address; port 0 asks the system for a free one.
    ///
    /// # Errors
    /// Those of `bind(2)`.
    ///
    /// # Panics
    /// Outside of [`run`](crate::run).
    ///
    /// ```
    /// greenloop::run(async {
    ///     assert!(greenloop::net::UdpSocket::bind("127.0.0.1:0".parse().unwrap()).is_ok());
    /// });
    /// ```
    #[track_caller]
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let socket = Registered::new(socket)?;
        Ok(Self { socket })
    }

    /// Has [`send`](Self::send) send to `address`, and receives from there only.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    ///
    /// ```
    /// # use greenloop::net::UdpSocket;
    /// # greenloop::run(async {
    /// let near = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let far = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// near.connect(far.local_addr()?)?;
    /// near.send(b"x").await?;
    /// assert_eq!(far.recv(&mut [0; 10]).await?, 1);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn connect(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.socket().connect(address)
    }

    /// Sends a datagram to `address`, and returns its length in bytes. Waits while the system has
    /// no room for it.
    ///
    /// *Cancel safety:* a datagram is sent when the future is ready, or not at all.
    ///
    /// # Errors
    /// Those of `sendto(2)`, such as `EMSGSIZE` for one that is too long.
    ///
    /// ```
    /// # use greenloop::net::UdpSocket;
    /// # greenloop::run(async {
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let itself = socket.local_addr()?;
    /// assert_eq!(socket.send_to(b"x", itself).await?, 1);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn send_to(&self, bytes: &[u8], address: SocketAddr) -> io::Result<usize> {
        let sent = self
            .socket
            .when(Readiness::Writing, |socket| socket.send_to(bytes, address));
        let sent = sent.await;
        self.socket.note_sent();
        sent
    }

    /// Waits for a datagram, and returns its length in `buffer` and its sender. The rest of one
    /// that is longer than `buffer` is lost.
    ///
    /// *Cancel safety:* a datagram that was not returned stays in the socket.
    ///
    /// # Errors
    /// Those of `recvfrom(2)`.
    ///
    /// ```
    /// # use greenloop::net::UdpSocket;
    /// # greenloop::run(async {
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// let itself = socket.local_addr()?;
    /// socket.send_to(b"x", itself).await?;
    /// assert_eq!(socket.recv_from(&mut [0; 10]).await?, (1, itself));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self
            .socket
            .when(Readiness::Reading, |socket| socket.recv_from(buffer));
        received.await
    }

    /// As [`send_to`](Self::send_to), to the address of [`connect`](Self::connect).
    ///
    /// *Cancel safety:* a datagram is sent when the future is ready, or not at all.
    ///
    /// # Errors
    /// Those of `send(2)`; also `ConnectionRefused` if an earlier datagram had no receiver.
    ///
    /// ```
    /// # use greenloop::net::UdpSocket;
    /// # greenloop::run(async {
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert!(socket.send(b"x").await.is_err(), "it is not connected");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self
            .socket
            .when(Readiness::Writing, |socket| socket.send(bytes))
            .await;
        self.socket.note_sent();
        sent
    }

    /// As [`recv_from`](Self::recv_from), without the sender.
    ///
    /// *Cancel safety:* a datagram that was not returned stays in the socket.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    ///
    /// ```
    /// # use greenloop::net::UdpSocket;
    /// # greenloop::run(async {
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// socket.send_to(b"x", socket.local_addr()?).await?;
    /// assert_eq!(socket.recv(&mut [0; 10]).await?, 1);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self
            .socket
            .when(Readiness::Reading, |socket| socket.recv(buffer));
        received.await
    }

    /// The address at this end.
    ///
    /// # Errors
    /// Those of `getsockname(2)`.
    ///
    /// ```
    /// # use greenloop::net::UdpSocket;
    /// # greenloop::run(async {
    /// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(socket.local_addr()?.port(), 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.socket().local_addr()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(formatter)
    }
}
