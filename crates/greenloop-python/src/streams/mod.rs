//! Streams: `StreamReader`, `StreamWriter`, the protocol between them and a transport, and the
//! functions that open connections.
//!
//! They work on any transport of any loop. Where both ends are exactly ours, no Python code runs
//! between a transport's bytes and the task that waits for them: [`data_received`] feeds the
//! reader, which wakes its waiter. Methods that a subclass may have replaced are called by name, as
//! asyncio's own code would.
//!
//! - [`buffer`]: the bytes until they are read;
//! - [`reader`] and [`reading`]: the reader, and its operations that wait;
//! - [`flow_control`] and [`protocol`]: the methods that a transport calls;
//! - [`writer`]: the writer, and [`native_transport`]: what it asks of transports of ours. The
//!   class that Python sees is in a file `class` of each;
//! - [`attributes`]: their fields, as Python reads and sets them;
//! - [`observed`]: what an observer learns of the bytes;
//! - [`connecting`]: `open_connection`, `start_server` and their kin.
//!
//! ```text
//!    transport ── data_received ──► Protocol ── feed_data ──► Reader ── wake ──► a task's read()
//!    transport ── pause_writing ──► FlowControl ◄── drain() ── Writer ◄── a task's write()
//!    transport ── connection_lost ► Protocol ─► the reader's end, drain's error, wait_closed's end
//! ```
//! The classes and their attributes are those of `asyncio.streams`, the private ones included.

mod attributes;
mod buffer;
mod connecting;
mod flow_control;
mod native_transport;
mod observed;
mod protocol;
mod reader;
mod reading;
mod writer;

use greenloop_cpython::{ClassCell, Object, Result};

pub use connecting::functions;
pub use native_transport::{NativeTransport, set_native_transports};
pub use protocol::{CLASS as PROTOCOL, data_received};

/// Makes the classes of this room.
pub fn make_classes() -> Result<()> {
    reader::make_class()?;
    flow_control::make_class()?;
    protocol::make_class()?;
    writer::make_class()?;
    connecting::make_factory_class()
}

/// Which connection or writer an observer knows this object as, if it is one that it knows.
///
/// A connection is known by its reader, and one without a reader by its writer. The number is 0 as
/// long as nothing was told of it.
pub fn number_of(object: &Object) -> Option<u32> {
    let reader = reader::CLASS.instance(object);
    reader
        .map(|reader| reader.get().number.known())
        .or_else(|| Some(writer::CLASS.instance(object)?.get().number.known()))
}

/// The public classes by their names.
pub fn classes() -> [(&'static str, &'static ClassCell); 4] {
    [
        ("StreamReader", &reader::CLASS),
        ("FlowControlMixin", &flow_control::CLASS),
        ("StreamReaderProtocol", &protocol::CLASS),
        ("StreamWriter", &writer::CLASS),
    ]
}

/// The classes whose methods programs may replace, which short cuts look out for.
pub fn replaceable_classes() -> [&'static ClassCell; 3] {
    [&reader::CLASS, &protocol::CLASS, &writer::CLASS]
}
