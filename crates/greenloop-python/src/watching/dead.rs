//! The tasks that can never go on, by what can reach the objects that they wait for.
//!
//! ```text
//!   tasks that wait ─► their coroutines, and all that these lead to ─► a heap ─► core: who is dead
//!   timers that are set ─► the tasks near them have a way out
//!   locks that are held ─► their holders, and nobody else, give them
//! ```
//! A lock of ours is given by its holder, so that two tasks which hold what the other wants are
//! dead although a module may have both locks by name. All else is given by whoever can reach it.
//! That a task could be cancelled by one that has it does not count: it would undo any deadlock.
//!
//! Nothing is ever called dead on suspicion. What the search cannot see keeps a task alive: a
//! reference that no object shows, a timer, a descriptor, a job of an executor, an object of a
//! class that shows nothing to the collector. So it may miss a deadlock, and makes up none.
//!
//! It happens in one go with the GIL held and no Python code run, so that the picture is one of a
//! single moment. What leads out of it, to modules, running frames, loops or native code, counts as
//! held from outside, and so as alive.

use std::collections::{BTreeMap, BTreeSet};

use greenloop_core::observe::{
    Givers, Heap, HeapTask, Member, Needs, Party, Stuck, TaskWait, WaitKind, find_dead, find_stuck,
};
use greenloop_cpython::{Exploration, Native, Object, Result, explore_near, making};
use pyo3::prelude::*;
use pyo3::types::PyModule;

use super::looks::{given, number};
use crate::awaitable::Awaitable;
use crate::event_loop::{EventLoop, running_loops};
use crate::observing::{holders_of, tick};
use crate::task::{self, State, Task};

/// The most objects that are looked at. A program in which tasks that wait lead to more is one of
/// which nothing is said.
const MOST_OBJECTS: usize = 400_000;

/// How far from a timer a task may be that it can end the wait of.
const NEAR: usize = 48;

/// Adds the functions to the module.
pub fn functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(look_for_dead_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(throw_into_task, module)?)
}

/// Return the tasks among these that can never go on: the knots that hold them, and the tasks that
/// wait for those.
///
/// `tasks` are the pending tasks of all loops. One that has run in the last `milliseconds` is not
/// looked at. Weak references of the class `names` do not count. A knot is whether it is a cycle,
/// and its members; a member is the number of the task, that of the resource or task that it waits
/// for or 0, and the numbers of what it holds. Return None if there is too much to look at.
#[pyfunction]
#[pyo3(
    name = "_look_for_dead_tasks",
    text_signature = "(tasks, milliseconds, names)"
)]
fn look_for_dead_tasks(
    tasks: Vec<Bound<'_, PyAny>>,
    milliseconds: u32,
    names: Bound<'_, PyAny>,
) -> PyResult<Option<Py<PyAny>>> {
    let tasks: Vec<Object> = tasks.into_iter().map(Object::from).collect();
    let mut search = Search::begin(&tasks, milliseconds);
    search
        .exploration
        .ignore_weak_references_of(&Object::from(names));
    let Some(stuck) = search.finish() else {
        return Ok(None);
    };
    Ok(Some(given(&shown(&stuck)?)))
}

/// Have the `await` of a task that waits raise an exception in the next turn. Called in the thread
/// of the task's loop.
///
/// Return False, and change nothing, for a task of another class, or one that does not wait, or
/// that waits for an object of another class.
#[pyfunction]
#[pyo3(name = "_throw_into_task", text_signature = "(task, exception)")]
fn throw_into_task(task: Bound<'_, PyAny>, exception: Bound<'_, PyAny>) -> PyResult<bool> {
    let (task, exception) = (Object::from(task), Object::from(exception));
    match task::CLASS.exactly(&task) {
        Some(task) => Ok(task::throw_into(task, &exception)?),
        None => Ok(false),
    }
}

/// A search in the making.
struct Search {
    exploration: Exploration,
    tasks: BTreeMap<u32, HeapTask>,
    resources: BTreeMap<u32, Givers>,
    /// The last number that was made up, for what has none.
    made_up: u32,
    /// Whether there is more to look at than a moment is long enough for.
    is_too_much: bool,
}

impl Search {
    fn begin(tasks: &[Object], milliseconds: u32) -> Self {
        let mut search = Self {
            exploration: Exploration::new(),
            tasks: BTreeMap::new(),
            resources: BTreeMap::new(),
            made_up: u32::MAX,
            is_too_much: false,
        };
        let loops = running_loops();
        for event_loop in &loops {
            search.exploration.shut(event_loop);
        }
        let pending = tasks.iter().filter_map(|task| task::CLASS.exactly(task));
        let pending: Vec<&Native<Task>> = pending
            .filter(|task| task::state_of(task) != State::Done)
            .collect();
        let numbers: BTreeSet<u32> = pending.iter().map(|task| task::number_of(task)).collect();
        let is_old =
            |task: &Native<Task>| tick().saturating_sub(task::last_step(task)) >= milliseconds;
        let old = pending
            .iter()
            .filter(|task| task::state_of(task) == State::Waiting && is_old(task));
        for task in old {
            search.add(task, &numbers);
        }
        search.find_ways_out(&loops);
        search
    }

    /// Adds a task that waits, unless something outside of the tasks ends its wait.
    fn add(&mut self, task: &Native<Task>, pending: &BTreeSet<u32>) {
        let Some(waits) = task::waits_of(task) else {
            return;
        };
        let kind = waits.wait.kind;
        let party = match kind {
            WaitKind::Task if waits.wait.number != 0 => Party::Task(waits.wait.number),
            WaitKind::QueueGet
            | WaitKind::QueuePut
            | WaitKind::QueueJoin
            | WaitKind::Lock
            | WaitKind::Semaphore
            | WaitKind::Event
            | WaitKind::Condition
            | WaitKind::Barrier
            | WaitKind::Gather
            | WaitKind::Wait
            | WaitKind::TaskGroup
            | WaitKind::Shield
            | WaitKind::Future
            | WaitKind::Foreign => {
                let awaited = &waits.awaited;
                let source = Awaitable::native(awaited).and_then(|one| one.get().owner());
                let object = source.as_ref().unwrap_or(awaited);
                self.resource(waits.wait.number, kind, object, pending)
            }
            _ => return,
        };
        let coroutine = task::coroutine_of(task);
        // Their references to others are of use to the task alone.
        let mut inside: Vec<&Object> = vec![task];
        inside.extend(&coroutine);
        let innermost = task::waiter_of(task).filter(Awaitable::is_native);
        inside.extend(&innermost);
        let inside = inside
            .iter()
            .map(|object| self.exploration.number_of(object));
        let inside = inside.collect();
        let task = task::number_of(task);
        let wait = TaskWait {
            needs: Needs::AnyOf(vec![party]),
            kind: Some(kind),
            site: 0,
        };
        let task_in_heap = HeapTask {
            object: None,
            inside,
            wait: Some(wait),
        };
        self.tasks.insert(task, task_in_heap);
    }

    /// The resource that a task waits for, and who can give it.
    fn resource(
        &mut self,
        known: u32,
        kind: WaitKind,
        object: &Object,
        pending: &BTreeSet<u32>,
    ) -> Party {
        let number = if known == 0 {
            self.made_up -= 1;
            self.made_up
        } else {
            known
        };
        if !self.resources.contains_key(&number) {
            let owners = if kind == WaitKind::Lock {
                owners_of(number, pending)
            } else {
                None
            };
            let givers = owners.map_or_else(
                || Givers::WhoReaches(self.exploration.number_of(object)),
                Givers::Owners,
            );
            self.resources.insert(number, givers);
        }
        Party::Resource(number)
    }

    /// A task near a timer that is set, or due, has a way out: the timer may end its wait.
    fn find_ways_out(&mut self, loops: &[Object]) {
        if self.tasks.is_empty() {
            return;
        }
        let mut count = 0;
        for call in loops
            .iter()
            .filter_map(EventLoop::of)
            .flat_map(EventLoop::calls_to_come)
        {
            if count > MOST_OBJECTS {
                self.is_too_much = true;
                return;
            }
            explore_near(&call, NEAR, |object| {
                count += 1;
                let Some(task) = task::CLASS.exactly(object) else {
                    return EventLoop::of(object).is_none();
                };
                let found = self.tasks.get_mut(&task::number_of(task));
                if let Some(wait) = found.and_then(|task| task.wait.as_mut()) {
                    let mut parties = wait.needs.parties().to_vec();
                    parties.push(Party::Outside);
                    wait.needs = Needs::AnyOf(parties);
                }
                false
            });
        }
    }

    fn finish(mut self) -> Option<Stuck> {
        if self.is_too_much {
            return None;
        }
        let mut heap = Heap::default();
        let mut number = 0;
        let complete = self.exploration.explore(MOST_OBJECTS, |met| {
            heap.add(met.count);
            if met.is_reached_weakly {
                heap.hold(number);
            }
            number += 1;
            for object in met.references {
                heap.refer_to(*object);
            }
        });
        if !complete {
            return None;
        }
        let dead = find_dead(&heap, &self.tasks, &self.resources);
        Some(find_stuck(&dead.graph))
    }
}

/// The tasks that hold a lock, if nobody else releases it as far as one knows.
fn owners_of(lock: u32, pending: &BTreeSet<u32>) -> Option<Vec<u32>> {
    let (holders, exclusive) = holders_of(lock)?;
    let owners: Vec<u32> = holders.iter().map(|holding| holding.task).collect();
    // One that has finished and not released it may have left that to somebody else.
    let all_pending = owners.iter().all(|owner| pending.contains(owner));
    (exclusive && all_pending).then_some(owners)
}

fn shown(stuck: &Stuck) -> Result<Object> {
    let knots = stuck.knots.iter().map(|knot| {
        let members = knot.members.iter().map(shown_member);
        let members = making::list(members.collect::<Result<_>>()?)?;
        making::pair(&Object::boolean(knot.is_cycle), &members)
    });
    let knots = making::list(knots.collect::<Result<_>>()?)?;
    let behind = stuck.behind.iter().map(shown_member);
    let behind = making::list(behind.collect::<Result<_>>()?)?;
    making::pair(&knots, &behind)
}

fn shown_member(member: &Member) -> Result<Object> {
    let party = member.wait.needs.parties().first();
    let awaited = match party {
        Some(Party::Task(number) | Party::Resource(number)) => *number,
        Some(Party::Outside) | None => 0,
    };
    let holds = member.holds.iter().map(|resource| number(*resource));
    making::tuple(vec![
        number(member.task)?,
        number(awaited)?,
        making::list(holds.collect::<Result<_>>()?)?,
    ])
}
