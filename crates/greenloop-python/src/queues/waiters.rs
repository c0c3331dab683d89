//! Those who wait for a queue: the line itself, and `_getters` and `_putters`, which show it.
//!
//! In asyncio both are deques of futures, and subclasses take them as such. A view of the line answers
//! like one. Whoever appends a future of his own gets a stand-in for it into the line, a guest.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use greenloop_core::{Standing, WaitList};
use pyo3::ffi;
use pyo3::prelude::*;

use super::queue::Queue;
use crate::awaitable::{Awaitable, Line};
use crate::interop::{
    GilCell, Held, Instance, Object, Raised, Result, Slot, call_method, class_of, globals, noargs,
    one, raise, trap,
};

/// A line in which guests may stand.
pub struct Waiters {
    line: Line,
    /// The stand-ins, which nobody else owns: those in the line, and some that have left it.
    guests: GilCell<Vec<Object>>,
}

impl Waiters {
    pub const fn new() -> Self {
        Self {
            line: Line::new(),
            guests: GilCell::new(Vec::new()),
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.line.len()
    }

    /// Puts a stand-in for `future` at the end.
    fn invite(&self, future: &Object) -> Result<()> {
        let guest = Awaitable::guest(future)?;
        self.line.push(&guest);
        let gone = self.guests.with(|guests| {
            guests.push(guest);
            let is_here = |guest: &Object| Awaitable::of(guest).is_in_line();
            let (here, gone) = std::mem::take(guests).into_iter().partition(is_here);
            *guests = here;
            let gone: Vec<Object> = gone;
            gone
        });
        drop(gone);
        Ok(())
    }

    /// What stands for each waiter.
    fn shown(&self) -> Vec<Object> {
        self.line.to_vec().iter().map(Awaitable::shown).collect()
    }

    /// Shows what the line holds to the garbage collector.
    ///
    /// # Safety
    /// Called from a `tp_traverse` with the arguments it was given.
    pub unsafe fn visit(&self, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: passed on from the caller; visiting runs no Python code.
        unsafe {
            let stop = self.guests.with(|guests| {
                guests
                    .iter()
                    .map(|guest| visit(guest.as_ptr(), arg))
                    .find(|stop| *stop != 0)
            });
            match stop {
                None => self.line.visit(visit, arg),
                Some(stop) => stop,
            }
        }
    }

    pub fn clear(&self) {
        drop(self.guests.with(std::mem::take));
        self.line.clear();
    }
}

impl WaitList for Waiters {
    type Waiter = Object;
    type Error = Raised;

    #[inline]
    fn push(&self, waiter: &Object) {
        self.line.push(waiter);
    }

    #[inline]
    fn remove(&self, waiter: &Object) -> bool {
        self.line.remove(waiter)
    }

    #[inline]
    fn first(&self) -> Option<Object> {
        self.line.first()
    }

    #[inline]
    fn after(&self, waiter: &Object) -> Option<Object> {
        self.line.after(waiter)
    }

    #[inline]
    fn standing(&self, waiter: &Object) -> Result<Standing> {
        self.line.standing(waiter)
    }

    /// A future in a queue's line is woken with None.
    #[inline]
    fn wake(&self, waiter: &Object) -> Result<()> {
        Awaitable::wake_with(waiter, Object::none)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.line.is_empty()
    }
}

/// Which of a queue's lines a view shows.
#[derive(Clone, Copy)]
pub enum Which {
    Getters,
    Putters,
}

/// A view.
struct View {
    queue: Slot,
    which: Cell<Which>,
}

impl Held for View {
    fn new() -> Self {
        Self {
            queue: Slot::empty(),
            which: Cell::new(Which::Getters),
        }
    }

    unsafe fn visit(&self, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: passed on from the caller.
        unsafe { self.queue.visit(visit, arg) }
    }

    fn clear(&self) {
        self.queue.clear();
    }
}

/// A view of one of the lines of `queue`.
pub fn view(queue: &Object, which: Which) -> Result<Object> {
    let view = Instance::<View>::create(globals().classes.queue_waiters.as_ptr())?;
    let held = Instance::<View>::of(&view);
    held.queue.set(queue.clone());
    held.which.set(which);
    Ok(view)
}

/// `_wakeup_next(waiters)`, for a view or for whatever a subclass keeps its own waiters in.
pub fn wake_next(waiters: &Object) -> Result<()> {
    if waiters.is_exactly(globals().classes.queue_waiters.as_ptr()) {
        return with(waiters, |waiters| waiters.pop_and_wake().map(drop));
    }
    let names = &globals().names;
    while waiters.is_true()? {
        let waiter = call_method(&names.popleft, &[waiters.as_ptr()])?;
        if !call_method(&names.done, &[waiter.as_ptr()])?.is_true()? {
            let none = Object::none();
            let arguments = [waiter.as_ptr(), none.as_ptr()];
            return call_method(&names.set_result, &arguments).map(drop);
        }
    }
    Ok(())
}

/// `queue._getters = futures`.
pub fn replace(queue: &Object, which: Which, futures: &Object) -> Result<()> {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    let futures: Vec<Bound<'_, PyAny>> = futures.bound(py).try_iter()?.collect::<PyResult<_>>()?;
    let waiters = of_queue(queue, which);
    while waiters.pop().is_some() {}
    for future in futures {
        waiters.invite(&future.into())?;
    }
    Ok(())
}

fn of_queue(queue: &Object, which: Which) -> &Waiters {
    let queue = Queue::of(queue);
    match which {
        Which::Getters => &queue.logic.getters,
        Which::Putters => &queue.logic.putters,
    }
}

/// Runs `body` on the line that a view shows.
fn with<R>(this: &Object, body: impl FnOnce(&Waiters) -> Result<R>) -> Result<R> {
    let view = Instance::<View>::of(this);
    match view.queue.get() {
        Some(queue) => body(of_queue(&queue, view.which.get())),
        None => body(&Waiters::new()),
    }
}

fn append(this: &Object, future: &Object) -> Result<Object> {
    with(this, |waiters| waiters.invite(future))?;
    Ok(Object::none())
}

fn popleft(this: &Object) -> Result<Object> {
    match with(this, |waiters| Ok(waiters.pop()))? {
        Some(waiter) => Ok(Awaitable::shown(&waiter)),
        None => Err(index_error(c"pop from an empty deque")),
    }
}

fn remove(this: &Object, future: &Object) -> Result<Object> {
    with(this, |waiters| {
        let mut next = waiters.first();
        while let Some(waiter) = next {
            let shown = Awaitable::shown(&waiter);
            // SAFETY: both are valid objects.
            let equal = unsafe {
                ffi::PyObject_RichCompareBool(shown.as_ptr(), future.as_ptr(), ffi::Py_EQ)
            };
            match equal {
                0 => next = waiters.after(&waiter),
                1 => {
                    waiters.remove(&waiter);
                    return Ok(Object::none());
                }
                _ => return Err(Raised),
            }
        }
        // SAFETY: ValueError is always valid.
        let class = unsafe { ffi::PyExc_ValueError };
        Err(raise(class, c"deque.remove(x): x not in deque"))
    })
}

fn clear(this: &Object) -> Result<Object> {
    with(this, |waiters| {
        while waiters.pop().is_some() {}
        Ok(Object::none())
    })
}

/// The waiters as a deque, which is a copy.
fn copy(this: &Object) -> Result<Object> {
    let shown = with(this, |waiters| Ok(waiters.shown()))?;
    let deque = crate::interop::call_function(&globals().asyncio.deque, &[])?;
    for waiter in shown {
        let arguments = [deque.as_ptr(), waiter.as_ptr()];
        call_method(&globals().names.append, &arguments)?;
    }
    Ok(deque)
}

unsafe extern "C" fn length(this: *mut ffi::PyObject) -> ffi::Py_ssize_t {
    // SAFETY: the slot is called on a valid view, borrowed for the call.
    let this = unsafe { &*(&raw const this).cast::<Object>() };
    with(this, |waiters| Ok(waiters.len())).map_or(-1, |len| len as ffi::Py_ssize_t)
}

unsafe extern "C" fn item(this: *mut ffi::PyObject, index: ffi::Py_ssize_t) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid view, borrowed for the call.
        let this = unsafe { &*(&raw const this).cast::<Object>() };
        let shown = with(this, |waiters| Ok(waiters.shown()))?;
        usize::try_from(index)
            .ok()
            .and_then(|index| shown.into_iter().nth(index))
            .ok_or_else(|| index_error(c"deque index out of range"))
    })
}

unsafe extern "C" fn iterate(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid view, borrowed for the call.
        let this = unsafe { &*(&raw const this).cast::<Object>() };
        let copy = copy(this)?;
        // SAFETY: a valid deque.
        unsafe { Object::from_returned(ffi::PyObject_GetIter(copy.as_ptr())) }
    })
}

unsafe extern "C" fn repr(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a valid view, borrowed for the call.
        let this = unsafe { &*(&raw const this).cast::<Object>() };
        let copy = copy(this)?;
        // SAFETY: a valid deque.
        unsafe { Object::from_returned(ffi::PyObject_Repr(copy.as_ptr())) }
    })
}

#[cold]
fn index_error(text: &std::ffi::CStr) -> Raised {
    // SAFETY: IndexError is always valid.
    raise(unsafe { ffi::PyExc_IndexError }, text)
}

/// Makes the class of the views.
pub fn make_class() -> Result<Object> {
    class_of::<View>(c"greenloop.QueueWaiters")
        .not_callable()
        .doc(c"Those who wait for a queue, in the order they came: futures, or what answers as such.")
        .slot(ffi::Py_sq_length, length as *mut c_void)
        .slot(ffi::Py_sq_item, item as *mut c_void)
        .slot(ffi::Py_tp_iter, iterate as *mut c_void)
        .slot(ffi::Py_tp_repr, repr as *mut c_void)
        .methods(vec![
            one!(c"append", append, c"Let a future wait behind all others."),
            noargs!(c"popleft", popleft, c"Take the first waiter out."),
            one!(c"remove", remove, c"Take a waiter out."),
            noargs!(c"clear", clear, c"Take all waiters out."),
            noargs!(c"copy", copy, c"Return the waiters as a deque."),
        ])
        .build(None)
}
