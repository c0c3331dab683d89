//! The items of a queue: in Rust until Python code asks for them, in a Python object from then on.
//!
//! `queue._queue` is a `deque` or a `list` in asyncio, and programs use it: to look, to clear it,
//! to put an item in front. So reading the attribute returns such an object, filled, which *is* the
//! queue's store from that moment. The heap of a priority queue becomes its list also at the first
//! item that compares by code of the program, and `heapq` works on it from then on: items are
//! compared in asyncio's order, and a comparison that raises or changes the queue leaves the same
//! heap behind.
//!
//! ```text
//!               initialise                      object() or a `_put` that needs it
//!   nothing ───────────────► Deque, List, Heap ─────────────────────────────────► Object
//!                                 (Rust)            set_object()  ─────────────►    │ ▲
//!                                                                                   └─┘
//! ```
//! There is no way back but another `_init`: code may hold the object and change it at any time.

use std::cell::Cell;
use std::collections::VecDeque;

use greenloop_core::priority_heap::{self, Undecided};
use greenloop_cpython::{
    ExceptionClass, GilCell, Object, Raised, Ranked, Result, Slot, Visited, Visitor, making,
    no_attribute, raise,
};

use super::overrides::Discipline;
use crate::asyncio::globals;

/// The place of the items.
///
/// Says which of the two fields holds the items; the other one is empty.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In Rust, standing for a `deque`.
    Deque,
    /// In Rust, standing for a `list`.
    List,
    /// In Rust, standing for a `list` that is a heap of numbers, strings and tuples of them.
    Heap,
    /// In the object; there may be none, as the attribute can be deleted.
    Object,
}

/// The items and the place where they are. Two of the three fields for items are empty.
pub struct Items {
    /// `Object` before `_init`, so that every use then raises `AttributeError`.
    place: Cell<Place>,
    /// Those of `Deque` and `List`. Never borrowed while Python code runs: its methods move objects
    /// and neither drop nor compare them.
    native: GilCell<VecDeque<Object>>,
    /// Those of `Heap`. The same holds, but for comparisons that are no code of the program.
    heap: GilCell<Vec<Ranked>>,
    /// Empty, or what `_queue` returns.
    object: Slot,
}

impl Items {
    /// No place for items yet: `_init` makes it.
    ///
    /// `len` and the like raise until then.
    pub const fn new() -> Self {
        Self {
            place: Cell::new(Place::Object),
            native: GilCell::new(VecDeque::new()),
            heap: GilCell::new(Vec::new()),
            object: Slot::empty(),
        }
    }

    /// An empty store for items of this discipline; the items in the old one are dropped.
    pub fn initialise(&self, discipline: Discipline) {
        match discipline {
            Discipline::Fifo => self.replace(Place::Deque, None),
            Discipline::Lifo => self.replace(Place::List, None),
            Discipline::Priority => self.replace(Place::Heap, None),
        }
    }

    /// Puts another store in the place of the present one, which is dropped last: that may run user
    /// code.
    fn replace(&self, place: Place, object: Option<Object>) {
        let native = self.native.with(std::mem::take);
        let heap = self.heap.with(std::mem::take);
        let old = self.object.take();
        self.place.set(place);
        self.object.set_optional(object);
        drop((native, heap, old));
    }

    /// `len(self._queue)`.
    #[inline]
    pub fn len(&self, queue: &Object) -> Result<usize> {
        match self.known_len() {
            Some(length) => Ok(length),
            None => self.len_of_object(queue),
        }
    }

    /// The number of items, unless only an object of the program's knows it.
    #[inline]
    pub fn known_len(&self) -> Option<usize> {
        // SAFETY: a length is read.
        unsafe {
            match self.place.get() {
                Place::Deque | Place::List => Some(self.native.with_untested(|items| items.len())),
                Place::Heap => Some(self.heap.with_untested(|items| items.len())),
                Place::Object => None,
            }
        }
    }

    /// References to the items, unless they are in an object.
    fn native_items(&self) -> Option<Vec<Object>> {
        match self.place.get() {
            Place::Deque | Place::List => {
                Some(self.native.with(|items| items.iter().cloned().collect()))
            }
            Place::Heap => Some(self.heap.with(|items| {
                let objects = items.iter().map(|item| item.object().clone());
                objects.collect()
            })),
            Place::Object => None,
        }
    }

    /// `queue` is named in the error of a missing `_queue`, as in the functions below.
    fn len_of_object(&self, queue: &Object) -> Result<usize> {
        let object = self.existing(queue)?;
        object.size()
    }

    /// `not self._queue`.
    #[inline]
    pub fn is_empty(&self, queue: &Object) -> Result<bool> {
        match self.known_len() {
            Some(length) => Ok(length == 0),
            None => self.is_object_empty(queue),
        }
    }

    /// The truth of the object, which may be user code.
    fn is_object_empty(&self, queue: &Object) -> Result<bool> {
        self.existing(queue)?.is_true().map(|truth| !truth)
    }

    /// `self._put(item)`.
    ///
    /// Constant time and no call of Python's for a native store; a heap takes logarithmic time and
    /// compares items, which may be user code.
    #[inline]
    pub fn put(&self, queue: &Object, discipline: Discipline, item: Object) -> Result<()> {
        // A deque and a list have `append` in common.
        match (discipline, self.place.get()) {
            (Discipline::Fifo | Discipline::Lifo, Place::Deque | Place::List) => {
                // SAFETY: an item is moved to the end.
                unsafe { self.native.with_untested(|items| items.push_back(item)) };
                Ok(())
            }
            (Discipline::Priority, Place::Heap) => self.put_into_heap(queue, item),
            _ => self.put_into_object(queue, discipline, &item),
        }
    }

    /// The heap becomes a list if the item cannot be compared without code of the program.
    fn put_into_heap(&self, queue: &Object, item: Object) -> Result<()> {
        let item = Ranked::new(item);
        let put = self
            .heap
            .with(|items| priority_heap::push(items, item, Ranked::is_less));
        match put {
            Ok(()) => Ok(()),
            Err(item) => self.put_into_object(queue, Discipline::Priority, item.object()),
        }
    }

    /// Puts an item into a store that a program has seen or made, by the functions that asyncio
    /// uses.
    fn put_into_object(&self, queue: &Object, discipline: Discipline, item: &Object) -> Result<()> {
        let object = self.object(queue)?;
        match discipline {
            Discipline::Priority => globals().asyncio.heappush.call([&object, item]),
            Discipline::Fifo | Discipline::Lifo => object.invoke(&globals().names.append, [item]),
        }
        .map(drop)
    }

    /// `self._get()`.
    ///
    /// A deque serves `pop` as well as `popleft`; a list has no `popleft`, so that such a mixture
    /// goes to the object and fails there as in asyncio.
    ///
    /// # Errors
    /// `IndexError` if there is nothing, which no caller that has asked before sees.
    #[inline]
    pub fn take(&self, queue: &Object, discipline: Discipline) -> Result<Object> {
        let first = match (discipline, self.place.get()) {
            (Discipline::Fifo, Place::Deque) => true,
            (Discipline::Lifo, Place::Deque | Place::List) => false,
            (Discipline::Priority, Place::Heap) => return self.take_from_heap(queue),
            _ => return self.take_from_object(queue, discipline),
        };
        // SAFETY: an item is moved out of either end.
        let taken = unsafe {
            self.native.with_untested(|items| {
                if first {
                    items.pop_front()
                } else {
                    items.pop_back()
                }
            })
        };
        taken.ok_or_else(|| self.nothing_to_take())
    }

    /// A heap that is empty, or cannot be compared by itself, becomes a list, and `heapq` does what
    /// it does there.
    fn take_from_heap(&self, queue: &Object) -> Result<Object> {
        let taken = self
            .heap
            .with(|items| priority_heap::pop(items, Ranked::is_less));
        match taken {
            Ok(Some(item)) => Ok(item.into_object()),
            Ok(None) | Err(Undecided) => self.take_from_object(queue, Discipline::Priority),
        }
    }

    /// Takes an item out of such a store.
    fn take_from_object(&self, queue: &Object, discipline: Discipline) -> Result<Object> {
        let object = self.object(queue)?;
        let globals = globals();
        match discipline {
            Discipline::Fifo => object.invoke(&globals.names.popleft, []),
            Discipline::Lifo => object.invoke(&globals.names.pop, []),
            Discipline::Priority => globals.asyncio.heappop.call([&object]),
        }
    }

    /// The `IndexError` of asyncio's store for taking from nothing.
    ///
    /// The texts are those of `deque` and `list`.
    #[cold]
    fn nothing_to_take(&self) -> Raised {
        let text = match self.place.get() {
            Place::List | Place::Heap => c"pop from empty list",
            _ => c"pop from an empty deque",
        };
        raise(ExceptionClass::IndexError, text)
    }

    /// `self._queue`: the items as an object, in which they are from now on.
    ///
    /// Takes time linear in the items at the first call, and every later operation then costs a
    /// call of the object's method.
    ///
    /// # Errors
    /// `AttributeError` if there is no store, and `MemoryError`; the items stay where they are
    /// then.
    pub fn object(&self, queue: &Object) -> Result<Object> {
        let object = match self.place.get() {
            Place::Object => return self.existing(queue),
            Place::Deque => globals().asyncio.deque.call([])?,
            Place::List | Place::Heap => new_list()?,
        };
        // Making the object may have run the garbage collector, and that anything at all. From here
        // on nothing can come between: appending to a plain list or deque runs no other code.
        let Some(items) = self.native_items() else {
            return self.existing(queue);
        };
        for item in items {
            object.invoke(&globals().names.append, [&item])?;
        }
        self.replace(Place::Object, Some(object.clone()));
        Ok(object)
    }

    /// `self._queue = object`, or `del self._queue`.
    ///
    /// The present items are dropped. Waiters are not woken, even if the new store has items.
    pub fn set_object(&self, object: Option<&Object>) {
        self.replace(Place::Object, object.cloned());
    }

    /// `list(getattr(self, "_queue", ()))`, without making an object of the items.
    ///
    /// For the repr, which should not change how the queue stores its items.
    pub fn to_list(&self) -> Result<Object> {
        match (self.native_items(), self.object.get()) {
            (Some(items), _) => making::list(items),
            (None, Some(object)) => making::list_of(&object),
            (None, None) => new_list(),
        }
    }

    /// The truth of `getattr(self, "_queue", None)`.
    pub fn has_any(&self) -> Result<bool> {
        match self.known_len() {
            Some(length) => Ok(length > 0),
            None => self.object.get_or_none().is_true(),
        }
    }

    /// The object under `_queue`, which a subclass whose `_init` makes none does not have.
    fn existing(&self, queue: &Object) -> Result<Object> {
        match self.object.get() {
            Some(object) => Ok(object),
            None => Err(no_attribute(queue, "_queue")),
        }
    }

    /// Shows the items to the garbage collector.
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        // A visitor runs no Python code, so nothing uses the items meanwhile.
        self.native
            .with(|items| items.iter().try_for_each(|item| visitor.show(item)))?;
        self.heap.with(|items| {
            let mut objects = items.iter().map(Ranked::object);
            objects.try_for_each(|item| visitor.show(item))
        })?;
        self.object.visit(visitor)
    }

    /// Drops them all.
    pub fn clear(&self) {
        self.object.clear();
        let native = self.native.with(std::mem::take);
        drop((native, self.heap.with(std::mem::take)));
    }
}

/// The store of a stack and of a heap.
fn new_list() -> Result<Object> {
    making::list(Vec::new())
}
