//! References to objects whose class is ours, and the places of such classes.
//!
//! [`Native<T>`] is an [`Object`] of which the compiler knows that it carries a `T`. It comes from
//! one of three sources: a [`Class<T>`] that has made or tested the object, a method of that class,
//! whose descriptor has tested its receiver, or a [`NativeSlot<T>`] that holds one. So nobody who
//! reads the struct of an object has to promise what the object is.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;

use pyo3::ffi;

use super::class_cell::ClassCell;
use super::gc::{Visited, Visitor};
use super::instance::{Held, Instance};
use super::object::Object;
use super::slot::Slot;

/// A struct that objects of a class carry.
///
/// # Safety
/// Each class that is built for the struct has a valid value of it [`OFFSET`](Self::OFFSET) bytes
/// behind the beginning of every instance, from the instance's allocation to its end.
///
/// Most layouts are structs that begin with the object's header, at offset 0.
pub unsafe trait Layout: Sized + 'static {
    /// The place of the struct in an instance, in bytes.
    const OFFSET: usize;
}

// SAFETY: `tp_new` and `create` write the value before anybody sees the instance.
unsafe impl<T: Held> Layout for T {
    const OFFSET: usize = Instance::<T>::OFFSET_OF_HELD;
}

/// A layout that begins as another one: of a class below another class of ours.
///
/// # Safety
/// A valid value of `Self` begins with a valid value of `Base`, at the same offset.
pub unsafe trait Extends<Base: Layout>: Layout {}

// SAFETY: it is the same value.
unsafe impl<T: Layout> Extends<T> for T {}

/// One strong reference to an object that carries a `T`.
#[repr(transparent)]
pub struct Native<T> {
    object: Object,
    value: PhantomData<fn() -> T>,
}

impl<T: Layout> Native<T> {
    /// The value that the object carries.
    ///
    /// A shared reference, as the collector, other threads with the GIL and nested calls look at
    /// the same value: the fields are cells.
    #[inline]
    pub fn get(&self) -> &T {
        // SAFETY: the type says that the object carries one, and `Layout` where it is. The
        // reference keeps the object alive.
        unsafe { &*self.object.as_ptr().byte_add(T::OFFSET).cast::<T>() }
    }

    /// The same object, as one that carries a value which `T` begins with.
    #[inline]
    pub fn up<Base: Layout>(&self) -> &Native<Base>
    where
        T: Extends<Base>,
    {
        // SAFETY: promised by `Extends`; both are transparent.
        unsafe { &*std::ptr::from_ref(self).cast::<Native<Base>>() }
    }

    /// As [`up`](Self::up), of a reference that is the caller's.
    #[inline]
    pub fn into_up<Base: Layout>(self) -> Native<Base>
    where
        T: Extends<Base>,
    {
        // SAFETY: promised by `Extends`.
        unsafe { Native::from_object(self.object) }
    }

    /// The reference without what is known of its object.
    #[inline]
    pub fn into_object(self) -> Object {
        self.object
    }

    /// The object, of which the caller knows what it is.
    ///
    /// # Safety
    /// The object carries a `T`.
    #[inline]
    pub const unsafe fn from_object(object: Object) -> Self {
        Self {
            object,
            value: PhantomData,
        }
    }

    /// A new reference to the object that carries a value.
    ///
    /// # Safety
    /// The value is part of an object, which is alive.
    #[inline]
    pub unsafe fn carrying(value: *const T) -> Self {
        // SAFETY: the value is that far behind the beginning of its object.
        unsafe {
            let object = value.byte_sub(T::OFFSET).cast_mut().cast();
            Self::from_object(Object::from_borrowed(object))
        }
    }

    /// A reference to an object, of which the caller knows what it is.
    ///
    /// # Safety
    /// The object carries a `T`.
    #[inline]
    pub const unsafe fn from_ref(object: &Object) -> &Self {
        // SAFETY: promised by the caller; both are transparent.
        unsafe { &*std::ptr::from_ref(object).cast::<Self>() }
    }
}

impl<T> Clone for Native<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            object: self.object.clone(),
            value: PhantomData,
        }
    }
}

/// Whatever takes an object takes one of ours.
impl<T> Deref for Native<T> {
    type Target = Object;

    #[inline]
    fn deref(&self) -> &Object {
        &self.object
    }
}

impl<T: Layout> From<Native<T>> for Object {
    #[inline]
    fn from(native: Native<T>) -> Self {
        native.object
    }
}

/// A strong reference that is one word: an [`Object`] or a [`Native<T>`].
///
/// # Safety
/// The type is transparent over an `Object`.
pub unsafe trait Reference: 'static {
    /// The reference without what is known of its object.
    fn as_object(&self) -> &Object;
}

// SAFETY: it is one.
unsafe impl Reference for Object {
    #[inline]
    fn as_object(&self) -> &Object {
        self
    }
}

// SAFETY: it is transparent.
unsafe impl<T: 'static> Reference for Native<T> {
    #[inline]
    fn as_object(&self) -> &Object {
        &self.object
    }
}

/// A class of ours, from the module's import to the process's end. Its instances carry a `T`.
///
/// It dereferences to a [`ClassCell`], which knows whether the class has been changed.
pub struct Class<T> {
    cell: ClassCell,
    instances: PhantomData<fn() -> T>,
}

impl<T: Layout> Class<T> {
    /// The place of a class that is not made yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cell: ClassCell::new(),
            instances: PhantomData,
        }
    }

    /// The object, if its class is exactly this one.
    ///
    /// One comparison. An instance of a subclass, which may override anything, is none.
    #[inline]
    pub fn exactly<'a>(&self, object: &'a Object) -> Option<&'a Native<T>> {
        // SAFETY: an instance of a class that was built for `T`.
        self.is_class_of(object)
            .then(|| unsafe { Native::from_ref(object) })
    }

    /// As [`exactly`](Self::exactly), of a reference that is the caller's: it is given back if the
    /// class is another one.
    #[inline]
    pub fn claim(&self, object: Object) -> Result<Native<T>, Object> {
        if self.is_class_of(&object) {
            // SAFETY: an instance of a class that was built for `T`.
            Ok(unsafe { Native::from_object(object) })
        } else {
            Err(object)
        }
    }

    /// Whether the object's class is exactly this one.
    #[inline]
    pub fn is_class_of(&self, object: &Object) -> bool {
        object.is_exactly(self.cell.as_ptr())
    }

    /// The object, if its class is this one or derives from it.
    ///
    /// Walks along the bases of the object's class if that is not the class itself. Runs no code.
    #[inline]
    pub fn instance<'a>(&self, object: &'a Object) -> Option<&'a Native<T>> {
        let class = self.cell.as_ptr();
        // SAFETY: the class is made before there are objects of others than the interpreter's. An
        // instance of a subclass is laid out as one of the class, and goes on behind it.
        unsafe {
            let is_one = !class.is_null() && ffi::PyObject_TypeCheck(object.as_ptr(), class) != 0;
            is_one.then(|| Native::from_ref(object))
        }
    }

    /// Keeps the class, which the caller has built for `T`.
    pub(super) fn fill(&self, class: Object) {
        self.cell.set(class);
    }
}

impl<T: Layout> Default for Class<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Class<T> {
    type Target = ClassCell;

    #[inline]
    fn deref(&self) -> &ClassCell {
        &self.cell
    }
}

/// Classes whose instances all carry a `T`, at the beginning of what else they carry: what counts
/// as ours among the objects of a kind.
pub struct Family<T, const N: usize> {
    classes: [Cell<*mut ffi::PyTypeObject>; N],
    members: PhantomData<fn() -> T>,
}

// SAFETY: changed with the GIL held only, as everything of this crate.
unsafe impl<T, const N: usize> Sync for Family<T, N> {}

impl<T: Layout, const N: usize> Family<T, N> {
    /// A family without classes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            classes: [const { Cell::new(ptr::null_mut()) }; N],
            members: PhantomData,
        }
    }

    /// Takes a class in, which has been made. There is room for `N`.
    pub fn add<U: Extends<T>>(&self, class: &Class<U>) {
        if let Some(free) = self.classes.iter().find(|place| place.get().is_null()) {
            free.set(class.as_ptr());
        }
    }

    /// The object, if its class is exactly one of the family.
    #[inline]
    pub fn member<'a>(&self, object: &'a Object) -> Option<&'a Native<T>> {
        // SAFETY: an instance of a class whose layout begins with `T`.
        self.has(object.class())
            .then(|| unsafe { Native::from_ref(object) })
    }

    /// As [`member`](Self::member), of a reference that is the caller's: it is given back if the
    /// class is none of the family.
    #[inline]
    pub fn claim(&self, object: Object) -> Result<Native<T>, Object> {
        if self.has(object.class()) {
            // SAFETY: an instance of a class whose layout begins with `T`.
            Ok(unsafe { Native::from_object(object) })
        } else {
            Err(object)
        }
    }

    /// The object, if its class is one of the family or derives from one.
    pub fn instance<'a>(&self, object: &'a Object) -> Option<&'a Native<T>> {
        let is_one = |class: *mut ffi::PyTypeObject| {
            // SAFETY: both are valid.
            !class.is_null() && unsafe { ffi::PyObject_TypeCheck(object.as_ptr(), class) != 0 }
        };
        // SAFETY: an instance of such a class is laid out as one of the class, and goes on behind
        // it.
        self.classes
            .iter()
            .any(|place| is_one(place.get()))
            .then(|| unsafe { Native::from_ref(object) })
    }

    /// Whether a class is one of the family.
    ///
    /// Compares with all places, the empty ones included: no object has a class at address 0.
    #[inline]
    pub fn has(&self, class: *mut ffi::PyTypeObject) -> bool {
        self.classes.iter().any(|place| place.get() == class)
    }
}

impl<T: Layout, const N: usize> Default for Family<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// A field that holds an object which carries a `T`, or nothing. See [`Slot`].
#[repr(transparent)]
pub struct NativeSlot<T> {
    slot: Slot,
    value: PhantomData<fn() -> T>,
}

impl<T: Layout> NativeSlot<T> {
    /// An empty slot.
    #[must_use]
    #[inline]
    pub const fn empty() -> Self {
        Self {
            slot: Slot::empty(),
            value: PhantomData,
        }
    }

    /// A slot that holds `object`.
    #[inline]
    pub fn holding(object: Native<T>) -> Self {
        Self {
            slot: Slot::holding(object.into_object()),
            value: PhantomData,
        }
    }

    /// Whether nothing is held.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.slot.is_empty()
    }

    /// A new reference to the held object.
    ///
    /// The reference keeps the object while code runs that may change the slot.
    #[inline]
    pub fn get(&self) -> Option<Native<T>> {
        // SAFETY: only objects that carry a `T` get in.
        self.slot
            .get()
            .map(|object| unsafe { Native::from_object(object) })
    }

    /// Holds `value` from now on; the old value is dropped last.
    #[inline]
    pub fn set(&self, value: Native<T>) {
        self.slot.set(value.into_object());
    }

    /// Holds `value` or nothing from now on.
    #[inline]
    pub fn set_optional(&self, value: Option<Native<T>>) {
        self.slot.set_optional(value.map(Native::into_object));
    }

    /// Empties the slot and drops its object.
    #[inline]
    pub fn clear(&self) {
        self.slot.clear();
    }

    /// The held object or `None`, for Python.
    #[inline]
    pub fn get_or_none(&self) -> Object {
        self.slot.get_or_none()
    }

    /// What `look` says of the held value. It runs no Python code, which might empty the slot.
    #[inline]
    pub(super) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        let pointer = self.slot.as_ptr();
        // SAFETY: only objects that carry a `T` get in, and the slot holds it meanwhile.
        (!pointer.is_null()).then(|| look(unsafe { &*pointer.byte_add(T::OFFSET).cast::<T>() }))
    }

    /// Shows the object to the garbage collector.
    #[inline]
    pub fn visit(&self, visitor: &Visitor) -> Visited {
        self.slot.visit(visitor)
    }
}

impl<T: Layout> Default for NativeSlot<T> {
    fn default() -> Self {
        Self::empty()
    }
}
