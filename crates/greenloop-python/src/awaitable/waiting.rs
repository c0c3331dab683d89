//! The awaitable as a waiter: its state, how it is woken and cancelled, and whom it notifies.
//!
//! A wait is native if the task waits for the awaitable itself, and foreign if it waits for a
//! future that the awaitable made. Every function here handles both.
//!
//! ```text
//!   prepare ──► Waiting ── wake ──► Woken ──────► the next step resumes the operation
//!                  └────── cancel ──► Cancelled ─► the next step interrupts it: CancelledError
//! ```
//! A wait ends once, and a task is stepped once for it. A wake-up that comes before a task has
//! received the awaitable is kept in its state, and [`attach`](Awaitable::attach) makes up for
//! it.
//!
//! Code of the program may stand between the two and see the awaitable first. If it calls a method
//! of a future there, the wait is foreign by the time that the task is given the awaitable, and the
//! flag that says so has gone over to the future: [`receive`](Awaitable::receive) refuses, and the
//! task waits for the [`future_of_wait`](Awaitable::future_of_wait) in the awaitable's place.

use greenloop_core::WaiterState;
use greenloop_cpython::{Native, Object, Result, Slot, fetch, raise_object};

use super::{Awaitable, LoopBound, PackedState, Stage};
use crate::asyncio::globals;
use crate::future::{CANCELLED, Future, PENDING, future_of, waiting_task, wake};
use crate::scheduler::{TaskKind, with_stepping};

impl Awaitable {
    /// Gets ready to wait on the running loop, to which `bound` is bound from now on. The operation
    /// then joins a line and returns [`Progress::Blocked`](super::Progress::Blocked).
    ///
    /// Raises if `bound` belongs to another loop, as `asyncio.mixins._LoopBoundMixin` does.
    #[inline]
    pub fn prepare(this: &Native<Awaitable>, bound: &LoopBound, owner: &Object) -> Result<()> {
        let awaitable = this.get();
        let is_native = with_stepping(|task| -> Result<bool> {
            let Some(event_loop) = task.and_then(loop_of_native_wait) else {
                return Ok(false);
            };
            bound.bind_to(event_loop, owner)?;
            awaitable.wait_natively(event_loop);
            Ok(true)
        })?;
        if is_native {
            return Ok(());
        }
        let event_loop = bound.running_loop(owner)?;
        awaitable.wait_on_future(&event_loop)
    }

    /// As [`prepare`](Self::prepare), for an object that belongs to `event_loop` already.
    ///
    /// Nothing is bound, and nothing is compared with the running loop. Raises only what
    /// `create_future` raises.
    #[inline]
    pub fn prepare_on(this: &Native<Awaitable>, event_loop: &Object) -> Result<()> {
        let awaitable = this.get();
        let is_native = with_stepping(|task| {
            let own = task.and_then(loop_of_native_wait);
            let own = own.filter(|own| own.as_ptr() == event_loop.as_ptr());
            own.inspect(|own| awaitable.wait_natively(own)).is_some()
        });
        if is_native {
            return Ok(());
        }
        awaitable.wait_on_future(event_loop)
    }

    /// As [`prepare`](Self::prepare), in a step of this task. Returns false, and has done nothing,
    /// where its loop's ready queue may not be used.
    #[inline]
    pub fn prepare_in(this: &Native<Awaitable>, task: &Native<TaskKind>) -> bool {
        let task = future_of(task).get();
        let natively = task.fast_loop().is_some();
        if natively {
            this.get().wait_natively(task.event_loop());
        }
        natively
    }

    /// As [`prepare`](Self::prepare), for a wait of a task alone, such as `sleep`.
    #[inline]
    pub(super) fn wait_natively(&self, event_loop: &Slot) {
        self.event_loop.set_optional(event_loop.get());
        self.foreign.set(false);
        self.waiter_state.set(PackedState::Waiting);
    }

    /// Makes the wait a foreign one, by the loop's `create_future`, which may be the program's.
    pub(super) fn wait_on_future(&self, event_loop: &Object) -> Result<()> {
        let name = &globals().names.create_future;
        self.waiter.set(event_loop.invoke(name, [])?);
        self.foreign.set(true);
        Ok(())
    }

    /// The future of a foreign wait.
    pub(super) fn future(&self) -> Object {
        self.waiter.get_or_none()
    }

    /// How the awaitable stands.
    ///
    /// Of a foreign wait this asks the future, by name if it is not ours; that may raise anything.
    #[inline]
    pub fn waiter_state(this: &Native<Awaitable>) -> Result<WaiterState> {
        let awaitable = this.get();
        if awaitable.foreign.get() {
            return state_of_future(&awaitable.future());
        }
        Ok(match awaitable.waiter_state.get() {
            PackedState::Waiting => WaiterState::Waiting,
            PackedState::Woken => WaiterState::Woken,
            PackedState::Cancelled => WaiterState::Cancelled,
        })
    }

    /// The object visible among a primitive's waiters: the future of a foreign wait, or the
    /// awaitable.
    pub fn shown(this: &Native<Awaitable>) -> Object {
        let awaitable = this.get();
        if awaitable.foreign.get() {
            awaitable.future()
        } else {
            this.clone().into_object()
        }
    }

    /// Whether it represents a future in a line, see [`guest`](Self::guest).
    pub fn is_guest(this: &Native<Awaitable>) -> bool {
        let awaitable = this.get();
        awaitable.foreign.get() && awaitable.stage.get() == Stage::Finished
    }

    /// Whether the wait was cancelled, in distinction from one that was woken and then interrupted.
    pub fn was_cancelled(this: &Native<Awaitable>) -> Result<bool> {
        Ok(Self::waiter_state(this)? == WaiterState::Cancelled)
    }

    /// Ends the wait: the task resumes in the next turn.
    ///
    /// The caller has seen that it is waiting; see [`wake_if_waiting`](Self::wake_if_waiting). A
    /// foreign wait's future gets the result True.
    #[inline]
    pub fn wake(this: &Native<Awaitable>) -> Result<()> {
        Self::wake_with(this, || Object::boolean(true))
    }

    /// As [`wake`](Self::wake), with the result for the future of a foreign wait.
    #[inline]
    pub fn wake_with(this: &Native<Awaitable>, result: fn() -> Object) -> Result<()> {
        let awaitable = this.get();
        if awaitable.foreign.get() {
            return finish_future(&awaitable.future(), result());
        }
        awaitable.waiter_state.set(PackedState::Woken);
        awaitable.go_on()
    }

    /// As [`wake`](Self::wake), unless the wait is over.
    #[inline]
    pub fn wake_if_waiting(this: &Native<Awaitable>) -> Result<()> {
        if Self::waiter_state(this)? == WaiterState::Waiting {
            return Self::wake(this);
        }
        Ok(())
    }

    /// The task of a native wait, if it has received the awaitable.
    #[inline]
    pub fn task(&self) -> Option<Native<TaskKind>> {
        let task = self.waiter.get().filter(|_| !self.foreign.get())?;
        // SAFETY: the waiter of a wait that is not foreign is a task: only `attach` and
        // `set_waiting_task` put one there.
        Some(unsafe { Native::from_object(task) })
    }

    /// The same, which is not waiting any more.
    #[inline]
    pub(super) fn take_task(&self) -> Option<Native<TaskKind>> {
        if self.foreign.get() {
            return None;
        }
        let task = self.waiter.take()?;
        // SAFETY: as in `task`.
        Some(unsafe { Native::from_object(task) })
    }

    /// Whether the wait is native, its task has received it, and the ready queue of the task's loop
    /// may be used.
    #[inline]
    pub fn is_on_fast_loop(&self) -> bool {
        let task = self.task();
        task.is_some_and(|task| future_of(&task).get().fast_loop().is_some())
    }

    /// The loop of the wait.
    pub fn event_loop(&self) -> Object {
        self.event_loop.get_or_none()
    }

    /// Notes the loop of a wait, which a foreign one does not keep by itself.
    #[inline]
    pub fn note_loop(&self, event_loop: &Object) {
        if self.foreign.get() {
            self.event_loop.set(event_loop.clone());
        }
    }

    /// Cancels the wait, if it is not over: the task is stepped with a `CancelledError`.
    pub fn cancel(this: &Native<Awaitable>, message: Option<&Object>) -> Result<bool> {
        (waiting_task()?.cancel)(this, message)
    }

    /// The future of a foreign wait, by which it is cancelled, and for which a task waits that is
    /// given the awaitable. None for a native wait.
    #[inline]
    pub fn future_of_wait(this: &Native<Awaitable>) -> Option<Object> {
        let awaitable = this.get();
        awaitable.waiter.get().filter(|_| awaitable.foreign.get())
    }

    /// As [`cancel`](Self::cancel), for a wait that is not foreign.
    ///
    /// Returns false, and changes nothing, if the wait is over or has not begun. The message goes
    /// into the `CancelledError` that the next step throws.
    pub fn cancel_natively(this: &Native<Awaitable>, message: Option<&Object>) -> Result<bool> {
        let awaitable = this.get();
        if awaitable.stage.get() != Stage::Blocked
            || awaitable.waiter_state.get() != PackedState::Waiting
        {
            return Ok(false);
        }
        awaitable.waiter_state.set(PackedState::Cancelled);
        awaitable.message.set_optional(message.cloned());
        awaitable.go_on()?;
        Ok(true)
    }

    /// Has the task wait for it no more, since it is going to be stepped with an exception of
    /// another kind; whether it has waited.
    pub fn give_task_up(this: &Native<Awaitable>) -> bool {
        let awaitable = this.get();
        if !awaitable.is_blocked() || awaitable.foreign.get() {
            return false;
        }
        awaitable.waiter_state.set(PackedState::Cancelled);
        awaitable.take_task().is_some()
    }

    /// Queues a step of the task, if there is one to queue.
    #[inline]
    fn go_on(&self) -> Result<()> {
        // Without a task it has no receiver yet, or is driven by hand.
        self.take_task().map_or(Ok(()), wake)
    }

    /// A task has received the awaitable and waits for it.
    ///
    /// If the wait is over by now, the task is queued at once.
    #[inline]
    pub fn attach(&self, task: Native<TaskKind>) -> Result<()> {
        self.waiter.set(task.into_object());
        if self.waiter_state.get() == PackedState::Waiting {
            Ok(())
        } else {
            self.go_on()
        }
    }

    /// Whether the awaitable was yielded and no task has received it yet, which this one does now.
    ///
    /// False for a foreign wait as well: its future has the flag.
    #[inline]
    pub fn receive(&self) -> bool {
        self.blocking.replace(false)
    }

    /// Whether a task of this loop may wait for it.
    #[inline]
    pub fn belongs_to(&self, event_loop: &Slot) -> bool {
        self.event_loop.as_ptr() == event_loop.as_ptr()
    }

    /// The exception that the awaitable that woke a task throws into it.
    #[inline]
    pub fn failure(this: &Native<Awaitable>) -> Result<Option<Object>> {
        let awaitable = this.get();
        if awaitable.foreign.get() || awaitable.waiter_state.get() != PackedState::Cancelled {
            return Ok(None);
        }
        awaitable.cancelled_error().map(Some)
    }

    /// The `CancelledError` with the message of the call that cancelled the wait, which is used up
    /// by it.
    pub(super) fn cancelled_error(&self) -> Result<Object> {
        let class = &globals().asyncio.cancelled_error;
        match self.message.take().filter(|message| !message.is_none()) {
            Some(message) => class.call([&message]),
            None => class.call([]),
        }
    }

    /// The outcome with which `this` resumes.
    #[inline]
    pub(super) fn outcome(this: &Native<Awaitable>) -> Outcome {
        let awaitable = this.get();
        let raised = if awaitable.foreign.get() {
            let future = awaitable.future();
            match state_of_future(&future) {
                Ok(WaiterState::Waiting) => return Outcome::Pending,
                Ok(_) => match future.invoke(&globals().names.result, []) {
                    Ok(_) => return Outcome::Woken,
                    Err(raised) => raised,
                },
                Err(raised) => raised,
            }
        } else {
            match awaitable.waiter_state.get() {
                PackedState::Woken => return Outcome::Woken,
                PackedState::Waiting => return Outcome::Pending,
                PackedState::Cancelled => match awaitable.cancelled_error() {
                    Ok(error) => raise_object(&error),
                    Err(raised) => raised,
                },
            }
        };
        Outcome::Failed(fetch(raised))
    }

    /// The awaitable is driven although it still waits. A second task that was made of it waits as
    /// well, through a future that both get; once the first task has finished the awaitable, the
    /// second gets the error. Returns nothing, as a future's iterator does, if the first wait has
    /// no receiver.
    #[cold]
    pub(super) fn wait_again(this: &Native<Awaitable>) -> Result<Option<Object>> {
        let names = &globals().names;
        let awaitable = this.get();
        if !awaitable.foreign.get() && awaitable.blocking.get() {
            return Ok(None);
        }
        let future = Self::as_future(this)?;
        if future.attribute(&names.blocking)?.is_true()? {
            return Ok(None);
        }
        future.set_attribute(&names.blocking, &Object::boolean(true))?;
        Ok(Some(future))
    }
}

/// The loop of a task, if its waits can be native.
#[inline]
fn loop_of_native_wait(task: &Native<TaskKind>) -> Option<&Slot> {
    let future = future_of(task).get();
    future.fast_loop().map(|_| future.event_loop())
}

/// The state of a wait that resumes.
pub(super) enum Outcome {
    /// It is over.
    Woken,
    /// It has ended with this exception.
    Failed(Object),
    /// It is not over.
    Pending,
}

/// How a future of any class stands.
fn state_of_future(future: &Object) -> Result<WaiterState> {
    if let Some(future) = Future::native(future) {
        return Ok(match future.get().state() {
            PENDING => WaiterState::Waiting,
            CANCELLED => WaiterState::Cancelled,
            _ => WaiterState::Woken,
        });
    }
    let names = &globals().names;
    if !future.invoke(&names.done, [])?.is_true()? {
        return Ok(WaiterState::Waiting);
    }
    if future.invoke(&names.cancelled, [])?.is_true()? {
        return Ok(WaiterState::Cancelled);
    }
    Ok(WaiterState::Woken)
}

/// `future.set_result(value)`, of a future of any class. Raises `InvalidStateError` if it is done.
fn finish_future(future: &Object, value: Object) -> Result<()> {
    if let Some(future) = Future::native(future) {
        return Future::finish(future, value);
    }
    future
        .invoke(&globals().names.set_result, [&value])
        .map(drop)
}
