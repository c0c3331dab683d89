//! Joining: what a job writes in several pieces is sent in one, where that has become a habit.
//!
//! A server that writes the head of a response and then its body pays for two sends, each of which costs
//! more than all else that is done for the request. So a connection on which one job after another has
//! written more than once holds what the next job writes until that job is done, or somebody looks.
//!
//! ```text
//!             1 a habit           2 more of the same job        3 the job is done, or somebody looks
//!   nothing ───────────► held ───┐                      ┌──── held ─────────────────────► nothing
//!                         ▲      └──────────────────────┘
//! ```
//! Whatever could tell that something is held (`close`, `get_write_buffer_size`, `is_closing` and so on)
//! has it [released](release) first, so nothing is seen but that the peer gets it when the job is done
//! and not during it. Why, and what it costs, is told in the decision 0009.

use std::cell::Cell;

use pyo3::ffi;

use super::{SocketTransport, writing};
use crate::event_loop::EventLoop;
use crate::interop::{GilCell, Object, Result, fetch, restore};

/// How many jobs in a row have to write more than once before anything is held.
const HABIT: u8 = 4;

/// The most bytes that are held: more than that is sent at once, since a copy of it into one send saves
/// little beside the sending.
const MOST_HELD: usize = 16 * 1024;

/// What a transport knows of how it is written to.
pub struct Joining {
    /// How many pieces the present job has written. Not zero means that the loop's [`Writers`] list it.
    pieces: Cell<u8>,
    /// How many jobs in a row have written several; up to [`HABIT`].
    habit: Cell<u8>,
    /// Set while all that waits is held, and the poller has not been asked for room.
    held: Cell<bool>,
}

/// The transports that the present job has written to.
pub struct Writers {
    transports: GilCell<Vec<Object>>,
    /// Whether there are none, which is asked after each job.
    none: Cell<bool>,
}

impl Writers {
    pub const fn new() -> Self {
        Self {
            transports: GilCell::new(Vec::new()),
            none: Cell::new(true),
        }
    }

    /// Whether the present job has written to no transport.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.none.get()
    }

    fn list(&self, transport: &Object) {
        self.none.set(false);
        self.transports
            .with(|transports| transports.push(transport.clone()));
    }

    /// The job is done, with an outcome that is given back: what it has written is sent.
    #[cold]
    pub fn end_job(&self, outcome: Result<()>) -> Result<()> {
        let mut failure = outcome.map_err(fetch).err();
        // An exception handler that is told of an error may write as well.
        while !self.none.replace(true) {
            let mut transports = self.transports.with(std::mem::take);
            for transport in transports.drain(..) {
                if let Err(raised) = end_job_of(&transport) {
                    failure.get_or_insert(fetch(raised));
                }
            }
            // The memory is kept for the next job, unless another list was begun.
            self.transports.with(|list| {
                if list.is_empty() {
                    std::mem::swap(list, &mut transports);
                }
            });
        }
        match failure {
            None => Ok(()),
            Some(exception) => Err(restore(exception)),
        }
    }
}

fn end_job_of(this: &Object) -> Result<()> {
    let joining = &SocketTransport::of(this).joining;
    let several = joining.pieces.replace(0) > 1;
    let habit = joining.habit.get();
    joining
        .habit
        .set(if several { (habit + 1).min(HABIT) } else { 0 });
    release(this)
}

/// Takes note of a write. Returns whether `data` is held, so that there is nothing more to do.
#[inline]
pub fn hold(this: &Object, data: &Object) -> Result<bool> {
    let transport = SocketTransport::of(this);
    let joining = &transport.joining;
    let Some(native) = transport.native().filter(|native| native.runs_a_job()) else {
        release(this)?;
        return Ok(false);
    };
    if joining.pieces.get() == 0 {
        native.writers.list(this);
    }
    joining.pieces.set(joining.pieces.get().saturating_add(1));
    if joining.habit.get() < HABIT {
        return Ok(false);
    }
    hold_by_habit(this, data)
}

fn hold_by_habit(this: &Object, data: &Object) -> Result<bool> {
    let transport = SocketTransport::of(this);
    let joining = &transport.joining;
    let waiting = transport.pending.with(|pending| pending.len());
    if waiting > 0 && !joining.held.get() {
        // There was no room for something: this waits behind it.
        return Ok(false);
    }
    // More than the high mark would have the protocol pause.
    let most = MOST_HELD.min(transport.flow.get().high());
    let fits = length_of(data).is_some_and(|length| waiting + length <= most);
    if !fits || transport.is_foreign() {
        release(this)?;
        return Ok(false);
    }
    if !joining.held.get() {
        // Should there be no room later, what follows happens in the context of this write.
        transport.writing_context.set(transport.context_now()?);
        joining.held.set(true);
    }
    transport.keep(data, 0)?;
    Ok(true)
}

/// The length of what can be held: a memoryview cannot, since its owner may write something else to the
/// memory as soon as it is sent, as he thinks.
fn length_of(data: &Object) -> Option<usize> {
    let object = data.as_ptr();
    // SAFETY: the object is valid, and the functions are for the classes that were tested.
    let length = unsafe {
        if ffi::PyBytes_Check(object) != 0 {
            ffi::PyBytes_Size(object)
        } else if ffi::PyByteArray_Check(object) != 0 {
            ffi::PyByteArray_Size(object)
        } else {
            return None;
        }
    };
    usize::try_from(length).ok()
}

/// Sends what is held, if anything is.
#[inline]
pub fn release(this: &Object) -> Result<()> {
    if SocketTransport::of(this).joining.held.get() {
        send_held(this)
    } else {
        Ok(())
    }
}

fn send_held(this: &Object) -> Result<()> {
    let transport = SocketTransport::of(this);
    transport.joining.held.set(false);
    writing::write_ready(this)?;
    if transport.pending.with(|pending| pending.is_empty()) {
        Ok(())
    } else {
        transport.wait_for_room(this)
    }
}

impl EventLoop {
    /// Whether a job of this loop is being run, so that something will be done when it is over.
    #[inline]
    fn runs_a_job(&self) -> bool {
        self.is_fast() && self.is_turning() && !self.is_polling()
    }
}
