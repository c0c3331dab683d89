//! The error of a task that has no output.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Why a task has no output: it was aborted, or it panicked.
///
/// ```
/// let error = greenloop::run(async {
///     let task = greenloop::spawn(std::future::pending::<()>());
///     task.abort();
///     task.await.unwrap_err()
/// });
/// assert!(error.is_cancelled());
/// ```
pub struct JoinError {
    /// Nothing if the task was aborted.
    panic: Option<Panic>,
}

struct Panic {
    text: Option<String>,
    /// The payload of the panic. The mutex, for which no thread ever waits, makes the error `Sync`.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl JoinError {
    pub(crate) const fn cancelled() -> Self {
        Self { panic: None }
    }

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self {
            panic: Some(Panic {
                text: text.map(String::from),
                payload: Mutex::new(payload),
            }),
        }
    }

    /// Whether the task was aborted, or its loop ended before it did.
    ///
    /// ```
    /// # greenloop::run(async {
    /// let task = greenloop::spawn(async {});
    /// task.abort();
    /// assert!(task.await.is_err_and(|error| error.is_cancelled()));
    /// # });
    /// ```
    pub const fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }

    /// Whether the task panicked.
    ///
    /// ```
    /// # greenloop::run(async {
    /// let task = greenloop::spawn(async { panic!("no more") });
    /// assert!(task.await.is_err_and(|error| error.is_panic()));
    /// # });
    /// ```
    pub const fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// Resumes the task's panic in the caller, or returns `self` if there was none.
    ///
    /// ```should_panic
    /// # greenloop::run(async {
    /// let task = greenloop::spawn(async { panic!("no more") });
    /// if let Err(error) = task.await {
    ///     let _aborted = error.resume_panic();
    /// }
    /// # });
    /// ```
    #[must_use = "what comes back says that the task was aborted"]
    pub fn resume_panic(self) -> Self {
        match self.panic {
            Some(panic) => {
                let payload = panic.payload.into_inner();
                std::panic::resume_unwind(payload.unwrap_or_else(PoisonError::into_inner))
            }
            None => self,
        }
    }

    /// The text of the panic, if it has one.
    fn text(&self) -> Option<&str> {
        self.panic.as_ref()?.text.as_deref()
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.panic, self.text()) {
            (None, _) => formatter.write_str("the task was cancelled"),
            (Some(_), Some(text)) => write!(formatter, "the task panicked: {text}"),
            (Some(_), None) => formatter.write_str("the task panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.panic, self.text()) {
            (None, _) => formatter.write_str("JoinError::Cancelled"),
            (Some(_), text) => write!(formatter, "JoinError::Panic({:?})", text.unwrap_or("..")),
        }
    }
}

impl Error for JoinError {}
