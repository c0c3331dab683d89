//! Running several futures at once, for all their outputs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::task::JoinHandle;

/// Runs each future as a task, all at once, and gives their outputs in the order of the futures:
/// `asyncio.gather(*coroutines)`. The tasks begin at once, without this being awaited.
///
/// For a few futures of different types, which may borrow, there is the macro
/// [`gather!`](crate::gather!).
///
/// *Cancel safety:* dropping it aborts the tasks that are not finished.
///
/// # Panics
/// Outside [`run`](crate::run). Awaiting it also resumes the panic of a task, and aborts the tasks
/// behind that.
///
/// ```
/// greenloop::run(async {
///     let squares = greenloop::gather((1..=3).map(|number| async move { number * number }));
///     assert_eq!(squares.await, [1, 4, 9]);
/// });
/// ```
#[track_caller]
pub fn gather<F>(futures: impl IntoIterator<Item = F>) -> Gather<F::Output>
where
    F: Future + 'static,
{
    let tasks: Vec<_> = futures.into_iter().map(crate::spawn).collect();
    Gather {
        outputs: Vec::with_capacity(tasks.len()),
        tasks,
    }
}

/// The future of [`gather`]: its output is a vector of the outputs, in the order of the futures.
///
/// The tasks run whether or not it is polled. Dropping it aborts those that are not finished.
///
/// ```
/// greenloop::run(async {
///     let running = std::rc::Rc::new(());
///     let waits = std::rc::Rc::clone(&running);
///     let gathered = greenloop::gather([async move {
///         std::future::pending::<()>().await;
///         drop(waits);
///     }]);
///     drop(gathered);
///     greenloop::yield_now().await;
///     assert_eq!(std::rc::Rc::strong_count(&running), 1);
/// });
/// ```
#[must_use = "dropping it aborts the tasks"]
pub struct Gather<T> {
    tasks: Vec<JoinHandle<T>>,
    /// The outputs of as many tasks from the first on. Only the next one is awaited, so each is
    /// asked once, in any order of their completion.
    outputs: Vec<T>,
}

/// No output is pinned.
impl<T> Unpin for Gather<T> {}

impl<T: 'static> Future for Gather<T> {
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<T>> {
        let this = &mut *self;
        while let Some(task) = this.tasks.get_mut(this.outputs.len()) {
            match ready!(Pin::new(task).poll(context)) {
                Ok(output) => this.outputs.push(output),
                Err(error) => {
                    let error = error.resume_panic();
                    unreachable!("nobody else can abort the task: {error}");
                }
            }
        }
        this.tasks.clear();
        Poll::Ready(std::mem::take(&mut this.outputs))
    }
}

impl<T> Drop for Gather<T> {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl<T> fmt::Debug for Gather<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gather")
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

/// Runs up to twelve futures at once, of any types, and gives their outputs as a tuple:
/// `asyncio.gather(one, other)`.
///
/// The futures run inside the task that awaits them, and so may borrow from it.
///
/// *Cancel safety:* dropping it drops the futures.
///
/// ```
/// greenloop::run(async {
///     let name = String::from("world");
///     let (greeting, length) = greenloop::gather!(
///         async { format!("Hello, {name}!") },
///         async { name.len() },
///     )
///     .await;
///     assert_eq!((greeting.as_str(), length), ("Hello, world!", 5));
/// });
/// ```
#[macro_export]
macro_rules! gather {
    ($($future:expr),+ $(,)?) => {
        $crate::InPlace::gather(($($future,)+))
    };
}

/// A tuple of futures, on which the macro [`gather!`](crate::gather!) is built.
///
/// ```
/// use greenloop::InPlace as _;
///
/// assert_eq!(greenloop::run((async { 1 }, async { 'a' }).gather()), (1, 'a'));
/// ```
pub trait InPlace {
    /// The tuple of their outputs, in the order of the futures.
    type Outputs;

    /// Makes one future of them all, which polls each that is not finished whenever it is polled.
    ///
    /// *Cancel safety:* dropping it drops the futures.
    ///
    /// # Panics
    /// When it is awaited again after it has given its outputs.
    fn gather(self) -> impl Future<Output = Self::Outputs>;
}

pin_project! {
    /// A future, and then its output.
    #[project = ChildProjection]
    enum Child<F: Future> {
        Runs { #[pin] future: F },
        Done { output: Option<F::Output> },
    }
}

impl<F: Future> Child<F> {
    /// Polls the future unless it is done. Returns whether it is.
    fn advance(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let ChildProjection::Runs { future } = self.as_mut().project() else {
            return true;
        };
        let Poll::Ready(output) = future.poll(context) else {
            return false;
        };
        self.set(Self::Done {
            output: Some(output),
        });
        true
    }

    fn take_output(self: Pin<&mut Self>) -> Option<F::Output> {
        match self.project() {
            ChildProjection::Runs { .. } => None,
            ChildProjection::Done { output } => output.take(),
        }
    }
}

macro_rules! in_place {
    ($name:ident: $($future:ident $child:ident),+) => {
        pin_project! {
            struct $name<$($future: Future),+> {
                $(#[pin] $child: Child<$future>,)+
            }
        }

        impl<$($future: Future),+> Future for $name<$($future),+> {
            type Output = ($($future::Output,)+);

            fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
                let mut this = self.project();
                let mut all_are_done = true;
                $(all_are_done &= this.$child.as_mut().advance(context);)+
                if !all_are_done {
                    return Poll::Pending;
                }
                let outputs = ($(this.$child.as_mut().take_output(),)+);
                match outputs {
                    ($(Some($child),)+) => Poll::Ready(($($child,)+)),
                    _ => panic!("`gather!` was awaited again after it had given its outputs"),
                }
            }
        }

        impl<$($future: Future),+> InPlace for ($($future,)+) {
            type Outputs = ($($future::Output,)+);

            fn gather(self) -> impl Future<Output = Self::Outputs> {
                let ($($child,)+) = self;
                $name { $($child: Child::Runs { future: $child },)+ }
            }
        }
    };
}

in_place!(Gather1: A a);
in_place!(Gather2: A a, B b);
in_place!(Gather3: A a, B b, C c);
in_place!(Gather4: A a, B b, C c, D d);
in_place!(Gather5: A a, B b, C c, D d, E e);
in_place!(Gather6: A a, B b, C c, D d, E e, F f);
in_place!(Gather7: A a, B b, C c, D d, E e, F f, G g);
in_place!(Gather8: A a, B b, C c, D d, E e, F f, G g, H h);
in_place!(Gather9: A a, B b, C c, D d, E e, F f, G g, H h, I i);
in_place!(Gather10: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
in_place!(Gather11: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
in_place!(Gather12: A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);
