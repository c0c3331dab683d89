//! Python functions whose calls are native.
//!
//! `asyncio.sleep` and `Queue.get` are coroutine functions, and programs check that:
//! `inspect.iscoroutinefunction` and signatures do, and `unittest.mock` replaces one by an
//! `AsyncMock`. Neither a built-in function nor a built-in method can be marked as one. So we offer
//! a Python function like asyncio's own, with its code object, of which only the entry for calls is
//! ours. The interpreter itself then handles bound methods, pickling, documentation and signatures.
//!
//! A call that the native code does not handle, with a receiver of another class or too many
//! arguments, runs the function's code, which is asyncio's and raises asyncio's errors.
//!
//! From 3.12 on the interpreter looks at the entry before it enters the code. 3.11 does so only for
//! a subclass of `function`, and 3.13 and later do it sooner for one; see
//! [`function_class`](super::function_class).

use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

#[cfg(not(Py_3_14))]
use super::bound_method::CheaplyBound;
use super::call::type_error;
use super::making::{self, ByName as _};
use super::object::Object;
use super::thread_exit::{call_entry, vectorcall};

/// The target of one function's calls. An entry gets no data, so each place has its own entries,
/// which read this. It is written before an entry is used, and never again; the objects it points
/// to are held for ever.
struct Place {
    /// The native code, of the calling convention that the entry is for.
    code: AtomicPtr<()>,
    /// The class of a method, or null.
    class: AtomicPtr<ffi::PyTypeObject>,
    /// The built-in function or method, or the name of the slot.
    native: AtomicPtr<ffi::PyObject>,
    /// The module of a built-in function, which is its receiver.
    module: AtomicPtr<ffi::PyObject>,
    /// The entry that the interpreter gave the function.
    python: AtomicPtr<()>,
}

/// The places of one kind of entry. Each kind has more than are needed: asyncio has 7 functions to
/// be made native, about 50 methods with and without arguments, and 16 slots.
struct Places<const N: usize> {
    place: [Place; N],
    filled: AtomicUsize,
}

impl<const N: usize> Places<N> {
    const fn empty() -> Self {
        Self {
            place: [const { Place::empty() }; N],
            filled: AtomicUsize::new(0),
        }
    }

    /// A place for `function`, which has to be an unmodified Python function.
    fn find(&'static self, function: &Bound<'_, PyAny>) -> PyResult<(usize, &'static Place)> {
        // SAFETY: a valid object, which is asked for its entry if it is a function.
        let python = unsafe {
            if ffi::PyFunction_Check(function.as_ptr()) == 0 {
                return Err(type_error("a Python function is needed").into());
            }
            ffi::PyVectorcall_Function(function.as_ptr())
        };
        let Some(python) = python else {
            return Err(type_error("a function without an entry").into());
        };
        let index = self.filled.fetch_add(1, Relaxed);
        let Some(place) = self.place.get(index) else {
            return Err(making::runtime_error("too many native functions").into());
        };
        place.python.store(python as *mut (), Relaxed);
        Ok((index, place))
    }
}

static WITHOUT_ARGUMENTS: Places<60> = Places::empty();
static FAST: Places<60> = Places::empty();
static FUNCTION: Places<20> = Places::empty();
static SLOW: Places<40> = Places::empty();

impl Place {
    const fn empty() -> Self {
        Self {
            code: AtomicPtr::new(ptr::null_mut()),
            class: AtomicPtr::new(ptr::null_mut()),
            native: AtomicPtr::new(ptr::null_mut()),
            module: AtomicPtr::new(ptr::null_mut()),
            python: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The receiver of a method's call, if it is of exactly the method's class.
    ///
    /// # Safety
    /// Called with the words of a call.
    #[inline]
    unsafe fn receiver(
        &self,
        values: *const *mut ffi::PyObject,
        count: usize,
    ) -> Option<*mut ffi::PyObject> {
        // SAFETY: passed on from the caller.
        unsafe {
            let given = ffi::PyVectorcall_NARGS(count) > 0;
            let suits = given && ffi::Py_TYPE(*values) == self.class.load(Relaxed);
            suits.then(|| *values)
        }
    }
}

/// A call whose receiver is an instance of a subclass, or no instance at all, or whose arguments
/// are too many or too few, and any call of a slot. It is of C's convention, as the entries are, so
/// that they only jump here.
///
/// # Safety
/// Called with the words of a call of `function`, whose place it is and is filled.
#[inline(never)]
unsafe extern "C" fn call_otherwise(
    place: &Place,
    function: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: passed on from the caller. A place with a class has a method's descriptor.
    unsafe {
        let (class, native) = (place.class.load(Relaxed), place.native.load(Relaxed));
        let given = ffi::PyVectorcall_NARGS(count);
        let suits = class.is_null()
            || given > 0
                && ffi::PyObject_TypeCheck(*values, class) != 0
                && match flags(&*native.cast::<ffi::PyMethodDescrObject>()) {
                    ffi::METH_NOARGS => given == 1 && names.is_null(),
                    ffi::METH_O => given == 2 && names.is_null(),
                    _ => true,
                };
        if suits {
            return vectorcall(native, values, count, names);
        }
        // asyncio's own code raises the error, or can handle the receiver.
        let python = place.python.load(Relaxed);
        let python = mem::transmute::<*mut (), ffi::vectorcallfunc>(python);
        call_entry(python, function, values, count, names)
    }
}

/// The calling convention of a method.
unsafe fn flags(descriptor: &ffi::PyMethodDescrObject) -> c_int {
    // SAFETY: the definition of a method lives as long as its descriptor.
    unsafe { (*descriptor.d_method).ml_flags & !ffi::METH_COEXIST }
}

/// The entry of a method without arguments.
unsafe extern "C" fn enter_without_arguments<const INDEX: usize>(
    function: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let place = &WITHOUT_ARGUMENTS.place[INDEX];
    // SAFETY: called by the interpreter with the words of the convention; the code is of this one's
    // kind, and its receiver of the class that it is for.
    unsafe {
        match place.receiver(values, count) {
            Some(receiver) if ffi::PyVectorcall_NARGS(count) == 1 && names.is_null() => {
                let code = place.code.load(Relaxed);
                let code = mem::transmute::<*mut (), ffi::PyCFunction>(code);
                code(receiver, ptr::null_mut())
            }
            _ => call_otherwise(place, function, values, count, names),
        }
    }
}

/// The entry of a method with any arguments.
unsafe extern "C" fn enter_fast<const INDEX: usize>(
    function: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let place = &FAST.place[INDEX];
    // SAFETY: as above.
    unsafe {
        let Some(receiver) = place.receiver(values, count) else {
            return call_otherwise(place, function, values, count, names);
        };
        let code = place.code.load(Relaxed);
        let code = mem::transmute::<*mut (), ffi::PyCFunctionFastWithKeywords>(code);
        let given = ffi::PyVectorcall_NARGS(count) - 1;
        code(receiver, values.add(1), given, names)
    }
}

/// The entry of a module's function with any arguments.
unsafe extern "C" fn enter_function<const INDEX: usize>(
    _function: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let place = &FUNCTION.place[INDEX];
    // SAFETY: as above; the receiver is the function's module.
    unsafe {
        let code = place.code.load(Relaxed);
        let code = mem::transmute::<*mut (), ffi::PyCFunctionFastWithKeywords>(code);
        let module = place.module.load(Relaxed);
        code(module, values, ffi::PyVectorcall_NARGS(count), names)
    }
}

/// The entry of rarely called functions.
unsafe extern "C" fn enter_slowly<const INDEX: usize>(
    function: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as above.
    unsafe { call_otherwise(&SLOW.place[INDEX], function, values, count, names) }
}

/// The entries of one kind, one for each place.
macro_rules! entries {
    ($entry:ident: $($tens:literal)*) => { [$(
        $entry::<{ 10 * $tens }>, $entry::<{ 10 * $tens + 1 }>, $entry::<{ 10 * $tens + 2 }>,
        $entry::<{ 10 * $tens + 3 }>, $entry::<{ 10 * $tens + 4 }>, $entry::<{ 10 * $tens + 5 }>,
        $entry::<{ 10 * $tens + 6 }>, $entry::<{ 10 * $tens + 7 }>, $entry::<{ 10 * $tens + 8 }>,
        $entry::<{ 10 * $tens + 9 }>,
    )*] };
}

static ENTER_WITHOUT_ARGUMENTS: [ffi::vectorcallfunc; 60] =
    entries!(enter_without_arguments: 0 1 2 3 4 5);
static ENTER_FAST: [ffi::vectorcallfunc; 60] = entries!(enter_fast: 0 1 2 3 4 5);
static ENTER_FUNCTION: [ffi::vectorcallfunc; 20] = entries!(enter_function: 0 1);
static ENTER_SLOWLY: [ffi::vectorcallfunc; 40] = entries!(enter_slowly: 0 1 2 3);

/// The convention of a call with any arguments, of which no tuple is made.
const WITH_ARGUMENTS: c_int = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;

/// Let calls of `function`, a Python function, go to `builtin`, a built-in one.
#[pyfunction]
#[pyo3(name = "_enter_natively")]
pub fn enter_natively(function: &Bound<'_, PyAny>, builtin: Bound<'_, PyAny>) -> PyResult<()> {
    // SAFETY: `builtin` is a valid object, and asked for what a built-in function has after the
    // test.
    let (code, module) = unsafe {
        if ffi::PyCFunction_CheckExact(builtin.as_ptr()) == 0
            || ffi::PyCFunction_GetFlags(builtin.as_ptr()) != WITH_ARGUMENTS
        {
            return Err(type_error("a fast built-in function is needed").into());
        }
        (
            ffi::PyCFunction_GetFunction(builtin.as_ptr()),
            ffi::PyCFunction_GetSelf(builtin.as_ptr()),
        )
    };
    let (index, place) = FUNCTION.find(function)?;
    place.code.store(
        code.map_or(ptr::null_mut(), |code| code as *mut ()),
        Relaxed,
    );
    place.module.store(module, Relaxed);
    place.native.store(builtin.into_ptr(), Relaxed);
    // SAFETY: `find` has tested the function, and its place is filled.
    unsafe { set_entry(function, ENTER_FUNCTION[index]) }
}

/// Put `function`, a Python function, in the place of the native method `name` of a class, or of
/// the name of a slot. Its calls go to that method or slot. Slots stay what they are.
#[pyfunction]
#[pyo3(
    name = "_enter_method_natively",
    text_signature = "(class_, name, function)"
)]
pub fn enter_method_natively(
    class: &Bound<'_, PyType>,
    name: &str,
    function: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let dictionary = class.look_up("__dict__")?;
    let native = Object::from(dictionary.get_item(name)?);
    #[cfg(not(Py_3_14))]
    if let Some(cheaply_bound) = CheaplyBound::of(&native) {
        lead_to_method(function, cheaply_bound.method())?;
        cheaply_bound.show(Object::from(function.clone()));
        return Ok(());
    }
    lead_to_method(function, native)?;
    super::class::put_into_class(class, name, Some(function))
}

/// Directs calls of `function` to a method, or to the name of a slot, as the class has it.
fn lead_to_method(function: &Bound<'_, PyAny>, native: Object) -> PyResult<()> {
    let is_method = native.is_exactly(&raw mut ffi::PyMethodDescr_Type);
    if !is_method && !native.is_exactly(&raw mut ffi::PyWrapperDescr_Type) {
        return Err(type_error("a native method is needed").into());
    }
    let (place, entry) = if is_method {
        // SAFETY: a method's descriptor has this struct, and its flags say of which type the code
        // is.
        unsafe {
            let descriptor = &*native.as_ptr().cast::<ffi::PyMethodDescrObject>();
            let code = (*descriptor.d_method).ml_meth;
            let ((index, place), entries, code): (_, &[_], _) = match flags(descriptor) {
                ffi::METH_NOARGS => (
                    WITHOUT_ARGUMENTS.find(function)?,
                    &ENTER_WITHOUT_ARGUMENTS,
                    code.PyCFunction as *mut (),
                ),
                WITH_ARGUMENTS => (
                    FAST.find(function)?,
                    &ENTER_FAST,
                    code.PyCFunctionFastWithKeywords as *mut (),
                ),
                _ => (SLOW.find(function)?, &ENTER_SLOWLY, ptr::null_mut()),
            };
            place.code.store(code, Relaxed);
            place.class.store(descriptor.d_common.d_type, Relaxed);
            (place, entries[index])
        }
    } else {
        let (index, place) = SLOW.find(function)?;
        (place, ENTER_SLOWLY[index])
    };
    // The descriptor holds its class.
    place.native.store(native.into_ptr(), Relaxed);
    // SAFETY: as above.
    unsafe { set_entry(function, entry) }
}

/// Sets where calls of `function` enter.
///
/// # Safety
/// It is an exact Python function, and the entry has all that it needs.
#[cfg(all(Py_3_12, not(Py_3_13)))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "on other versions it fails without memory"
)]
unsafe fn set_entry(function: &Bound<'_, PyAny>, entry: ffi::vectorcallfunc) -> PyResult<()> {
    // SAFETY: the caller promises an exact Python function.
    unsafe { PyFunction_SetVectorcall(function.as_ptr(), entry) };
    Ok(())
}

#[cfg(any(not(Py_3_12), Py_3_13))]
use super::function_class::set_entry;

#[cfg(all(Py_3_12, not(Py_3_13)))]
unsafe extern "C" {
    // Missing from `pyo3::ffi`.
    fn PyFunction_SetVectorcall(function: *mut ffi::PyObject, entry: ffi::vectorcallfunc);
}
