//! The edge to CPython: everything here talks to the C API so that the extension need not.
//!
//! Why not PyO3's own types on the hot path? A `Py<T>` looks up a thread-local counter whenever it
//! is dropped, and a `#[pyclass]` has neither a freelist nor a base class whose size is known only
//! at import. So hot types are plain C structs made of [`Slot`]s, and hot functions pass
//! [`Object`]s, or [`Native`]s where the class is ours. Cold code uses PyO3 as usual.
//!
//! One rule makes this sound: **every function of this crate is called with the GIL held**, which a
//! build without the GIL cannot promise and therefore refuses to import. Excepted are
//! [`current_thread`], [`holds_gil`] and [`is_initialised`], which may be asked at any time, and
//! [`guarded`], in which a thread takes the GIL. [`initialise`] comes first.
//!
//! It knows CPython, and of asyncio only where the interpreter itself serves it: `thread_state`
//! finds the place of a thread's current task.

#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the C API counts in signed words what is never negative"
)]

mod attached;
mod audit;
#[cfg(all(Py_3_12, not(Py_3_15)))]
mod await_site;
mod below_slots;
mod bound_function;
#[cfg(not(Py_3_14))]
mod bound_method;
mod buffer;
mod buffer_exporter;
mod byte_strings;
mod bytes;
mod bytes_builder;
mod call;
mod calling;
mod chaining;
mod class;
mod class_cell;
mod class_version;
mod context;
mod context_layout;
mod copying;
mod coroutine;
mod coroutine_wrapper;
mod derived;
mod dict;
#[cfg(not(Py_3_14))]
mod dict_entry;
mod entering;
mod error;
mod exceptions;
mod exploring;
mod extending;
mod fields;
mod finishing;
mod frame_locals;
mod freelist;
#[cfg(any(not(Py_3_12), Py_3_13))]
mod function_class;
mod gc;
mod gil_bound;
mod gil_cell;
mod gil_once;
mod identity;
mod instance;
mod items;
mod iteration;
mod kinds;
mod lasting_bytes;
pub mod making;
mod memory;
mod memory_view;
mod method;
mod method_descriptor;
mod names;
mod native;
mod native_function;
mod nesting;
mod number;
mod object;
mod operators;
mod places;
mod plain_socket;
mod prefetch;
mod quick_order;
mod record;
mod recycling;
mod replaceable;
mod sent_exception;
mod sets;
mod slot;
mod slots;
mod slotted;
mod socket_layout;
mod stack;
mod stop_iteration;
mod texts;
mod thread;
mod thread_exit;
#[cfg(Py_3_14)]
mod thread_state;
mod trap;
mod tuples;
mod verified;
mod weak_reference;
mod wrong_arguments;

use pyo3::prelude::*;

pub use attached::attached;
pub use audit::audit;
pub use below_slots::{BelowSlots, Inheriting, class_below_slots};
pub use bound_function::BoundMethod;
#[cfg(not(Py_3_14))]
pub use bound_method::bind_entering_cheaply;
pub use buffer::{Buffer, Bytes};
pub use buffer_exporter::{show_bytes, show_part, show_room};
pub use byte_strings::{ByteArrayContent, ByteString, ByteStringSlot, bytearray_of_size};
pub use bytes::{BlankBytes, FilledBytes};
pub use bytes_builder::BytesBuilder;
pub use call::{Arguments, same_string, type_error};
pub use calling::Keywords;
pub use chaining::{context_of_exception, set_cause, set_context, set_traceback, traceback_of};
pub use class::{ClassBuilder, add_functions, set_metaclass, set_plain_attribute};
pub use class_cell::ClassCell;
pub use class_version::{LastingClass, UNKNOWN_VERSION};
pub use context::{ContextSlot, copy_context, run_in_context};
pub use copying::{copied, reducing, set_state, state_of};
pub use coroutine::{Resumed, resume, throw};
pub use derived::{BasePart, Derived, SpareDerived};
pub use dict::Dict;
#[cfg(not(Py_3_14))]
pub use dict_entry::DictEntry;
pub use error::{
    Raised, Result, check_signals, clear, ensure_raised, fetch, is_exception, is_exception_class,
    is_of_class, matches, no_attribute, raise, raise_anything, raise_bare, raise_object,
    raise_value, raise_while_handling, report_unraisable, restore, take_raised,
};
pub use exceptions::{AsExceptionClass, ExceptionClass};
pub use exploring::{Exploration, Met, explore_near};
pub use fields::{readonly_flag, readonly_slot};
pub use finishing::{Finishing, Longer, SpareAlike, SpareLonger};
pub use frame_locals::locals_of;
pub use gc::{Visited, Visitor};
pub use gil_bound::GilBound;
pub use gil_cell::GilCell;
pub use gil_once::GilOnce;
pub use instance::{Held, Instance, class_of};
pub use iteration::{Iteration, Next, coroutine, iterated, thrown};
pub use lasting_bytes::LastingBytes;
pub use memory::Memory;
pub use method::{
    Anything, Attribute, Function, Method, attribute, fast, leaf_fast, leaf_noargs, noargs,
    of_class, one, readonly,
};
pub use native::{Class, Extends, Family, Layout, Native, NativeSlot, Reference};
pub use native_function::{enter_method_natively, enter_natively};
pub use number::saturating_float;
pub use object::Object;
pub use operators::Comparison;
pub use places::{Place, Places, awaited_in_suspense};
pub use plain_socket::{PlainSockets, plain_sockets};
pub use prefetch::prefetch;
pub use quick_order::Ranked;
pub use record::{ClassPointer, Dead, Header, Record, Spare, Tracked, WeakReferences};
pub use recycling::RecyclingClass;
pub use replaceable::MONOTONIC;
pub use sent_exception::raise_sent_exception;
pub use slot::{Slot, visit_slots};
pub use slotted::{Member, Slotted, SlottedClass};
pub use socket_layout::{Socket, SocketObject};
pub use stack::{ensure_room, recursion_error};
pub use thread::{
    apart, current_thread, has_other_threads, holds_gil, is_initialised, without_gil,
};
pub use thread_exit::guarded;
#[cfg(Py_3_14)]
pub use thread_state::{find_places as find_thread_state_places, swap as swap_current_task};
pub use trap::trap;
pub use verified::verified;
pub use weak_reference::Referent;
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
    plain_socket::initialise(py)?;
    socket_layout::look(py);
    buffer_exporter::make_class()?;
    Ok(())
}
