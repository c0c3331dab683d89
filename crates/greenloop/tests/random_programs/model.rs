//! The runtime and its primitives, written down again in the plainest way: asyncio's rules, with
//! lists that are searched, and tasks that are numbers.

use std::collections::VecDeque;

use super::program::{Action, EACH, Event, MAXSIZES, PERMITS, Program, What, item};

/// When the program is cut off, in seconds.
pub const END: u32 = 1000;

/// Somebody in a line.
type Waiter = usize;

#[derive(Default)]
struct Task {
    actions: Vec<Action>,
    /// The action that it is at.
    at: usize,
    state: State,
    queued: bool,
    aborted: bool,
    /// Whether its wait was ended by somebody.
    woken: bool,
    end: End,
}

/// Whether a task has ended.
#[derive(Clone, Copy, PartialEq, Default)]
enum End {
    #[default]
    Alive,
    Finished,
    Dropped,
}

/// What a task does at its action.
#[derive(Clone, Copy, PartialEq, Default)]
enum State {
    /// It has not begun it.
    #[default]
    New,
    /// It waits for what the action needs.
    Waits,
    /// It has what it needs, and lets the others run once.
    Yields,
}

#[derive(Clone, Copy)]
enum Job {
    Step(usize),
    Ring(usize),
}

#[derive(Default)]
pub struct Model {
    tasks: Vec<Task>,
    ready: VecDeque<Job>,
    /// Deadline and task, in the order in which they were set.
    timers: Vec<(u32, usize)>,
    now: u32,
    events: Vec<Event>,
    locked: [bool; EACH],
    lockers: [Vec<Waiter>; EACH],
    values: [usize; EACH],
    visitors: [Vec<Waiter>; EACH],
    set: [bool; EACH],
    waiters: [Vec<Waiter>; EACH],
    items: [VecDeque<u32>; EACH],
    getters: [Vec<Waiter>; EACH],
    putters: [Vec<Waiter>; EACH],
}

/// What the program does.
pub fn events_of(program: &Program) -> Vec<Event> {
    let mut model = Model {
        values: [PERMITS; EACH],
        ..Model::default()
    };
    for (number, actions) in program.0.iter().enumerate() {
        model.tasks.push(Task {
            actions: actions.clone(),
            ..Task::default()
        });
        model.wake(number);
    }
    while model.turn() {}
    model.events
}

impl Model {
    /// Runs a turn. Returns false if nothing will ever happen again.
    fn turn(&mut self) -> bool {
        if self.ready.is_empty() {
            let Some(&(deadline, _)) = self.timers.iter().min_by_key(|timer| timer.0) else {
                return false;
            };
            self.now = deadline;
        }
        // Sorting is stable: those of the same time stay in the order of setting.
        let mut due: Vec<_> = self.timers.extract_if_due(self.now);
        due.sort_by_key(|timer| timer.0);
        self.ready
            .extend(due.into_iter().map(|(_, task)| Job::Ring(task)));
        for _ in 0..self.ready.len() {
            match self.ready.pop_front().expect("it was counted") {
                Job::Step(task) => self.step(task),
                Job::Ring(task) => {
                    self.tasks[task].woken = true;
                    self.wake(task);
                }
            }
        }
        true
    }

    fn wake(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        if task.end == End::Alive && !task.queued {
            task.queued = true;
            self.ready.push_back(Job::Step(number));
        }
    }

    fn step(&mut self, number: usize) {
        self.tasks[number].queued = false;
        if self.tasks[number].end != End::Alive {
            return;
        }
        if self.tasks[number].aborted {
            self.drop_task(number);
            return;
        }
        while let Some(&action) = self.tasks[number].actions.get(self.tasks[number].at) {
            let Some(what) = self.act(number, action) else {
                return;
            };
            self.note(number, what);
            self.tasks[number].at += 1;
            self.tasks[number].state = State::New;
        }
        self.tasks[number].end = End::Finished;
    }

    fn note(&mut self, task: usize, what: What) {
        let action = self.tasks[task].at;
        self.events.push(Event { task, action, what });
    }

    /// Goes on with an action. `None` if the task has to wait.
    fn act(&mut self, me: usize, action: Action) -> Option<What> {
        let state = self.tasks[me].state;
        match action {
            Action::Yield | Action::Sleep(0) => {
                if state == State::New {
                    self.let_others_run(me);
                    return None;
                }
            }
            Action::Sleep(seconds) => {
                if state == State::New {
                    self.timers.push((self.now + seconds, me));
                    self.begin_to_wait(me);
                    return None;
                }
            }
            Action::Hold(lock) => {
                if state == State::Yields {
                    self.release_lock(lock);
                    return Some(What::Done);
                }
                if state == State::New && (self.locked[lock] || !self.lockers[lock].is_empty()) {
                    self.lockers[lock].push(me);
                    self.begin_to_wait(me);
                    return None;
                }
                self.lockers[lock].retain(|waiter| *waiter != me);
                self.locked[lock] = true;
                self.let_others_run(me);
                return None;
            }
            Action::Visit(semaphore) => {
                if state == State::Yields {
                    self.release_permit(semaphore);
                    return Some(What::Done);
                }
                let must_wait = self.values[semaphore] == 0 || !self.visitors[semaphore].is_empty();
                if state == State::New && must_wait {
                    self.visitors[semaphore].push(me);
                    self.begin_to_wait(me);
                    return None;
                }
                if state == State::New {
                    self.values[semaphore] -= 1;
                } else {
                    // Its permit was taken for it when it was woken.
                    self.visitors[semaphore].retain(|waiter| *waiter != me);
                    self.wake_visitors(semaphore);
                }
                self.let_others_run(me);
                return None;
            }
            Action::Wait(event) => {
                if state == State::New && !self.set[event] {
                    self.waiters[event].push(me);
                    self.begin_to_wait(me);
                    return None;
                }
                self.waiters[event].retain(|waiter| *waiter != me);
            }
            Action::Set(event) => {
                if !std::mem::replace(&mut self.set[event], true) {
                    for waiter in self.waiters[event].clone() {
                        self.end_wait(waiter);
                    }
                }
            }
            Action::Clear(event) => self.set[event] = false,
            Action::Put(queue) => {
                if self.is_full(queue) {
                    self.putters[queue].push(me);
                    self.begin_to_wait(me);
                    return None;
                }
                let item = item(me, self.tasks[me].at);
                self.items[queue].push_back(item);
                self.offer_item(queue);
            }
            Action::Get(queue) => {
                let Some(item) = self.items[queue].pop_front() else {
                    self.getters[queue].push(me);
                    self.begin_to_wait(me);
                    return None;
                };
                self.offer_room(queue);
                return Some(What::Got(item));
            }
            Action::Abort(other) => {
                let task = &mut self.tasks[other];
                if task.end == End::Alive && !std::mem::replace(&mut task.aborted, true) {
                    self.wake(other);
                }
            }
        }
        Some(What::Done)
    }

    /// The task is aborted: it leaves where it waits and lets go of what it has.
    fn drop_task(&mut self, me: usize) {
        let task = &mut self.tasks[me];
        task.end = End::Dropped;
        let (state, woken) = (task.state, task.woken);
        if let Some(&action) = task.actions.get(task.at) {
            match (action, state) {
                (_, State::New)
                | (Action::Yield | Action::Set(_) | Action::Clear(_) | Action::Abort(_), _) => {}
                (Action::Sleep(_), _) => self.timers.retain(|timer| timer.1 != me),
                (Action::Hold(lock), State::Yields) => self.release_lock(lock),
                (Action::Hold(lock), State::Waits) => {
                    self.lockers[lock].retain(|waiter| *waiter != me);
                    if !self.locked[lock] {
                        self.wake_locker(lock);
                    }
                }
                (Action::Visit(semaphore), State::Yields) => self.release_permit(semaphore),
                (Action::Visit(semaphore), State::Waits) => {
                    self.visitors[semaphore].retain(|waiter| *waiter != me);
                    if woken {
                        self.values[semaphore] += 1;
                    }
                    self.wake_visitors(semaphore);
                }
                (Action::Wait(event), _) => self.waiters[event].retain(|waiter| *waiter != me),
                (Action::Put(queue), _) => {
                    self.putters[queue].retain(|waiter| *waiter != me);
                    if woken && !self.is_full(queue) {
                        self.offer_room(queue);
                    }
                }
                (Action::Get(queue), _) => {
                    self.getters[queue].retain(|waiter| *waiter != me);
                    if woken && !self.items[queue].is_empty() {
                        self.offer_item(queue);
                    }
                }
            }
        }
        self.note(me, What::Dropped);
    }

    fn begin_to_wait(&mut self, me: usize) {
        self.tasks[me].state = State::Waits;
        self.tasks[me].woken = false;
    }

    fn let_others_run(&mut self, me: usize) {
        self.tasks[me].state = State::Yields;
        self.wake(me);
    }

    fn end_wait(&mut self, waiter: Waiter) {
        if !self.tasks[waiter].woken {
            self.tasks[waiter].woken = true;
            self.wake(waiter);
        }
    }

    fn is_full(&self, queue: usize) -> bool {
        MAXSIZES[queue] > 0 && self.items[queue].len() >= MAXSIZES[queue]
    }

    fn release_lock(&mut self, lock: usize) {
        self.locked[lock] = false;
        self.wake_locker(lock);
    }

    fn wake_locker(&mut self, lock: usize) {
        if let Some(&first) = self.lockers[lock].first() {
            self.end_wait(first);
        }
    }

    fn release_permit(&mut self, semaphore: usize) {
        self.values[semaphore] += 1;
        self.wake_visitor(semaphore);
    }

    fn wake_visitor(&mut self, semaphore: usize) -> bool {
        let mut visitors = self.visitors[semaphore].iter();
        let next = visitors
            .find(|visitor| !self.tasks[**visitor].woken)
            .copied();
        if let Some(next) = next {
            self.values[semaphore] -= 1;
            self.end_wait(next);
        }
        next.is_some()
    }

    fn wake_visitors(&mut self, semaphore: usize) {
        while self.values[semaphore] > 0 && self.wake_visitor(semaphore) {}
    }

    fn offer_item(&mut self, queue: usize) {
        if !self.getters[queue].is_empty() {
            let getter = self.getters[queue].remove(0);
            self.end_wait(getter);
        }
    }

    fn offer_room(&mut self, queue: usize) {
        if !self.putters[queue].is_empty() {
            let putter = self.putters[queue].remove(0);
            self.end_wait(putter);
        }
    }
}

/// `Vec::extract_if` is younger than the oldest compiler that is supported.
trait ExtractDue {
    fn extract_if_due(&mut self, now: u32) -> Self;
}

impl ExtractDue for Vec<(u32, usize)> {
    fn extract_if_due(&mut self, now: u32) -> Self {
        let (due, later) = self.iter().partition(|timer| timer.0 <= now);
        *self = later;
        due
    }
}
