//! Tells whether an `await` asks an iterator for its next object, in which case nobody sees the
//! exception that ends it.
//!
//! The interpreter unpacks and drops that exception at once, unless a tracer, a debugger or
//! `sys.monitoring` is on. `next(iterator)`, a `for` loop and so on hand it to the code that
//! catches it. Only the current instruction of the current frame distinguishes the two, and no
//! public function returns it without making an object. So frames are read directly. The layout is
//! verified at import: an iterator of this file is awaited and called by hand. Unless each case was
//! recognised, [`Unpacker::current`] always says no, which is always correct and only costs time.

use std::cell::Cell;
use std::ffi::c_void;

use pyo3::ffi;
use pyo3::prelude::*;

use super::attached::attached;
use super::class::ClassBuilder;
use super::error::{Raised, Result};
use super::making::{self, ByName as _, Enter as _};
use super::object::Object;
use super::trap::trap;

/// The word of a thread's state that leads to the current frame. In 3.12 it names a C frame, which
/// begins with that.
const CURRENT_FRAME: usize = if cfg!(Py_3_13) { 9 } else { 7 };
/// The word of a thread's state that is the exception being raised, if one is.
const CURRENT_EXCEPTION: usize = CURRENT_FRAME + 5;

/// In a frame object, the word that names the interpreter's own frame.
const FRAME_OF_OBJECT: usize = 3;
/// In the interpreter's frame, the word that names the current instruction.
const INSTRUCTION: usize = 7;
/// In a code object, the word of its `co_qualname`.
const QUALIFIED_NAME: usize = 16;
/// In a code object, the word that counts how often the interpreter's tracing and monitoring had
/// changed when the code was last gone on with.
const INSTRUMENTATION: usize = if cfg!(Py_3_13) { 21 } else { 20 };

/// `SEND`, and what it becomes where generators were awaited; zeroes, which are the opcode of no
/// instruction, until the places were verified.
struct Opcodes(Cell<[u8; 2]>);

// SAFETY: used with the GIL held only.
unsafe impl Sync for Opcodes {}

static SEND: Opcodes = Opcodes(Cell::new([0, 0]));

/// A thread in which the interpreter is about to unpack the raised exception, unseen by other code.
pub struct Unpacker(*mut *mut ffi::PyObject);

impl Unpacker {
    /// The calling thread, if its interpreter is in an `await`, a `yield from` or the like, with no
    /// tracer that would see what it unpacks.
    #[inline]
    pub fn current() -> Option<Self> {
        // SAFETY: the GIL is held, so there is a thread state. Asked first, or what is read before
        // would have to be kept during the call.
        let state = unsafe { ffi::PyThreadState_Get() };
        let send = SEND.0.get();
        if send[0] == 0 {
            return None;
        }
        // SAFETY: the places were verified at import.
        unsafe { Self::at(state, send) }
    }

    /// # Safety
    /// The places of this file are those of the running interpreter.
    #[inline]
    unsafe fn at(state: *mut ffi::PyThreadState, send: [u8; 2]) -> Option<Self> {
        // SAFETY: a frame that is current and at a `SEND`
        // is one of Python code, and its first word names the code, with a mark in the lowest bits.
        unsafe {
            let state = state.cast::<*mut ffi::PyObject>();
            let frame = frame_of(state);
            if frame.is_null() {
                return None;
            }
            let opcode = frame.add(INSTRUCTION).cast::<*const u8>().read().read();
            if opcode != send[0] && opcode != send[1] {
                return None;
            }
            let code = frame.read().map_addr(|address| address & !3);
            let is_unseen = code.cast::<usize>().add(INSTRUMENTATION).read() == 0
                && state.add(CURRENT_EXCEPTION).read().is_null();
            is_unseen.then_some(Self(state))
        }
    }

    /// Raises `exception`, as `PyErr_SetRaisedException` does, which looks for the thread anew.
    ///
    /// # Safety
    /// Nothing was called since [`current`](Self::current), and the reference is handed over.
    #[inline]
    pub unsafe fn raise(self, exception: *mut ffi::PyObject) {
        // SAFETY: the place was verified, and it is empty.
        unsafe { self.0.add(CURRENT_EXCEPTION).write(exception) };
    }
}

/// The current frame, or null.
///
/// # Safety
/// `state` is this thread's, with [`CURRENT_FRAME`] where it is in the running interpreter.
#[inline]
unsafe fn frame_of(state: *mut *mut ffi::PyObject) -> *const *const c_void {
    // SAFETY: passed on from the caller. In 3.12 the C frame is never null.
    unsafe {
        let place = state.add(CURRENT_FRAME).read();
        if cfg!(Py_3_13) {
            place.cast()
        } else {
            place.cast::<*const *const c_void>().read()
        }
    }
}

/// The address of the instruction that the current frame of Python code is at, or was at when it
/// called into C. `None` where the places were not found, or no frame is current.
///
/// In frames that the interpreter puts in between for C it is the address of something else, which
/// no code object has.
#[inline]
pub fn current_instruction() -> Option<usize> {
    if SEND.0.get()[0] == 0 {
        return None;
    }
    // SAFETY: the GIL is held, so there is a thread state, and the places were verified at import.
    unsafe {
        let frame = frame_of(ffi::PyThreadState_Get().cast());
        (!frame.is_null()).then(|| frame.add(INSTRUCTION).cast::<usize>().read())
    }
}

/// Whether the places were found.
pub fn is_known() -> bool {
    SEND.0.get() != [0, 0]
}

/// Finds the places and tries them out. Called once, by the module's import. If the program is
/// already traced or monitored, nothing is found.
pub fn find_await_site(py: Python<'_>) -> PyResult<()> {
    let opcodes = making::import(py, c"dis")?
        .look_up_optional("_all_opmap")?
        .map(|opcodes| -> PyResult<[u8; 2]> {
            Ok([
                opcodes.get_item("SEND")?.extract()?,
                opcodes.get_item("SEND_GEN")?.extract()?,
            ])
        });
    let Some(Ok(send)) = opcodes else {
        return Ok(());
    };
    // SAFETY: a complete class without members; its instances have nothing but the header.
    let probe = unsafe {
        let class = ClassBuilder::<ffi::PyObject>::new(c"greenloop.Probe")
            .collected_as_base()
            .slot(ffi::Py_tp_iter, itself as *mut c_void)
            .slot(ffi::Py_am_await, itself as *mut c_void)
            .slot(ffi::Py_tp_iternext, next as *mut c_void)
            .build(None)?;
        Object::from_returned(ffi::PyObject_CallNoArgs(class.as_ptr()))?
    };
    TRIAL.set(Some(Trial::new(send)));
    let outcome = ask_in_all_ways(py, &probe);
    let trial = TRIAL.take();
    outcome?;
    if trial.is_some_and(Trial::succeeded) && finds_exceptions(py)? {
        SEND.0.set(send);
    }
    Ok(())
}

/// Awaits `probe` twice and then asks it twice by hand.
fn ask_in_all_ways(py: Python<'_>, probe: &Object) -> PyResult<()> {
    let program = c"
async def await_it():
    await probe
def delegate():
    yield from probe
for waiting in (await_it(), delegate()):
    try:
        waiting.send(None)
    except StopIteration:
        pass
next(probe, None)
for _ in probe:
    pass
";
    let names = making::dict(py)?;
    names.enter("probe", probe)?;
    py.run(program, Some(&names), None)
}

/// The expected answers about the probe, one time after the other.
const EXPECTED: [bool; 4] = [true, true, false, false];

thread_local! {
    static TRIAL: Cell<Option<Trial>> = const { Cell::new(None) };
}

/// The findings of the probe.
#[derive(Clone, Copy)]
struct Trial {
    send: [u8; 2],
    asked: usize,
    fits: bool,
}

impl Trial {
    const fn new(send: [u8; 2]) -> Self {
        Self {
            send,
            asked: 0,
            fits: true,
        }
    }

    /// Looks at the place from which the probe is called.
    fn look(&mut self) -> Result<()> {
        // SAFETY: the GIL is held, so there is a thread state; the frame object is borrowed from
        // the running frame and has more words than that.
        let (state, frame, code) = unsafe {
            let object = ffi::PyEval_GetFrame();
            if object.is_null() {
                return Ok(());
            }
            let code = Object::from_returned(ffi::PyFrame_GetCode(object).cast())?;
            let frame = object.cast::<*const c_void>().add(FRAME_OF_OBJECT).read();
            let state = ffi::PyThreadState_Get().cast::<*mut ffi::PyObject>();
            (state, frame, code)
        };
        let py = attached();
        let name = code.bound(py).look_up("co_qualname")?;
        // SAFETY: states and code objects have more words than those. A frame is looked into only
        // if it is the current one, and code only if it is where the frame says.
        self.fits = self.fits
            && unsafe {
                let word = code
                    .as_ptr()
                    .cast::<*mut ffi::PyObject>()
                    .add(QUALIFIED_NAME);
                frame_of(state).cast::<c_void>() == frame
                    && word.read() == name.as_ptr()
                    && frame.cast::<usize>().read() & !3 == code.as_ptr().addr()
                    && EXPECTED.get(self.asked)
                        == Some(&Unpacker::at(state.cast(), self.send).is_some())
            };
        self.asked += 1;
        Ok(())
    }

    fn succeeded(self) -> bool {
        self.fits && self.asked == EXPECTED.len()
    }
}

/// Whether an exception that is being raised is where it is looked for.
fn finds_exceptions(py: Python<'_>) -> PyResult<bool> {
    let class = py.get_type::<pyo3::exceptions::PyStopIteration>();
    let exception = class.call0()?;
    // SAFETY: the GIL is held, so there is a thread state, which has more words than that. No
    // exception is set, the one that is set here is taken back, and a reference goes each way.
    unsafe {
        let place = ffi::PyThreadState_Get()
            .cast::<*mut ffi::PyObject>()
            .add(CURRENT_EXCEPTION);
        let before = place.read_volatile();
        ffi::PyErr_SetRaisedException(exception.clone().into_ptr());
        let during = place.read_volatile();
        drop(Object::from_returned(ffi::PyErr_GetRaisedException())?);
        let after = place.read_volatile();
        Ok(during == exception.as_ptr() && before.is_null() && after.is_null())
    }
}

unsafe extern "C" fn itself(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the slot is called on a valid object.
    unsafe { Object::from_borrowed(this) }.into_ptr()
}

/// Ends at once, having looked around.
unsafe extern "C" fn next(_this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    trap(|| {
        if let Some(mut trial) = TRIAL.get() {
            trial.look()?;
            TRIAL.set(Some(trial));
        }
        // NULL without an exception says that the iterator ended.
        Err(Raised)
    })
}
