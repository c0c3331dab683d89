//! The metaclass of `Future`, which makes `isinstance(task, Future)` true.
//!
//! Our `Task` derives from `_asyncio.Task`, whose layout rules out that it derives from our
//! `Future` as well; and code under a stdlib loop still makes asyncio's own futures. Both are
//! futures to a program that asks `isinstance(x, asyncio.Future)` after `install()`. So the class
//! `Future`, itself only and not its subclasses, answers for everything of `_asyncio.Future`. The
//! metaclass derives from `ABCMeta`, so that a subclass of ours can be an abstract class as well.
//! The price: such a subclass cannot have yet another metaclass.

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Anything, ClassBuilder, Object, Result, attached, one, set_metaclass};

use super::CLASS;
use crate::asyncio::globals;

/// Gives the metaclass to `classes`. Classes made from a spec have `type` at first.
/// `PyType_FromMetaclass` would set another one with the same layout in the same way, but 3.11 does
/// not have it, and it refuses a metaclass that is written in Python.
pub fn adopt(classes: &[Object]) -> Result<()> {
    let py = attached();
    let base = making::import(py, c"abc")?.look_up("ABCMeta")?;
    let initialise = making::import(py, c"_abc")?.look_up("_abc_init")?;
    let metaclass = ClassBuilder::<Anything>::of_methods(c"greenloop.FutureType")
        .subclassable()
        .doc(c"The class of Future.")
        .methods(vec![
            one(
                c"__instancecheck__",
                |class, instance| instance_check(class, instance),
                c"Return whether an object is a future.",
            ),
            one(
                c"__subclasscheck__",
                |class, other| subclass_check(class, other),
                c"Return whether a class is one of futures.",
            ),
        ])
        .build_of_methods(&base.into())?;
    for class in classes {
        // SAFETY: it has the layout of `type`, as `ABCMeta` has, which adds methods only; the class
        // was just made.
        unsafe { set_metaclass(class, &metaclass) };
        // `ABCMeta.__new__` does the same.
        initialise.invoke((class,))?;
    }
    Ok(())
}

/// The class of the object decides first, which costs one comparison along its bases and runs no
/// code.
fn instance_check(class: &Object, instance: &Object) -> Result<Object> {
    if instance.class_object().is_subtype(&widened(class)) {
        return Ok(Object::boolean(true));
    }
    default_check("__instancecheck__", class, instance)
}

/// As [`instance_check`], for `issubclass(other, Future)`.
fn subclass_check(class: &Object, other: &Object) -> Result<Object> {
    if other.is_subtype(&widened(class)) {
        return Ok(Object::boolean(true));
    }
    default_check("__subclasscheck__", class, other)
}

/// For `Future` itself its base class, for a subclass that class.
fn widened(class: &Object) -> Object {
    if class.is(CLASS.as_ptr().cast()) {
        globals().asyncio.future.clone()
    } else {
        class.clone()
    }
}

/// `ABCMeta`'s own answer, which also honours `__class__`, `__bases__` and classes that were
/// registered.
fn default_check(method: &str, class: &Object, argument: &Object) -> Result<Object> {
    let py = attached();
    let base = making::import(py, c"abc")?.look_up(c"ABCMeta")?;
    let answer = base.invoke_method(method, (class, argument))?;
    Ok(answer.into())
}
