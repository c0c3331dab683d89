//! `WriteCoalescer`: which writes of a connection reach the peer as one packet.
//!
//! A server that writes the head of a response and then its body pays for two packets, each of
//! which costs more than all other work for the request. So on a connection on which one job after
//! another has written more than once, each write announces that more will follow, and the kernel
//! is told when the job is done.
//!
//! ```text
//!            1 a write, after such jobs      2 more writes of the job
//!   ┌──────┐ ─────────────────────────► ┌────────┐ ─────┐
//!   │ open │                            │ corked │      │
//!   └──────┘ ◄───────────────────────── └────────┘ ◄────┘
//!            3 the job is done, or somebody looks
//! ```
//! 1 and 2 are [`write`](WriteCoalescer::write) followed by [`cork`](WriteCoalescer::cork); 3 is
//! [`end_job`](WriteCoalescer::end_job), or [`uncork`](WriteCoalescer::uncork) before that. One job
//! that writes once is enough for the connection to be open in the next jobs, so that a program
//! which writes once and then works for long does not send late.

/// How many jobs in a row have to write more than once before anything is coalesced.
const HABIT: u8 = 4;

/// The way in which a connection's writes have come so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteCoalescer {
    /// Set if a write can announce that more will follow.
    possible: bool,
    /// How many pieces the present job has written; the count stops at the largest.
    pieces: u8,
    /// How many jobs in a row have written several; up to [`HABIT`].
    habit: u8,
    /// Set while the kernel expects more: by [`cork`](Self::cork), cleared by
    /// [`uncork`](Self::uncork).
    corked: bool,
}

/// What is to be done about a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Write {
    /// It is the first of its job, whose end is to be reported.
    pub is_first: bool,
    /// It announces that more will follow, if that is wanted at all.
    pub announces_more: bool,
}

impl WriteCoalescer {
    /// That of a connection that has written nothing, and cannot announce that more will follow.
    pub const fn new() -> Self {
        Self {
            possible: false,
            pieces: 0,
            habit: 0,
            corked: false,
        }
    }

    /// Whether a write of the connection can announce that more will follow.
    #[inline]
    pub const fn is_possible(&self) -> bool {
        self.possible
    }

    /// Says whether it can.
    pub const fn set_possible(&mut self, possible: bool) {
        self.possible = possible;
    }

    /// A job writes a piece.
    #[inline]
    #[must_use]
    pub const fn write(&mut self) -> Write {
        let is_first = self.pieces == 0;
        self.pieces = self.pieces.saturating_add(1);
        Write {
            is_first,
            announces_more: self.habit == HABIT,
        }
    }

    /// Transitions 1 and 2: a piece is sent as one that more will follow.
    #[inline]
    pub const fn cork(&mut self) {
        self.corked = true;
    }

    /// Transition 3: no more is known to follow. Whether the kernel has to be told.
    #[inline]
    #[must_use]
    pub const fn uncork(&mut self) -> bool {
        std::mem::replace(&mut self.corked, false)
    }

    /// Transition 3: the job is done that has written. Whether the kernel has to be told.
    #[inline]
    #[must_use]
    pub const fn end_job(&mut self) -> bool {
        self.habit = match self.pieces {
            0 | 1 => 0,
            _ if self.habit < HABIT => self.habit + 1,
            _ => HABIT,
        };
        self.pieces = 0;
        self.uncork()
    }
}

impl Default for WriteCoalescer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has jobs write, and returns for each how many of its writes have announced more.
    fn announced(coalescer: &mut WriteCoalescer, jobs: &[usize]) -> Vec<usize> {
        let mut announced = Vec::new();
        for pieces in jobs {
            let writes = (0..*pieces).map(|_| coalescer.write());
            announced.push(writes.filter(|write| write.announces_more).count());
            let _nothing = coalescer.end_job();
        }
        announced
    }

    #[test]
    fn the_fifth_job_in_a_row_announces_each_of_its_writes() {
        let mut coalescer = WriteCoalescer::new();
        let counts = announced(&mut coalescer, &[2, 3, 2, 2, 3, 257, 2]);
        assert_eq!(counts, [0, 0, 0, 0, 3, 257, 2]);
    }

    #[test]
    fn one_job_that_writes_once_ends_the_habit() {
        let mut coalescer = WriteCoalescer::new();
        let counts = announced(&mut coalescer, &[2, 2, 2, 2, 1, 2, 2, 2, 2, 2]);
        assert_eq!(counts, [0, 0, 0, 0, 1, 0, 0, 0, 0, 2]);
    }

    #[test]
    fn the_first_write_of_a_job_is_told_apart() {
        let mut coalescer = WriteCoalescer::new();
        assert!(coalescer.write().is_first);
        assert!(!coalescer.write().is_first);
        assert!(!coalescer.end_job());
        assert!(coalescer.write().is_first);
    }

    #[test]
    fn the_kernel_is_told_once_that_no_more_follows() {
        let mut coalescer = WriteCoalescer::new();
        assert!(!coalescer.uncork());
        coalescer.cork();
        coalescer.cork();
        assert!(coalescer.uncork());
        assert!(!coalescer.end_job());
        coalescer.cork();
        assert!(coalescer.end_job());
        assert!(!coalescer.uncork());
    }

    #[test]
    fn a_connection_that_cannot_announce_more_says_so_until_it_can() {
        let mut coalescer = WriteCoalescer::new();
        assert!(!coalescer.is_possible());
        coalescer.set_possible(true);
        assert!(coalescer.is_possible());
    }
}
