//! `Roster`: a group's children that are not done.
//!
//! asyncio keeps a set. Here our tasks are in a vector, and each knows its index there: joining and
//! leaving cost 2 ns instead of 40. Once code asks for the set, or a task of another class joins,
//! the set replaces the vector, because it may be changed from outside.

use greenloop_cpython::making::{self};

use greenloop_cpython::{GilCell, Object, Raised, Result, Slot, Visited, Visitor, attached};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::asyncio::globals;
use crate::task::Task;

/// See the module's text. All zeroes, or [`new`](Self::new), is an empty one.
pub struct Roster {
    /// The children, in no particular order, while there is no set.
    places: GilCell<Vec<Object>>,
    /// The set, once there is one.
    set: Slot,
}

impl Roster {
    pub const fn new() -> Self {
        Self {
            places: GilCell::new(Vec::new()),
            set: Slot::empty(),
        }
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        let set = self.set.as_ptr();
        if set.is_null() {
            return self.places.with(|places| places.len());
        }
        // SAFETY: the slot holds a set.
        usize::try_from(unsafe { ffi::PySet_Size(set) }).unwrap_or(0)
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A task joins.
    #[inline]
    pub fn insert(&self, task: &Object) -> Result<()> {
        if !self.set.is_empty() || !is_native(task) {
            return add(&self.as_set()?, task);
        }
        let len = self.places.with(|places| {
            places.push(task.clone());
            places.len()
        });
        set_place(task, len);
        Ok(())
    }

    /// A task leaves, if it is there.
    #[inline]
    pub fn remove(&self, task: &Object) -> Result<()> {
        let set = self.set.as_ptr();
        if !set.is_null() {
            // SAFETY: both are valid objects, the first a set.
            let code = unsafe { ffi::PySet_Discard(set, task.as_ptr()) };
            return if code < 0 { Err(Raised) } else { Ok(()) };
        }
        if !is_native(task) {
            return Ok(());
        }
        let place = Task::of(task).group_place().get() as usize;
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
    pub fn to_vec(&self) -> Result<Vec<Object>> {
        let Some(set) = self.set.get() else {
            return Ok(self.places.with(|places| places.clone()));
        };
        let py = attached();
        let members = set.bound(py).try_iter()?;
        Ok(members
            .map(|member| member.map(Object::from))
            .collect::<PyResult<_>>()?)
    }

    /// The set, which is the truth from then on.
    pub fn as_set(&self) -> Result<Object> {
        if let Some(set) = self.set.get() {
            return Ok(set);
        }
        let set = making::set()?;
        for task in &self.places.with(|places| places.clone()) {
            add(&set, task)?;
        }
        self.replace(set.clone());
        Ok(set)
    }

    /// Takes `set` for the truth.
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

/// A subclass may compare and hash as it likes.
#[inline]
fn is_native(task: &Object) -> bool {
    task.is_exactly(globals().classes.task.as_ptr())
}

/// The place counts from 1; 0 is nowhere, and so is one that does not fit.
#[inline]
fn set_place(task: &Object, place: usize) {
    Task::of(task)
        .group_place()
        .set(u32::try_from(place).unwrap_or(0));
}

fn add(set: &Object, task: &Object) -> Result<()> {
    // SAFETY: both are valid objects, the first a set.
    let code = unsafe { ffi::PySet_Add(set.as_ptr(), task.as_ptr()) };
    if code < 0 { Err(Raised) } else { Ok(()) }
}
