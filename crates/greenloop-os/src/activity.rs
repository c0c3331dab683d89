//! The decision what a thread did between two looks at it.
//!
//! A thread's time is spent in three ways: on a processor, waiting for one, and waiting for
//! anything else. The first is known exactly and the second nearly, so the third is
//! the rest. The greatest of the three says what the thread did. A look alone cannot: a thread that
//! a starved machine lets run for a moment is as awake as one that computes, and one that reads a
//! large file in many small waits is awake at some looks.

use std::fmt;

use crate::thread_activity::{Failure, Sample, State, SystemCall};

/// What a thread did between two looks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Activity {
    /// It ran, in its own code or in the kernel.
    OnCpu,
    /// It waited in a system call.
    SystemCall(SystemCall),
    /// It waited in `futex(2)`: for a lock, or for the interpreter's.
    Futex {
        /// The address of the word that it waited for.
        address: u64,
    },
    /// It was awake and the system gave it no processor: nothing that it executes is to blame.
    NotScheduled {
        /// The share of the time that it waited for one, from a half to one.
        share: f64,
    },
    /// It cannot be said.
    Unknown(Reason),
}

/// Why it cannot be said what a thread did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The system does not say it.
    Unreadable(Failure),
    /// The thread has ended.
    Exited,
    /// A signal or a debugger has stopped it.
    Stopped,
    /// It waited in the kernel outside of any system call: for a page of memory that had to be
    /// read from a disk.
    PageFault,
    /// It was awake at both looks, and for most of the time between them it neither ran nor waited
    /// for a processor. It slept in between, or the whole process was stopped.
    Between,
}

/// Says what a thread did between two looks that were `elapsed_ns` nanoseconds apart.
///
/// Of two ways of equal length the one to blame wins last: a thread that waited for a processor
/// half of the time was not scheduled, and one that slept as long as it ran has slept.
pub fn judge(before: &Sample, after: &Sample, elapsed_ns: u64) -> Activity {
    if let Some(reason) = hidden(after).or_else(|| hidden(before)) {
        return Activity::Unknown(reason);
    }
    if after.state == State::Stopped {
        return Activity::Unknown(Reason::Stopped);
    }
    let ran = after.cpu_ns.saturating_sub(before.cpu_ns).min(elapsed_ns);
    let away = elapsed_ns - ran;
    let waited = waited(before, after, away);
    if waited > 0 && waited >= elapsed_ns - waited {
        let share = as_float(waited) / as_float(elapsed_ns);
        return Activity::NotScheduled { share };
    }
    let asleep = away - waited;
    if asleep < ran {
        return Activity::OnCpu;
    }
    // The second look is nearer to what still goes on.
    let blocked = [after, before].into_iter().find(|look| look.is_blocked());
    match blocked {
        Some(look) => place(look),
        None if before.state == State::Stopped => Activity::Unknown(Reason::Stopped),
        None if asleep > 0 => Activity::Unknown(Reason::Between),
        None => Activity::OnCpu,
    }
}

/// Why a look shows nothing of the thread, if it does not. A thread that was stopped at the first
/// of two looks may have run since, so that alone does not hide it.
fn hidden(look: &Sample) -> Option<Reason> {
    match (look.state, look.failure) {
        (State::Exited, _) => Some(Reason::Exited),
        (State::Unknown, failure) => Some(Reason::Unreadable(failure.unwrap_or(Failure {
            file: "stat",
            code: 0,
        }))),
        _ => None,
    }
}

/// For how many of the `away` nanoseconds, in which it did not run, the thread waited for a
/// processor.
///
/// The system adds a wait to its count when it is over. One that goes on is missing from it, and
/// one that began before the first look is in it as a whole.
fn waited(before: &Sample, after: &Sample, away: u64) -> u64 {
    let awake = before.state == State::Running && after.state == State::Running;
    // Without having been given a processor, the thread cannot have gone to sleep and come back;
    // or it had one all the time, and the machine itself was not given one by its host.
    let never_slept = after.slices.is_some() && after.slices == before.slices;
    // Otherwise it waits now, and was awake before. That it slept in between is possible, but rare
    // where processors are scarce.
    if awake && (never_slept || !after.on_cpu) {
        return away;
    }
    let counted = after.runqueue_ns.zip(before.runqueue_ns);
    counted.map_or(0, |(after, before)| after.saturating_sub(before).min(away))
}

/// Where a thread waits at a look.
fn place(look: &Sample) -> Activity {
    match (look.system_call, look.failure) {
        (Some(call), _) => match call.futex() {
            Some(address) => Activity::Futex { address },
            None => Activity::SystemCall(call),
        },
        (None, Some(failure)) if failure.file == "syscall" => {
            Activity::Unknown(Reason::Unreadable(failure))
        }
        (None, _) => Activity::Unknown(Reason::PageFault),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than the precision it has"
)]
const fn as_float(nanoseconds: u64) -> f64 {
    nanoseconds as f64
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(failure) => failure.fmt(formatter),
            Self::Exited => formatter.write_str("the thread has ended"),
            Self::Stopped => formatter.write_str("the thread is stopped"),
            Self::PageFault => formatter.write_str("the thread waits for a page of memory"),
            Self::Between => formatter.write_str("the thread slept between two looks"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread_activity::WaitChannel;

    /// The time between two looks.
    const ELAPSED: u64 = 20_000_000;

    const READ: SystemCall = SystemCall {
        number: libc::SYS_read,
        arguments: [7, 0, 0, 0, 0, 0],
    };

    /// A thread that is awake and has a processor.
    const AWAKE: Sample = Sample {
        state: State::Running,
        on_cpu: true,
        cpu_ns: 1_000_000_000,
        runqueue_ns: Some(5_000_000),
        slices: Some(100),
        system_call: None,
        wchan: WaitChannel::NONE,
        failure: None,
    };

    const QUEUED: Sample = Sample {
        on_cpu: false,
        ..AWAKE
    };

    const READING: Sample = Sample {
        state: State::Sleeping,
        on_cpu: false,
        system_call: Some(READ),
        ..AWAKE
    };

    const READING_A_DISK: Sample = Sample {
        state: State::Uninterruptible,
        ..READING
    };

    const STOPPED: Sample = Sample {
        state: State::Stopped,
        on_cpu: false,
        ..AWAKE
    };

    /// What else happened up to a look: the percentages of the time in which the thread ran and in
    /// which it waited for a processor, and how many times it was given one.
    fn later(look: Sample, ran: u64, waited: u64, slices: u64) -> Sample {
        Sample {
            cpu_ns: look.cpu_ns + ELAPSED / 100 * ran,
            runqueue_ns: look.runqueue_ns.map(|count| count + ELAPSED / 100 * waited),
            slices: look.slices.map(|count| count + slices),
            ..look
        }
    }

    #[track_caller]
    fn check(before: Sample, after: Sample, expected: Activity) {
        assert_eq!(judge(&before, &after, ELAPSED), expected);
    }

    #[track_caller]
    fn check_unknown(before: Sample, after: Sample, expected: Reason) {
        check(before, after, Activity::Unknown(expected));
    }

    #[test]
    fn a_thread_that_computes_is_on_a_processor() {
        check(AWAKE, later(AWAKE, 100, 0, 0), Activity::OnCpu);
        // Others had it for a while, or it gave it up for a moment.
        check(AWAKE, later(AWAKE, 60, 40, 9), Activity::OnCpu);
        check(AWAKE, later(QUEUED, 60, 10, 9), Activity::OnCpu);
        check(AWAKE, later(READING, 60, 0, 9), Activity::OnCpu);
        check(READING, later(AWAKE, 60, 0, 9), Activity::OnCpu);
    }

    #[test]
    fn a_thread_that_waits_in_a_call_is_in_it() {
        check(READING, READING, Activity::SystemCall(READ));
        check(READING_A_DISK, READING_A_DISK, Activity::SystemCall(READ));
        check(AWAKE, later(READING, 49, 0, 0), Activity::SystemCall(READ));
        assert_eq!((READ.name(), READ.descriptor()), (Some("read"), Some(7)));
    }

    #[test]
    fn many_short_waits_are_waits_also_when_a_look_misses_them() {
        check(
            READING_A_DISK,
            later(AWAKE, 20, 5, 50),
            Activity::SystemCall(READ),
        );
        check(
            AWAKE,
            later(READING_A_DISK, 20, 5, 50),
            Activity::SystemCall(READ),
        );
        check_unknown(AWAKE, later(AWAKE, 20, 5, 50), Reason::Between);
    }

    #[test]
    fn a_wait_for_a_lock_has_its_address() {
        let arguments = [0x7f00_1234, 0, 0, 0, 0, 0];
        let call = SystemCall {
            number: libc::SYS_futex,
            arguments,
        };
        let waiting = Sample {
            system_call: Some(call),
            ..READING
        };
        let address = 0x7f00_1234;
        check(waiting, waiting, Activity::Futex { address });
        // The interpreter's lock is waited for in many short waits.
        check(waiting, later(AWAKE, 1, 0, 4), Activity::Futex { address });
    }

    #[test]
    fn a_thread_without_a_processor_is_not_to_blame() {
        let share = 1.0;
        // The wait goes on, so that nothing has grown.
        check(QUEUED, QUEUED, Activity::NotScheduled { share });
        check(
            QUEUED,
            later(AWAKE, 0, 100, 1),
            Activity::NotScheduled { share },
        );
        // It began before the first look.
        check(
            QUEUED,
            later(AWAKE, 0, 5000, 1),
            Activity::NotScheduled { share },
        );
        // The processor of a guest is itself not given one.
        check(AWAKE, AWAKE, Activity::NotScheduled { share });
        let share = 0.75;
        check(
            AWAKE,
            later(QUEUED, 25, 10, 2),
            Activity::NotScheduled { share },
        );
        check(
            AWAKE,
            later(AWAKE, 25, 75, 9),
            Activity::NotScheduled { share },
        );
        check(
            AWAKE,
            later(READING, 10, 75, 9),
            Activity::NotScheduled { share },
        );
    }

    #[test]
    fn half_of_the_time_without_a_processor_is_the_least_that_counts() {
        let share = 0.5;
        check(
            AWAKE,
            later(AWAKE, 50, 50, 9),
            Activity::NotScheduled { share },
        );
        check(AWAKE, later(AWAKE, 51, 49, 9), Activity::OnCpu);
    }

    #[test]
    fn a_thread_that_is_stopped_or_over_does_nothing() {
        check_unknown(AWAKE, STOPPED, Reason::Stopped);
        check_unknown(STOPPED, STOPPED, Reason::Stopped);
        // It has just been continued.
        check_unknown(STOPPED, later(AWAKE, 1, 0, 1), Reason::Stopped);
        check(STOPPED, later(AWAKE, 80, 0, 1), Activity::OnCpu);
        // The process was stopped between two looks, the one that looks as well.
        check_unknown(AWAKE, later(AWAKE, 1, 0, 1), Reason::Between);
        let exited = Sample {
            state: State::Exited,
            ..AWAKE
        };
        check_unknown(AWAKE, exited, Reason::Exited);
        check_unknown(exited, exited, Reason::Exited);
    }

    #[test]
    fn a_page_that_is_missing_is_no_call() {
        let faulting = Sample {
            state: State::Uninterruptible,
            on_cpu: false,
            ..AWAKE
        };
        check_unknown(faulting, faulting, Reason::PageFault);
        check_unknown(AWAKE, later(faulting, 10, 0, 30), Reason::PageFault);
    }

    #[test]
    fn what_the_system_does_not_say_is_unknown_with_the_reason() {
        let failure = Failure {
            file: "syscall",
            code: libc::EACCES,
        };
        let blocked = Sample {
            system_call: None,
            failure: Some(failure),
            ..READING
        };
        check_unknown(blocked, blocked, Reason::Unreadable(failure));
        let awake = Sample {
            failure: Some(failure),
            ..AWAKE
        };
        check(awake, later(awake, 90, 0, 0), Activity::OnCpu);
        let nothing = Sample::unreadable(failure);
        check_unknown(AWAKE, nothing, Reason::Unreadable(failure));
        check_unknown(nothing, AWAKE, Reason::Unreadable(failure));
        let text = Reason::Unreadable(failure).to_string();
        assert!(
            text.starts_with("syscall cannot be read: Permission denied"),
            "{text}"
        );
    }

    #[test]
    fn without_the_figures_of_the_scheduler_both_looks_decide() {
        let blind = |look: Sample| Sample {
            runqueue_ns: None,
            slices: None,
            ..look
        };
        let share = 1.0;
        check(
            blind(QUEUED),
            blind(QUEUED),
            Activity::NotScheduled { share },
        );
        check_unknown(blind(AWAKE), blind(AWAKE), Reason::Between);
        check(blind(AWAKE), blind(later(AWAKE, 90, 0, 0)), Activity::OnCpu);
        check(blind(READING), blind(READING), Activity::SystemCall(READ));
    }

    #[test]
    fn two_looks_at_the_same_moment_show_where_the_thread_is() {
        assert_eq!(judge(&AWAKE, &AWAKE, 0), Activity::OnCpu);
        assert_eq!(judge(&AWAKE, &READING, 0), Activity::SystemCall(READ));
        assert_eq!(judge(&READING, &AWAKE, 0), Activity::SystemCall(READ));
    }

    #[test]
    fn figures_that_go_back_do_no_harm() {
        let later = later(AWAKE, 50, 50, 3);
        check(later, AWAKE, Activity::Unknown(Reason::Between));
        check(later, READING, Activity::SystemCall(READ));
    }
}
