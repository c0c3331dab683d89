//! Random programs do the same, event by event, on the runtime and on a plain model of it; and in
//! whatever order a seed has them run, nothing is lost and nobody waits for what is there.

mod model;
mod program;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use greenloop::queue::Queue;
use greenloop::sync::{Event as Sign, Lock, Semaphore};
use greenloop::{JoinHandle, Runtime, sleep, spawn, yield_now};
use program::{Action, EACH, Event, MAXSIZES, PERMITS, Program, What, item, programs};
use proptest::prelude::*;

/// What the tasks of a program meet at.
struct World {
    events: RefCell<Vec<Event>>,
    queues: [Queue<u32>; EACH],
    locks: [Lock; EACH],
    semaphores: [Semaphore; EACH],
    signs: [Sign; EACH],
    tasks: RefCell<Vec<JoinHandle<()>>>,
}

impl World {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            events: RefCell::default(),
            queues: MAXSIZES.map(|maxsize| match maxsize {
                0 => Queue::unbounded(),
                maxsize => Queue::bounded(maxsize),
            }),
            locks: std::array::from_fn(|_| Lock::new(())),
            semaphores: std::array::from_fn(|_| Semaphore::new(PERMITS)),
            signs: std::array::from_fn(|_| Sign::new()),
            tasks: RefCell::default(),
        })
    }

    fn note(&self, task: usize, action: usize, what: What) {
        self.events.borrow_mut().push(Event { task, action, what });
    }
}

/// Notes where its task was, if that does not come to its end.
struct Unfinished {
    world: Rc<World>,
    task: usize,
    at: Rc<Cell<usize>>,
    is_finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            self.world.note(self.task, self.at.get(), What::Dropped);
        }
    }
}

fn run_actions(
    world: Rc<World>,
    task: usize,
    actions: Vec<Action>,
) -> impl Future<Output = ()> + 'static {
    let at = Rc::new(Cell::new(0));
    // Made before the first step, so that a task that never runs is noted, too.
    let mut unfinished = Unfinished {
        world: Rc::clone(&world),
        task,
        at: Rc::clone(&at),
        is_finished: false,
    };
    async move {
        // Moved in whole, and dropped behind what the actions hold.
        let unfinished = &mut unfinished;
        for (number, action) in actions.into_iter().enumerate() {
            at.set(number);
            let mut what = What::Done;
            match action {
                Action::Yield => yield_now().await,
                Action::Sleep(seconds) => sleep(Duration::from_secs(seconds.into())).await,
                Action::Put(queue) => {
                    let put = world.queues[queue].put(item(task, number));
                    put.await.expect("nobody shuts it down");
                }
                Action::Get(queue) => {
                    let got = world.queues[queue].get().await;
                    what = What::Got(got.expect("nobody shuts it down"));
                }
                Action::Hold(lock) => {
                    let guard = world.locks[lock].acquire().await;
                    yield_now().await;
                    drop(guard);
                }
                Action::Visit(semaphore) => {
                    let permit = world.semaphores[semaphore].acquire().await;
                    yield_now().await;
                    drop(permit);
                }
                Action::Wait(sign) => world.signs[sign].wait().await,
                Action::Set(sign) => world.signs[sign].set(),
                Action::Clear(sign) => world.signs[sign].clear(),
                Action::Abort(other) => world.tasks.borrow()[other].abort(),
            }
            world.note(task, number, what);
            at.set(number + 1);
        }
        unfinished.is_finished = true;
    }
}

/// What the program does on a runtime, and what is left of it.
fn run_on(runtime: &Runtime, program: &Program) -> (Vec<Event>, Rc<World>) {
    let world = World::new();
    let inner = Rc::clone(&world);
    let tasks = program.0.clone();
    let events = runtime.run(async move {
        for (number, actions) in tasks.into_iter().enumerate() {
            let task = spawn(run_actions(Rc::clone(&inner), number, actions));
            inner.tasks.borrow_mut().push(task);
        }
        sleep(Duration::from_secs(model::END.into())).await;
        // What waits for ever is dropped with the runtime, which is none of the program's doing.
        inner.events.take()
    });
    (events, world)
}

fn runtime(seed: Option<u64>) -> Runtime {
    let builder = Runtime::builder().virtual_clock();
    let builder = match seed {
        Some(seed) => builder.seed(seed),
        None => builder,
    };
    builder.build().expect("there are descriptors")
}

/// Nobody waits at the end for what is there.
fn check_nobody_waits_in_vain(program: &Program, events: &[Event], world: &World) {
    for (task, actions) in program.0.iter().enumerate() {
        let done = events.iter().filter(|event| event.task == task);
        if done.clone().any(|event| event.what == What::Dropped) {
            continue;
        }
        let Some(action) = actions.get(done.count()) else {
            continue;
        };
        let is_there = match *action {
            Action::Get(queue) => !world.queues[queue].is_empty(),
            Action::Put(queue) => !world.queues[queue].is_full(),
            Action::Wait(sign) => world.signs[sign].is_set(),
            // Of the others none waits, or not for long: who has a lock lets go of it in the next
            // turn.
            _ => true,
        };
        assert!(!is_there, "task {task} waits in {action:?}");
    }
    assert!(world.locks.iter().all(|lock| !lock.is_locked()));
    assert!(
        world
            .semaphores
            .iter()
            .all(|semaphore| semaphore.value() == PERMITS)
    );
}

/// Every item that was put is in its queue or was got, once.
fn check_no_item_is_lost(program: &Program, events: &[Event], world: &World) {
    let mut put = Vec::new();
    let mut there = Vec::new();
    for event in events {
        match event.what {
            What::Got(item) => there.push(item),
            What::Done => {
                if let Action::Put(_) = program.0[event.task][event.action] {
                    put.push(item(event.task, event.action));
                }
            }
            What::Dropped => {}
        }
    }
    for queue in &world.queues {
        there.extend(std::iter::from_fn(|| queue.get_nowait().ok()));
    }
    put.sort_unstable();
    there.sort_unstable();
    assert_eq!(put, there);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_program_does_what_the_model_says(program in programs()) {
        let (events, _world) = run_on(&runtime(None), &program);
        prop_assert_eq!(events, model::events_of(&program));
    }

    #[test]
    fn nothing_is_lost_in_any_order(program in programs(), seed in any::<u64>()) {
        let runtime = runtime(Some(seed));
        let (events, world) = run_on(&runtime, &program);
        check_nobody_waits_in_vain(&program, &events, &world);
        check_no_item_is_lost(&program, &events, &world);
    }
}
