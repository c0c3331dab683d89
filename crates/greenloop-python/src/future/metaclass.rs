//! The metaclass of `Future`, which makes `isinstance(task, Future)` true.
//!
//! Our `Task` derives from `_asyncio.Task`, whose layout rules out that it derives from our
//! `Future` as well; and code under a stdlib loop still makes asyncio's own futures. Both are
//! futures to a program that asks `isinstance(x, asyncio.Future)` after `install()`. So the class
//! `Future`, itself only and not its subclasses, answers for everything of `_asyncio.Future`. The
//! metaclass derives from `ABCMeta`, so that a subclass of ours can be an abstract class as well.
//! The price: such a subclass cannot have yet another metaclass.

use std::ffi::c_void;

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{ClassBuilder, Object, Result, attached, one};
use pyo3::ffi;

use crate::asyncio::globals;

/// Gives the metaclass to `classes`. Classes made from a spec have `type` at first.
/// `PyType_FromMetaclass` would set another one with the same layout in the same way, but 3.11 does
/// not have it, and it refuses a metaclass that is written in Python.
pub fn adopt(classes: &[Object]) -> Result<()> {
    let py = attached();
    let base = making::import(py, c"abc")?.look_up("ABCMeta")?;
    let initialise = making::import(py, c"_abc")?.look_up("_abc_init")?;
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
        .build(Some(&base.into()))?;
    for class in classes {
        // SAFETY: the metaclass has the layout of `type`, as `ABCMeta` has, which adds methods
        // only; the class takes over the reference.
        unsafe { (*class.as_ptr()).ob_type = metaclass.clone().into_ptr().cast() };
        // `ABCMeta.__new__` does the same.
        initialise.invoke((class,))?;
    }
    Ok(())
}

fn instance_check(class: &Object, instance: &Object) -> Result<Object> {
    // SAFETY: `instance` is a valid object.
    let instance_class = unsafe { ffi::Py_TYPE(instance.as_ptr()) };
    if is_subtype(instance_class, widened(class)) {
        return Ok(Object::boolean(true));
    }
    default_check("__instancecheck__", class, instance)
}

fn subclass_check(class: &Object, other: &Object) -> Result<Object> {
    // SAFETY: `other` is a valid object.
    let is_class = unsafe { ffi::PyType_Check(other.as_ptr()) != 0 };
    if is_class && is_subtype(other.as_ptr().cast(), widened(class)) {
        return Ok(Object::boolean(true));
    }
    default_check("__subclasscheck__", class, other)
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

/// `ABCMeta`'s own answer, which also honours `__class__`, `__bases__` and classes that were
/// registered.
fn default_check(method: &str, class: &Object, argument: &Object) -> Result<Object> {
    let py = attached();
    let base = making::import(py, c"abc")?.look_up(c"ABCMeta")?;
    let answer = base.invoke_method(method, (class, argument))?;
    Ok(answer.into())
}
