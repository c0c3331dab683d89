//! Notifying a combinator, by a native function, that a future is done.
//!
//! `gather` of 100 tasks has 100 callbacks. As Python functions each would be an object with its
//! own context; as a [`Notify`] it is two words in the future. Only a future of another class, or a
//! loop that must see `call_soon` called, gets an object: the [`Notifier`].
//!
//! A notification runs as a job of its own, `Job::Notify`, in the same turn and order in which
//! asyncio would run the Python callback. It runs in no particular context.

use std::cell::Cell;

use greenloop_cpython::{
    Arguments, Class, Comparison, Held, Native, Object, Result, Slot, Visited, Visitor, class_of,
    making, readonly, type_error,
};

use super::{Callback, Future, add_callback};
use crate::asyncio::globals;
use crate::scheduler::Notify;

/// Has `function(owner, future)` called in the turn after `future`, of any class, is done.
///
/// If the future is done already, that is the next turn as well. The future holds the owner until
/// then; the owner usually holds the future, and the garbage collector sees both. A future of
/// another class is asked by its `add_done_callback`, which may raise anything.
pub fn notify_when_done(future: &Object, function: Notify, owner: &Object) -> Result<()> {
    if let Some(future) = Future::native(future) {
        let owner = owner.clone();
        return add_callback(future, Callback::Notify { function, owner });
    }
    let notifier = notifier(function, owner)?;
    future
        .invoke(&globals().names.add_done_callback, [&notifier])
        .map(drop)
}

/// Takes back the request of [`notify_when_done`], if the notification is not under way already.
///
/// A job that is in the ready ring stays there, so `function` has to stand a late call.
pub fn stop_notifying(future: &Object, function: Notify, owner: &Object) -> Result<()> {
    if let Some(future) = Future::native(future) {
        if future.get().callbacks().is_empty() {
            return Ok(());
        }
        let removed = future.get().callbacks().retain(|callback| {
            !matches!(callback, Callback::Notify { function: other, owner: its }
                if std::ptr::eq(*other, function) && its.is(owner.as_ptr()))
        });
        drop(removed);
        return Ok(());
    }
    let notifier = notifier(function, owner)?;
    future
        .invoke(&globals().names.remove_done_callback, [&notifier])
        .map(drop)
}

static CLASS: Class<Notifier> = Class::new();

/// A notification as a callable object. Two of the same function and owner are equal.
struct Notifier {
    /// None only between the allocation and the line that sets it.
    function: Cell<Option<Notify>>,
    owner: Slot,
}

// SAFETY: the owner's slot is the only reference.
unsafe impl Held for Notifier {
    fn new() -> Self {
        Self {
            function: Cell::new(None),
            owner: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.owner.visit(visitor)
    }

    fn clear(&self) {
        self.owner.clear();
    }
}

/// The callable object for a notification.
///
/// Costs an object for each call, so only foreign futures and `_callbacks` get one.
pub fn notifier(function: Notify, owner: &Object) -> Result<Object> {
    let notifier = CLASS.create()?;
    notifier.get().function.set(Some(function));
    notifier.get().owner.set(owner.clone());
    Ok(notifier.into_object())
}

/// Called by a foreign future with itself as the only argument.
fn call(this: &Native<Notifier>, arguments: Arguments<'_>) -> Result<Object> {
    let [future] = arguments.positional() else {
        return Err(type_error("a future was expected"));
    };
    let notifier = this.get();
    if let (Some(function), Some(owner)) = (notifier.function.get(), notifier.owner.get()) {
        (function.call)(&owner, future)?;
    }
    Ok(Object::none())
}

/// `==` and `!=`, so that `remove_done_callback` finds one notifier by another. Other comparisons,
/// and other objects, get `NotImplemented`.
fn compare(
    this: &Native<Notifier>,
    comparison: Comparison,
    other: &Object,
) -> Result<Option<bool>> {
    let (Some(other), Comparison::Equal | Comparison::Unequal) = (CLASS.exactly(other), comparison)
    else {
        return Ok(None);
    };
    let (one, other) = (this.get(), other.get());
    let functions = (one.function.get(), other.function.get());
    let same = matches!(
        functions,
        (Some(one), Some(other)) if std::ptr::eq(one, other)
    );
    let equal = same && one.owner.as_ptr() == other.owner.as_ptr();
    Ok(Some(equal == (comparison == Comparison::Equal)))
}

/// None for one without a name, of which the repr is shown then.
fn qualified_name(this: &Native<Notifier>) -> Result<Object> {
    let notification = this.get().function.get();
    match notification.and_then(|notification| notification.name) {
        Some(name) => making::interned(name),
        None => Ok(Object::none()),
    }
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<Notifier>(c"greenloop.Notifier")
        .not_callable()
        .doc(c"A done callback of native code.")
        .call_by(call)
        .compare_by(compare)
        .attributes(vec![readonly(c"__qualname__", qualified_name)])
        .build_into(&CLASS)
}
