//! An extension whose functions are Rust futures that the Python loop polls.
//!
//! It links nothing of Greenloop's but the bridge, and knows no runtime: futures are woken by plain
//! threads, by each other, and by what Python does. `make test` builds it, and `tests/bridge` uses
//! it.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use greenloop_bridge::{into_awaitable, into_awaitable_send, into_future};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Return an awaitable that is done when it is first polled.
#[pyfunction]
fn ready(py: Python<'_>, value: Py<PyAny>) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable(py, std::future::ready(Ok(value)))
}

/// Wait for `seconds`, by a thread that sleeps.
#[pyfunction]
fn sleep(py: Python<'_>, seconds: f64) -> PyResult<Bound<'_, PyAny>> {
    let duration = Duration::try_from_secs_f64(seconds)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    into_awaitable(py, async move {
        let (sender, receiver) = oneshot::channel();
        thread::spawn(move || {
            thread::sleep(duration);
            // Whoever was cancelled meanwhile does not listen.
            let _ = sender.send(());
        });
        receiver.await.map_err(|_| lost())
    })
}

/// Return the square of a number, computed by another thread. What is between is not `Send`.
#[pyfunction]
fn from_thread(py: Python<'_>, number: i64) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable(py, async move {
        let of_this_thread = Rc::new(Cell::new(0));
        let (sender, receiver) = oneshot::channel();
        thread::spawn(move || sender.send(number * number));
        of_this_thread.set(receiver.await.map_err(|_| lost())?);
        Ok(of_this_thread.get())
    })
}

/// Await what Python gives, and return a pair: how it ended, and its result or exception.
#[pyfunction]
fn call_back<'py>(py: Python<'py>, awaitable: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let future = into_future(awaitable);
    into_awaitable(py, async move {
        let outcome = future.await;
        Python::attach(|py| match outcome {
            Ok(value) => Ok(("returned", value)),
            Err(error) => Ok(("raised", error.into_value(py).into_any())),
        })
    })
}

/// Await what Python gives, and return its result or raise what it raises.
#[pyfunction]
fn pass_through<'py>(py: Python<'py>, awaitable: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    into_awaitable(py, into_future(awaitable))
}

/// Await both at once, and return the result of the first that is done. The other one is dropped.
#[pyfunction]
fn first<'py>(
    py: Python<'py>,
    one: Bound<'py, PyAny>,
    other: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (one, other) = (into_future(one), into_future(other));
    into_awaitable(py, async move {
        futures_util::future::select(one, other)
            .await
            .factor_first()
            .0
    })
}

/// Raise an exception, after another task had its turn.
#[pyfunction]
fn fail(py: Python<'_>, exception: Py<PyAny>) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable(py, async move {
        yield_now().await;
        Err::<(), _>(Python::attach(|py| {
            PyErr::from_value(exception.into_bound(py))
        }))
    })
}

/// Panic at a moment: "poll", "woken" or "drop".
#[pyfunction]
fn panic_at(py: Python<'_>, moment: String) -> PyResult<Bound<'_, PyAny>> {
    /// Panics when it is dropped.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a panic when dropped");
        }
    }
    into_awaitable(py, async move {
        let _bomb = (moment == "drop").then(|| Bomb);
        assert!(moment != "poll", "a panic when polled");
        yield_now().await;
        assert!(moment != "woken", "a panic when woken");
        std::future::pending::<PyResult<()>>().await
    })
}

/// Let everybody else run `times` times, by waking itself during the poll.
#[pyfunction]
fn yield_times(py: Python<'_>, times: usize) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable(py, async move {
        for _ in 0..times {
            yield_now().await;
        }
        Ok(times)
    })
}

/// Wait to be woken `times` times in all, by as many threads at once as are given, and return how
/// often the future was polled. Each thread wakes as often as it can until the future is done.
#[pyfunction]
fn woken_by_threads(py: Python<'_>, threads: usize, times: usize) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable_send(py, async move {
        let count = std::sync::Arc::new(AtomicUsize::new(0));
        let mut polls = 0;
        for _ in 0..threads {
            let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            let count = count.clone();
            thread::spawn(move || {
                for _ in 0..times {
                    count.fetch_add(1, Ordering::AcqRel);
                    waker.wake_by_ref();
                    thread::yield_now();
                }
            });
        }
        poll_fn(|_| {
            polls += 1;
            if count.load(Ordering::Acquire) == threads * times {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        Ok(polls)
    })
}

/// Wait for ever. As many threads as are given hold wakers, clone them and drop them all, and wake
/// nobody.
#[pyfunction]
fn abandon(py: Python<'_>, threads: usize) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable(py, async move {
        for _ in 0..threads {
            let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            thread::spawn(move || {
                for _ in 0..100 {
                    drop(waker.clone());
                }
            });
        }
        std::future::pending::<PyResult<()>>().await
    })
}

/// Wait for ever, without a waker.
#[pyfunction]
fn never(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable(py, std::future::pending::<PyResult<()>>())
}

/// A future that is larger than the place that Greenloop has for one.
#[pyfunction]
fn large(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable(py, async move {
        let numbers = [1_u64; 100];
        yield_now().await;
        Ok(numbers.iter().sum::<u64>())
    })
}

/// A signal from Python to futures: `wait()` until it is `set()`, by any thread.
#[pyclass(unsendable)]
#[derive(Default)]
struct Flag {
    state: Rc<RefCell<FlagState>>,
}

#[derive(Default)]
struct FlagState {
    is_set: bool,
    wakers: Vec<Waker>,
    dropped: usize,
}

/// Counts how often a future that waits for a flag is dropped before it is set.
struct Waiter {
    state: Rc<RefCell<FlagState>>,
    served: Cell<bool>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if !self.served.get() {
            self.state.borrow_mut().dropped += 1;
        }
    }
}

impl Flag {
    fn next_waker(&self) -> Option<Waker> {
        self.state.borrow_mut().wakers.pop()
    }
}

#[pymethods]
impl Flag {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Wait until the flag is set, as many times as told; it is cleared each time.
    #[pyo3(signature = (times=1))]
    fn wait<'py>(&self, py: Python<'py>, times: usize) -> PyResult<Bound<'py, PyAny>> {
        let waiter = Waiter {
            state: Rc::clone(&self.state),
            served: Cell::new(false),
        };
        into_awaitable(py, async move {
            for _ in 0..times {
                poll_fn(|context| {
                    let mut state = waiter.state.borrow_mut();
                    if std::mem::take(&mut state.is_set) {
                        return Poll::Ready(());
                    }
                    state.wakers.push(context.waker().clone());
                    Poll::Pending
                })
                .await;
            }
            waiter.served.set(true);
            Ok(())
        })
    }

    /// Set the flag and wake those who wait.
    fn set(&self) {
        self.state.borrow_mut().is_set = true;
        // What a waker does is not known, so nothing is borrowed meanwhile.
        while let Some(waker) = self.next_waker() {
            waker.wake();
        }
    }

    /// Wake those who wait, from a thread of its own without the GIL, and do not set the flag.
    fn disturb(&self, py: Python<'_>) {
        let wakers = self.state.borrow().wakers.clone();
        py.detach(|| {
            let waking = thread::spawn(move || wakers.iter().for_each(Waker::wake_by_ref));
            waking.join().expect("wakers do not panic");
        });
    }

    /// Drop the wakers that were given.
    fn forget(&self) {
        let wakers = std::mem::take(&mut self.state.borrow_mut().wakers);
        drop(wakers);
    }

    /// How many futures were dropped while they waited.
    #[getter]
    fn dropped(&self) -> usize {
        self.state.borrow().dropped
    }
}

/// Wait for `rounds` round trips to a thread that answers each, which is a wake-up without the GIL
/// each.
#[pyfunction]
fn ping(py: Python<'_>, rounds: usize) -> PyResult<Bound<'_, PyAny>> {
    into_awaitable(py, async move {
        let (asks, asked) = mpsc::channel::<oneshot::Sender<()>>();
        thread::spawn(move || {
            for answer in asked {
                // Whoever was cancelled meanwhile does not listen.
                let _ = answer.send(());
            }
        });
        for _ in 0..rounds {
            let (answer, answered) = oneshot::channel();
            asks.send(answer).map_err(|_| lost())?;
            answered.await.map_err(|_| lost())?;
        }
        Ok(())
    })
}

fn lost() -> PyErr {
    PyRuntimeError::new_err("the thread that was to answer has died")
}

/// Lets everybody else run once.
fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Rust futures on the Python loop.
#[pymodule]
mod greenloop_bridge_example {
    #[pymodule_export]
    use super::{
        Flag, abandon, call_back, fail, first, from_thread, large, never, panic_at, pass_through,
        ping, ready, sleep, woken_by_threads, yield_times,
    };
}
