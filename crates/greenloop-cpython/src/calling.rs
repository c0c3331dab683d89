//! Calling objects and their methods.
//!
//! The arguments of most calls stand in an array whose length is known, so that nothing is
//! allocated and the compiler counts them.
//!
//! All of them follow the vectorcall protocol (PEP 590). `call…` calls an object, `invoke…` a
//! method by its name, for which no bound method is made where the interpreter can avoid it. Each
//! runs arbitrary code, raises what that raises, and returns a new reference. The caller's
//! references to the arguments keep these alive meanwhile.

use std::ptr;

use pyo3::ffi;

use super::call::type_error;
use super::error::Result;
use super::making;
use super::object::Object;
use super::thread_exit::{call, vectorcall, vectorcall_method};

/// The names of the last `N` arguments of a call.
pub struct Keywords<const N: usize>(Object);

impl<const N: usize> Keywords<N> {
    /// The names, interned.
    ///
    /// Made once and kept: the callee compares the names by identity first.
    pub fn new(names: [&'static std::ffi::CStr; N]) -> Result<Self> {
        let names = names.into_iter().map(making::interned);
        Ok(Self(making::tuple(names.collect::<Result<_>>()?)?))
    }
}

impl Object {
    /// `self(*arguments)`
    #[inline]
    pub fn call<const N: usize>(&self, arguments: [&Object; N]) -> Result<Object> {
        let pointers = arguments.map(Object::as_ptr);
        // SAFETY: the function and each argument are valid for the call.
        unsafe {
            Object::from_returned(vectorcall(
                self.as_ptr(),
                pointers.as_ptr(),
                N,
                ptr::null_mut(),
            ))
        }
    }

    /// As [`call`](Self::call), with any number of arguments.
    ///
    /// Allocates a vector for the pointers.
    pub fn call_with(&self, arguments: &[&Object]) -> Result<Object> {
        let pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
        // SAFETY: the function and each argument are valid for the call.
        unsafe {
            Object::from_returned(vectorcall(
                self.as_ptr(),
                pointers.as_ptr(),
                pointers.len(),
                ptr::null_mut(),
            ))
        }
    }

    /// `self(*arguments)` with a tuple that exists: a function that takes one is called without
    /// memory. Any other object raises.
    pub fn call_with_tuple(&self, arguments: &Object) -> Result<Object> {
        if arguments.tuple_items().is_none() {
            return Err(type_error("a tuple was expected"));
        }
        // SAFETY: the function is valid, and the arguments are a tuple.
        unsafe {
            let result = call(self.as_ptr(), arguments.as_ptr(), ptr::null_mut());
            Object::from_returned(result)
        }
    }

    /// `self.name(*arguments)`
    ///
    /// `name` is an interned string. Raises an `AttributeError` where there is no such method.
    #[inline]
    pub fn invoke<const N: usize>(&self, name: &Object, arguments: [&Object; N]) -> Result<Object> {
        let all = Joined([self.as_ptr()], arguments.map(Object::as_ptr));
        // SAFETY: the receiver and each argument are valid for the call, and stand one behind the
        // other.
        unsafe {
            Object::from_returned(vectorcall_method(
                name.as_ptr(),
                (&raw const all).cast(),
                N + 1,
                ptr::null_mut(),
            ))
        }
    }

    /// As [`invoke`](Self::invoke), with any number of arguments.
    pub fn invoke_with(&self, name: &Object, arguments: &[&Object]) -> Result<Object> {
        let arguments = arguments.iter().map(|argument| argument.as_ptr());
        let all: Vec<_> = [self.as_ptr()].into_iter().chain(arguments).collect();
        // SAFETY: the receiver and each argument are valid for the call.
        unsafe {
            Object::from_returned(vectorcall_method(
                name.as_ptr(),
                all.as_ptr(),
                all.len(),
                ptr::null_mut(),
            ))
        }
    }

    /// As [`invoke_named`](Self::invoke_named), with any number of arguments.
    pub fn invoke_with_named<const K: usize>(
        &self,
        name: &Object,
        arguments: &[&Object],
        keywords: &Keywords<K>,
        named: [&Object; K],
    ) -> Result<Object> {
        let count = 1 + arguments.len();
        let arguments = arguments.iter().chain(&named);
        let all: Vec<_> = [self.as_ptr()]
            .into_iter()
            .chain(arguments.map(|argument| argument.as_ptr()))
            .collect();
        // SAFETY: the receiver and each argument are valid for the call, and there is a name for
        // each of the last ones.
        unsafe {
            Object::from_returned(vectorcall_method(
                name.as_ptr(),
                all.as_ptr(),
                count,
                keywords.0.as_ptr(),
            ))
        }
    }

    /// `self.name(*arguments, **named)`
    #[inline]
    pub fn invoke_named<const N: usize, const K: usize>(
        &self,
        name: &Object,
        arguments: [&Object; N],
        keywords: &Keywords<K>,
        named: [&Object; K],
    ) -> Result<Object> {
        let all = Joined(
            [self.as_ptr()],
            Joined(arguments.map(Object::as_ptr), named.map(Object::as_ptr)),
        );
        // SAFETY: the receiver and each argument are valid for the call, and stand one behind the
        // other; there is a name for each of the last ones.
        unsafe {
            Object::from_returned(vectorcall_method(
                name.as_ptr(),
                (&raw const all).cast(),
                N + 1,
                keywords.0.as_ptr(),
            ))
        }
    }
}

impl Object {
    /// As [`invoke_named`](Self::invoke_named), with any number of arguments by place.
    pub fn invoke_all<const K: usize>(
        &self,
        name: &Object,
        arguments: &[&Object],
        keywords: &Keywords<K>,
        named: [&Object; K],
    ) -> Result<Object> {
        let arguments = arguments.iter().chain(&named);
        let arguments = arguments.map(|argument| argument.as_ptr());
        let all: Vec<_> = [self.as_ptr()].into_iter().chain(arguments).collect();
        // SAFETY: the receiver and each argument are valid for the call; there is a name for each
        // of the last ones.
        unsafe {
            Object::from_returned(vectorcall_method(
                name.as_ptr(),
                all.as_ptr(),
                all.len() - K,
                keywords.0.as_ptr(),
            ))
        }
    }
}

/// Two arrays of pointers, one behind the other.
#[repr(C)]
struct Joined<A, B>(A, B);

const _: () = assert!(
    size_of::<Joined<[*mut ffi::PyObject; 1], [*mut ffi::PyObject; 2]>>() == 3 * size_of::<usize>()
);
