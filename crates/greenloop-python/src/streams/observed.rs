//! What an observer learns of a connection: the bytes that tasks send and receive over it.
//!
//! A connection is known by its reader, which nearly all have, and else by its writer.

use greenloop_core::observe::{EventKind, WaitKind};
use greenloop_cpython::{Buffer, Object, clear};

use super::{reader, writer};
use crate::observing::tell;

/// Which connection or writer an observer knows this object as, if it is one that it knows.
pub fn number_of(object: &Object) -> Option<u32> {
    let reader = reader::CLASS.instance(object);
    reader
        .map(|reader| reader.get().number.known())
        .or_else(|| Some(writer::CLASS.instance(object)?.get().number.known()))
}

/// Tells that the task that runs has received bytes.
#[cold]
pub(super) fn tell_received(reader: &reader::Reader, bytes: &Object) {
    let count = size_of(bytes);
    if count != 0 {
        tell(
            EventKind::Received,
            WaitKind::StreamRead,
            &reader.number,
            count,
        );
    }
}

/// Tells that the task that runs has sent bytes, or several pieces of them.
#[cold]
pub(super) fn tell_sent(writer: &writer::Writer, data: &Object) {
    let of_list = (0..data.list_len()).filter_map(|index| data.list_item(index));
    let of_tuple = data.tuple_items().unwrap_or_default().iter().cloned();
    let pieces = of_list.chain(of_tuple).map(|piece| size_of(&piece));
    let count = size_of(data) + pieces.sum::<i64>();
    let reader = writer.reader();
    match reader::CLASS.instance(&reader) {
        Some(reader) => tell(
            EventKind::Sent,
            WaitKind::StreamRead,
            &reader.get().number,
            count,
        ),
        None => tell(
            EventKind::Sent,
            WaitKind::StreamDrain,
            &writer.number,
            count,
        ),
    }
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
