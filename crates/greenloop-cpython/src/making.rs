//! New Python objects, and calls with Rust values, that raise `MemoryError` where PyO3's own panic.
//!
//! `PyString::new`, `PyDict::new` and their like, `intern!`, every `&str` that PyO3 turns into an
//! attribute's name or an argument, and every `PyTypeError::new_err` panic if the interpreter has
//! no memory left. So their substitutes are here: the crate's `clippy.toml` forbids those
//! constructors, and `tests/surface/test_memory_rules.py` forbids the ones that clippy cannot see.

use std::ffi::CStr;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::error::{Raised, Result, matches, raise_object, raise_value};
use super::exceptions::{AsExceptionClass, ExceptionClass};
use super::object::Object;
use super::thread_exit::vectorcall;

/// A value of which an object can be made, or that is one already.
pub trait IntoObject {
    /// The object.
    fn into_object(self) -> Result<Object>;
}

impl IntoObject for Object {
    fn into_object(self) -> Result<Object> {
        Ok(self)
    }
}

impl IntoObject for &Object {
    fn into_object(self) -> Result<Object> {
        Ok(self.clone())
    }
}

impl<T> IntoObject for Bound<'_, T> {
    fn into_object(self) -> Result<Object> {
        Ok(self.into_any().into())
    }
}

impl<T> IntoObject for &Bound<'_, T> {
    fn into_object(self) -> Result<Object> {
        Ok(self.clone().into_any().into())
    }
}

impl IntoObject for &str {
    fn into_object(self) -> Result<Object> {
        text(self)
    }
}

impl IntoObject for &CStr {
    fn into_object(self) -> Result<Object> {
        interned(self)
    }
}

impl IntoObject for &String {
    fn into_object(self) -> Result<Object> {
        text(self)
    }
}

impl IntoObject for String {
    fn into_object(self) -> Result<Object> {
        text(&self)
    }
}

impl IntoObject for bool {
    fn into_object(self) -> Result<Object> {
        Ok(Object::boolean(self))
    }
}

impl IntoObject for f64 {
    fn into_object(self) -> Result<Object> {
        Object::float(self)
    }
}

macro_rules! integers {
    ($($kind:ty: $function:ident,)*) => {$(
        impl IntoObject for $kind {
            fn into_object(self) -> Result<Object> {
                // SAFETY: returns a new reference or NULL with an exception set.
                unsafe { Object::from_returned(ffi::$function(self.into())) }
            }
        }
    )*};
}

integers! {
    i32: PyLong_FromLongLong,
    u32: PyLong_FromLongLong,
    i64: PyLong_FromLongLong,
    u64: PyLong_FromUnsignedLongLong,
}

impl IntoObject for isize {
    fn into_object(self) -> Result<Object> {
        // SAFETY: returns a new reference or NULL with an exception set.
        unsafe { Object::from_returned(ffi::PyLong_FromSsize_t(self)) }
    }
}

impl IntoObject for usize {
    fn into_object(self) -> Result<Object> {
        // SAFETY: returns a new reference or NULL with an exception set.
        unsafe { Object::from_returned(ffi::PyLong_FromSize_t(self)) }
    }
}

/// The positional arguments of a call: a tuple of values that objects can be made of.
pub trait IntoArguments {
    /// The arguments as objects.
    fn into_arguments(self) -> Result<Vec<Object>>;
}

impl IntoArguments for Vec<Object> {
    fn into_arguments(self) -> Result<Vec<Object>> {
        Ok(self)
    }
}

macro_rules! arguments {
    ($(($($place:ident),*),)*) => {$(
        impl<$($place: IntoObject),*> IntoArguments for ($($place,)*) {
            #[allow(non_snake_case, reason = "a place is named as its type")]
            fn into_arguments(self) -> Result<Vec<Object>> {
                let ($($place,)*) = self;
                Ok(vec![$($place.into_object()?),*])
            }
        }
    )*};
}

arguments! {
    (),
    (A),
    (A, B),
    (A, B, C),
    (A, B, C, D),
}

/// A new `str`.
pub fn text(text: &str) -> Result<Object> {
    // SAFETY: the text is valid for the call, which returns a new reference or NULL with an
    // exception set.
    unsafe {
        Object::from_returned(ffi::PyUnicode_FromStringAndSize(
            text.as_ptr().cast(),
            text.len() as ffi::Py_ssize_t,
        ))
    }
}

/// The `str` of which there is one with this text.
pub fn interned(name: &CStr) -> Result<Object> {
    // SAFETY: as in `text`.
    unsafe { Object::from_returned(ffi::PyUnicode_InternFromString(name.as_ptr())) }
}

/// As [`interned`], for a text that does not end with a NUL.
pub fn interned_text(name: &str) -> Result<Object> {
    let mut text = text(name)?.into_ptr();
    // SAFETY: the reference is replaced by one to the string that is kept, which may be the same.
    unsafe {
        ffi::PyUnicode_InternInPlace(&raw mut text);
        Ok(Object::from_owned(text))
    }
}

/// A new `bytes`.
pub fn bytes(data: &[u8]) -> Result<Object> {
    // SAFETY: as in `text`.
    unsafe {
        Object::from_returned(ffi::PyBytes_FromStringAndSize(
            data.as_ptr().cast(),
            data.len() as ffi::Py_ssize_t,
        ))
    }
}

/// A new `bytearray`.
pub fn bytearray(data: &[u8]) -> Result<Object> {
    // SAFETY: as in `text`.
    unsafe {
        Object::from_returned(ffi::PyByteArray_FromStringAndSize(
            data.as_ptr().cast(),
            data.len() as ffi::Py_ssize_t,
        ))
    }
}

/// A new `tuple`.
pub fn tuple(items: Vec<Object>) -> Result<Object> {
    // SAFETY: the tuple is new, so that its places may be filled, each with a reference of its own.
    unsafe {
        let tuple = Object::from_returned(ffi::PyTuple_New(items.len() as ffi::Py_ssize_t))?;
        for (index, item) in (0..).zip(items) {
            ffi::PyTuple_SET_ITEM(tuple.as_ptr(), index, item.into_ptr());
        }
        Ok(tuple)
    }
}

/// A new `list`.
pub fn list(items: Vec<Object>) -> Result<Object> {
    // SAFETY: as in `tuple`.
    unsafe {
        let list = Object::from_returned(ffi::PyList_New(items.len() as ffi::Py_ssize_t))?;
        for (index, item) in (0..).zip(items) {
            ffi::PyList_SET_ITEM(list.as_ptr(), index, item.into_ptr());
        }
        Ok(list)
    }
}

/// A new `tuple` of two.
pub fn pair(first: &Object, second: &Object) -> Result<Object> {
    // SAFETY: both are valid objects; the result is a new reference, or NULL.
    unsafe { Object::from_returned(ffi::PyTuple_Pack(2, first.as_ptr(), second.as_ptr())) }
}

/// A new, empty `set`.
pub fn set() -> Result<Object> {
    // SAFETY: the result is a new reference, or NULL.
    unsafe { Object::from_returned(ffi::PySet_New(ptr::null_mut())) }
}

/// `set(iterable)`
pub fn set_of(iterable: &Object) -> Result<Object> {
    // SAFETY: the object is valid; the result is a new reference, or NULL.
    unsafe { Object::from_returned(ffi::PySet_New(iterable.as_ptr())) }
}

/// `list(iterable)`
pub fn list_of(iterable: &Object) -> Result<Object> {
    // SAFETY: as above.
    unsafe { Object::from_returned(ffi::PySequence_List(iterable.as_ptr())) }
}

/// `weakref.ref(object)`
pub fn weak_reference(object: &Object) -> Result<Object> {
    // SAFETY: as above; there is no callback.
    unsafe { Object::from_returned(ffi::PyWeakref_NewRef(object.as_ptr(), ptr::null_mut())) }
}

/// A new, empty `dict`.
pub fn dict(py: Python<'_>) -> Result<Bound<'_, PyDict>> {
    // SAFETY: returns a new dictionary or NULL with an exception set.
    unsafe {
        let dict = Object::from_returned(ffi::PyDict_New())?;
        Ok(dict.bound(py).cast_into_unchecked())
    }
}

/// `str(object)`, in which invalid Unicode is replaced.
pub fn shown(object: &Object) -> Result<String> {
    // SAFETY: returns a new string or NULL with an exception set.
    let text = unsafe { Object::from_returned(ffi::PyObject_Str(object.as_ptr()))? };
    characters(&text)
}

/// `repr(object)`, in which invalid Unicode is replaced.
pub fn represented(object: &Object) -> Result<String> {
    // SAFETY: as in `shown`.
    let text = unsafe { Object::from_returned(ffi::PyObject_Repr(object.as_ptr()))? };
    characters(&text)
}

/// The name of the object's class.
pub fn class_name(object: &Object) -> Result<String> {
    // SAFETY: a class is valid as long as its instance; returns a new string or NULL with an
    // exception set.
    let name = unsafe { Object::from_returned(ffi::PyType_GetName(object.class()))? };
    characters(&name)
}

/// The content of `text`, a `str`.
fn characters(text: &Object) -> Result<String> {
    let mut size = 0;
    // SAFETY: `text` is a string, which keeps its UTF-8 form alive; an error is asked for only if
    // one is set, and the encoder returns a new `bytes` or NULL with an exception set.
    unsafe {
        let utf8 = ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size);
        if !utf8.is_null() {
            let utf8 = std::slice::from_raw_parts(utf8.cast::<u8>(), size as usize);
            return Ok(String::from_utf8_lossy(utf8).into_owned());
        }
        if !matches(ExceptionClass::UnicodeEncodeError) {
            return Err(Raised);
        }
        ffi::PyErr_Clear();
        let encoded = Object::from_returned(ffi::PyUnicode_AsEncodedString(
            text.as_ptr(),
            c"utf-8".as_ptr(),
            c"surrogatepass".as_ptr(),
        ))?;
        let data = ffi::PyBytes_AsString(encoded.as_ptr()).cast::<u8>();
        let data = std::slice::from_raw_parts(data, ffi::PyBytes_Size(encoded.as_ptr()) as usize);
        Ok(String::from_utf8_lossy(data).into_owned())
    }
}

/// The module `name`, imported.
pub fn import<'py>(py: Python<'py>, name: &CStr) -> Result<Bound<'py, PyAny>> {
    // SAFETY: the name ends with a NUL; returns a new reference or NULL with an exception set.
    unsafe {
        let module = Object::from_returned(ffi::PyImport_ImportModule(name.as_ptr()))?;
        Ok(module.bound(py))
    }
}

/// The module of that name, if it has been imported and the interpreter has not forgotten it yet.
pub fn imported<'py>(py: Python<'py>, name: &CStr) -> Result<Option<Bound<'py, PyAny>>> {
    let name = interned(name)?;
    // SAFETY: the dictionary is borrowed, and null when the interpreter has ended; what it holds
    // under the name is borrowed as well, or null.
    unsafe {
        let modules = ffi::PyImport_GetModuleDict();
        if modules.is_null() {
            return Ok(None);
        }
        let module = ffi::PyDict_GetItemWithError(modules, name.as_ptr());
        if module.is_null() {
            return if ffi::PyErr_Occurred().is_null() {
                Ok(None)
            } else {
                Err(Raised)
            };
        }
        Ok(Some(Object::from_borrowed(module).bound(py)))
    }
}

/// Sets an exception of `class`, a class of the interpreter's, with a text.
pub fn raise_text(class: impl AsExceptionClass, message: &str) -> Raised {
    match text(message) {
        Ok(message) => raise_value(class, &message),
        Err(raised) => raised,
    }
}

/// Sets a `RuntimeError`.
pub fn runtime_error(message: &str) -> Raised {
    raise_text(ExceptionClass::RuntimeError, message)
}

/// Sets a `ValueError`.
pub fn value_error(message: &str) -> Raised {
    raise_text(ExceptionClass::ValueError, message)
}

/// Sets an exception of `class`, which is made of `arguments`.
pub fn raise_with(class: impl AsExceptionClass, arguments: impl IntoArguments) -> Result<Raised> {
    // SAFETY: it is a valid object.
    let class = unsafe { Object::from_borrowed(class.class_pointer()) };
    let arguments = arguments.into_arguments()?;
    let arguments: Vec<_> = arguments.iter().collect();
    Ok(raise_object(&class.call_with(&arguments)?))
}

/// Sets an `ImportError`.
pub fn import_error(message: &str) -> Raised {
    raise_text(ExceptionClass::ImportError, message)
}

/// Looking up, calling and setting by names that are no objects yet, for cold code.
pub trait ByName<'py> {
    /// `self.name`
    fn look_up(&self, name: impl IntoObject) -> Result<Bound<'py, PyAny>>;

    /// `getattr(self, name, missing)`: `None` where the attribute does not exist.
    fn look_up_optional(&self, name: impl IntoObject) -> Result<Option<Bound<'py, PyAny>>>;

    /// `self.name = value`
    fn put(&self, name: impl IntoObject, value: impl IntoObject) -> Result<()>;

    /// `del self.name`
    fn remove(&self, name: impl IntoObject) -> Result<()>;

    /// `item in self`
    fn has(&self, item: impl IntoObject) -> Result<bool>;

    /// `self(*arguments)`
    fn invoke(&self, arguments: impl IntoArguments) -> Result<Bound<'py, PyAny>>;

    /// `self(*arguments, **keywords)`
    fn invoke_with(
        &self,
        arguments: impl IntoArguments,
        keywords: &Bound<'py, PyDict>,
    ) -> Result<Bound<'py, PyAny>>;

    /// `self.name(*arguments)`
    fn invoke_method(
        &self,
        name: impl IntoObject,
        arguments: impl IntoArguments,
    ) -> Result<Bound<'py, PyAny>> {
        self.look_up(name)?.invoke(arguments)
    }
}

impl<'py, T> ByName<'py> for Bound<'py, T> {
    fn look_up(&self, name: impl IntoObject) -> Result<Bound<'py, PyAny>> {
        let this = Object::from(self.clone().into_any());
        Ok(this.attribute(&name.into_object()?)?.bound(self.py()))
    }

    fn look_up_optional(&self, name: impl IntoObject) -> Result<Option<Bound<'py, PyAny>>> {
        let this = Object::from(self.clone().into_any());
        let found = this.optional_attribute(&name.into_object()?)?;
        Ok(found.map(|found| found.bound(self.py())))
    }

    fn put(&self, name: impl IntoObject, value: impl IntoObject) -> Result<()> {
        let this = Object::from(self.clone().into_any());
        this.set_attribute(&name.into_object()?, &value.into_object()?)
    }

    fn remove(&self, name: impl IntoObject) -> Result<()> {
        let name = name.into_object()?;
        // SAFETY: both are valid objects; a null value deletes.
        let code = unsafe { ffi::PyObject_SetAttr(self.as_ptr(), name.as_ptr(), ptr::null_mut()) };
        if code < 0 { Err(Raised) } else { Ok(()) }
    }

    fn has(&self, item: impl IntoObject) -> Result<bool> {
        let item = item.into_object()?;
        // SAFETY: both are valid objects.
        match unsafe { ffi::PySequence_Contains(self.as_ptr(), item.as_ptr()) } {
            -1 => Err(Raised),
            answer => Ok(answer != 0),
        }
    }

    fn invoke(&self, arguments: impl IntoArguments) -> Result<Bound<'py, PyAny>> {
        let arguments = arguments.into_arguments()?;
        let arguments: Vec<_> = arguments.iter().map(Object::as_ptr).collect();
        // SAFETY: the caller passes a callable or what refuses to be called, and the arguments live
        // through the call.
        let result = unsafe {
            let count = arguments.len();
            let values = arguments.as_ptr();
            Object::from_returned(vectorcall(self.as_ptr(), values, count, ptr::null_mut()))?
        };
        Ok(result.bound(self.py()))
    }

    fn invoke_with(
        &self,
        arguments: impl IntoArguments,
        keywords: &Bound<'py, PyDict>,
    ) -> Result<Bound<'py, PyAny>> {
        let arguments = tuple(arguments.into_arguments()?)?;
        // SAFETY: as above, with a tuple and a dictionary.
        let result = unsafe {
            Object::from_returned(ffi::PyObject_Call(
                self.as_ptr(),
                arguments.as_ptr(),
                keywords.as_ptr(),
            ))?
        };
        Ok(result.bound(self.py()))
    }
}

/// Entering Rust values into a dictionary.
pub trait Enter {
    /// `self[key] = value`
    fn enter(&self, key: impl IntoObject, value: impl IntoObject) -> Result<()>;
}

impl Enter for Bound<'_, PyDict> {
    fn enter(&self, key: impl IntoObject, value: impl IntoObject) -> Result<()> {
        let (key, value) = (key.into_object()?, value.into_object()?);
        // SAFETY: a dictionary and two valid objects.
        let code = unsafe { ffi::PyDict_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) };
        if code < 0 { Err(Raised) } else { Ok(()) }
    }
}
