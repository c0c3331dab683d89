//! The options of a runtime.

use std::io;
use std::rc::Rc;

use super::clock::Clock;
use super::{EventLoop, Runtime};

/// Makes a [`Runtime`]; from [`Runtime::builder`].
///
/// ```
/// let runtime = greenloop::Runtime::builder().virtual_clock().seed(7).build()?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder makes nothing before `build`"]
pub struct Builder {
    virtual_clock: bool,
    seed: Option<u64>,
}

impl Builder {
    pub(super) const fn new() -> Self {
        Self {
            virtual_clock: false,
            seed: None,
        }
    }

    /// Gives the runtime its own clock, which begins at zero, stands still while anything runs, and
    /// jumps to the next deadline when all tasks wait. A test of timeouts takes no time with it,
    /// and never depends on how fast the machine is.
    ///
    /// The clock also stands still while [`spawn_blocking`](crate::spawn_blocking) has work in
    /// another thread. It ignores all other events outside, on sockets and in other threads: a
    /// deadline comes before a message that has not arrived yet.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = greenloop::Runtime::builder().virtual_clock().build()?;
    /// let slept = runtime.run(async {
    ///     let start = greenloop::now();
    ///     greenloop::sleep(Duration::from_secs(86_400)).await;
    ///     greenloop::now() - start
    /// });
    /// assert_eq!(slept, Duration::from_secs(86_400));
    /// # std::io::Result::Ok(())
    /// ```
    pub const fn virtual_clock(mut self) -> Self {
        self.virtual_clock = true;
        self
    }

    /// Draws the order of the tasks that are ready in the same turn at random, instead of first in,
    /// first out. The same seed gives the same order again, in the same version of this crate: a
    /// test that fails with one seed of many can be repeated.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let order_of = |seed| {
    ///     let runtime = greenloop::Runtime::builder().seed(seed).build().unwrap();
    ///     let order = Rc::new(RefCell::new(Vec::new()));
    ///     for number in 0..10 {
    ///         let order = order.clone();
    ///         drop(runtime.spawn(async move { order.borrow_mut().push(number) }));
    ///     }
    ///     runtime.run(greenloop::yield_now());
    ///     order.take()
    /// };
    /// assert_eq!(order_of(1), order_of(1));
    /// assert_ne!(order_of(1), order_of(2));
    /// ```
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    /// If the process or the system has no descriptor left.
    ///
    /// ```
    /// let runtime = greenloop::Runtime::builder().build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn build(&self) -> io::Result<Runtime> {
        let clock = if self.virtual_clock {
            Clock::new_virtual()
        } else {
            Clock::System
        };
        let event_loop = Rc::new(EventLoop::new(clock, self.seed)?);
        Ok(Runtime { event_loop })
    }
}
