//! The tasks of a loop, by number, and the free cells.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::{BoxedWork, Key, Task};
use crate::runtime::EventLoop;

/// See [`Task`] for the life of a cell.
#[derive(Default)]
pub struct Table {
    places: RefCell<Places>,
    /// The number of the next task.
    sequence: Cell<u64>,
    /// Set when the loop ends: no task is accepted any more.
    closed: Cell<bool>,
    /// Whether there ever were so many tasks at a time that the ready ones do not fit into the
    /// caches.
    are_many: Cell<bool>,
}

/// With their futures some 300 bytes each, these fill a second-level cache.
const MANY: usize = 4096;

#[derive(Default)]
struct Places {
    places: Vec<Place>,
    /// Places without a task.
    free: Vec<usize>,
}

struct Place {
    generation: u64,
    /// The cell, which is a task's unless the place is free.
    cell: Option<Rc<Task>>,
}

impl Table {
    /// A task with this work, queued to be stepped. Without a handle its outcome is not observed.
    #[inline]
    pub fn spawn(
        &self,
        event_loop: &Rc<EventLoop>,
        work: Option<BoxedWork>,
        has_handle: bool,
    ) -> Rc<Task> {
        if self.closed.get() {
            return Self::stillborn(event_loop, work, has_handle);
        }
        let task = self.take_cell(event_loop);
        task.has_handle.set(has_handle);
        let sequence = self.sequence.get();
        self.sequence.set(sequence + 1);
        task.sequence.set(sequence);
        task.work.set(work);
        Task::wake(Rc::clone(&task));
        task
    }

    /// A destructor that spawns while the loop ends gets a task that is cancelled already.
    #[cold]
    fn stillborn(
        event_loop: &Rc<EventLoop>,
        work: Option<BoxedWork>,
        has_handle: bool,
    ) -> Rc<Task> {
        let nowhere = Key {
            index: usize::MAX,
            generation: 0,
        };
        let task = Rc::new(Task::new(event_loop, nowhere));
        task.has_handle.set(has_handle);
        task.aborted.set(true);
        task.work.set(work);
        Task::step(Rc::clone(&task));
        task
    }

    #[inline]
    fn take_cell(&self, event_loop: &Rc<EventLoop>) -> Rc<Task> {
        let places = &mut *self.places.borrow_mut();
        let index = places.free.pop().unwrap_or_else(|| {
            places.places.push(Place {
                generation: 0,
                cell: None,
            });
            self.are_many.set(places.places.len() > MANY);
            places.places.len() - 1
        });
        let place = &mut places.places[index];
        let generation = place.generation;
        let cell = place
            .cell
            .get_or_insert_with(|| Rc::new(Task::new(event_loop, Key { index, generation })));
        cell.finished.set(false);
        Rc::clone(cell)
    }

    /// The task of this number, if it is still alive.
    #[inline]
    pub fn find(&self, key: Key) -> Option<Rc<Task>> {
        let places = self.places.borrow();
        let place = places.places.get(key.index)?;
        let cell = place.cell.as_ref()?;
        let is_it = !cell.finished.get() && place.generation == key.generation;
        is_it.then(|| Rc::clone(cell))
    }

    /// The caller, which is about to drop `task`, was the last to need it. If a stale waker or a
    /// wait that is not over still holds it, they keep it, and the place gets another cell.
    pub fn recycle(&self, task: &Rc<Task>) {
        let Key { index, .. } = task.remote.key();
        // The caller's and the table's; the task's and the one in its waker.
        let is_free = Rc::strong_count(task) == 2 && Arc::strong_count(&task.remote) == 2;
        let (name, joiner) = (task.name.take(), task.joiner.take());
        task.queued.set(false);
        task.aborted.set(false);
        let mut places = self.places.borrow_mut();
        let Some(place) = places.places.get_mut(index) else {
            return;
        };
        let replaced = if is_free {
            None
        } else {
            place.generation += 1;
            place.cell.take()
        };
        places.free.push(index);
        drop(places);
        drop((replaced, name, joiner));
    }

    /// Whether tasks that are ready have probably been out of the caches for long.
    #[inline]
    pub fn are_many(&self) -> bool {
        self.are_many.get()
    }

    /// The tasks that are not finished.
    fn alive(&self) -> Vec<Rc<Task>> {
        let places = self.places.borrow();
        let cells = places.places.iter().filter_map(|place| place.cell.as_ref());
        cells.filter(|cell| !cell.finished.get()).cloned().collect()
    }

    /// How many tasks are not finished.
    pub fn len(&self) -> usize {
        self.alive().len()
    }

    /// Drops all futures, in the order of their tasks, and accepts no more.
    pub fn close(&self) {
        self.closed.set(true);
        let mut alive = self.alive();
        alive.sort_unstable_by_key(|task| task.sequence.get());
        for task in alive {
            task.aborted.set(true);
            Task::step(task);
        }
        // The cells and the loop hold each other.
        let cells = std::mem::take(&mut *self.places.borrow_mut());
        drop(cells);
    }
}
