//! Linux: epoll behind the poller, an eventfd behind the waker, `accept4` for connections, `/proc`
//! for what threads do.

mod accept;
mod epoll;
mod eventfd;
mod own_process;
mod stack;
mod system_calls;
mod thread_files;

use libc::c_int;

pub use accept::{NON_BLOCKING, accept};
pub(crate) use epoll::{EventBuffer, Selector};
pub(crate) use eventfd::Signal;
pub use own_process::{name_of_descriptor, read_own_memory};
pub use stack::bounds as stack_bounds;
pub use system_calls::{Pointer, system_call, waits_for_futex};
pub(crate) use thread_files::ThreadFiles;
pub use thread_files::current_thread;

/// The flag by which `send(2)` waits for more to follow.
pub(crate) const MORE_FOLLOWS: c_int = libc::MSG_MORE;

/// The option of TCP which, when it is cleared, has everything sent.
pub(crate) const CORK: c_int = libc::TCP_CORK;
