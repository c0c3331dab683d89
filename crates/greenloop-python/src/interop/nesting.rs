//! Dropping what a container held, however deep containers are nested.
//!
//! A queue in a queue in a queue, a hundred thousand times, would be dropped by as many calls inside of
//! each other, which no stack has room for. CPython keeps its own containers from that by its trashcan,
//! which is private; this is ours. Beyond a depth the contents are put aside, and dropped when the
//! calls have come back.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::object::Object;

/// What CPython's trashcan allows itself.
const DEEPEST: usize = 50;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static PUT_ASIDE: RefCell<Vec<VecDeque<Object>>> = const { RefCell::new(Vec::new()) };
}

/// Drops the contents of a container that dies.
pub fn drop_contents(contents: VecDeque<Object>) {
    if contents.is_empty() {
        return;
    }
    let depth = DEPTH.get();
    if depth == DEEPEST {
        PUT_ASIDE.with_borrow_mut(|put_aside| put_aside.push(contents));
        return;
    }
    DEPTH.set(depth + 1);
    drop(contents);
    if depth == 0 {
        while let Some(contents) = PUT_ASIDE.with_borrow_mut(Vec::pop) {
            drop(contents);
        }
    }
    DEPTH.set(depth);
}
