//! Showing the garbage collector the references that an object holds.

use std::ffi::{c_int, c_void};

use pyo3::ffi;

use super::object::Object;

/// The collector's visitor, for the time of one `tp_traverse`. It runs no Python code.
///
/// The collector takes an object for garbage once it was shown as many references to it as there
/// are. So a reference is shown by its owner, or by one other object to which the owner leaves it,
/// and once in a traversal. A reference that no object shows only keeps what it refers to alive.
///
/// Safe code gets a visitor only from the `visit` of an unsafe trait, such as
/// [`Held`](super::Held). An implementation of the trait promises this of itself and of the
/// functions that it passes the visitor to, so that these and [`show`](Self::show) are safe.
pub struct Visitor {
    visit: ffi::visitproc,
    arg: *mut c_void,
}

/// The collector has seen enough: its answer.
#[derive(Clone, Copy)]
pub struct Stop(c_int);

/// The result of showing an object. `?` ends a traversal where the collector wants it to end.
pub type Visited = Result<(), Stop>;

impl Visitor {
    /// The visitor that a `tp_traverse` is given.
    ///
    /// # Safety
    /// Both come from the collector, and the visitor does not outlive the call.
    pub const unsafe fn new(visit: ffi::visitproc, arg: *mut c_void) -> Self {
        Self { visit, arg }
    }

    /// Shows an object by a reference that is the traversed object's to show.
    #[inline]
    pub fn show(&self, object: &Object) -> Visited {
        // SAFETY: the object is valid, and so is the visitor, by `new`.
        unsafe { self.show_pointer(object.as_ptr()) }
    }

    /// As [`show`](Self::show), for a pointer.
    ///
    /// # Safety
    /// It is a valid object.
    #[inline]
    pub unsafe fn show_pointer(&self, object: *mut ffi::PyObject) -> Visited {
        // SAFETY: the visitor is valid by `new`, and the object by the caller.
        self.said(unsafe { (self.visit)(object, self.arg) })
    }

    /// Continues with another `tp_traverse`: `traverse` gets the arguments for it.
    pub fn hand_on(&self, traverse: impl FnOnce(ffi::visitproc, *mut c_void) -> c_int) -> Visited {
        self.said(traverse(self.visit, self.arg))
    }

    #[inline]
    #[expect(
        clippy::unused_self,
        reason = "an answer belongs to the visitor that was asked"
    )]
    fn said(&self, answer: c_int) -> Visited {
        match answer {
            0 => Ok(()),
            stop => Err(Stop(stop)),
        }
    }
}

/// Runs a `tp_traverse`: shows the objects of `held`, and then the class of `this`, which a class
/// made at run time has to show as well.
///
/// # Safety
/// Called from a `tp_traverse` with the arguments it was given.
#[inline]
pub unsafe fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
    held: impl FnOnce(&Visitor) -> Visited,
) -> c_int {
    // SAFETY: passed on from the caller; the class of an object is valid.
    unsafe {
        let visitor = Visitor::new(visit, arg);
        let visited = held(&visitor).and_then(|()| visitor.show_pointer(ffi::Py_TYPE(this).cast()));
        answer(visited)
    }
}

/// The return value of a `tp_traverse`.
pub fn answer(visited: Visited) -> c_int {
    match visited {
        Ok(()) => 0,
        Err(Stop(stop)) => stop,
    }
}
