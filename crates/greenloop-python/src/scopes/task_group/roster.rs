//! `Roster`: a group's children that are not done.
//!
//! asyncio keeps a set. Here our tasks are in a vector, and each knows its index there: joining and
//! leaving cost 2 ns instead of 40. Once code asks for the set, or a task of another class joins,
//! the set replaces the vector, because it may be changed from outside.
//!
//! A task's index is in its own struct (`group_place`), counted from 1, so a task can be in one
//! roster's vector at a time. It is trusted only after a look at the vector: a task with an index
//! of another roster is not found.

use greenloop_cpython::{
    GilCell, Native, Object, Result, Slot, Visited, Visitor, attached, making,
};
use pyo3::prelude::*;

use crate::task::{self, Task};

/// See the module's text. All zeroes, or [`new`](Self::new), is an empty one.
pub struct Roster {
    /// The children, in no particular order, while there is no set.
    places: GilCell<Vec<Native<Task>>>,
    /// The set, once there is one.
    set: Slot,
}

impl Roster {
    /// Nobody is there.
    pub const fn new() -> Self {
        Self {
            places: GilCell::new(Vec::new()),
            set: Slot::empty(),
        }
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self.set.get() {
            None => self.places.with(|places| places.len()),
            Some(set) => set.set_size(),
        }
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A task joins.
    ///
    /// It must not be there already, which holds of a task that was just created.
    #[inline]
    pub fn insert(&self, task: &Object) -> Result<()> {
        // A subclass may compare and hash as it likes.
        let native = task::CLASS.exactly(task).filter(|_| self.set.is_empty());
        let Some(task) = native else {
            return self.as_set()?.set_add(task);
        };
        let len = self.places.with(|places| {
            places.push(task.clone());
            places.len()
        });
        set_place(task, len);
        Ok(())
    }

    /// A task leaves, if it is there.
    ///
    /// In constant time; the last one takes its place.
    #[inline]
    pub fn remove(&self, task: &Object) -> Result<()> {
        if let Some(set) = self.set.get() {
            return set.set_discard(task).map(drop);
        }
        let Some(task) = task::CLASS.exactly(task) else {
            return Ok(());
        };
        let place = task.get().group_place().get() as usize;
        let removed = self.places.with(|places| {
            let index = place.checked_sub(1)?;
            if !places.get(index)?.is(task.as_ptr()) {
                return None;
            }
            let removed = places.swap_remove(index);
            if let Some(moved) = places.get(index) {
                set_place(moved, place);
            }
            Some(removed)
        });
        if removed.is_some() {
            set_place(task, 0);
        }
        Ok(())
    }

    /// All of them at this moment.
    ///
    /// A copy with new references, which code that runs meanwhile cannot change.
    pub fn to_vec(&self) -> Result<Vec<Object>> {
        let Some(set) = self.set.get() else {
            let children = |places: &mut Vec<Native<Task>>| places.clone();
            let children = self.places.with(children).into_iter();
            return Ok(children.map(Native::into_object).collect());
        };
        let py = attached();
        let members = set.bound(py).try_iter()?;
        Ok(members
            .map(|member| member.map(Object::from))
            .collect::<PyResult<_>>()?)
    }

    /// The set, which is the truth from then on.
    ///
    /// The tasks keep their indexes, which mean nothing any more.
    pub fn as_set(&self) -> Result<Object> {
        if let Some(set) = self.set.get() {
            return Ok(set);
        }
        let set = making::set()?;
        for task in &self.places.with(|places| places.clone()) {
            set.set_add(task)?;
        }
        self.replace(set.clone());
        Ok(set)
    }

    /// Takes `set` for the truth.
    ///
    /// The old tasks are released at the end, since that may run user code.
    pub fn replace(&self, set: Object) {
        let places = self.places.with(std::mem::take);
        self.set.set(set);
        drop(places);
    }

    /// Releases all tasks.
    pub fn clear(&self) {
        let places = self.places.with(std::mem::take);
        self.set.clear();
        drop(places);
    }

    /// Shows them to the garbage collector.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        self.set.visit(visitor)?;
        // A visitor runs no Python code, so nothing uses the places meanwhile.
        self.places
            .with(|places| places.iter().try_for_each(|task| visitor.show(task)))
    }
}

/// The place counts from 1; 0 is nowhere, and so is one that does not fit.
#[inline]
fn set_place(task: &Native<Task>, place: usize) {
    task.get()
        .group_place()
        .set(u32::try_from(place).unwrap_or(0));
}
