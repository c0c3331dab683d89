//! Locks, semaphores and conditions against asyncio's own code, written down again line by line: whatever
//! tasks do and whenever they are cancelled, the same ones are woken in the same order. And nobody who
//! waits is forgotten.

#[expect(dead_code, reason = "other tests use the rest of the line")]
mod manual_line;

use std::collections::HashMap;
use std::rc::Rc;

use greenloop_core::sync::{Condition, Lock, Semaphore};
use greenloop_core::{Standing, WaitList as _};
use manual_line::{ManualLine, Standings, Waiter};
use proptest::prelude::*;

/// What happens next. Numbers choose among those to whom it may happen.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// A new task asks.
    Ask,
    /// One who has got what it asked for gives it back.
    GiveBack(usize),
    /// A task that stands in a line is cancelled.
    Cancel(usize),
    /// One whose wait is over runs.
    Run(usize),
    /// One who holds the lock waits for the condition.
    WaitForCondition(usize),
    /// Somebody notifies so many.
    Notify(usize),
}

fn actions(conditions: u32) -> impl Strategy<Value = Vec<Action>> {
    let any = 0..64_usize;
    let action = prop_oneof![
        4 => Just(Action::Ask),
        3 => any.clone().prop_map(Action::GiveBack),
        2 => any.clone().prop_map(Action::Cancel),
        5 => any.clone().prop_map(Action::Run),
        conditions => any.prop_map(Action::WaitForCondition),
        conditions => (0..3_usize).prop_map(Action::Notify),
    ];
    prop::collection::vec(action, 0..60)
}

/// What a step of a task came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// It has what it asked for.
    Has,
    /// It waits.
    Waits,
    /// It ended without.
    Gone,
}

/// Something that tasks acquire, ours or asyncio's.
trait Subject {
    /// A task asks for the first time, in the name of a new waiter.
    fn ask(&mut self, waiter: Waiter) -> Step;
    /// A waiter runs after its wait, with a cancellation or without.
    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step;
    /// One who has it gives it back.
    fn give_back(&mut self);
    /// One who has the lock waits for the condition.
    fn wait(&mut self, waiter: Waiter);
    /// Notifies so many, if anybody holds the lock.
    fn notify(&mut self, limit: usize);
    /// The owner of the wait cancels it, if it is not over.
    fn cancel_wait(&mut self, waiter: Waiter);
    /// How a waiter stands.
    fn standing(&self, waiter: Waiter) -> Standing;
    /// Everything that can be compared.
    fn snapshot(&self) -> Snapshot;
}

#[derive(PartialEq, Eq, Debug)]
struct Snapshot {
    /// The value of a semaphore, or whether a lock is free.
    value: i64,
    line: Vec<(Waiter, Standing)>,
    condition: Vec<(Waiter, Standing)>,
}

// asyncio's code.

/// asyncio's futures: what each waiter awaits.
#[derive(Default)]
struct Futures(HashMap<Waiter, Standing>);

impl Futures {
    fn create(&mut self, waiter: Waiter) {
        self.0.insert(waiter, Standing::Waiting);
    }

    fn done(&self, waiter: Waiter) -> bool {
        self.0[&waiter] != Standing::Waiting
    }

    fn cancelled(&self, waiter: Waiter) -> bool {
        self.0[&waiter] == Standing::Cancelled
    }

    fn set_result(&mut self, waiter: Waiter) {
        self.0.insert(waiter, Standing::Woken);
    }

    fn shown(&self, line: &[Waiter]) -> Vec<(Waiter, Standing)> {
        line.iter()
            .map(|waiter| (*waiter, self.0[waiter]))
            .collect()
    }
}

fn remove(line: &mut Vec<Waiter>, waiter: Waiter) {
    line.retain(|other| *other != waiter);
}

/// `asyncio.Semaphore`.
struct AsyncioSemaphore {
    value: i64,
    waiters: Vec<Waiter>,
    futures: Futures,
    since_3_13: bool,
}

impl AsyncioSemaphore {
    fn locked(&self) -> bool {
        self.value == 0 || self.waiters.iter().any(|w| !self.futures.cancelled(*w))
    }

    fn wake_up_next(&mut self) -> bool {
        for index in 0..self.waiters.len() {
            let waiter = self.waiters[index];
            if !self.futures.done(waiter) {
                self.value -= 1;
                self.futures.set_result(waiter);
                return true;
            }
        }
        false
    }
}

impl Subject for AsyncioSemaphore {
    fn ask(&mut self, waiter: Waiter) -> Step {
        self.futures.create(waiter);
        if !self.locked() {
            self.value -= 1;
            return Step::Has;
        }
        self.waiters.push(waiter);
        Step::Waits
    }

    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step {
        remove(&mut self.waiters, waiter);
        if self.since_3_13 {
            if cancelled && self.futures.done(waiter) && !self.futures.cancelled(waiter) {
                self.value += 1;
            }
            while self.value > 0 {
                if !self.wake_up_next() {
                    break;
                }
            }
        } else if cancelled {
            if !self.futures.cancelled(waiter) {
                self.value += 1;
                self.wake_up_next();
            }
        } else if self.value > 0 {
            self.wake_up_next();
        }
        if cancelled { Step::Gone } else { Step::Has }
    }

    fn give_back(&mut self) {
        self.value += 1;
        self.wake_up_next();
    }

    fn wait(&mut self, _waiter: Waiter) {}

    fn notify(&mut self, _limit: usize) {}

    fn cancel_wait(&mut self, waiter: Waiter) {
        self.futures.0.insert(waiter, Standing::Cancelled);
    }

    fn standing(&self, waiter: Waiter) -> Standing {
        self.futures.0[&waiter]
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            value: self.value,
            line: self.futures.shown(&self.waiters),
            condition: Vec::new(),
        }
    }
}

/// `asyncio.Condition` and its `asyncio.Lock`.
struct AsyncioCondition {
    locked: bool,
    lock_waiters: Vec<Waiter>,
    waiters: Vec<Waiter>,
    /// Who waited for the condition, and whether a cancellation is to be raised in the end.
    returning: HashMap<Waiter, bool>,
    futures: Futures,
    since_3_13: bool,
}

impl AsyncioCondition {
    fn acquire(&mut self, waiter: Waiter) -> Step {
        if !self.locked && self.lock_waiters.iter().all(|w| self.futures.cancelled(*w)) {
            self.locked = true;
            return Step::Has;
        }
        self.futures.create(waiter);
        self.lock_waiters.push(waiter);
        Step::Waits
    }

    fn wake_up_first(&mut self) {
        if let Some(waiter) = self.lock_waiters.first().copied() {
            if !self.futures.done(waiter) {
                self.futures.set_result(waiter);
            }
        }
    }

    fn release(&mut self) {
        assert!(self.locked);
        self.locked = false;
        self.wake_up_first();
    }

    fn notify_unasked(&mut self, limit: usize) {
        let mut notified = 0;
        for index in 0..self.waiters.len() {
            let waiter = self.waiters[index];
            if notified >= limit {
                break;
            }
            if !self.futures.done(waiter) {
                notified += 1;
                self.futures.set_result(waiter);
            }
        }
    }

    /// The end of `wait`, once the lock is held.
    fn finish_wait(&mut self, waiter: Waiter) -> Step {
        match self.returning.remove(&waiter) {
            Some(true) => {
                if self.since_3_13 {
                    self.notify_unasked(1);
                }
                // `async with` lets go of the lock.
                self.release();
                Step::Gone
            }
            _ => Step::Has,
        }
    }

    fn reacquire(&mut self, waiter: Waiter) -> Step {
        match self.acquire(waiter) {
            Step::Has => self.finish_wait(waiter),
            other => other,
        }
    }
}

impl Subject for AsyncioCondition {
    fn ask(&mut self, waiter: Waiter) -> Step {
        self.acquire(waiter)
    }

    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step {
        if self.waiters.contains(&waiter) {
            remove(&mut self.waiters, waiter);
            self.returning.insert(waiter, cancelled);
            return self.reacquire(waiter);
        }
        remove(&mut self.lock_waiters, waiter);
        if cancelled {
            if !self.locked {
                self.wake_up_first();
            }
            if let Some(raises) = self.returning.get_mut(&waiter) {
                *raises = true;
                return self.reacquire(waiter);
            }
            return Step::Gone;
        }
        self.locked = true;
        self.finish_wait(waiter)
    }

    fn give_back(&mut self) {
        self.release();
    }

    fn wait(&mut self, waiter: Waiter) {
        self.futures.create(waiter);
        self.release();
        self.waiters.push(waiter);
    }

    fn notify(&mut self, limit: usize) {
        if self.locked {
            self.notify_unasked(limit);
        }
    }

    fn cancel_wait(&mut self, waiter: Waiter) {
        self.futures.0.insert(waiter, Standing::Cancelled);
    }

    fn standing(&self, waiter: Waiter) -> Standing {
        self.futures.0[&waiter]
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            value: i64::from(!self.locked),
            line: self.futures.shown(&self.lock_waiters),
            condition: self.futures.shown(&self.waiters),
        }
    }
}

// Ours.

fn shown(line: &ManualLine) -> Vec<(Waiter, Standing)> {
    line.to_vec()
        .into_iter()
        .map(|waiter| (waiter, line.standings.of(waiter)))
        .collect()
}

struct OurSemaphore<const WAKES_ALL: bool>(Semaphore<ManualLine, WAKES_ALL>);

impl<const WAKES_ALL: bool> Subject for OurSemaphore<WAKES_ALL> {
    fn ask(&mut self, waiter: Waiter) -> Step {
        assert_eq!(self.0.waiters.standings.waiter(), waiter);
        if self.0.try_acquire().unwrap() {
            return Step::Has;
        }
        self.0.waiters.push(&waiter);
        Step::Waits
    }

    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step {
        if cancelled {
            self.0.give_up(&waiter).unwrap();
            Step::Gone
        } else {
            self.0.take_over(&waiter).unwrap();
            Step::Has
        }
    }

    fn give_back(&mut self) {
        self.0.release().unwrap();
    }

    fn wait(&mut self, _waiter: Waiter) {}

    fn notify(&mut self, _limit: usize) {}

    fn cancel_wait(&mut self, waiter: Waiter) {
        self.0.waiters.standings.cancel(waiter);
    }

    fn standing(&self, waiter: Waiter) -> Standing {
        self.0.waiters.standings.of(waiter)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            value: self.0.value(),
            line: shown(&self.0.waiters),
            condition: Vec::new(),
        }
    }
}

struct OurCondition<const HANDS_ON: bool> {
    standings: Rc<Standings>,
    lock: Lock<ManualLine>,
    condition: Condition<ManualLine, HANDS_ON>,
    /// As asyncio's.
    returning: HashMap<Waiter, bool>,
}

impl<const HANDS_ON: bool> OurCondition<HANDS_ON> {
    fn new() -> Self {
        let standings = Rc::new(Standings::default());
        Self {
            lock: Lock::new(ManualLine::new(&standings)),
            condition: Condition::new(ManualLine::new(&standings)),
            standings,
            returning: HashMap::new(),
        }
    }

    fn finish_wait(&mut self, waiter: Waiter) -> Step {
        if self.returning.remove(&waiter) == Some(true) {
            self.condition.fail().unwrap();
            self.lock.release().unwrap().unwrap();
            return Step::Gone;
        }
        Step::Has
    }

    fn relock(&mut self, waiter: Waiter) -> Step {
        if self.condition.relock(&self.lock, &waiter).unwrap() {
            return self.finish_wait(waiter);
        }
        self.standings.wait_again(waiter);
        self.lock.waiters.push(&waiter);
        Step::Waits
    }
}

impl<const HANDS_ON: bool> Subject for OurCondition<HANDS_ON> {
    fn ask(&mut self, waiter: Waiter) -> Step {
        assert_eq!(self.standings.waiter(), waiter);
        if self.lock.try_acquire().unwrap() {
            return Step::Has;
        }
        self.lock.waiters.push(&waiter);
        Step::Waits
    }

    fn run(&mut self, waiter: Waiter, cancelled: bool) -> Step {
        if self.condition.waiters.to_vec().contains(&waiter) {
            self.returning.insert(waiter, cancelled);
            return self.relock(waiter);
        }
        if cancelled {
            self.lock.give_up(&waiter).unwrap();
            if let Some(raises) = self.returning.get_mut(&waiter) {
                *raises = true;
                return self.relock(waiter);
            }
            return Step::Gone;
        }
        self.lock.take_over(&waiter);
        self.finish_wait(waiter)
    }

    fn give_back(&mut self) {
        self.lock.release().unwrap().unwrap();
    }

    fn wait(&mut self, waiter: Waiter) {
        self.standings.wait_again(waiter);
        self.condition.begin(&self.lock, &waiter).unwrap().unwrap();
    }

    fn notify(&mut self, limit: usize) {
        if self.lock.is_locked() {
            self.condition.notify(limit).unwrap();
        }
    }

    fn cancel_wait(&mut self, waiter: Waiter) {
        self.standings.cancel(waiter);
    }

    fn standing(&self, waiter: Waiter) -> Standing {
        self.standings.of(waiter)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            value: i64::from(!self.lock.is_locked()),
            line: shown(&self.lock.waiters),
            condition: shown(&self.condition.waiters),
        }
    }
}

// Tasks.

/// The tasks of one subject: who holds, who waits, and who of those has a cancellation coming.
struct Tasks<S> {
    subject: S,
    asked: usize,
    holding: Vec<Waiter>,
    waiting: Vec<Waiter>,
    thrown: Vec<Waiter>,
    /// In which order they got what they asked for.
    served: Vec<Waiter>,
}

impl<S: Subject> Tasks<S> {
    fn new(subject: S) -> Self {
        Self {
            subject,
            asked: 0,
            holding: Vec::new(),
            waiting: Vec::new(),
            thrown: Vec::new(),
            served: Vec::new(),
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Ask => {
                let waiter = self.asked;
                self.asked += 1;
                let step = self.subject.ask(waiter);
                self.note(waiter, step);
            }
            Action::GiveBack(choice) => {
                if take(&mut self.holding, choice).is_some() {
                    self.subject.give_back();
                }
            }
            Action::Cancel(choice) => {
                if let Some(waiter) = chosen(&self.waiting, choice) {
                    if self.subject.standing(waiter) == Standing::Waiting {
                        self.subject.cancel_wait(waiter);
                    } else if !self.thrown.contains(&waiter) {
                        self.thrown.push(waiter);
                    }
                }
            }
            Action::Run(choice) => {
                if let Some(waiter) = chosen(&self.over(), choice) {
                    self.run(waiter);
                }
            }
            Action::WaitForCondition(choice) => {
                // A semaphore's tasks have no condition.
                if let Some(waiter) = take(&mut self.holding, choice) {
                    self.subject.wait(waiter);
                    self.waiting.push(waiter);
                }
            }
            Action::Notify(limit) => self.subject.notify(limit),
        }
    }

    /// Those whose wait is over.
    fn over(&self) -> Vec<Waiter> {
        let over = |waiter: &Waiter| self.subject.standing(*waiter) != Standing::Waiting;
        self.waiting.iter().copied().filter(over).collect()
    }

    fn run(&mut self, waiter: Waiter) {
        remove(&mut self.waiting, waiter);
        let thrown = self.thrown.contains(&waiter);
        remove(&mut self.thrown, waiter);
        let cancelled = thrown || self.subject.standing(waiter) == Standing::Cancelled;
        let step = self.subject.run(waiter, cancelled);
        self.note(waiter, step);
    }

    fn note(&mut self, waiter: Waiter, step: Step) {
        match step {
            Step::Has => {
                self.holding.push(waiter);
                self.served.push(waiter);
            }
            Step::Waits => self.waiting.push(waiter),
            Step::Gone => {}
        }
    }

    /// Everybody runs and gives back at once, until nobody can go on.
    fn finish(&mut self) {
        loop {
            for _ in std::mem::take(&mut self.holding) {
                self.subject.give_back();
            }
            let Some(waiter) = self.over().first().copied() else {
                return;
            };
            self.run(waiter);
        }
    }
}

fn chosen(among: &[Waiter], choice: usize) -> Option<Waiter> {
    (!among.is_empty()).then(|| among[choice % among.len()])
}

fn take(among: &mut Vec<Waiter>, choice: usize) -> Option<Waiter> {
    let waiter = chosen(among, choice)?;
    remove(among, waiter);
    Some(waiter)
}

fn check(
    ours: impl Subject,
    asyncio: impl Subject,
    actions: Vec<Action>,
) -> Result<(), TestCaseError> {
    let (mut ours, mut asyncio) = (Tasks::new(ours), Tasks::new(asyncio));
    for action in actions {
        ours.perform(action);
        asyncio.perform(action);
        prop_assert_eq!(ours.subject.snapshot(), asyncio.subject.snapshot());
        prop_assert_eq!(&ours.served, &asyncio.served);
    }
    ours.finish();
    asyncio.finish();
    prop_assert_eq!(ours.subject.snapshot(), asyncio.subject.snapshot());
    prop_assert_eq!(&ours.served, &asyncio.served);
    // Nobody waits for what is there.
    prop_assert_eq!(ours.subject.snapshot().line, vec![]);
    Ok(())
}

fn semaphore<const WAKES_ALL: bool>(value: i64) -> OurSemaphore<WAKES_ALL> {
    let line = ManualLine::new(&Rc::new(Standings::default()));
    OurSemaphore(Semaphore::new(value, line))
}

fn asyncio_semaphore(value: i64, since_3_13: bool) -> AsyncioSemaphore {
    AsyncioSemaphore {
        value,
        waiters: Vec::new(),
        futures: Futures::default(),
        since_3_13,
    }
}

fn asyncio_condition(since_3_13: bool) -> AsyncioCondition {
    AsyncioCondition {
        locked: false,
        lock_waiters: Vec::new(),
        waiters: Vec::new(),
        returning: HashMap::new(),
        futures: Futures::default(),
        since_3_13,
    }
}

proptest! {
    #[test]
    fn a_semaphore_is_asyncios(value in 1..5_i64, actions in actions(0)) {
        check(semaphore::<true>(value), asyncio_semaphore(value, true), actions)?;
    }

    #[test]
    fn a_semaphore_by_the_older_rule_is_the_older_asyncios(
        value in 1..5_i64,
        actions in actions(0),
    ) {
        check(semaphore::<false>(value), asyncio_semaphore(value, false), actions)?;
    }

    #[test]
    fn a_condition_and_its_lock_are_asyncios(actions in actions(3)) {
        check(OurCondition::<true>::new(), asyncio_condition(true), actions)?;
    }

    #[test]
    fn a_condition_by_the_older_rule_is_the_older_asyncios(actions in actions(3)) {
        check(OurCondition::<false>::new(), asyncio_condition(false), actions)?;
    }

    /// FIFO: of those who wait and are not cancelled, who came earlier is served earlier.
    #[test]
    fn a_semaphore_serves_in_the_order_of_asking(
        permits in 1..4_usize,
        asking in 1..20_usize,
        cancelled in prop::collection::vec(any::<bool>(), 20),
    ) {
        let mut tasks = Tasks::new(semaphore::<true>(i64::try_from(permits).unwrap()));
        for _ in 0..asking {
            tasks.perform(Action::Ask);
        }
        let stays = |waiter: &Waiter| *waiter < permits || !cancelled[*waiter];
        let (expected, gone): (Vec<_>, Vec<_>) = (0..asking).partition(stays);
        for waiter in gone {
            tasks.subject.cancel_wait(waiter);
        }
        tasks.finish();
        prop_assert_eq!(tasks.served, expected);
    }
}
