//! The live state against a loop whose whole state is known: nothing that the model says is wrong,
//! however many of its events are lost, and without a loss it says everything.

use std::collections::{BTreeMap, BTreeSet};

use greenloop_core::observe::{
    Event, EventBody, EventKind, Model, TaskState, WaitKind, WakeCause, find_stuck,
};
use proptest::prelude::*;

const TASKS: u32 = 5;
/// Locks first, then semaphores; the value is the number of permits.
const RESOURCES: [(u32, WaitKind, i64); 4] = [
    (11, WaitKind::Lock, 1),
    (12, WaitKind::Lock, 1),
    (13, WaitKind::Semaphore, 2),
    (14, WaitKind::Semaphore, 3),
];

/// A part of a step.
#[derive(Clone, Copy, Debug)]
enum Act {
    Acquire(usize),
    /// Releases a permit of its own, or a lock of anybody's.
    Release(usize),
    Sleep,
    Await(u32),
    Yield,
    Finish,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    /// The ready task at this place runs, and does so until it waits.
    Step(usize),
    /// A timer wakes the task if it sleeps.
    Timer(u32),
    Cancel(u32),
}

fn act() -> impl Strategy<Value = Act> {
    let resource = 0..RESOURCES.len();
    prop_oneof![
        6 => resource.clone().prop_map(Act::Acquire),
        4 => resource.prop_map(Act::Release),
        2 => Just(Act::Sleep),
        2 => (1..=TASKS).prop_map(Act::Await),
        1 => Just(Act::Yield),
        1 => Just(Act::Finish),
    ]
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        10 => (0..8_usize).prop_map(Move::Step),
        2 => (1..=TASKS).prop_map(Move::Timer),
        1 => (1..=TASKS).prop_map(Move::Cancel),
    ]
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ready,
    Running,
    /// For a task, a resource, or for a timer as 0.
    Waiting(u32),
    Finished,
}

/// All that is true at one moment.
#[derive(Clone, Default, Debug)]
struct Truth {
    states: BTreeMap<u32, State>,
    holders: BTreeMap<u32, Vec<u32>>,
    lines: BTreeMap<u32, Vec<u32>>,
    /// The permits that are free and not taken for a task that was woken.
    free: BTreeMap<u32, i64>,
}

/// A loop that keeps the truth after each of its events.
#[derive(Default)]
struct Loop {
    truth: Truth,
    /// The permits that were taken for a task that has not run yet.
    granted: BTreeMap<u32, u32>,
    /// The resource that a task asks for again when it runs.
    wants: BTreeMap<u32, usize>,
    ready: Vec<u32>,
    history: Vec<(Event, Truth)>,
}

impl Loop {
    fn new() -> Self {
        let mut this = Self::default();
        for (number, kind, permits) in RESOURCES {
            this.truth.free.insert(number, permits);
            this.truth.holders.insert(number, vec![]);
            this.truth.lines.insert(number, vec![]);
            let capacity = if kind == WaitKind::Lock { 0 } else { permits };
            this.tell(
                EventKind::ResourceMade,
                kind.number(),
                (0, number),
                capacity,
            );
        }
        for task in 1..=TASKS {
            this.truth.states.insert(task, State::Ready);
            this.truth.lines.insert(task, vec![]);
            this.ready.push(task);
            this.tell(EventKind::TaskCreated, 0, (0, task), 0);
        }
        this
    }

    fn tell(&mut self, kind: EventKind, detail: u8, (task, other): (u32, u32), value: i64) {
        let time = u64::try_from(self.history.len()).expect("it is short");
        let body = EventBody {
            detail,
            task,
            other,
            value,
            ..EventBody::new(kind)
        };
        self.history.push((body.at(time), self.truth.clone()));
    }

    fn is(&self, task: u32, state: State) -> bool {
        self.truth.states[&task] == state
    }

    fn run(&mut self, step: Move, acts: &mut impl Iterator<Item = Act>) {
        match step {
            Move::Step(place) if !self.ready.is_empty() => {
                let task = self.ready.remove(place % self.ready.len());
                self.truth.states.insert(task, State::Running);
                self.tell(EventKind::StepBegan, 0, (task, 0), 0);
                self.step(task, acts);
                self.tell(EventKind::StepEnded, 0, (task, 0), 0);
            }
            Move::Timer(task) if self.is(task, State::Waiting(0)) => {
                self.wake(0, task, WakeCause::Timer);
            }
            Move::Cancel(task) => {
                if let State::Waiting(party) = self.truth.states[&task] {
                    self.truth
                        .lines
                        .entry(party)
                        .or_default()
                        .retain(|other| *other != task);
                    self.wants.remove(&task);
                    self.wake(0, task, WakeCause::Cancellation);
                }
            }
            Move::Step(_) | Move::Timer(_) => {}
        }
    }

    fn step(&mut self, task: u32, acts: &mut impl Iterator<Item = Act>) {
        if let Some(number) = self.granted.remove(&task) {
            self.wants.remove(&task);
            self.take(task, number);
        } else if let Some(index) = self.wants.remove(&task) {
            self.acquire(task, index);
        }
        while self.is(task, State::Running) {
            match acts.next().unwrap_or(Act::Finish) {
                Act::Acquire(index) => self.acquire(task, index),
                Act::Release(index) => self.release(task, index),
                Act::Sleep => self.wait(task, WaitKind::Sleep, 0),
                Act::Await(other) if !self.is(other, State::Finished) => {
                    self.wait(task, WaitKind::Task, other);
                }
                Act::Await(_) => {}
                Act::Yield => {
                    self.ready.push(task);
                    self.truth.states.insert(task, State::Ready);
                    self.tell(EventKind::WaitBegan, WaitKind::Yield.number(), (task, 0), 0);
                }
                Act::Finish => {
                    self.truth.states.insert(task, State::Finished);
                    self.tell(EventKind::TaskFinished, 1, (task, 0), 0);
                    while let Some(waiter) = self.truth.lines[&task].first().copied() {
                        self.wake(task, waiter, WakeCause::Task);
                    }
                }
            }
        }
    }

    fn wait(&mut self, task: u32, kind: WaitKind, party: u32) {
        self.truth.states.insert(task, State::Waiting(party));
        if party != 0 {
            self.truth.lines.entry(party).or_default().push(task);
        }
        self.tell(EventKind::WaitBegan, kind.number(), (task, party), 0);
    }

    fn wake(&mut self, waker: u32, task: u32, cause: WakeCause) {
        if let State::Waiting(party) = self.truth.states[&task] {
            self.truth
                .lines
                .entry(party)
                .or_default()
                .retain(|other| *other != task);
        }
        self.truth.states.insert(task, State::Ready);
        self.ready.push(task);
        self.tell(EventKind::Woken, cause.number(), (waker, task), 0);
    }

    fn acquire(&mut self, task: u32, index: usize) {
        let (number, kind, _) = RESOURCES[index];
        if self.truth.free[&number] > 0 && self.truth.lines[&number].is_empty() {
            *self.truth.free.get_mut(&number).expect("it is there") -= 1;
            self.take(task, number);
        } else {
            self.wants.insert(task, index);
            self.wait(task, kind, number);
        }
    }

    /// A permit that is not free any more becomes a task's own.
    fn take(&mut self, task: u32, number: u32) {
        self.truth.holders.entry(number).or_default().push(task);
        self.tell(
            EventKind::Acquired,
            0,
            (task, number),
            self.truth.free[&number],
        );
    }

    fn release(&mut self, task: u32, index: usize) {
        let (number, kind, _) = RESOURCES[index];
        let holders = self.truth.holders.entry(number).or_default();
        let place = holders.iter().rposition(|holder| *holder == task);
        // Any task may release a lock that is held.
        let place = match kind {
            WaitKind::Lock if !holders.is_empty() => Some(0),
            _ => place,
        };
        let Some(place) = place else { return };
        holders.remove(place);
        *self.truth.free.get_mut(&number).expect("it is there") += 1;
        let free = self.truth.free[&number];
        self.tell(EventKind::Released, 0, (task, number), free);
        let Some(first) = self.truth.lines[&number].first().copied() else {
            return;
        };
        if kind == WaitKind::Semaphore {
            *self.truth.free.get_mut(&number).expect("it is there") -= 1;
            self.granted.insert(first, number);
        }
        self.wake(task, first, WakeCause::Task);
    }
}

/// Compares a model with the truth. Returns for how many resources all owners were known.
fn compare(model: &Model, truth: &Truth, is_complete: bool) -> Result<usize, TestCaseError> {
    let mut known = 0;
    for (number, holders) in &truth.holders {
        let Some(resource) = model.resource(*number) else {
            prop_assert!(!is_complete);
            continue;
        };
        let tasks = |holders: &[greenloop_core::observe::Holder]| {
            holders.iter().map(|holder| holder.task).collect::<Vec<_>>()
        };
        match resource.owners.all() {
            Some(owners) => {
                known += 1;
                prop_assert_eq!(&tasks(owners), holders, "resource {}", number);
            }
            None => prop_assert!(!is_complete),
        }
        let certain: BTreeSet<u32> = tasks(resource.owners.certain()).into_iter().collect();
        let holders = holders.iter().copied().collect();
        prop_assert!(certain.is_subset(&holders), "{:?} hold {}", certain, number);
    }
    for (number, state) in &truth.states {
        let said = model
            .task(*number)
            .map_or(TaskState::Unknown, |task| task.state);
        let is_right = match said {
            TaskState::Unknown => !is_complete,
            TaskState::Ready { .. } => *state == State::Ready,
            TaskState::Running { .. } => *state == State::Running,
            TaskState::Waiting(waiting) => *state == State::Waiting(waiting.party),
            TaskState::Finished { .. } => *state == State::Finished,
        };
        prop_assert!(
            is_right,
            "task {} is {:?} and not {:?}",
            number,
            state,
            said
        );
    }
    for (number, line) in truth.lines.iter().filter(|(number, _)| **number != 0) {
        let said: Vec<u32> = model.waiters(*number).collect();
        // Waiters that came before a loss may be missing, and those behind them not.
        prop_assert!(
            line.ends_with(&said),
            "{:?} wait for {}, not {:?}",
            line,
            number,
            said
        );
        prop_assert!(!is_complete || line.len() == said.len());
    }
    Ok(known)
}

/// The tasks that can never run again unless they are cancelled, by the whole truth.
fn stuck(truth: &Truth) -> BTreeSet<u32> {
    let waiting = |task: &u32| match truth.states[task] {
        State::Waiting(party) if party != 0 => Some(party),
        _ => None,
    };
    let mut stuck: BTreeSet<u32> = truth
        .states
        .keys()
        .copied()
        .filter(|task| waiting(task).is_some())
        .collect();
    loop {
        let may_run = |task: &u32| !stuck.contains(task);
        let comes = |party: u32| match truth.holders.get(&party) {
            None => may_run(&party),
            Some(holders) => {
                let permits = RESOURCES
                    .iter()
                    .find(|each| each.0 == party)
                    .map_or(0, |each| each.2);
                let held = i64::try_from(holders.len()).expect("it is small");
                let is_alive = |task: &u32| truth.states[task] != State::Finished;
                held < permits || holders.iter().any(|task| may_run(task) && is_alive(task))
            }
        };
        let freed = stuck
            .iter()
            .copied()
            .find(|task| waiting(task).is_some_and(comes));
        match freed {
            Some(task) => stuck.remove(&task),
            None => return stuck,
        };
    }
}

/// Tells a model the history without some of it, and compares it after each event.
fn follow(history: &[(Event, Truth)], gaps: &[(usize, usize)]) -> Result<usize, TestCaseError> {
    let mut model = Model::new();
    let mut known = 0;
    let mut skipped = 0;
    for (index, (event, truth)) in history.iter().enumerate() {
        let in_gap = |(start, length): &(usize, usize)| (*start..start + length).contains(&index);
        if gaps.iter().any(in_gap) {
            skipped += 1;
            continue;
        }
        if skipped > 0 {
            let lost = EventBody {
                value: skipped,
                ..EventBody::new(EventKind::Lost)
            };
            model.apply(&lost.at(event.time));
            skipped = 0;
        }
        model.apply(event);
        known += compare(&model, truth, gaps.is_empty())?;
        let found = find_stuck(&model.wait_graph(|_| false));
        let in_knots = found.knots.iter().flat_map(|knot| &knot.members);
        let members = in_knots.chain(&found.behind).map(|member| member.task);
        let found: BTreeSet<u32> = members.collect();
        prop_assert!(found.is_subset(&stuck(truth)), "{:?} can run", found);
    }
    Ok(known)
}

fn history() -> impl Strategy<Value = Vec<(Event, Truth)>> {
    let moves = prop::collection::vec(a_move(), 1..40);
    let acts = prop::collection::vec(act(), 1..80);
    (moves, acts).prop_map(|(moves, acts)| {
        let mut this = Loop::new();
        let mut acts = acts.into_iter();
        for step in moves {
            this.run(step, &mut acts);
        }
        this.history
    })
}

proptest! {
    #[test]
    fn without_a_loss_everything_is_known(history in history()) {
        let known = follow(&history, &[])?;
        let resources = |truth: &Truth| truth.holders.len();
        let all: usize = history.iter().map(|(_, truth)| resources(truth)).sum();
        prop_assert_eq!(known, all);
    }

    #[test]
    fn whatever_is_lost_nothing_that_is_said_is_wrong(
        history in history(),
        gaps in prop::collection::vec((0..150_usize, 1..12_usize), 1..4),
    ) {
        follow(&history, &gaps)?;
    }
}
