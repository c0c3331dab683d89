//! epoll, with timeouts in nanoseconds.
//!
//! `epoll_wait` counts in milliseconds, so `sleep(0.0003)` would take three times too long (or,
//! rounded the other way, no time at all, which is a loop that spins). `epoll_pwait2` counts in
//! nanoseconds, since Linux 5.11 (`epoll_wait(2)`). Older kernels answer `ENOSYS`, and a sandbox
//! with a list of allowed system calls answers with an error of its author's choice; there we fall
//! back to milliseconds, rounded up.
//!
//! Calls that take or return a descriptor as a bare number use `libc`: for `rustix` it would have
//! to be a `BorrowedFd`, which promises that the descriptor is open. Nobody can promise that of a
//! number that comes from Python.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenloop_core::{Mode, Registration};
use libc::{c_int, c_long};
use rustix::event::epoll::CreateFlags;

use crate::Event;

const READABLE: u32 = libc::EPOLLIN as u32;
const WRITABLE: u32 = libc::EPOLLOUT as u32;
/// The peer has ended its side. A reader is notified of it beside bytes, and never without
/// `READABLE`.
const END: u32 = libc::EPOLLRDHUP as u32;
/// The same, and an urgent byte, which may be alone.
const BESIDE_BYTES: u32 = END | libc::EPOLLPRI as u32;
#[expect(clippy::cast_sign_loss, reason = "the highest bit is one of the flags")]
const ON_CHANGE: u32 = libc::EPOLLET as u32;
/// Without any event it is a registration as the kernel leaves it behind once it was reported.
const ONCE: u32 = libc::EPOLLONESHOT as u32;

/// Set once when `epoll_pwait2` turns out to be missing or forbidden, and never cleared: neither
/// a kernel nor a sandbox takes that back in the life of a process.
static WITHOUT_PWAIT2: AtomicBool = AtomicBool::new(false);

pub(crate) struct Selector {
    epoll: OwnedFd,
}

impl Selector {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = rustix::event::epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll })
    }

    pub(crate) fn add(&self, fd: RawFd, registration: Registration) -> io::Result<()> {
        let bits = bits_of(registration);
        self.control(libc::EPOLL_CTL_ADD, fd, registration.mark, bits)
    }

    pub(crate) fn modify(&self, fd: RawFd, registration: Registration) -> io::Result<()> {
        let bits = bits_of(registration);
        self.control(libc::EPOLL_CTL_MOD, fd, registration.mark, bits)
    }

    pub(crate) fn remove(&self, fd: RawFd) -> io::Result<()> {
        // The event is ignored, but kernels before 2.6.9 refuse a null pointer (`epoll_ctl(2)`,
        // bugs), and passing one saves nothing.
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call that knows the time is a third shorter, see `Poller::wait`"
    )]
    pub(crate) fn wait(
        &self,
        buffer: &mut EventBuffer,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let Some(timeout) = timeout else {
            return self.wait_milliseconds(buffer, -1);
        };
        if timeout.subsec_nanos() % 1_000_000 != 0 && !WITHOUT_PWAIT2.load(Ordering::Relaxed) {
            match self.wait_nanoseconds(buffer, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return self.wait_refused(buffer, timeout);
                }
                outcome => return outcome,
            }
        }
        self.wait_milliseconds(buffer, milliseconds_rounded_up(timeout))
    }

    /// The wait by the older call, after the newer one has failed. Whether that was refused or the
    /// wait is not possible, the older one tells: a sandbox may answer with the error of a wrong
    /// descriptor.
    #[cold]
    fn wait_refused(&self, buffer: &mut EventBuffer, timeout: Duration) -> io::Result<()> {
        let outcome = self.wait_milliseconds(buffer, milliseconds_rounded_up(timeout));
        if outcome.is_ok() {
            WITHOUT_PWAIT2.store(true, Ordering::Relaxed);
        }
        outcome
    }

    fn control(&self, operation: c_int, fd: RawFd, mark: u32, events: u32) -> io::Result<()> {
        let Ok(number) = u32::try_from(fd) else {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        };
        let data = u64::from(mark) << 32 | u64::from(number);
        let mut event = libc::epoll_event { events, u64: data };
        // SAFETY: `event` is valid for reads and writes for the duration of the call, which is
        // all `epoll_ctl` asks of memory. Descriptors are numbers to it, and wrong ones an error.
        let outcome =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &raw mut event) };
        if outcome == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// `timeout` is in milliseconds, and -1 means for ever.
    #[inline]
    fn wait_milliseconds(&self, buffer: &mut EventBuffer, timeout: c_int) -> io::Result<()> {
        buffer.fill(|events, capacity| {
            // The system call itself where the kernel has it, since glibc's wrapper lets the thread
            // be cancelled in a process of several threads, which nobody asks for.
            //
            // SAFETY: `fill` hands out memory for `capacity` events, to be written during the
            // call. The types are those of the kernel's declaration, widened to registers by the C
            // calling convention.
            unsafe {
                let epoll = self.epoll.as_raw_fd();
                #[cfg(target_arch = "x86_64")]
                return libc::syscall(libc::SYS_epoll_wait, epoll, events, capacity, timeout);
                #[cfg(not(target_arch = "x86_64"))]
                c_long::from(libc::epoll_wait(epoll, events, capacity, timeout))
            }
        })
    }

    fn wait_nanoseconds(&self, buffer: &mut EventBuffer, timeout: Duration) -> io::Result<()> {
        let timeout = KernelTimespec {
            // More seconds than an `i64` holds are as good as the most it holds.
            seconds: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            nanoseconds: timeout.subsec_nanos().into(),
        };
        let no_signal_mask = ptr::null::<libc::sigset_t>();
        let size_of_no_mask: usize = 0;
        buffer.fill(|events, capacity| {
            // The system call itself, since a call of glibc's wrapper, which came with 2.35, would
            // keep the extension from loading wherever that is older.
            //
            // SAFETY: `fill` hands out memory for `capacity` events, to be written during the
            // call; `timeout` is laid out as the kernel reads it and outlives the call; without a
            // signal mask its size is not looked at. The types are those of the kernel's
            // declaration, widened to registers by the C calling convention.
            unsafe {
                libc::syscall(
                    libc::SYS_epoll_pwait2,
                    self.epoll.as_raw_fd(),
                    events,
                    capacity,
                    &raw const timeout,
                    no_signal_mask,
                    size_of_no_mask,
                )
            }
        })
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

pub(crate) struct EventBuffer {
    events: Vec<libc::epoll_event>,
}

impl EventBuffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            events: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.events.iter().map(|event| {
            // Copied out, because the fields of this structure are not aligned on x86-64.
            let (bits, data) = (event.events, event.u64);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the two halves of an event's data are what `control` put there"
            )]
            let (fd, mark) = (data as RawFd, (data >> 32) as u32);
            // Any other flag is an error or a hang-up, and both readable and writable.
            Event {
                fd,
                mark,
                readable: bits & !WRITABLE != 0,
                writable: bits & !(READABLE | BESIDE_BYTES) != 0,
                exceptional: bits & !(READABLE | WRITABLE) != 0,
            }
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
    }

    /// Replaces the events by those that `call` writes: it gets memory for as many as its second
    /// argument says, and returns how many it wrote, or -1 and leaves the reason in `errno`.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call takes as long as the rest of it, see `Poller::wait`"
    )]
    fn fill(
        &mut self,
        call: impl FnOnce(*mut libc::epoll_event, c_int) -> c_long,
    ) -> io::Result<()> {
        self.events.clear();
        // `epoll_wait` refuses more than `INT_MAX / sizeof(struct epoll_event)` (EINVAL).
        let most = c_int::MAX as usize / size_of::<libc::epoll_event>();
        let capacity = c_int::try_from(self.events.capacity().min(most)).unwrap_or(c_int::MAX);
        let outcome = call(self.events.as_mut_ptr(), capacity);
        let Ok(written) = usize::try_from(outcome) else {
            return Err(io::Error::last_os_error());
        };
        // SAFETY: the kernel has written `written` events to the start of the vector's memory,
        // and never more than the capacity it was told.
        unsafe { self.events.set_len(written) };
        Ok(())
    }
}

/// The bits of a registration (`epoll_ctl(2)`): `EPOLLET` if it is told of on change.
const fn bits_of(registration: Registration) -> u32 {
    let Registration { interest, mode, .. } = registration;
    let read = if interest.read { READABLE } else { 0 };
    let write = if interest.write { WRITABLE } else { 0 };
    match mode {
        // An urgent byte that is not read would be reported in each wait.
        Mode::Level if interest.read => read | write | END,
        Mode::Level => write,
        Mode::Edge if interest.read => read | write | BESIDE_BYTES | ON_CHANGE,
        Mode::Edge => write | ON_CHANGE,
        Mode::Disabled => ONCE,
    }
}

/// `struct __kernel_timespec`: 64 bits each, also where C's `time_t` has 32.
#[repr(C)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

/// The milliseconds in `timeout`, as `epoll_wait` takes them. Rounded down, a wait of less than
/// one would be no wait at all and the loop would spin until its deadline.
fn milliseconds_rounded_up(timeout: Duration) -> c_int {
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    // Some 24 days; a longer wait returns early once, with nothing.
    c_int::try_from(milliseconds).unwrap_or(c_int::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_rounded_up_and_bounded() {
        let check = |timeout: Duration, expected: c_int| {
            assert_eq!(milliseconds_rounded_up(timeout), expected, "{timeout:?}");
        };
        check(Duration::ZERO, 0);
        check(Duration::from_nanos(1), 1);
        check(Duration::from_micros(999), 1);
        check(Duration::from_millis(1), 1);
        check(Duration::from_nanos(1_000_001), 2);
        check(Duration::from_secs(3600), 3_600_000);
        check(Duration::from_secs(3600 * 24 * 365), c_int::MAX);
        check(Duration::MAX, c_int::MAX);
    }
}
