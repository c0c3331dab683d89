//! What `examples/bridge` offers and the benchmarks use, by way of pyo3-async-runtimes and tokio:
//! each future is a task of tokio's, in a thread of tokio's, and its result comes back by
//! `call_soon_threadsafe`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3_async_runtimes::tokio::future_into_py;
use tokio::sync::Notify;

/// Return an awaitable whose future is done when it is first polled.
#[pyfunction]
fn ready(py: Python<'_>, value: Py<PyAny>) -> PyResult<Bound<'_, PyAny>> {
    future_into_py(py, async move { Ok(value) })
}

/// A signal from Python to futures: `wait()` until it is `set()`. One `set` ends one wait.
#[pyclass]
#[derive(Default)]
struct Flag {
    notify: Arc<Notify>,
}

#[pymethods]
impl Flag {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let notify = Arc::clone(&self.notify);
        future_into_py(py, async move {
            notify.notified().await;
            Ok(())
        })
    }

    fn set(&self) {
        self.notify.notify_one();
    }
}

/// Futures of tokio's on the Python loop.
#[pymodule]
mod greenloop_tokio_bridge {
    #[pymodule_export]
    use super::{Flag, ready};
}
