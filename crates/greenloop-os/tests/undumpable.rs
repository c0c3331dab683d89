//! A process that has changed its user may not look up which call its threads are in, unless it
//! opened the files before.
//!
//! A file of its own, because the mark that the kernel sets for it is that of the whole process.

#![cfg(target_os = "linux")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenloop_os::activity::{Activity, Reason, judge};
use greenloop_os::thread_activity::{Failure, State, ThreadActivity, ThreadId};

#[test]
fn files_that_are_open_stay_readable_and_others_are_a_reason() {
    let (sender, receiver) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            sender
                .send(ThreadId::current())
                .expect("somebody waits for it");
            wait.recv().expect_err("nothing is sent");
        });
        let id = receiver.recv().expect("the thread says who it is");
        let early = ThreadActivity::open(id);
        while early.sample().state != State::Sleeping {
            assert_ne!(early.sample().state, State::Unknown);
            thread::yield_now();
        }
        // What the kernel does at a change of the user (`prctl(2)`, `PR_SET_DUMPABLE`).
        // SAFETY: the call takes numbers only.
        let outcome = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0_u64, 0_u64, 0_u64, 0_u64) };
        assert_eq!(outcome, 0);
        let late = ThreadActivity::open(id);

        let elapsed = Duration::from_millis(1)
            .as_nanos()
            .try_into()
            .expect("it is short");
        let before = early.sample();
        if before.failure.is_none() {
            let activity = judge(&before, &early.sample(), elapsed);
            assert!(matches!(activity, Activity::Futex { .. }), "{activity:?}");
        }
        let sample = late.sample();
        assert_eq!(sample.state, State::Sleeping);
        match sample.failure {
            Some(failure) => {
                let forbidden = Failure {
                    file: "syscall",
                    code: libc::EACCES,
                };
                assert_eq!(failure, forbidden);
                let activity = judge(&sample, &late.sample(), elapsed);
                assert_eq!(activity, Activity::Unknown(Reason::Unreadable(failure)));
            }
            None => eprintln!("this user may read everything"),
        }
        drop(release);
    });
}
