//! The loop, which is the host of the core's turn.
//!
//! Only the loop's thread sees it. Other threads see [`Shared`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use greenloop_core::{Host, Instant, Queue, Ready, Wait, turn};
use greenloop_os as os;

use super::alarms::{Alarm, Alarms};
use super::clock::Clock;
use super::job::{Job, Kind};
use super::reactor::Reactor;
use crate::remote::{Message, Shared};
use crate::task::{BoxedWork, Key, Table, Task};
use crate::waiting::WakeTarget;

type Call = Box<dyn FnOnce() + Send>;

/// See the module's text.
pub struct EventLoop {
    queue: RefCell<Queue<Job>>,
    tasks: Table,
    /// The task whose future is being polled or dropped.
    running: RefCell<Option<Rc<Task>>>,
    alarms: Alarms,
    clock: Clock,
    /// The source of the order of a turn's jobs, unless it is first in, first out.
    order: Option<RefCell<fastrand::Rng>>,
    reactor: Reactor,
    shared: Arc<Shared>,
    /// The requests of other threads; each has a job in the ring.
    calls: RefCell<VecDeque<Call>>,
    /// How many jobs of other threads are awaited, during which a virtual clock stands still.
    blocking_in_flight: Cell<usize>,
}

impl EventLoop {
    pub fn new(clock: Clock, seed: Option<u64>) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(os::Waker::new()?));
        Ok(Self {
            queue: RefCell::new(Queue::new()),
            tasks: Table::default(),
            running: RefCell::new(None),
            alarms: Alarms::default(),
            clock,
            order: seed.map(|seed| RefCell::new(fastrand::Rng::with_seed(seed))),
            reactor: Reactor::new(shared.waker())?,
            shared,
            calls: RefCell::default(),
            blocking_in_flight: Cell::new(0),
        })
    }

    /// The part that other threads see.
    #[inline]
    pub const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[inline]
    pub const fn tasks(&self) -> &Table {
        &self.tasks
    }

    pub const fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The number of awaited jobs in other threads; each waiter counts its own.
    pub const fn blocking_in_flight(&self) -> &Cell<usize> {
        &self.blocking_in_flight
    }

    /// A task with this work.
    #[inline]
    pub fn spawn(self: &Rc<Self>, work: BoxedWork, has_handle: bool) -> Rc<Task> {
        self.tasks.spawn(self, Some(work), has_handle)
    }

    /// Has a task stepped in the next turn. The caller knows that it is not in the ring yet.
    #[inline]
    pub fn push_task(&self, task: Rc<Task>) {
        self.queue.borrow_mut().ready.push(Job::step(task));
    }

    /// Sets an alarm for `sleeper`.
    // Not inlined: it returns the sleep's parts in a register, which else go through memory in
    // pieces, and the processor waits for them.
    #[inline(never)]
    pub fn set_alarm(&self, deadline: Instant, sleeper: WakeTarget) -> Alarm {
        let alarm = self.alarms.set();
        let task = match sleeper {
            WakeTarget::Task(task) => Some(task),
            WakeTarget::Waker(waker) => {
                self.alarms.keep_waker(alarm, waker);
                None
            }
        };
        let job = Job::alarm(alarm, task);
        let dead = {
            let timers = &mut self.queue.borrow_mut().timers;
            timers.push(deadline, job);
            // Not only between turns: one turn may set and give up any number of them.
            if timers.needs_compaction() {
                timers.compact(|job| self.is_dead(job))
            } else {
                Vec::new()
            }
        };
        self.discard(&dead);
        alarm
    }

    /// Whether it is the job of an alarm without a waiter.
    #[inline]
    fn is_dead(&self, job: &Job) -> bool {
        let alarm = job.as_alarm();
        alarm.is_some_and(|alarm| self.alarms.is_dead(alarm))
    }

    /// Jobs of dead alarms have left the heap.
    #[inline]
    fn discard(&self, dead: &[Job]) {
        let alarms = dead.iter().filter_map(Job::as_alarm);
        alarms.for_each(|alarm| self.alarms.forget(alarm));
    }

    /// Whether the time of an alarm has come.
    #[inline]
    pub fn has_rung(&self, alarm: Alarm) -> bool {
        self.alarms.has_rung(alarm)
    }

    /// Nobody waits for an alarm any more.
    #[inline]
    pub fn give_back_alarm(&self, alarm: Alarm) {
        if self.alarms.give_back(alarm) {
            self.queue.borrow_mut().timers.note_cancelled();
        }
    }

    /// The data just sent may be for this loop: the next turn polls.
    pub fn expect_input(&self) {
        self.queue.borrow_mut().budget.expect_input();
    }

    /// Wakes the task of that number, if it is still alive.
    pub fn wake_key(&self, key: Key) {
        if let Some(task) = self.tasks.find(key) {
            Task::wake(task);
        }
    }

    /// The task that is being polled, if `waker` is its own.
    #[inline]
    pub fn running_task(&self, waker: &Waker) -> Option<Rc<Task>> {
        let running = self.running.borrow();
        let task = running.as_ref()?;
        task.waker().will_wake(waker).then(|| Rc::clone(task))
    }

    /// Until the guard is dropped, `task` is the one that runs.
    #[inline]
    pub fn begin_step(&self, task: &Rc<Task>) -> Step<'_> {
        self.reactor.renew_allowance();
        let before = self.running.replace(Some(Rc::clone(task)));
        Step {
            event_loop: self,
            before,
        }
    }

    /// Runs turns until `future` is ready, and the one after that, as asyncio does.
    pub fn run<F: Future>(self: &Rc<Self>, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let mut output = None;
        let mut poll = |context: &mut Context<'_>| match future.as_mut().poll(context) {
            Poll::Ready(value) => {
                output = Some(value);
                true
            }
            Poll::Pending => false,
        };
        let main = MainTask(self.tasks.spawn(self, None, false));
        let driver = Driver {
            event_loop: self,
            poll: RefCell::new(&mut poll),
        };
        {
            let mut queue = self.queue.borrow_mut();
            // An earlier run may have ended with a panic, between the two turns that end it.
            queue.stopping = false;
            queue.budget.begin();
        }
        loop {
            let Ok(()) = turn(&driver);
            let mut queue = self.queue.borrow_mut();
            if queue.stopping {
                queue.stopping = false;
                break;
            }
            queue.stopping = main.0.is_finished();
        }
        drop(main);
        let Some(output) = output else {
            unreachable!("the task is finished when its future is ready");
        };
        output
    }

    /// Drops all that waits, for good.
    pub fn close(&self) {
        self.tasks.close();
        let refused = (self.shared.close(), self.calls.take());
        drop(refused);
        // Dropped jobs may make others ready, but only so often: no task is left to wake.
        loop {
            let (ready, timers) = {
                let mut queue = self.queue.borrow_mut();
                (queue.ready.take(), queue.timers.take())
            };
            if ready.is_empty() && timers.is_empty() {
                break;
            }
        }
    }

    /// Makes the requests of other threads ready.
    fn take_messages(&self) {
        for message in self.shared.take() {
            match message {
                Message::Wake(remote) => {
                    remote.note_taken();
                    self.wake_key(remote.key());
                }
                Message::Call(function) => {
                    self.calls.borrow_mut().push_back(function);
                    self.queue.borrow_mut().ready.push(Job::call());
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.borrow().ready.is_empty()
    }

    /// Asks the operating system, and waits for it no longer than `timeout`.
    fn poll_for(&self, timeout: Option<Duration>) {
        let waits = timeout != Some(Duration::ZERO);
        let timeout = if waits && !self.shared.fall_asleep() {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        let outcome = self.reactor.poll(timeout, self.shared.waker());
        self.take_messages();
        if let Err(error) = outcome {
            // The poller's own descriptor is at fault, and no turn could ever wait again.
            panic!("the operating system cannot be asked what is ready: {error}");
        }
    }
}

/// The task of `run`; the [`Driver`] has its future.
struct MainTask(Rc<Task>);

impl Drop for MainTask {
    fn drop(&mut self) {
        Task::end_main(&self.0);
    }
}

/// While it lives, a task runs.
pub struct Step<'a> {
    event_loop: &'a EventLoop,
    before: Option<Rc<Task>>,
}

impl Drop for Step<'_> {
    #[inline]
    fn drop(&mut self) {
        let before = self.before.take();
        let after = self.event_loop.running.replace(before);
        drop(after);
    }
}

/// A loop in one of its runs, as the core's turn drives it.
struct Driver<'a, 'future> {
    event_loop: &'a EventLoop,
    /// Polls the future of `run`, and returns whether it is ready.
    poll: RefCell<&'a mut (dyn FnMut(&mut Context<'_>) -> bool + 'future)>,
}

impl Driver<'_, '_> {
    #[cold]
    #[inline(never)]
    fn step_main(&self, task: &Rc<Task>) {
        let is_ready = {
            let _running = self.event_loop.begin_step(task);
            let mut poll = self.poll.borrow_mut();
            poll(&mut Context::from_waker(task.waker()))
        };
        if is_ready {
            task.finish_main();
        }
    }
}

impl Host for Driver<'_, '_> {
    type Job = Job;
    type Interrupt = Infallible;

    #[inline]
    fn queue<R>(&self, access: impl FnOnce(&mut Queue<Job>) -> R) -> R {
        access(&mut self.event_loop.queue.borrow_mut())
    }

    #[inline]
    fn now(&self) -> Instant {
        self.event_loop.clock.now()
    }

    #[inline]
    fn horizon(&self, now: Instant) -> Instant {
        self.event_loop.clock.horizon(now)
    }

    fn poll(&self, wait: Wait) -> Result<(), Infallible> {
        let event_loop = self.event_loop;
        event_loop.take_messages();
        let clock = &event_loop.clock;
        if !event_loop.is_idle() {
            event_loop.poll_for(Some(Duration::ZERO));
            return Ok(());
        }
        if event_loop.blocking_in_flight.get() > 0 && clock.is_virtual() {
            // Work in another thread takes time that a virtual clock does not know.
            event_loop.poll_for(if wait == Wait::Now {
                Some(Duration::ZERO)
            } else {
                None
            });
            return Ok(());
        }
        event_loop.poll_for(clock.timeout(wait));
        if let Wait::Until(deadline) = wait {
            if event_loop.is_idle() {
                clock.skip_to(deadline);
            }
        }
        Ok(())
    }

    #[inline]
    fn is_cancelled(&self, job: &Job) -> bool {
        self.event_loop.is_dead(job)
    }

    #[inline]
    fn run(&self, job: &mut Option<Job>) -> Result<(), Infallible> {
        let Some(job) = job.take() else {
            return Ok(());
        };
        match job.into_kind() {
            Kind::Step(task) => {
                if let Some(task) = Task::step(task) {
                    self.step_main(&task);
                }
            }
            Kind::Alarm(alarm, task) => {
                self.event_loop.alarms.ring(alarm);
                Task::wake(task);
            }
            Kind::ForeignAlarm(alarm) => {
                self.event_loop.alarms.ring(alarm);
                if let Some(waker) = self.event_loop.alarms.take_waker(alarm) {
                    waker.wake();
                }
            }
            Kind::Call => {
                let function = self.event_loop.calls.borrow_mut().pop_front();
                if let Some(function) = function {
                    function();
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn arrange(&self, ready: &mut Ready<Job>) {
        if let Some(order) = &self.event_loop.order {
            let mut order = order.borrow_mut();
            for place in (1..ready.len()).rev() {
                ready.swap(place, order.usize(..=place));
            }
        }
    }

    #[inline]
    fn looks_ahead(&self, _job: &Job) -> bool {
        self.event_loop.tasks.are_many()
    }

    #[inline]
    fn prefetch(&self, job: &Job) {
        if let Some(task) = job.task() {
            os::prefetch(task);
        }
    }

    #[inline]
    fn prefetch_further(&self, job: &Job) {
        if let (None, Some(task)) = (job.as_alarm(), job.task()) {
            task.prefetch_work();
        }
    }

    fn discard(&self, cancelled: Vec<Job>) {
        self.event_loop.discard(&cancelled);
    }

    fn pass_over(&self, job: &Job) -> bool {
        let alarm = job.as_alarm();
        if let Some(alarm) = alarm {
            self.event_loop.alarms.forget(alarm);
        }
        alarm.is_some()
    }
}
