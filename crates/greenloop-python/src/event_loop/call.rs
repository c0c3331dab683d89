//! The arguments of `call_soon` and its kin, taken apart, and the errors about wrong ones.
//!
//! The frequent form, a callback and arguments by place, is taken apart without a copy: a [`Call`]
//! borrows everything from the caller's arguments. Keywords are compared as strings, by identity
//! first. The errors have the words of the interpreter for a Python function of that signature,
//! since asyncio's methods are such functions.

use std::ffi::CStr;

use greenloop_cpython::{Arguments, Object, Raised, Result, Signature, making, same_string};

use crate::asyncio::globals;

/// `callback, *args, context=None`, taken apart.
pub struct Call<'a> {
    /// Any object: whether it can be called shows when it is called, as in asyncio.
    pub callback: &'a Object,
    /// Those behind the callback, for the handle to keep.
    pub arguments: &'a [Object],
    /// None, and the object None, stand for a copy of the current context.
    pub context: Option<&'a Object>,
}

impl<'a> Call<'a> {
    /// Parses the arguments of `function`, which may have a parameter before the callback.
    ///
    /// Raises a `TypeError` for a missing callback and for unknown keywords. Runs no code of the
    /// program.
    #[inline]
    pub fn parse(
        function: &CStr,
        arguments: &Arguments<'a>,
        leading: Option<&Object>,
    ) -> Result<Self> {
        match arguments.positional().get(usize::from(leading.is_some())..) {
            Some([callback, others @ ..]) if arguments.has_no_keywords() => Ok(Self {
                callback,
                arguments: others,
                context: None,
            }),
            _ => Self::parse_keywords(function, arguments, leading),
        }
    }

    /// The general form. A keyword for the leading parameter is passed over, as [`leading`] reads
    /// it.
    #[inline(never)]
    fn parse_keywords(
        function: &CStr,
        arguments: &Arguments<'a>,
        leading: Option<&Object>,
    ) -> Result<Self> {
        let place = usize::from(leading.is_some());
        let mut callback = arguments.positional().get(place);
        let mut context = None;
        let names = &globals().names;
        for (name, value) in arguments.keywords() {
            if same_string(&names.context, name) {
                context = Some(value);
            } else if callback.is_none() && same_string(&names.callback, name) {
                callback = Some(value);
            } else if !leading.is_some_and(|leading| same_string(leading, name)) {
                return Err(refuse_call(function, arguments, leading));
            }
        }
        let callback = callback.ok_or_else(|| refuse_call(function, arguments, leading))?;
        let arguments = arguments.positional().get(place + 1..).unwrap_or_default();
        Ok(Self {
            callback,
            arguments,
            context,
        })
    }
}

/// The parameter before the callback, by place or by name.
///
/// Raises a `TypeError` where it is missing.
pub fn leading<'a>(
    arguments: &Arguments<'a>,
    function: &CStr,
    parameter: &Object,
) -> Result<&'a Object> {
    if let Some(first) = arguments.positional().first() {
        return Ok(first);
    }
    let named = arguments
        .keywords()
        .find(|(name, _)| same_string(parameter, name));
    named
        .map(|(_, value)| value)
        .ok_or_else(|| refuse_call(function, arguments, Some(parameter)))
}

/// The error about wrong arguments of `call_soon` and its like, some of which have a parameter
/// before the callback.
#[cold]
fn refuse_call(function: &CStr, arguments: &Arguments<'_>, leading: Option<&Object>) -> Raised {
    let names = &globals().names;
    let parameters: Vec<&Object> = leading
        .into_iter()
        .chain([&names.callback, &names.context])
        .collect();
    let required = parameters.len() - 1;
    let signature = Signature {
        name: function,
        parameters: &parameters,
        positional: required,
        required,
    };
    let is_known = |name: &Object| parameters.iter().any(|known| same_string(known, name));
    if let Some((name, _)) = arguments.keywords().find(|(name, _)| !is_known(name)) {
        return signature.unexpected(name);
    }
    let is_named = |index: usize| {
        arguments
            .keywords()
            .any(|(name, _)| same_string(parameters[index], name))
    };
    let given = arguments.positional().len();
    let missing: Vec<_> = (given..required).filter(|&i| !is_named(i)).collect();
    signature.missing(&missing)
}

/// Refuses, in debug mode, an object that cannot be a callback, as the running asyncio does.
///
/// By the loop's `_check_callback`, which raises a `TypeError` for coroutines, coroutine functions
/// and what is not callable. `function` is the name in its message.
pub fn check_callback(this: &Object, callback: &Object, function: &str) -> Result<()> {
    let function = making::text(function)?;
    this.invoke(&globals().names.check_callback, [callback, &function])
        .map(drop)
}
