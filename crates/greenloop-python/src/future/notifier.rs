//! Notifying a combinator, by a native function, that a future is done.
//!
//! `gather` of 100 tasks has 100 callbacks. As Python functions each would be an object with its
//! own context; as a [`Notify`] it is two words in the future. Only a future of another class, or a
//! loop that must see `call_soon` called, gets an object: the [`Notifier`].

use greenloop_cpython::making::{self};
use std::cell::Cell;
use std::ffi::{c_int, c_void};

use greenloop_cpython::{
    Held, Instance, Object, Result, Slot, Visited, Visitor, attribute, call_method, class_of, trap,
    type_error,
};
use pyo3::ffi;

use super::{Callback, Future, add_callback};
use crate::asyncio::globals;
use crate::scheduler::Notify;

/// Has `function(owner, future)` called in the turn after `future`, of any class, is done.
pub fn notify_when_done(future: &Object, function: Notify, owner: &Object) -> Result<()> {
    if Future::is_native(future) {
        let owner = owner.clone();
        return add_callback(future, Callback::Notify { function, owner });
    }
    let notifier = notifier(function, owner)?;
    let arguments = [future.as_ptr(), notifier.as_ptr()];
    call_method(&globals().names.add_done_callback, &arguments).map(drop)
}

/// Takes back the request of [`notify_when_done`], if the notification is not under way already.
pub fn stop_notifying(future: &Object, function: Notify, owner: &Object) -> Result<()> {
    if Future::is_native(future) {
        if Future::of(future).callbacks().is_empty() {
            return Ok(());
        }
        let removed = Future::of(future).callbacks().retain(|callback| {
            !matches!(callback, Callback::Notify { function: other, owner: its }
                if std::ptr::eq(*other, function) && its.is(owner.as_ptr()))
        });
        drop(removed);
        return Ok(());
    }
    let notifier = notifier(function, owner)?;
    let arguments = [future.as_ptr(), notifier.as_ptr()];
    call_method(&globals().names.remove_done_callback, &arguments).map(drop)
}

/// A notification as a callable object. Two of the same function and owner are equal.
struct Notifier {
    function: Cell<Option<Notify>>,
    owner: Slot,
}

impl Held for Notifier {
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
pub fn notifier(function: Notify, owner: &Object) -> Result<Object> {
    let object = Instance::<Notifier>::create(&globals().classes.notifier)?;
    let notifier = Instance::<Notifier>::of(&object);
    notifier.function.set(Some(function));
    notifier.owner.set(owner.clone());
    Ok(object)
}

unsafe extern "C" fn call(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    _kwargs: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a notifier with a tuple.
        let (this, future) = unsafe {
            if ffi::PyTuple_GET_SIZE(args) != 1 {
                return Err(type_error("a future was expected"));
            }
            let future = Object::from_borrowed(ffi::PyTuple_GET_ITEM(args, 0));
            (Object::from_borrowed(this), future)
        };
        let notifier = Instance::<Notifier>::of(&this);
        if let (Some(function), Some(owner)) = (notifier.function.get(), notifier.owner.get()) {
            (function.call)(&owner, &future)?;
        }
        Ok(Object::none())
    })
}

unsafe extern "C" fn compare(
    left: *mut ffi::PyObject,
    right: *mut ffi::PyObject,
    operation: c_int,
) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a notifier and any object.
        let (left, right) = unsafe { (Object::from_borrowed(left), Object::from_borrowed(right)) };
        let same_class = right.is_exactly(globals().classes.notifier.as_ptr());
        if !same_class || (operation != ffi::Py_EQ && operation != ffi::Py_NE) {
            // SAFETY: NotImplemented is always valid.
            return Ok(unsafe { Object::from_borrowed(ffi::Py_NotImplemented()) });
        }
        let (one, other) = (
            Instance::<Notifier>::of(&left),
            Instance::<Notifier>::of(&right),
        );
        let functions = (one.function.get(), other.function.get());
        let same = matches!(
            functions,
            (Some(one), Some(other)) if std::ptr::eq(one, other)
        );
        let equal = same && one.owner.as_ptr() == other.owner.as_ptr();
        Ok(Object::boolean(equal == (operation == ffi::Py_EQ)))
    })
}

/// None for one without a name, of which the repr is shown then.
fn qualified_name(this: &Object) -> Result<Object> {
    let notification = Instance::<Notifier>::of(this).function.get();
    match notification.and_then(|notification| notification.name) {
        Some(name) => making::interned(name),
        None => Ok(Object::none()),
    }
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Notifier>(c"greenloop.Notifier")
        .not_callable()
        .doc(c"A done callback of native code.")
        .slot(ffi::Py_tp_call, call as *mut c_void)
        .slot(ffi::Py_tp_richcompare, compare as *mut c_void)
        .attributes(vec![attribute!(c"__qualname__", qualified_name)])
        .build(None)
}
