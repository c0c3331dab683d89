//! The decision whether the ready queue is used directly or the loop's methods are called by name.
//!
//! Futures and tasks push into our ready queue instead of calling `loop.call_soon`. That is right
//! only while the difference is not observable: a subclass that overrides `call_soon`, a test that
//! replaces it on the instance or on a class, debug mode (which checks threads and keeps
//! tracebacks) and a closed loop (which refuses) must all see the call. One flag of the scheduler,
//! [`is_fast`](crate::scheduler::Scheduler::is_fast), holds the decision, and every change of a
//! reason derives it anew.
//!
//! An override in the instance is noticed when it is set. The classes (ours, a subclass, and
//! asyncio's below) are inspected when the loop is made and whenever a turn begins after one of
//! them was changed ([`EventLoop::is_as_seen`]). The package (`greenloop.hooks`) then copies
//! wrappers that tracing products put around the methods of `asyncio.BaseEventLoop` into our class.
//! If `Handle._run` was replaced, all jobs are run by it.
//!
//! ```text
//!   a method is replaced ── on the loop: __setattr__ ──────────────────────┐
//!                        └─ on a class: its version changes ─ look_again ──┴─► overrides
//!   overrides, debug mode, open and closed ─────────────────► fast, observed, unusual
//! ```
//! A class's version is CPython's type version tag (`Objects/typeobject.c`), which every change of
//! the class or of a base of it makes invalid. Comparing three of them at the beginning of a turn
//! costs three loads. So a change is noticed before the next turn, and while no turns are run at
//! the next call of a native method.

use std::sync::OnceLock;

use greenloop_cpython::making::ByName as _;
use greenloop_cpython::{LastingClass, Object, Result, attached, set_plain_attribute};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::EventLoop;
use super::overrides::{METHODS, Overrides};
use crate::asyncio::globals;
use crate::handle;

/// The public class, as it was when it was defined.
struct PublicClass {
    class: Py<PyType>,
    /// The methods that the short cuts bypass, in the order of [`METHODS`].
    originals: Vec<Py<PyAny>>,
    /// Takes over the methods that were put in asyncio's classes; returns whether `Handle._run` was
    /// replaced.
    take_over: Py<PyAny>,
}

static PUBLIC: OnceLock<PublicClass> = OnceLock::new();

impl EventLoop {
    /// Whether a task may be made without calling `create_task`: no override has to see it.
    ///
    /// A task factory that is asyncio's eager one counts as none.
    #[inline]
    pub fn makes_native_tasks(&self) -> bool {
        let factory = self.task_factory.is_empty() || self.eager_tasks.get();
        self.scheduler.is_fast() && factory && !self.overrides.get().has(Overrides::TASKS)
    }

    /// Whether tasks begin in their creator's turn, because the task factory says so.
    #[inline]
    pub fn starts_eagerly(&self) -> bool {
        self.eager_tasks.get()
    }

    /// Whether `time` or `time.monotonic` was replaced, so that only Python can tell when a timer
    /// is due.
    ///
    /// The loop then asks `time()` of its class wherever it needs the time, at the price of a call.
    #[inline]
    pub fn has_own_time(&self) -> bool {
        self.overrides.get().has(Overrides::TIME) || self.scheduler.follows_replaced_clock()
    }

    /// Whether `call_at` or `call_later` was replaced.
    pub(super) fn has_own_deadlines(&self) -> bool {
        self.overrides.get().has(Overrides::TIMERS)
    }

    /// Whether there is more to do for a turn than to run it.
    #[inline]
    pub(super) fn has_unusual_turns(&self) -> bool {
        self.unusual.get()
    }

    /// Whether turns are run by a `_run_once` that is not ours.
    pub(super) fn has_own_turns(&self) -> bool {
        self.overrides.get().has(Overrides::TURNS)
    }

    /// Has the list of asyncio's own functions looked into before the next turn.
    pub(super) fn expect_timers(&self) {
        let arrive = Overrides::TIMERS_ARRIVE;
        self.in_instance.set(self.in_instance.get().with(arrive));
        self.update_overrides();
    }

    /// Takes over the timers of that list.
    pub(super) fn take_arrivals(&self, this: &Object) -> Result<()> {
        let arrive = Overrides::TIMERS_ARRIVE;
        if self.in_instance.get().has(arrive) {
            self.in_instance.set(self.in_instance.get().without(arrive));
            self.update_overrides();
            this.invoke(&globals().names.take_timers, [])?;
        }
        Ok(())
    }

    /// Whether the watching of descriptors has to be visible, which native listeners do not show.
    ///
    /// Transports then go through `_add_reader` and its like, with handles.
    pub fn shows_readiness(&self) -> bool {
        self.overrides.get().has(Overrides::READINESS)
    }

    /// Whether connections may be accepted without calling `_accept_connection`: no override has to
    /// see it, nor the task that asyncio makes for each.
    pub fn accepts_natively(&self) -> bool {
        let replaced = Overrides::SERVING.with(Overrides::READINESS);
        let replaced = self.overrides.get().has(replaced);
        self.makes_native_tasks() && !self.starts_eagerly() && !replaced
    }

    /// Derives the flags of the hot paths from the fields that they depend on.
    pub(super) fn update_fast(&self) {
        self.scheduler.set_fast(
            self.initialised.get()
                && !self.closed.get()
                && !self.scheduler.debug()
                && !self.overrides.get().has(Overrides::CALLS),
        );
        self.observed
            .set(self.scheduler.debug() || self.runs_handles_by_name.get());
    }

    /// Whether no class was changed since [`look_again`](Self::look_again).
    #[inline]
    pub(super) fn is_as_seen(&self, this: &Object) -> bool {
        let [handle, asyncios_handle] = self.seen.handle_classes.get();
        let seen = self.seen.versions.get();
        this.class_version() == seen[0]
            && handle.version() == seen[1]
            && asyncios_handle.version() == seen[2]
    }

    /// Looks which methods were replaced in the classes.
    ///
    /// Runs code of the package, and raises what that raises.
    #[cold]
    pub(super) fn look_again(&self, this: &Object) -> Result<()> {
        let Some(public) = PUBLIC.get() else {
            return Ok(());
        };
        let globals = globals();
        let take_over = public.take_over.bind(attached());
        let replaced = Object::from(take_over.clone()).call([])?;
        // Versions are noted before the look: a change during it is then seen next time.
        let handle = handle::TIMER.lasting();
        let asyncios_handle =
            LastingClass::of(&globals.asyncio.timer_handle).unwrap_or(LastingClass::root());
        let versions = [
            this.assign_class_version()?,
            handle.assign_version()?,
            asyncios_handle.assign_version()?,
        ];
        self.seen.handle_classes.set([handle, asyncios_handle]);
        self.runs_handles_by_name.set(replaced.is_true()?);
        self.in_class.set(in_class(this, public)?);
        self.update_overrides();
        self.seen.versions.set(versions);
        Ok(())
    }

    fn update_overrides(&self) {
        self.overrides
            .set(self.in_class.get().with(self.in_instance.get()));
        let unusual = Overrides::TURNS.with(Overrides::TIMERS_ARRIVE);
        self.unusual.set(self.overrides.get().has(unusual));
        let timers = Overrides::TIME.with(Overrides::TIMERS);
        self.scheduler
            .set_own_timers(self.overrides.get().has(timers));
        self.update_fast();
    }

    /// For a native method: the replacement of the method called `name` made while the loop ran no
    /// turns, which the caller has to call instead.
    #[inline]
    pub(super) fn replacement_when_idle(
        &self,
        this: &Object,
        name: &Object,
    ) -> Result<Option<Object>> {
        if self.scheduler.is_turning() || !self.initialised.get() {
            return Ok(None);
        }
        self.replacement(this, name)
    }

    /// A loop that does not run has no turns in which a change would be noticed, so each method
    /// asks by itself.
    #[cold]
    fn replacement(&self, this: &Object, name: &Object) -> Result<Option<Object>> {
        if self.is_as_seen(this) {
            return Ok(None);
        }
        let Some(public) = PUBLIC.get() else {
            return Ok(None);
        };
        let py = attached();
        let class = Object::from(public.class.bind(py).clone().into_any());
        let is_ours = |found: &Object| found.is_method_of_c();
        // An attribute that was there before the look was called already, if it had to be, and
        // calls us.
        let was_ours = is_ours(&class.attribute(name)?);
        self.look_again(this)?;
        let found = class.attribute(name)?;
        Ok((was_ours && !is_ours(&found)).then_some(found))
    }
}

/// Which methods the class of a loop has from elsewhere than from the public class.
fn in_class(this: &Object, public: &PublicClass) -> Result<Overrides> {
    let py = attached();
    let class = this.bound(py).get_type();
    let mut overrides = Overrides::NONE;
    for ((name, group), original) in METHODS.into_iter().zip(&public.originals) {
        if !class.look_up(name)?.is(original) {
            overrides = overrides.with(group);
        }
    }
    Ok(overrides)
}

/// The methods in the `__dict__` of a loop.
fn in_instance(this: &Bound<'_, EventLoop>) -> Result<Overrides> {
    let attributes = this.look_up(c"__dict__")?;
    let mut overrides = Overrides::NONE;
    for (name, group) in METHODS {
        if attributes.has(name)? {
            overrides = overrides.with(group);
        }
    }
    Ok(overrides)
}

#[pymethods]
impl EventLoop {
    /// Name the class whose methods are the original ones, once, when it is defined, and the
    /// function that takes hooks in asyncio's classes over into it.
    #[staticmethod]
    #[pyo3(text_signature = "(class_, take_over, /)")]
    fn _set_public_class(class: Bound<'_, PyType>, take_over: Bound<'_, PyAny>) -> PyResult<()> {
        super::install_methods(&class)?;
        let original = |(name, _)| class.look_up(name).map(Bound::unbind);
        let public = PublicClass {
            originals: METHODS.map(original).into_iter().collect::<Result<_>>()?,
            class: class.unbind(),
            take_over: take_over.unbind(),
        };
        let _ = PUBLIC.get_or_init(|| public);
        Ok(())
    }

    /// Return the names of those methods that short cuts bypass and that this loop has from
    /// elsewhere: a subclass, a program that replaced them, the instance. For reports.
    fn _overridden_methods(slf: &Bound<'_, Self>) -> PyResult<Vec<&'static str>> {
        let Some(public) = PUBLIC.get() else {
            return Ok(Vec::new());
        };
        let class = slf.get_type();
        let attributes = slf.look_up(c"__dict__")?;
        let mut names = Vec::new();
        for ((name, _), original) in METHODS.into_iter().zip(&public.originals) {
            if !class.look_up(name)?.is(original) || attributes.has(name)? {
                names.extend(name.to_str());
            }
        }
        Ok(names)
    }

    /// Whether short cuts are taken: the loop is open, and neither debug mode nor an override has
    /// to see each call. For reports.
    #[getter]
    fn _takes_short_cuts(&self) -> bool {
        self.scheduler.is_fast()
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        set_plain_attribute(slf, name, Some(value))?;
        if let Some(group) = group_of(name) {
            let this = slf.get();
            this.in_instance.set(this.in_instance.get().with(group));
            this.update_overrides();
        }
        Ok(())
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        set_plain_attribute(slf, name, None)?;
        if group_of(name).is_some() {
            let this = slf.get();
            let arrive = this.in_instance.get().only(Overrides::TIMERS_ARRIVE);
            this.in_instance.set(in_instance(slf)?.with(arrive));
            this.update_overrides();
        }
        Ok(())
    }
}

/// The group of the method called `name`. A string that Rust cannot read is no method's name.
fn group_of(name: &Bound<'_, PyAny>) -> Option<Overrides> {
    let name = name.cast::<PyString>().ok()?.to_str().ok()?;
    let mut methods = METHODS.into_iter();
    methods
        .find(|(method, _)| method.to_bytes() == name.as_bytes())
        .map(|(_, group)| group)
}
