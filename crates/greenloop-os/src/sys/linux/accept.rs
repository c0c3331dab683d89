//! `accept4(2)`: a connection with its flags set, in one call.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use crate::address::Address;

/// The flag that makes a socket non-blocking when it is added to its kind (`socket(2)`).
pub const NON_BLOCKING: libc::c_int = libc::SOCK_NONBLOCK;

/// Takes the next connection: its descriptor, which is non-blocking and not inherited, and the
/// address of the peer.
pub fn accept(listener: RawFd) -> io::Result<(OwnedFd, Address)> {
    let mut address = Address::room();
    // SAFETY: the storage is valid for writes of the length that is given. The descriptor is new
    // and nobody else's.
    unsafe {
        let descriptor = libc::accept4(
            listener,
            (&raw mut address.storage).cast(),
            &raw mut address.len,
            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
        );
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(descriptor), address))
    }
}
