//! Building a heap type from a C struct, slots, methods and attributes.
//!
//! The function pointers that C calls are made by the macros `noargs!`, `one!`, `fast!` and
//! `attribute!` from plain Rust functions of the form `fn(&Object, …) -> Result<Object>`; [`trap`]
//! stands between the two, so that neither an error nor a panic is ever lost at the boundary.

use std::any::Any;
use std::ffi::{CStr, CString, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyType};

use super::error::{Raised, Result};
use super::making::ByName as _;
use super::object::Object;
use super::stack::ensure_room;
use super::thread_exit::guarded;

/// Runs a function's body for C: an error leaves the exception set and gives NULL, and a panic,
/// which is a mistake of ours and nobody else's, becomes a `SystemError` instead of an abort.
/// Without room on the stack it does not run at all, and `RecursionError` is raised.
#[inline]
pub fn trap(body: impl FnOnce() -> Result<Object>) -> *mut ffi::PyObject {
    if ensure_room().is_err() {
        return ptr::null_mut();
    }
    match catch_unwind(AssertUnwindSafe(|| checked(|| guarded(body)))) {
        Ok(Ok(object)) => object.into_ptr(),
        Ok(Err(Raised)) => ptr::null_mut(),
        Err(panic) => {
            report_panic(panic.as_ref());
            ptr::null_mut()
        }
    }
}

/// As [`trap`], for a body that runs no code but ours, and so cannot come back to itself: whether
/// there is room on the stack is not asked.
#[inline]
pub fn trap_leaf(body: impl FnOnce() -> Result<Object>) -> *mut ffi::PyObject {
    match catch_unwind(AssertUnwindSafe(|| checked(body))) {
        Ok(Ok(object)) => object.into_ptr(),
        Ok(Err(Raised)) => ptr::null_mut(),
        Err(panic) => {
            report_panic(&*panic);
            ptr::null_mut()
        }
    }
}

/// As [`trap`], for slots that answer 0 or -1.
#[inline]
pub fn trap_int(body: impl FnOnce() -> Result<()>) -> c_int {
    if ensure_room().is_err() {
        return -1;
    }
    match catch_unwind(AssertUnwindSafe(|| checked(|| guarded(body)))) {
        Ok(Ok(())) => 0,
        Ok(Err(Raised)) => -1,
        Err(panic) => {
            report_panic(panic.as_ref());
            -1
        }
    }
}

/// Runs `body`. Builds with debug assertions check that what succeeds leaves no exception set: it
/// would be raised later by somebody else.
#[inline]
fn checked<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    if !cfg!(debug_assertions) {
        return body();
    }
    // SAFETY: may be asked at any time while the GIL is held.
    let pending = || unsafe { !ffi::PyErr_Occurred().is_null() };
    let before = pending();
    let outcome = body();
    assert!(
        outcome.is_err() || before || !pending(),
        "an exception is set that nobody returned"
    );
    outcome
}

fn report_panic(panic: &(dyn Any + Send)) {
    let reason = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    let text = format!("greenloop panicked, please report it: {reason}\0");
    let text = CStr::from_bytes_until_nul(text.as_bytes()).unwrap_or(c"greenloop panicked");
    // SAFETY: SystemError is always valid.
    unsafe { ffi::PyErr_SetString(ffi::PyExc_SystemError, text.as_ptr()) };
}

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
/// With `leaf` in front it is for a function that runs no code but ours, as [`trap_leaf`] says.
macro_rules! noargs {
    ($name:literal, $function:path, $doc:literal) => {
        $crate::interop::noargs!(@ trap, $name, $function, $doc)
    };
    (leaf $name:literal, $function:path, $doc:literal) => {
        $crate::interop::noargs!(@ trap_leaf, $name, $function, $doc)
    };
    (@ $trap:ident, $name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(
            this: *mut pyo3::ffi::PyObject,
            _: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter passes a valid object, borrowed for the call.
            let this = unsafe { &*(&raw const this).cast::<$crate::interop::Object>() };
            $crate::interop::$trap(|| $function(this))
        }
        $crate::interop::method_noargs($name, call, $doc)
    }};
}

/// `one!("name", function, "doc")`: a method from `fn(&Object, &Object) -> Result<Object>`.
macro_rules! one {
    ($name:literal, $function:path, $doc:literal) => {{
        unsafe extern "C" fn call(
            this: *mut pyo3::ffi::PyObject,
            argument: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter passes valid objects, borrowed for the call.
            let (this, argument) = unsafe {
                (
                    &*(&raw const this).cast::<$crate::interop::Object>(),
                    &*(&raw const argument).cast::<$crate::interop::Object>(),
                )
            };
            $crate::interop::trap(|| $function(this, argument))
        }
        $crate::interop::method_o($name, call, $doc)
    }};
}

/// `named!("name", function, parameter, "doc")`: a method from
/// `fn(&Object, &Object) -> Result<Object>` whose one argument can be given by name, which is one
/// of [`Names`](super::names::Names).
macro_rules! named {
    ($name:literal, $function:path, $parameter:ident, $doc:literal) => {{
        fn method(
            this: &$crate::interop::Object,
            arguments: $crate::interop::Arguments<'_>,
        ) -> $crate::interop::Result<$crate::interop::Object> {
            if let Some(argument) = arguments.only() {
                return $function(this, argument);
            }
            let names = [&$crate::interop::globals().names.$parameter];
            let [argument] = arguments.bind($name, names, 1, 1)?;
            $function(this, argument.unwrap_or(&$crate::interop::Object::none()))
        }
        $crate::interop::fast!($name, method, $doc)
    }};
}

/// `fast!("name", function, "doc")`: a method from `fn(&Object, Arguments) -> Result<Object>`.
///
/// With `leaf` in front it is for a function that runs no code but ours, as [`trap_leaf`] says.
macro_rules! fast {
    ($name:literal, $function:path, $doc:expr) => {
        $crate::interop::fast!(@ trap, $name, $function, $doc)
    };
    (leaf $name:literal, $function:path, $doc:expr) => {
        $crate::interop::fast!(@ trap_leaf, $name, $function, $doc)
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
                    &*(&raw const this).cast::<$crate::interop::Object>(),
                    $crate::interop::Arguments::new(values, positional, names),
                )
            };
            $crate::interop::$trap(|| $function(this, arguments))
        }
        $crate::interop::method_fast($name, call, $doc)
    }};
}

/// `attribute!("name", getter)` or `attribute!("name", getter, setter)`, from functions
/// `fn(&Object) -> Result<Object>` and `fn(&Object, Option<&Object>) -> Result<()>`, where `None`
/// means that the attribute is deleted.
macro_rules! attribute {
    ($name:literal, $getter:path) => {
        (
            $name,
            $crate::interop::attribute!(@get $getter) as $crate::interop::Getter,
            None::<$crate::interop::Setter>,
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
                    &*(&raw const this).cast::<$crate::interop::Object>(),
                    (!value.is_null())
                        .then(|| &*(&raw const value).cast::<$crate::interop::Object>()),
                )
            };
            $crate::interop::trap_int(|| $setter(this, value))
        }
        (
            $name,
            $crate::interop::attribute!(@get $getter) as $crate::interop::Getter,
            Some(set as $crate::interop::Setter),
        )
    }};
    (@get $getter:path) => {{
        unsafe extern "C" fn get(
            this: *mut pyo3::ffi::PyObject,
            _: *mut std::ffi::c_void,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: the interpreter passes a valid object, borrowed for the call.
            let this = unsafe { &*(&raw const this).cast::<$crate::interop::Object>() };
            $crate::interop::trap(|| $getter(this))
        }
        get
    }};
}

pub(crate) use {attribute, fast, named, noargs, one};

/// Writes the signature before the documentation of a method without arguments, for
/// `inspect.signature`, unless it is written there, as that of other methods is.
fn declare_signature(method: &mut ffi::PyMethodDef) {
    if method.ml_flags & !ffi::METH_COEXIST != ffi::METH_NOARGS {
        return;
    }
    // SAFETY: name and documentation are literals that end with a NUL.
    let (name, doc) = unsafe {
        (
            CStr::from_ptr(method.ml_name),
            CStr::from_ptr(method.ml_doc),
        )
    };
    let rest = doc.to_bytes().strip_prefix(name.to_bytes());
    if rest.is_some_and(|rest| rest.starts_with(b"($self")) {
        return;
    }
    let text = [name.to_bytes(), b"($self, /)\n--\n\n", doc.to_bytes()].concat();
    if let Ok(text) = CString::new(text) {
        // As the method's table, it lives as long as the process.
        method.ml_doc = text.into_raw();
    }
}

/// Collects what a heap type is made of. Its tables live as long as the process, as the type does.
pub struct ClassBuilder {
    name: &'static CStr,
    size: usize,
    flags: u64,
    slots: Vec<ffi::PyType_Slot>,
    attributes: Vec<ffi::PyGetSetDef>,
    named_as_in_python: bool,
    /// What the class's slots are not called by.
    hidden: &'static [&'static str],
}

impl ClassBuilder {
    /// A garbage collected class named `name` whose instances are laid out as `T`.
    pub fn new<T>(name: &'static CStr) -> Self {
        let flags = ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC;
        Self {
            name,
            size: size_of::<T>(),
            flags,
            slots: Vec::new(),
            attributes: Vec::new(),
            named_as_in_python: false,
            hidden: &[],
        }
    }

    /// Has the interpreter's messages name the class without its module, as they do for classes
    /// that are written in Python.
    pub const fn named_as_in_python(mut self) -> Self {
        self.named_as_in_python = true;
        self
    }

    /// Takes the names of slots out of the class: the interpreter calls the slots, and programs do
    /// not find them.
    pub const fn without(mut self, names: &'static [&'static str]) -> Self {
        self.hidden = names;
        self
    }

    /// Leaves garbage collection to the base class.
    pub const fn collected_as_base(mut self) -> Self {
        self.flags &= !ffi::Py_TPFLAGS_HAVE_GC;
        self
    }

    /// Lets Python classes inherit from this one.
    pub const fn subclassable(mut self) -> Self {
        self.flags |= ffi::Py_TPFLAGS_BASETYPE;
        self
    }

    /// Instances come from this crate only: calling the class raises.
    pub const fn not_callable(mut self) -> Self {
        self.flags |= ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
        self
    }

    /// Instances are called by the vectorcall convention, through a function that a member named
    /// `__vectorcalloffset__` says the place of.
    #[cfg(not(Py_3_14))]
    pub const fn called_by_vector(mut self) -> Self {
        self.flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
        self
    }

    /// Fills a slot, such as `Py_tp_dealloc`, with a function of the type C expects there.
    pub fn slot(mut self, slot: c_int, function: *mut c_void) -> Self {
        self.slots.push(ffi::PyType_Slot {
            slot,
            pfunc: function,
        });
        self
    }

    /// The class's docstring.
    pub fn doc(self, doc: &'static CStr) -> Self {
        self.slot(ffi::Py_tp_doc, doc.as_ptr().cast_mut().cast())
    }

    /// The class's methods.
    pub fn methods(self, mut methods: Vec<ffi::PyMethodDef>) -> Self {
        methods.iter_mut().for_each(declare_signature);
        methods.push(ffi::PyMethodDef::zeroed());
        self.slot(ffi::Py_tp_methods, methods.leak().as_mut_ptr().cast())
    }

    /// Computed attributes of the class, besides those given before.
    pub fn attributes(mut self, attributes: Vec<(&'static CStr, Getter, Option<Setter>)>) -> Self {
        let attributes = attributes.into_iter();
        self.attributes
            .extend(attributes.map(|(name, get, set)| ffi::PyGetSetDef {
                name: name.as_ptr(),
                get: Some(get),
                set,
                doc: ptr::null(),
                closure: ptr::null_mut(),
            }));
        self
    }

    /// The class's struct members, for what only the interpreter can read, such as weak references.
    pub fn members(self, mut members: Vec<ffi::PyMemberDef>) -> Self {
        members.push(ffi::PyMemberDef::default());
        self.slot(ffi::Py_tp_members, members.leak().as_mut_ptr().cast())
    }

    /// Makes the class, below `base` or below `object`.
    pub fn build(mut self, base: Option<&Object>) -> Result<Object> {
        if !self.attributes.is_empty() {
            self.attributes.push(ffi::PyGetSetDef::default());
            self.slots.push(ffi::PyType_Slot {
                slot: ffi::Py_tp_getset,
                pfunc: self.attributes.leak().as_mut_ptr().cast(),
            });
        }
        self.slots.push(ffi::PyType_Slot::default());
        let slots = self.slots.leak();
        // A size of 0 is the base's.
        let Ok(basicsize) = c_int::try_from(self.size) else {
            return Err(super::call::type_error(
                "the struct of a class is too large",
            ));
        };
        let Ok(flags) = u32::try_from(self.flags) else {
            return Err(super::call::type_error(
                "a class has flags that a spec cannot carry",
            ));
        };
        let mut spec = ffi::PyType_Spec {
            name: self.name.as_ptr(),
            basicsize,
            itemsize: 0,
            flags,
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: the spec is complete, and all tables it points to are leaked.
        let class = unsafe {
            Object::from_returned(ffi::PyType_FromSpecWithBases(
                &raw mut spec,
                base.map_or(ptr::null_mut(), Object::as_ptr),
            ))?
        };
        // SAFETY: the GIL is held.
        let py = unsafe { pyo3::Python::assume_attached() };
        for name in self.hidden {
            let class = class.bound(py);
            put_into_class(class.cast::<PyType>().map_err(PyErr::from)?, name, None)?;
        }
        if self.named_as_in_python {
            let class = class.bound(py);
            // It is its name already, but setting it shortens the one that messages use.
            class.put(c"__name__", class.look_up(c"__name__")?)?;
        }
        Ok(class)
    }
}

/// Puts `value` under `name` into a class, or takes the name out of it, and leaves the class's
/// slots as they are: what the interpreter itself calls stays native.
pub fn put_into_class(
    class: &Bound<'_, PyType>,
    name: &str,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    // SAFETY: a class made at run time has its attributes in this dict, and is told of the change.
    unsafe {
        let dictionary = Bound::from_borrowed_ptr(class.py(), (*class.as_type_ptr()).tp_dict);
        match value {
            Some(value) => dictionary.set_item(name, value)?,
            None => dictionary.del_item(name)?,
        }
        ffi::PyType_Modified(class.as_type_ptr());
    }
    Ok(())
}

/// Adds functions to a module. A module function's receiver is the module.
pub fn add_to_module(
    module: &Bound<'_, PyModule>,
    functions: Vec<ffi::PyMethodDef>,
) -> PyResult<()> {
    for function in functions.leak() {
        // SAFETY: the definition lives for ever.
        let object = unsafe {
            Object::from_returned(ffi::PyCFunction_NewEx(
                function,
                module.as_ptr(),
                ptr::null_mut(),
            ))?
        };
        // SAFETY: the name ends with a NUL and lives for ever.
        let name = unsafe { CStr::from_ptr(function.ml_name) };
        module.add(name.to_string_lossy().as_ref(), object.bound(module.py()))?;
    }
    Ok(())
}
