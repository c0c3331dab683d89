//! Non-blocking connects.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use greenloop_os::socket::take_error;
use socket2::{Domain, SockAddr, Socket, Type};

use super::registered::Registered;
use crate::runtime::Readiness;

/// Connects a new stream socket to `address`.
pub async fn connect(domain: Domain, address: &SockAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(address) {
        Ok(()) => return Ok(socket.into()),
        // `EINTR` means that it goes on as well (`connect(2)`).
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    // Registered for the wait only: the stream that it becomes registers it for good.
    let connecting = Registered::new(socket)?;
    let mut is_under_way = true;
    connecting
        .when(Readiness::Writing, |socket| {
            if std::mem::take(&mut is_under_way) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            take_error(socket.as_raw_fd())?.map_or(Ok(()), Err)
        })
        .await?;
    Ok(connecting.into_socket().into())
}

fn is_in_progress(error: &io::Error) -> bool {
    greenloop_os::socket::is_connecting(error) || error.kind() == io::ErrorKind::Interrupted
}
