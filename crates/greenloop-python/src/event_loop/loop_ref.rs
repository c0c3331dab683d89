//! `LoopRef`: a reference of which the compiler knows that its object is one of our loops.
//!
//! PyO3 makes the class, and PyO3 alone knows where its struct is in an instance.

use greenloop_cpython::{Layout, Native, Object, attached};
use pyo3::prelude::*;

use super::EventLoop;

/// Stands for [`EventLoop`] in the type of a reference.
pub struct LoopInstance;

// SAFETY: a value without size is anywhere. No class is built for it: the references are made in
// this file, and by the descriptors of the methods that `install_methods` puts into the class.
unsafe impl Layout for LoopInstance {
    const OFFSET: usize = 0;
}

/// A reference to one of our loops.
pub type LoopRef = Native<LoopInstance>;

impl EventLoop {
    /// The native part of a loop.
    ///
    /// Costs an addition of an offset, and no test.
    #[inline]
    pub fn native_part(this: &LoopRef) -> &Self {
        let py = attached();
        // SAFETY: the type says that the object is an instance of the class.
        unsafe { this.as_py().bind(py).cast_unchecked::<Self>().get() }
    }

    /// The object, if it is one of our loops.
    ///
    /// Subclasses count.
    #[inline]
    pub fn reference(object: &Object) -> Option<&LoopRef> {
        // SAFETY: `of` tests the class.
        Self::of(object).map(|_| unsafe { LoopRef::from_ref(object) })
    }

    /// The loop that a method of PyO3's was called on.
    pub fn reference_to(this: &Bound<'_, Self>) -> LoopRef {
        // SAFETY: PyO3's type says that the object is an instance of the class.
        unsafe { LoopRef::from_object(this.clone().into_any().into()) }
    }
}
