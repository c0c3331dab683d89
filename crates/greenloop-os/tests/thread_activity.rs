//! What is seen of real threads that compute, wait and starve.
//!
//! A machine that is busy with other things may starve any thread for a while, so each test looks
//! until it has seen what it expects.

mod watched_thread;

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use greenloop_os::activity::{Activity, Reason};
use greenloop_os::thread_activity::{Failure, Sample, State, ThreadActivity, ThreadId};

use watched_thread::{INTERVAL, PATIENCE, is_in, look_twice, look_until, says_nothing, watched};

/// Threads that spin until this is dropped, also when a test fails.
struct Spinning<'a>(&'a AtomicBool);

impl Drop for Spinning<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn spin(until: &AtomicBool) {
    while !until.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

#[test]
fn a_thread_that_spins_is_on_a_processor() {
    let (done, start) = (AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        let _spinning = Spinning(&done);
        let thread = watched(scope, || spin(&done));
        // On a machine that has far too much to do, nobody is for most of a time.
        let may_starve = || start.elapsed() > PATIENCE / 10;
        let seen = look_until(&thread, |activity| match activity {
            Activity::NotScheduled { .. } => may_starve(),
            activity => *activity == Activity::OnCpu,
        });
        if let Some((sample, _)) = seen {
            assert_eq!((sample.state, sample.system_call), (State::Running, None));
            assert_eq!(sample.wchan.as_str(), "");
        }
    });
}

#[test]
fn a_thread_that_sleeps_is_in_the_call() {
    let (sender, receiver) = mpsc::channel();
    // It sleeps longer than the process lives.
    thread::spawn(move || {
        sender
            .send(ThreadId::current())
            .expect("somebody waits for it");
        thread::sleep(100 * PATIENCE);
    });
    let thread = ThreadActivity::open(receiver.recv().expect("the thread says who it is"));
    let names = ["nanosleep", "clock_nanosleep"];
    let seen = look_until(&thread, |activity| is_in(activity, &names));
    let Some((first, Activity::SystemCall(call))) = seen else {
        return;
    };
    assert_eq!(first.state, State::Sleeping);
    assert_eq!(call.descriptor(), None);
    // It does nothing else from now on.
    let (second, activity) = look_twice(&thread, INTERVAL);
    assert_eq!(activity, Activity::SystemCall(call));
    assert_eq!((second.cpu_ns, second.slices), (first.cpu_ns, first.slices));
}

#[test]
fn a_thread_that_reads_an_empty_pipe_is_in_the_call_with_the_descriptor() {
    let (mut reader, writer) = io::pipe().expect("there are descriptors");
    let descriptor = reader.as_raw_fd();
    thread::scope(|scope| {
        let thread = watched(scope, move || {
            reader.read_exact(&mut [0]).expect_err("nobody writes");
        });
        let seen = look_until(&thread, |activity| is_in(activity, &["read"]));
        if let Some((sample, Activity::SystemCall(call))) = seen {
            assert_eq!(call.descriptor(), Some(descriptor));
            assert_eq!(sample.system_call, Some(call));
            assert_eq!(call.to_string(), "read");
        }
        drop(writer);
    });
}

#[test]
fn a_thread_that_waits_for_a_lock_is_told_with_its_address() {
    let lock = Mutex::new([0_u8; 100]);
    let start = std::ptr::from_ref(&lock) as u64;
    let place = start..start + size_of_val(&lock) as u64;
    thread::scope(|scope| {
        let held = lock.lock().expect("nobody panics");
        let thread = watched(scope, || drop(lock.lock().expect("nobody panics")));
        let is_ours = |activity: &Activity| match activity {
            Activity::Futex { address } => place.contains(address),
            _ => false,
        };
        look_until(&thread, is_ours);
        drop(held);
    });
}

#[test]
fn a_thread_that_starves_is_not_scheduled() {
    let (done, began) = (AtomicBool::new(false), AtomicBool::new(false));
    let start = Instant::now();
    thread::scope(|scope| {
        let (done, began) = (&done, &began);
        let _spinning = Spinning(done);
        let victim = watched(scope, move || {
            share_one_processor();
            become_unimportant();
            began.store(true, Ordering::Relaxed);
            spin(done);
        });
        spin(began);
        for _ in 0..4 {
            scope.spawn(move || {
                share_one_processor();
                spin(done);
            });
        }
        let mut shares = Vec::new();
        while shares.len() < 3 {
            let (sample, activity) = look_twice(&victim, 4 * INTERVAL);
            match activity {
                Activity::NotScheduled { share } => shares.push(share),
                _ if says_nothing(&activity) => return,
                // Its turn comes from time to time, and at first there are no others. The one that
                // looks may starve as well, and then knows too little.
                _ => assert!(
                    start.elapsed() < PATIENCE,
                    "still {activity:?} with {sample:?}"
                ),
            }
        }
        assert!(
            shares.iter().all(|share| (0.5..=1.0).contains(share)),
            "{shares:?}"
        );
    });
}

/// Lets the calling thread run on the first of its processors only.
fn share_one_processor() {
    // SAFETY: the sets are plain numbers, valid for reads and writes of the size that is given.
    unsafe {
        let size = size_of::<libc::cpu_set_t>();
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size, &raw mut allowed), 0);
        let processors = 0..usize::try_from(libc::CPU_SETSIZE).expect("it is positive");
        let first = processors
            .into_iter()
            .find(|&number| libc::CPU_ISSET(number, &allowed));
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(first.expect("the thread runs on one"), &mut one);
        if libc::sched_setaffinity(0, size, &raw const one) != 0 {
            eprintln!("this system lets no thread choose its processor");
        }
    }
}

/// Lets the calling thread run after all others that are ready.
fn become_unimportant() {
    // SAFETY: the parameter is valid for reads.
    let outcome = unsafe {
        let mut parameter: libc::sched_param = std::mem::zeroed();
        parameter.sched_priority = 0;
        libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter)
    };
    if outcome != 0 {
        eprintln!("this system lets no thread step back");
    }
}

#[test]
fn a_thread_that_has_ended_stays_the_one_that_was_asked_about() {
    let (release, wait) = mpsc::channel::<()>();
    let thread = thread::scope(|scope| {
        let thread = watched(scope, move || {
            wait.recv().expect_err("nothing is sent");
        });
        assert_ne!(thread.sample().state, State::Exited);
        drop(release);
        thread
    });
    let start = Instant::now();
    // A thread that was joined may still be on its way out.
    while thread.sample().state != State::Exited {
        assert!(start.elapsed() < PATIENCE, "{:?}", thread.sample());
        thread::yield_now();
    }
    let (_, activity) = look_twice(&thread, INTERVAL);
    assert_eq!(activity, Activity::Unknown(Reason::Exited));
}

#[test]
fn a_thread_that_does_not_exist_is_unknown_with_the_reason() {
    // Numbers are less than 2^22 (`proc(5)`, `pid_max`).
    for number in [i32::MAX, -1, 0] {
        let thread = ThreadActivity::open(ThreadId::from_raw(number));
        let failure = Failure {
            file: "stat",
            code: libc::ENOENT,
        };
        let sample = thread.sample();
        assert_eq!(
            sample,
            Sample::unreadable(sample.failure.unwrap_or(failure))
        );
        let (_, activity) = look_twice(&thread, INTERVAL);
        assert_eq!(activity, Activity::Unknown(Reason::Unreadable(failure)));
    }
    // A thread of another process.
    let other = ThreadActivity::open(ThreadId::from_raw(1));
    if std::process::id() != 1 {
        assert_eq!(other.sample().state, State::Unknown);
    }
}

#[test]
fn time_on_a_processor_grows_by_the_moment() {
    let own = ThreadActivity::open(ThreadId::current());
    assert_eq!(own.thread(), ThreadId::current());
    let mut before = own.sample().cpu_ns;
    for _ in 0..100 {
        let after = own.sample().cpu_ns;
        assert!(before < after);
        before = after;
    }
}

#[test]
fn a_sample_costs_little() {
    let done = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let _spinning = Spinning(&done);
        let spinning = watched(scope, || spin(&done));
        let waiting = watched(scope, move || {
            receiver.recv().expect_err("nothing is sent");
        });
        for (what, thread) in [("spins", spinning), ("waits", waiting)] {
            let mut costs: Vec<_> = (0..500)
                .map(|_| {
                    let start = Instant::now();
                    std::hint::black_box(thread.sample());
                    start.elapsed()
                })
                .collect();
            costs.sort_unstable();
            eprintln!(
                "a look at a thread that {what}: {:?}",
                costs[costs.len() / 2]
            );
            // A bound that no busy machine breaks: it is some microseconds.
            assert!(costs[costs.len() / 10] < Duration::from_millis(5));
        }
        drop(sender);
    });
}

#[test]
fn files_are_not_inherited_and_are_closed() {
    let open = || {
        let numbers = fs::read_dir("/proc/self/fd")
            .into_iter()
            .flatten()
            .flatten();
        let links = numbers.filter_map(|number| fs::read_link(number.path()).ok());
        let tail = format!("/task/{}/schedstat", ThreadId::current().as_raw());
        links
            .filter(|link| link.to_string_lossy().ends_with(&tail))
            .count()
    };
    let thread = ThreadActivity::open(ThreadId::current());
    if thread.sample().failure.is_none() {
        assert_eq!(open(), 1);
    }
    drop(thread);
    assert_eq!(open(), 0);
}
