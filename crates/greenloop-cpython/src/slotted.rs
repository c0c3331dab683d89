//! Classes that are written in Python and keep their attributes in `__slots__`: native code finds
//! these at fixed places in an instance.

use std::cell::Cell;
use std::marker::PhantomData;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::call::type_error;
use super::class_cell::ClassCell;
use super::error::Result;
use super::freelist::not_made;
use super::making::{self, ByName as _};
use super::method::Method;
use super::native::{Layout, Native};
use super::object::Object;

/// What the compiler knows of an instance: that it is one of the class with the key `K`.
pub struct Slotted<K>(PhantomData<fn() -> K>);

// SAFETY: a value without size is anywhere.
unsafe impl<K: 'static> Layout for Slotted<K> {
    const OFFSET: usize = 0;
}

/// The place of such a class.
pub struct SlottedClass<K> {
    cell: ClassCell,
    taken: Cell<bool>,
    key: PhantomData<fn() -> K>,
}

// SAFETY: touched with the GIL held only, as everything of this crate.
unsafe impl<K> Sync for SlottedClass<K> {}

impl<K: 'static> SlottedClass<K> {
    /// The place of a class that is not given yet.
    ///
    /// # Safety
    /// There is one place for each key.
    #[must_use]
    pub const unsafe fn new() -> Self {
        Self {
            cell: ClassCell::new(),
            taken: Cell::new(false),
            key: PhantomData,
        }
    }

    /// Keeps the class. Returns false, and has done nothing, if there is one already: another one
    /// would have other places.
    pub fn adopt(&self, class: &Bound<'_, PyType>) -> bool {
        let first = !self.taken.replace(true);
        if first {
            self.cell.set(Object::from(class.clone().into_any()));
        }
        first
    }

    /// The object, if its class is this one or derives from it.
    #[inline]
    pub fn instance<'a>(&self, object: &'a Object) -> Option<&'a Native<Slotted<K>>> {
        // SAFETY: an instance of a subclass is laid out as one of the class, and goes on behind it.
        object
            .is_of(&self.cell)
            .then(|| unsafe { Native::from_ref(object) })
    }

    /// The slot of a name, of the class or of one that it derives from.
    pub fn member(&self, name: &str) -> Result<Member<K>> {
        let class = self.cell.object();
        let descriptor = class.attribute(&making::interned_text(name)?)?;
        // SAFETY: the class of the object is compared before its struct is looked into. The
        // descriptor is for instances of a class that ours derives from.
        let member = unsafe {
            let is_member = descriptor.class() == &raw mut ffi::PyMemberDescr_Type;
            is_member.then(|| {
                let descriptor = &*descriptor.as_ptr().cast::<MemberDescriptor>();
                let ours = self.cell.as_ptr();
                (ffi::PyType_IsSubtype(ours, descriptor.class) != 0).then(|| *descriptor.member)
            })
        };
        match member.flatten() {
            Some(member) if member.type_code == ffi::Py_T_OBJECT_EX => Ok(Member {
                offset: member.offset,
                key: PhantomData,
            }),
            _ => Err(type_error(&format!("{name} is no slot"))),
        }
    }

    /// Puts methods into the class, each under its name.
    pub fn put_methods(&self, methods: impl IntoIterator<Item = Method<Slotted<K>>>) -> Result<()> {
        if !self.taken.get() {
            return Err(not_made());
        }
        let class = self.cell.object();
        let class = class.bound(super::attached::attached());
        let definitions = methods.into_iter().map(Method::into_definition);
        for definition in definitions.collect::<Vec<_>>().leak() {
            // SAFETY: the definition lives for ever, its name ends with a NUL, and the class is a
            // class.
            let (descriptor, name) = unsafe {
                let descriptor = ffi::PyDescr_NewMethod(self.cell.as_ptr(), definition);
                let name = std::ffi::CStr::from_ptr(definition.ml_name);
                (Object::from_returned(descriptor)?, name)
            };
            class.put(name, descriptor)?;
        }
        Ok(())
    }
}

/// The beginning of the C struct of a member descriptor, and of the member it is for.
#[repr(C)]
struct MemberDescriptor {
    header: ffi::PyObject,
    class: *mut ffi::PyTypeObject,
    name: *mut ffi::PyObject,
    qualified_name: *mut ffi::PyObject,
    member: *const ffi::PyMemberDef,
}

/// The place of a slot in each instance.
pub struct Member<K> {
    offset: ffi::Py_ssize_t,
    key: PhantomData<fn() -> K>,
}

impl<K: 'static> Member<K> {
    /// The value of the slot, if it has one.
    #[inline]
    pub fn of(&self, instance: &Native<Slotted<K>>) -> Option<Object> {
        // SAFETY: the object is of the class whose slot this is, by its type; a slot is null or
        // holds a reference.
        unsafe {
            let place = instance.as_ptr().byte_offset(self.offset);
            let value = *place.cast::<*mut ffi::PyObject>();
            (!value.is_null()).then(|| Object::from_borrowed(value))
        }
    }
}
