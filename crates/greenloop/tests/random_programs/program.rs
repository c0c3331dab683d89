//! The language of the random programs.

use std::fmt;

use proptest::prelude::*;

/// How many there are of each thing that tasks meet at.
pub const EACH: usize = 2;

/// How many permits a semaphore has.
pub const PERMITS: usize = 2;

/// How many items a queue may hold; zero means any number.
pub const MAXSIZES: [usize; EACH] = [0, 1];

/// What a task does, one after the other.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    Yield,
    /// For so many seconds.
    Sleep(u32),
    Put(usize),
    Get(usize),
    /// Acquires a lock, yields, and lets go of it.
    Hold(usize),
    /// Acquires a permit, yields, and gives it back.
    Visit(usize),
    Wait(usize),
    Set(usize),
    Clear(usize),
    /// Aborts the task of that number.
    Abort(usize),
}

/// The actions of each task.
#[derive(Clone, Debug)]
pub struct Program(pub Vec<Vec<Action>>);

/// Something that a program was seen to do.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    pub task: usize,
    /// The place of the action in the task.
    pub action: usize,
    pub what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    Done,
    /// An item was got.
    Got(u32),
    /// The task was aborted where it waits.
    Dropped,
}

impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{} {:?}", self.task, self.action, self.what)
    }
}

/// The item that an action puts: a number that names it.
pub fn item(task: usize, action: usize) -> u32 {
    u32::try_from(task * 100 + action).expect("programs are small")
}

fn action(tasks: usize) -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => Just(Action::Yield),
        2 => (0..4_u32).prop_map(Action::Sleep),
        4 => (0..EACH).prop_map(Action::Put),
        4 => (0..EACH).prop_map(Action::Get),
        4 => (0..EACH).prop_map(Action::Hold),
        3 => (0..EACH).prop_map(Action::Visit),
        2 => (0..EACH).prop_map(Action::Wait),
        2 => (0..EACH).prop_map(Action::Set),
        1 => (0..EACH).prop_map(Action::Clear),
        2 => (0..tasks).prop_map(Action::Abort),
    ]
}

/// Any program of a few tasks.
pub fn programs() -> impl Strategy<Value = Program> {
    (1..8_usize).prop_flat_map(|tasks| {
        let task = prop::collection::vec(action(tasks), 0..10);
        prop::collection::vec(task, tasks).prop_map(Program)
    })
}
