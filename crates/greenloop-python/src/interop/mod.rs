//! The edge to CPython: everything here talks to the C API so that the rest of the crate need not.
//!
//! Why not PyO3's own types on the hot path? A `Py<T>` looks up a thread-local counter whenever it
//! is dropped, and a `#[pyclass]` has neither a freelist nor a base class whose size is known only at
//! import. So hot types are plain C structs made of [`Slot`]s, and hot functions pass [`Object`]s.
//! Cold code uses PyO3 as usual.
//!
//! One rule makes this sound: **every function of this crate is called with the GIL held**, which a
//! build without the GIL cannot promise and therefore refuses to import.

mod audit;
mod bound_function;
#[cfg(not(Py_3_14))]
mod bound_method;
mod call;
mod class;
mod class_version;
mod context;
mod context_layout;
mod coroutine;
#[cfg(not(Py_3_14))]
mod dict_entry;
mod error;
mod freelist;
mod gil_cell;
mod globals;
mod instance;
mod iteration;
mod names;
#[cfg(Py_3_12)]
mod native_function;
mod nesting;
mod object;
mod prefetch;
mod slot;
mod stop_iteration;
mod thread_exit;

pub use audit::audit;
pub use bound_function::BoundFunction;
#[cfg(not(Py_3_14))]
pub use bound_method::{
    bind_entering_cheaply, make_bound_class as make_bound_method_class,
    make_descriptor_class as make_cheaply_bound_class,
};
pub use call::{
    Arguments, call_function, call_method, call_method_keywords, call_with_context,
    initialise_with, same_string, type_error,
};
pub use class::{
    ClassBuilder, Getter, Setter, add_to_module, method_fast, method_noargs, method_o, trap,
    trap_int,
};
pub(crate) use class::{attribute, fast, noargs, one};
pub use class_version::{SeenVersion, assign_version, version};
pub use context::ContextSlot;
pub use context_layout::find_context_layout;
pub use coroutine::{Resumed, is_coroutine, resume, throw};
#[cfg(not(Py_3_14))]
pub use dict_entry::{DictEntry, verify_dict_layout};
pub use error::{
    Raised, Result, context_of, fetch, is_cancellation, matches, raise, raise_object,
    raise_while_handling, report_unraisable, restore,
};
pub use freelist::{Freelist, attributes_are_untouched};
pub use gil_cell::GilCell;
pub use globals::{ClassCell, Globals, globals, initialise};
pub use instance::{Held, Instance, class_of};
pub use iteration::{Iteration, Next, awaited};
#[cfg(Py_3_12)]
pub use native_function::enter_natively;
pub use nesting::drop_contents;
pub use object::Object;
pub use prefetch::prefetch;
pub use slot::{Slot, visit_slots};
pub use stop_iteration::make_class as make_stop_iteration_class;
pub use thread_exit::{guarded, restore_thread};
