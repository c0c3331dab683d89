//! The edge to CPython: everything here talks to the C API so that the extension need not.
//!
//! Why not PyO3's own types on the hot path? A `Py<T>` looks up a thread-local counter whenever it
//! is dropped, and a `#[pyclass]` has neither a freelist nor a base class whose size is known only
//! at import. So hot types are plain C structs made of [`Slot`]s, and hot functions pass
//! [`Object`]s. Cold code uses PyO3 as usual.
//!
//! One rule makes this sound: **every function of this crate is called with the GIL held**, which a
//! build without the GIL cannot promise and therefore refuses to import. [`initialise`] comes
//! first.
//!
//! It knows CPython, and nothing of asyncio.

#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the C API counts in signed words what is never negative"
)]

mod attached;
mod audit;
#[cfg(all(Py_3_12, not(Py_3_15)))]
mod await_site;
mod bound_function;
#[cfg(not(Py_3_14))]
mod bound_method;
mod buffer;
mod call;
mod class;
mod class_cell;
mod class_version;
mod context;
mod context_layout;
mod copying;
mod coroutine;
mod coroutine_wrapper;
#[cfg(not(Py_3_14))]
mod dict_entry;
mod error;
mod exceptions;
mod freelist;
#[cfg(any(not(Py_3_12), Py_3_13))]
mod function_class;
mod gc;
mod gil_cell;
mod instance;
mod iteration;
pub mod making;
mod methods;
mod names;
mod native_function;
mod nesting;
mod number;
mod object;
mod operators;
mod prefetch;
mod replaceable;
mod sent_exception;
mod slot;
mod stack;
mod stop_iteration;
mod thread;
mod thread_exit;
mod trap;
mod wrong_arguments;

use pyo3::prelude::*;

pub use attached::attached;
pub use audit::audit;
pub use bound_function::BoundFunction;
#[cfg(not(Py_3_14))]
pub use bound_method::bind_entering_cheaply;
pub use buffer::{Buffer, Bytes};
pub use call::{
    Arguments, call_function, call_method, call_method_keywords, call_with_context,
    call_with_tuple, initialise_with, same_string, type_error,
};
pub use class::{ClassBuilder, add_to_module};
pub use class_cell::ClassCell;
pub use class_version::{LastingClass, UNKNOWN_VERSION};
pub use context::{ContextSlot, copy_context};
pub use copying::{reducing, set_state, state_of};
pub use coroutine::{Resumed, resume, throw};
#[cfg(not(Py_3_14))]
pub use dict_entry::DictEntry;
pub use error::{
    Raised, Result, check_signals, clear, fetch, is_exception, is_of_class, is_raised, matches,
    no_attribute, raise, raise_anything, raise_bare, raise_object, raise_value,
    raise_while_handling, report_unraisable, restore, take_raised,
};
pub use exceptions::{AsExceptionClass, ExceptionClass};
pub use freelist::{Freelist, attributes_are_untouched};
pub use gc::{Stop, Visited, Visitor, answer, traverse};
pub use gil_cell::GilCell;
pub use instance::{Held, Instance, class_of};
pub use iteration::{Iteration, Next, coroutine, iterated, thrown};
pub use methods::{Getter, Initialiser, Setter, Unary, method_fast, method_noargs, method_o};
pub use native_function::{enter_method_natively, enter_natively};
pub use nesting::deallocate;
pub use number::saturating_float;
pub use object::Object;
pub use operators::Comparison;
pub use prefetch::prefetch;
pub use replaceable::MONOTONIC;
pub use sent_exception::raise_sent_exception;
pub use slot::{Slot, visit_slots};
pub use stack::{ensure_room, recursion_error};
pub use thread::current_thread;
pub use thread_exit::{guarded, restore_thread};
pub use trap::{trap, trap_int, trap_leaf};
pub use wrong_arguments::Signature;

/// Looks up the edge's names, verifies its knowledge of the interpreter's insides, and makes its
/// classes. Called once, by the module's import, before anything else.
pub fn initialise(py: Python<'_>) -> PyResult<()> {
    names::initialise()?;
    context_layout::find_context_layout(py)?;
    sent_exception::find_sent_exceptions(py)?;
    replaceable::watch_names(py)?;
    #[cfg(all(Py_3_12, not(Py_3_15)))]
    {
        await_site::find_await_site(py)?;
        stop_iteration::make_class()?;
    }
    #[cfg(not(Py_3_14))]
    {
        dict_entry::verify_dict_layout(py)?;
        bound_method::make_classes()?;
    }
    coroutine_wrapper::make_class()?;
    Ok(())
}
