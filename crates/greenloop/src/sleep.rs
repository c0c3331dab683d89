//! Waiting for time to pass.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use greenloop_core::Instant;

use crate::runtime::{Alarm, EventLoop, current};
use crate::waiting::WakeTarget;

/// Waits for `delay`, which begins when the future is first awaited. Never less, by the system's
/// clock.
///
/// A delay of zero lets the others run once, as [`yield_now`] does.
///
/// *Cancel safety:* dropping the future ends the wait and nothing else.
///
/// # Panics
/// When it is awaited outside [`run`](crate::run).
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// greenloop::run(greenloop::sleep(Duration::from_millis(1)));
/// assert!(start.elapsed() >= Duration::from_millis(1));
/// ```
pub const fn sleep(delay: Duration) -> Sleep {
    Sleep {
        state: State::New(End::After(delay)),
    }
}

/// Waits until the loop's clock, which [`now`] reads, has reached `deadline`. One that has passed
/// already is over with the next turn.
///
/// *Cancel safety:* dropping the future ends the wait and nothing else.
///
/// # Panics
/// When it is awaited outside [`run`](crate::run).
///
/// ```
/// use std::time::Duration;
///
/// greenloop::run(async {
///     let deadline = greenloop::now() + Duration::from_millis(1);
///     greenloop::sleep_until(deadline).await;
///     assert!(greenloop::now() >= deadline);
/// });
/// ```
pub const fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        state: State::New(End::At(deadline)),
    }
}

/// The time of the loop's clock: asyncio's `loop.time()`.
///
/// # Panics
/// Outside of [`run`](crate::run).
///
/// ```
/// greenloop::run(async {
///     let start = greenloop::now();
///     greenloop::yield_now().await;
///     assert!(greenloop::now() >= start);
/// });
/// ```
#[track_caller]
pub fn now() -> Instant {
    current::expect().clock().now()
}

/// Lets every task that is ready now run once: asyncio's `sleep(0)`.
///
/// *Cancel safety:* there is nothing to lose.
///
/// ```
/// greenloop::run(async {
///     let task = greenloop::spawn(async { 1 });
///     greenloop::yield_now().await;
///     assert!(task.is_finished());
/// });
/// ```
pub const fn yield_now() -> YieldNow {
    YieldNow { has_yielded: false }
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// From its first poll until its deadline it has an entry among the loop's timers, which dropping
/// it takes out. It may be moved to another task meanwhile: the task that polled it last is woken.
///
/// ```
/// use std::time::Duration;
///
/// greenloop::run(async {
///     let mut nap: greenloop::Sleep = greenloop::sleep(Duration::from_millis(1));
///     (&mut nap).await;
/// });
/// ```
#[must_use = "a wait begins when it is awaited"]
pub struct Sleep {
    state: State,
}

enum End {
    After(Duration),
    At(Instant),
}

/// ```text
///   New ──► Waiting ──► Over
///    │                   ▲
///    └──► Yields ────────┘   (a delay of zero)
/// ```
enum State {
    New(End),
    Yields,
    Waiting(Waiting),
    Over,
}

struct Waiting {
    event_loop: Rc<EventLoop>,
    deadline: Instant,
    alarm: Alarm,
    /// The target that the alarm wakes.
    wake_target: WakeTarget,
}

impl Waiting {
    #[inline]
    fn until(deadline: Instant, event_loop: Rc<EventLoop>, context: &Context<'_>) -> Self {
        let wake_target = WakeTarget::of(context);
        let alarm = event_loop.set_alarm(deadline, wake_target.clone());
        Self {
            event_loop,
            deadline,
            alarm,
            wake_target,
        }
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.event_loop.has_rung(self.alarm)
    }
}

impl Drop for Waiting {
    #[inline]
    fn drop(&mut self) {
        self.event_loop.give_back_alarm(self.alarm);
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match &this.state {
            State::New(End::After(Duration::ZERO)) => {
                this.state = State::Yields;
                WakeTarget::of(context).wake();
                return Poll::Pending;
            }
            State::New(end) => {
                let event_loop = current::expect();
                let deadline = match end {
                    End::After(delay) => event_loop.clock().now() + *delay,
                    End::At(deadline) => *deadline,
                };
                this.state = State::Waiting(Waiting::until(deadline, event_loop, context));
                return Poll::Pending;
            }
            State::Waiting(waiting) if !waiting.is_over() => {
                if !waiting.wake_target.is_of(context) {
                    // It was handed to another task, which is woken from now on.
                    let event_loop = Rc::clone(&waiting.event_loop);
                    let again = Waiting::until(waiting.deadline, event_loop, context);
                    this.state = State::Waiting(again);
                }
                return Poll::Pending;
            }
            State::Waiting(_) | State::Yields | State::Over => {}
        }
        this.state = State::Over;
        Poll::Ready(())
    }
}

/// The future of [`yield_now`]: pending once, and ready when its task runs again in the next turn.
#[must_use = "only awaiting it lets others run"]
#[derive(Debug)]
pub struct YieldNow {
    has_yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.has_yielded, true) {
            return Poll::Ready(());
        }
        WakeTarget::of(context).wake();
        Poll::Pending
    }
}
