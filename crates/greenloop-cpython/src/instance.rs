//! Classes of plain Rust values: the slots that every such class needs, written once.
//!
//! A class for a `T` defines the initial value of `T`, which Python objects it holds and how to
//! release them ([`Held`]). Like a class written in Python, it has instances with attributes and
//! weak references, and it can be subclassed.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

use pyo3::{PyErr, ffi};

use super::attached::attached;
use super::class::ClassBuilder;
use super::dict::Dict;
use super::error::{Raised, Result, report_unraisable};
use super::freelist::{Freelist, not_made};
use super::gc::{self, Visited, Visitor};
use super::native::{Class, Native};
use super::nesting;
use super::object::Object;
use super::slot::Slot;
use super::trap::trap_int;

/// The value that an instance holds.
///
/// # Safety
/// [`visit`](Self::visit) shows only references that are the value's to show, each once: see
/// [`Visitor`].
pub unsafe trait Held: Sized + 'static {
    /// The value before `__init__`.
    fn new() -> Self;

    /// Shows the objects it holds to the garbage collector.
    fn visit(&self, visitor: &Visitor) -> Visited;

    /// Lets go of everything, and stays valid.
    fn clear(&self);

    /// The class's `__del__`, if it has one, given the value and its object. It may raise, and is
    /// called once in an instance's life.
    const FINALISER: Option<fn(&Self, &Object) -> Result<()>> = None;
}

/// The C struct of an instance.
#[repr(C)]
pub struct Instance<T> {
    header: ffi::PyObject,
    /// `__dict__`, once there is one.
    attributes: Slot,
    /// The list of weak references, which is the interpreter's.
    weak_references: Cell<*mut ffi::PyObject>,
    held: T,
}

impl<T> Instance<T> {
    /// Where the value is in an instance.
    pub(super) const OFFSET_OF_HELD: usize = std::mem::offset_of!(Self, held);
}

impl<T: Held> Native<T> {
    /// The whole struct.
    #[inline]
    fn instance(&self) -> &Instance<T> {
        // SAFETY: an object that carries a `Held` is laid out as the struct.
        unsafe { &*self.as_ptr().cast::<Instance<T>>() }
    }

    /// The instance's `__dict__`, if there is one.
    pub fn dict(&self) -> Option<Dict> {
        self.instance().attributes.get().as_ref().and_then(Dict::of)
    }

    /// Whether the instance has no `__dict__`, hence no attribute that might replace a method.
    #[inline]
    pub fn has_no_dict(&self) -> bool {
        self.instance().attributes.is_empty()
    }

    /// Whether the instance was given no attribute, which might replace a method.
    #[inline]
    pub fn has_no_attributes(&self) -> bool {
        let attributes = self.instance().attributes.as_ptr();
        // SAFETY: what the interpreter keeps in the slot is a dict.
        attributes.is_null() || unsafe { ffi::PyDict_Size(attributes) == 0 }
    }

    /// Whether the object is exactly of `class` and has no attributes, and no method of either was
    /// replaced.
    #[inline]
    pub fn is_plain(&self, class: &Class<T>) -> bool {
        class.is_untouched_class_of(self) && self.has_no_dict()
    }

    /// Whether a subclass, the instance itself or other code has replaced a method of `class`.
    pub fn overrides(&self, class: &Class<T>, names: &[&Object]) -> Result<bool> {
        if self.is_plain(class) {
            return Ok(false);
        }
        let own = self.class_object();
        let attributes = self.dict();
        for name in names {
            let found = own.attribute(name)?;
            let original = class.original(name);
            if !original.is_some_and(|original| original.is(found.as_ptr())) {
                return Ok(true);
            }
            if let Some(attributes) = &attributes
                && attributes.contains(name)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<T: Held> Class<T> {
    /// The object, if it is [plain](Native::is_plain): exactly of this class and without
    /// attributes, with no method of either replaced.
    #[inline]
    pub fn plain<'a>(&self, object: &'a Object) -> Option<&'a Native<T>> {
        self.exactly(object).filter(|this| this.is_plain(self))
    }

    /// A new instance, without a call of its `__init__`.
    pub fn create(&self) -> Result<Native<T>> {
        if self.as_ptr().is_null() {
            return Err(not_made());
        }
        let nothing = ptr::null_mut();
        // SAFETY: the class is made. `make` is the `tp_new` of a class that was built for `T`, and
        // looks at no arguments.
        unsafe {
            let instance = Object::from_returned(make::<T>(self.as_ptr(), nothing, nothing))?;
            Ok(Native::from_object(instance))
        }
    }

    /// As [`create`](Self::create), in the block of a dead instance if there is one. The class's
    /// `tp_free` hands them to [`Freelist::keep`].
    #[inline]
    pub(super) fn create_from<const N: usize>(&self, spare: &Freelist<N>) -> Result<Native<T>> {
        // Made first: the collector knows the block, and whatever makes a value may run it.
        let value = T::new();
        // SAFETY: `Instance<T>` is the struct of the class; the value is written into the zeroed
        // block before anybody sees it.
        unsafe {
            let object = spare.allocate_with_attributes::<Instance<T>>(self.as_ptr())?;
            (&raw mut (*object).held).write(value);
            Ok(Native::from_object(Object::from_owned(object.cast())))
        }
    }
}

/// Begins a class whose instances hold a `T`. It can be inherited from only if that is asked for.
pub fn class_of<T: Held>(name: &'static std::ffi::CStr) -> ClassBuilder<T> {
    let offset = |name: &'static std::ffi::CStr, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    };
    let mut builder =
        ClassBuilder::<T>::of_size(name, size_of::<Instance<T>>()).named_as_in_python();
    if T::FINALISER.is_some() {
        builder = builder.slot(ffi::Py_tp_finalize, finalise::<T> as *mut c_void);
    }
    builder
        .slot(ffi::Py_tp_new, make::<T> as *mut c_void)
        .slot(ffi::Py_tp_dealloc, deallocate::<T> as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse::<T> as *mut c_void)
        .slot(ffi::Py_tp_clear, clear::<T> as *mut c_void)
        .with_dict()
        .members(vec![
            offset(
                c"__dictoffset__",
                std::mem::offset_of!(Instance<T>, attributes),
            ),
            offset(
                c"__weaklistoffset__",
                std::mem::offset_of!(Instance<T>, weak_references),
            ),
        ])
}

unsafe extern "C" fn make<T: Held>(
    class: *mut ffi::PyTypeObject,
    _args: *mut ffi::PyObject,
    _kwargs: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the allocator gives a zeroed block laid out as the struct, or null with an exception
    // set; the value is written into it before anybody sees it.
    unsafe {
        if (*class).tp_flags & ffi::Py_TPFLAGS_IS_ABSTRACT != 0 {
            return refuse_abstract(class);
        }
        // Made first: the collector knows the block, and whatever makes a value may run it.
        let value = T::new();
        let allocate = (*class).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
        let object = allocate(class, 0);
        if !object.is_null() {
            (&raw mut (*object.cast::<Instance<T>>()).held).write(value);
        }
        object
    }
}

/// Has `object` refuse to make an instance of a class with abstract methods, and name these.
#[cold]
unsafe fn refuse_abstract(class: *mut ffi::PyTypeObject) -> *mut ffi::PyObject {
    let arguments = super::names::names().no_arguments.as_ptr();
    // SAFETY: the class's flag is what `object` looks at first; it is a class, with no arguments.
    unsafe {
        match ffi::PyBaseObject_Type.tp_new {
            Some(new) => new(class, arguments, ptr::null_mut()),
            None => ptr::null_mut(),
        }
    }
}

unsafe extern "C" fn deallocate<T: Held>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead instance.
    unsafe { nesting::deallocate(this, end::<T>) }
}

unsafe fn end<T: Held>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead instance, of this class or of a subclass whose
    // own deallocation ends here. The value is dropped once, last of all.
    unsafe {
        if T::FINALISER.is_some() && ffi::PyObject_CallFinalizerFromDealloc(this) < 0 {
            return;
        }
        ffi::PyObject_GC_UnTrack(this.cast());
        let instance = this.cast::<Instance<T>>();
        if !(*instance).weak_references.get().is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        (*instance).held.clear();
        (*instance).attributes.clear();
        (&raw mut (*instance).held).drop_in_place();
        let class = ffi::Py_TYPE(this);
        let free = (*class).tp_free.unwrap_or(ffi::PyObject_GC_Del);
        free(this.cast());
        ffi::Py_DECREF(class.cast());
    }
}

unsafe extern "C" fn finalise<T: Held>(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on an instance that is about to die. The exception that may
    // be set is somebody else's and is put back.
    unsafe {
        let pending = PyErr::take(attached());
        let object = Object::from_borrowed(this);
        let value = &(*this.cast::<Instance<T>>()).held;
        if trap_int(|| T::FINALISER.map_or(Ok(()), |finaliser| finaliser(value, &object))) < 0 {
            report_unraisable(Raised, &object);
        }
        drop(object);
        if let Some(pending) = pending {
            pending.restore(attached());
        }
    }
}

unsafe extern "C" fn traverse<T: Held>(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on an instance, with its own visitor.
    unsafe {
        let instance = &*this.cast::<Instance<T>>();
        gc::traverse(this, visit, arg, |visitor| {
            instance.attributes.visit(visitor)?;
            instance.held.visit(visitor)
        })
    }
}

unsafe extern "C" fn clear<T: Held>(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the garbage collector on an instance.
    unsafe {
        let instance = &*this.cast::<Instance<T>>();
        instance.attributes.clear();
        instance.held.clear();
    }
    0
}
