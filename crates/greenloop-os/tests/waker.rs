//! How a wake-up reaches a wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::Duration;

use greenloop_core::Interest;
use greenloop_os::{Event, Events, Poller, Waker};
use rustix::io::{FdFlags, fcntl_getfd};

/// A poller with a registered waker.
fn poller_and_waker() -> io::Result<(Poller, Waker)> {
    let poller = Poller::new()?;
    let waker = Waker::new()?;
    poller.add(
        waker.as_fd().as_raw_fd(),
        Interest {
            read: true,
            write: false,
        },
    )?;
    Ok((poller, waker))
}

fn is_awake(poller: &Poller) -> io::Result<bool> {
    let mut events = Events::with_capacity(1);
    poller.wait(&mut events, Some(Duration::ZERO))?;
    Ok(!events.is_empty())
}

#[test]
fn a_wake_up_stays_until_it_is_drained() -> io::Result<()> {
    let (poller, waker) = poller_and_waker()?;
    assert!(!is_awake(&poller)?);
    waker.wake();
    assert!(is_awake(&poller)?);
    assert!(is_awake(&poller)?);
    waker.drain();
    assert!(!is_awake(&poller)?);
    Ok(())
}

#[test]
fn many_wake_ups_are_one() -> io::Result<()> {
    let (poller, waker) = poller_and_waker()?;
    (0..1000).for_each(|_| waker.wake());
    waker.drain();
    assert!(!is_awake(&poller)?);
    waker.wake();
    assert!(is_awake(&poller)?);
    Ok(())
}

#[test]
fn neither_waking_nor_draining_ever_blocks() -> io::Result<()> {
    let (poller, waker) = poller_and_waker()?;
    waker.drain();
    assert!(!is_awake(&poller)?);
    // As many wake-ups as the counter holds, `eventfd(2)`: the next cannot be added to it.
    rustix::io::write(&waker, &(u64::MAX - 1).to_ne_bytes())?;
    waker.wake();
    assert!(is_awake(&poller)?);
    waker.drain();
    assert!(!is_awake(&poller)?);
    Ok(())
}

#[test]
fn another_thread_ends_a_wait_that_has_no_end() -> io::Result<()> {
    let (poller, waker) = poller_and_waker()?;
    let fd = waker.as_fd().as_raw_fd();
    let mut events = Events::with_capacity(4);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| waker.wake());
            poller.wait(&mut events, None)?;
            let expected = Event {
                fd,
                mark: 0,
                readable: true,
                writable: false,
                exceptional: false,
            };
            assert_eq!(events.iter().collect::<Vec<_>>(), [expected]);
            waker.drain();
        }
        Ok(())
    })
}

#[test]
fn descriptors_are_closed_on_exec() -> io::Result<()> {
    assert!(fcntl_getfd(&Waker::new()?)?.contains(FdFlags::CLOEXEC));
    Ok(())
}

#[test]
fn a_waker_can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Waker>();
    check::<Poller>();
}
