//! Methods and attributes of classes, made of plain Rust functions.
//!
//! `noargs(c"release", release, c"Release the lock.")` is a method from
//! `fn(&Native<Lock>) -> Result<Object>`. What C calls is a function of the edge that is made for
//! each of ours: [`trap`](mod@super::trap) stands in it, and the call of ours is inlined. A
//! function without captured variables has no size, so the type of ours alone names it.
//!
//! ```text
//!   noargs, leaf_noargs     METH_NOARGS                     fn(&Native<T>) -> Result<Object>
//!   one, of_class           METH_O (METH_CLASS)             fn(&Native<T>, &Object) -> …
//!   fast, leaf_fast         METH_FASTCALL | METH_KEYWORDS   fn(&Native<T>, Arguments) -> …
//! ```
//! The conventions are those of CPython's "Common Object Structures". A leaf takes no look at the
//! stack's room, so it must not call anything that may call Python. Documentations of methods with
//! arguments begin with the signature, as Argument Clinic writes it (`name($self, …)` and a line
//! with two dashes), from which `inspect.signature` reads it; that of a method without arguments is
//! written by `declare_signature`.

use std::ffi::{CStr, CString, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;

use pyo3::ffi;

use super::call::Arguments;
use super::error::{Raised, Result};
use super::native::{Extends, Layout, Native};
use super::object::Object;
use super::trap::{trap, trap_int, trap_leaf};

/// A method of a class whose instances carry a `T`. Its receiver is such an instance: the
/// descriptor in the class tests that before each call.
///
/// Made at import and put into a class; its strings are literals, so C may keep them.
pub struct Method<T> {
    definition: ffi::PyMethodDef,
    receiver: PhantomData<fn(T)>,
}

/// An attribute of such a class, computed by functions.
pub struct Attribute<T> {
    pub(super) definition: ffi::PyGetSetDef,
    receiver: PhantomData<fn(T)>,
}

/// A function of a module, whose receiver is the module.
pub type Function = Method<Anything>;

/// The value of any object at all, which is nothing.
pub struct Anything;

// SAFETY: a value without size is anywhere.
unsafe impl Layout for Anything {
    const OFFSET: usize = 0;
}

/// The only value of the type of a function.
///
/// # Safety
/// A value of the type was given to the caller before.
///
/// A function item and a closure that captures nothing have one value each, so none needs to be
/// kept.
pub(super) unsafe fn the<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "a method captures no variable") };
    // SAFETY: a value without size is read from no memory, and the caller has seen one.
    unsafe { ptr::dangling::<F>().read() }
}

/// The instance that the interpreter passes, borrowed for the call.
///
/// # Safety
/// `this` is the place of a valid instance of a class whose layout is `T`.
pub(super) unsafe fn receiver<T: Layout>(this: &*mut ffi::PyObject) -> &Native<T> {
    // SAFETY: promised by the caller; a reference is transparent over the pointer.
    unsafe { &*ptr::from_ref(this).cast::<Native<T>>() }
}

impl<T: Layout> Method<T> {
    fn new(
        name: &'static CStr,
        call: ffi::PyMethodDefPointer,
        flags: c_int,
        doc: &'static CStr,
    ) -> Self {
        Self {
            definition: ffi::PyMethodDef {
                ml_name: name.as_ptr(),
                ml_meth: call,
                ml_flags: flags,
                ml_doc: doc.as_ptr(),
            },
            receiver: PhantomData,
        }
    }

    /// The definition, for C. It lives as long as its place does.
    pub(super) fn into_definition(mut self) -> ffi::PyMethodDef {
        self.declare_signature();
        self.definition
    }

    /// The same method of a class whose instances carry more.
    ///
    /// What it reads of its receiver is at the same place there.
    #[must_use]
    pub fn inherited<U: Extends<T>>(self) -> Method<U> {
        Method {
            definition: self.definition,
            receiver: PhantomData,
        }
    }

    /// Puts the method into `class`, for receivers of `receivers` and of classes below it.
    pub fn install(self, class: &Object, receivers: &Object) -> Result<()>
    where
        Anything: Extends<T>,
    {
        // SAFETY: a method of anything.
        unsafe { self.install_for(class, receivers) }
    }

    /// As [`install`](Self::install), for a method of some objects only.
    ///
    /// # Safety
    /// The instances of `receivers` carry a `T`.
    ///
    /// The definition is leaked: a descriptor may outlive its class. Raises what setting the
    /// attribute raises.
    pub unsafe fn install_for(self, class: &Object, receivers: &Object) -> Result<()> {
        if !receivers.is_class() {
            return Err(super::call::type_error("a class was expected"));
        }
        let definition = Box::leak(Box::new(self.into_definition()));
        // SAFETY: the definition lives for ever, its name ends with a NUL, and the receivers are
        // those that the caller promises.
        unsafe {
            let descriptor = Object::from_returned(ffi::PyDescr_NewMethod(
                receivers.as_ptr().cast(),
                definition,
            ))?;
            let name = definition.ml_name;
            match ffi::PyObject_SetAttrString(class.as_ptr(), name, descriptor.as_ptr()) {
                0 => Ok(()),
                _ => Err(Raised),
            }
        }
    }

    /// Keeps a slot's wrapper of the same name out of the class: this is the method.
    ///
    /// Without it `type` keeps the wrapper that it made for the slot.
    #[must_use]
    pub const fn beside_slot(mut self) -> Self {
        self.definition.ml_flags |= ffi::METH_COEXIST;
        self
    }

    /// Writes the signature before the documentation of a method without arguments, for
    /// `inspect.signature`, unless it is written there, as that of other methods is.
    fn declare_signature(&mut self) {
        if self.definition.ml_flags & !ffi::METH_COEXIST != ffi::METH_NOARGS {
            return;
        }
        // SAFETY: name and documentation are literals that end with a NUL.
        let (name, doc) = unsafe {
            (
                CStr::from_ptr(self.definition.ml_name).to_bytes(),
                CStr::from_ptr(self.definition.ml_doc).to_bytes(),
            )
        };
        let rest = doc.strip_prefix(name);
        if rest.is_some_and(|rest| rest.starts_with(b"($self")) {
            return;
        }
        if let Ok(text) = CString::new([name, b"($self, /)\n--\n\n", doc].concat()) {
            // As the method's table, it lives as long as the process.
            self.definition.ml_doc = text.into_raw();
        }
    }
}

/// A method without arguments.
pub fn noargs<T, F>(name: &'static CStr, _function: F, doc: &'static CStr) -> Method<T>
where
    T: Layout,
    F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
{
    unsafe extern "C" fn call<T: Layout, F: Fn(&Native<T>) -> Result<Object> + Copy>(
        this: *mut ffi::PyObject,
        _: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: the descriptor has tested the receiver, and `noargs` was given the function.
        unsafe { trap(|| the::<F>()(receiver(&this))) }
    }
    let pointer = ffi::PyMethodDefPointer {
        PyCFunction: call::<T, F>,
    };
    Method::new(name, pointer, ffi::METH_NOARGS, doc)
}

/// A method without arguments that runs no code but ours, and so cannot come back to itself.
/// Whether there is room on the stack is not asked.
pub fn leaf_noargs<T, F>(name: &'static CStr, _function: F, doc: &'static CStr) -> Method<T>
where
    T: Layout,
    F: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
{
    unsafe extern "C" fn call<T: Layout, F: Fn(&Native<T>) -> Result<Object> + Copy>(
        this: *mut ffi::PyObject,
        _: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: the descriptor has tested the receiver, and `leaf_noargs` was given the function.
        unsafe { trap_leaf(|| the::<F>()(receiver(&this))) }
    }
    let pointer = ffi::PyMethodDefPointer {
        PyCFunction: call::<T, F>,
    };
    Method::new(name, pointer, ffi::METH_NOARGS, doc)
}

/// A method with exactly one argument, given by place.
///
/// No tuple is made, and a keyword raises a `TypeError` before the function is called.
pub fn one<T, F>(name: &'static CStr, _function: F, doc: &'static CStr) -> Method<T>
where
    T: Layout,
    F: Fn(&Native<T>, &Object) -> Result<Object> + Copy + 'static,
{
    unsafe extern "C" fn call<T: Layout, F: Fn(&Native<T>, &Object) -> Result<Object> + Copy>(
        this: *mut ffi::PyObject,
        argument: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: the descriptor has tested the receiver, the argument is a valid object, and `one`
        // was given the function.
        unsafe { trap(|| the::<F>()(receiver(&this), receiver::<Anything>(&argument))) }
    }
    let pointer = ffi::PyMethodDefPointer {
        PyCFunction: call::<T, F>,
    };
    Method::new(name, pointer, ffi::METH_O, doc)
}

/// A method of the class itself, with exactly one argument: `@classmethod`. The first argument of
/// the function is the class.
pub fn of_class<T, F>(name: &'static CStr, function: F, doc: &'static CStr) -> Method<T>
where
    T: Layout,
    F: Fn(&Object, &Object) -> Result<Object> + Copy + 'static,
{
    let Method { definition, .. } = one::<Anything, _>(
        name,
        move |class: &Native<Anything>, argument| function(class, argument),
        doc,
    );
    Method {
        definition: ffi::PyMethodDef {
            ml_flags: definition.ml_flags | ffi::METH_CLASS,
            ..definition
        },
        receiver: PhantomData,
    }
}

/// A method with any arguments, called without a tuple being made of them.
///
/// The function parses the arguments, by `Arguments::bind` and its like, and words the errors.
pub fn fast<T, F>(name: &'static CStr, _function: F, doc: &'static CStr) -> Method<T>
where
    T: Layout,
    F: Fn(&Native<T>, Arguments<'_>) -> Result<Object> + Copy + 'static,
{
    unsafe extern "C" fn call<T, F>(
        this: *mut ffi::PyObject,
        values: *const *mut ffi::PyObject,
        positional: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject
    where
        T: Layout,
        F: Fn(&Native<T>, Arguments<'_>) -> Result<Object> + Copy,
    {
        // SAFETY: the descriptor has tested the receiver, the other words are those of the
        // convention, and `fast` was given the function.
        unsafe {
            let arguments = Arguments::new(values, positional, names);
            trap(|| the::<F>()(receiver(&this), arguments))
        }
    }
    let pointer = ffi::PyMethodDefPointer {
        PyCFunctionFastWithKeywords: call::<T, F>,
    };
    Method::new(name, pointer, ffi::METH_FASTCALL | ffi::METH_KEYWORDS, doc)
}

/// A method with any arguments that runs no code but ours: see [`leaf_noargs`].
pub fn leaf_fast<T, F>(name: &'static CStr, _function: F, doc: &'static CStr) -> Method<T>
where
    T: Layout,
    F: Fn(&Native<T>, Arguments<'_>) -> Result<Object> + Copy + 'static,
{
    unsafe extern "C" fn call<T, F>(
        this: *mut ffi::PyObject,
        values: *const *mut ffi::PyObject,
        positional: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject
    where
        T: Layout,
        F: Fn(&Native<T>, Arguments<'_>) -> Result<Object> + Copy,
    {
        // SAFETY: the descriptor has tested the receiver, the other words are those of the
        // convention, and `leaf_fast` was given the function.
        unsafe {
            let arguments = Arguments::new(values, positional, names);
            trap_leaf(|| the::<F>()(receiver(&this), arguments))
        }
    }
    let pointer = ffi::PyMethodDefPointer {
        PyCFunctionFastWithKeywords: call::<T, F>,
    };
    Method::new(name, pointer, ffi::METH_FASTCALL | ffi::METH_KEYWORDS, doc)
}

impl<T: Layout> Attribute<T> {
    /// The same attribute of a class whose instances carry more.
    #[must_use]
    pub fn inherited<U: Extends<T>>(self) -> Attribute<U> {
        Attribute {
            definition: self.definition,
            receiver: PhantomData,
        }
    }

    /// The attribute with a documentation, its `__doc__`.
    #[must_use]
    pub fn documented(mut self, text: &'static CStr) -> Self {
        self.definition.doc = text.as_ptr();
        self
    }

    fn new(name: &'static CStr, get: ffi::getter, set: Option<ffi::setter>) -> Self {
        Self {
            definition: ffi::PyGetSetDef {
                name: name.as_ptr(),
                get: Some(get),
                set,
                doc: ptr::null(),
                closure: ptr::null_mut(),
            },
            receiver: PhantomData,
        }
    }
}

/// An attribute that can only be read.
pub fn readonly<T, G>(name: &'static CStr, _getter: G) -> Attribute<T>
where
    T: Layout,
    G: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
{
    Attribute::new(name, get::<T, G>, None)
}

/// An attribute that can be read and set. The setter is given `None` when the attribute is deleted.
pub fn attribute<T, G, S>(name: &'static CStr, _getter: G, _setter: S) -> Attribute<T>
where
    T: Layout,
    G: Fn(&Native<T>) -> Result<Object> + Copy + 'static,
    S: Fn(&Native<T>, Option<&Object>) -> Result<()> + Copy + 'static,
{
    Attribute::new(name, get::<T, G>, Some(set::<T, S>))
}

unsafe extern "C" fn get<T: Layout, G: Fn(&Native<T>) -> Result<Object> + Copy>(
    this: *mut ffi::PyObject,
    _: *mut c_void,
) -> *mut ffi::PyObject {
    // SAFETY: the descriptor has tested the receiver, and the code that took the address was given
    // the getter.
    unsafe { trap(|| the::<G>()(receiver(&this))) }
}

unsafe extern "C" fn set<T: Layout, S: Fn(&Native<T>, Option<&Object>) -> Result<()> + Copy>(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the descriptor has tested the receiver, the value is a valid object or null, which is
    // told apart before it is read, and the code that took the address was given the
    // setter.
    unsafe {
        let value = (!value.is_null()).then(|| &**receiver::<Anything>(&value));
        trap_int(|| the::<S>()(receiver(&this), value))
    }
}
