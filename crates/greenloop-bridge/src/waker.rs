//! The wakers that a future sees: one that lasts for a poll and costs nothing, and its clones.

use std::ffi::c_void;
use std::ptr;
use std::sync::OnceLock;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::abi::Table;

/// As in [`crate::import`], for threads without the GIL. Filled before the first poll.
static TABLE: OnceLock<&'static Table> = OnceLock::new();

/// Runs `call` with the waker of a poll.
#[inline]
pub fn with_waker<R>(
    table: &'static Table,
    polled: *const c_void,
    call: impl FnOnce(&Waker) -> R,
) -> R {
    TABLE.get_or_init(|| table);
    let raw = RawWaker::new(polled.cast(), &POLLED);
    // SAFETY: the functions of `POLLED` keep the contract for as long as the poll lasts, and the
    // waker is lent for that time. To clone it makes one of the other kind.
    let waker = unsafe { Waker::from_raw(raw) };
    call(&waker)
}

/// The argument of the poll that `waker` is lent for, if it is a waker of that kind.
#[inline]
pub fn polled_by(waker: &Waker) -> Option<*const c_void> {
    ptr::eq(waker.vtable(), &raw const POLLED).then(|| waker.data().cast())
}

#[inline]
fn table() -> &'static Table {
    TABLE
        .get()
        .expect("a poll has filled it before there was a waker")
}

static POLLED: RawWakerVTable = RawWakerVTable::new(
    |polled| {
        // SAFETY: what a poll was given, while it lasts.
        let waker = unsafe { (table().waker_of_polled)(polled.cast()) };
        RawWaker::new(waker.cast(), &OWNED)
    },
    // SAFETY: as above. It is only ever lent, so nobody can wake by value.
    |polled| unsafe { (table().wake_polled)(polled.cast()) },
    // SAFETY: as above.
    |polled| unsafe { (table().wake_polled)(polled.cast()) },
    |_| {},
);

static OWNED: RawWakerVTable = RawWakerVTable::new(
    |waker| {
        // SAFETY: a waker of the table's, which is owned.
        let another = unsafe { (table().clone_waker)(waker.cast()) };
        RawWaker::new(another.cast(), &OWNED)
    },
    // SAFETY: as above, and given away.
    |waker| unsafe { (table().wake_and_drop)(waker.cast()) },
    // SAFETY: as above.
    |waker| unsafe { (table().wake)(waker.cast()) },
    // SAFETY: as above, and given away.
    |waker| unsafe { (table().drop_waker)(waker.cast()) },
);
