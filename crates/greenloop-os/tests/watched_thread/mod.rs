//! Threads that are looked at while they do something.

use std::sync::mpsc;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use greenloop_os::activity::{Activity, Reason, judge};
use greenloop_os::thread_activity::{Sample, ThreadActivity, ThreadId};

/// How long a test looks at most.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The time between two looks.
pub const INTERVAL: Duration = Duration::from_millis(5);

/// Starts a thread that says who it is and then does `work`.
pub fn watched<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) -> ThreadActivity {
    let (sender, receiver) = mpsc::channel();
    scope.spawn(move || {
        sender
            .send(ThreadId::current())
            .expect("somebody waits for it");
        work();
    });
    ThreadActivity::open(receiver.recv().expect("the thread says who it is"))
}

/// Two looks: the second, and what they mean.
pub fn look_twice(thread: &ThreadActivity, interval: Duration) -> (Sample, Activity) {
    let (start, before) = (Instant::now(), thread.sample());
    // Nothing tells when a thread has done something for a while.
    thread::sleep(interval);
    let (elapsed, after) = (start.elapsed(), thread.sample());
    let elapsed = elapsed.as_nanos().try_into().expect("it is short");
    (after, judge(&before, &after, elapsed))
}

/// Looks until `expected` is seen, and returns that look; `None` if this system does not say such
/// things. What is seen before is a thread on its way, which may do anything but end.
#[track_caller]
pub fn look_until(
    thread: &ThreadActivity,
    expected: impl Fn(&Activity) -> bool,
) -> Option<(Sample, Activity)> {
    let start = Instant::now();
    loop {
        let (sample, activity) = look_twice(thread, INTERVAL);
        if says_nothing(&activity) {
            eprintln!("this system does not say it: {activity:?}");
            return None;
        }
        if expected(&activity) {
            return Some((sample, activity));
        }
        assert_ne!(activity, Activity::Unknown(Reason::Exited));
        assert!(
            start.elapsed() < PATIENCE,
            "still {activity:?} with {sample:?}"
        );
    }
}

/// Whether the system forbids to say it, or has no such file.
pub fn says_nothing(activity: &Activity) -> bool {
    matches!(activity, Activity::Unknown(Reason::Unreadable(failure)) if failure.code != 0)
}

/// Whether it is a system call of one of these names.
pub fn is_in(activity: &Activity, names: &[&str]) -> bool {
    match activity {
        Activity::SystemCall(call) => call.name().is_some_and(|name| names.contains(&name)),
        _ => false,
    }
}
