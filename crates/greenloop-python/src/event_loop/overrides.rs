//! What a program may replace of a loop so that a short cut must not be taken: methods, in groups.
//!
//! `METHODS` is the list: each method, and the group of short cuts that it closes. Whether a method
//! is the original one is decided by identity with what the public class had when it was defined,
//! so a subclass that overrides one without any change closes the short cut as well: slower, and
//! never wrong.

use std::cell::Cell;
use std::ffi::CStr;

use greenloop_cpython::{LastingClass, UNKNOWN_VERSION};

/// Which methods are not the original ones: a set of bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Overrides(u8);

impl Overrides {
    /// All methods are the original ones.
    pub const NONE: Self = Self(0);
    /// Those that a push into the ready queue bypasses.
    pub const CALLS: Self = Self(1);
    /// Those by which transports listen to their descriptors, and in whose stead the native one
    /// asks for readiness itself.
    pub const READINESS: Self = Self(1 << 1);
    /// Those by which asyncio makes connections of a listening socket, which native acceptors
    /// bypass.
    pub const SERVING: Self = Self(1 << 2);
    /// The method that tells the time, for which [`EventLoop::now`](greenloop_core::Host::now)
    /// stands.
    pub const TIME: Self = Self(1 << 3);
    /// Those that set timers, for which
    /// [`Scheduler::push_timer`](crate::scheduler::Scheduler::push_timer) stands.
    pub const TIMERS: Self = Self(1 << 4);
    /// The method that makes tasks, for which [`Task::spawn`](crate::task::Task::spawn) stands.
    pub const TASKS: Self = Self(1 << 5);
    /// The method that runs a turn, for which [`turn`](greenloop_core::turn) stands.
    pub const TURNS: Self = Self(1 << 6);
    /// No method: timers may have been pushed into the list that asyncio's own functions push into.
    pub const TIMERS_ARRIVE: Self = Self(1 << 7);

    /// Whether any of the others is in the set.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Those of both.
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are in both.
    pub const fn only(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those that are not among the others.
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

/// The methods that short cuts bypass.
pub const METHODS: [(&CStr, Overrides); 17] = [
    (c"call_soon", Overrides::CALLS),
    (c"get_debug", Overrides::CALLS),
    (c"call_exception_handler", Overrides::CALLS),
    (c"_add_reader", Overrides::READINESS),
    (c"_add_writer", Overrides::READINESS),
    (c"_remove_reader", Overrides::READINESS),
    (c"_remove_writer", Overrides::READINESS),
    (c"_accept_connection", Overrides::SERVING),
    (c"_accept_connection2", Overrides::SERVING),
    (c"_ensure_fd_no_transport", Overrides::SERVING),
    (c"_make_socket_transport", Overrides::SERVING),
    (c"_open_socket_transport", Overrides::SERVING),
    (c"time", Overrides::TIME),
    (c"call_later", Overrides::TIMERS),
    (c"call_at", Overrides::TIMERS),
    (c"create_task", Overrides::TASKS),
    (c"_run_once", Overrides::TURNS),
];

/// The versions that the classes of loops and handles had when they were looked at.
pub struct SeenClasses {
    /// `TimerHandle`, ours and asyncio's, which live as long as the process. It gets another
    /// version when `Handle` is changed, too.
    pub handle_classes: Cell<[LastingClass; 2]>,
    /// That of the loop's class, and those of these two.
    pub versions: Cell<[u32; 3]>,
}

impl SeenClasses {
    /// No class was looked at: the first comparison fails.
    pub const fn nothing() -> Self {
        Self {
            handle_classes: Cell::new([LastingClass::root(); 2]),
            versions: Cell::new([UNKNOWN_VERSION; 3]),
        }
    }
}
