//! The methods that a queue has to call by name because they are overridden.
//!
//! asyncio's queue calls `self.full()`, `self._put(item)` and so on, and subclasses rely on it.
//! Looking up each one again and again would cost more than the work. So the overrides of a class
//! are determined once and remembered together with the class's version, a number that the
//! interpreter changes whenever the class or one of its bases changes. The overrides of an instance
//! are looked up each time, if it has attributes at all.

use greenloop_cpython::{Dict, GilCell, Object, Result};

use super::queue::{CLASS, LIFO_CLASS, PRIORITY_CLASS, QueueRef};
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
    /// `qsize()`
    Qsize = 1,
    /// `empty()`
    Empty = 2,
    /// `full()`
    Full = 4,
    /// `_put(item)`
    Put = 8,
    /// `_get()`
    Get = 16,
    /// `put_nowait(item)`
    PutNowait = 32,
    /// `get_nowait()`
    GetNowait = 64,
    /// `_init(maxsize)`
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

    /// Its name, interned.
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
    /// The class whose `_init` it has, where that is this crate's.
    ///
    /// Meaningless where the bit of the method is set, as below.
    pub init: Discipline,
    /// The same for `_put`.
    pub put: Discipline,
    /// The same for `_get`.
    pub get: Discipline,
}

/// The overrides found for a class. Each instance remembers them, since no two classes ever have
/// the same version.
#[derive(Clone, Copy)]
pub struct Known {
    /// The class's version then; 0 is none.
    ///
    /// The interpreter hands out each number once, so an equal number means an unchanged class.
    version: u32,
    overrides: Overrides,
}

/// The overrides last found for some classes, for new instances. A class's address determines its
/// place.
const PLACES: usize = 16;

static LAST: GilCell<[Known; PLACES]> = GilCell::new([Known::nothing(); PLACES]);

impl Known {
    /// No class is known yet.
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
    pub fn of(queue: &QueueRef) -> Result<Self> {
        let known = queue.get().overrides.get();
        let is_known = known.version == queue.class_version() && known.version != 0;
        if is_known && queue.has_no_dict() {
            return Ok(known.overrides);
        }
        Self::look_up(queue)
    }

    /// The overrides of a queue: those of its class and those set on the instance.
    #[cold]
    fn look_up(queue: &QueueRef) -> Result<Self> {
        let known = Known::look_up(queue)?;
        queue.get().overrides.set(known);
        match queue.dict() {
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
    fn with_attributes(mut self, attributes: &Dict) -> Result<Self> {
        if attributes.is_empty() {
            return Ok(self);
        }
        for method in Method::ALL {
            if attributes.contains(method.name())? {
                self.by_name |= method as u8;
            }
        }
        Ok(self)
    }
}

/// The class whose method it is, if it is one of this crate's under its own name.
///
/// `_put = Queue._get` in a subclass is an override, although the function is ours.
fn native(found: &Object, name: &Object) -> Option<Discipline> {
    [
        (&CLASS, Discipline::Fifo),
        (&LIFO_CLASS, Discipline::Lifo),
        (&PRIORITY_CLASS, Discipline::Priority),
    ]
    .into_iter()
    .find(|(class, _)| class.has_native_method(found, name))
    .map(|(_, discipline)| discipline)
}
