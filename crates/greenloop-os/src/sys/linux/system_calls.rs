//! The system calls that may keep a thread waiting, by their numbers.

use libc::c_long;

/// A system call that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownCall {
    number: c_long,
    /// The name, without the prefix of its constant.
    pub name: &'static str,
    /// Which of the arguments is the descriptor that it waits for.
    pub descriptor: Option<usize>,
    /// What another argument points to, if that says what it waits for.
    pub pointer: Option<Pointer>,
}

/// What an argument of a system call points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pointer {
    /// The first points to as many structures of `poll(2)` as the second says.
    Polled,
    /// The second, third and fourth point to sets of `select(2)`, whose descriptors are less than
    /// the first. They may be null.
    Sets,
    /// The second points to an address of a socket, of as many bytes as the third says.
    Address,
    /// The one at this position points to a path, which ends with a zero.
    Path(usize),
}

/// `futex_wait(2)` of Linux 6.7, which the C libraries have no constant for; its number is the same
/// on every architecture.
const FUTEX_WAIT: c_long = 455;

/// The system call with this number, if it is a known one.
pub fn system_call(number: c_long) -> Option<KnownCall> {
    let known = |call: &&KnownCall| call.number == number;
    CALLS.iter().chain(OLDER_CALLS).find(known).copied()
}

/// Whether the number is that of a call that waits for a word of memory.
pub fn waits_for_futex(number: c_long) -> bool {
    [libc::SYS_futex, FUTEX_WAIT].contains(&number)
}

/// A call whose arguments do not say what it waits for.
const fn call(number: c_long, name: &'static str) -> KnownCall {
    KnownCall {
        number,
        name,
        descriptor: None,
        pointer: None,
    }
}

/// A call whose first argument is the descriptor that it waits for.
const fn call_on(number: c_long, name: &'static str) -> KnownCall {
    KnownCall {
        descriptor: Some(0),
        ..call(number, name)
    }
}

/// A call that waits for what one of its arguments points to.
const fn call_with(number: c_long, name: &'static str, pointer: Pointer) -> KnownCall {
    KnownCall {
        pointer: Some(pointer),
        ..call(number, name)
    }
}

/// The calls that all architectures have.
static CALLS: &[KnownCall] = &[
    // Transfers.
    call_on(libc::SYS_read, "read"),
    call_on(libc::SYS_write, "write"),
    call_on(libc::SYS_readv, "readv"),
    call_on(libc::SYS_writev, "writev"),
    call_on(libc::SYS_pread64, "pread64"),
    call_on(libc::SYS_pwrite64, "pwrite64"),
    call_on(libc::SYS_preadv, "preadv"),
    call_on(libc::SYS_pwritev, "pwritev"),
    call_on(libc::SYS_preadv2, "preadv2"),
    call_on(libc::SYS_pwritev2, "pwritev2"),
    call_on(libc::SYS_sendfile, "sendfile"),
    call_on(libc::SYS_splice, "splice"),
    call_on(libc::SYS_tee, "tee"),
    call_on(libc::SYS_vmsplice, "vmsplice"),
    call_on(libc::SYS_copy_file_range, "copy_file_range"),
    // Sockets.
    call_on(libc::SYS_recvfrom, "recvfrom"),
    call_on(libc::SYS_recvmsg, "recvmsg"),
    call_on(libc::SYS_recvmmsg, "recvmmsg"),
    call_on(libc::SYS_sendto, "sendto"),
    call_on(libc::SYS_sendmsg, "sendmsg"),
    call_on(libc::SYS_sendmmsg, "sendmmsg"),
    KnownCall {
        pointer: Some(Pointer::Address),
        ..call_on(libc::SYS_connect, "connect")
    },
    call_on(libc::SYS_accept, "accept"),
    call_on(libc::SYS_accept4, "accept4"),
    call_on(libc::SYS_shutdown, "shutdown"),
    // Readiness.
    call_with(libc::SYS_ppoll, "ppoll", Pointer::Polled),
    call_with(libc::SYS_pselect6, "pselect6", Pointer::Sets),
    call_on(libc::SYS_epoll_pwait, "epoll_pwait"),
    call_on(libc::SYS_epoll_pwait2, "epoll_pwait2"),
    call_on(libc::SYS_io_uring_enter, "io_uring_enter"),
    call(libc::SYS_io_getevents, "io_getevents"),
    // Files.
    call_with(libc::SYS_openat, "openat", Pointer::Path(1)),
    call_with(libc::SYS_openat2, "openat2", Pointer::Path(1)),
    call_on(libc::SYS_close, "close"),
    call_on(libc::SYS_flock, "flock"),
    call_on(libc::SYS_fcntl, "fcntl"),
    call_on(libc::SYS_ioctl, "ioctl"),
    call_on(libc::SYS_fsync, "fsync"),
    call_on(libc::SYS_fdatasync, "fdatasync"),
    call_on(libc::SYS_sync_file_range, "sync_file_range"),
    call_on(libc::SYS_syncfs, "syncfs"),
    call(libc::SYS_sync, "sync"),
    call_on(libc::SYS_ftruncate, "ftruncate"),
    call_on(libc::SYS_fallocate, "fallocate"),
    call_on(libc::SYS_getdents64, "getdents64"),
    call_on(libc::SYS_fstat, "fstat"),
    call_with(libc::SYS_newfstatat, "newfstatat", Pointer::Path(1)),
    call_with(libc::SYS_statx, "statx", Pointer::Path(1)),
    call_with(libc::SYS_faccessat, "faccessat", Pointer::Path(1)),
    call_with(libc::SYS_readlinkat, "readlinkat", Pointer::Path(1)),
    call_with(libc::SYS_unlinkat, "unlinkat", Pointer::Path(1)),
    call_with(libc::SYS_mkdirat, "mkdirat", Pointer::Path(1)),
    call_with(libc::SYS_renameat2, "renameat2", Pointer::Path(1)),
    // Time, signals and other threads.
    call(libc::SYS_futex, "futex"),
    call(libc::SYS_futex_waitv, "futex_waitv"),
    call(FUTEX_WAIT, "futex_wait"),
    call(libc::SYS_nanosleep, "nanosleep"),
    call(libc::SYS_clock_nanosleep, "clock_nanosleep"),
    call(libc::SYS_restart_syscall, "restart_syscall"),
    call(libc::SYS_rt_sigsuspend, "rt_sigsuspend"),
    call(libc::SYS_rt_sigtimedwait, "rt_sigtimedwait"),
    call(libc::SYS_sched_yield, "sched_yield"),
    call(libc::SYS_membarrier, "membarrier"),
    // Processes.
    call(libc::SYS_wait4, "wait4"),
    call(libc::SYS_waitid, "waitid"),
    call(libc::SYS_clone, "clone"),
    call(libc::SYS_clone3, "clone3"),
    call_with(libc::SYS_execve, "execve", Pointer::Path(0)),
    // Messages between processes.
    call(libc::SYS_msgrcv, "msgrcv"),
    call(libc::SYS_msgsnd, "msgsnd"),
    call(libc::SYS_semop, "semop"),
    call(libc::SYS_semtimedop, "semtimedop"),
    call_on(libc::SYS_mq_timedreceive, "mq_timedreceive"),
    call_on(libc::SYS_mq_timedsend, "mq_timedsend"),
    // Memory.
    call(libc::SYS_mmap, "mmap"),
    call(libc::SYS_munmap, "munmap"),
    call(libc::SYS_mprotect, "mprotect"),
    call(libc::SYS_madvise, "madvise"),
    call(libc::SYS_msync, "msync"),
    call(libc::SYS_mlock, "mlock"),
    call(libc::SYS_brk, "brk"),
    call(libc::SYS_getrandom, "getrandom"),
];

/// The calls that newer architectures have left out.
#[cfg(target_arch = "x86_64")]
static OLDER_CALLS: &[KnownCall] = &[
    call_with(libc::SYS_poll, "poll", Pointer::Polled),
    call_with(libc::SYS_select, "select", Pointer::Sets),
    call_on(libc::SYS_epoll_wait, "epoll_wait"),
    call(libc::SYS_pause, "pause"),
    call_with(libc::SYS_open, "open", Pointer::Path(0)),
    call_with(libc::SYS_creat, "creat", Pointer::Path(0)),
    call_with(libc::SYS_stat, "stat", Pointer::Path(0)),
    call_with(libc::SYS_lstat, "lstat", Pointer::Path(0)),
    call_with(libc::SYS_access, "access", Pointer::Path(0)),
    call_with(libc::SYS_readlink, "readlink", Pointer::Path(0)),
    call_with(libc::SYS_unlink, "unlink", Pointer::Path(0)),
    call_with(libc::SYS_mkdir, "mkdir", Pointer::Path(0)),
    call_with(libc::SYS_rmdir, "rmdir", Pointer::Path(0)),
    call_with(libc::SYS_rename, "rename", Pointer::Path(0)),
    call_on(libc::SYS_getdents, "getdents"),
    call(libc::SYS_fork, "fork"),
    call(libc::SYS_vfork, "vfork"),
];

#[cfg(not(target_arch = "x86_64"))]
static OLDER_CALLS: &[KnownCall] = &[];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_and_no_name_is_there_twice() {
        let all = || CALLS.iter().chain(OLDER_CALLS);
        let numbers: HashSet<_> = all().map(|call| call.number).collect();
        let names: HashSet<_> = all().map(|call| call.name).collect();
        assert_eq!(numbers.len(), all().count());
        assert_eq!(names.len(), all().count());
    }

    #[test]
    fn a_call_is_found_by_its_number() {
        let read = system_call(libc::SYS_read).expect("it is known");
        assert_eq!((read.name, read.descriptor), ("read", Some(0)));
        let sleep = system_call(libc::SYS_clock_nanosleep).expect("it is known");
        assert_eq!((sleep.name, sleep.descriptor), ("clock_nanosleep", None));
        for number in [-1, c_long::MAX, libc::SYS_getpid] {
            assert_eq!(system_call(number), None);
        }
        assert!(waits_for_futex(libc::SYS_futex));
        assert!(!waits_for_futex(libc::SYS_read));
    }
}
