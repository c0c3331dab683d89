//! `Completed`: the awaitable of an asynchronous method that has done its work in the call already
//! and returns None. There is one per process, since it has no state.

use std::ffi::c_void;
use std::sync::OnceLock;

use greenloop_cpython::{
    ClassBuilder, Iteration, Next, Object, Raised, Result, coroutine, restore,
};
use pyo3::ffi;

use crate::asyncio::globals;

struct Completed;

impl Iteration for Completed {
    #[inline]
    fn advance(_this: &Object) -> Result<Next> {
        Ok(Next::Returned(Object::none()))
    }

    fn throw(_this: &Object, exception: Object) -> Result<Next> {
        Err(restore(exception))
    }

    fn close(_this: &Object) -> Result<()> {
        Ok(())
    }
}

/// The instance.
struct Instance(Object);

// SAFETY: the object is touched with the GIL held only.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

static INSTANCE: OnceLock<Instance> = OnceLock::new();

/// The awaitable that is done and returns None.
pub fn completed() -> Result<Object> {
    if let Some(instance) = INSTANCE.get() {
        return Ok(instance.0.clone());
    }
    // SAFETY: a complete class whose instances have nothing but the header.
    let object = unsafe {
        let class = globals().classes.completed.as_ptr();
        let allocate = (*class).tp_alloc.ok_or(Raised)?;
        Object::from_returned(allocate(class, 0))?
    };
    Ok(INSTANCE.get_or_init(|| Instance(object)).0.clone())
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> std::ffi::c_int {
    // SAFETY: called by the garbage collector on an instance, with its own visitor.
    unsafe { greenloop_cpython::traverse(this, visit, arg, |_| Ok(())) }
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    let class = ClassBuilder::new::<ffi::PyObject>(c"greenloop.Completed")
        .not_callable()
        .doc(c"A coroutine that is done.")
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void);
    coroutine::<Completed>(class, Vec::new()).build(None)
}
