//! A process without descriptors gets an error and no panic.
//!
//! A file of its own, because the limit it lowers is that of the whole process.

use std::io;

use greenloop_os::{Poller, Waker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn no_descriptor_left_is_an_error() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(0),
        ..limit
    };
    setrlimit(Resource::Nofile, none)?;
    let (poller, waker) = (Poller::new(), Waker::new());
    setrlimit(Resource::Nofile, limit)?;

    let code = |error: io::Error| error.raw_os_error();
    assert_eq!(poller.map_err(code).err(), Some(Some(libc::EMFILE)));
    assert_eq!(waker.map_err(code).err(), Some(Some(libc::EMFILE)));
    Poller::new()?;
    Waker::new()?;
    Ok(())
}
