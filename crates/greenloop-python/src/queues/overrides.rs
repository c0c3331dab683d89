//! The methods that a queue has to call by name because they are overridden.
//!
//! asyncio's queue calls `self.full()`, `self._put(item)` and so on, and subclasses rely on it.
//! Looking up each one again and again would cost more than the work. So the overrides of a class
//! are determined once and remembered together with the class's version, a number that the
//! interpreter changes whenever the class or one of its bases changes. The overrides of an instance
//! are looked up each time, if it has attributes at all.

use greenloop_cpython::{GilCell, Instance, Object, Raised, Result};
use pyo3::ffi;

use super::queue::Queue;
use crate::asyncio::globals;

/// How items are put in and taken out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Discipline {
    /// The oldest first, from a `deque`.
    Fifo,
    /// The newest first, from a `list`.
    Lifo,
    /// The smallest first, from a `list` that is a heap.
    Priority,
}

/// A method that the queue calls on itself; each is a bit.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Method {
    Qsize = 1,
    Empty = 2,
    Full = 4,
    Put = 8,
    Get = 16,
    PutNowait = 32,
    GetNowait = 64,
    Init = 128,
}

impl Method {
    /// All of them.
    const ALL: [Self; 8] = [
        Self::Qsize,
        Self::Empty,
        Self::Full,
        Self::Put,
        Self::Get,
        Self::PutNowait,
        Self::GetNowait,
        Self::Init,
    ];

    pub fn name(self) -> &'static Object {
        let names = &globals().names;
        match self {
            Self::Qsize => &names.qsize,
            Self::Empty => &names.empty,
            Self::Full => &names.full,
            Self::Put => &names.put_item,
            Self::Get => &names.get_item,
            Self::PutNowait => &names.put_nowait,
            Self::GetNowait => &names.get_nowait,
            Self::Init => &names.init_items,
        }
    }
}

/// The methods that an instance overrides.
#[derive(Clone, Copy)]
pub struct Overrides {
    /// The bits of those methods that are not this crate's.
    by_name: u8,
    /// The classes whose `_init`, `_put` and `_get` it has, where they are this crate's.
    pub init: Discipline,
    pub put: Discipline,
    pub get: Discipline,
}

/// The overrides found for a class. Each instance remembers them, since no two classes ever have
/// the same version.
#[derive(Clone, Copy)]
pub struct Known {
    /// The class's version then; 0 is none.
    version: u32,
    overrides: Overrides,
}

/// The overrides last found for some classes, for new instances. A class's address determines its
/// place.
const PLACES: usize = 16;

static LAST: GilCell<[Known; PLACES]> = GilCell::new([Known::nothing(); PLACES]);

impl Known {
    pub const fn nothing() -> Self {
        Self {
            version: 0,
            overrides: Overrides::none(Discipline::Fifo),
        }
    }

    /// The overrides of the queue's class, from a small cache by the class's address and version.
    fn look_up(queue: &Object) -> Result<Self> {
        // Classes are larger than 512 bytes.
        let place = (queue.class().addr() >> 9) % PLACES;
        let last = LAST.with(|last| last[place]);
        if last.version == queue.class_version() && last.version != 0 {
            return Ok(last);
        }
        let class = queue.class_object();
        // The first lookup gives the class a version. It is read before the others, in case that
        // one of them changes the class.
        class.attribute(Method::Init.name())?;
        let known = Self {
            version: queue.class_version(),
            overrides: Overrides::find_out(&class)?,
        };
        LAST.with(|last| last[place] = known);
        Ok(known)
    }
}

impl Overrides {
    const fn none(discipline: Discipline) -> Self {
        Self {
            by_name: 0,
            init: discipline,
            put: discipline,
            get: discipline,
        }
    }

    /// The overrides of `queue`.
    #[inline]
    pub fn of(queue: &Object) -> Result<Self> {
        let known = Queue::of(queue).overrides.get();
        let is_known = known.version == queue.class_version() && known.version != 0;
        if is_known && Instance::<Queue>::attributes(queue).is_empty() {
            return Ok(known.overrides);
        }
        Self::look_up(queue)
    }

    /// The overrides of a queue: those of its class and those set on the instance.
    #[cold]
    fn look_up(queue: &Object) -> Result<Self> {
        let known = Known::look_up(queue)?;
        Queue::of(queue).overrides.set(known);
        match Instance::<Queue>::attributes(queue).get() {
            None => Ok(known.overrides),
            Some(attributes) => known.overrides.with_attributes(&attributes),
        }
    }

    /// Whether `method` has to be called by name.
    #[inline]
    pub const fn has(self, method: Method) -> bool {
        self.by_name & method as u8 != 0
    }

    /// Finds the overrides of the class of `object`.
    fn find_out(object: &Object) -> Result<Self> {
        let mut overrides = Self::none(Discipline::Fifo);
        for method in Method::ALL {
            let Some(discipline) = native(&object.attribute(method.name())?, method.name()) else {
                overrides.by_name |= method as u8;
                continue;
            };
            match method {
                Method::Init => overrides.init = discipline,
                Method::Put => overrides.put = discipline,
                Method::Get => overrides.get = discipline,
                _ => {}
            }
        }
        Ok(overrides)
    }

    /// Adds the overrides in an instance's `__dict__`.
    fn with_attributes(mut self, attributes: &Object) -> Result<Self> {
        // SAFETY: `attributes` is a dict.
        if unsafe { ffi::PyDict_Size(attributes.as_ptr()) } == 0 {
            return Ok(self);
        }
        for method in Method::ALL {
            // SAFETY: as above, and the name is a string.
            match unsafe { ffi::PyDict_Contains(attributes.as_ptr(), method.name().as_ptr()) } {
                0 => {}
                1 => self.by_name |= method as u8,
                _ => return Err(Raised),
            }
        }
        Ok(self)
    }
}

/// The class whose method it is, if it is one of this crate's under its own name.
fn native(found: &Object, name: &Object) -> Option<Discipline> {
    if !found.is_exactly(&raw mut ffi::PyMethodDescr_Type) {
        return None;
    }
    // SAFETY: a method descriptor begins with this struct.
    let descriptor = unsafe { &*found.as_ptr().cast::<ffi::PyDescrObject>() };
    if !name.is(descriptor.d_name) {
        return None;
    }
    let classes = &globals().classes;
    [
        (&classes.queue, Discipline::Fifo),
        (&classes.lifo_queue, Discipline::Lifo),
        (&classes.priority_queue, Discipline::Priority),
    ]
    .into_iter()
    .find(|(class, _)| class.as_ptr() == descriptor.d_type)
    .map(|(_, discipline)| discipline)
}
