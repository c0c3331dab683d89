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
//! - [`writer`]: the writer. The class that Python sees is in a file `class` of each;
//! - [`attributes`]: their fields, as Python reads and sets them;
//! - [`connecting`]: `open_connection`, `start_server` and their kin;
//! - [`edition`]: the differences between the running asyncio's streams and those of other
//!   releases.

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
