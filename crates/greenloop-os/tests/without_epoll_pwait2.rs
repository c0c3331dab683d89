//! Where a sandbox forbids `epoll_pwait2`, waits are longer and still never early.
//!
//! A file of its own, because the poller remembers for the life of the process that the call is
//! not to be had. So each error with which it may be forbidden is tried in a process of its own.

#![cfg(target_os = "linux")]

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::ptr;
use std::time::{Duration, Instant};

use greenloop_core::Interest;
use greenloop_os::{Events, Poller};

/// Says to this program, when it has started itself again, with which error the call is to be
/// forbidden.
const ERROR: &str = "GREENLOOP_TEST_EPOLL_PWAIT2_ERROR";

/// Makes `epoll_pwait2` fail with `error` in this thread, as a sandbox does (`seccomp(2)`).
fn forbid_epoll_pwait2(error: u32) -> io::Result<()> {
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
            libc::SECCOMP_RET_ERRNO | error,
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
fn waits_are_rounded_up_to_milliseconds() -> Result<(), Box<dyn std::error::Error>> {
    if let Ok(error) = std::env::var(ERROR) {
        return Ok(wait_without_epoll_pwait2(error.parse()?)?);
    }
    for error in [
        libc::ENOSYS,
        libc::EPERM,
        libc::EACCES,
        libc::EOPNOTSUPP,
        libc::EINVAL,
        libc::EBADF,
        libc::ENOENT,
    ] {
        let output = Command::new(std::env::current_exe()?)
            .env(ERROR, error.to_string())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "error {error}: {said}");
    }
    Ok(())
}

fn wait_without_epoll_pwait2(error: u16) -> io::Result<()> {
    forbid_epoll_pwait2(error.into())?;
    assert_eq!(error_of_epoll_pwait2(), Some(error.into()));

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
