//! Tuples, by their own functions. An object that is no tuple has no items.

use pyo3::ffi;

use super::error::Result;
use super::object::Object;

impl Object {
    /// `tuple(self)`
    pub fn to_tuple(&self) -> Result<Object> {
        // SAFETY: a valid object; the result is a new reference, or NULL with an exception set.
        unsafe { Object::from_returned(ffi::PySequence_Tuple(self.as_ptr())) }
    }

    /// The items of a tuple of two.
    pub fn as_pair(&self) -> Option<(Object, Object)> {
        match self.tuple_items()? {
            [first, second] => Some((first.clone(), second.clone())),
            _ => None,
        }
    }

    /// `(*items,)`
    pub fn tuple(items: &[Object]) -> Result<Object> {
        // SAFETY: a new tuple's places are filled with new references before anybody sees it.
        unsafe {
            let tuple = Object::from_returned(ffi::PyTuple_New(items.len() as ffi::Py_ssize_t))?;
            for (index, item) in items.iter().enumerate() {
                let item = item.clone().into_ptr();
                ffi::PyTuple_SET_ITEM(tuple.as_ptr(), index as ffi::Py_ssize_t, item);
            }
            Ok(tuple)
        }
    }

    /// A new `tuple` of `N` objects.
    #[inline]
    pub fn tuple_of<const N: usize>(items: [Object; N]) -> Result<Object> {
        // SAFETY: the tuple is new, so that its places may be filled, each with a reference of its
        // own.
        unsafe {
            let tuple = Object::from_returned(ffi::PyTuple_New(N as ffi::Py_ssize_t))?;
            for (index, item) in (0..).zip(items) {
                ffi::PyTuple_SET_ITEM(tuple.as_ptr(), index, item.into_ptr());
            }
            Ok(tuple)
        }
    }

    /// The items of a tuple, which never change; `None` for another object.
    #[inline]
    pub fn tuple_items(&self) -> Option<&[Object]> {
        // SAFETY: a tuple, whose items stand one behind the other and live as long as it does; a
        // reference is transparent over a pointer.
        unsafe {
            if ffi::PyTuple_Check(self.as_ptr()) == 0 {
                return None;
            }
            let items = &raw const (*self.as_ptr().cast::<ffi::PyTupleObject>()).ob_item;
            let count = ffi::PyTuple_GET_SIZE(self.as_ptr()) as usize;
            Some(std::slice::from_raw_parts(items.cast::<Object>(), count))
        }
    }

    /// The items, if it is exactly a `tuple`.
    #[inline]
    pub fn as_tuple(&self) -> Option<&[Object]> {
        if self.is_plain_tuple() {
            self.tuple_items()
        } else {
            None
        }
    }
}
