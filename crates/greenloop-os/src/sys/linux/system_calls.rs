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

/// A call that waits for something else than a descriptor.
const fn call(number: c_long, name: &'static str) -> KnownCall {
    KnownCall {
        number,
        name,
        descriptor: None,
    }
}

/// A call whose first argument is the descriptor that it waits for.
const fn call_on(number: c_long, name: &'static str) -> KnownCall {
    KnownCall {
        number,
        name,
        descriptor: Some(0),
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
    call_on(libc::SYS_connect, "connect"),
    call_on(libc::SYS_accept, "accept"),
    call_on(libc::SYS_accept4, "accept4"),
    call_on(libc::SYS_shutdown, "shutdown"),
    // Readiness.
    call(libc::SYS_ppoll, "ppoll"),
    call(libc::SYS_pselect6, "pselect6"),
    call_on(libc::SYS_epoll_pwait, "epoll_pwait"),
    call_on(libc::SYS_epoll_pwait2, "epoll_pwait2"),
    call_on(libc::SYS_io_uring_enter, "io_uring_enter"),
    call(libc::SYS_io_getevents, "io_getevents"),
    // Files.
    call(libc::SYS_openat, "openat"),
    call(libc::SYS_openat2, "openat2"),
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
    call(libc::SYS_newfstatat, "newfstatat"),
    call(libc::SYS_statx, "statx"),
    call(libc::SYS_faccessat, "faccessat"),
    call(libc::SYS_readlinkat, "readlinkat"),
    call(libc::SYS_unlinkat, "unlinkat"),
    call(libc::SYS_mkdirat, "mkdirat"),
    call(libc::SYS_renameat2, "renameat2"),
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
    call(libc::SYS_execve, "execve"),
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
    call(libc::SYS_poll, "poll"),
    call(libc::SYS_select, "select"),
    call_on(libc::SYS_epoll_wait, "epoll_wait"),
    call(libc::SYS_pause, "pause"),
    call(libc::SYS_open, "open"),
    call(libc::SYS_creat, "creat"),
    call(libc::SYS_stat, "stat"),
    call(libc::SYS_lstat, "lstat"),
    call(libc::SYS_access, "access"),
    call(libc::SYS_readlink, "readlink"),
    call(libc::SYS_unlink, "unlink"),
    call(libc::SYS_mkdir, "mkdir"),
    call(libc::SYS_rmdir, "rmdir"),
    call(libc::SYS_rename, "rename"),
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
