//! What another thread of this process does at a moment, asked of the operating system.
//!
//! A thread may ask this of any thread of its own process: neither a privilege nor a debugger is
//! needed, and the other thread is not stopped. The files behind it are opened once and read again
//! for each [`Sample`], so that it neither allocates nor depends on the current directory. What a
//! pair of samples means is decided by [`judge`](crate::activity::judge).
//!
//! A file that cannot be opened or read is a [`Failure`] in the sample, and never an error of its
//! own: some sandboxes have none of the files, others have one or two of them. A process that has
//! changed its user without a new program may not read which call a thread is in (`proc(5)`:
//! its files belong to root unless the process is dumpable).

use std::fmt;
use std::io;
use std::os::fd::RawFd;

use crate::sys;

/// A thread, by the number that the operating system has for it: Python's
/// `threading.get_native_id()`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ThreadId(i32);

/// Asks again and again what one thread does. Any other thread may ask; of itself, a thread would
/// see the question.
#[derive(Debug)]
pub struct ThreadActivity {
    thread: ThreadId,
    files: sys::ThreadFiles,
}

/// What a thread does at a moment.
///
/// The facts are read one after the other while the thread goes on. Where two disagree on whether
/// it is awake, the later one holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Whether it is awake, and if not, how it waits.
    pub state: State,
    /// Whether its time on a processor grew while the sample was taken. An awake thread without
    /// that waits for a processor.
    pub on_cpu: bool,
    /// The nanoseconds that it has spent on a processor in its life, up to now.
    pub cpu_ns: u64,
    /// The nanoseconds that it has waited for a processor in its life, awake. A wait is added when
    /// it is over. `None` if the system does not say.
    pub runqueue_ns: Option<u64>,
    /// How many times it was given a processor. `None` if the system does not say.
    pub slices: Option<u64>,
    /// The system call that it waits in. `None` if it is awake or waits outside of any, and if the
    /// system does not say.
    pub system_call: Option<SystemCall>,
    /// The function of the kernel that it waits in; empty if it is awake, and if the system does
    /// not say.
    pub wchan: WaitChannel,
    /// The first fact that the system did not say.
    pub failure: Option<Failure>,
}

/// Whether a thread is awake, and if not, how it waits (`proc(5)`, the third field of `stat`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Awake: it has a processor or waits for one.
    Running,
    /// It waits for an event, and a signal would wake it.
    Sleeping,
    /// It waits, mostly for a disk, and no signal wakes it.
    Uninterruptible,
    /// A signal or a debugger has stopped it.
    Stopped,
    /// It is over.
    Exited,
    /// The system does not say, or says something else.
    Unknown,
}

/// A system call that a thread waits in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SystemCall {
    /// Its number on this processor's architecture.
    pub number: libc::c_long,
    /// Its arguments, as many as it has; the others are what the registers held.
    pub arguments: [u64; 6],
}

/// The name of a function of the kernel, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WaitChannel {
    /// The first `len` bytes are the name, which is cut if it is longer; the others are zero.
    bytes: [u8; Self::ROOM],
    len: u8,
}

/// A fact about a thread that the system did not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The file that has it, in the thread's folder of `/proc`.
    pub file: &'static str,
    /// The error of opening or reading it, as `errno`. Zero if its content is not as expected.
    pub code: i32,
}

impl ThreadId {
    /// The thread that calls.
    pub fn current() -> Self {
        Self(sys::current_thread())
    }

    /// The thread with this number.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

impl ThreadActivity {
    /// Opens what there is to read about a thread of this process: four descriptors, which
    /// programs that children execute do not inherit. They stay with this thread when its number is
    /// given to another, and also in a process that was made by `fork(2)`, which has to open its
    /// own.
    pub fn open(thread: ThreadId) -> Self {
        let files = sys::ThreadFiles::open(thread.0);
        Self { thread, files }
    }

    /// The thread that is asked about.
    pub const fn thread(&self) -> ThreadId {
        self.thread
    }

    /// Asks what the thread does now. Allocates nothing, and never waits for the thread.
    pub fn sample(&self) -> Sample {
        self.files.sample()
    }
}

impl Sample {
    /// That of a thread of which nothing but the state is known.
    pub const fn of(state: State) -> Self {
        Self {
            state,
            on_cpu: false,
            cpu_ns: 0,
            runqueue_ns: None,
            slices: None,
            system_call: None,
            wchan: WaitChannel::NONE,
            failure: None,
        }
    }

    /// That of a thread about which the system says nothing, for this reason.
    pub const fn unreadable(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::of(State::Unknown)
        }
    }

    /// Whether the thread waits for anything but a processor.
    pub const fn is_blocked(&self) -> bool {
        matches!(self.state, State::Sleeping | State::Uninterruptible)
    }
}

impl SystemCall {
    /// Its name, if it is one of those that wait.
    pub fn name(&self) -> Option<&'static str> {
        sys::system_call(self.number).map(|known| known.name)
    }

    /// The descriptor that it waits for, if one of its arguments is that.
    pub fn descriptor(&self) -> Option<RawFd> {
        let position = sys::system_call(self.number)?.descriptor?;
        // A descriptor is an `int`, in the lower half of a register.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the upper half is not a part of it"
        )]
        let descriptor = self.arguments[position] as RawFd;
        (descriptor >= 0).then_some(descriptor)
    }

    /// The address of the word that it waits for, if it is a wait of `futex(2)`: that is what locks
    /// and condition variables are made of.
    pub fn futex(&self) -> Option<u64> {
        sys::waits_for_futex(self.number).then_some(self.arguments[0])
    }
}

impl fmt::Display for SystemCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "syscall {}", self.number),
        }
    }
}

impl WaitChannel {
    const ROOM: usize = 39;

    /// No name.
    pub const NONE: Self = Self {
        bytes: [0; Self::ROOM],
        len: 0,
    };

    /// The name in `text`, or the beginning of it.
    pub fn new(text: &[u8]) -> Self {
        let mut channel = Self::NONE;
        for (byte, &letter) in channel.bytes.iter_mut().zip(text) {
            *byte = letter;
            channel.len += 1;
        }
        channel
    }

    /// The name; empty if there is none or it is not text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len.into()]).unwrap_or_default()
    }
}

impl fmt::Debug for WaitChannel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file;
        match self.code {
            0 => write!(formatter, "the content of {file} is not as expected"),
            code => {
                let error = io::Error::from_raw_os_error(code);
                write!(formatter, "{file} cannot be read: {error}")
            }
        }
    }
}
