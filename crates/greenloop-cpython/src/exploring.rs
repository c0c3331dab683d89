//! Which objects refer to which, as the garbage collector is shown them, at one moment.
//!
//! An object shows the collector what it refers to. From some objects on, an [`Exploration`]
//! follows what they show, and counts: how many references there are to an object in all, and which
//! of them come from objects that it has seen. No Python code runs meanwhile, so that nothing
//! changes.

use std::ffi::{c_int, c_void};

use pyo3::ffi;
use rustc_hash::{FxHashMap, FxHashSet};

use super::object::Object;

/// Objects, numbered from 0 on in the order in which they were met.
pub struct Exploration {
    objects: Vec<*mut ffi::PyObject>,
    numbers: FxHashMap<usize, u32>,
    /// The references of this exploration itself, to what it was given.
    given: FxHashMap<usize, Object>,
    /// What is not to be entered.
    shut: FxHashSet<usize>,
    /// The address of the class whose weak references do not count, or 0.
    blind: usize,
}

/// An object as it was met.
#[derive(Clone, Copy, Debug)]
pub struct Met<'a> {
    /// How many references there are to it, without those of the exploration itself.
    pub count: u64,
    /// Whether it can be reached without a reference to it: by a weak one, or, if it is a weak one
    /// with a callback itself, when its object goes.
    pub is_reached_weakly: bool,
    /// The numbers of the objects that it refers to, as often as it does.
    pub references: &'a [u32],
}

/// The beginning of a weak reference, in all versions from 3.11 on.
#[repr(C)]
struct WeakReference {
    base: ffi::PyObject,
    object: *mut ffi::PyObject,
    callback: *mut ffi::PyObject,
    hash: ffi::Py_hash_t,
    previous: *mut WeakReference,
    next: *mut WeakReference,
}

impl Exploration {
    /// Nothing has been met. Modules and what they contain by name are not entered, nor are classes
    /// and code.
    pub fn new() -> Self {
        Self {
            objects: Vec::new(),
            numbers: FxHashMap::default(),
            given: FxHashMap::default(),
            shut: namespaces(),
            blind: 0,
        }
    }

    /// Has an object not be entered.
    pub fn shut(&mut self, object: &Object) {
        self.shut.insert(object.as_ptr().addr());
    }

    /// Has the weak references of a class not count: nobody gets an object from them.
    pub fn ignore_weak_references_of(&mut self, class: &Object) {
        self.blind = class.as_ptr().addr();
    }

    /// The number of an object, which is explored. The caller lets its own references go before
    /// [`explore`](Self::explore).
    pub fn number_of(&mut self, object: &Object) -> u32 {
        let key = object.as_ptr().addr();
        self.given.entry(key).or_insert_with(|| object.clone());
        self.meet(object.as_ptr())
    }

    fn meet(&mut self, object: *mut ffi::PyObject) -> u32 {
        *self.numbers.entry(object.addr()).or_insert_with(|| {
            self.objects.push(object);
            u32::try_from(self.objects.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Follows all references, and has `see` see each object, in the order of their numbers.
    ///
    /// Returns false if there are more than `most` objects; `see` has not got all of them then.
    pub fn explore(&mut self, most: usize, mut see: impl FnMut(Met<'_>)) -> bool {
        let mut shown = Vec::new();
        let mut references = Vec::new();
        let mut next = 0;
        while let Some(object) = self.objects.get(next).copied() {
            next += 1;
            shown.clear();
            references.clear();
            // SAFETY: the object is alive: it was given, or an object refers to it that is alive,
            // and no code runs that could change that.
            unsafe { show(object, &mut shown) };
            for held in &shown {
                // SAFETY: an object that is alive refers to it.
                if !self.shut.contains(&held.addr()) && unsafe { leads_on(*held) } {
                    references.push(self.meet(*held));
                }
            }
            if self.objects.len() > most {
                return false;
            }
            // SAFETY: it is alive.
            let count = unsafe { ffi::Py_REFCNT(object) };
            let own = u64::from(self.given.contains_key(&object.addr()));
            see(Met {
                count: (count as u64).saturating_sub(own),
                // SAFETY: it is alive.
                is_reached_weakly: unsafe {
                    has_weak_references(object, self.blind) || is_weak_with_callback(object)
                },
                references: &references,
            });
        }
        true
    }
}

impl Default for Exploration {
    fn default() -> Self {
        Self::new()
    }
}

/// Objects near `object`, in the order in which they are met from there: at most `most`, without
/// what [`Exploration`] does not enter. Each is given to `see`, which says whether to go on from
/// it.
pub fn explore_near(object: &Object, most: usize, mut see: impl FnMut(&Object) -> bool) {
    let mut met: Vec<Object> = vec![object.clone()];
    let mut seen: FxHashSet<usize> = FxHashSet::default();
    let mut next = 0;
    while let Some(object) = met.get(next).cloned() {
        next += 1;
        if !see(&object) {
            continue;
        }
        let mut shown = Vec::new();
        // SAFETY: the object is held.
        unsafe { show(object.as_ptr(), &mut shown) };
        for held in shown {
            // SAFETY: an object that is held refers to it.
            if met.len() < most && seen.insert(held.addr()) && unsafe { leads_on(held) } {
                // SAFETY: it is alive.
                met.push(unsafe { Object::from_borrowed(held) });
            }
        }
    }
}

/// Puts what an object shows to the collector into `shown`.
///
/// From 3.14 on, a frame in suspense shows what is on its stack although some of it has no share in
/// the counts, being borrowed from a variable of the same frame. What such a frame shows is taken
/// once. At an `await` nothing is borrowed, because the compiler borrows within a basic block, and
/// the instruction that awaits (`SEND`) ends one; so a coroutine is taken as it shows itself.
///
/// # Safety
/// The object is alive.
unsafe fn show(object: *mut ffi::PyObject, shown: &mut Vec<*mut ffi::PyObject>) {
    // SAFETY: the object is alive, and a traversal calls no Python code. Its visitor puts pointers
    // into the list, which outlives the call.
    unsafe {
        let class = ffi::Py_TYPE(object);
        if let Some(traverse) = (*class).tp_traverse {
            traverse(object, note, std::ptr::from_mut(shown).cast());
        }
        if cfg!(Py_3_14) && may_borrow(object) {
            let mut seen = FxHashSet::default();
            shown.retain(|held| seen.insert(held.addr()));
        }
    }
}

/// The visitor: puts an object into the list that `list` is.
///
/// # Safety
/// Called by a traversal that was given the list.
unsafe extern "C" fn note(object: *mut ffi::PyObject, list: *mut c_void) -> c_int {
    // SAFETY: passed on by `show`.
    unsafe { &mut *list.cast::<Vec<*mut ffi::PyObject>>() }.push(object);
    0
}

/// Whether something refers weakly to an object, other than references of the class at `blind`.
///
/// The loop itself refers weakly to each asynchronous generator that runs, in order to close it in
/// the end. It does so with a callback, as do sets of weak references; those do not count there.
///
/// # Safety
/// The object is alive, and the GIL is held.
unsafe fn has_weak_references(object: *mut ffi::PyObject, blind: usize) -> bool {
    // SAFETY: the class of a living object is alive. Where it says that there is one, there is a
    // pointer to the first weak reference, before the object's address if it is negative. Those of
    // the list are alive as long as they are in it, and nobody changes it while the GIL is held.
    unsafe {
        let offset = (*ffi::Py_TYPE(object)).tp_weaklistoffset;
        if offset == 0 {
            return false;
        }
        let is_generator = ffi::PyAsyncGen_CheckExact(object) != 0;
        let mut next = *object.byte_offset(offset).cast::<*mut WeakReference>();
        while let Some(reference) = next.as_ref() {
            let is_blind = ffi::Py_TYPE(next.cast()).addr() == blind;
            if !is_blind && (!is_generator || reference.callback.is_null()) {
                return true;
            }
            next = reference.next;
        }
    }
    false
}

/// Whether an object is a weak reference with a callback, which is called by nobody who has it.
///
/// # Safety
/// The object is alive.
unsafe fn is_weak_with_callback(object: *mut ffi::PyObject) -> bool {
    // SAFETY: what is a weak reference by its class has the fields of one.
    unsafe {
        ffi::PyWeakref_Check(object) != 0 && !(*object.cast::<WeakReference>()).callback.is_null()
    }
}

/// Whether an object may lead to others that are of interest.
///
/// # Safety
/// The object is alive.
unsafe fn leads_on(object: *mut ffi::PyObject) -> bool {
    // SAFETY: only the class of a living object is looked at.
    unsafe {
        ffi::PyObject_IS_GC(object) != 0
            && ffi::PyType_Check(object) == 0
            && ffi::PyModule_Check(object) == 0
            && ffi::PyCode_Check(object) == 0
    }
}

/// Whether an object may have a frame whose stack has borrowed what it shows.
///
/// # Safety
/// The object is alive.
unsafe fn may_borrow(object: *mut ffi::PyObject) -> bool {
    // SAFETY: only the class of a living object is looked at.
    unsafe {
        ffi::PyGen_CheckExact(object) != 0
            || ffi::PyAsyncGen_CheckExact(object) != 0
            || ffi::PyFrame_Check(object) != 0
    }
}

/// The addresses of the namespaces of all modules.
fn namespaces() -> FxHashSet<usize> {
    let mut found = FxHashSet::default();
    // SAFETY: the dictionary of modules is the interpreter's, borrowed. It does not change while it
    // is iterated, since no code runs; its keys and values are borrowed.
    unsafe {
        let modules = ffi::PyImport_GetModuleDict();
        let (mut place, mut name, mut module) = (0, std::ptr::null_mut(), std::ptr::null_mut());
        while ffi::PyDict_Next(modules, &raw mut place, &raw mut name, &raw mut module) != 0 {
            if ffi::PyModule_Check(module) != 0 {
                found.insert(ffi::PyModule_GetDict(module).addr());
            }
        }
    }
    found
}
