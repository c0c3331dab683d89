//! Streams: `StreamReader`, `StreamWriter`, the protocol between them and a transport, and the
//! functions that open connections.
//!
//! They work on any transport of any loop. Where both ends are exactly ours nothing of Python runs
//! between a transport's bytes and the task that waits for them: [`data_received`] feeds the
//! reader, which wakes its waiter. What a subclass may have replaced is called by name, as
//! asyncio's own code would.
//!
//! - [`buffer`]: where the bytes stand until they are read;
//! - [`reader`] and [`reading`]: the reader, and what waits in it;
//! - [`flow_control`] and [`protocol`]: what a transport calls;
//! - [`writer`]: the writer; the class that Python sees stands in a file `class` of each;
//! - [`attributes`]: what Python reads and sets of the fields of these;
//! - [`connecting`]: `open_connection`, `start_server` and their kin;
//! - [`edition`]: in what the running asyncio's streams differ from those of other releases.

mod attributes;
mod buffer;
mod connecting;
mod edition;
mod flow_control;
mod protocol;
mod reader;
mod reading;
mod writer;

pub use connecting::{functions, make_factory_class};
pub use flow_control::make_class as make_flow_control_class;
pub use protocol::{
    data_received, is_native as is_native_protocol, make_class as make_protocol_class,
};
pub use reader::make_class as make_reader_class;
pub use writer::make_class as make_writer_class;
