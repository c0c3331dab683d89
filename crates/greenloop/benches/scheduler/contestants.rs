//! The contestants: each runs a future, and tasks beside it, on the calling thread.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::{LocalPool, LocalSpawner};
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt as _;

/// An executor of one thread.
pub trait Contestant: Clone + 'static {
    /// The result of `spawn`; awaiting it waits for the task.
    type Handle: Future<Output = ()> + 'static;

    fn new() -> Self;
    fn run<F: Future<Output = ()> + 'static>(&self, future: F);
    fn spawn<F: Future<Output = ()> + 'static>(&self, future: F) -> Self::Handle;
    fn yield_now() -> impl Future<Output = ()>;
}

/// One that has timers.
pub trait Sleeps: Contestant {
    fn sleep(delay: Duration) -> impl Future<Output = ()>;
}

#[derive(Clone)]
pub struct Greenloop(Rc<greenloop::Runtime>);

#[derive(Clone)]
pub struct Tokio(Rc<(tokio::runtime::Runtime, tokio::task::LocalSet)>);

#[derive(Clone)]
pub struct Smol(Rc<smol::LocalExecutor<'static>>);

/// With its driver for epoll. Without its feature `sync`: its wakers may not be used by other
/// threads then, which is cheaper.
#[derive(Clone)]
pub struct Monoio(Rc<RefCell<MonoioRuntime>>);

type MonoioRuntime = monoio::Runtime<monoio::time::TimeDriver<monoio::LegacyDriver>>;

#[derive(Clone)]
pub struct Futures(Rc<RefCell<LocalPool>>, LocalSpawner);

/// Drops the outcome of a task, which must not be an error.
pub struct Joined<H>(H);

impl<T, E: std::fmt::Debug, H: Future<Output = Result<T, E>> + Unpin> Future for Joined<H> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let polled = Pin::new(&mut self.0).poll(context);
        polled.map(|outcome| drop(outcome.expect("no task fails")))
    }
}

impl Contestant for Greenloop {
    type Handle = Joined<greenloop::JoinHandle<()>>;

    fn new() -> Self {
        Self(Rc::new(greenloop::Runtime::new().expect("descriptors")))
    }

    fn run<F: Future<Output = ()> + 'static>(&self, future: F) {
        self.0.run(future);
    }

    fn spawn<F: Future<Output = ()> + 'static>(&self, future: F) -> Self::Handle {
        Joined(greenloop::spawn(future))
    }

    fn yield_now() -> impl Future<Output = ()> {
        greenloop::yield_now()
    }
}

impl Sleeps for Greenloop {
    fn sleep(delay: Duration) -> impl Future<Output = ()> {
        greenloop::sleep(delay)
    }
}

impl Contestant for Tokio {
    type Handle = Joined<tokio::task::JoinHandle<()>>;

    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().build().expect("descriptors");
        Self(Rc::new((runtime, tokio::task::LocalSet::new())))
    }

    fn run<F: Future<Output = ()> + 'static>(&self, future: F) {
        let (runtime, set) = &*self.0;
        set.block_on(runtime, future);
    }

    fn spawn<F: Future<Output = ()> + 'static>(&self, future: F) -> Self::Handle {
        Joined(tokio::task::spawn_local(future))
    }

    fn yield_now() -> impl Future<Output = ()> {
        tokio::task::yield_now()
    }
}

impl Sleeps for Tokio {
    fn sleep(delay: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(delay)
    }
}

impl Contestant for Smol {
    type Handle = smol::Task<()>;

    fn new() -> Self {
        Self(Rc::new(smol::LocalExecutor::new()))
    }

    fn run<F: Future<Output = ()> + 'static>(&self, future: F) {
        smol::future::block_on(self.0.run(future));
    }

    fn spawn<F: Future<Output = ()> + 'static>(&self, future: F) -> Self::Handle {
        self.0.spawn(future)
    }

    fn yield_now() -> impl Future<Output = ()> {
        smol::future::yield_now()
    }
}

impl Sleeps for Smol {
    fn sleep(delay: Duration) -> impl Future<Output = ()> {
        let timer = smol::Timer::after(delay);
        async move {
            timer.await;
        }
    }
}

impl Contestant for Monoio {
    type Handle = monoio::task::JoinHandle<()>;

    fn new() -> Self {
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new();
        let runtime = builder.enable_timer().build().expect("descriptors");
        Self(Rc::new(RefCell::new(runtime)))
    }

    fn run<F: Future<Output = ()> + 'static>(&self, future: F) {
        self.0.borrow_mut().block_on(future);
    }

    fn spawn<F: Future<Output = ()> + 'static>(&self, future: F) -> Self::Handle {
        monoio::spawn(future)
    }

    /// It has no such function itself.
    fn yield_now() -> impl Future<Output = ()> {
        smol::future::yield_now()
    }
}

impl Sleeps for Monoio {
    fn sleep(delay: Duration) -> impl Future<Output = ()> {
        monoio::time::sleep(delay)
    }
}

impl Contestant for Futures {
    type Handle = RemoteHandle<()>;

    fn new() -> Self {
        let pool = LocalPool::new();
        let spawner = pool.spawner();
        Self(Rc::new(RefCell::new(pool)), spawner)
    }

    fn run<F: Future<Output = ()> + 'static>(&self, future: F) {
        self.0.borrow_mut().run_until(future);
    }

    fn spawn<F: Future<Output = ()> + 'static>(&self, future: F) -> Self::Handle {
        let spawned = self.1.spawn_local_with_handle(future);
        spawned.expect("the pool is there")
    }

    /// `futures` has no such function itself.
    fn yield_now() -> impl Future<Output = ()> {
        smol::future::yield_now()
    }
}
