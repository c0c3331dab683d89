//! The slots of a class that stand for special methods, made of plain Rust functions.
//!
//! As with [methods](super::method), what C calls is made by the edge for each of ours.
//!
//! Each `…_by` fills one slot of the type with a C function that is made for the Rust function it
//! is given. A function that captures variables is refused at compile time. An error sets the
//! exception and gives C the slot's own sign of failure: NULL, or -1. The interpreter makes the
//! wrapper, such as `__repr__`, in the class's dictionary by itself.

use std::ffi::{c_int, c_void};

use pyo3::ffi;

use super::call::{Arguments, initialise_with};
use super::class::ClassBuilder;
use super::error::{Raised, Result};
use super::method::{Anything, receiver, the};
use super::native::{Layout, Native};
use super::object::Object;
use super::operators::Comparison;
use super::trap::trap;

impl<T: Layout> ClassBuilder<T> {
    /// `__init__`.
    ///
    /// Called by `type.__call__`, and by a subclass or a program at any time, more than once as
    /// well.
    pub fn init_by<F>(self, _function: F) -> Self
    where
        F: Fn(&Native<T>, Arguments<'_>) -> Result<()> + Copy + 'static,
    {
        unsafe extern "C" fn call<T, F>(
            this: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            kwargs: *mut ffi::PyObject,
        ) -> c_int
        where
            T: Layout,
            F: Fn(&Native<T>, Arguments<'_>) -> Result<()> + Copy + 'static,
        {
            // SAFETY: the interpreter passes an instance, a tuple, and a dict or null; `init_by`
            // was given the function.
            unsafe {
                initialise_with(this, args, kwargs, |this, arguments| {
                    the::<F>()(Native::from_ref(this), arguments)
                })
            }
        }
        self.slot(ffi::Py_tp_init, call::<T, F> as *mut c_void)
    }

    /// `__call__`.
    pub fn call_by<F>(self, _function: F) -> Self
    where
        F: Fn(&Native<T>, Arguments<'_>) -> Result<Object> + Copy + 'static,
    {
        unsafe extern "C" fn call<T, F>(
            this: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            kwargs: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject
        where
            T: Layout,
            F: Fn(&Native<T>, Arguments<'_>) -> Result<Object> + Copy + 'static,
        {
            let mut result = None;
            // SAFETY: the interpreter passes an instance, a tuple, and a dict or null; `call_by`
            // was given the function.
            let answer = unsafe {
                initialise_with(this, args, kwargs, |this, arguments| {
                    result = Some(the::<F>()(Native::from_ref(this), arguments)?);
                    Ok(())
                })
            };
            match (answer, result) {
                (0, Some(object)) => object.into_ptr(),
                _ => std::ptr::null_mut(),
            }
        }
        self.slot(ffi::Py_tp_call, call::<T, F> as *mut c_void)
    }

    /// `__repr__`.
    pub fn repr_by<F>(self, function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    {
        self.unary(ffi::Py_tp_repr, function)
    }

    /// `__str__`.
    pub fn str_by<F>(self, function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    {
        self.unary(ffi::Py_tp_str, function)
    }

    /// `__iter__`.
    pub fn iter_by<F>(self, function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    {
        self.unary(ffi::Py_tp_iter, function)
    }

    /// `__await__`.
    ///
    /// The function returns the iterator that `await` drives (PEP 492).
    pub fn await_by<F>(self, function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    {
        self.unary(ffi::Py_am_await, function)
    }

    /// `__aiter__`.
    pub fn aiter_by<F>(self, function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    {
        self.unary(ffi::Py_am_aiter, function)
    }

    /// `__anext__`.
    pub fn anext_by<F>(self, function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    {
        self.unary(ffi::Py_am_anext, function)
    }

    /// `__next__`. The end of the iteration is `None`.
    pub fn next_by<F>(self, _function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<Option<Object>> + Copy + 'static,
    {
        unsafe extern "C" fn next<T, F>(this: *mut ffi::PyObject) -> *mut ffi::PyObject
        where
            T: Layout,
            F: Fn(&Native<T>) -> Result<Option<Object>> + Copy,
        {
            // NULL without an exception is the end.
            // SAFETY: the slot is called on an instance, and `next_by` was given the function.
            unsafe { trap(|| the::<F>()(receiver(&this))?.ok_or(Raised)) }
        }
        self.slot(ffi::Py_tp_iternext, next::<T, F> as *mut c_void)
    }

    /// `__len__`.
    pub fn len_by<F>(self, _function: F) -> Self
    where
        F: Fn(&Native<T>) -> usize + Copy + 'static,
    {
        unsafe extern "C" fn len<T, F>(this: *mut ffi::PyObject) -> ffi::Py_ssize_t
        where
            T: Layout,
            F: Fn(&Native<T>) -> usize + Copy,
        {
            // SAFETY: the slot is called on an instance, and `len_by` was given the function.
            unsafe { the::<F>()(receiver(&this)) as ffi::Py_ssize_t }
        }
        self.slot(ffi::Py_sq_length, len::<T, F> as *mut c_void)
    }

    /// `__getitem__` of a sequence: an index below zero is counted from the end already.
    pub fn item_by<F>(self, _function: F) -> Self
    where
        F: Fn(&Native<T>, isize) -> Result<Object> + Copy + 'static,
    {
        unsafe extern "C" fn item<T, F>(
            this: *mut ffi::PyObject,
            index: ffi::Py_ssize_t,
        ) -> *mut ffi::PyObject
        where
            T: Layout,
            F: Fn(&Native<T>, isize) -> Result<Object> + Copy,
        {
            // SAFETY: the slot is called on an instance, and `item_by` was given the function.
            unsafe { trap(|| the::<F>()(receiver(&this), index)) }
        }
        self.slot(ffi::Py_sq_item, item::<T, F> as *mut c_void)
    }

    /// `__hash__`.
    ///
    /// A hash of -1 means a failure to C, so the function returns no such value, as those of Python
    /// objects do not.
    pub fn hash_by<F>(self, _function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<isize> + Copy + 'static,
    {
        unsafe extern "C" fn hash<T, F>(this: *mut ffi::PyObject) -> ffi::Py_hash_t
        where
            T: Layout,
            F: Fn(&Native<T>) -> Result<isize> + Copy,
        {
            let mut hash = -1;
            // SAFETY: the slot is called on an instance, and `hash_by` was given the function.
            let _ = unsafe {
                super::trap::trap_int(|| {
                    hash = the::<F>()(receiver(&this))?;
                    Ok(())
                })
            };
            hash
        }
        self.slot(ffi::Py_tp_hash, hash::<T, F> as *mut c_void)
    }

    /// `__eq__`, `__lt__` and so on. `None` is `NotImplemented`.
    ///
    /// It is called with the operands in either order, mirrored by the interpreter, and `right` is
    /// any object.
    pub fn compare_by<F>(self, _function: F) -> Self
    where
        F: Fn(&Native<T>, Comparison, &Object) -> Result<Option<bool>> + Copy + 'static,
    {
        unsafe extern "C" fn compare<T, F>(
            left: *mut ffi::PyObject,
            right: *mut ffi::PyObject,
            operation: c_int,
        ) -> *mut ffi::PyObject
        where
            T: Layout,
            F: Fn(&Native<T>, Comparison, &Object) -> Result<Option<bool>> + Copy,
        {
            // SAFETY: the slot is called on an instance and a valid object, and `compare_by` was
            // given the function.
            unsafe {
                trap(|| {
                    let right = receiver::<Anything>(&right);
                    let comparison = Comparison::from_operation(operation);
                    let answer = the::<F>()(receiver(&left), comparison, right)?;
                    Ok(match answer {
                        Some(answer) => Object::boolean(answer),
                        None => Object::from_borrowed(ffi::Py_NotImplemented()),
                    })
                })
            }
        }
        self.slot(ffi::Py_tp_richcompare, compare::<T, F> as *mut c_void)
    }

    /// `__getattribute__`. The name is a `str`.
    ///
    /// It replaces the whole look-up, that of methods and of `__class__` included.
    pub fn getattribute_by<F>(self, _function: F) -> Self
    where
        F: Fn(&Native<T>, &Object) -> Result<Object> + Copy + 'static,
    {
        unsafe extern "C" fn look_up<T, F>(
            this: *mut ffi::PyObject,
            name: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject
        where
            T: Layout,
            F: Fn(&Native<T>, &Object) -> Result<Object> + Copy,
        {
            // SAFETY: the slot is called on an instance and a name, and `getattribute_by` was given
            // the function.
            unsafe { trap(|| the::<F>()(receiver(&this), receiver::<Anything>(&name))) }
        }
        self.slot(ffi::Py_tp_getattro, look_up::<T, F> as *mut c_void)
    }

    /// A slot that takes nothing but the instance.
    fn unary<F>(self, slot: c_int, _function: F) -> Self
    where
        F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    {
        unsafe extern "C" fn call<T, F>(this: *mut ffi::PyObject) -> *mut ffi::PyObject
        where
            T: Layout,
            F: Fn(&Native<T>) -> Result<Object> + Copy,
        {
            // SAFETY: the slot is called on an instance, and `unary` was given the function.
            unsafe { trap(|| the::<F>()(receiver(&this))) }
        }
        self.slot(slot, call::<T, F> as *mut c_void)
    }
}
