//! What kind of object an object is, and short questions that depend on it.

use pyo3::ffi;

use super::error::Result;
use super::object::Object;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $check:ident;)*) => {
        impl Object {
            $(
                $(#[$doc])*
                #[inline]
                pub fn $name(&self) -> bool {
                    // SAFETY: a valid object.
                    unsafe { ffi::$check(self.as_ptr()) != 0 }
                }
            )*
        }
    };
}

kinds! {
    /// Whether it is a coroutine of an `async def` function.
    is_plain_coroutine = PyCoro_CheckExact;
    /// Whether it is a generator, of a subclass too.
    is_generator = PyGen_Check;
    /// Whether it is exactly a generator.
    is_plain_generator = PyGen_CheckExact;
    /// Whether it is an iterator: whether its class has `__next__`.
    is_iterator = PyIter_Check;
    /// Whether it is a class.
    is_class = PyType_Check;
    /// Whether it is a class of exceptions.
    is_exception_class = PyExceptionClass_Check;
    /// Whether it is exactly a `str`.
    is_plain_text = PyUnicode_CheckExact;
    /// Whether it is exactly a `tuple`.
    is_plain_tuple = PyTuple_CheckExact;
    /// Whether it is a `list`, of a subclass too.
    is_list = PyList_Check;
    /// Whether it is a sequence: whether its class has `__getitem__`, and it is no `dict`.
    is_sequence = PySequence_Check;
}

impl Object {
    /// `str(self)`, which is the object itself if it is exactly a `str`.
    pub fn text(&self) -> Result<Object> {
        if self.is_plain_text() {
            return Ok(self.clone());
        }
        // SAFETY: a valid object; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::PyObject_Str(self.as_ptr())) }
    }

    /// The number of items of a `list`; 0 for any other object.
    pub fn list_len(&self) -> usize {
        if !self.is_list() {
            return 0;
        }
        // SAFETY: a list.
        unsafe { ffi::PyList_GET_SIZE(self.as_ptr()) as usize }
    }

    /// The item at a place of a `list`, if there is one.
    pub fn list_item(&self, index: usize) -> Option<Object> {
        // SAFETY: what has items is a list; the item is borrowed from it.
        (index < self.list_len()).then(|| unsafe {
            Object::from_borrowed(ffi::PyList_GET_ITEM(
                self.as_ptr(),
                index as ffi::Py_ssize_t,
            ))
        })
    }

    /// `list(self)`
    pub fn to_list(&self) -> Result<Object> {
        // SAFETY: a valid object; the result is a new reference, or NULL.
        unsafe { Object::from_returned(ffi::PySequence_List(self.as_ptr())) }
    }

    /// Whether it is a method that a class of C has, not bound to an instance.
    pub fn is_method_of_c(&self) -> bool {
        self.is_exactly(&raw mut ffi::PyMethodDescr_Type)
    }

    /// The result of the slot of `__await__`, if its class has one.
    pub fn awaited(&self) -> Result<Option<Object>> {
        // SAFETY: the slots of a valid object's class are those of its type; the result of this one
        // is a new reference, or NULL.
        unsafe {
            let slots = (*self.class()).tp_as_async;
            let slot = slots.as_ref().and_then(|slots| slots.am_await);
            slot.map(|slot| Object::from_returned(slot(self.as_ptr())))
                .transpose()
        }
    }

    /// `hash(self)`
    pub fn hash(&self) -> Result<isize> {
        // SAFETY: a valid object.
        match unsafe { ffi::PyObject_Hash(self.as_ptr()) } {
            -1 => Err(super::error::Raised),
            hash => Ok(hash),
        }
    }

    /// Whether somebody other than the caller holds the object, who has one reference.
    #[inline]
    pub fn is_shared(&self) -> bool {
        // SAFETY: a valid object.
        unsafe { ffi::Py_REFCNT(self.as_ptr()) > 1 }
    }

    /// Whether its class can be iterated over by `__iter__`.
    pub fn has_iter(&self) -> bool {
        // SAFETY: the class of a valid object.
        unsafe { (*self.class()).tp_iter.is_some() }
    }

    /// Whether its class is `other` or derives from it. Both are compared as classes: an object
    /// that is none derives from nothing.
    pub fn is_subtype(&self, other: &Object) -> bool {
        // SAFETY: both are tested to be classes.
        self.is_class()
            && other.is_class()
            && unsafe { ffi::PyType_IsSubtype(self.as_ptr().cast(), other.as_ptr().cast()) != 0 }
    }
}
