//! `isinstance(task, Future)`: what counts as a future.
//!
//! Our `Task` derives from `_asyncio.Task`, whose layout rules out that it derives from our `Future` as
//! well; and code under a stdlib loop still makes asyncio's own futures. Both are futures to a program
//! that asks `isinstance(x, asyncio.Future)` after `install()`. So the class `Future`, itself only and
//! not its subclasses, answers for everything of `_asyncio.Future`. The price: a subclass of ours
//! cannot have another metaclass as well, such as `ABCMeta`.

use std::ffi::c_void;

use pyo3::ffi;

use crate::interop::{ClassBuilder, Object, Result, globals, one};

/// Gives `class` the metaclass. Classes made from a spec have `type` at first; setting another one
/// with the same layout is what `PyType_FromMetaclass` does, which 3.11 does not have.
pub fn adopt(class: &Object) -> Result<()> {
    // SAFETY: `type` is always valid.
    let base = unsafe { Object::from_borrowed((&raw mut ffi::PyType_Type).cast()) };
    let metaclass = ClassBuilder::new::<()>(c"greenloop.FutureType")
        .collected_as_base()
        .subclassable()
        .slot(
            ffi::Py_tp_doc,
            c"The class of Future.".as_ptr().cast_mut().cast::<c_void>(),
        )
        .methods(vec![
            one!(
                c"__instancecheck__",
                instance_check,
                c"Return whether an object is a future."
            ),
            one!(
                c"__subclasscheck__",
                subclass_check,
                c"Return whether a class is one of futures."
            ),
        ])
        .build(Some(&base))?;
    // SAFETY: the metaclass has the layout of `type`; the class takes over the reference.
    unsafe { (*class.as_ptr()).ob_type = metaclass.into_ptr().cast() };
    Ok(())
}

fn instance_check(class: &Object, instance: &Object) -> Result<Object> {
    // SAFETY: `instance` is a valid object.
    let instance_class = unsafe { ffi::Py_TYPE(instance.as_ptr()) };
    if is_subtype(instance_class, widened(class)) {
        return Ok(Object::boolean(true));
    }
    default_check(c"__instancecheck__", class, instance)
}

fn subclass_check(class: &Object, other: &Object) -> Result<Object> {
    // SAFETY: `other` is a valid object.
    let is_class = unsafe { ffi::PyType_Check(other.as_ptr()) != 0 };
    if is_class && is_subtype(other.as_ptr().cast(), widened(class)) {
        return Ok(Object::boolean(true));
    }
    default_check(c"__subclasscheck__", class, other)
}

/// For `Future` itself its base class, for a subclass that class.
fn widened(class: &Object) -> *mut ffi::PyTypeObject {
    let globals = globals();
    if class.is(globals.classes.future.as_ptr().cast()) {
        globals.asyncio.future.as_ptr().cast()
    } else {
        class.as_ptr().cast()
    }
}

fn is_subtype(class: *mut ffi::PyTypeObject, of: *mut ffi::PyTypeObject) -> bool {
    // SAFETY: both are valid classes.
    unsafe { ffi::PyType_IsSubtype(class, of) != 0 }
}

/// `type`'s own answer, which also honours `__class__` and `__bases__`.
fn default_check(method: &std::ffi::CStr, class: &Object, argument: &Object) -> Result<Object> {
    // SAFETY: all objects are valid, and the name ends with a NUL.
    unsafe {
        let base: *mut ffi::PyObject = (&raw mut ffi::PyType_Type).cast();
        let function = Object::from_returned(ffi::PyObject_GetAttrString(base, method.as_ptr()))?;
        crate::interop::call_function(&function, &[class.as_ptr(), argument.as_ptr()])
    }
}
