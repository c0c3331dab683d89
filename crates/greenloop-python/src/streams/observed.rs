//! What an observer learns of a connection: the bytes that tasks send and receive over it.
//!
//! A connection is known by its reader, which nearly all have, and else by its writer.
//!
//! Streams alone tell of bytes: what a protocol of the program's gets by `data_received` has no
//! task that receives it. The number of the bytes is told, and never what they say.
//!
//! Both directions are one resource: a task that sends and another one that receives meet there.

use greenloop_core::observe::{EventKind, WaitKind};
use greenloop_cpython::{Buffer, Object, clear};

use crate::observing::{Number, tell};

/// Tells that the task that runs has received bytes over a connection.
#[cold]
pub(super) fn tell_received(connection: &Number, bytes: &Object) {
    let count = size_of(bytes);
    if count != 0 {
        tell(EventKind::Received, WaitKind::StreamRead, connection, count);
    }
}

/// Tells that the task that runs has sent bytes over a connection, or several pieces of them.
///
/// `of` is the kind of wait that the connection is known for.
#[cold]
pub(super) fn tell_sent(of: WaitKind, connection: &Number, data: &Object) {
    let of_list = (0..data.list_len()).filter_map(|index| data.list_item(index));
    let of_tuple = data.tuple_items().unwrap_or_default().iter().cloned();
    let pieces = of_list.chain(of_tuple).map(|piece| size_of(&piece));
    let count = size_of(data) + pieces.sum::<i64>();
    tell(EventKind::Sent, of, connection, count);
}

/// How many bytes an object of Python's own has; 0 for any other, whose code is not called.
fn size_of(data: &Object) -> i64 {
    if !data.is_bytes_like() {
        return 0;
    }
    match Buffer::of(data) {
        Ok(buffer) => i64::try_from(buffer.len()).unwrap_or(i64::MAX),
        Err(raised) => {
            clear(raised);
            0
        }
    }
}
