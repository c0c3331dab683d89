//! `Condition`.
//!
//! A condition with a plain native lock, which nearly every condition has, waits natively: one
//! awaitable is in the condition's line and then in the lock's. With any other lock, or where a
//! method may have been replaced, each of asyncio's calls is made by name.
//!
//! asyncio's condition copies the methods `locked`, `acquire` and `release` of its lock into
//! attributes of its own, and calls only those from then on. So there are three cases:
//!
//! ```text
//!   native_lock        exported          by_name    calls go
//!   the lock           empty             false      straight to the lock's state
//!   the lock           some set          true       by name, as a program has set one
//!   empty              all set           true       by name, to another lock's methods
//! ```
//! `native_lock()` is the one test of the fast way, and is made again at each call: a program can
//! replace a method at any time.

mod by_name;
mod notify;
mod wait;

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_core::sync;
use greenloop_cpython::{
    Arguments, Class, Native, NativeSlot, Object, Result, Slot, Visited, Visitor, attribute,
    class_of, copied, fast, no_attribute, noargs, visit_slots,
};

use super::acquire::{Acquire as _, check_exit, enter_by_name, exit_by_name};
use super::copying::{Copied, getstate, setstate};
use super::lock::{self, Lock, LockRef};
use super::primitive::{Lined, Primitive, State, line_attributes, loop_method, repr};
use crate::asyncio::edition::CONDITIONS_HAND_ON;
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Line, completed};

pub use notify::notify_all;
pub use wait::wait;

#[cfg(Py_3_13)]
use notify::notify_private_method;
use notify::{notify_all_method, notify_method};
use wait::{wait_for, wait_method};

/// A reference to a condition.
///
/// Its instance may be of a subclass.
pub type ConditionRef = Native<Primitive<Condition>>;

/// The class.
///
/// A barrier tests with it which conditions it accepts.
pub static CLASS: Class<Primitive<Condition>> = Class::new();

/// A condition's state.
pub struct Condition {
    logic: sync::Condition<Line, CONDITIONS_HAND_ON>,
    /// `_lock`.
    lock: Slot,
    /// The same, if it is a plain native lock.
    native_lock: NativeSlot<Primitive<Lock>>,
    /// `locked`, `acquire` and `release`, where they are not the native lock's own.
    ///
    /// In this order. Empty ones are read from the native lock, which saves three bound methods for
    /// each condition.
    exported: [Slot; 3],
    /// Whether one of those was set, so that they have to be called by name.
    ///
    /// True before `__init__`, so that a method of an unfinished condition raises what asyncio's
    /// would.
    by_name: Cell<bool>,
}

// SAFETY: four slots, a typed reference to the lock of its own, and the line are shown once each.
unsafe impl State for Condition {
    const NAME: &'static CStr = c"Condition";

    fn new() -> Self {
        Self {
            logic: sync::Condition::new(Line::waking_with(|| Object::boolean(false))),
            lock: Slot::empty(),
            native_lock: NativeSlot::empty(),
            exported: [const { Slot::empty() }; 3],
            by_name: Cell::new(true),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        let [locked, acquire, release] = &self.exported;
        visit_slots(visitor, [&self.lock, locked, acquire, release])?;
        self.native_lock.visit(visitor)?;
        self.logic.waiters.visit(visitor)
    }

    /// The flag goes first: dropping a lock may run code that uses the condition.
    fn clear(&self) {
        self.by_name.set(true);
        let [locked, acquire, release] = &self.exported;
        for slot in [&self.lock, locked, acquire, release] {
            slot.clear();
        }
        self.native_lock.clear();
        self.logic.waiters.clear();
    }
}

impl Copied for Condition {
    const ATTRIBUTES: &'static [&'static str] = &["_lock", "_waiters"];

    fn restore(this: &ConditionRef, name: &str, value: &Object) -> Result<bool> {
        let is_lock = name == "_lock";
        if is_lock {
            set_up(this, value)?;
        }
        Ok(is_lock)
    }
}

impl Lined for Condition {
    const LINE_ON_DEMAND: bool = false;

    #[inline]
    fn line(&self) -> &Line {
        &self.logic.waiters
    }
}

/// The lock of a condition all of whose methods are our own.
///
/// None where anything could have been replaced: in a subclass, on an instance with attributes, or
/// in the class itself. A new reference, because the steps that use the lock may run user code.
#[inline]
fn native_lock(this: &ConditionRef) -> Option<LockRef> {
    let condition = &this.get().state;
    let plain =
        CLASS.is_untouched_class_of(this) && this.has_no_attributes() && !condition.by_name.get();
    if plain {
        condition.native_lock.get()
    } else {
        None
    }
}

/// The lock of a condition that waits natively. It is gone only if the garbage collector or a
/// second `__init__` took it.
///
/// # Errors
/// `AttributeError` in those cases.
#[inline]
fn lock_of(this: &ConditionRef) -> Result<LockRef> {
    let lock = this.get().state.native_lock.get();
    lock.ok_or_else(|| no_attribute(this, "_lock"))
}

/// Runs user code, which may do anything to the condition.
fn by_name(name: &Object, this: &Object) -> Result<Object> {
    this.invoke(name, [])
}

// The lock's methods, which a condition exports.

/// Whether the lock is held.
///
/// # Errors
/// Those of a `locked` that a program provides, as for the functions below.
fn is_locked(this: &ConditionRef) -> Result<bool> {
    match native_lock(this) {
        Some(lock) => Ok(lock.get().state.is_locked()),
        None => by_name(&globals().names.locked, this)?.is_true(),
    }
}

/// Acquires the lock if that is possible at once and needs no call by name.
///
/// False means to await [`acquire`], which decides again. For a barrier, which enters its condition
/// often.
pub fn try_acquire(this: &ConditionRef) -> Result<bool> {
    match native_lock(this) {
        Some(lock) => lock.get().state.try_acquire(),
        None => Ok(false),
    }
}

/// `this.acquire()`.
///
/// An awaitable that has not begun, or whatever the program's `acquire` returns.
pub fn acquire(this: &ConditionRef) -> Result<Object> {
    match native_lock(this) {
        Some(lock) => super::acquire::acquire(&lock),
        None => by_name(&globals().names.acquire, this),
    }
}

/// `this.release()`.
///
/// # Errors
/// `RuntimeError` if the native lock is not held.
pub fn release(this: &ConditionRef) -> Result<()> {
    match native_lock(this) {
        Some(lock) => lock::release(&lock).map(drop),
        None => by_name(&globals().names.release, this).map(drop),
    }
}

/// `async with`.
///
/// A native lock's own operation, since `Condition.__aenter__` is that of the lock in all but name.
fn enter(this: &ConditionRef) -> Result<Object> {
    match native_lock(this) {
        Some(lock) => Awaitable::create(Lock::ENTER, &lock, None),
        None => enter_by_name(this),
    }
}

fn exit(this: &ConditionRef, arguments: Arguments<'_>) -> Result<Object> {
    check_exit(&arguments)?;
    match native_lock(this) {
        Some(lock) => {
            lock::release(&lock)?;
            completed()
        }
        None => exit_by_name(this),
    }
}

/// The getter and the setter of a method that the lock has.
macro_rules! exported {
    ($get:ident, $set:ident, $place:literal, $name:ident) => {
        fn $get(this: &ConditionRef) -> Result<Object> {
            let condition = &this.get().state;
            let name = &globals().names.$name;
            match (
                condition.exported[$place].get(),
                condition.native_lock.get(),
            ) {
                (Some(method), _) => Ok(method),
                (None, Some(lock)) => lock.attribute(name),
                (None, None) => Err(no_attribute(this, stringify!($name))),
            }
        }

        fn $set(this: &ConditionRef, value: Option<&Object>) -> Result<()> {
            let value = value.ok_or_else(crate::future::cannot_delete)?;
            let condition = &this.get().state;
            condition.by_name.set(true);
            condition.exported[$place].set(value.clone());
            Ok(())
        }
    };
}

exported!(get_locked, set_locked, 0, locked);
exported!(get_acquire, set_acquire, 1, acquire);
exported!(get_release, set_release, 2, release);

// The class.

/// A condition without a lock gets a new one. Several conditions may share a lock that is given.
fn initialise(this: &ConditionRef, arguments: Arguments<'_>) -> Result<()> {
    let globals = globals();
    let [lock] = arguments.bind(c"Condition.__init__", [&globals.names.lock], 1, 0)?;
    let lock = match lock.filter(|lock| !lock.is_none()) {
        Some(lock) => lock.clone(),
        None => lock::CLASS.create()?.into_object(),
    };
    set_up(this, &lock)?;
    this.get().forget_waiters();
    Ok(())
}

/// A condition with its own lock.
///
/// What `Condition()` makes, without calling Python.
pub fn create() -> Result<ConditionRef> {
    let condition = CLASS.create()?;
    let lock = lock::CLASS.create()?;
    set_up(&condition, &lock)?;
    Ok(condition)
}

/// Anything with the three methods is a lock, as in asyncio. A subclass is given them by `setattr`
/// even of a native lock: it may have attributes of these names itself.
///
/// # Errors
/// `AttributeError` if a method is missing; the condition is unchanged then.
fn set_up(this: &ConditionRef, lock: &Object) -> Result<()> {
    let globals = globals();
    let condition = &this.get().state;
    let native = lock::CLASS
        .exactly(lock)
        .filter(|lock| Lock::is_plain(lock));
    let names = &globals.names;
    let names = [&names.locked, &names.acquire, &names.release];
    // The methods of a lock that has not all of them are asked for before anything is changed.
    let exports = native.is_none() || !CLASS.is_class_of(this);
    let methods = if exports {
        let methods = names.iter().map(|name| lock.attribute(name));
        Some(methods.collect::<Result<Vec<_>>>()?)
    } else {
        None
    };
    condition.by_name.set(native.is_none());
    condition.native_lock.set_optional(native.cloned());
    for slot in &condition.exported {
        slot.clear();
    }
    condition.lock.set(lock.clone());
    for (name, method) in names.into_iter().zip(methods.iter().flatten()) {
        this.set_attribute(name, method)?;
    }
    Ok(())
}

fn lock_attribute(this: &ConditionRef) -> Result<Object> {
    this.get()
        .state
        .lock
        .get()
        .ok_or_else(|| no_attribute(this, "_lock"))
}

/// asyncio never looks at `_lock` again: only the methods that were exported count.
fn set_lock_attribute(this: &ConditionRef, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    this.get().state.lock.set(value.clone());
    Ok(())
}

/// `locked()` is asked of the lock, by name where it may have been replaced.
fn repr_slot(this: &ConditionRef) -> Result<Object> {
    let locked = is_locked(this)?;
    repr::<Condition>(this, if locked { "locked" } else { "unlocked" })
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<Primitive<Condition>>(c"greenloop.Condition")
        .subclassable()
        .doc(
            c"Condition(lock=None)\n--\n\n\
              A condition on which tasks wait until they are notified; see asyncio.Condition.\n\n\
              Without a lock it makes one of its own. Use it as `async with condition:`, and \
              wait and notify inside.",
        )
        .init_by(initialise)
        .repr_by(repr_slot)
        .methods(copied(getstate, setstate))
        .methods(vec![
            noargs(
                c"wait",
                wait_method,
                c"wait($self)\n--\n\n\
                  Release the lock, wait to be notified and acquire the lock again; return \
                  True.\n\n\
                  The lock is held again when it returns or raises, even if the task was \
                  cancelled. RuntimeError is raised if the lock is not held at the beginning.",
            ),
            fast(
                c"wait_for",
                wait_for,
                c"wait_for($self, predicate)\n--\n\n\
                  Wait until predicate() is true; return its result.\n\n\
                  The predicate is called with the lock held, at once and after each \
                  notification. Its errors end the wait.",
            ),
            fast(
                c"notify",
                notify_method,
                c"notify($self, n=1)\n--\n\n\
                  Notify the first n waiters; raise RuntimeError if the lock is not held.\n\n\
                  The lock is not released; waiters run once they have acquired it.",
            ),
            noargs(
                c"notify_all",
                notify_all_method,
                c"notify_all($self)\n--\n\nNotify all waiters.",
            ),
            #[cfg(Py_3_13)]
            greenloop_cpython::one(
                c"_notify",
                notify_private_method,
                c"_notify($self, n)\n--\n\nNotify the first n waiters without checking the lock.",
            ),
            noargs(
                c"__aenter__",
                enter,
                c"__aenter__($self)\n--\n\nAcquire the lock.",
            ),
            fast(
                c"__aexit__",
                exit,
                c"__aexit__($self, exc_type, exc, tb)\n--\n\nRelease the lock.",
            ),
            loop_method(),
        ])
        .attributes(line_attributes())
        .attributes(vec![
            attribute(c"_lock", lock_attribute, set_lock_attribute),
            attribute(c"locked", get_locked, set_locked),
            attribute(c"acquire", get_acquire, set_acquire),
            attribute(c"release", get_release, set_release),
        ])
        .build_into(&CLASS)
}
