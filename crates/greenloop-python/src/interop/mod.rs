//! The edge to CPython: everything here talks to the C API so that the rest of the crate need not.
//!
//! Why not PyO3's own types on the hot path? A `Py<T>` looks up a thread-local counter whenever it
//! is dropped, and a `#[pyclass]` has neither a freelist nor a base class whose size is known only
//! at import. So hot types are plain C structs made of [`Slot`]s, and hot functions pass
//! [`Object`]s. Cold code uses PyO3 as usual.
//!
//! One rule makes this sound: **every function of this crate is called with the GIL held**, which a
//! build without the GIL cannot promise and therefore refuses to import.

mod audit;
#[cfg(all(Py_3_12, not(Py_3_15)))]
mod await_site;
mod bound_function;
#[cfg(not(Py_3_14))]
mod bound_method;
mod call;
mod class;
mod class_version;
mod context;
mod context_layout;
mod copying;
mod coroutine;
mod coroutine_wrapper;
mod creation_stack;
#[cfg(not(Py_3_14))]
mod dict_entry;
mod error;
mod freelist;
#[cfg(any(not(Py_3_12), Py_3_13))]
mod function_class;
mod gil_cell;
mod globals;
mod instance;
mod iteration;
pub mod making;
mod names;
mod native_function;
mod nesting;
mod number;
mod object;
mod prefetch;
mod replaceable;
mod running_loop;
mod sent_exception;
mod slot;
mod stack;
mod stop_iteration;
mod thread_exit;
mod wrong_arguments;

pub use audit::audit;
#[cfg(all(Py_3_12, not(Py_3_15)))]
pub use await_site::find_await_site;
pub use bound_function::BoundFunction;
#[cfg(not(Py_3_14))]
pub use bound_method::{
    bind_entering_cheaply, make_bound_class as make_bound_method_class,
    make_descriptor_class as make_cheaply_bound_class,
};
pub use call::{
    Arguments, call_function, call_method, call_method_keywords, call_with_context,
    call_with_tuple, initialise_with, same_string, type_error,
};
pub use class::{
    ClassBuilder, Getter, Setter, add_to_module, method_fast, method_noargs, method_o, trap,
    trap_int, trap_leaf,
};
pub(crate) use class::{attribute, fast, named, noargs, one};
pub use class_version::{UNKNOWN_VERSION, assign_version, version};
pub use context::ContextSlot;
pub use context_layout::find_context_layout;
pub(crate) use copying::copied;
pub use copying::{reducing, set_state, state_of};
pub use coroutine::{Resumed, is_coroutine, resume, throw};
pub use coroutine_wrapper::make_class as make_coroutine_wrapper_class;
pub use creation_stack::{creation_stack, imported, launcher_file};
#[cfg(not(Py_3_14))]
pub use dict_entry::{DictEntry, verify_dict_layout};
pub use error::{
    Raised, Result, fetch, is_cancellation, is_exception, matches, no_attribute, raise,
    raise_anything, raise_object, raise_while_handling, report_unraisable, restore,
};
pub use freelist::{Freelist, attributes_are_untouched};
pub use gil_cell::GilCell;
pub use globals::{ClassCell, Globals, globals, initialise};
pub use instance::{Held, Instance, class_of};
pub use iteration::{Iteration, Next, coroutine, iterated, thrown};
pub use native_function::{enter_method_natively, enter_natively};
pub use nesting::deallocate;
pub use number::saturating_float;
pub use object::Object;
pub use prefetch::prefetch;
pub use replaceable::{MONOTONIC, watch_names};
pub use running_loop::{current_loop, running_loop, running_loop_or_none};
pub use sent_exception::{find_sent_exceptions, raise_sent_exception};
pub use slot::{Slot, visit_slots};
pub use stack::{ensure_room, recursion_error};
#[cfg(all(Py_3_12, not(Py_3_15)))]
pub use stop_iteration::{
    make_class as make_stop_iteration_class, make_spare as make_spare_stop_iteration,
};
pub use thread_exit::{guarded, restore_thread};
pub use wrong_arguments::Signature;
