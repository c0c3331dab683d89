//! A thread of this process, as its files in `/proc` and its clock describe it (`proc(5)`).
//!
//! Four small files and a clock, since none of them has it all:
//!
//! * `stat` has the state, also whether the thread was stopped or has ended;
//! * `syscall` has the call in which the thread waits;
//! * `wchan` has the function of the kernel in which it waits, also outside of a call;
//! * `schedstat` has the time on a processor, the time waiting for one, and the number of slices;
//! * the thread's clock has the time on a processor as well, to the nanosecond. That of `schedstat`
//!   may lack the time since the last tick, which is up to ten milliseconds.
//!
//! The kernel takes a thread's number from an open file only once, when it is opened, so that a
//! later thread of the same number is never read. Reading at an offset needs no seek, and any
//! number of threads may do it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::thread_activity::{Failure, Sample, State, SystemCall, WaitChannel};

/// Room for what is read of a file. The longest is `stat`, of which the beginning is enough: the
/// name of a thread has at most 64 bytes.
const ROOM: usize = 256;

/// The number of the calling thread.
pub fn current_thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

#[derive(Debug)]
pub(crate) struct ThreadFiles {
    stat: ThreadFile,
    system_call: ThreadFile,
    wait_channel: ThreadFile,
    scheduling: ThreadFile,
    clock: libc::clockid_t,
}

/// A file in the thread's folder, or the error of opening it.
#[derive(Debug)]
struct ThreadFile {
    name: &'static str,
    file: Result<File, i32>,
}

/// What `schedstat` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Scheduling {
    cpu_ns: u64,
    runqueue_ns: u64,
    slices: u64,
}

/// Where a thread is, as `syscall` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Position {
    /// It is awake.
    Awake,
    /// It waits in a system call.
    Within(SystemCall),
    /// It waits outside of any.
    Outside,
}

impl ThreadFiles {
    pub(crate) fn open(thread: i32) -> Self {
        // The file system may be that of other processes, as in a container that was given the one
        // of its host: then numbers mean other threads.
        let own = fs::read_link("/proc/self").map(|name| {
            let number = name.to_str().and_then(|name| name.parse().ok());
            number == Some(std::process::id())
        });
        let open = |name| ThreadFile {
            name,
            file: match own {
                Ok(false) => Err(libc::ESRCH),
                // Without the link the files are missing as well, and opening them says why.
                _ => File::open(format!("/proc/self/task/{thread}/{name}"))
                    .map_err(|error| code_of(&error)),
            },
        };
        Self {
            stat: open("stat"),
            system_call: open("syscall"),
            wait_channel: open("wchan"),
            scheduling: open("schedstat"),
            clock: clock_of(thread),
        }
    }

    pub(crate) fn sample(&self) -> Sample {
        let mut failures = None;
        let state = match self.stat.parsed(parse_state) {
            Ok(state) => state,
            // A thread that has ended has no content any more.
            Err(Failure {
                code: libc::ESRCH, ..
            }) if self.stat.file.is_ok() => {
                return Sample::of(State::Exited);
            }
            Err(failure) => return Sample::unreadable(failure),
        };
        let mut note = |failure| {
            failures.get_or_insert(failure);
        };
        let clock = self.cpu_ns();
        let scheduling = self
            .scheduling
            .parsed(parse_scheduling)
            .map_err(&mut note)
            .ok();
        let position = self
            .system_call
            .parsed(parse_position)
            .map_err(&mut note)
            .ok();
        let state = state_at(state, position);
        let wchan = match state {
            State::Sleeping | State::Uninterruptible => self
                .wait_channel
                .parsed(parse_wait_channel)
                .map_err(&mut note)
                .unwrap_or(WaitChannel::NONE),
            _ => WaitChannel::NONE,
        };
        let later = self.cpu_ns();
        let Some(cpu_ns) = later.or(scheduling.map(|scheduling| scheduling.cpu_ns)) else {
            return Sample::unreadable(failures.unwrap_or(Failure {
                file: "schedstat",
                code: 0,
            }));
        };
        Sample {
            state,
            on_cpu: state == State::Running && clock.is_some() && clock < later,
            cpu_ns,
            runqueue_ns: scheduling.map(|scheduling| scheduling.runqueue_ns),
            slices: scheduling.map(|scheduling| scheduling.slices),
            system_call: match position {
                Some(Position::Within(call)) => Some(call),
                _ => None,
            },
            wchan,
            failure: failures,
        }
    }

    /// The thread's time on a processor up to this moment.
    fn cpu_ns(&self) -> Option<u64> {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the place is valid for writes. A clock that does not exist is an error.
        let outcome = unsafe { libc::clock_gettime(self.clock, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let nanoseconds = u64::try_from(time.tv_nsec).ok()?;
        (outcome == 0).then(|| {
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(nanoseconds)
        })
    }
}

impl ThreadFile {
    /// The content of the file now, as `parse` understands it.
    fn parsed<T>(&self, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Failure> {
        let failure = |code| Failure {
            file: self.name,
            code,
        };
        let file = self.file.as_ref().map_err(|&code| failure(code))?;
        let mut buffer = [0; ROOM];
        let count = loop {
            match file.read_at(&mut buffer, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome.map_err(|error| failure(code_of(&error)))?,
            }
        };
        parse(&buffer[..count]).ok_or_else(|| failure(0))
    }
}

/// The clock of a thread's time on a processor, as `pthread_getcpuclockid(3)` computes it: the
/// number of the thread, inverted, and the kind of clock in the three lowest bits.
const fn clock_of(thread: i32) -> libc::clockid_t {
    const TIME_ON_PROCESSOR: i32 = 2;
    const OF_A_THREAD: i32 = 4;
    (!thread << 3) | TIME_ON_PROCESSOR | OF_A_THREAD
}

/// The state, when `stat` was read before `syscall`.
const fn state_at(state: State, position: Option<Position>) -> State {
    match (state, position) {
        (State::Sleeping | State::Uninterruptible, Some(Position::Awake)) => State::Running,
        (State::Running, Some(Position::Within(_))) => State::Sleeping,
        (State::Running, Some(Position::Outside)) => State::Uninterruptible,
        (state, _) => state,
    }
}

/// The third field of `stat`. The second is the name of the thread in parentheses, and may itself
/// have parentheses and spaces.
fn parse_state(stat: &[u8]) -> Option<State> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let [b' ', letter, ..] = stat.get(end_of_name + 1..)? else {
        return None;
    };
    Some(match letter {
        b'R' => State::Running,
        b'S' => State::Sleeping,
        b'D' => State::Uninterruptible,
        b'T' | b't' => State::Stopped,
        b'Z' | b'X' | b'x' => State::Exited,
        _ => State::Unknown,
    })
}

/// Three numbers.
fn parse_scheduling(schedstat: &[u8]) -> Option<Scheduling> {
    let mut numbers = words(schedstat).map(|word| word.parse().ok());
    Some(Scheduling {
        cpu_ns: numbers.next()??,
        runqueue_ns: numbers.next()??,
        slices: numbers.next()??,
    })
}

/// The word `running`; or the number of a call, six arguments and two registers in hexadecimal; or
/// -1 and the registers.
fn parse_position(syscall: &[u8]) -> Option<Position> {
    let mut words = words(syscall);
    let first = words.next()?;
    if first == "running" {
        return Some(Position::Awake);
    }
    let number: libc::c_long = first.parse().ok()?;
    if number < 0 {
        return Some(Position::Outside);
    }
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    }
    Some(Position::Within(SystemCall { number, arguments }))
}

/// A name, or `0` for none.
#[expect(clippy::unnecessary_wraps, reason = "the other parsers may fail")]
fn parse_wait_channel(wchan: &[u8]) -> Option<WaitChannel> {
    match wchan.trim_ascii() {
        b"0" => Some(WaitChannel::NONE),
        name => Some(WaitChannel::new(name)),
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(text)
        .unwrap_or_default()
        .split_ascii_whitespace()
}

fn code_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name_whatever_that_is() {
        let check = |stat: &str, expected| assert_eq!(parse_state(stat.as_bytes()), expected);
        check("12 (python3) R 1 12", Some(State::Running));
        check("12 (a) S (b)) S 1 12", Some(State::Sleeping));
        check("12 () D 1", Some(State::Uninterruptible));
        check("12 (a) T 1", Some(State::Stopped));
        check("12 (a) t 1", Some(State::Stopped));
        check("12 (a) Z 1", Some(State::Exited));
        check("12 (a) X 1", Some(State::Exited));
        check("12 (a) I 1", Some(State::Unknown));
        for wrong in ["", "12", "12 (a)", "12 (a) ", "12 (a)R"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_position_is_awake_within_a_call_or_outside() {
        let check = |text: &str, expected| assert_eq!(parse_position(text.as_bytes()), expected);
        check("running\n", Some(Position::Awake));
        check("-1 0x7ffc 0x7f62\n", Some(Position::Outside));
        let call = SystemCall {
            number: 230,
            arguments: [1, 0, 0x7f62_4e1d_1ab0, 0, 0, u64::MAX],
        };
        check(
            "230 0x1 0x0 0x7f624e1d1ab0 0x0 0x0 0xffffffffffffffff 0x7f62 0x7f63\n",
            Some(Position::Within(call)),
        );
        for wrong in [
            "",
            "\n",
            "runnin",
            "0",
            "0 0x1 0x2",
            "0 1 2 3 4 5 6",
            "\u{e9}",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn scheduling_is_three_numbers() {
        let numbers = Scheduling {
            cpu_ns: 82_692,
            runqueue_ns: 0,
            slices: 4,
        };
        assert_eq!(parse_scheduling(b"82692 0 4\n"), Some(numbers));
        for wrong in ["", "1 2", "a b c", "-1 2 3"] {
            assert_eq!(parse_scheduling(wrong.as_bytes()), None);
        }
    }

    #[test]
    fn a_wait_channel_is_a_name_or_nothing() {
        let check = |text: &str, expected: &str| {
            let channel = parse_wait_channel(text.as_bytes()).expect("anything is a name");
            assert_eq!(channel.as_str(), expected);
        };
        check("0", "");
        check("", "");
        check("futex_do_wait", "futex_do_wait");
        check(&"a".repeat(100), &"a".repeat(39));
    }

    #[test]
    fn the_later_of_two_facts_holds() {
        let call = SystemCall {
            number: 0,
            arguments: [0; 6],
        };
        let within = Some(Position::Within(call));
        let check = |state, position, expected| assert_eq!(state_at(state, position), expected);
        check(State::Sleeping, Some(Position::Awake), State::Running);
        check(State::Running, within, State::Sleeping);
        check(
            State::Running,
            Some(Position::Outside),
            State::Uninterruptible,
        );
        check(State::Uninterruptible, within, State::Uninterruptible);
        check(State::Stopped, within, State::Stopped);
        check(State::Stopped, Some(Position::Awake), State::Stopped);
        check(State::Sleeping, None, State::Sleeping);
    }
}
