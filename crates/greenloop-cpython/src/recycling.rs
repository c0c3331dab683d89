//! Classes whose dead instances are kept for new ones.

use std::ffi::c_void;
use std::ops::Deref;

use pyo3::ffi;

use super::class::ClassBuilder;
use super::error::Result;
use super::freelist::Freelist;
use super::instance::Held;
use super::method::the;
use super::native::{Class, Native};

/// A [`Class`] that keeps up to `N` dead instances. The list serves this class alone.
pub struct RecyclingClass<T, const N: usize> {
    class: Class<T>,
    spare: Freelist<N>,
}

impl<T: Held, const N: usize> RecyclingClass<T, N> {
    /// The place of a class that is not made yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            class: Class::new(),
            spare: Freelist::new(),
        }
    }

    /// A new instance, without a call of its `__init__`, in the block of a dead one if there is
    /// one.
    #[inline]
    pub fn create_from_spare(&self) -> Result<Native<T>> {
        self.class.create_from(&self.spare)
    }
}

impl<T: Held, const N: usize> Default for RecyclingClass<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Deref for RecyclingClass<T, N> {
    type Target = Class<T>;

    #[inline]
    fn deref(&self) -> &Class<T> {
        &self.class
    }
}

impl<T: Held> ClassBuilder<T> {
    /// Makes the class, and keeps it and its dead instances in the place that `place` returns.
    pub fn build_recycling<const N: usize, P>(self, place: P) -> Result<()>
    where
        P: Fn() -> &'static RecyclingClass<T, N> + Copy + 'static,
    {
        unsafe extern "C" fn free<T, const N: usize, P>(block: *mut c_void)
        where
            T: Held,
            P: Fn() -> &'static RecyclingClass<T, N> + Copy,
        {
            // SAFETY: called last in a deallocation, with a block of this class or of a subclass;
            // `build_recycling` was given the function.
            unsafe {
                let place = the::<P>()();
                place.spare.keep(block.cast(), place.class.as_ptr());
            }
        }
        self.slot(ffi::Py_tp_free, free::<T, N, P> as *mut c_void)
            .build_into(&place().class)
    }
}
