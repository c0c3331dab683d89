//! How long a wait takes, and what ends it early.

use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::thread::JoinHandleExt;
use std::thread;
use std::time::{Duration, Instant};

use greenloop_os::{Events, Poller};

use super::expectations::WRITE;

#[test]
fn a_wait_never_ends_early() -> io::Result<()> {
    let poller = Poller::new()?;
    let mut events = Events::with_capacity(1);
    for nanoseconds in [
        0, 1, 999, 50_000, 300_000, 999_999, 1_000_000, 1_000_001, 2_500_000,
    ] {
        let timeout = Duration::from_nanos(nanoseconds);
        for _ in 0..5 {
            let start = Instant::now();
            poller.wait(&mut events, Some(timeout))?;
            let elapsed = start.elapsed();
            assert!(elapsed >= timeout, "{elapsed:?} instead of {timeout:?}");
            assert!(events.is_empty());
        }
    }
    Ok(())
}

#[test]
fn a_wait_of_less_than_a_millisecond_can_take_less_than_one() -> io::Result<()> {
    let poller = Poller::new()?;
    let mut events = Events::with_capacity(1);
    let timeout = Duration::from_micros(50);
    let mut measure = || {
        let start = Instant::now();
        poller
            .wait(&mut events, Some(timeout))
            .map(|()| start.elapsed())
    };
    // The best of many, since a busy machine may keep any one of them.
    let shortest = (0..200)
        .map(|_| measure())
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .min();
    assert!(shortest < Some(Duration::from_micros(900)), "{shortest:?}");
    Ok(())
}

#[test]
fn very_long_timeouts_are_accepted() -> io::Result<()> {
    let poller = Poller::new()?;
    let (here, _there) = UnixStream::pair()?;
    poller.add(here.as_raw_fd(), WRITE)?;
    let mut events = Events::with_capacity(1);
    for timeout in [
        Duration::from_secs(u64::MAX),
        Duration::MAX,
        Duration::from_secs(u64::from(u32::MAX)),
    ] {
        poller.wait(&mut events, Some(timeout))?;
        assert_eq!(events.len(), 1, "{timeout:?}");
    }
    Ok(())
}

#[test]
fn a_signal_interrupts_a_wait() -> io::Result<()> {
    extern "C" fn ignore(_signal: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = ignore;
    // SAFETY: the handler does nothing, which is safe at any point of any thread.
    let previous = unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    assert_ne!(previous, libc::SIG_ERR);

    for timeout in [None, Some(Duration::from_nanos(3_600_000_000_001))] {
        let poller = Poller::new()?;
        let waiting = thread::spawn(move || poller.wait(&mut Events::with_capacity(1), timeout));
        while !waiting.is_finished() {
            // SAFETY: a thread that has not been joined has a valid identifier.
            let outcome = unsafe { libc::pthread_kill(waiting.as_pthread_t(), libc::SIGUSR1) };
            assert_eq!(outcome, 0);
            thread::yield_now();
        }
        let outcome = waiting.join().expect("the thread only waits");
        assert_eq!(
            outcome.map_err(|error| error.kind()),
            Err(ErrorKind::Interrupted)
        );
    }
    Ok(())
}
