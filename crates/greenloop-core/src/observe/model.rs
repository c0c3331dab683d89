//! The live state of a loop, as its events tell it.
//!
//! A [`Model`] is given the events in their order and knows at each moment the state of every task,
//! the owners of locks and semaphores, and the order of waiters. It makes no demands: earlier
//! events may be missing, some may be lost, and a task or resource that it hears of for the first
//! time is unknown. From a loss on, everything that may have changed meanwhile is unknown until an
//! event says it again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::event::{Event, EventBody, EventKind, Outcome, WaitKind, WakeCause};
use super::histogram::Histogram;
use super::live::{Holder, Owners, Resource, Task, TaskState, Waiting};
use super::observer::Numbers;

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub struct Model {
    now: u64,
    tasks: BTreeMap<u32, Task>,
    resources: BTreeMap<u32, Resource>,
    /// The tasks that wait for a task or a resource and were not woken, in the order of arrival.
    lines: BTreeMap<u32, VecDeque<u32>>,
    /// The tasks whose steps have begun and not ended, the innermost last, with their begin.
    running: Vec<(u32, u64)>,
    /// The jobs that were submitted and have not finished.
    jobs: BTreeSet<u32>,
    /// When the poll began in which the loop is.
    poll: Option<u64>,
    is_loop_running: bool,
    is_incomplete: bool,
    counters: Counters,
}

/// How often each kind of event happened, and the times that were measured.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// The events of each kind, by its number.
    kinds: [u64; EventKind::ALL.len() + 1],
    /// The wake-ups of each cause, by its number.
    causes: [u64; WakeCause::ALL.len() + 1],
    /// The tasks that have finished in each way, by its number.
    outcomes: [u64; Outcome::ALL.len() + 1],
    /// How many events there were, without those that were lost.
    pub events: u64,
    /// How many events are known to be lost.
    pub lost: u64,
    /// How many nanoseconds the loop was in polls.
    pub polling_time: u64,
    /// How many nanoseconds passed between a task's becoming ready and its step.
    pub lag: Histogram,
    /// The longest step.
    pub longest_step: Option<LongestStep>,
}

impl Counters {
    /// How many events of this kind there were.
    pub const fn of_kind(&self, kind: EventKind) -> u64 {
        self.kinds[kind.number() as usize]
    }

    /// How many wake-ups had this cause.
    pub const fn of_cause(&self, cause: WakeCause) -> u64 {
        self.causes[cause.number() as usize]
    }

    /// How many tasks have finished in this way.
    pub const fn of_outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome.number() as usize]
    }

    /// How many steps began.
    pub const fn steps(&self) -> u64 {
        self.of_kind(EventKind::StepBegan)
    }
}

/// A step that took longer than all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongestStep {
    /// The task.
    pub task: u32,
    /// When it began.
    pub began: u64,
    /// How many nanoseconds it took, including the steps within it.
    pub duration: u64,
}

impl Model {
    /// The state of a loop before its first event.
    pub fn new() -> Self {
        Self::default()
    }

    /// The state of a loop of which earlier events were not seen.
    pub fn joining() -> Self {
        Self {
            is_incomplete: true,
            ..Self::default()
        }
    }

    /// The time of the last event.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// A task, if it was heard of.
    pub fn task(&self, number: u32) -> Option<&Task> {
        self.tasks.get(&number)
    }

    /// A resource, if it was heard of.
    pub fn resource(&self, number: u32) -> Option<&Resource> {
        self.resources.get(&number)
    }

    /// The tasks, by number.
    pub const fn tasks(&self) -> &BTreeMap<u32, Task> {
        &self.tasks
    }

    /// The resources, by number.
    pub const fn resources(&self) -> &BTreeMap<u32, Resource> {
        &self.resources
    }

    /// The tasks that wait for a task or a resource and were not woken, in the order of arrival.
    /// After a loss only those are here that have arrived since.
    pub fn waiters(&self, number: u32) -> impl Iterator<Item = u32> {
        self.lines.get(&number).into_iter().flatten().copied()
    }

    /// The task that runs, if one does: of steps within steps the innermost.
    pub fn current(&self) -> Option<u32> {
        self.running.last().map(|(task, _)| *task)
    }

    /// The jobs that were submitted to executors and have not finished.
    pub const fn jobs(&self) -> &BTreeSet<u32> {
        &self.jobs
    }

    /// When the poll began in which the loop is, if it is in one.
    pub const fn poll(&self) -> Option<u64> {
        self.poll
    }

    /// Whether the loop runs, as far as was said.
    pub const fn is_loop_running(&self) -> bool {
        self.is_loop_running
    }

    /// Whether events are known to be missing, so that something may be unknown or not be here.
    pub const fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// The counts and the times since the model was made.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes in the next event.
    pub fn apply(&mut self, event: &Event) {
        let body = &event.body;
        self.now = self.now.max(event.time);
        if body.kind == EventKind::Lost {
            return self.lose(u64::try_from(body.value).unwrap_or(0));
        }
        self.counters.events += 1;
        self.counters.kinds[usize::from(body.kind.number())] += 1;
        match body.kind {
            EventKind::TaskCreated => self.create_task(body),
            EventKind::StepBegan => self.begin_step(body.task),
            EventKind::StepEnded => self.end_step(body.task),
            EventKind::WaitBegan => self.begin_wait(body),
            EventKind::Woken => self.wake(body),
            EventKind::TaskFinished => self.finish(body),
            EventKind::CancelRequested => {
                if let Some(task) = self.task_mut(body.other) {
                    task.cancel_requests = task.cancel_requests.saturating_add(1);
                }
            }
            EventKind::ResourceMade => self.make_resource(body),
            EventKind::Acquired => self.acquire(body),
            EventKind::Released => self.release(body),
            EventKind::Put | EventKind::Get => {
                if let Some(queue) = self.resource_mut(body.other, Some(WaitKind::QueueGet)) {
                    queue.level = Some(body.value);
                }
            }
            EventKind::Set | EventKind::Cleared => {
                if let Some(resource) = self.resource_mut(body.other, None) {
                    resource.is_set = Some(body.kind == EventKind::Set);
                }
            }
            EventKind::PollBegan => self.poll = Some(self.now),
            EventKind::PollEnded => {
                let began = self.poll.take().unwrap_or(self.now);
                self.counters.polling_time += self.now - began;
            }
            EventKind::JobSubmitted => {
                self.resource_mut(body.other, Some(WaitKind::Executor));
                self.jobs.insert(body.other);
            }
            EventKind::JobFinished => {
                self.jobs.remove(&body.other);
            }
            EventKind::Sent | EventKind::Received => self.transfer(body),
            EventKind::LoopStarted => self.is_loop_running = true,
            EventKind::LoopStopped => self.is_loop_running = false,
            EventKind::Notified
            | EventKind::CallbackBegan
            | EventKind::CallbackEnded
            | EventKind::ThreadCalled
            | EventKind::TimerExpired
            | EventKind::TaskDoneSeen
            | EventKind::Named
            | EventKind::Lost => {}
        }
    }

    /// So many events are missing between the last one and the next.
    pub fn lose(&mut self, events: u64) {
        self.counters.lost = self.counters.lost.saturating_add(events);
        self.is_incomplete = true;
        let unfinished = self.tasks.values_mut().filter(|task| !task.is_finished());
        unfinished.for_each(|task| task.state = TaskState::Unknown);
        self.resources.values_mut().for_each(Resource::forget);
        self.lines.clear();
        self.running.clear();
        self.jobs.clear();
        self.poll = None;
    }

    /// Forgets a task or a resource that will not be heard of again.
    pub fn forget(&mut self, number: u32) {
        self.leave_line(number);
        self.tasks.remove(&number);
        self.resources.remove(&number);
    }

    /// Forgets the tasks that have finished, but for those that still hold something or are waited
    /// for.
    pub fn forget_finished(&mut self) {
        let owners = self.resources.values().map(|resource| &resource.owners);
        let holders = owners.flat_map(Owners::certain).map(|holder| holder.task);
        let holders: BTreeSet<u32> = holders.collect();
        let lines = &self.lines;
        self.tasks.retain(|number, task| {
            !task.is_finished() || holders.contains(number) || lines.contains_key(number)
        });
    }

    fn create_task(&mut self, body: &EventBody) {
        let since = self.now;
        if let Some(task) = self.task_mut(body.other) {
            task.creator = body.task;
            task.site = body.site;
            // An eager task has run before anybody was told of it.
            if task.state == TaskState::Unknown {
                task.state = TaskState::Ready {
                    since,
                    cause: None,
                    waker: body.task,
                    after: 0,
                };
            }
        }
    }

    fn begin_step(&mut self, number: u32) {
        let now = self.now;
        self.leave_line(number);
        let Some(task) = self.task_mut(number) else {
            return;
        };
        let before = std::mem::replace(&mut task.state, TaskState::Running { since: now });
        task.steps += 1;
        self.running.push((number, now));
        if let TaskState::Ready { since, .. } = before {
            self.counters.lag.record(now - since, 1);
        }
    }

    fn end_step(&mut self, number: u32) {
        let now = self.now;
        let place = self.running.iter().rposition(|(task, _)| *task == number);
        let began = place.map(|place| self.running.remove(place).1);
        let Some(task) = self.task_mut(number) else {
            return;
        };
        if matches!(task.state, TaskState::Running { .. }) {
            // It has not named a resource.
            task.state = TaskState::Waiting(Waiting {
                kind: None,
                party: 0,
                site: 0,
                since: now,
                deadline: 0,
            });
        }
        let Some(began) = began else {
            return;
        };
        let duration = now - began;
        task.running_time += duration;
        task.longest_step = task.longest_step.max(duration);
        let longest = &mut self.counters.longest_step;
        if longest.is_none_or(|longest| longest.duration < duration) {
            *longest = Some(LongestStep {
                task: number,
                began,
                duration,
            });
        }
    }

    fn begin_wait(&mut self, body: &EventBody) {
        let kind = body.wait_kind();
        let since = self.now;
        self.leave_line(body.task);
        let Some(task) = self.task_mut(body.task) else {
            return;
        };
        if kind == Some(WaitKind::Yield) {
            task.state = TaskState::Ready {
                since,
                cause: None,
                waker: 0,
                after: 0,
            };
            return;
        }
        task.state = TaskState::Waiting(Waiting {
            kind,
            party: body.other,
            site: body.site,
            since,
            deadline: body.value,
        });
        let is_known = if kind == Some(WaitKind::Task) {
            self.task_mut(body.other).is_some()
        } else {
            self.resource_mut(body.other, kind).is_some()
        };
        if is_known {
            let line = self.lines.entry(body.other).or_default();
            line.push_back(body.task);
        }
    }

    fn wake(&mut self, body: &EventBody) {
        let since = self.now;
        let cause = body.wake_cause();
        if let Some(cause) = cause {
            self.counters.causes[usize::from(cause.number())] += 1;
        }
        let after = self.leave_line(body.other);
        if let Some(task) = self.task_mut(body.other) {
            if !matches!(
                task.state,
                TaskState::Ready { .. } | TaskState::Finished { .. }
            ) {
                task.state = TaskState::Ready {
                    since,
                    cause,
                    waker: body.task,
                    after,
                };
            }
        }
    }

    fn finish(&mut self, body: &EventBody) {
        let at = self.now;
        let outcome = body.outcome();
        if let Some(outcome) = outcome {
            self.counters.outcomes[usize::from(outcome.number())] += 1;
        }
        self.leave_line(body.task);
        if let Some(task) = self.task_mut(body.task) {
            task.state = TaskState::Finished { at, outcome };
        }
    }

    fn make_resource(&mut self, body: &EventBody) {
        let kind = body.wait_kind();
        if let Some(resource) = self.resource_mut(body.other, kind) {
            *resource = Resource {
                maker: body.task,
                site: body.site,
                capacity: body.value,
                owners: match kind {
                    Some(WaitKind::Lock) => Owners::NONE,
                    Some(WaitKind::Semaphore) if body.value > 0 => Owners::NONE,
                    Some(WaitKind::Semaphore) => Owners::SIGNAL,
                    _ => Owners::UNKNOWN,
                },
                ..Resource::heard_of(kind)
            };
        }
    }

    fn acquire(&mut self, body: &EventBody) {
        let holder = is_somebody(body.task).then_some(Holder {
            task: body.task,
            since: self.now,
            site: body.site,
        });
        if let Some(resource) = self.resource_mut(body.other, None) {
            resource.level = Some(body.value);
            let is_lock = resource.is_lock();
            resource.owners.acquired(holder, is_lock);
        }
    }

    fn release(&mut self, body: &EventBody) {
        let Some(resource) = self.resource_mut(body.other, None) else {
            return;
        };
        resource.level = Some(body.value);
        let (capacity, is_lock) = (resource.capacity, resource.is_lock());
        if !is_lock && capacity > 0 && body.value > capacity {
            resource.owners = Owners::SIGNAL;
        }
        let is_free = is_lock || capacity > 0 && body.value >= capacity;
        resource.owners.released(body.task, is_free, is_lock);
    }

    fn transfer(&mut self, body: &EventBody) {
        let bytes = u64::try_from(body.value).unwrap_or(0);
        if let Some(connection) = self.resource_mut(body.other, None) {
            let total = match body.kind {
                EventKind::Sent => &mut connection.sent,
                _ => &mut connection.received,
            };
            *total = total.saturating_add(bytes);
        }
    }

    /// Takes a task out of the line in which it waits. Returns the task or
    /// resource that it waited for, or 0.
    fn leave_line(&mut self, number: u32) -> u32 {
        let waiting = self.tasks.get(&number).and_then(Task::waiting);
        let Some(party) = waiting.map(|waiting| waiting.party) else {
            return 0;
        };
        if let Some(line) = self.lines.get_mut(&party) {
            if let Some(place) = line.iter().position(|waiter| *waiter == number) {
                line.remove(place);
            }
            if line.is_empty() {
                self.lines.remove(&party);
            }
        }
        party
    }

    /// A task, which is unknown if it was not heard of, or `None` for a number of nobody.
    fn task_mut(&mut self, number: u32) -> Option<&mut Task> {
        is_somebody(number).then(|| self.tasks.entry(number).or_insert(Task::UNKNOWN))
    }

    /// A resource in the same way. If its kind was not known, it is this one.
    fn resource_mut(&mut self, number: u32, kind: Option<WaitKind>) -> Option<&mut Resource> {
        is_somebody(number).then(|| {
            let heard_of = || Resource::heard_of(kind);
            let resource = self.resources.entry(number).or_insert_with(heard_of);
            resource.kind = resource.kind.or(kind);
            resource
        })
    }
}

/// Whether a number stands for one task or resource.
const fn is_somebody(number: u32) -> bool {
    number != 0 && number != Numbers::NONE_LEFT
}
