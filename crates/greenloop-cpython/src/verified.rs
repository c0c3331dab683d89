//! Which of the edge's knowledge of the interpreter's insides holds in this process, for reports.
//!
//! Each piece is verified at import, and where it does not hold its file takes the public call
//! instead, silently: a program runs as before, only slower. This is where one can ask.

use super::{context_layout, sent_exception, socket_layout};

/// Each piece, by the name of its file, and whether it holds; none where this version of Python has
/// no use for it.
pub fn verified() -> [(&'static str, Option<bool>); 6] {
    #[cfg(all(Py_3_12, not(Py_3_15)))]
    let await_site = Some(super::await_site::is_known());
    #[cfg(any(not(Py_3_12), Py_3_15))]
    let await_site = None;

    #[cfg(not(Py_3_14))]
    let dict_entry = Some(super::dict_entry::is_known());
    #[cfg(Py_3_14)]
    let dict_entry = None;

    #[cfg(Py_3_14)]
    let thread_state = Some(super::thread_state::is_known());
    #[cfg(not(Py_3_14))]
    let thread_state = None;

    [
        ("await_site", await_site),
        ("context_layout", Some(context_layout::layout().is_some())),
        ("dict_entry", dict_entry),
        ("sent_exception", Some(sent_exception::is_known())),
        ("socket_layout", Some(socket_layout::is_known())),
        ("thread_state", thread_state),
    ]
}
