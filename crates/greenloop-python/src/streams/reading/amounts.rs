//! Reads of a number of bytes: `read`, which takes some or all until the end, and `readexactly`.

use greenloop_core::observe::WaitKind;
use greenloop_cpython::making;
use greenloop_cpython::{Comparison, ExceptionClass, Native, Object, Result, raise};

use super::{empty_bytes, incomplete, interrupt, leave, take, take_last, wait};
use crate::asyncio::globals;
use crate::awaitable::{Awaitable, Operation, Progress, ready};
use crate::observing::Wait;
use crate::streams::reader::Reader;

// Some bytes, or all there will be.

/// `read(n)`: some bytes, or all there will be. Its `value` is the number, or the list of blocks.
pub static READ: Operation<Native<Reader>> = Operation {
    name: c"StreamReader.read",
    start: start_read,
    resume: |this, owner| {
        leave(this, owner);
        resume_read(this, owner)
    },
    interrupt,
    waits: |_, reader| Some(Wait::on(WaitKind::StreamRead, &reader.get().number)),
    inside: |this| match this.step().get() {
        UNTIL_EOF => &[c"StreamReader.read", c"StreamReader._wait_for_data"],
        _ => &[c"StreamReader._wait_for_data"],
    },
    behind: None,
};

/// The step of a read until the end, whose blocks are in a list in the awaitable's value.
///
/// 0 is a read of at most n bytes.
const UNTIL_EOF: u8 = 1;

/// The first step of `read(n)`: returns what is there, waits for the first bytes, or reads to the
/// end.
///
/// The buffer may hold more than n bytes; the rest stays for the next read.
///
/// # Errors
/// The exception of the connection, `TypeError` for what is no number.
fn start_read(this: &Native<Awaitable>, owner: &Native<Reader>) -> Result<Progress> {
    let (awaitable, reader) = (this.get(), owner.get());
    reader.raise_exception()?;
    let count = match awaitable.value().get() {
        Some(count) => number(&count)?,
        None => -1,
    };
    match usize::try_from(count) {
        Ok(0) => ready(empty_bytes()?),
        Ok(count) => {
            if reader.buffer.is_empty() && !reader.is_eof() {
                return wait(this, owner, "read");
            }
            ready(take(reader, count)?)
        }
        Err(_) => {
            let blocks = making::list(Vec::new())?;
            awaitable.value().set(blocks);
            awaitable.step().set(UNTIL_EOF);
            read_until_eof(this, owner)
        }
    }
}

/// Bytes came, or the end: returns them, or goes on collecting blocks until the end.
///
/// A read of n bytes that was woken returns whatever is there, and b"" at the end of the stream; it
/// does not wait a second time.
fn resume_read(this: &Native<Awaitable>, owner: &Native<Reader>) -> Result<Progress> {
    let (awaitable, reader) = (this.get(), owner.get());
    if awaitable.step().get() == UNTIL_EOF {
        // The read that has waited takes all there is, even if that is nothing: then it was the
        // last.
        return if take_block(this, reader)? {
            read_until_eof(this, owner)
        } else {
            join_blocks(this)
        };
    }
    let count = number(&awaitable.value().get_or_none())?;
    ready(take(reader, usize::try_from(count).unwrap_or(0))?)
}

/// Reads blocks of the limit's size one after another, so that a sender is held up no sooner than
/// by any other read.
///
/// asyncio's loop over `await self.read(self._limit)`. A cancellation loses the blocks, as there.
fn read_until_eof(this: &Native<Awaitable>, owner: &Native<Reader>) -> Result<Progress> {
    let reader = owner.get();
    loop {
        reader.raise_exception()?;
        if reader.buffer.is_empty() && !reader.is_eof() {
            return wait(this, owner, "read");
        }
        if !take_block(this, reader)? {
            return join_blocks(this);
        }
    }
}

/// Moves a block into the list. Returns whether there was any.
///
/// A block is at most the limit, in bytes.
fn take_block(this: &Native<Awaitable>, reader: &Reader) -> Result<bool> {
    let block = take(reader, reader.limit().0)?;
    if !block.is_true()? {
        return Ok(false);
    }
    this.get().value().get_or_none().append(&block)?;
    Ok(true)
}

/// The collected blocks as one bytes object.
///
/// A single block, which is the usual case of a short answer, is returned without a copy.
fn join_blocks(this: &Native<Awaitable>) -> Result<Progress> {
    let blocks = this.get().value().get_or_none();
    if let Some(only) = blocks.only_item() {
        return ready(only);
    }
    ready(empty_bytes()?.invoke(&making::interned(c"join")?, [&blocks])?)
}

// A number of bytes.

/// `readexactly(n)`. The number is in `value`.
pub static READ_EXACTLY: Operation<Native<Reader>> = Operation {
    name: c"StreamReader.readexactly",
    start: |this, owner| {
        let count = number(&this.get().value().get_or_none())?;
        if count < 0 {
            let class = ExceptionClass::ValueError;
            return Err(raise(class, c"readexactly size can not be less than zero"));
        }
        owner.get().raise_exception()?;
        if count == 0 {
            return ready(empty_bytes()?);
        }
        exactly(this, owner)
    },
    resume: |this, owner| {
        leave(this, owner);
        exactly(this, owner)
    },
    interrupt,
    waits: |_, reader| Some(Wait::on(WaitKind::StreamRead, &reader.get().number)),
    inside: |_| &[c"StreamReader._wait_for_data"],
    behind: None,
};

/// A step of `readexactly(n)`: takes n bytes if they are there, waits for more, or fails at the
/// end.
///
/// The limit does not bound n: a task that waits keeps the transport going, whatever is buffered.
///
/// # Errors
/// `IncompleteReadError` at the end of the stream; the buffer is empty then.
fn exactly(this: &Native<Awaitable>, owner: &Native<Reader>) -> Result<Progress> {
    let reader = owner.get();
    let wanted = this.get().value().get_or_none();
    let count = usize::try_from(number(&wanted)?).unwrap_or(0);
    if reader.buffer.len() >= count {
        return ready(take(reader, count)?);
    }
    if reader.is_eof() {
        let partial = take_last(reader, usize::MAX)?;
        return Err(incomplete(&partial, &wanted)?);
    }
    wait(this, owner, "readexactly")
}

/// A number of bytes, the largest there is for one that is larger.
///
/// An object that is no int is compared with 0 first, which raises what asyncio's comparison
/// raises.
///
/// # Errors
/// `TypeError` for what is no number.
#[inline]
fn number(value: &Object) -> Result<isize> {
    if !value.is_int() {
        value.compares(Comparison::Less, &globals().zero)?;
    }
    value.clipped()
}
