//! A socket that its loop watches.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::runtime::{EventLoop, Readiness, Watch, current};

/// A socket of the standard library, non-blocking and registered with the running loop.
pub struct Registered<S> {
    /// Ends before the descriptor is closed and its number reused: fields are dropped in this
    /// order.
    registration: Registration,
    socket: S,
}

/// That the loop watches a socket.
struct Registration {
    watch: Rc<Watch>,
    event_loop: Rc<EventLoop>,
}

impl<S: AsFd> Registered<S> {
    /// Registers a socket, which is non-blocking.
    ///
    /// # Panics
    /// Outside of a running loop.
    #[track_caller]
    pub fn new(socket: S) -> io::Result<Self> {
        let event_loop = current::expect();
        let watch = event_loop.reactor().add(socket.as_fd())?;
        Ok(Self {
            registration: Registration { watch, event_loop },
            socket,
        })
    }
}

impl<S> Registered<S> {
    pub const fn socket(&self) -> &S {
        &self.socket
    }

    /// The socket, which is watched no longer.
    pub fn into_socket(self) -> S {
        self.socket
    }

    /// Tries `operation` until it would not block, but not too often in one turn.
    pub fn poll_with<R>(
        &self,
        readiness: Readiness,
        context: &Context<'_>,
        operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let Registration { watch, event_loop } = &self.registration;
        event_loop
            .reactor()
            .poll_with(watch, readiness, context, operation)
    }

    /// As [`poll_with`](Self::poll_with), as a future.
    pub async fn when<R>(
        &self,
        readiness: Readiness,
        mut operation: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        std::future::poll_fn(|context| {
            self.poll_with(readiness, context, || operation(&self.socket))
        })
        .await
    }

    /// Something was sent, perhaps to a socket of this very loop.
    pub fn note_sent(&self) {
        self.registration.event_loop.expect_input();
    }
}

/// Reading and writing, of the sockets that are streams.
impl<S: Stream> Registered<S>
where
    for<'a> &'a S: Read + Write,
{
    pub fn poll_read(&self, context: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        let outcome = self.poll_with(Readiness::Reading, context, || (&self.socket).read(buffer));
        self.note_read(room, &outcome);
        outcome
    }

    pub fn poll_read_vectored(
        &self,
        context: &Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        let outcome = self.poll_with(Readiness::Reading, context, || {
            (&self.socket).read_vectored(buffers)
        });
        self.note_read(room, &outcome);
        outcome
    }

    /// Notes the outcome of a read of `room` bytes at most.
    #[inline]
    fn note_read(&self, room: usize, outcome: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(received)) = outcome {
            if S::SHORT_READS_EMPTY && (1..room).contains(received) {
                self.registration.watch.note_short_read();
            }
        }
    }

    pub fn poll_write(&self, context: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = self.poll_with(Readiness::Writing, context, || (&self.socket).write(bytes));
        self.note_sent();
        outcome
    }

    pub fn poll_write_vectored(
        &self,
        context: &Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.poll_with(Readiness::Writing, context, || {
            (&self.socket).write_vectored(slices)
        });
        self.note_sent();
        outcome
    }

    /// Ends the writing direction, which the peer sees as the end of the stream. Once is enough: a
    /// peer that is gone has no need of it.
    pub fn close(&self) -> io::Result<()> {
        self.note_sent();
        match self.socket.shut_down(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            outcome => outcome,
        }
    }
}

/// The common methods of the standard library's streams, for which it has no trait.
pub trait Stream {
    /// Whether a read that has returned fewer bytes than it had room for has taken all that there
    /// were.
    const SHORT_READS_EMPTY: bool;

    fn shut_down(&self, how: Shutdown) -> io::Result<()>;
}

impl Stream for std::net::TcpStream {
    const SHORT_READS_EMPTY: bool = true;

    fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

impl Stream for std::os::unix::net::UnixStream {
    /// A read ends behind bytes that came with descriptors (`unix(7)`, `SCM_RIGHTS`), even if more
    /// follow.
    const SHORT_READS_EMPTY: bool = false;

    fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.event_loop.reactor().remove(&self.watch);
    }
}

impl<S: fmt::Debug> fmt::Debug for Registered<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(formatter)
    }
}

/// The traits of `futures::io` for a type that has a [`Registered`] stream in its field `stream`.
macro_rules! impl_read {
    ($([$($generics:tt)*])? $type:ty) => {
        impl$(<$($generics)*>)? futures_io::AsyncRead for $type
        {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.stream.poll_read(context, buffer)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.stream.poll_read_vectored(context, buffers)
            }
        }
    };
}

macro_rules! impl_write {
    ($([$($generics:tt)*])? $type:ty) => {
        impl$(<$($generics)*>)? futures_io::AsyncWrite for $type
        {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.stream.poll_write(context, bytes)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                slices: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.stream.poll_write_vectored(context, slices)
            }

            /// Nothing is buffered here.
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(self.stream.close())
            }
        }
    };
}

pub(super) use {impl_read, impl_write};
