//! Locks, semaphores and conditions against asyncio's own code, written down again line by line:
//! whatever tasks do and whenever they are cancelled, the same ones are woken in the same order.
//! And nobody who waits is forgotten.

mod core_primitives;
#[expect(dead_code, reason = "other tests use the rest of the line")]
#[path = "../manual_line/mod.rs"]
mod manual_line;
mod tasks;
mod transcription;

use greenloop_core::WaiterState;
use proptest::prelude::*;

use core_primitives::{OurCondition, OurSemaphore};
use manual_line::Waiter;
use tasks::Tasks;
use transcription::{AsyncioCondition, AsyncioSemaphore};

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
    fn waiter_state(&self, waiter: Waiter) -> WaiterState;
    /// Everything that can be compared.
    fn snapshot(&self) -> Snapshot;
}

#[derive(PartialEq, Eq, Debug)]
struct Snapshot {
    /// The value of a semaphore, or whether a lock is free.
    value: i64,
    line: Vec<(Waiter, WaiterState)>,
    condition: Vec<(Waiter, WaiterState)>,
}

/// Takes a waiter out of a list, if it is there.
fn remove(line: &mut Vec<Waiter>, waiter: Waiter) {
    line.retain(|other| *other != waiter);
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

proptest! {
    #[test]
    fn a_semaphore_is_asyncios(value in 1..5_i64, actions in actions(0)) {
        check(OurSemaphore::<true>::new(value), AsyncioSemaphore::new(value, true), actions)?;
    }

    #[test]
    fn a_semaphore_by_the_older_rule_is_the_older_asyncios(
        value in 1..5_i64,
        actions in actions(0),
    ) {
        check(OurSemaphore::<false>::new(value), AsyncioSemaphore::new(value, false), actions)?;
    }

    #[test]
    fn a_condition_and_its_lock_are_asyncios(actions in actions(3)) {
        check(OurCondition::<true>::new(), AsyncioCondition::new(true), actions)?;
    }

    #[test]
    fn a_condition_by_the_older_rule_is_the_older_asyncios(actions in actions(3)) {
        check(OurCondition::<false>::new(), AsyncioCondition::new(false), actions)?;
    }

    /// FIFO: of those who wait and are not cancelled, who came earlier is served earlier.
    #[test]
    fn a_semaphore_serves_in_the_order_of_asking(
        permits in 1..4_usize,
        asking in 1..20_usize,
        cancelled in prop::collection::vec(any::<bool>(), 20),
    ) {
        let mut tasks = Tasks::new(OurSemaphore::<true>::new(i64::try_from(permits).unwrap()));
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
