//! Reading the arguments that Python calls us with, and passing them on.

use std::ffi::{CStr, c_int};
use std::slice;

use pyo3::ffi;

use super::attached::attached;
use super::error::{Raised, Result, raise};
use super::exceptions::ExceptionClass;
use super::object::Object;
use super::stack::ensure_room;
use super::thread_exit::{vectorcall, vectorcall_method};
use super::trap::trap_int;
use super::wrong_arguments::Signature;

/// `receiver.name(*arguments, **keywords)`: the last `keywords` arguments are named by `names`.
#[inline]
fn call_method_keywords(
    name: &Object,
    arguments: &[*mut ffi::PyObject],
    keywords: usize,
    names: Option<&Object>,
) -> Result<Object> {
    // SAFETY: the receiver and each argument are valid for the call; `names` is a tuple of as many
    // strings as there are keywords.
    unsafe {
        Object::from_returned(vectorcall_method(
            name.as_ptr(),
            arguments.as_ptr(),
            arguments.len() - keywords,
            names.map_or(std::ptr::null_mut(), Object::as_ptr),
        ))
    }
}

/// `context.run(callback, *arguments)`.
///
/// # Safety
/// `arguments` points behind one free place, which the callee may use, to `count` valid objects.
#[inline]
pub unsafe fn call_with_context(
    context: &Object,
    callback: &Object,
    arguments: *const *mut ffi::PyObject,
    count: usize,
) -> Result<Object> {
    // SAFETY: the caller keeps all objects valid; Enter and Exit are paired, and Exit of the
    // context that was entered last cannot fail.
    unsafe {
        if ffi::PyContext_CheckExact(context.as_ptr()) == 0 {
            return run_in_other_context(context, callback, arguments, count);
        }
        if ffi::PyContext_Enter(context.as_ptr()) < 0 {
            return Err(Raised);
        }
        let result = vectorcall(
            callback.as_ptr(),
            arguments,
            count | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET,
            std::ptr::null_mut(),
        );
        if ffi::PyContext_Exit(context.as_ptr()) < 0 {
            ffi::Py_XDECREF(result);
            return Err(Raised);
        }
        Object::from_returned(result)
    }
}

/// `context.run(callback, *arguments)` by name, for an object that is no `contextvars.Context`:
/// asyncio asks for nothing but a method `run`.
#[cold]
unsafe fn run_in_other_context(
    context: &Object,
    callback: &Object,
    arguments: *const *mut ffi::PyObject,
    count: usize,
) -> Result<Object> {
    let mut all = vec![context.as_ptr(), callback.as_ptr()];
    if count > 0 {
        // SAFETY: the caller promises `count` valid objects.
        all.extend_from_slice(unsafe { slice::from_raw_parts(arguments, count) });
    }
    call_method_keywords(&super::names::names().run, &all, 0, None)
}

/// The arguments of a `METH_FASTCALL | METH_KEYWORDS` function.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    positional: &'a [Object],
    keywords: &'a [Object],
    names: *mut ffi::PyObject,
}

impl<'a> Arguments<'a> {
    /// Reads the three words of the calling convention.
    ///
    /// # Safety
    /// They are the interpreter's arguments, and `'a` ends with the call.
    pub unsafe fn new(
        values: *const *mut ffi::PyObject,
        positional: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> Self {
        // SAFETY: `values` holds the positional arguments, then one value for each name; an Object
        // is a transparent pointer, seen here through a shared reference that never drops it.
        unsafe {
            let keywords = if names.is_null() {
                0
            } else {
                ffi::PyTuple_GET_SIZE(names) as usize
            };
            let positional = positional as usize;
            if positional + keywords == 0 {
                return Self {
                    positional: &[],
                    keywords: &[],
                    names,
                };
            }
            let all = slice::from_raw_parts(values.cast::<Object>(), positional + keywords);
            let (positional, keywords) = all.split_at(positional);
            Self {
                positional,
                keywords,
                names,
            }
        }
    }

    /// The argument, if there is exactly one and it is given by place.
    #[inline]
    pub fn only(&self) -> Option<&'a Object> {
        match self.positional {
            [argument] if self.keywords.is_empty() => Some(argument),
            _ => None,
        }
    }

    /// The argument of a function that takes exactly one, by place or by the name of its parameter.
    /// Errors are worded as by [`bind`](Self::bind).
    #[inline]
    pub fn single(&self, function: &CStr, parameter: &Object) -> Result<&'a Object> {
        match self.only() {
            Some(argument) => Ok(argument),
            None => self.single_by_name(function, parameter),
        }
    }

    #[cold]
    fn single_by_name(&self, function: &CStr, parameter: &Object) -> Result<&'a Object> {
        let [argument] = self.bind(function, [parameter], 1, 1)?;
        argument.ok_or_else(|| type_error("an argument is missing"))
    }

    /// The positional arguments.
    #[inline]
    pub const fn positional(&self) -> &'a [Object] {
        self.positional
    }

    /// Whether all arguments were given by place.
    #[inline]
    pub const fn has_no_keywords(&self) -> bool {
        self.keywords.is_empty()
    }

    /// Each keyword argument: its name and its value.
    #[inline]
    pub fn keywords(&self) -> impl Iterator<Item = (&'a Object, &'a Object)> + use<'a> {
        let names = self.names;
        self.keywords.iter().enumerate().map(move |(index, value)| {
            // SAFETY: the tuple of names has an entry for each value and outlives the call.
            let name = unsafe {
                let items = &raw const (*names.cast::<ffi::PyTupleObject>()).ob_item;
                &*items.cast::<Object>().add(index)
            };
            (name, value)
        })
    }

    /// `receiver.name(...)` with these same arguments.
    #[inline]
    pub fn forward(&self, name: &Object, receiver: &Object) -> Result<Object> {
        let all = [
            std::slice::from_ref(receiver),
            self.positional,
            self.keywords,
        ];
        let all: Vec<_> = all.into_iter().flatten().map(Object::as_ptr).collect();
        // SAFETY: `names` is null or the tuple of names, valid for the call.
        let names = (!self.names.is_null()).then(|| unsafe { Object::from_borrowed(self.names) });
        call_method_keywords(name, &all, self.keywords.len(), names.as_ref())
    }

    /// `function(receiver, ...)` with these same arguments.
    pub fn forward_to(&self, function: &Object, receiver: &Object) -> Result<Object> {
        let all = [
            std::slice::from_ref(receiver),
            self.positional,
            self.keywords,
        ];
        let all: Vec<_> = all.into_iter().flatten().map(Object::as_ptr).collect();
        // SAFETY: all are valid for the call; `names` is null or the tuple of the last ones' names.
        unsafe {
            Object::from_returned(vectorcall(
                function.as_ptr(),
                all.as_ptr(),
                all.len() - self.keywords.len(),
                self.names,
            ))
        }
    }

    /// `function(...)` with these same arguments.
    pub fn pass_to(&self, function: &Object) -> Result<Object> {
        let all: Vec<_> = self
            .positional
            .iter()
            .chain(self.keywords)
            .map(Object::as_ptr)
            .collect();
        // SAFETY: all are valid for the call; `names` is null or the tuple of the last ones' names.
        unsafe {
            let count = self.positional.len();
            Object::from_returned(vectorcall(
                function.as_ptr(),
                all.as_ptr(),
                count,
                self.names,
            ))
        }
    }

    /// Distributes the arguments over named parameters, of which the first `positional` may be
    /// given by place and the first `required` must be given. `function` is its name in asyncio,
    /// with the class before a method's. Errors are worded like those of a function written in
    /// Python.
    #[inline]
    pub fn bind<const N: usize>(
        &self,
        function: &CStr,
        parameters: [&Object; N],
        positional: usize,
        required: usize,
    ) -> Result<[Option<&'a Object>; N]> {
        if let Some(bound) = self.required_by_place(positional, required) {
            return Ok(bound);
        }
        self.bind_all(function, parameters, positional, required)
    }

    /// Distributes the arguments of most calls, which are the required ones, by place.
    #[inline]
    fn required_by_place<const N: usize>(
        &self,
        positional: usize,
        required: usize,
    ) -> Option<[Option<&'a Object>; N]> {
        let plain = self.keywords.is_empty() && self.positional.len() == required;
        if !plain || required > positional {
            return None;
        }
        let mut bound = [None; N];
        for (place, value) in bound.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        Some(bound)
    }

    fn bind_all<const N: usize>(
        &self,
        function: &CStr,
        parameters: [&Object; N],
        positional: usize,
        required: usize,
    ) -> Result<[Option<&'a Object>; N]> {
        let signature = Signature {
            name: function,
            parameters: &parameters,
            positional,
            required,
        };
        // The names may be compared by code of the program's.
        ensure_room()?;
        let mut bound = [None; N];
        let by_place = self.positional.iter().take(positional);
        for (place, value) in bound.iter_mut().zip(by_place) {
            *place = Some(value);
        }
        for (name, value) in self.keywords() {
            let Some(index) = index_of(name, &parameters) else {
                return Err(signature.unexpected(name));
            };
            if bound[index].replace(value).is_some() {
                return Err(signature.twice(name));
            }
        }
        if self.positional.len() > positional {
            let by_name = bound.iter().skip(positional).flatten().count();
            return Err(signature.too_many(self.positional.len(), by_name));
        }
        let missing: Vec<_> = (0..required).filter(|&i| bound[i].is_none()).collect();
        if missing.is_empty() {
            Ok(bound)
        } else {
            Err(signature.missing(&missing))
        }
    }

    /// As [`bind`](Self::bind), with the words of a function that asyncio has in C.
    #[inline]
    pub fn bind_natively<const N: usize>(
        &self,
        function: &CStr,
        parameters: [&Object; N],
        positional: usize,
        required: usize,
    ) -> Result<[Option<&'a Object>; N]> {
        if let Some(bound) = self.required_by_place(positional, required) {
            return Ok(bound);
        }
        self.bind_all_natively(function, parameters, positional, required)
    }

    fn bind_all_natively<const N: usize>(
        &self,
        function: &CStr,
        parameters: [&Object; N],
        positional: usize,
        required: usize,
    ) -> Result<[Option<&'a Object>; N]> {
        let name = function.to_string_lossy();
        let plural = |number: usize| if number == 1 { "" } else { "s" };
        let given = self.positional.len() + self.keywords.len();
        if given > N {
            return Err(type_error(&format!(
                "{name}() takes at most {N} argument{} ({given} given)",
                plural(N)
            )));
        }
        if self.positional.len() > positional {
            let given = self.positional.len();
            return Err(type_error(&match positional {
                0 => format!("{name}() takes no positional arguments"),
                _ => format!(
                    "{name}() takes at most {positional} positional argument{} ({given} given)",
                    plural(positional)
                ),
            }));
        }
        let mut bound = [None; N];
        for (place, value) in bound.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        for (name_given, value) in self.keywords() {
            let Some(index) = index_of(name_given, &parameters) else {
                return Err(type_error(&format!(
                    "{name}() got an unexpected keyword argument {}",
                    quoted(name_given)
                )));
            };
            if bound[index].replace(value).is_some() {
                return Err(type_error(&format!(
                    "argument for {name}() given by name ({}) and position ({})",
                    quoted(name_given),
                    index + 1
                )));
            }
        }
        if let Some(missing) = bound[..required].iter().position(Option::is_none) {
            return Err(type_error(&format!(
                "{name}() missing required argument {} (pos {})",
                quoted(parameters[missing]),
                missing + 1
            )));
        }
        Ok(bound)
    }
}

/// The place of a keyword among the parameters.
fn index_of(name: &Object, parameters: &[&Object]) -> Option<usize> {
    let by_identity = parameters
        .iter()
        .position(|parameter| parameter.is(name.as_ptr()));
    by_identity.or_else(|| {
        parameters
            .iter()
            .position(|parameter| same_string(parameter, name))
    })
}

/// Runs an `__init__` that is written for the vectorcall convention from the slot that is not.
///
/// # Safety
/// Called from `tp_init` with the arguments it was given.
pub unsafe fn initialise_with(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
    body: impl FnOnce(&Object, Arguments<'_>) -> Result<()>,
) -> c_int {
    trap_int(|| {
        // SAFETY: the tuple and the dict live through the call, and so do the references copied out
        // of them, which stand in one array as the vectorcall convention has it.
        unsafe {
            let this = Object::from_borrowed(this);
            let count = ffi::PyTuple_GET_SIZE(args);
            let mut values: Vec<_> = (0..count).map(|i| ffi::PyTuple_GET_ITEM(args, i)).collect();
            let mut names = None;
            if !kwargs.is_null() && ffi::PyDict_Size(kwargs) > 0 {
                let (keys, size) = (ffi::PyDict_Keys(kwargs), ffi::PyDict_Size(kwargs));
                let keys = Object::from_returned(keys)?;
                let keys = Object::from_returned(ffi::PyList_AsTuple(keys.as_ptr()))?;
                for index in 0..size {
                    let key = ffi::PyTuple_GET_ITEM(keys.as_ptr(), index);
                    let value = ffi::PyDict_GetItemWithError(kwargs, key);
                    if value.is_null() {
                        return Err(Raised);
                    }
                    values.push(value);
                }
                names = Some(keys);
            }
            let names = names.as_ref().map_or(std::ptr::null_mut(), Object::as_ptr);
            body(&this, Arguments::new(values.as_ptr(), count, names))
        }
    })
}

/// Whether two strings are equal. Names in source code are interned, so that the first test
/// decides; some of C code are not, among them those of asyncio itself. An object that is no string
/// equals itself only: a call of a class may give keywords such names.
#[inline]
pub fn same_string(left: &Object, right: &Object) -> bool {
    left.same_as(right) || same_text(left, right)
}

fn same_text(left: &Object, right: &Object) -> bool {
    // SAFETY: both are valid objects, and compared if both are tested to be strings: that raises
    // nothing.
    unsafe {
        ffi::PyUnicode_Check(left.as_ptr()) != 0
            && ffi::PyUnicode_Check(right.as_ptr()) != 0
            && ffi::PyUnicode_Compare(left.as_ptr(), right.as_ptr()) == 0
    }
}

fn quoted(name: &Object) -> String {
    let py = attached();
    format!("'{}'", name.bound(py))
}

/// Sets a `TypeError`.
#[inline]
pub fn type_error(text: &str) -> Raised {
    match std::ffi::CString::new(text) {
        Ok(text) => raise(ExceptionClass::TypeError, &text),
        Err(_) => raise(
            ExceptionClass::TypeError,
            c"an argument's name contains a NUL",
        ),
    }
}
