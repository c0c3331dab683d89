//! Signals of the operating system.

use std::fmt;
use std::io;
use std::os::unix::net;

use futures_io::AsyncRead as _;
use signal_hook::SigId;
use signal_hook::consts::{FORBIDDEN, SIGINT};

use crate::net::UnixStream;

/// Waits for Ctrl-C (`SIGINT`), once. From the first call on it no longer ends the process.
///
/// *Cancel safety:* a Ctrl-C that comes while no task waits is not kept; for that use a [`Signal`].
///
/// # Errors
/// As [`Signal::new`].
///
/// ```no_run
/// greenloop::run(async {
///     greenloop::ctrl_c().await.unwrap();
///     println!("good-bye");
/// });
/// ```
pub async fn ctrl_c() -> io::Result<()> {
    Signal::new(SIGINT)?.recv().await
}

/// Receives one of the operating system's signals: `loop.add_signal_handler`.
///
/// ```no_run
/// use greenloop::Signal;
///
/// greenloop::run(async {
///     let mut terminated = Signal::new(15)?;
///     terminated.recv().await?;
///     println!("asked to end");
///     std::io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
pub struct Signal {
    number: i32,
    /// The other end is written to by the signal's handler.
    arrivals: UnixStream,
    registration: SigId,
}

impl Signal {
    /// Listens to the signal of that number from now on, beside all other listeners. The signal
    /// loses its default action, such as ending the process, even after this is dropped.
    ///
    /// # Errors
    /// `InvalidInput` for a signal that cannot be handled, as `SIGKILL`, or must not, as
    /// `SIGSEGV`; those of `sigaction(2)`; and if the process has no descriptor left.
    ///
    /// # Panics
    /// Outside of [`run`](crate::run).
    ///
    /// ```
    /// greenloop::run(async {
    ///     assert!(greenloop::Signal::new(9).is_err());
    /// });
    /// ```
    #[track_caller]
    pub fn new(number: i32) -> io::Result<Self> {
        if FORBIDDEN.contains(&number) {
            let text = format!("signal {number} cannot be handled");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let (arrivals, handler) = net::UnixStream::pair()?;
        arrivals.set_nonblocking(true)?;
        let arrivals = UnixStream::new(arrivals)?;
        let registration = signal_hook::low_level::pipe::register(number, handler)?;
        Ok(Self {
            number,
            arrivals,
            registration,
        })
    }

    /// Waits for the signal. Several that came since the last call may count as one.
    ///
    /// *Cancel safety:* one that comes while no task waits is kept for the next call.
    ///
    /// # Errors
    /// Those of reading from a Unix socket, of which none is known to occur.
    ///
    /// ```
    /// greenloop::run(async {
    ///     let mut signal = greenloop::Signal::new(12)?; // SIGUSR2
    ///     let process = std::process::id().to_string();
    ///     std::process::Command::new("kill").args(["-s", "USR2", &process]).status()?;
    ///     signal.recv().await
    /// })
    /// # .unwrap();
    /// ```
    pub async fn recv(&mut self) -> io::Result<()> {
        let mut bytes = [0; 64];
        let read = std::future::poll_fn(|context| {
            std::pin::Pin::new(&mut self.arrivals).poll_read(context, &mut bytes)
        });
        read.await.map(drop)
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.registration);
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signal")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
