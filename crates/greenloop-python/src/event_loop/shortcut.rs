//! When the ready queue may be used directly, and when the loop's methods must be called by name.
//!
//! Futures and tasks push into our ready queue instead of calling `loop.call_soon`. That is right only
//! as long as nobody could tell: a subclass that overrides `call_soon`, a test that replaces it on the
//! instance, debug mode (which checks threads and keeps tracebacks) and a closed loop (which refuses)
//! must all see the call. One flag, [`EventLoop::is_fast`], says so, and every change of a reason
//! derives it anew.

use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::EventLoop;
use crate::interop::making::ByName as _;
use crate::interop::{Raised, Result};

/// The methods that a short cut stands for.
const SHORT_CUT: [&str; 3] = ["call_soon", "get_debug", "call_exception_handler"];

/// The method that tells the time, for which [`EventLoop::now`](greenloop_core::Host::now) stands.
const TIME: &str = "time";

/// The method that makes tasks, for which [`Task::spawn`](crate::task::Task::spawn) stands.
const TASKS: &str = "create_task";
/// The methods by which transports listen to their descriptors, and in whose stead the native one asks
/// for readiness itself.
const READINESS: [&str; 4] = [
    "_add_reader",
    "_add_writer",
    "_remove_reader",
    "_remove_writer",
];

/// The methods by which asyncio makes connections of what a listening socket takes, in whose stead the
/// native ones do.
const SERVING: [&str; 5] = [
    "_accept_connection",
    "_accept_connection2",
    "_ensure_fd_no_transport",
    "_make_socket_transport",
    "_open_socket_transport",
];

/// The public class whose methods are the ones the short cuts stand for.
static PUBLIC_CLASS: OnceLock<Py<PyType>> = OnceLock::new();

impl EventLoop {
    /// Whether the ready queue may be used without calling `call_soon`.
    #[inline]
    pub fn is_fast(&self) -> bool {
        self.fast.get()
    }

    /// Whether a task may be made without calling `create_task`: nobody has a say in it.
    #[inline]
    pub fn makes_native_tasks(&self) -> bool {
        let factory = self.task_factory.is_empty() || self.eager_tasks.get();
        self.is_fast() && factory && !self.own_tasks.get()
    }

    /// Whether tasks begin in their creator's turn, because the task factory says so.
    #[inline]
    pub fn starts_eagerly(&self) -> bool {
        self.eager_tasks.get()
    }

    /// Whether somebody wants to see how descriptors are watched, which native listeners do not show.
    pub fn shows_readiness(&self) -> bool {
        self.own_readiness.get()
    }

    /// Whether connections may be taken without calling `_accept_connection`: nobody has a say in it, nor
    /// in the task that asyncio makes for each.
    pub fn accepts_natively(&self) -> bool {
        let replaced = self.own_serving.get() || self.shows_readiness();
        self.makes_native_tasks() && !self.starts_eagerly() && !replaced
    }

    /// Derives [`is_fast`](Self::is_fast) from what it depends on.
    pub(super) fn update_fast(&self) {
        self.fast.set(
            self.initialised.get()
                && !self.closed.get()
                && !self.debug.get()
                && !self.overridden.get(),
        );
    }

    /// Looks whether `class` overrides what a short cut stands for.
    pub(super) fn detect_overrides(&self, class: &Bound<'_, PyType>) -> PyResult<()> {
        let py = class.py();
        let Some(public) = PUBLIC_CLASS.get() else {
            return Ok(());
        };
        let public = public.bind(py);
        if class.is(public) {
            return Ok(());
        }
        let differs =
            |name: &str| -> PyResult<bool> { Ok(!class.look_up(name)?.is(&public.look_up(name)?)) };
        for name in SHORT_CUT {
            if differs(name)? {
                self.overridden.set(true);
            }
        }
        for name in READINESS {
            if differs(name)? {
                self.own_readiness.set(true);
            }
        }
        for name in SERVING {
            if differs(name)? {
                self.own_serving.set(true);
            }
        }
        self.own_time.set(differs(TIME)?);
        self.own_tasks.set(differs(TASKS)?);
        self.update_fast();
        Ok(())
    }

    fn note_attribute(&self, name: &str) {
        if SHORT_CUT.contains(&name) {
            self.overridden.set(true);
            self.update_fast();
        } else if name == TIME {
            self.own_time.set(true);
        } else if name == TASKS {
            self.own_tasks.set(true);
        } else if READINESS.contains(&name) {
            self.own_readiness.set(true);
        } else if SERVING.contains(&name) {
            self.own_serving.set(true);
        }
    }
}

#[pymethods]
impl EventLoop {
    /// Names the class whose methods are the original ones, once, when it is defined.
    #[staticmethod]
    fn _set_public_class(class: Bound<'_, PyType>) -> PyResult<()> {
        super::install_methods(&class)?;
        let _ = PUBLIC_CLASS.get_or_init(|| class.unbind());
        Ok(())
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        set_attribute(slf, name, value.as_ptr())?;
        // What is no text that Rust could read is none of the names.
        if let Some(name) = name
            .cast::<PyString>()
            .ok()
            .and_then(|name| name.to_str().ok())
        {
            slf.get().note_attribute(name);
        }
        Ok(())
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(set_attribute(slf, name, std::ptr::null_mut())?)
    }
}

/// `object.__setattr__(this, name, value)`, or `object.__delattr__(this, name)` for null.
fn set_attribute(
    this: &Bound<'_, EventLoop>,
    name: &Bound<'_, PyAny>,
    value: *mut ffi::PyObject,
) -> Result<()> {
    // SAFETY: all are valid objects, or null for the value. A name that is no string is refused.
    let code = unsafe { ffi::PyObject_GenericSetAttr(this.as_ptr(), name.as_ptr(), value) };
    if code < 0 { Err(Raised) } else { Ok(()) }
}
