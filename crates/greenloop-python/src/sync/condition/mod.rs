//! `Condition`.
//!
//! A condition with a plain native lock, which nearly every condition has, waits natively: one
//! awaitable is in the condition's line and then in the lock's. With any other lock, or where a
//! method may have been replaced, each of asyncio's calls is made by name.

mod by_name;
mod notify;
mod wait;

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_core::sync;
use greenloop_cpython::{
    Arguments, Instance, Object, Result, Slot, Visited, Visitor, attribute, call_method, class_of,
    fast, init, no_attribute, noargs, one, reducing, unary, visit_slots,
};

use super::acquire::{Acquire as _, check_exit, enter_by_name, exit_by_name};
use super::copying::{Copied, getstate, setstate};
use super::lock::{self, Lock};
use super::primitive::{
    Lined, Primitive, State, bound_loop, get_loop, line, repr, set_bound_loop, set_line,
};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Line, completed};

pub use notify::notify_all;
pub use wait::wait;

#[cfg(Py_3_13)]
use notify::notify_private_method;
use notify::{notify_all_method, notify_method};
use wait::{wait_for, wait_method};

/// Since Python 3.13 a wait that fails hands a notification on, and raises the cancellation it was
/// interrupted by, not a new one.
const SINCE_3_13: bool = cfg!(Py_3_13);

/// A condition's state.
pub struct Condition {
    logic: sync::Condition<Line, SINCE_3_13>,
    /// `_lock`.
    lock: Slot,
    /// The same, if it is a plain native lock.
    native_lock: Slot,
    /// `locked`, `acquire` and `release`, where they are not the native lock's own.
    exported: [Slot; 3],
    /// Whether one of those was set, so that they have to be called by name.
    by_name: Cell<bool>,
}

impl State for Condition {
    const NAME: &'static CStr = c"Condition";

    fn new() -> Self {
        Self {
            logic: sync::Condition::new(Line::waking_with(|| Object::boolean(false))),
            lock: Slot::empty(),
            native_lock: Slot::empty(),
            exported: [const { Slot::empty() }; 3],
            by_name: Cell::new(true),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        let [locked, acquire, release] = &self.exported;
        visit_slots(
            visitor,
            [&self.lock, &self.native_lock, locked, acquire, release],
        )?;
        self.logic.waiters.visit(visitor)
    }

    fn clear(&self) {
        self.by_name.set(true);
        let [locked, acquire, release] = &self.exported;
        for slot in [&self.lock, &self.native_lock, locked, acquire, release] {
            slot.clear();
        }
        self.logic.waiters.clear();
    }
}

impl Copied for Condition {
    const ATTRIBUTES: &'static [&'static str] = &["_lock", "_waiters"];

    fn restore(this: &Object, name: &str, value: &Object) -> Result<bool> {
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

#[inline]
fn of(this: &Object) -> &Condition {
    &Primitive::<Condition>::of(this).state
}

/// Whether `object` is a condition of this class or of one that inherits from it.
pub fn is_condition(object: &Object) -> bool {
    object.is_of(&globals().classes.condition)
}

/// The lock of a condition all of whose methods are our own.
#[inline]
fn native_lock(this: &Object) -> Option<Object> {
    let condition = of(this);
    let plain = globals().classes.condition.is_untouched_class_of(this)
        && Instance::<Primitive<Condition>>::has_no_attributes(this)
        && !condition.by_name.get();
    if plain {
        condition.native_lock.get()
    } else {
        None
    }
}

/// The lock of a condition that waits natively. It is gone only if the garbage collector or a
/// second `__init__` took it.
#[inline]
fn lock_of(this: &Object) -> Result<Object> {
    of(this)
        .native_lock
        .get()
        .ok_or_else(|| no_attribute(this, "_lock"))
}

fn by_name(name: &Object, this: &Object) -> Result<Object> {
    call_method(name, &[this.as_ptr()])
}

// The lock's methods, which a condition exports.

/// Whether the lock is held.
fn is_locked(this: &Object) -> Result<bool> {
    match native_lock(this) {
        Some(lock) => Ok(lock::of(&lock).is_locked()),
        None => by_name(&globals().names.locked, this)?.is_true(),
    }
}

/// Acquires the lock if that is possible at once and needs no call by name.
pub fn try_acquire(this: &Object) -> Result<bool> {
    match native_lock(this) {
        Some(lock) => lock::of(&lock).try_acquire(),
        None => Ok(false),
    }
}

/// `this.acquire()`.
pub fn acquire(this: &Object) -> Result<Object> {
    match native_lock(this) {
        Some(lock) => super::acquire::acquire::<Lock>(&lock),
        None => by_name(&globals().names.acquire, this),
    }
}

/// `this.release()`.
pub fn release(this: &Object) -> Result<()> {
    match native_lock(this) {
        Some(lock) => lock::release(&lock).map(drop),
        None => by_name(&globals().names.release, this).map(drop),
    }
}

/// `async with`.
fn enter(this: &Object) -> Result<Object> {
    match native_lock(this) {
        Some(lock) => Awaitable::create(Lock::ENTER, &lock, None),
        None => enter_by_name(this),
    }
}

fn exit(this: &Object, arguments: Arguments<'_>) -> Result<Object> {
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
        fn $get(this: &Object) -> Result<Object> {
            let condition = of(this);
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

        fn $set(this: &Object, value: Option<&Object>) -> Result<()> {
            let value = value.ok_or_else(crate::future::cannot_delete)?;
            let condition = of(this);
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

fn initialise(this: &Object, arguments: Arguments<'_>) -> Result<()> {
    let globals = globals();
    let [lock] = arguments.bind(c"Condition.__init__", [&globals.names.lock], 1, 0)?;
    let lock = match lock.filter(|lock| !lock.is_none()) {
        Some(lock) => lock.clone(),
        None => Instance::<Primitive<Lock>>::create(&globals.classes.lock)?,
    };
    set_up(this, &lock)?;
    Primitive::<Condition>::of(this).forget_waiters();
    Ok(())
}

/// A condition with its own lock.
pub fn create() -> Result<Object> {
    let classes = &globals().classes;
    let this = Instance::<Primitive<Condition>>::create(&classes.condition)?;
    let lock = Instance::<Primitive<Lock>>::create(&classes.lock)?;
    set_up(&this, &lock)?;
    Ok(this)
}

fn set_up(this: &Object, lock: &Object) -> Result<()> {
    let globals = globals();
    let condition = of(this);
    let native = Lock::is_plain(lock);
    let names = &globals.names;
    let names = [&names.locked, &names.acquire, &names.release];
    // The methods of a lock that has not all of them are asked for before anything is changed.
    let exports = !native || !this.is_exactly(globals.classes.condition.as_ptr());
    let methods = if exports {
        let methods = names.iter().map(|name| lock.attribute(name));
        Some(methods.collect::<Result<Vec<_>>>()?)
    } else {
        None
    };
    condition.by_name.set(!native);
    condition
        .native_lock
        .set_optional(native.then(|| lock.clone()));
    for slot in &condition.exported {
        slot.clear();
    }
    condition.lock.set(lock.clone());
    for (name, method) in names.into_iter().zip(methods.iter().flatten()) {
        this.set_attribute(name, method)?;
    }
    Ok(())
}

fn lock_attribute(this: &Object) -> Result<Object> {
    of(this)
        .lock
        .get()
        .ok_or_else(|| no_attribute(this, "_lock"))
}

/// asyncio never looks at `_lock` again: only the methods that were exported count.
fn set_lock_attribute(this: &Object, value: Option<&Object>) -> Result<()> {
    let value = value.ok_or_else(crate::future::cannot_delete)?;
    of(this).lock.set(value.clone());
    Ok(())
}

fn repr_slot(this: &Object) -> Result<Object> {
    let locked = is_locked(this)?;
    repr::<Condition>(this, if locked { "locked" } else { "unlocked" })
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Primitive<Condition>>(c"greenloop.Condition")
        .subclassable()
        .doc(
            c"Condition(lock=None)\n--\n\n\
              Lets tasks wait until they are notified; see asyncio.Condition.",
        )
        .init(init!(initialise))
        .repr(unary!(repr_slot))
        .methods(vec![
            noargs!(
                c"wait",
                wait_method,
                c"wait($self)\n--\n\nLet go of the lock until notified; return True."
            ),
            fast!(
                c"wait_for",
                wait_for,
                c"wait_for($self, predicate)\n--\n\n\
                 Wait until predicate() is true; return what it returned."
            ),
            fast!(
                c"notify",
                notify_method,
                c"notify($self, n=1)\n--\n\nNotify the first n who wait."
            ),
            noargs!(
                c"notify_all",
                notify_all_method,
                c"notify_all($self)\n--\n\nNotify all who wait."
            ),
            #[cfg(Py_3_13)]
            one!(
                c"_notify",
                notify_private_method,
                c"_notify($self, n)\n--\n\nNotify the first n who wait, whoever holds the lock."
            ),
            noargs!(
                c"__aenter__",
                enter,
                c"__aenter__($self)\n--\n\nAcquire the lock."
            ),
            fast!(
                c"__aexit__",
                exit,
                c"__aexit__($self, exc_type, exc, tb)\n--\n\nRelease the lock."
            ),
            noargs!(
                c"__getstate__",
                getstate::<Condition>,
                c"__getstate__($self)\n--\n\nReturn what a copy is made of."
            ),
            one!(
                c"__setstate__",
                setstate::<Condition>,
                c"__setstate__($self, state, /)\n--\n\nMake this a copy."
            ),
            reducing(),
            noargs!(
                c"_get_loop",
                get_loop::<Condition>,
                c"_get_loop($self)\n--\n\nReturn the running loop, bound to."
            ),
        ])
        .attributes(vec![
            attribute!(
                c"_loop",
                bound_loop::<Condition>,
                set_bound_loop::<Condition>
            ),
            attribute!(c"_waiters", line::<Condition>, set_line::<Condition>),
            attribute!(c"_lock", lock_attribute, set_lock_attribute),
            attribute!(c"locked", get_locked, set_locked),
            attribute!(c"acquire", get_acquire, set_acquire),
            attribute!(c"release", get_release, set_release),
        ])
        .build(None)
}
