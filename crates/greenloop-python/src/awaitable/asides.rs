//! Asides: what few awaitables have, kept outside of them so that the others pay nothing for it.
//!
//! There are hardly ever any. An awaitable that dies takes its asides along, since its address is
//! used again for the next one; a flag tells whether there is anything to look for.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::CStr;

use greenloop_cpython::{GilBound, GilCell, Object};

/// The asides of one awaitable.
#[derive(Default)]
pub struct Asides {
    /// Where it was made: `cr_origin`.
    pub origin: Option<Object>,
    /// The coroutine in whose frame tools see where it waits.
    pub stand_in: Option<StandIn>,
}

/// A coroutine that stands in for an awaitable.
pub struct StandIn {
    /// Where the awaitable was when it was made.
    pub path: Path,
    /// The coroutine, suspended.
    pub coroutine: Object,
}

/// Where an awaitable is: the functions of asyncio's that would be suspended.
#[derive(PartialEq, Eq)]
pub struct Path {
    /// From the outermost to the innermost.
    pub names: Vec<&'static CStr>,
    /// The name of the coroutine that the innermost awaits, empty for a future. `None` if it has
    /// not begun.
    pub awaited: Option<String>,
}

/// Whether any awaitable has some. Checked whenever one is deallocated.
static ANY: GilBound<Cell<bool>> = GilBound::new(Cell::new(false));

/// The asides of living awaitables, by their addresses.
static ASIDES: GilCell<Option<HashMap<usize, Asides>>> = GilCell::new(None);

/// Whether an awaitable that is deallocated may have asides.
#[inline]
pub fn has_any() -> bool {
    ANY.get()
}

/// Looks at an awaitable's asides, if it has some. `look` runs no Python code.
pub fn look<T>(awaitable: &Object, look: impl FnOnce(&Asides) -> T) -> Option<T> {
    if !has_any() {
        return None;
    }
    let key = awaitable.as_ptr().addr();
    ASIDES.with(|asides| asides.as_ref()?.get(&key).map(look))
}

/// Changes an awaitable's asides. `change` runs no Python code, and returns what is to be dropped.
pub fn change<T>(awaitable: &Object, change: impl FnOnce(&mut Asides) -> T) -> T {
    ANY.set(true);
    let key = awaitable.as_ptr().addr();
    ASIDES.with(|asides| change(asides.get_or_insert_default().entry(key).or_default()))
}

/// Drops the asides of the awaitable that had this address, which is being deallocated.
#[inline]
pub fn forget(address: usize) {
    if has_any() {
        forget_any(address);
    }
}

#[cold]
fn forget_any(key: usize) {
    let (old, any) = ASIDES.with(|asides| {
        let old = asides.as_mut().and_then(|asides| asides.remove(&key));
        let any = asides.as_ref().is_some_and(|asides| !asides.is_empty());
        (old, any)
    });
    ANY.set(any);
    drop(old);
}
