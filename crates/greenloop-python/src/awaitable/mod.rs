//! `Awaitable`: the object that `queue.get()`, `lock.acquire()` or `sleep(1)` returns, and the
//! waiter itself.
//!
//! One small object is three things: the coroutine that `await` drives, the waiter in a primitive's
//! line, and the object that a task waits for. So a wait costs no frame, no future and no callback.
//!
//! ```text
//!            1 advance                2 Progress::Blocked
//!   Fresh ────────────► Running ────────────────────────────► Blocked ──┐
//!                         │ ▲ │         3 wake, cancel, then advance    │
//!                         │ │ └──────────── or throw ◄──────────────────┘
//!              5 returned │ │ 4 Progress::Yielded, then advance or throw
//!              or raised  ▼ └───────────────► Delegating
//!                      Finished
//! ```
//! The [`Operation`] defines transitions 1, 3 and 4 by its `start`, `resume` and `interrupt`. A
//! `sleep(0)` takes 4 as well, with [`Progress::Paused`].
//!
//! Inside a native task on one of our loops a blocked awaitable yields *itself*, and the task is
//! stepped when the awaitable is woken. Everywhere else (asyncio's tasks, other loops, debug mode,
//! a coroutine driven by hand) it makes a real future and yields that, as asyncio's own primitives
//! do: such a wait is *foreign*. The number of turns is the same either way.
//!
//! A newcomer reads this file, then `driving` (transitions 1 to 5), `waiting` (being woken and
//! cancelled, native and foreign) and `line` (the [`Line`]), which holds the waiters of a
//! primitive, and `loop_bound`, the loop that a primitive belongs to. The rest is for single uses:
//! `class` (the table of methods), `sleep`, `alarm` (the time limit of `wait`), [`delegate`]
//! (awaiting other objects), `behind` (fields of another room behind the struct), `completed` (an
//! awaitable that has nothing to do), `coroutine` (whether an object is one), `origin` (for the
//! warning about an awaitable that nobody awaits) and `stand_in` (for tools that look at frames),
//! which keep what they know of one in `asides`.
//!
//! Everything is touched with the GIL held. A step may run code of the program, which may call
//! methods of the same awaitable: the stage is `Running` meanwhile, and `send`, `throw` and `close`
//! refuse.

mod alarm;
mod asides;
mod behind;
mod class;
mod completed;
mod coroutine;
pub mod delegate;
mod driving;
mod line;
mod loop_bound;
mod origin;
mod sleep;
mod stand_in;
mod waiting;

use std::cell::Cell;
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::ptr;

use greenloop_cpython::{
    Class, Dead, Extends, Finishing, Function, Header, Layout, Native, Object, Reference, Result,
    Slot, SpareAlike, Tracked, Visited, Visitor, leaf_fast, restore, visit_slots,
};

use crate::observing::Wait;
use crate::scheduler::SleeperKind;
#[cfg(Py_3_12)]
use crate::scheduler::TaskKind;

pub use behind::{Behind, MoreFields};
pub use completed::completed;
pub use coroutine::is_coroutine;
pub use line::Line;
pub use loop_bound::LoopBound;
pub use origin::track_origins;
pub use sleep::{exact_seconds, is_cancelled, run_sleeper, sleeper_handle};
pub use stand_in::set_stand_ins;

use class::make_class;
use line::Place;
use sleep::sleep;

/// The dead awaitables that are kept for new ones.
static SPARE: SpareAlike<Awaitable> = SpareAlike::new();

/// The behaviour of an awaitable. There is one constant for each kind of waiting.
///
/// Each function is a step. It is given the awaitable and its owner, a reference of the type `O`.
///
/// `start` and `resume` return the value or the error of the `await`; neither is called while the
/// other runs.
#[repr(C)]
pub struct Operation<O = Object> {
    /// Its name in `__qualname__` and messages, such as `Queue.get`.
    pub name: &'static CStr,
    /// What it waits for when it has blocked, for an observer; `None` where that is said by the
    /// object that it delegates to.
    pub waits: fn(&Native<Awaitable>, &O) -> Option<Wait>,
    /// The first step.
    pub start: fn(&Native<Awaitable>, &O) -> Result<Progress>,
    /// The awaitable was woken, or the object it delegates to resumes.
    pub resume: fn(&Native<Awaitable>, &O) -> Result<Progress>,
    /// An exception arrives while it waits. It leaves its line, passes a wake-up on that it had,
    /// and raises the exception again, or does as asyncio does.
    pub interrupt: fn(&Native<Awaitable>, &O, Object) -> Result<Progress>,
    /// Of an awaitable that waits, the coroutines that asyncio's own would have in suspense between
    /// itself and what is waited for, the outermost first.
    pub inside: fn(&Awaitable) -> &'static [&'static CStr],
    /// Set for an awaitable whose struct has more fields behind it, which another room handles.
    pub behind: Option<&'static Behind>,
}

/// The outcome of one step of an operation.
pub enum Progress {
    /// It is done.
    Returned(Object),
    /// It has called [`Awaitable::prepare`] and joined a line, or has seen to being woken
    /// otherwise.
    Blocked,
    /// It lets all other tasks run once, as `sleep(0)` does.
    Paused,
    /// It passes on the object that another awaitable yielded.
    Yielded(Object),
}

/// The stage of an awaitable's life; see the picture above.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    /// Not awaited yet; dropped in this state it warns.
    Fresh,
    /// A step is being taken.
    Running,
    /// It has yielded itself, or the future of a foreign wait.
    Blocked,
    /// It has yielded None or another awaitable's object, and is resumed by the next `send`.
    Delegating,
    /// It holds nothing. A further `send` raises a `RuntimeError`.
    Finished,
}

/// The C struct. All zeroes is a fresh awaitable, but for its operation.
#[repr(C)]
pub struct Awaitable {
    header: Header,
    operation: Cell<Option<&'static Operation>>,
    /// The primitive, or another object that the operation works on.
    owner: Slot,
    /// The operation's value: an item to put, a result to return.
    value: Slot,
    /// The native task, or the future of a foreign wait, to resume. Owned by the line while the
    /// awaitable is in one.
    waiter: Slot,
    /// The state that an operation of several steps keeps between them.
    kept: Slot,
    /// The loop of the native task that the wait began in.
    event_loop: Slot,
    /// The descriptor whose readiness an operation waits for.
    descriptor: Cell<RawFd>,
    stage: Cell<Stage>,
    waiter_state: Cell<PackedState>,
    /// For operations of several steps: which one.
    step: Cell<u8>,
    /// Whether the wait goes through a future.
    foreign: Cell<bool>,
    /// The message of a cancellation. Empty while the awaitable waits, and therefore here: see
    /// `CODE_OF_A_COROUTINE` in `stand_in`.
    message: Slot,
    place: Place,
    /// Set when the awaitable is yielded, cleared by the task that receives it, as a future's
    /// `_asyncio_future_blocking`.
    blocking: Cell<bool>,
    tracked: Tracked,
    /// Set when it began to await another object, which is its `value`.
    delegates: Cell<bool>,
    /// Set while its finaliser closes it.
    ending: Cell<bool>,
}

/// [`WaiterState`](greenloop_core::WaiterState) with a zero for waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum PackedState {
    Waiting,
    Woken,
    Cancelled,
}

/// The class.
pub static CLASS: Class<Awaitable> = Class::new();

// SAFETY: the kind has no value, and the functions of sleepers take what extends it for an
// awaitable.
unsafe impl Extends<SleeperKind> for Awaitable {}

// SAFETY: the struct is the whole instance, valid when it is zeroed, and begins with the header.
unsafe impl Layout for Awaitable {
    const OFFSET: usize = 0;
}

// SAFETY: the struct begins with the header, and there is one class, which is not to be derived
// from. A finished awaitable holds nothing; what has more behind it is buried where it came from.
// The line that an awaitable stands in shows its waiter, which `visit` then leaves out; the slots
// and the fields behind are shown here alone.
unsafe impl Finishing for Awaitable {
    #[inline]
    fn spare() -> &'static SpareAlike<Self> {
        &SPARE
    }

    #[inline]
    fn tracked(&self) -> &Tracked {
        &self.tracked
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.stage.get() == Stage::Finished
    }

    #[inline]
    fn has_more_to_end(&self) -> bool {
        self.operation().behind.is_some() || asides::has_any()
    }

    fn finalise(this: &Native<Self>) {
        Self::give_up(this);
    }

    /// One that stands in a line leaves it.
    #[inline]
    fn finish(this: &Native<Self>) {
        Self::end(this);
    }

    fn visit(this: &Native<Self>, visitor: &Visitor) -> Visited {
        let awaitable = this.get();
        // The first is the waiter, which the line visits as long as there is one.
        let first = usize::from(awaitable.place.is_linked());
        if let Some(behind) = awaitable.operation().behind {
            (behind.visit)(this, visitor)?;
        }
        visit_slots(visitor, awaitable.slots().into_iter().skip(first))
    }

    fn bury(dead: Dead<Self>) {
        asides::forget(dead.address());
        match dead.get().operation().behind {
            Some(behind) => (behind.free)(dead),
            None => SPARE.keep(dead),
        }
    }
}

impl<O: Reference> Operation<O> {
    /// The same operation for an owner of any type.
    const fn erased(&'static self) -> &'static Operation {
        // SAFETY: the functions differ in the type behind one reference, which is one pointer in
        // all cases; `create` sees to it that they are given an owner of the type they expect.
        unsafe { &*ptr::from_ref(self).cast::<Operation>() }
    }
}

impl Awaitable {
    /// An awaitable that will do `operation`, which begins when it is awaited.
    ///
    /// The garbage collector tracks it from the first: its owner may lead back to it, in a program
    /// that keeps it there or in a task that never ran.
    ///
    /// Raises a `MemoryError` only, unless the origins of coroutines are tracked.
    #[inline]
    pub fn create<O: Reference>(
        operation: &'static Operation<O>,
        owner: &O,
        value: Option<&Object>,
    ) -> Result<Object> {
        Self::create_native(operation, owner, value).map(Native::into_object)
    }

    /// The same, for a caller that has more to say to it.
    #[inline]
    pub fn create_native<O: Reference>(
        operation: &'static Operation<O>,
        owner: &O,
        value: Option<&Object>,
    ) -> Result<Native<Self>> {
        let awaitable = Self::create_untracked(operation, owner, value)?;
        Self::track(&awaitable);
        Ok(awaitable)
    }

    /// The same for an owner and a value that lead to no other object. The collector tracks it when
    /// it blocks.
    #[inline]
    pub fn create_untracked<O: Reference>(
        operation: &'static Operation<O>,
        owner: &O,
        value: Option<&Object>,
    ) -> Result<Native<Self>> {
        let object = SPARE.allocate(&CLASS)?;
        let awaitable = object.get();
        awaitable.operation.set(Some(operation.erased()));
        awaitable.owner.fill(owner.as_object().clone());
        if let Some(value) = value {
            awaitable.value.fill(value.clone());
        }
        if origin::is_tracking() {
            origin::note(&object)?;
        }
        Ok(object)
    }

    /// Makes a zeroed struct an awaitable that will do `operation`.
    #[inline]
    pub fn set_operation(&self, operation: &'static Operation) {
        self.stage.set(Stage::Fresh);
        self.operation.set(Some(operation));
    }

    /// Whether it does this and nothing else.
    #[inline]
    pub fn does<O: Reference>(&self, operation: &'static Operation<O>) -> bool {
        let own = self.operation.get().map_or(ptr::null(), ptr::from_ref);
        ptr::eq(own, operation.erased())
    }

    /// The awaitable, if `object` is one of ours.
    #[inline]
    pub fn native(object: &Object) -> Option<&Native<Self>> {
        CLASS.exactly(object)
    }

    /// Whether `object` is one of our awaitables.
    #[inline]
    pub fn is_native(object: &Object) -> bool {
        CLASS.is_class_of(object)
    }

    /// Whether it looks like a future to other code: while it waits.
    #[inline]
    pub fn poses_as_future(&self) -> bool {
        self.stage.get() == Stage::Blocked
    }

    /// The object that the operation works on. Held as long as the awaitable is not finished.
    #[inline]
    pub fn owner(&self) -> Option<Object> {
        self.owner.get()
    }

    /// The owner for a step, without a new reference.
    ///
    /// # Safety
    /// Called during a step of an operation that leaves its owner where it is.
    #[inline]
    pub unsafe fn owner_of_step(&self) -> ManuallyDrop<Object> {
        // SAFETY: only this room changes the slot. The program cannot finish an
        // awaitable that runs: `throw` and `close` refuse, and the collector finds it in use.
        unsafe { self.owner.borrowed_or_none() }
    }

    /// The operation's value.
    #[inline]
    pub fn value(&self) -> &Slot {
        &self.value
    }

    /// The state that an operation of several steps keeps between them.
    #[inline]
    pub fn kept(&self) -> &Slot {
        &self.kept
    }

    /// Which step of an operation of several is next.
    #[inline]
    pub const fn step(&self) -> &Cell<u8> {
        &self.step
    }

    /// The descriptor whose readiness an operation waits for.
    #[inline]
    pub const fn descriptor(&self) -> &Cell<RawFd> {
        &self.descriptor
    }

    /// Leaves the awaitable's line, if it is in one.
    #[inline]
    pub fn leave_line(this: &Native<Awaitable>) {
        Place::leave(this);
    }

    /// The task to resume, or the future of a foreign wait.
    #[inline]
    pub fn waiter(&self) -> Option<Object> {
        self.waiter.get()
    }

    /// Notes the task to resume.
    #[cfg(Py_3_12)]
    #[inline]
    pub fn set_waiting_task(&self, task: Native<TaskKind>) {
        self.waiter.set(task.into_object());
    }

    /// The object that it awaits in the course of its operation, and not by itself.
    fn delegate(&self) -> Option<Object> {
        let delegates = self.stage.get() == Stage::Delegating && self.delegates.get();
        delegates.then(|| self.value.get_or_none())
    }

    fn operation(&self) -> &'static Operation {
        self.operation.get().unwrap_or(&NOTHING)
    }

    /// Releases everything. Nothing is held from then on.
    ///
    /// Dropping what it held may run code of the program. The stage is final by then, and the line
    /// is left.
    #[inline]
    fn end(this: &Native<Awaitable>) {
        let awaitable = this.get();
        awaitable.stage.set(Stage::Finished);
        Place::leave(this);
        if let Some(behind) = awaitable.operation().behind {
            (behind.finish)(this);
        }
        awaitable.owner.clear();
        awaitable.value.clear();
        // An awaitable that never had to wait holds nothing else. One test of all is faster than
        // one by one.
        let others = [
            &awaitable.waiter,
            &awaitable.kept,
            &awaitable.message,
            &awaitable.event_loop,
        ];
        if others
            .iter()
            .fold(0, |any, slot| any | slot.as_ptr().addr())
            != 0
        {
            awaitable.finish_waiting();
        }
    }

    /// As [`end`](Self::end), of an awaitable that has waited. It has dropped its owner, and
    /// that may have run code of the program's which waits for it again.
    #[inline(never)]
    fn finish_waiting(&self) {
        for slot in self.slots() {
            slot.clear();
        }
    }

    const fn slots(&self) -> [&Slot; 6] {
        [
            &self.waiter,
            &self.owner,
            &self.value,
            &self.kept,
            &self.message,
            &self.event_loop,
        ]
    }
}

/// The operation of an awaitable that the garbage collector has cleared.
static NOTHING: Operation = Operation {
    name: c"Awaitable",
    start: |_, _| Ok(Progress::Returned(Object::none())),
    resume: |_, _| Ok(Progress::Returned(Object::none())),
    interrupt: |_, _, exception| Err(restore(exception)),
    waits: |_, _| None,
    inside: |_| &[],
    behind: None,
};

/// An operation that is done at its first step.
pub fn ready(value: Object) -> Result<Progress> {
    Ok(Progress::Returned(value))
}

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    make_class()?;
    completed::make_class()
}

/// The functions of the module that this room has.
pub fn functions() -> Vec<Function> {
    vec![leaf_fast(
        c"sleep",
        |_, arguments| sleep(arguments),
        c"sleep(delay, result=None)\n--\n\nWait for delay seconds; return result.",
    )]
}
