//! `StopIteration`, by which an iterator returns a value.
//!
//! On CPython 3.12, 3.13 and 3.14 `await` of an object that is no generator calls `tp_iternext`,
//! even where `am_send` exists; a value comes back as a `StopIteration`, which the interpreter
//! unpacks and drops at once. Making and dropping one costs 71 ns, recycling one 11. So where no
//! other code can see the exception, which [`await_site`](super::await_site) tells, its class is a
//! subclass whose `tp_dealloc` keeps the block for the next time. All other code gets a
//! `StopIteration` itself: `pdb` steps over an `await` by looking for exactly that class. `None`
//! needs no exception at all: NULL without one returns `None`.

use super::error::{Raised, Result, raise_object};
use super::exceptions::ExceptionClass;
use super::object::Object;

/// Ends an iterator with `value`: raises the exception that its caller unpacks. It is not inlined,
/// so that its registers do not slow down the paths that need no exception.
#[inline(never)]
#[cfg_attr(
    not(all(Py_3_12, not(Py_3_15))),
    expect(
        clippy::needless_pass_by_value,
        reason = "a recycled exception takes the value over"
    )
)]
pub fn end_with(value: Object) -> Raised {
    #[cfg(all(Py_3_12, not(Py_3_15)))]
    if let Some(unpacker) = super::await_site::Unpacker::current() {
        return recycled::raise(unpacker, value);
    }
    raise_stop_iteration(&value)
}

/// Raises a `StopIteration` that any code may see.
pub fn raise_stop_iteration(value: &Object) -> Raised {
    let make = || -> Result<Object> {
        let class = ExceptionClass::StopIteration.object();
        if value.is_none() {
            class.call([])
        } else {
            class.call([value])
        }
    };
    match make() {
        Ok(exception) => raise_object(&exception),
        Err(raised) => raised,
    }
}

#[cfg(all(Py_3_12, not(Py_3_15)))]
pub use recycled::make_class;

/// The exception that only the interpreter sees.
#[cfg(all(Py_3_12, not(Py_3_15)))]
mod recycled {
    use pyo3::ffi;

    use crate::await_site::Unpacker;
    use crate::class::ClassBuilder;
    use crate::class_cell::ClassCell;
    use crate::error::{Raised, Result, fetch};
    use crate::exceptions::ExceptionClass;
    use crate::freelist::revive;
    use crate::method::readonly;
    use crate::native::{Layout, Native};
    use crate::nesting;
    use crate::object::Object;

    type Exception = ffi::PyStopIterationObject;

    // SAFETY: the struct is the whole instance of the class, which is built for it.
    unsafe impl Layout for Exception {
        const OFFSET: usize = 0;
    }

    static CLASS: ClassCell = ClassCell::new();

    /// The one block that is kept: values are unpacked at once, so a second is hardly ever needed.
    struct Spare(std::cell::Cell<*mut Exception>);

    // SAFETY: used with the GIL held only.
    unsafe impl Sync for Spare {}

    static SPARE: Spare = Spare(std::cell::Cell::new(std::ptr::null_mut()));

    /// Raises the exception that carries `value`.
    #[inline]
    pub fn raise(unpacker: Unpacker, value: Object) -> Raised {
        // SAFETY: a spare block is a dead object of this class, whose fields are empty but for
        // `args`.
        unsafe {
            let exception = SPARE.0.replace(std::ptr::null_mut());
            if exception.is_null() {
                return raise_new(value);
            }
            revive(exception.cast());
            (*exception).value = value.into_ptr();
            unpacker.raise(exception.cast());
        }
        Raised
    }

    /// As [`raise`], the first time, or while the block is in use.
    #[cold]
    fn raise_new(value: Object) -> Raised {
        let class = CLASS.as_ptr();
        // SAFETY: the class's own allocator tracks what it gives, whose `args` are filled here.
        unsafe {
            let allocate = (*class).tp_alloc.unwrap_or(ffi::PyType_GenericAlloc);
            let exception: *mut Exception = allocate(class, 0).cast();
            if exception.is_null() {
                return Raised;
            }
            ffi::PyObject_GC_UnTrack(exception.cast());
            (*exception).args = ffi::PyTuple_New(0);
            (*exception).value = value.into_ptr();
            ffi::PyErr_SetRaisedException(exception.cast());
        }
        Raised
    }

    /// Makes the block that is kept, so that not even the first value needs memory: one that cannot
    /// be returned would be lost, with the item of a queue that it is.
    fn make_spare() {
        drop(fetch(raise_new(Object::none())));
    }

    /// Makes the class. Should native code between an `await` and its iterator look at the
    /// exception, it answers to its base's name, and `args` is what it would be there.
    pub fn make_class() -> Result<()> {
        let base = ExceptionClass::StopIteration.object();
        let class = ClassBuilder::<Exception>::new(c"builtins.StopIteration")
            .collected_as_base()
            .slot(ffi::Py_tp_dealloc, deallocate as *mut _)
            .attributes([readonly(c"args", args)])
            .build(Some(&base))?;
        CLASS.set(class);
        make_spare();
        Ok(())
    }

    fn args(this: &Native<Exception>) -> Result<Object> {
        let exception = this.as_ptr().cast::<Exception>();
        // SAFETY: `this` is an instance of this class; its value may have been cleared.
        unsafe {
            let value = (*exception).value;
            let value = if value.is_null() {
                ffi::Py_None()
            } else {
                value
            };
            Object::from_returned(ffi::PyTuple_Pack(1, value))
        }
    }

    unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
        // SAFETY: called by the interpreter on a dead instance, of which one that is as it was
        // raised and whose value lives on is kept at once.
        unsafe {
            let exception = this.cast::<Exception>();
            if SPARE.0.get().is_null() && is_untouched(exception) {
                drop(Object::from_owned((*exception).value));
                (*exception).value = std::ptr::null_mut();
                SPARE.0.set(exception);
            } else {
                deallocate_otherwise(this);
            }
        }
    }

    /// As [`deallocate`], which only jumps here: it is of C's convention as well.
    #[inline(never)]
    unsafe extern "C" fn deallocate_otherwise(this: *mut ffi::PyObject) {
        // SAFETY: passed on from the caller.
        unsafe { nesting::deallocate(this, end) }
    }

    /// Whether it has only a value, which other code has as well.
    #[inline]
    unsafe fn is_untouched(exception: *mut Exception) -> bool {
        // SAFETY: passed on from the caller.
        unsafe {
            let others = [
                (*exception).dict,
                (*exception).notes,
                (*exception).traceback,
                (*exception).context,
                (*exception).cause,
            ];
            let value = (*exception).value;
            others.iter().fold(0, |any, field| any | field.addr()) == 0
                && !value.is_null()
                && ffi::Py_REFCNT(value) > 1
        }
    }

    unsafe fn end(this: *mut ffi::PyObject) {
        // SAFETY: called by the interpreter on a dead instance, which nobody has tracked. Every
        // field is emptied before its value is dropped, and the block is kept, with its hold on the
        // class, or freed last.
        unsafe {
            let exception = this.cast::<Exception>();
            for field in [
                &raw mut (*exception).dict,
                &raw mut (*exception).notes,
                &raw mut (*exception).traceback,
                &raw mut (*exception).context,
                &raw mut (*exception).cause,
                &raw mut (*exception).value,
            ] {
                let old = field.replace(std::ptr::null_mut());
                ffi::Py_XDECREF(old);
            }
            if SPARE.0.get().is_null() {
                SPARE.0.set(exception);
            } else {
                let class = ffi::Py_TYPE(this);
                ffi::Py_XDECREF((*exception).args);
                ffi::PyObject_GC_Del(this.cast());
                ffi::Py_DECREF(class.cast());
            }
        }
    }
}
