//! `RustFuture`: a future of somebody else's in a Python object, and how an awaitable polls it.
//!
//! ```text
//!               1 poll: pending          2 wake
//!   Polled ◄──────────────────► Waiting ───────► the task is stepped, and polls
//!     │  3 woken during the poll: everybody else runs once, then it is polled again
//!     │ 4 ready, raised, cancelled, closed, collected: dropped at once, on the spot
//!     ▼
//!    Gone
//! ```
//! The object is the owner of an awaitable and of nobody else, so the garbage collector is not told of
//! it: the awaitable shows it what the future holds.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use greenloop_bridge::abi;
use pyo3::ffi;

use super::{Inbox, Remote};
use crate::awaitable::{Awaitable, Operation, Progress};
use crate::event_loop::EventLoop;
use crate::future::Future;
use crate::interop::{
    ClassBuilder, Freelist, Object, Raised, Result, call_function, call_method, fetch, globals,
    noargs, report_unraisable, restore,
};
use crate::task;

/// How many bytes a future may have that is kept in place. Larger ones are boxed by the bridge.
pub const ROOM: usize = 128;
/// To what a place is aligned.
pub const ALIGNMENT: usize = align_of::<usize>();

/// How many dead ones are kept for new ones.
static SPARE: Freelist<256> = Freelist::new();

/// The C struct. All zeroes is one without a future.
#[repr(C)]
pub struct RustFuture {
    header: ffi::PyObject,
    /// Of what kind the future in `place` is, as long as there is one.
    kind: Cell<Option<&'static abi::Kind>>,
    /// The awaitable that it is the owner of, borrowed: set before each poll.
    awaitable: Cell<*mut ffi::PyObject>,
    /// The inbox of the loop that it is polled on, borrowed from the loop for the poll; or null.
    inbox: Cell<*const Inbox>,
    /// What wakers share, made for the first of them. The pointer owns one count.
    remote: AtomicPtr<Remote>,
    /// Set when it is woken during a poll.
    woken: Cell<bool>,
    /// Set while the awaitable holds itself.
    held: Cell<bool>,
    place: Place,
}

#[repr(C)]
struct Place(UnsafeCell<MaybeUninit<[usize; ROOM / size_of::<usize>()]>>);

static POLL: Operation = Operation {
    name: c"rust_future",
    start: step,
    resume: step,
    interrupt,
};

impl RustFuture {
    /// An awaitable, and the place into which a future of this kind is to be moved.
    ///
    /// # Safety
    /// `kind` tells the truth, and the caller fills the place before anybody sees the awaitable.
    pub unsafe fn create(kind: &'static abi::Kind) -> Result<(Object, *mut c_void)> {
        let class = globals().classes.rust_future.as_ptr();
        // SAFETY: `RustFuture` is the struct of that class, and the list serves it alone.
        let owner = unsafe { Object::from_owned(SPARE.allocate::<Self>(class)?.cast()) };
        let awaitable = Awaitable::create(&POLL, &owner, None)?;
        let future = Self::of(&owner);
        future.kind.set(Some(kind));
        Ok((awaitable, future.place.0.get().cast()))
    }

    fn of(object: &Object) -> &Self {
        // SAFETY: the callers pass objects of this class.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// The future that `poll` was called for.
    ///
    /// # Safety
    /// `polled` is what it was given, and the call has not returned.
    pub unsafe fn of_polled<'a>(polled: *const c_void) -> &'a Self {
        // SAFETY: promised by the caller; the step holds the object.
        unsafe { &*polled.cast::<Self>() }
    }

    /// Whether `object` is one.
    pub fn is_one(object: *mut ffi::PyObject) -> bool {
        // SAFETY: the caller passes a valid object or null.
        !object.is_null()
            && unsafe { ffi::Py_TYPE(object) } == globals().classes.rust_future.as_ptr()
    }

    /// The future behind an awaitable that is not finished.
    fn behind(awaitable: &Object) -> Option<Object> {
        let owner = Awaitable::of(awaitable).owner();
        Self::is_one(owner.as_ptr()).then(|| owner.get_or_none())
    }

    /// The awaitable. Exists as long as the future is polled.
    pub fn awaitable(&self) -> Object {
        // SAFETY: whoever polls holds it.
        unsafe { Object::from_borrowed(self.awaitable.get()) }
    }

    /// Notes a wake-up that comes during the poll. GIL.
    pub fn note_wake(&self) {
        self.woken.set(true);
    }

    /// What wakers share. May be called by any thread during a poll.
    pub fn remote(&self) -> ManuallyDrop<Arc<Remote>> {
        let mut remote: *const Remote = self.remote.load(Ordering::Acquire);
        if remote.is_null() {
            let inbox = self.inbox.get();
            // SAFETY: the pointer comes from an `Arc` that the loop holds, and the loop lives during
            // a poll. Nobody writes the cell meanwhile.
            let inbox = (!inbox.is_null()).then(|| unsafe {
                Arc::increment_strong_count(inbox);
                Arc::from_raw(inbox)
            });
            let fresh = Arc::into_raw(Arc::new(Remote::new(self.awaitable.get(), inbox)));
            let exchanged = self.remote.compare_exchange(
                ptr::null_mut(),
                fresh.cast_mut(),
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            remote = match exchanged {
                Ok(_) => fresh,
                Err(first) => {
                    // SAFETY: another thread was first, and nobody has seen this one.
                    drop(unsafe { Arc::from_raw(fresh) });
                    first
                }
            };
        }
        // SAFETY: the field owns a count, which is not given away here.
        ManuallyDrop::new(unsafe { Arc::from_raw(remote) })
    }

    /// Gets ready to be polled on a loop, whose inbox this is.
    fn face(&self, this: &Object, inbox: *const Inbox) {
        let remote = self.remote.load(Ordering::Relaxed);
        // SAFETY: the field owns a count.
        if !remote.is_null() && !unsafe { &*remote }.leads_to(inbox) {
            self.forget_remote();
        }
        self.awaitable.set(this.as_ptr());
        self.inbox.set(inbox);
        self.woken.set(false);
    }

    fn forget_remote(&self) {
        let remote = self.remote.swap(ptr::null_mut(), Ordering::Relaxed);
        if !remote.is_null() {
            // SAFETY: the count that the field owned is ours.
            unsafe { Arc::from_raw(remote.cast_const()) }.forget();
        }
    }

    /// Drops the future, here and now: whoever wakes it from another thread at this moment may be the
    /// last to hold the object. An exception that is set stays so.
    fn discard(&self) {
        self.forget_remote();
        if let Some(kind) = self.kind.take() {
            // SAFETY: the place holds a future of this kind, from now on no more.
            unsafe { (kind.drop)(self.place.0.get().cast()) };
        }
    }

    /// The future is gone by itself.
    fn forget(&self) {
        self.forget_remote();
        self.kind.set(None);
    }

    /// Whether anybody holds a waker.
    fn has_wakers(&self) -> bool {
        let remote = self.remote.load(Ordering::Relaxed);
        // SAFETY: the field owns a count.
        !remote.is_null() && unsafe { &*remote }.is_held()
    }

    /// The awaitable holds itself, because somebody holds a waker.
    fn hold(&self, this: &Object) {
        if !self.held.replace(true) {
            // Given back by `let_go`.
            let _ = this.clone().into_ptr();
        }
    }

    fn let_go(&self, this: &Object) {
        if self.held.replace(false) {
            // SAFETY: the reference that `hold` took; the caller has one of its own.
            drop(unsafe { Object::from_owned(this.as_ptr()) });
        }
    }

    /// The last waker is gone.
    pub fn release(this: &Object) {
        if let Some(owner) = Self::behind(this) {
            Self::of(&owner).let_go(this);
        }
    }

    /// Has the awaitable's future polled again in the next turn. May be called by any thread that holds
    /// the GIL.
    pub fn wake(this: &Object) {
        let Some(owner) = Self::behind(this) else {
            return;
        };
        let future = Self::of(&owner);
        if !Awaitable::poses_as_future(this) {
            // It is being polled. Or it was not awaited yet, or is going to be polled anyway.
            future.woken.set(true);
            return;
        }
        future.let_go(this);
        let awaitable = Awaitable::of(this);
        if let Some(native) = awaitable.fast_loop() {
            if Awaitable::wake_if_waiting(this).is_ok() {
                native.wake();
            }
            return;
        }
        // An exception that is set is somebody else's and is put back.
        // SAFETY: the GIL is held.
        let pending = unsafe { !ffi::PyErr_Occurred().is_null() }.then(|| fetch(Raised));
        if let Err(raised) = wake_by_call(this) {
            report_unraisable(raised, this.as_ptr());
        }
        if let Some(pending) = pending {
            let _still_raised = restore(pending);
        }
    }

    /// Shows what the future holds to the garbage collector.
    ///
    /// # Safety
    /// Called from a `tp_traverse` with the arguments it was given, for a valid object of this class.
    pub unsafe fn visit(
        object: *mut ffi::PyObject,
        visit: ffi::visitproc,
        arg: *mut c_void,
    ) -> c_int {
        // SAFETY: promised by the caller.
        let future = unsafe { &*object.cast::<Self>() };
        match future.kind.get() {
            // SAFETY: the place holds a future of this kind.
            Some(kind) => unsafe { (kind.traverse)(future.place.0.get().cast(), visit, arg) },
            None => 0,
        }
    }
}

/// On a loop that is not ours, is closed, or wants to see each call.
fn wake_by_call(this: &Object) -> Result<()> {
    if Awaitable::standing(this)? != greenloop_core::Standing::Waiting {
        return Ok(());
    }
    let globals = globals();
    let event_loop = Awaitable::of(this).event_loop();
    if call_method(&globals.names.is_closed, &[event_loop.as_ptr()])?.is_true()? {
        return Ok(());
    }
    let running = call_function(&globals.asyncio.get_running_loop_or_none, &[])?;
    if running.is(event_loop.as_ptr()) {
        return Awaitable::wake(this);
    }
    let function = woken_function(this)?;
    let arguments = [event_loop.as_ptr(), function.as_ptr()];
    call_method(&globals.names.call_soon_threadsafe, &arguments).map(drop)
}

/// What `call_soon_threadsafe` is given.
fn woken(this: &Object) -> Result<Object> {
    RustFuture::wake(this);
    Ok(Object::none())
}

/// The definition behind it. The interpreter takes it by a pointer to mutable memory, but does not
/// change it.
struct Definition(ffi::PyMethodDef);

// SAFETY: never changed after it is made.
unsafe impl Send for Definition {}
// SAFETY: as above.
unsafe impl Sync for Definition {}

static WOKEN: std::sync::LazyLock<Definition> = std::sync::LazyLock::new(|| {
    Definition(noargs!(
        c"rust_future_woken",
        woken,
        c"Poll the Rust future again."
    ))
});

fn woken_function(this: &Object) -> Result<Object> {
    let definition = (&raw const WOKEN.0).cast_mut();
    // SAFETY: the definition lives for ever, and `this` is a valid object.
    unsafe {
        let module = ptr::null_mut();
        Object::from_returned(ffi::PyCFunction_NewEx(definition, this.as_ptr(), module))
    }
}

/// Polls the future, and waits if it is not done.
fn step(this: &Object) -> Result<Progress> {
    let owner = Awaitable::of(this).owner().get_or_none();
    let future = RustFuture::of(&owner);
    future.let_go(this);
    let (event_loop, inbox) = running_loop()?;
    future.face(this, inbox);
    let Some(kind) = future.kind.get() else {
        return Err(Raised);
    };
    let mut result = ptr::null_mut();
    let polled = ptr::from_ref(future).cast();
    // SAFETY: the place holds a future of this kind, which `owner` keeps. No poll runs within another
    // one: an awaitable that is running refuses to be advanced.
    match unsafe { (kind.poll)(future.place.0.get().cast(), polled, &raw mut result) } {
        abi::READY => {
            future.forget();
            // SAFETY: the interface says that it is a new reference.
            return Ok(Progress::Returned(unsafe { Object::from_owned(result) }));
        }
        abi::PENDING => {}
        _ => {
            future.forget();
            return Err(Raised);
        }
    }
    if future.woken.get() {
        return Ok(Progress::Paused);
    }
    let Some(event_loop) = event_loop else {
        // Raises.
        call_function(&globals().asyncio.get_running_loop, &[])?;
        return Err(Raised);
    };
    Awaitable::prepare_on(this, &event_loop)?;
    Awaitable::of(this).note_loop(&event_loop);
    if future.woken.get() {
        return Ok(Progress::Paused);
    }
    if future.has_wakers() {
        future.hold(this);
    }
    Ok(Progress::Blocked)
}

/// The loop that the awaitable is awaited on, and its inbox if it is one of ours.
fn running_loop() -> Result<(Option<Object>, *const Inbox)> {
    if let Some(task) = task::stepping() {
        let task = Future::of(&task);
        if let Some(native) = task.fast_loop() {
            return Ok((task.event_loop().get(), native.inbox()));
        }
    }
    let running = call_function(&globals().asyncio.get_running_loop_or_none, &[])?;
    let native = EventLoop::of(&running);
    let inbox = native.map_or(ptr::null(), EventLoop::inbox);
    Ok((Some(running).filter(|running| !running.is_none()), inbox))
}

/// Cancelled, closed or thrown into: the future is dropped before the exception goes on.
fn interrupt(this: &Object, exception: Object) -> Result<Progress> {
    let awaitable = Awaitable::of(this);
    if let Some(owner) = awaitable.owner().take() {
        let future = RustFuture::of(&owner);
        future.let_go(this);
        future.discard();
    }
    Err(restore(exception))
}

unsafe extern "C" fn deallocate(this: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter on a dead object of the class, which cannot be inherited from.
    unsafe {
        let future = &*this.cast::<RustFuture>();
        future.discard();
        SPARE.free(this);
    }
}

unsafe extern "C" fn traverse(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: called by the garbage collector, with its own visitor. None of these is tracked.
    unsafe { visit(ffi::Py_TYPE(this).cast(), arg) }
}

/// Makes the class.
pub fn make_class() -> Result<Object> {
    ClassBuilder::new::<RustFuture>(c"greenloop.RustFuture")
        .not_callable()
        .doc(c"A future of an extension that is written in Rust.")
        .slot(ffi::Py_tp_dealloc, deallocate as *mut c_void)
        .slot(ffi::Py_tp_traverse, traverse as *mut c_void)
        .build(None)
}
