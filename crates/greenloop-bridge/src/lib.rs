//! Rust futures that the Python loop itself polls, and Python awaitables in Rust.
//!
//! ```ignore
//! #[pyfunction]
//! fn fetch<'py>(py: Python<'py>, source: Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
//!     let reply = greenloop_bridge::into_future(source.into_bound(py));
//!     greenloop_bridge::into_awaitable(py, async move {
//!         let reply = reply.await?;
//!         Python::attach(|py| reply.extract::<u64>(py))
//!     })
//! }
//! ```
//!
//! There is no second runtime and no other thread. [`into_awaitable`] turns a future into the kind
//! of object that `queue.get()` returns on Greenloop. The task that awaits it polls it, in the turn
//! after it was woken, so the future need not be `Send`. An extension that uses this crate does not
//! link Greenloop. It finds Greenloop when the first awaitable is made, through the capsule in
//! [`abi`], and raises `ImportError` if there is none that it understands.
//!
//! # On what loop
//! On any. On Greenloop's loop, in one of its tasks, a wake-up pushes the task's step into the
//! ready ring. On asyncio's or another loop it goes through a future of that loop, and from another
//! thread through the slower `call_soon_threadsafe`.
//!
//! # When Greenloop is imported
//! With the first awaitable.
//!
//! # At the interpreter's end
//! Up to CPython 3.13 an interpreter that ends unwinds the stack of a daemon thread that asks for
//! the GIL, and Rust aborts the process if that stack has Rust frames. The calls by which this
//! crate enters Python do not let such an unwinding pass: they block the thread for ever, as
//! CPython does from 3.14 on. Calls that a future makes itself through pyo3's methods are only as
//! safe as pyo3, which lets the unwinding pass. An extension function that calls a Python function
//! in a daemon thread can therefore abort the process, with or without this crate.
//!
//! # What Python objects a future holds
//! The objects of [`into_future`] are shown to the garbage collector. A `Py` that the future keeps
//! itself is not, so a cycle through it is never collected. The same goes for a future that keeps
//! its own waker alive and is never woken.

pub mod abi;
mod aside;
mod attached;
mod awaitable;
mod future;
mod held;
mod import;
mod making;
mod python;
mod thread;
#[doc(hidden)]
pub mod thread_exit;
mod waker;

pub use awaitable::{into_awaitable, into_awaitable_send};
pub use future::{PythonFuture, into_future};
