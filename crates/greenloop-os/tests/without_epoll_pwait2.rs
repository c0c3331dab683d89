//! Where a sandbox forbids `epoll_pwait2`, waits are longer and still never early.
//!
//! A file of its own, because the poller remembers for the life of the process that the call is
//! not to be had.

#![cfg(target_os = "linux")]

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::{Duration, Instant};

use greenloop_os::{Events, Interest, Poller};

/// Makes `epoll_pwait2` fail with `EPERM` in this thread, as a sandbox does (`seccomp(2)`).
fn forbid_epoll_pwait2() -> io::Result<()> {
    let instruction = |code: u32, jump_if_equal: u8, jump_else: u8, k: u32| libc::sock_filter {
        code: code
            .try_into()
            .expect("the codes of instructions are 16 bits wide"),
        jt: jump_if_equal,
        jf: jump_else,
        k,
    };
    let number: u32 = libc::SYS_epoll_pwait2
        .try_into()
        .expect("it is a small number");
    // The number of the call is the first field of what a filter sees.
    let mut instructions = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, number),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: 4,
        filter: instructions.as_mut_ptr(),
    };
    // SAFETY: the first call takes numbers only. The second reads the filter and its four
    // instructions, which outlive it.
    let outcomes = unsafe {
        [
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64),
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const filter,
            ),
        ]
    };
    if outcomes == [0, 0] {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The error of `epoll_pwait2` when called with no valid argument.
fn error_of_epoll_pwait2() -> Option<i32> {
    // SAFETY: a wrong descriptor is an error before any memory is looked at.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            -1,
            ptr::null_mut::<libc::epoll_event>(),
            1,
            ptr::null::<libc::timespec>(),
            ptr::null::<libc::sigset_t>(),
            0,
        )
    };
    assert_eq!(outcome, -1);
    io::Error::last_os_error().raw_os_error()
}

#[test]
fn waits_are_rounded_up_to_milliseconds() -> io::Result<()> {
    forbid_epoll_pwait2()?;
    assert_eq!(error_of_epoll_pwait2(), Some(libc::EPERM));

    let poller = Poller::new()?;
    let (here, mut there) = UnixStream::pair()?;
    poller.add(
        here.as_fd().as_raw_fd(),
        Interest {
            read: true,
            write: false,
        },
    )?;
    let mut events = Events::with_capacity(1);
    for microseconds in [1, 300, 999, 1001] {
        let timeout = Duration::from_micros(microseconds);
        let start = Instant::now();
        poller.wait(&mut events, Some(timeout))?;
        let elapsed = start.elapsed();
        assert!(elapsed >= timeout, "{elapsed:?} instead of {timeout:?}");
        assert!(events.is_empty());
    }
    there.write_all(b"a")?;
    poller.wait(&mut events, Some(Duration::from_micros(300)))?;
    assert_eq!(events.len(), 1);
    Ok(())
}
