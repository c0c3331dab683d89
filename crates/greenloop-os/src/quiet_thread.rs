//! Threads that no signal is delivered to.
//!
//! A signal that is sent to the process may be delivered to any of its threads that does not block
//! it (`signal(7)`). One that a helper thread receives interrupts no system call of the thread that
//! waits for it, such as that of an event loop.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread::{Builder, JoinHandle};

/// How much stack such a thread has: it does little.
const STACK_SIZE: usize = 256 * 1024;

/// Runs `body` in a new thread, named `name`, which blocks all signals. Fails if the system has no
/// thread left.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    // A new thread inherits the mask (`pthread_sigmask(3)`), and so has it from its beginning.
    let before = block_all();
    let spawned = Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_SIZE)
        .spawn(body);
    restore(&before);
    spawned
}

/// Blocks all signals in this thread, and returns the mask before.
fn block_all() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: both sets are written before they are read: the calls fail only for an invalid
    // argument.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

fn restore(mask: &libc::sigset_t) {
    // SAFETY: the mask is one that the thread had.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mask of the calling thread.
    fn mask() -> libc::sigset_t {
        let mask = block_all();
        restore(&mask);
        mask
    }

    fn blocks(mask: &libc::sigset_t, signal: libc::c_int) -> bool {
        // SAFETY: the set is valid, and so is the number.
        unsafe { libc::sigismember(mask, signal) == 1 }
    }

    #[test]
    fn it_blocks_signals_and_its_maker_goes_on_receiving_them() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = spawn("quiet", move || {
            sender
                .send((
                    blocks(&mask(), libc::SIGINT),
                    std::thread::current().name() == Some("quiet"),
                ))
                .expect("the receiver waits");
        });
        assert_eq!(receiver.recv(), Ok((true, true)));
        thread
            .expect("there are threads")
            .join()
            .expect("it returned");
        assert!(!blocks(&mask(), libc::SIGINT));
    }
}
