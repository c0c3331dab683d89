//! A small, single-threaded, deterministic runtime for futures, with asyncio's vocabulary.
//!
//! ```
//! use std::time::Duration;
//! use greenloop::queue::Queue;
//!
//! greenloop::run(async {
//!     let queue = Queue::unbounded();
//!     let producer = async {
//!         for number in 1..=3 {
//!             queue.put(number).await.unwrap();
//!             greenloop::sleep(Duration::from_millis(1)).await;
//!         }
//!         queue.shutdown();
//!     };
//!     let consumer = async {
//!         while let Ok(number) = queue.get().await {
//!             println!("Round {number}");
//!         }
//!     };
//!     greenloop::gather!(producer, consumer).await;
//! });
//! ```
//!
//! Tasks need be neither `Send` nor `Sync`: all of them run on the thread that calls [`run`], in
//! turns. A turn runs the tasks that were ready when it began, first in, first out; a task that
//! becomes ready meanwhile runs in the next one. So the order of everything is the same each time,
//! and the same as in asyncio. [`Runtime::builder`] gives tests their own clock and other orders,
//! from a seed.
//!
//! | asyncio | here |
//! | --- | --- |
//! | `run`, `create_task`, `Task.cancel` | [`run`], [`spawn`], [`JoinHandle::abort`] |
//! | `sleep`, `sleep(0)`, `timeout` | [`sleep`], [`yield_now`], [`timeout`] |
//! | `gather(*coroutines)`, `gather(one, other)` | [`gather`](fn@gather), [`gather!`] |
//! | `TaskGroup` | [`task_group`] |
//! | `Queue`, `PriorityQueue`, `LifoQueue` | [`queue`] |
//! | `Lock`, `Event`, `Condition`, `Semaphore`, `Barrier` | [`sync`] |
//! | `call_soon_threadsafe`, `run_coroutine_threadsafe` | [`LoopHandle`] |
//! | `call_soon_threadsafe(queue.put_nowait, item)` | [`RemoteSender`](queue::RemoteSender) |
//! | `to_thread` | [`spawn_blocking`] |
//! | `open_connection`, `start_server`, datagrams | [`net`] |
//! | `add_signal_handler` | [`Signal`], [`ctrl_c`] |
//!
//! The scheduler and the logic of the primitives are those of Greenloop for Python, from the crate
//! `greenloop-core`; Python itself is not needed.
//!
//! # Cancelling
//!
//! A future is cancelled by dropping it: [`timeout`] does so, and [`JoinHandle::abort`]. Every
//! future here documents under *cancel safety* what that loses. For those that wait for others the
//! answer is always the same: nothing. A waiter that is dropped after being notified passes the
//! notification on.
//!
//! # With other libraries
//!
//! Futures that only need a waker work here, from the crate `futures` and elsewhere, and the types
//! of [`sync`] and [`queue`] work on other executors. The types of [`net`] have the traits of
//! `futures::io`, which are all that hyper (by `smol-hyper`) and rustls (by `futures-rustls`) need;
//! two examples are servers on them. Futures that need tokio's reactor, such as all that use
//! `tokio::net` or `tokio::time`, do not work here.

#![forbid(unsafe_code)]

mod blocking;
mod gather;
pub mod net;
pub mod queue;
mod remote;
mod runtime;
mod signal;
mod sleep;
pub mod sync;
mod task;
mod task_group;
mod timeout;
mod waiting;

pub use blocking::spawn_blocking;
pub use gather::{Gather, InPlace, gather};
pub use greenloop_core::Instant;
pub use remote::{Closed, LoopHandle};
pub use runtime::{Builder, Runtime, run};
pub use signal::{Signal, ctrl_c};
pub use sleep::{Sleep, YieldNow, now, sleep, sleep_until, yield_now};
pub use task::{JoinError, JoinHandle, spawn};
pub use task_group::{TaskGroup, task_group};
pub use timeout::{Elapsed, Timeout, timeout};
