//! `__aenter__` and `__aexit__`, bound without the interpreter's allocator.
//!
//! Up to Python 3.13 `async with` makes two bound methods each time and throws them away, which
//! costs a fifth of an uncontended `async with lock`. The bound methods of a [`CheaplyBound`] come
//! from a freelist. Code that looks at one sees the bound method that the interpreter would have
//! made, and code that looks at the descriptor sees the plain function. From 3.14 on the
//! interpreter makes no bound methods there, and the methods stay plain functions.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use pyo3::ffi;

use super::attached::attached;
use super::call::type_error;
use super::class::ClassBuilder;
use super::class_cell::ClassCell;
use super::error::Result;
use super::freelist::{Freelist, not_made};
use super::gc;
use super::making::ByName as _;
use super::object::Object;
use super::slot::{Slot, visit_slots};
use super::trap::trap;

/// The methods that `async with` looks up.
const METHODS: [&CStr; 2] = [c"__aenter__", c"__aexit__"];

/// Has the methods of `class` that `async with` calls bound cheaply. They are its own methods, not
/// inherited ones.
pub fn bind_entering_cheaply(class: &Object) -> Result<()> {
    let py = attached();
    for name in METHODS {
        let name = name.to_string_lossy();
        let method: Object = class.bound(py).look_up(&*name)?.into();
        let descriptor = CheaplyBound::create(method)?;
        class.bound(py).put(&*name, descriptor)?;
    }
    Ok(())
}

static DESCRIPTOR_CLASS: ClassCell = ClassCell::new();
static BOUND_CLASS: ClassCell = ClassCell::new();

/// A method in a class's `__dict__`: the function that the interpreter would have put there, and
/// how it is bound.
#[repr(C)]
pub struct CheaplyBound {
    header: ffi::PyObject,
    /// The interpreter's own descriptor.
    method: Slot,
    /// The function shown to code that looks, a Python function with the same native code. None
    /// before it is given. One that is given is held for ever.
    shown: Slot,
}

impl CheaplyBound {
    /// The struct behind an object, if it is one.
    pub fn of(object: &Object) -> Option<&Self> {
        // SAFETY: what is of this class has this struct.
        object
            .is_exactly(DESCRIPTOR_CLASS.as_ptr())
            .then(|| unsafe { &*object.as_ptr().cast::<Self>() })
    }

    /// The interpreter's own descriptor.
    pub fn method(&self) -> Object {
        self.method.get_or_none()
    }

    /// Shows `function` to code that looks.
    pub fn show(&self, function: Object) {
        std::mem::forget(function.clone());
        self.shown.set(function);
    }

    fn create(method: Object) -> Result<Object> {
        if !method.is_exactly(&raw mut ffi::PyMethodDescr_Type) {
            return Err(type_error("a native method is needed"));
        }
        let class = DESCRIPTOR_CLASS.as_ptr();
        if class.is_null() {
            return Err(not_made());
        }
        // SAFETY: the class is made, and the allocator gives a zeroed block laid out as the struct.
        unsafe {
            let allocate = (*class).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
            let object = Object::from_returned(allocate(class, 0))?;
            (*object.as_ptr().cast::<Self>()).method.set(method);
            Ok(object)
        }
    }
}

unsafe extern "C" fn bind(
    this: *mut ffi::PyObject,
    receiver: *mut ffi::PyObject,
    _class: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    trap(|| {
        // SAFETY: the slot is called on a descriptor, whose method is one of C's, with any receiver
        // or with null for the class itself. The method is bound to what it is for.
        unsafe {
            let method = &(*this.cast::<CheaplyBound>()).method;
            let shown = &(*this.cast::<CheaplyBound>()).shown;
            if receiver.is_null() {
                return Ok(shown.get().unwrap_or_else(|| method.get_or_none()));
            }
            let descriptor = &*method.as_ptr().cast::<ffi::PyMethodDescrObject>();
            if ffi::PyObject_TypeCheck(receiver, descriptor.d_common.d_type) == 0 {
                return bind_otherwise(&*this.cast::<CheaplyBound>(), receiver);
            }
            let class = BOUND_CLASS.as_ptr();
            let bound = SPARE.allocate::<BoundMethod>(class)?;
            (*bound).call = Some(call);
            (*bound).definition = descriptor.d_method;
            (*bound).function = shown.as_ptr();
            (*bound).receiver.set(Object::from_borrowed(receiver));
            ffi::PyObject_GC_Track(bound.cast());
            Ok(Object::from_owned(bound.cast()))
        }
    })
}

/// As [`bind`], for a receiver of a class that has the descriptor from elsewhere: as the
/// interpreter binds what it is shown.
///
/// # Safety
/// The receiver is a valid object.
#[cold]
unsafe fn bind_otherwise(this: &CheaplyBound, receiver: *mut ffi::PyObject) -> Result<Object> {
    let shown = this.shown.get().unwrap_or_else(|| this.method());
    // SAFETY: promised by the caller. What is shown is a function or a method of C's, whose slot
    // refuses a receiver that is not for it.
    unsafe {
        let class: *mut ffi::PyObject = ffi::Py_TYPE(receiver).cast();
        match (*shown.class()).tp_descr_get {
            Some(bind) => Object::from_returned(bind(shown.as_ptr(), receiver, class)),
            None => Ok(shown),
        }
    }
}

/// How many dead bound methods are kept for new ones.
static SPARE: Freelist<64> = Freelist::new();

/// The struct of a bound method. Its definition lives as long as the process.
#[repr(C)]
struct BoundMethod {
    header: ffi::PyObject,
    call: Option<ffi::vectorcallfunc>,
    definition: *mut ffi::PyMethodDef,
    /// The function that the descriptor shows, or null. It lives as long as well.
    function: *mut ffi::PyObject,
    receiver: Slot,
}

impl BoundMethod {
    /// The bound method that this one represents.
    unsafe fn ordinary(this: *mut ffi::PyObject) -> Result<Object> {
        // SAFETY: the caller passes a bound method; the definition and the function live for ever.
        unsafe {
            let bound = &*this.cast::<Self>();
            let receiver = bound.receiver.as_ptr();
            if !bound.function.is_null() {
                return Object::from_returned(PyMethod_New(bound.function, receiver));
            }
            let module = ptr::null_mut();
            Object::from_returned(ffi::PyCFunction_NewEx(bound.definition, receiver, module))
        }
    }
}

unsafe extern "C" fn call(
    this: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter on a bound method with the words of the convention, which
    // are passed on to a function that is defined for it.
    unsafe {
        let bound = &*this.cast::<BoundMethod>();
        let (definition, receiver) = (&*bound.definition, bound.receiver.as_ptr());
        let given = ffi::PyVectorcall_NARGS(count);
        if definition.ml_flags == ffi::METH_FASTCALL | ffi::METH_KEYWORDS {
            (definition.ml_meth.PyCFunctionFastWithKeywords)(receiver, values, given, names)
        } else if definition.ml_flags == ffi::METH_NOARGS && given == 0 && names.is_null() {
            (definition.ml_meth.PyCFunction)(receiver, ptr::null_mut())
        } else {
            // The ordinary method raises the error.
            trap(|| {
                let ordinary = BoundMethod::ordinary(this)?;
                Object::from_returned(ffi::PyObject_Vectorcall(
                    ordinary.as_ptr(),
                    values,
                    given as usize,
                    names,
                ))
            })
        }
    }
}

unsafe extern "C" fn attribute(
    this: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a bound method, with a string.
    trap(|| unsafe {
        let ordinary = BoundMethod::ordinary(this)?;
        Object::from_returned(ffi::PyObject_GetAttr(ordinary.as_ptr(), name))
    })
}

unsafe extern "C" fn repr(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a bound method.
    trap(|| unsafe {
        let ordinary = BoundMethod::ordinary(this)?;
        Object::from_returned(ffi::PyObject_Repr(ordinary.as_ptr()))
    })
}

unsafe extern "C" fn hash(this: *mut ffi::PyObject) -> ffi::Py_hash_t {
    // SAFETY: the slot is called on a bound method.
    unsafe { (*this.cast::<BoundMethod>()).receiver.as_ptr() as ffi::Py_hash_t >> 4 }
}

unsafe extern "C" fn compare(
    this: *mut ffi::PyObject,
    other: *mut ffi::PyObject,
    operation: c_int,
) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a bound method and any object; what has the same type has the
    // same struct.
    trap(|| unsafe {
        if ffi::Py_TYPE(this) != ffi::Py_TYPE(other)
            || (operation != ffi::Py_EQ && operation != ffi::Py_NE)
        {
            return Ok(Object::from_borrowed(ffi::Py_NotImplemented()));
        }
        let (one, other) = (&*this.cast::<BoundMethod>(), &*other.cast::<BoundMethod>());
        let equal =
            one.definition == other.definition && one.receiver.as_ptr() == other.receiver.as_ptr();
        Ok(Object::boolean(equal == (operation == ffi::Py_EQ)))
    })
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead bound method; the class cannot be inherited from.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        (*this.cast::<BoundMethod>()).receiver.clear();
        SPARE.free(this);
    }
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on a bound method, with its own visitor.
    unsafe {
        gc::traverse(this, visit, arg, |visitor| {
            visit_slots(visitor, [&(*this.cast::<BoundMethod>()).receiver])
        })
    }
}

/// The attribute that a function in the descriptor's place would have, its class included.
unsafe extern "C" fn attribute_of_descriptor(
    this: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a descriptor, with a string.
    trap(|| unsafe {
        let descriptor = &*this.cast::<CheaplyBound>();
        let shown = descriptor.shown.get();
        let shown = shown.unwrap_or_else(|| descriptor.method());
        Object::from_returned(ffi::PyObject_GetAttr(shown.as_ptr(), name))
    })
}

unsafe extern "C" fn traverse_descriptor(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector on a descriptor, with its own visitor.
    unsafe {
        let descriptor = &*this.cast::<CheaplyBound>();
        gc::traverse(this, visit, arg, |visitor| {
            visit_slots(visitor, [&descriptor.method, &descriptor.shown])
        })
    }
}

unsafe extern "C" fn deallocate_descriptor(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead descriptor; the class cannot be inherited from.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        (*this.cast::<CheaplyBound>()).method.clear();
        (*this.cast::<CheaplyBound>()).shown.clear();
        let class = ffi::Py_TYPE(this);
        ffi::PyObject_GC_Del(this.cast());
        ffi::Py_DECREF(class.cast());
    }
}

/// Makes both classes.
pub fn make_classes() -> Result<()> {
    let descriptor = ClassBuilder::<CheaplyBound>::new(c"greenloop.CheaplyBound")
        .not_callable()
        .doc(c"A method that async with looks up.")
        .slot(ffi::Py_tp_descr_get, bind as *mut c_void)
        .slot(ffi::Py_tp_getattro, attribute_of_descriptor as *mut c_void)
        .slot(ffi::Py_tp_dealloc, deallocate_descriptor as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse_descriptor as *mut c_void);
    DESCRIPTOR_CLASS.set(descriptor.build(None)?);
    let call = ffi::PyMemberDef {
        name: c"__vectorcalloffset__".as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: std::mem::offset_of!(BoundMethod, call) as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    };
    let bound = ClassBuilder::<BoundMethod>::new(c"greenloop.BoundMethod")
        .not_callable()
        .called_by_vector()
        .members(vec![call])
        .slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void)
        .slot(ffi::Py_tp_getattro, attribute as *mut c_void)
        .slot(ffi::Py_tp_repr, repr as *mut c_void)
        .slot(ffi::Py_tp_hash, hash as *mut c_void)
        .slot(ffi::Py_tp_richcompare, compare as *mut c_void)
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void);
    BOUND_CLASS.set(bound.build(None)?);
    Ok(())
}

unsafe extern "C" {
    // Missing from `pyo3::ffi`.
    fn PyMethod_New(
        function: *mut ffi::PyObject,
        receiver: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}
