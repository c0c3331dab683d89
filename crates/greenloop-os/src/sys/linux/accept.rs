//! `accept4(2)`: a connection with its flags set, in one call.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use libc::{sockaddr_storage, socklen_t};

/// What makes a socket non-blocking when it is added to its kind (`socket(2)`).
pub const NON_BLOCKING: libc::c_int = libc::SOCK_NONBLOCK;

/// The size of an address, as the call takes it.
const SIZE_OF_ADDRESS: socklen_t = 128;
const _: () = assert!(size_of::<sockaddr_storage>() == SIZE_OF_ADDRESS as usize);

/// Takes the next connection: its descriptor, which is non-blocking and not inherited, the address of
/// the peer and how many bytes of that are meant.
pub fn accept(listener: RawFd) -> io::Result<(OwnedFd, sockaddr_storage, usize)> {
    let mut address = MaybeUninit::<sockaddr_storage>::zeroed();
    let mut length = SIZE_OF_ADDRESS;
    // SAFETY: the address is valid for writes of the length that is given. All zeroes is an address, so
    // it is one whatever the call has written. The descriptor is new and nobody else's.
    unsafe {
        let descriptor = libc::accept4(
            listener,
            address.as_mut_ptr().cast(),
            &raw mut length,
            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
        );
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        let length = length.min(SIZE_OF_ADDRESS) as usize;
        Ok((
            OwnedFd::from_raw_fd(descriptor),
            address.assume_init(),
            length,
        ))
    }
}
