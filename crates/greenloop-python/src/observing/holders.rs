//! Who holds which lock or permit, and where it was taken: kept while somebody watches.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};

use greenloop_cpython::{GilCell, Place, Places};

use super::mode::{self, WATCHES};

/// The most locks and semaphores whose holders are kept. Those that are dropped while they are held
/// stay in the table.
const MOST: usize = 1 << 16;

/// Milliseconds of the watch, to within a look of the watchdog; 0 before the first one.
static TICK: AtomicU32 = AtomicU32::new(0);

/// The table of the present watch.
static HOLDERS: GilCell<Option<Holders>> = GilCell::new(None);

/// A task that holds a lock, or a permit.
#[derive(Clone, Copy)]
pub struct Holding {
    /// The number of the task, or 0 for code outside of any task.
    pub task: u32,
    /// Where it was taken: a place of the table, or 0.
    pub site: u32,
    /// The tick at which it was taken.
    pub since: u32,
}

/// The table.
pub struct Holders {
    places: Places,
    held: HashMap<u32, Vec<Holding>>,
    /// What was once released by somebody who did not hold it: anybody may release it again.
    shared: HashSet<u32>,
}

/// The present tick.
#[inline]
pub fn tick() -> u32 {
    TICK.load(Ordering::Relaxed)
}

/// Sets the tick. Any thread may do so.
pub fn set_tick(milliseconds: u32) {
    TICK.store(milliseconds, Ordering::Relaxed);
}

/// A watch begins. Places are those of the program, outside of the folders of `libraries`.
pub fn begin(libraries: Vec<String>) {
    let holders = Holders {
        places: Places::new(libraries),
        held: HashMap::new(),
        shared: HashSet::new(),
    };
    mode::set(WATCHES, true);
    drop(HOLDERS.with(|place| place.replace(holders)));
}

/// It ends.
pub fn end() {
    mode::set(WATCHES, false);
    drop(HOLDERS.with(Option::take));
}

/// The holders of a lock or semaphore, if they are all known; and whether only they release it.
pub fn holders_of(resource: u32) -> Option<(Vec<Holding>, bool)> {
    HOLDERS.with(|holders| {
        let holders = holders.as_ref()?;
        let held = holders.held.get(&resource)?;
        Some((held.clone(), !holders.shared.contains(&resource)))
    })
}

/// The place with this number.
pub fn place(site: u32) -> Option<Place> {
    HOLDERS.with(|holders| {
        let holders = holders.as_ref()?;
        let index = usize::try_from(site).ok()?.checked_sub(1)?;
        holders.places.all().get(index).cloned()
    })
}

/// `task` has acquired `resource`, at the place where the program has called us.
pub fn acquired(resource: u32, task: u32) {
    HOLDERS.with(|holders| {
        let Some(holders) = holders else { return };
        if holders.held.len() >= MOST && !holders.held.contains_key(&resource) {
            return;
        }
        let holding = Holding {
            task,
            site: holders.places.here(),
            since: tick(),
        };
        holders.held.entry(resource).or_default().push(holding);
    });
}

/// `task` has released `resource`.
pub fn released(resource: u32, task: u32) {
    HOLDERS.with(|holders| {
        let Some(holders) = holders else { return };
        let Some(held) = holders.held.get_mut(&resource) else {
            return;
        };
        let own = held.iter().rposition(|holding| holding.task == task);
        held.remove(own.unwrap_or(0));
        if held.is_empty() {
            holders.held.remove(&resource);
        }
        if own.is_none() && holders.shared.len() < MOST {
            holders.shared.insert(resource);
        }
    });
}
