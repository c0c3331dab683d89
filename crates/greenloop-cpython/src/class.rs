//! Building a heap type from a C struct, slots, methods and attributes.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyType};

use super::attached::attached;
use super::call::type_error;
use super::error::{Raised, Result};
use super::making::ByName as _;
use super::method::{Anything, Attribute, Function, Method};
use super::native::{Class, Extends, Layout};
use super::object::Object;

/// Collects the parts of a heap type whose instances carry a `T`. Its tables live as long as the
/// process, as the type does.
#[must_use]
pub struct ClassBuilder<T> {
    layout: PhantomData<fn() -> T>,
    name: &'static CStr,
    size: usize,
    flags: u64,
    slots: Vec<ffi::PyType_Slot>,
    methods: Vec<ffi::PyMethodDef>,
    attributes: Vec<ffi::PyGetSetDef>,
    named_as_in_python: bool,
    /// The class that the base has to derive from, if the slots call it.
    required: Option<&'static Object>,
    /// The names that the class does not show, although it has their slots.
    hidden: &'static [&'static str],
}

impl<T> ClassBuilder<T> {
    /// A garbage collected class named `name` whose instances are laid out as the struct `T`, whose
    /// bytes are zero in a new instance.
    pub(super) fn new(name: &'static CStr) -> Self {
        Self::of_size(name, size_of::<T>())
    }

    /// A garbage collected class whose instances take `size` bytes and carry a `T`.
    pub(super) fn of_size(name: &'static CStr, size: usize) -> Self {
        let flags = ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC;
        Self {
            layout: PhantomData,
            name,
            size,
            flags,
            slots: Vec::new(),
            methods: Vec::new(),
            attributes: Vec::new(),
            named_as_in_python: false,
            required: None,
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
    pub(super) const fn collected_as_base(mut self) -> Self {
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
    pub(super) const fn called_by_vector(mut self) -> Self {
        self.flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
        self
    }

    /// Refuses to be made below a class that does not derive from `base`, which its slots call.
    pub(super) const fn only_below(mut self, base: &'static Object) -> Self {
        self.required = Some(base);
        self
    }

    /// Fills a slot, such as `Py_tp_dealloc`, with a function of the type C expects there.
    pub(super) fn slot(mut self, slot: c_int, function: *mut c_void) -> Self {
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

    /// The attribute `__dict__`, for a struct that says its place by `__dictoffset__`.
    pub(super) fn with_dict(mut self) -> Self {
        self.attributes.push(ffi::PyGetSetDef {
            name: c"__dict__".as_ptr(),
            get: Some(ffi::PyObject_GenericGetDict),
            set: Some(ffi::PyObject_GenericSetDict),
            ..ffi::PyGetSetDef::default()
        });
        self
    }

    /// The class's struct members, for fields that only the interpreter reads, such as weak
    /// references.
    pub(super) fn members(self, mut members: Vec<ffi::PyMemberDef>) -> Self {
        members.push(ffi::PyMemberDef::default());
        self.slot(ffi::Py_tp_members, members.leak().as_mut_ptr().cast())
    }

    /// Methods of the class, besides those given before.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method<T>>) -> Self
    where
        T: Layout,
    {
        let definitions = methods.into_iter().map(Method::into_definition);
        self.methods.extend(definitions);
        self
    }

    /// Computed attributes of the class, besides those given before.
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute<T>>) -> Self {
        let definitions = attributes.into_iter().map(|attribute| attribute.definition);
        self.attributes.extend(definitions);
        self
    }

    /// Makes the class and keeps it in its place.
    pub fn build_into(self, place: &Class<T>) -> Result<()>
    where
        T: Layout,
    {
        self.build(None).map(|class| place.fill(class))
    }

    /// The same for a class that derives from another one of ours.
    pub fn build_below<Base: Layout>(self, base: &Class<Base>, place: &Class<T>) -> Result<()>
    where
        T: Extends<Base>,
    {
        self.build(Some(&base.object()))
            .map(|class| place.fill(class))
    }

    /// The same for a class that derives from one of the interpreter's or of a library's.
    ///
    /// # Safety
    /// The base's struct fits into the room that `T` leaves for it, and whatever instances of the
    /// base need to be valid, zeroed ones have.
    pub(super) unsafe fn build_below_foreign(self, base: &Object, place: &Class<T>) -> Result<()>
    where
        T: Layout,
    {
        self.build(Some(base)).map(|class| place.fill(class))
    }

    /// Makes the class, below `base` or below `object`.
    pub(super) fn build(mut self, base: Option<&Object>) -> Result<Object> {
        let fits = |required| base.is_some_and(|base| base.is_subtype(required));
        if !self.required.is_none_or(fits) {
            return Err(type_error("the class needs the base that its slots call"));
        }
        if !self.methods.is_empty() {
            self.methods.push(ffi::PyMethodDef::zeroed());
            self.slots.push(ffi::PyType_Slot {
                slot: ffi::Py_tp_methods,
                pfunc: self.methods.leak().as_mut_ptr().cast(),
            });
        }
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
            return Err(type_error("the struct of a class is too large"));
        };
        let Ok(flags) = u32::try_from(self.flags) else {
            return Err(type_error("a class has flags that a spec cannot carry"));
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

impl ClassBuilder<Anything> {
    /// A class that adds methods to any base, whose struct it takes over.
    pub fn of_methods(name: &'static CStr) -> Self {
        Self::new(name).collected_as_base()
    }

    /// Makes a [class of methods](Self::of_methods) below `base`, which is refused if it is no
    /// class.
    pub fn build_of_methods(self, base: &Object) -> Result<Object> {
        self.build(Some(base))
    }
}

/// Gives a class another metaclass than the `type` that a class made from a spec has.
///
/// # Safety
/// The metaclass derives from `type` and has its layout, and the class has no instances yet.
pub unsafe fn set_metaclass(class: &Object, metaclass: &Object) {
    // SAFETY: promised by the caller; the class takes over the reference.
    unsafe { (*class.as_ptr()).ob_type = metaclass.clone().into_ptr().cast() };
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

/// `object.__setattr__(this, name, value)`, or `object.__delattr__(this, name)`. A class is
/// refused, as it is by those.
pub fn set_plain_attribute(
    this: &Bound<'_, PyAny>,
    name: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
) -> Result<()> {
    if this.is_instance_of::<PyType>() {
        return Err(type_error("an attribute of a class is not plain"));
    }
    let value = value.map_or(ptr::null_mut(), Bound::as_ptr);
    // SAFETY: all are valid objects, or null for the value. A name that is no string is refused.
    let code = unsafe { ffi::PyObject_GenericSetAttr(this.as_ptr(), name.as_ptr(), value) };
    if code < 0 { Err(Raised) } else { Ok(()) }
}

/// Adds functions to a module, which is their receiver.
pub fn add_functions(module: &Bound<'_, PyModule>, functions: Vec<Function>) -> PyResult<()> {
    let definitions = functions.into_iter().map(Method::into_definition);
    for definition in definitions.collect::<Vec<_>>().leak() {
        // SAFETY: the definition lives for ever, and its name ends with a NUL.
        let (function, name) = unsafe {
            let module = module.as_ptr();
            let function = ffi::PyCFunction_NewEx(definition, module, ptr::null_mut());
            let name = CStr::from_ptr(definition.ml_name);
            (Object::from_returned(function)?, name)
        };
        module.add(name.to_string_lossy().as_ref(), function.bound(module.py()))?;
    }
    Ok(())
}
