//! The two directions of a stream, each with its own owner.

use std::fmt;
use std::io::{Read, Write};
use std::rc::Rc;

use super::registered::{Registered, Stream, impl_read, impl_write};

/// The direction that is read, of a [`TcpStream`](super::TcpStream) or a
/// [`UnixStream`](super::UnixStream).
///
/// ```
/// use futures::{AsyncReadExt as _, AsyncWriteExt as _};
/// use greenloop::net::UnixStream;
///
/// greenloop::run(async {
///     let (near, mut far) = UnixStream::pair()?;
///     let (mut reads, writes) = near.into_split();
///     far.write_all(b"hello").await?;
///     far.close().await?;
///     let mut text = String::new();
///     reads.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     # drop(writes);
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct OwnedReadHalf<S> {
    stream: Rc<Registered<S>>,
}

/// The direction that is written, of a [`TcpStream`](super::TcpStream) or a
/// [`UnixStream`](super::UnixStream).
///
/// Dropping it ends the direction, which the peer sees as the end of the stream, also while the
/// other half is read on.
///
/// ```
/// use futures::AsyncReadExt as _;
/// use greenloop::net::UnixStream;
///
/// greenloop::run(async {
///     let (near, mut far) = UnixStream::pair()?;
///     let (reads, writes) = near.into_split();
///     drop(writes);
///     assert_eq!(far.read(&mut [0]).await?, 0);
///     # drop(reads);
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct OwnedWriteHalf<S: Stream>
where
    for<'a> &'a S: Read + Write,
{
    stream: Rc<Registered<S>>,
}

/// Takes a stream apart.
pub fn split<S: Stream>(stream: Registered<S>) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>)
where
    for<'a> &'a S: Read + Write,
{
    let stream = Rc::new(stream);
    let reads = OwnedReadHalf {
        stream: Rc::clone(&stream),
    };
    (reads, OwnedWriteHalf { stream })
}

impl<S: Stream> Drop for OwnedWriteHalf<S>
where
    for<'a> &'a S: Read + Write,
{
    fn drop(&mut self) {
        // A connection that is broken is at its end without this.
        let _broken = self.stream.close();
    }
}

impl<S: fmt::Debug> fmt::Debug for OwnedReadHalf<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("OwnedReadHalf")
            .field(&self.stream)
            .finish()
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for OwnedWriteHalf<S>
where
    for<'a> &'a S: Read + Write,
{
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("OwnedWriteHalf")
            .field(&self.stream)
            .finish()
    }
}

impl_read!(OwnedReadHalf<std::net::TcpStream>);
impl_read!(OwnedReadHalf<std::os::unix::net::UnixStream>);
impl_write!(OwnedWriteHalf<std::net::TcpStream>);
impl_write!(OwnedWriteHalf<std::os::unix::net::UnixStream>);
