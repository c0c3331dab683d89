//! `Waiters`: a line as `_waiters` shows it, with the methods of a deque that programs use on it.
//!
//! It is a view: the line itself is in the primitive and consists of the awaitables that wait
//! there. A future that code puts into it by hand is represented by an awaitable made for it, a
//! *guest*.
//!
//! Programs reach for `_waiters`, `_getters` and `_putters` to count waiters, to cancel them or to
//! build their own primitives on asyncio's. So the view has `len`, iteration, indexing from the
//! front, `append`, `remove`, `popleft` and `clear`, and pickles as a `deque`. Each call works on
//! the line as it is then: nothing is cached.

use std::cell::RefCell;
use std::rc::Rc;

use greenloop_core::WaitList as _;
use greenloop_cpython::making;
use greenloop_cpython::{
    Class, ExceptionClass, Held, Layout, Native, Object, Raised, Result, Visited, Visitor,
    attached, class_of, noargs, one, raise,
};
use pyo3::prelude::*;

use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Line};

/// The class.
///
/// Python cannot call it; views are made for a primitive's attribute only.
pub static CLASS: Class<Waiters> = Class::new();

/// The primitive that has the line, and where in it the line is.
///
/// A trait object, because one view class serves primitives and both lines of a queue.
trait Owner {
    fn object(&self) -> &Object;
    fn line(&self) -> &Line;
}

/// Holding the primitive keeps the line alive, which is inside it. A line is never referenced
/// alone.
struct Place<T> {
    owner: Native<T>,
    line_of: fn(&T) -> &Line,
}

impl<T: Layout> Owner for Place<T> {
    fn object(&self) -> &Object {
        &self.owner
    }

    fn line(&self) -> &Line {
        (self.line_of)(self.owner.get())
    }
}

/// The view. It is empty once the garbage collector has cleared it.
///
/// The `Rc` lets `with` go on with the line while a waiter's code clears the view.
pub struct Waiters(RefCell<Option<Rc<dyn Owner>>>);

impl Waiters {
    /// A view of the line that `line_of` finds in `owner`.
    ///
    /// `line_of` must return the same line each time. Costs one Python object and one counted
    /// allocation.
    pub fn create<T: Layout>(owner: &Native<T>, line_of: fn(&T) -> &Line) -> Result<Object> {
        let view = CLASS.create()?;
        let owner = owner.clone();
        let place: Rc<dyn Owner> = Rc::new(Place { owner, line_of });
        view.get().0.replace(Some(place));
        Ok(view.into_object())
    }

    /// Takes waiters out from the front until one was woken.
    ///
    /// Those that are done or cancelled are dropped from the line. This is asyncio's
    /// `Queue._wakeup_next`.
    ///
    /// # Errors
    /// Those of a foreign waiter's `done` or `set_result`.
    pub fn wake_next(&self) -> Result<()> {
        self.with(Line::pop_and_wake).map(drop)
    }

    /// Does something with the line.
    ///
    /// A cleared view behaves as an empty line. The cell is not borrowed while `body` runs, since
    /// that may come back to the view.
    fn with<R>(&self, body: impl FnOnce(&Line) -> R) -> R {
        let owner = self.0.borrow().clone();
        match owner {
            Some(owner) => body(owner.line()),
            None => body(&Line::new()),
        }
    }
}

// SAFETY: the place, which nobody else has while objects are collected, owns the primitive.
unsafe impl Held for Waiters {
    fn new() -> Self {
        Self(RefCell::new(None))
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        match self.0.try_borrow().ok().and_then(|owner| owner.clone()) {
            // Other code holds the place for a moment only, in which nothing is collected.
            Some(owner) => visitor.show(owner.object()),
            None => Ok(()),
        }
    }

    fn clear(&self) {
        let owner = self.0.take();
        drop(owner);
    }
}

/// Puts the waiters of `iterable` into the line, in place of the present ones. A present waiter
/// that is among them keeps waiting; one that is not is never woken any more.
///
/// Iterating runs user code, which may wake or add waiters; so the present ones are read
/// afterwards. Waiters are told apart by the object that Python sees (`Awaitable::shown`). The cost
/// is quadratic in the number of waiters, which is fine for an attribute that tests set.
///
/// # Errors
/// Those of the iteration, or of making a guest; the line is unchanged then.
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
fn to_list(this: &Native<Waiters>) -> Result<Object> {
    let waiters = this.get().with(Line::to_vec);
    making::list(waiters.iter().map(Awaitable::shown).collect())
}

/// Any object is accepted; it is asked for `done` and `set_result` when its turn comes.
fn append(this: &Native<Waiters>, future: &Object) -> Result<Object> {
    let guest = Awaitable::guest(future)?;
    this.get().with(|line| line.push_guest(guest));
    Ok(Object::none())
}

/// Waiters are compared by identity, where a deque compares with `==`; futures have no other
/// equality.
///
/// # Errors
/// `ValueError` if it is not in the line.
fn remove(this: &Native<Waiters>, future: &Object) -> Result<Object> {
    let found = this.get().with(|line| {
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

/// The waiter is not woken: the caller does that, with `set_result`.
///
/// # Errors
/// `IndexError` if the line is empty.
fn popleft(this: &Native<Waiters>) -> Result<Object> {
    match this.get().with(Line::pop) {
        Some(waiter) => Ok(Awaitable::shown(&waiter)),
        None => Err(index_error(c"pop from an empty line")),
    }
}

/// Their tasks stay suspended, as those of futures that a deque loses would.
fn clear(this: &Native<Waiters>) -> Result<Object> {
    this.get().with(|line| while line.pop().is_some() {});
    Ok(Object::none())
}

/// Copies the line into the object that asyncio has in its place.
///
/// Pickling then fails on the futures in it, exactly where asyncio's does; an empty line is
/// pickled.
fn reduce(this: &Native<Waiters>, _protocol: &Object) -> Result<Object> {
    let arguments = making::tuple(vec![to_list(this)?])?;
    making::tuple(vec![globals().asyncio.deque.clone(), arguments])
}

fn index_error(text: &std::ffi::CStr) -> Raised {
    raise(ExceptionClass::IndexError, text)
}

/// The interpreter has added the length to a negative index already. Takes time linear in the line.
fn item(this: &Native<Waiters>, index: isize) -> Result<Object> {
    let waiters = this.get().with(Line::to_vec);
    let waiter = usize::try_from(index).ok().and_then(|i| waiters.get(i));
    let waiter = waiter.ok_or_else(|| index_error(c"index out of range"))?;
    Ok(Awaitable::shown(waiter))
}

fn repr(this: &Native<Waiters>) -> Result<Object> {
    let text = format!("Waiters({})", making::represented(&to_list(this)?)?);
    making::text(&text)
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<Waiters>(c"greenloop.Waiters")
        .not_callable()
        .doc(c"The waiters of a primitive, in the order of their arrival.")
        .len_by(|this| this.get().with(Line::len))
        .item_by(item)
        .iter_by(|this| to_list(this)?.iterator())
        .repr_by(repr)
        .methods(vec![
            one(
                c"append",
                append,
                c"append($self, future, /)\n--\n\nAppend a future.",
            ),
            one(
                c"remove",
                remove,
                c"remove($self, future, /)\n--\n\nRemove a future.",
            ),
            noargs(
                c"popleft",
                popleft,
                c"popleft($self)\n--\n\nRemove and return the first future.",
            ),
            noargs(
                c"clear",
                clear,
                c"clear($self)\n--\n\nRemove all waiters without waking them.",
            ),
            one(
                c"__reduce_ex__",
                reduce,
                c"__reduce_ex__($self, protocol, /)\n--\n\nReturn how a deque like this is made.",
            ),
        ])
        .build_into(&CLASS)
}
