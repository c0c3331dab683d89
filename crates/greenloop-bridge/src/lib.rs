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
//! There is no second runtime and no other thread: [`into_awaitable`] makes of a future what
//! `queue.get()` is on Greenloop, and the task that awaits it polls it, in the turn after it was
//! woken. So the future need not be `Send`. An extension that uses this crate does not link
//! Greenloop; it finds it when the first awaitable is made, through the capsule in [`abi`], and
//! raises `ImportError` if there is none that it understands.
//!
//! # On what loop
//! On any. On Greenloop's, in a task of Greenloop's, a wake-up pushes the task's step into the
//! ready ring. On asyncio's or another one it goes through a future of that loop, and from another
//! thread through `call_soon_threadsafe`, as slow as that is.
//!
//! # When Greenloop is imported
//! With the first awaitable.
//!
//! # At the interpreter's end
//! Up to CPython 3.13 an interpreter that ends unwinds the stack of a daemon thread that asks for
//! the GIL, and Rust aborts the process where it has frames in that stack. The calls by which this
//! crate enters Python do not let such an unwinding pass: they hold the thread for ever, as CPython
//! does from 3.14 on. Those that a future makes itself by pyo3's methods are as good as pyo3, which
//! lets it pass: an extension function that calls a Python function, with or without this crate,
//! can abort the process when it does so in a daemon thread.
//!
//! # What Python objects a future holds
//! Those of [`into_future`] are shown to the garbage collector. A `Py` that the future keeps itself
//! is not: a cycle through it is never collected. The same goes for a future that keeps its own
//! waker alive and is never woken.

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
