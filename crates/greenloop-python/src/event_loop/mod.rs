//! `EventLoop`: the native base of the loop class that Python sees.
//!
//! The state is divided by the threads that may touch it. The [`Scheduler`] and the watched
//! descriptors belong to the thread that holds the GIL, which is nearly always the loop's own. Only
//! the [`Waker`](greenloop_os::Waker) and the inbox are for threads without it. Policy (exception
//! handlers, task factories, executors) is Python, in the subclass `greenloop.EventLoop`: nothing
//! there is on a hot path.
//!
//! Each capability has its own file with its methods: a newcomer reads `scheduling`, `timers` and
//! `readiness` (what programs call), `running` and `turn` (what the loop does), then `shortcut`.
//! PyO3 makes the class; `install_methods` adds the methods that are called most.
//!
//! ```text
//!   run_forever ──► turn (greenloop-core) ──► Host for EventLoop ──► poll: poller, waker, inbox
//!                                                               └──► run: one job, then end_of_job
//! ```
//!
//! This file exports the items that other rooms may use; the capabilities use each other's fields,
//! which are private to this room. A field in a `Cell` is copied in and out; a `GilCell` is
//! borrowed for a moment in which no Python code runs; a `RefCell` is borrowed across a poll, and
//! code that finds it borrowed gives up.

mod call;
mod diagnostics;
mod elsewhere;
mod end_of_job;
mod figures;
mod inbox;
mod job_call;
mod lifecycle;
mod loop_ref;
mod other_threads;
mod overrides;
mod polling;
mod private_names;
mod readiness;
mod running;
mod scheduling;
mod shortcut;
mod simulation;
mod spare_bytes;
mod timers;
mod turn;
mod watches;

use std::cell::{Cell, RefCell};
use std::mem::MaybeUninit;
use std::ptr;

use greenloop_cpython::{GilCell, Object, Slot, attached};
use greenloop_os::Events;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::future::Future;
use crate::observing::Lag;
use crate::scheduler::Scheduler;

pub use figures::{Figures, running_loops};
pub use inbox::{Inbox, Message};
pub use job_call::make_class as make_job_call_class;
pub use loop_ref::{LoopInstance, LoopRef};
pub use polling::os_error;
pub use scheduling::{install_methods, set_eager_task_factories, set_further_methods};
pub use turn::alarm_handle;
pub use watches::Side;

use end_of_job::EndOfJob;
use inbox::OwnInbox;
use overrides::{Overrides, SeenClasses};
use polling::Polling;
use running::ThreadSettings;
use simulation::Simulation;
use spare_bytes::SpareBytes;
use watches::Watches;

/// The native base class of `greenloop.EventLoop`; not for use by itself.
#[pyclass(subclass, frozen, module = "greenloop._native", name = "EventLoop")]
pub struct EventLoop {
    /// The part that handles, futures, awaitables and tasks use: the jobs that wait to be run, and
    /// the state of the run.
    pub(crate) scheduler: Scheduler,
    /// The descriptors with a reader or a writer.
    watches: GilCell<Watches>,
    /// Empty once the loop is closed: a closed loop keeps no descriptors. Borrowed during a poll,
    /// and for moments in which no Python code runs.
    polling: RefCell<Option<Polling>>,
    /// The messages of threads without the GIL to the loop.
    inbox: OwnInbox,
    /// The function by which the loop waits, where the process has replaced asyncio's selector.
    select_elsewhere: Slot,
    /// The poller's answers, kept for the next poll. Borrowed during one poll only.
    events: RefCell<Events>,
    /// The buffer that transports receive into before they know the amount.
    received: GilCell<Vec<u8>>,
    /// The object that they receive into when the amount is large.
    pub(crate) spare: SpareBytes,
    /// The functions to call when the present job is done.
    pub(crate) end_of_job: EndOfJob,
    /// Cleared by a program that does not want a job's writes to be joined.
    pub(crate) joins_writes: Cell<bool>,
    /// How much `sock_recv` received the last time.
    pub(crate) received_last: Cell<usize>,
    /// Set while the loop's thread waits in the poller without the GIL; only then do other threads
    /// have to wake it.
    asleep: Cell<bool>,
    /// Set during a poll, in which signal handlers may run.
    in_poll: Cell<bool>,
    closed: Cell<bool>,
    /// Set by `__init__`: a subclass that forgot to call it gets an error instead of half a loop.
    initialised: Cell<bool>,
    /// The methods bypassed by short cuts that the class overrides; see [`overrides`].
    in_class: Cell<Overrides>,
    /// Those of them that were set as attributes of the loop itself.
    in_instance: Cell<Overrides>,
    /// Both together.
    overrides: Cell<Overrides>,
    /// The versions of the classes when they were looked at.
    seen: SeenClasses,
    /// Set when `Handle._run` was replaced; all jobs are run by it then.
    runs_handles_by_name: Cell<bool>,
    /// Derived from those above: each job has to be visible as a handle.
    observed: Cell<bool>,
    /// Derived from those above: a turn needs more work than running it.
    unusual: Cell<bool>,
    /// The clock's resolution in seconds, which a test may change.
    resolution: Cell<f64>,
    /// The settings to restore when the loop has run.
    settings: ThreadSettings,
    /// The argument of `set_task_factory`, or empty or None.
    task_factory: Slot,
    /// Set if the task factory is asyncio's or our `eager_task_factory`, which needs no call.
    eager_tasks: Cell<bool>,
    /// In debug mode the handle that runs now.
    current_handle: Slot,
    /// How long input has to wait, for those who watch.
    lag: Lag,
    /// Set while the loop is simulated: its turns have the order of a schedule.
    is_simulated: Cell<bool>,
    /// That schedule, and what a simulated run needs beside it.
    simulation: GilCell<Option<Box<Simulation>>>,
}

// SAFETY: everything but the waker, which is thread-safe by itself, is touched with the GIL held
// only.
unsafe impl Send for EventLoop {}
// SAFETY: shared references lead to the same fields, which the GIL guards.
unsafe impl Sync for EventLoop {}

#[pymethods]
impl EventLoop {
    /// Arguments are for the `__init__` of a subclass.
    #[new]
    #[pyo3(signature = (*_args, **_keywords))]
    fn new(_args: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Ok(Self {
            scheduler: Scheduler::new(),
            watches: GilCell::new(Watches::default()),
            polling: RefCell::new(Some(Polling::open()?)),
            inbox: OwnInbox::default(),
            select_elsewhere: Slot::empty(),
            events: RefCell::new(Events::with_capacity(1024)),
            received: GilCell::new(Vec::new()),
            spare: SpareBytes::new(),
            end_of_job: EndOfJob::new(),
            joins_writes: Cell::new(true),
            received_last: Cell::new(0),
            asleep: Cell::new(false),
            in_poll: Cell::new(false),
            closed: Cell::new(false),
            initialised: Cell::new(false),
            in_class: Cell::new(Overrides::NONE),
            in_instance: Cell::new(Overrides::NONE),
            overrides: Cell::new(Overrides::NONE),
            seen: SeenClasses::nothing(),
            runs_handles_by_name: Cell::new(false),
            observed: Cell::new(false),
            unusual: Cell::new(false),
            resolution: Cell::new(greenloop_os::resolution()),
            settings: ThreadSettings::unchanged(),
            task_factory: Slot::empty(),
            eager_tasks: Cell::new(false),
            current_handle: Slot::empty(),
            lag: Lag::unknown(),
            is_simulated: Cell::new(false),
            simulation: GilCell::new(None),
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // While turns are run the loop is alive, and so is all that waits in it: there is nothing
        // to find, and a long queue would have to be walked in each collection.
        if self.scheduler.is_turning() {
            return Ok(());
        }
        self.scheduler.visit(&visit)?;
        self.watches.with(|watches| watches.visit(&visit))?;
        self.simulation.with(|simulation| {
            let mut simulation = simulation.iter();
            simulation.try_for_each(|simulation| simulation.visit(&visit))
        })?;
        for slot in [
            &self.current_handle,
            &self.task_factory,
            &self.settings.hooks,
            &self.select_elsewhere,
        ] {
            if let Some(object) = slot.get() {
                visit.call(object.as_py())?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.discard_everything();
    }
}

impl EventLoop {
    /// The native part of `object`, if it is one of our loops.
    ///
    /// Subclasses count. Costs a test of the class, with a walk along its bases for a subclass.
    #[inline]
    pub fn of(object: &Object) -> Option<&Self> {
        let py = attached();
        object.as_py().bind(py).cast::<Self>().ok().map(Bound::get)
    }

    /// The scheduler of `object`, if it is one of our loops.
    pub fn scheduler_of(object: &Object) -> Option<&Scheduler> {
        Self::of(object).map(|native| &native.scheduler)
    }

    /// The loop of a future of ours, if it is one of our loops.
    #[inline]
    pub fn of_future(future: &Future) -> Option<&Self> {
        future.native_loop()?;
        let held = future.event_loop().get()?;
        // SAFETY: the future has a scheduler, so the loop that it holds is the one that embeds it,
        // and it holds that loop as long as it lives.
        unsafe {
            let event_loop = held.as_py().bind(attached()).cast_unchecked::<Self>();
            ptr::from_ref(event_loop.get()).as_ref()
        }
    }

    /// Runs `receive` on the first `size` bytes of the loop's buffer for that. It runs no Python
    /// code.
    ///
    /// The buffer keeps its memory, so usually nothing is allocated. Its bytes count as
    /// uninitialised.
    #[inline]
    pub fn receive<R>(&self, size: usize, receive: impl FnOnce(&mut [MaybeUninit<u8>]) -> R) -> R {
        self.received.with(|buffer| {
            buffer.reserve(size);
            receive(&mut buffer.spare_capacity_mut()[..size])
        })
    }

    /// As [`receive`](Self::receive), for a function that may run Python code: the buffer is lent
    /// to it, and a nested receive gets another one.
    #[inline]
    pub fn receive_lent<R>(
        &self,
        size: usize,
        receive: impl FnOnce(&mut [MaybeUninit<u8>]) -> R,
    ) -> R {
        let mut buffer = self.received.with(std::mem::take);
        buffer.reserve(size);
        let result = receive(&mut buffer.spare_capacity_mut()[..size]);
        let other = self.received.with(|place| std::mem::replace(place, buffer));
        drop(other);
        result
    }

    /// Whether the operating system is being asked, so that no job runs.
    ///
    /// Signal handlers run in that time, and see no job half done.
    pub fn is_polling(&self) -> bool {
        self.in_poll.get()
    }

    /// Takes every job and watch out, then drops them.
    ///
    /// Each is taken out before it is dropped, as dropping may run code that uses the loop.
    fn discard_everything(&self) {
        let jobs = self.scheduler.take_jobs();
        let watches = self.watches.with(std::mem::take);
        drop((jobs, watches, self.current_handle.take()));
        drop(self.task_factory.take());
        drop(self.select_elsewhere.take());
        drop(self.take_simulation());
    }
}
