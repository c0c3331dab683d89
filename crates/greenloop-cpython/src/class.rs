//! Building a heap type from a C struct, slots, methods and attributes.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyType};

use super::attached::attached;
use super::error::Result;
use super::making::ByName as _;
use super::methods::{Getter, Initialiser, Setter, Unary};
use super::object::Object;

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

/// Collects the parts of a heap type. Its tables live as long as the process, as the type does.
#[must_use]
pub struct ClassBuilder {
    name: &'static CStr,
    size: usize,
    flags: u64,
    slots: Vec<ffi::PyType_Slot>,
    attributes: Vec<ffi::PyGetSetDef>,
    named_as_in_python: bool,
    /// The names that the class does not show, although it has their slots.
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

    /// The class's `__init__`.
    pub fn init(self, function: Initialiser) -> Self {
        self.slot(ffi::Py_tp_init, function as *mut c_void)
    }

    /// The class's `__repr__`.
    pub fn repr(self, function: Unary) -> Self {
        self.slot(ffi::Py_tp_repr, function as *mut c_void)
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

    /// The class's struct members, for fields that only the interpreter reads, such as weak
    /// references.
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
        let py = attached();
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
/// slots as they are: the interpreter's own calls stay native.
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
