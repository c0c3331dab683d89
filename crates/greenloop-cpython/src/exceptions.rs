//! The interpreter's own exception classes, and the sources that an exception can be raised from.

use pyo3::{Bound, PyAny, ffi};

use super::object::Object;

/// A name of an exception class: one of the interpreter's, or an object that is one.
///
/// # Safety
/// The pointer is a valid object for as long as `self` is one.
pub unsafe trait AsExceptionClass {
    /// The class, borrowed.
    fn class_pointer(self) -> *mut ffi::PyObject;
}

// SAFETY: the reference keeps the object valid.
unsafe impl AsExceptionClass for &Object {
    fn class_pointer(self) -> *mut ffi::PyObject {
        self.as_ptr()
    }
}

// SAFETY: as above.
unsafe impl AsExceptionClass for &Bound<'_, PyAny> {
    fn class_pointer(self) -> *mut ffi::PyObject {
        self.as_ptr()
    }
}

// SAFETY: the interpreter keeps these classes for ever.
unsafe impl AsExceptionClass for ExceptionClass {
    #[inline]
    fn class_pointer(self) -> *mut ffi::PyObject {
        self.as_ptr()
    }
}

macro_rules! exceptions {
    ($($name:ident = $pointer:ident,)*) => {
        /// A class of exceptions that the interpreter keeps for ever.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum ExceptionClass {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                $name,
            )*
        }

        impl ExceptionClass {
            /// The class, which is always valid.
            #[inline]
            pub fn as_ptr(self) -> *mut ffi::PyObject {
                // SAFETY: the interpreter sets these pointers before any module is imported, and
                // never again.
                unsafe {
                    match self {
                        $(Self::$name => ffi::$pointer,)*
                    }
                }
            }
        }
    };
}

exceptions! {
    AssertionError = PyExc_AssertionError,
    AttributeError = PyExc_AttributeError,
    BaseExceptionGroup = PyExc_BaseExceptionGroup,
    BlockingIOError = PyExc_BlockingIOError,
    BufferError = PyExc_BufferError,
    ConnectionAbortedError = PyExc_ConnectionAbortedError,
    ConnectionError = PyExc_ConnectionError,
    ConnectionResetError = PyExc_ConnectionResetError,
    Exception = PyExc_Exception,
    GeneratorExit = PyExc_GeneratorExit,
    ImportError = PyExc_ImportError,
    IndexError = PyExc_IndexError,
    InterruptedError = PyExc_InterruptedError,
    KeyError = PyExc_KeyError,
    KeyboardInterrupt = PyExc_KeyboardInterrupt,
    MemoryError = PyExc_MemoryError,
    NotImplementedError = PyExc_NotImplementedError,
    OSError = PyExc_OSError,
    OverflowError = PyExc_OverflowError,
    RecursionError = PyExc_RecursionError,
    RuntimeError = PyExc_RuntimeError,
    StopAsyncIteration = PyExc_StopAsyncIteration,
    StopIteration = PyExc_StopIteration,
    SystemError = PyExc_SystemError,
    SystemExit = PyExc_SystemExit,
    TimeoutError = PyExc_TimeoutError,
    TypeError = PyExc_TypeError,
    UnicodeEncodeError = PyExc_UnicodeEncodeError,
    ValueError = PyExc_ValueError,
}

impl ExceptionClass {
    /// The class as an object.
    pub fn object(self) -> Object {
        // SAFETY: the class is always valid.
        unsafe { Object::from_borrowed(self.as_ptr()) }
    }
}
