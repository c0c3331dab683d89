//! Methods, attributes and slots that C can call, made of plain Rust functions.
//!
//! The functions have the forms `fn(&Object, …) -> Result<Object>`; [`trap`](super::trap) is
//! between them and C.

use std::ffi::{CStr, c_int, c_void};

use pyo3::ffi;

/// A getter as C calls it.
pub type Getter = unsafe extern "C" fn(*mut ffi::PyObject, *mut c_void) -> *mut ffi::PyObject;
/// A setter as C calls it; the value is null when the attribute is deleted.
pub type Setter =
    unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject, *mut c_void) -> c_int;

/// A method without arguments.
pub const fn method_noargs(
    name: &'static CStr,
    call: ffi::PyCFunction,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: call },
        ml_flags: ffi::METH_NOARGS,
        ml_doc: doc.as_ptr(),
    }
}

/// A method with exactly one argument, given by place.
pub const fn method_o(
    name: &'static CStr,
    call: ffi::PyCFunction,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_flags: ffi::METH_O,
        ..method_noargs(name, call, doc)
    }
}

/// A method with any arguments, called without a tuple being made of them.
pub const fn method_fast(
    name: &'static CStr,
    call: ffi::PyCFunctionFastWithKeywords,
    doc: &'static CStr,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: call,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: doc.as_ptr(),
    }
}

/// `noargs!("name", function, "doc")`: a method from `fn(&Object) -> Result<Object>`.
///
/// With `leaf` in front it is for a function that runs no code but ours, as
/// [`trap_leaf`](crate::trap_leaf) says.
#[macro_export]
macro_rules! noargs {
    ($name:literal, $function:path, $doc:literal) => {
        $crate::noargs!(@ trap, $name, $function, $doc)
    };
    (leaf $name:literal, $function:path, $doc:literal) => {
        $crate::noargs!(@ trap_leaf, $name, $function, $doc)
    };
    (@ $trap:ident, $name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(
            this: *mut pyo3::ffi::PyObject,
            _: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter passes a valid object, borrowed for the call.
            let this = unsafe { &*(&raw const this).cast::<$crate::Object>() };
            $crate::$trap(|| $function(this))
        }
        $crate::method_noargs($name, call, $doc)
    }};
}

/// `one!("name", function, "doc")`: a method from `fn(&Object, &Object) -> Result<Object>`.
#[macro_export]
macro_rules! one {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(
            this: *mut pyo3::ffi::PyObject,
            argument: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter passes valid objects, borrowed for the call.
            let (this, argument) = unsafe {
                (
                    &*(&raw const this).cast::<$crate::Object>(),
                    &*(&raw const argument).cast::<$crate::Object>(),
                )
            };
            $crate::trap(|| $function(this, argument))
        }
        $crate::method_o($name, call, $doc)
    }};
}

/// `named!("name", function, parameter, "doc")`: a method from
/// `fn(&Object, &Object) -> Result<Object>` whose one argument can be given by the name that the
/// third is.
#[macro_export]
macro_rules! named {
    ($name:literal, $function:path, $parameter:expr, $doc:literal) => {{
        fn method(
            this: &$crate::Object,
            arguments: $crate::Arguments<'_>,
        ) -> $crate::Result<$crate::Object> {
            if let Some(argument) = arguments.only() {
                return $function(this, argument);
            }
            let names = [&$parameter];
            let [argument] = arguments.bind($name, names, 1, 1)?;
            $function(this, argument.unwrap_or(&$crate::Object::none()))
        }
        $crate::fast!($name, method, $doc)
    }};
}

/// `fast!("name", function, "doc")`: a method from `fn(&Object, Arguments) -> Result<Object>`.
///
/// With `leaf` in front it is for a function that runs no code but ours, as
/// [`trap_leaf`](crate::trap_leaf) says.
#[macro_export]
macro_rules! fast {
    ($name:literal, $function:path, $doc:expr) => {
        $crate::fast!(@ trap, $name, $function, $doc)
    };
    (leaf $name:literal, $function:path, $doc:expr) => {
        $crate::fast!(@ trap_leaf, $name, $function, $doc)
    };
    (@ $trap:ident, $name:literal, $function:path, $doc:expr) => {{
        unsafe extern "C" fn call(
            this: *mut pyo3::ffi::PyObject,
            values: *const *mut pyo3::ffi::PyObject,
            positional: pyo3::ffi::Py_ssize_t,
            names: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter passes a valid object and the three words of its convention.
            let (this, arguments) = unsafe {
                (
                    &*(&raw const this).cast::<$crate::Object>(),
                    $crate::Arguments::new(values, positional, names),
                )
            };
            $crate::$trap(|| $function(this, arguments))
        }
        $crate::method_fast($name, call, $doc)
    }};
}

/// `attribute!("name", getter)` or `attribute!("name", getter, setter)`, from functions
/// `fn(&Object) -> Result<Object>` and `fn(&Object, Option<&Object>) -> Result<()>`, where `None`
/// means that the attribute is deleted.
#[macro_export]
macro_rules! attribute {
    ($name:literal, $getter:path) => {
        (
            $name,
            $crate::attribute!(@get $getter) as $crate::Getter,
            None::<$crate::Setter>,
        )
    };
    ($name:literal, $getter:path, $setter:path) => {{
        unsafe extern "C" fn set(
            this: *mut pyo3::ffi::PyObject,
            value: *mut pyo3::ffi::PyObject,
            _: *mut std::ffi::c_void,
        ) -> std::ffi::c_int {
            // SAFETY: the interpreter passes a valid object, and a valid value or null: an
            // `Option<&Object>` cannot be read off a nullable pointer, so it is tested first.
            let (this, value) = unsafe {
                (
                    &*(&raw const this).cast::<$crate::Object>(),
                    (!value.is_null())
                        .then(|| &*(&raw const value).cast::<$crate::Object>()),
                )
            };
            $crate::trap_int(|| $setter(this, value))
        }
        (
            $name,
            $crate::attribute!(@get $getter) as $crate::Getter,
            Some(set as $crate::Setter),
        )
    }};
    (@get $getter:path) => {{
        unsafe extern "C" fn get(
            this: *mut pyo3::ffi::PyObject,
            _: *mut std::ffi::c_void,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter passes a valid object, borrowed for the call.
            let this = unsafe { &*(&raw const this).cast::<$crate::Object>() };
            $crate::trap(|| $getter(this))
        }
        get
    }};
}

/// An `__init__` as C calls it.
pub type Initialiser =
    unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject, *mut ffi::PyObject) -> c_int;

/// A slot that takes nothing but the instance, as C calls it.
pub type Unary = unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject;

/// `init!(function)`: an `__init__` from `fn(&Object, Arguments) -> Result<()>`.
#[macro_export]
macro_rules! init {
    ($function:path) => {{
        unsafe extern "C" fn call(
            this: *mut pyo3::ffi::PyObject,
            args: *mut pyo3::ffi::PyObject,
            kwargs: *mut pyo3::ffi::PyObject,
        ) -> std::ffi::c_int {
            // SAFETY: the interpreter passes a valid object, a tuple, and a dict or null.
            unsafe { $crate::initialise_with(this, args, kwargs, $function) }
        }
        call as $crate::Initialiser
    }};
}

/// `unary!(function)`: a slot such as `__repr__` from `fn(&Object) -> Result<Object>`.
#[macro_export]
macro_rules! unary {
    ($function:path) => {{
        unsafe extern "C" fn call(this: *mut pyo3::ffi::PyObject) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter passes a valid object, borrowed for the call.
            let this = unsafe { &*(&raw const this).cast::<$crate::Object>() };
            $crate::trap(|| $function(this))
        }
        call as $crate::Unary
    }};
}
