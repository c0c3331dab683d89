//! `Waiters`: a line as `_waiters` shows it, with the methods of a deque that programs use on it.
//!
//! It is a view: the line itself is in the primitive and consists of the awaitables that wait
//! there. A future that code puts into it by hand is represented by an awaitable made for it, a
//! *guest*.

use std::cell::Cell;
use std::ffi::c_void;

use greenloop_core::WaitList as _;
use greenloop_cpython::making;
use greenloop_cpython::{
    ExceptionClass, Held, Instance, Object, Raised, Result, Slot, Visited, Visitor, attached,
    class_of, noargs, one, raise, trap,
};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Line};

/// Finds the line in the primitive that has it.
type LineOf = fn(&Object) -> &Line;

/// The view.
pub struct Waiters {
    owner: Slot,
    line_of: Cell<Option<LineOf>>,
}

impl Waiters {
    /// A view of the line that `line_of` finds in `owner`.
    pub fn create(owner: &Object, line_of: LineOf) -> Result<Object> {
        let object = Instance::<Self>::create(&globals().classes.waiters)?;
        let waiters = Instance::<Self>::of(&object);
        waiters.owner.set(owner.clone());
        waiters.line_of.set(Some(line_of));
        Ok(object)
    }

    /// Whether `object` is a view.
    pub fn is_view(object: &Object) -> bool {
        object.is_exactly(globals().classes.waiters.as_ptr())
    }

    /// Takes waiters out from the front until one was woken.
    pub fn wake_next(this: &Object) -> Result<()> {
        Self::with(this, Line::pop_and_wake).map(drop)
    }

    /// Does something with the line.
    fn with<R>(this: &Object, body: impl FnOnce(&Line) -> R) -> R {
        let waiters = Instance::<Self>::of(this);
        match (waiters.owner.get(), waiters.line_of.get()) {
            (Some(owner), Some(line_of)) => body(line_of(&owner)),
            // Cleared by the garbage collector.
            _ => body(&Line::new()),
        }
    }
}

impl Held for Waiters {
    fn new() -> Self {
        Self {
            owner: Slot::empty(),
            line_of: Cell::new(None),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.owner.visit(visitor)
    }

    fn clear(&self) {
        self.owner.clear();
    }
}

/// Puts the waiters of `iterable` into the line, in place of the present ones. A present waiter
/// that is among them keeps waiting; one that is not is never woken any more.
pub fn replace(line: &Line, iterable: Option<&Object>) -> Result<()> {
    let py = attached();
    let given: Vec<Object> = match iterable {
        None => Vec::new(),
        Some(iterable) => iterable
            .bound(py)
            .try_iter()?
            .map(|item| item.map(Object::from))
            .collect::<PyResult<_>>()?,
    };
    // Made before any waiter is removed. One that is given twice is there itself only once.
    let mut before = line.to_vec();
    let mut after = Vec::with_capacity(given.len());
    for future in given {
        let stood_here = before
            .iter()
            .position(|waiter| Awaitable::shown(waiter).is(future.as_ptr()));
        after.push(match stood_here {
            Some(place) if !Awaitable::is_guest(&before[place]) => (before.remove(place), false),
            _ => (Awaitable::guest(&future)?, true),
        });
    }
    while line.pop().is_some() {}
    for (waiter, guest) in after {
        if guest {
            line.push_guest(waiter);
        } else {
            line.push(&waiter);
        }
    }
    Ok(())
}

/// Everybody in the line: futures, or awaitables that answer as such.
fn to_list(this: &Object) -> Result<Object> {
    let waiters = Waiters::with(this, Line::to_vec);
    making::list(waiters.iter().map(Awaitable::shown).collect())
}

fn append(this: &Object, future: &Object) -> Result<Object> {
    let guest = Awaitable::guest(future)?;
    Waiters::with(this, |line| line.push_guest(guest));
    Ok(Object::none())
}

fn remove(this: &Object, future: &Object) -> Result<Object> {
    let found = Waiters::with(this, |line| {
        let waiters = line.to_vec();
        let mut waiters = waiters.iter();
        let waiter = waiters.find(|waiter| Awaitable::shown(waiter).is(future.as_ptr()));
        waiter.is_some_and(|waiter| line.remove(waiter))
    });
    if found {
        Ok(Object::none())
    } else {
        let class = ExceptionClass::ValueError;
        Err(raise(class, c"the future does not wait here"))
    }
}

fn popleft(this: &Object) -> Result<Object> {
    match Waiters::with(this, Line::pop) {
        Some(waiter) => Ok(Awaitable::shown(&waiter)),
        None => Err(index_error(c"pop from an empty line")),
    }
}

fn clear(this: &Object) -> Result<Object> {
    Waiters::with(this, |line| while line.pop().is_some() {});
    Ok(Object::none())
}

/// Copies the line into the object that asyncio has in its place.
fn reduce(this: &Object, _protocol: &Object) -> Result<Object> {
    let arguments = making::tuple(vec![to_list(this)?])?;
    making::tuple(vec![globals().asyncio.deque.clone(), arguments])
}

fn index_error(text: &std::ffi::CStr) -> Raised {
    raise(ExceptionClass::IndexError, text)
}

unsafe extern "C" fn length(this: *mut ffi::PyObject) -> ffi::Py_ssize_t {
    // SAFETY: the slot is called on a view.
    let this = unsafe { &*(&raw const this).cast::<Object>() };
    Waiters::with(this, Line::len) as ffi::Py_ssize_t
}

unsafe extern "C" fn item(this: *mut ffi::PyObject, index: ffi::Py_ssize_t) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a view.
        let this = unsafe { &*(&raw const this).cast::<Object>() };
        let waiters = Waiters::with(this, Line::to_vec);
        let waiter = usize::try_from(index).ok().and_then(|i| waiters.get(i));
        let waiter = waiter.ok_or_else(|| index_error(c"index out of range"))?;
        Ok(Awaitable::shown(waiter))
    })
}

unsafe extern "C" fn iterate(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a view.
        let this = unsafe { &*(&raw const this).cast::<Object>() };
        // SAFETY: a list can be iterated over.
        unsafe { Object::from_returned(ffi::PyObject_GetIter(to_list(this)?.as_ptr())) }
    })
}

unsafe extern "C" fn repr(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a view, borrowed for the call.
        let this = unsafe { &*(&raw const this).cast::<Object>() };
        let text = format!("Waiters({})", making::represented(&to_list(this)?)?);
        making::text(&text)
    })
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    class_of::<Waiters>(c"greenloop.Waiters")
        .not_callable()
        .doc(c"Those who wait for a primitive, in the order they came.")
        .slot(ffi::Py_sq_length, length as *mut c_void)
        .slot(ffi::Py_sq_item, item as *mut c_void)
        .slot(ffi::Py_tp_iter, iterate as *mut c_void)
        .slot(ffi::Py_tp_repr, repr as *mut c_void)
        .methods(vec![
            one!(
                c"append",
                append,
                c"append($self, future, /)\n--\n\nPut a future at the end."
            ),
            one!(
                c"remove",
                remove,
                c"remove($self, future, /)\n--\n\nTake a future out."
            ),
            noargs!(
                c"popleft",
                popleft,
                c"popleft($self)\n--\n\nTake the first one out."
            ),
            noargs!(c"clear", clear, c"clear($self)\n--\n\nSend everybody away."),
            one!(
                c"__reduce_ex__",
                reduce,
                c"__reduce_ex__($self, protocol, /)\n--\n\nReturn how a deque like this is made."
            ),
        ])
        .build(None)
}
