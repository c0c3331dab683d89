//! The limit: what a server costs that does nothing but move the bytes.
//!
//! One thread and level-triggered readiness: a receive and a send for each request, and one wait
//! for all that are ready. An event loop that calls Python cannot be cheaper.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;

use rustix::stdio::stdin;

use crate::address::Address;
use crate::arguments::Arguments;
use crate::rounds;
use crate::stream::{Stream, is_blocked};
use crate::watch::Watch;

const CONTROL: usize = 0;
const LISTENER: usize = 1;
/// Connections are numbered from here on.
const FIRST: usize = 2;

/// Larger than any request, so that one receive takes all there is.
const BUFFER: usize = 256 * 1024;

/// Serves until the standard input ends. Each line there is answered by `done` and the CPU
/// nanoseconds since the last one.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    let mode = Mode::of(arguments.text("mode")?)?;
    let (listener, address) = Listener::bind(arguments.address("listen")?)?;
    let mut watch = Watch::new()?;
    watch.readable(stdin(), CONTROL)?;
    watch.readable(&listener, LISTENER)?;
    rounds::say(format_args!("ready {address}"))?;

    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![b'x'; BUFFER];
    let mut accounted = rounds::cpu_nanoseconds();
    let mut ready = Vec::new();
    loop {
        watch.wait_patiently(&mut ready)?;
        for &number in &ready {
            match number {
                CONTROL => {
                    if io::stdin().lock().read_line(&mut String::new())? == 0 {
                        return listener.unlink();
                    }
                    let now = rounds::cpu_nanoseconds();
                    rounds::say(format_args!("done {}", now - accounted))?;
                    accounted = now;
                }
                LISTENER => listener.serve(&mut connections, &watch, &mut buffer)?,
                _ => {
                    let slot = &mut connections[number - FIRST];
                    let Some(connection) = slot else { continue };
                    if !connection.serve(mode, number, &watch, &mut buffer)? {
                        *slot = None;
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// Sends back what it receives.
    Echo,
    /// Takes transfers and confirms each by a byte; see `bulk`.
    Receive,
    /// Sends as many bytes as it is asked for; see `bulk`.
    Send,
}

impl Mode {
    fn of(text: &str) -> io::Result<Self> {
        match text {
            "echo" => Ok(Self::Echo),
            "receive" => Ok(Self::Receive),
            "send" => Ok(Self::Send),
            other => Err(io::Error::other(format!("unknown mode {other:?}"))),
        }
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, Address),
    Udp(UdpSocket),
}

impl Listener {
    fn bind(address: Address) -> io::Result<(Self, Address)> {
        match address {
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                let bound = Address::Tcp(listener.local_addr()?);
                Ok((Self::Tcp(listener), bound))
            }
            Address::Udp(address) => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                let bound = Address::Udp(socket.local_addr()?);
                Ok((Self::Udp(socket), bound))
            }
            Address::Unix(ref path) => {
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok((Self::Unix(listener, address.clone()), address))
            }
        }
    }

    /// Takes the connections that wait, or the datagram.
    fn serve(
        &self,
        connections: &mut Vec<Option<Connection>>,
        watch: &Watch,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        if let Self::Udp(socket) = self {
            let outcome = socket.recv_from(buffer);
            if is_blocked(&outcome) {
                return Ok(());
            }
            let (received, sender) = outcome?;
            return socket.send_to(&buffer[..received], sender).map(drop);
        }
        loop {
            let outcome = self.accept();
            if is_blocked(&outcome) {
                return Ok(());
            }
            let stream = outcome?;
            stream.set_nonblocking()?;
            let free = connections.iter().position(Option::is_none);
            let index = free.unwrap_or_else(|| {
                connections.push(None);
                connections.len() - 1
            });
            watch.readable(&stream, FIRST + index)?;
            connections[index] = Some(Connection::new(stream));
        }
    }

    fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept()?.0)),
            Self::Udp(_) => Err(io::Error::other("UDP has no connections")),
        }
    }

    fn unlink(&self) -> io::Result<()> {
        match self {
            Self::Unix(_, Address::Unix(path)) => fs::remove_file(path),
            _ => Ok(()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener, _) => listener.as_fd(),
            Self::Udp(socket) => socket.as_fd(),
        }
    }
}

struct Connection {
    stream: Stream,
    /// What could not be sent yet, and the part of it that was.
    unsent: Vec<u8>,
    sent: usize,
    /// Bytes of the transfer that are still to come, or to go.
    missing: u64,
}

impl Connection {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            unsent: Vec::new(),
            sent: 0,
            missing: 0,
        }
    }

    /// Moves what can be moved; false when the client is gone.
    fn serve(
        &mut self,
        mode: Mode,
        number: usize,
        watch: &Watch,
        buffer: &mut [u8],
    ) -> io::Result<bool> {
        let was_waiting = self.is_waiting(mode);
        let is_alive = match mode {
            Mode::Echo => self.echo(buffer),
            Mode::Receive => self.receive(buffer),
            Mode::Send => self.send(buffer),
        }?;
        if is_alive && was_waiting != self.is_waiting(mode) {
            watch.change(&self.stream, number, !was_waiting)?;
        }
        if !is_alive {
            watch.remove(&self.stream)?;
        }
        Ok(is_alive)
    }

    /// Whether it has to be told when it can send.
    fn is_waiting(&self, mode: Mode) -> bool {
        !self.unsent.is_empty() || (mode == Mode::Send && self.missing > 0)
    }

    fn echo(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        if !self.unsent.is_empty() {
            let outcome = self.stream.write(&self.unsent[self.sent..]);
            if !is_blocked(&outcome) {
                self.sent += outcome?;
            }
            if self.sent == self.unsent.len() {
                self.unsent.clear();
                self.sent = 0;
            }
            return Ok(true);
        }
        let Some(received) = self.read(buffer)? else {
            return Ok(true);
        };
        let outcome = self.stream.write(&buffer[..received]);
        let sent = if is_blocked(&outcome) { 0 } else { outcome? };
        self.unsent.extend_from_slice(&buffer[sent..received]);
        Ok(received > 0)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let Some(received) = self.read(buffer)? else {
            return Ok(true);
        };
        let mut bytes = &buffer[..received];
        if self.missing == 0 && received > 0 {
            bytes = self.open_transfer(bytes)?;
        }
        self.missing = self.missing.saturating_sub(bytes.len() as u64);
        if self.missing == 0 && received > 0 {
            self.stream.write_all(b".")?;
        }
        Ok(received > 0)
    }

    fn send(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        if self.missing == 0 {
            let mut length = [0; 16];
            let Some(received) = self.read(&mut length)? else {
                return Ok(true);
            };
            if received == 0 {
                return Ok(false);
            }
            self.open_transfer(&length[..received])?;
        }
        let limit = usize::try_from(self.missing).unwrap_or(usize::MAX);
        let outcome = self.stream.write(&buffer[..limit.min(BUFFER)]);
        if !is_blocked(&outcome) {
            self.missing -= outcome? as u64;
        }
        Ok(true)
    }

    /// Reads the length in front of a transfer, which arrives in one piece, being so short.
    fn open_transfer<'bytes>(&mut self, bytes: &'bytes [u8]) -> io::Result<&'bytes [u8]> {
        let Some((length, rest)) = bytes.split_first_chunk() else {
            return Err(io::Error::other("the length of a transfer came in pieces"));
        };
        self.missing = u64::from_be_bytes(*length);
        Ok(rest)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let outcome = self.stream.read(buffer);
        if is_blocked(&outcome) {
            return Ok(None);
        }
        outcome.map(Some)
    }
}
