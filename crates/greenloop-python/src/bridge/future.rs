//! `RustFuture`: an awaitable that holds a Rust future of another extension, which its steps poll.
//!
//! ```text
//!               1 poll: pending          2 wake
//!   Polled ◄──────────────────► Waiting ───────► the task is stepped, and polls
//!     │  3 woken during the poll: everybody else runs once, then it is polled again
//!     │ 4 ready, raised, cancelled, closed, collected: dropped at once, on the spot
//!     ▼
//!    Gone
//! ```
//! To Python, and to code that does not ask, it is an [`Awaitable`] like any other. Only its
//! operation distinguishes it from others.
//!
//! The future is moved into the awaitable's own memory, behind the struct, if it fits there: an
//! `await` of it then usually costs a block from a list of dead ones, and no allocation. It is
//! pinned, since an object never moves.
//!
//! Everything here has the GIL, except `holder` and `share`, which a waker's clone on another
//! thread may reach during a poll.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use greenloop_bridge::abi;
use greenloop_core::observe::WaitKind;
use greenloop_cpython::{
    BoundMethod, Dead, Layout, Longer, Native, Object, Result, SpareLonger, Visited, Visitor,
    ensure_raised, extends, noargs, report_unraisable, restore, take_raised,
};

use super::{Holder, Remote};
use crate::asyncio::globals;
use crate::awaitable::{self, Awaitable, Behind, MoreFields, Operation, Progress};
use crate::event_loop::{EventLoop, Inbox};
use crate::future::future_of;
use crate::observing::Wait;
use crate::scheduler::{TaskKind, stepping};

/// How many bytes a future may have that is kept in place. Larger ones are boxed by the bridge.
///
/// The bridge reads it from the table at run time, so the two may be built apart.
pub const ROOM: usize = 128;
/// The alignment of a place.
pub const ALIGNMENT: usize = align_of::<usize>();

/// The dead ones that are kept for new ones.
static SPARE: SpareLonger<RustFuture, Awaitable> = SpareLonger::new();

/// The C struct. All zeroes is one without a future.
#[repr(C)]
pub struct RustFuture {
    awaitable: Awaitable,
    /// The kind of the future in `place`, as long as there is one.
    kind: Cell<Option<&'static abi::Kind>>,
    /// The inbox of the loop that it is polled on, borrowed from the loop for the poll; or null.
    inbox: Cell<*const Inbox>,
    /// Set when it is woken during a poll.
    woken: Cell<bool>,
    /// Set while the awaitable holds itself.
    held: Cell<bool>,
    /// The state that wakers share, made for the first of them. The pointer is a [`Holder`]. If it
    /// has no other holder, it stays for the next future in the same memory, which is most likely
    /// awaited on the same loop.
    remote: AtomicPtr<Remote>,
    place: Place,
}

/// The memory for a future of any kind, as words, for their alignment.
#[repr(C)]
struct Place(UnsafeCell<MaybeUninit<[usize; ROOM / size_of::<usize>()]>>);

// SAFETY: it is at the beginning of the objects that `create` makes, and those alone are known as
// ones that carry it.
unsafe impl Layout for RustFuture {
    const OFFSET: usize = 0;
}

extends!(RustFuture {
    awaitable: Awaitable
});

// SAFETY: the remote that was left is a valid one or null, and the place may hold anything.
unsafe impl Longer<Awaitable> for RustFuture {
    const ZEROED: usize = offset_of!(Self, remote);
}

/// Each step polls; what ends the wait from outside drops the future.
static POLL: Operation = Operation {
    name: c"rust_future",
    start: |this, _| step(this),
    resume: |this, _| step(this),
    interrupt: |this, _, exception| interrupt(this, exception),
    waits: |_, _| Some(Wait::of(WaitKind::RustFuture)),
    inside: |_| &[],
    behind: Some(&BEHIND),
};

static BEHIND: Behind = Behind::of::<RustFuture>();

// SAFETY: the maker of a future's kind promises that its `traverse` shows what the future owns.
unsafe impl MoreFields for RustFuture {
    fn finish(this: &Native<Awaitable>) {
        if let Some(future) = Self::behind(this) {
            future.discard();
        }
    }

    fn visit(this: &Native<Awaitable>, visitor: &Visitor) -> Visited {
        Self::behind(this).map_or(Ok(()), |future| future.show(visitor))
    }

    #[cold]
    fn free(dead: Dead<Awaitable>) {
        if !Self::is_behind(dead.get()) {
            return;
        }
        // SAFETY: it was tested just now.
        let dead = unsafe { dead.down::<Self>() };
        if !SPARE.has_room() {
            dead.get().leave_remote();
        }
        SPARE.keep(dead);
    }
}

impl RustFuture {
    /// An awaitable, and the place into which the caller moves a future of this kind.
    ///
    /// # Safety
    /// `kind` tells the truth, and the caller fills the place before any other code sees the
    /// awaitable.
    ///
    /// Raises a `MemoryError`; then there is no place, and the caller drops its future.
    pub unsafe fn create(kind: &'static abi::Kind) -> Result<(Object, *mut c_void)> {
        let object = SPARE.allocate(&awaitable::CLASS)?;
        let future = object.get();
        future.awaitable.set_operation(&POLL);
        future.kind.set(Some(kind));
        let place = future.place.0.get().cast();
        Ok((object.into_object(), place))
    }

    /// The struct of an awaitable that is one of these.
    ///
    /// # Safety
    /// The awaitable's operation is `POLL`, which only `create` gives.
    #[inline]
    unsafe fn of(awaitable: &Native<Awaitable>) -> &Self {
        // SAFETY: an awaitable with that operation begins one of these.
        unsafe { &*awaitable.as_ptr().cast::<Self>() }
    }

    /// The Rust future of an awaitable, if it has one.
    ///
    /// None for awaitables of other operations.
    #[inline]
    pub fn behind(awaitable: &Native<Awaitable>) -> Option<&Self> {
        // SAFETY: it is tested before.
        Self::is_behind(awaitable.get()).then(|| unsafe { Self::of(awaitable) })
    }

    /// Whether an awaitable is one of these besides.
    #[inline]
    pub fn is_behind(awaitable: &Awaitable) -> bool {
        awaitable.does(&POLL)
    }

    /// The future that `poll` was called for.
    ///
    /// # Safety
    /// `polled` is the argument of that call, and the call has not returned.
    pub unsafe fn of_polled<'a>(polled: *const c_void) -> &'a Self {
        // SAFETY: promised by the caller; the step holds the object.
        unsafe { &*polled.cast::<Self>() }
    }

    /// The awaitable that it is, borrowed.
    pub const fn awaitable(&self) -> *const Awaitable {
        &raw const self.awaitable
    }

    /// Notes a wake-up that comes during the poll. GIL.
    ///
    /// The step that polls then pauses and polls again in the next turn, as a task that wakes
    /// itself does in Rust.
    pub fn note_wake(&self) {
        self.woken.set(true);
    }

    /// The future's own hold on the state that wakers share. May be called by any thread during a
    /// poll.
    pub fn holder(&self) -> ManuallyDrop<Holder> {
        let mut remote: *const Remote = self.remote.load(Ordering::Acquire);
        if remote.is_null() {
            remote = self.share();
        }
        // SAFETY: the field is a holder, which is not given away here.
        ManuallyDrop::new(unsafe { Holder::from_raw(remote) })
    }

    /// A share in the record that the future's wakers hold, which is made at the first request. It
    /// may be another thread that makes it meanwhile; then this one is dropped.
    #[cold]
    fn share(&self) -> *const Remote {
        let inbox = self.inbox.get();
        // SAFETY: the pointer comes from an `Arc` that the loop holds, and the loop lives during
        // a poll. Nobody writes the cell meanwhile.
        let inbox = (!inbox.is_null()).then(|| unsafe {
            Arc::increment_strong_count(inbox);
            Arc::from_raw(inbox)
        });
        let fresh = Holder::of_future(self.awaitable(), inbox).into_raw();
        let exchanged = self.remote.compare_exchange(
            ptr::null_mut(),
            fresh.cast_mut(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match exchanged {
            Ok(_) => fresh,
            Err(first) => {
                // SAFETY: another thread was first, and nobody has seen this one.
                drop(unsafe { Holder::from_raw(fresh) });
                first
            }
        }
    }

    /// Gets ready to be polled on a loop, whose inbox this is.
    ///
    /// A record that leads to another loop is left to its wakers, and a new one is made for the
    /// next waker.
    #[inline]
    fn face(&self, inbox: *const Inbox) {
        if let Some(remote) = self.remote() {
            if remote.leads_to(inbox) {
                remote.set_awaitable(self.awaitable());
            } else {
                self.leave_remote();
            }
        }
        self.inbox.set(inbox);
        self.woken.set(false);
    }

    /// The state that wakers share, when no poll runs.
    #[inline]
    fn remote(&self) -> Option<&Remote> {
        // SAFETY: the field is a holder.
        unsafe { self.remote.load(Ordering::Relaxed).as_ref() }
    }

    /// Wakers are without effect from now on.
    ///
    /// A record without wakers stays for the next future in this memory.
    #[inline]
    fn forget_remote(&self) {
        match self.remote() {
            Some(remote) if remote.is_shared() => self.leave_remote(),
            Some(remote) => remote.set_awaitable(ptr::null()),
            None => {}
        }
    }

    /// Leaves the record of the wakers: a wake-up that comes later finds no awaitable.
    #[cold]
    fn leave_remote(&self) {
        let remote = self.remote.swap(ptr::null_mut(), Ordering::Relaxed);
        if !remote.is_null() {
            // SAFETY: the field was a holder, which is ours now.
            let holder = unsafe { Holder::from_raw(remote) };
            holder.set_awaitable(ptr::null());
        }
    }

    /// Drops the future, if it is not gone already, immediately: a reference to the object may be
    /// kept for long. An exception that is set stays so.
    ///
    /// Cold for the sake of all other awaitables, which end where this is called: inlined there it
    /// cost an event's wait 10 %.
    ///
    /// The future's destructor is code of the other extension, and may run anything.
    #[cold]
    fn discard(&self) {
        self.forget_remote();
        if let Some(kind) = self.kind.take() {
            // SAFETY: the place holds a future of this kind, from now on no more.
            unsafe { (kind.drop)(self.place.0.get().cast()) };
        }
    }

    /// Whether there are wakers.
    #[inline]
    fn has_wakers(&self) -> bool {
        self.remote().is_some_and(Remote::is_shared)
    }

    /// The awaitable holds itself, because there are wakers.
    ///
    /// As long as a waker exists somebody may still wake the task, so the wait must not be
    /// collected.
    #[inline]
    fn hold(&self, this: &Native<Awaitable>) {
        if !self.held.replace(true) {
            // Given back by `let_go`.
            let _ = this.clone().into_object().into_ptr();
        }
    }

    /// Gives back the reference that `hold` took, if it took one.
    #[inline]
    fn let_go(&self, this: &Object) {
        if self.held.replace(false) {
            // SAFETY: the reference that `hold` took; the caller has one of its own.
            drop(unsafe { Object::from_owned(this.as_ptr()) });
        }
    }

    /// The last waker is gone.
    #[inline]
    pub fn release(this: &Native<Awaitable>) {
        if let Some(future) = Self::behind(this) {
            future.let_go(this);
        }
    }

    /// Has the awaitable's future polled again in the next turn; without effect on other
    /// awaitables. May be called by any thread that holds the GIL.
    ///
    /// A failure to wake cannot be raised here, and goes to `sys.unraisablehook`.
    pub fn wake(this: &Native<Awaitable>) {
        let Some(future) = Self::behind(this) else {
            return;
        };
        if !this.get().poses_as_future() {
            // It is being polled. Or it was not awaited yet, or is going to be polled anyway.
            future.woken.set(true);
            return;
        }
        future.let_go(this);
        let task = this.get().task();
        if let Some(native) = task.as_ref().and_then(fast_loop) {
            match Awaitable::wake_if_waiting(this) {
                Ok(()) => native.wake_for_a_future(),
                Err(raised) => report_unraisable(raised, this),
            }
            return;
        }
        // An exception that is set belongs to other code and is put back.
        let pending = take_raised();
        if let Err(raised) = wake_by_call(this) {
            report_unraisable(raised, this);
        }
        if let Some(pending) = pending {
            let _still_raised = restore(pending);
        }
    }

    /// Shows the objects that the future holds to the garbage collector.
    fn show(&self, visitor: &Visitor) -> Visited {
        match self.kind.get() {
            // SAFETY: the place holds a future of this kind.
            Some(kind) => visitor.hand_on(|visit, arg| unsafe {
                (kind.traverse)(self.place.0.get().cast(), visit, arg)
            }),
            None => Ok(()),
        }
    }
}

/// On a loop that is not ours, is closed, or wants to see each call.
///
/// From another thread by `call_soon_threadsafe`, from the loop's own at once. A loop that is
/// closed runs nothing any more, so nothing is done.
fn wake_by_call(this: &Native<Awaitable>) -> Result<()> {
    if Awaitable::waiter_state(this)? != greenloop_core::WaiterState::Waiting {
        return Ok(());
    }
    let globals = globals();
    let event_loop = this.get().event_loop();
    if event_loop.invoke(&globals.names.is_closed, [])?.is_true()? {
        return Ok(());
    }
    let running = crate::asyncio::running_loop_or_none()?;
    if running.is(event_loop.as_ptr()) {
        return Awaitable::wake(this);
    }
    let function = WOKEN.bind(this)?;
    event_loop
        .invoke(&globals.names.call_soon_threadsafe, [&function])
        .map(drop)
}

/// The callback for `call_soon_threadsafe`.
fn woken(this: &Native<Awaitable>) -> Result<Object> {
    RustFuture::wake(this);
    Ok(Object::none())
}

static WOKEN: BoundMethod<Awaitable> =
    BoundMethod::new(|| noargs(c"rust_future_woken", woken, c"Poll the Rust future again."));

/// Polls the future, and waits if it is not done.
///
/// `Paused` is returned where the future was woken during its own poll. Otherwise the task is
/// prepared to wait only after the poll, so a future that is ready at once costs no preparation.
fn step(this: &Native<Awaitable>) -> Result<Progress> {
    // SAFETY: the step is `POLL`'s.
    let future = unsafe { RustFuture::of(this) };
    future.let_go(this);
    let Some(kind) = future.kind.get() else {
        return Ok(Progress::Returned(Object::none()));
    };
    let task = stepping();
    let native = task.as_ref().and_then(fast_loop);
    let (running, inbox) = match native {
        Some(native) => (None, native.inbox()),
        None => running_loop()?,
    };
    future.face(inbox);
    let mut result = ptr::null_mut();
    let polled = ptr::from_ref(future).cast();
    // SAFETY: the place holds a future of this kind, whose object the caller holds. No poll runs
    // within another one: an awaitable that is running refuses to be advanced.
    match unsafe { (kind.poll)(future.place.0.get().cast(), polled, &raw mut result) } {
        abi::READY => {
            future.kind.set(None);
            // SAFETY: the interface says that it is a new reference.
            return Ok(Progress::Returned(unsafe { Object::from_owned(result) }));
        }
        abi::PENDING => {}
        _ => {
            future.kind.set(None);
            return Err(ensure_raised());
        }
    }
    if future.woken.get() {
        return Ok(Progress::Paused);
    }
    if !task
        .as_ref()
        .is_some_and(|task| Awaitable::prepare_in(this, task))
    {
        // Raises where no loop runs.
        let event_loop = match running {
            Some(running) => running,
            None => crate::asyncio::running_loop()?,
        };
        Awaitable::prepare_on(this, &event_loop)?;
        this.get().note_loop(&event_loop);
        if future.woken.get() {
            return Ok(Progress::Paused);
        }
    }
    if future.has_wakers() {
        future.hold(this);
    }
    Ok(Progress::Blocked)
}

/// The loop of one of our tasks, if its ready queue may be used.
#[inline]
fn fast_loop(task: &Native<TaskKind>) -> Option<&EventLoop> {
    EventLoop::of_future(future_of(task).get()).filter(|native| native.scheduler.is_fast())
}

/// The running loop, and its inbox if it is one of ours.
#[cold]
fn running_loop() -> Result<(Option<Object>, *const Inbox)> {
    let running = crate::asyncio::running_loop_or_none()?;
    let native = EventLoop::of(&running);
    let inbox = native.map_or(ptr::null(), EventLoop::inbox);
    Ok((Some(running).filter(|running| !running.is_none()), inbox))
}

/// Cancelled, closed or thrown into: the future is dropped before the exception goes on.
fn interrupt(this: &Native<Awaitable>, exception: Object) -> Result<Progress> {
    if let Some(future) = RustFuture::behind(this) {
        future.let_go(this);
        future.discard();
    }
    Err(restore(exception))
}
