//! The events of a loop: a record of fixed size for each change.
//!
//! The numbers and the names are those of `docs/trace-format.md`, and so are the meanings of the
//! fields. An event takes 32 bytes as four words, in which a [`Ring`](super::Ring) stores it:
//!
//! ```text
//!   word 0   time
//!   word 1   value
//!   word 2   other (bits 32–63), task (bits 0–31)
//!   word 3   nothing (48–63), detail (40–47), kind (32–39), site (0–31)
//! ```

use super::numbered::numbered;

numbered! {
    /// The kind of change.
    pub enum EventKind {
        /// `task` has created the task `other`.
        TaskCreated = 1 "task-created",
        /// A step of `task` began.
        StepBegan = 2 "step-began",
        /// A step of `task` ended.
        StepEnded = 3 "step-ended",
        /// `task` waits for `other`; the detail is a [`WaitKind`].
        WaitBegan = 4 "wait-began",
        /// The task `other` is ready; the detail is a [`WakeCause`], and `task` the waker.
        Woken = 5 "woken",
        /// `task` has finished; the detail is an [`Outcome`].
        TaskFinished = 6 "task-finished",
        /// `task` has requested that the task `other` be cancelled.
        CancelRequested = 7 "cancel-requested",
        /// `task` has made the resource `other`; the detail is a [`WaitKind`].
        ResourceMade = 8 "resource-made",
        /// `task` has put an item into the queue `other`.
        Put = 9 "put",
        /// `task` has taken an item out of the queue `other`.
        Get = 10 "get",
        /// `task` has acquired the lock or a permit of the semaphore `other`.
        Acquired = 11 "acquired",
        /// `task` has released the lock or a permit of the semaphore `other`.
        Released = 12 "released",
        /// `task` has set the event or the future `other`.
        Set = 13 "set",
        /// `task` has cleared the event `other`.
        Cleared = 14 "cleared",
        /// `task` has notified waiters of the condition `other`.
        Notified = 15 "notified",
        /// The loop asks the operating system for events.
        PollBegan = 16 "poll-began",
        /// The operating system has answered.
        PollEnded = 17 "poll-ended",
        /// A callback began.
        CallbackBegan = 18 "callback-began",
        /// A callback ended.
        CallbackEnded = 19 "callback-ended",
        /// Another thread has called `call_soon_threadsafe`.
        ThreadCalled = 20 "thread-called",
        /// `task` has submitted the job `other` to an executor.
        JobSubmitted = 21 "job-submitted",
        /// The executor has finished the job `other`; the detail is an [`Outcome`].
        JobFinished = 22 "job-finished",
        /// A timer of the task or resource `other` has expired.
        TimerExpired = 23 "timer-expired",
        /// `task` has sent bytes over the connection `other`.
        Sent = 24 "sent",
        /// `task` has received bytes from the connection `other`.
        Received = 25 "received",
        /// Events were dropped at this place.
        Lost = 26 "lost",
        /// The loop began to run.
        LoopStarted = 27 "loop-started",
        /// The loop has stopped.
        LoopStopped = 28 "loop-stopped",
        /// `task` takes the result of the task `other`, which is done.
        TaskDoneSeen = 29 "task-done-seen",
        /// The task `other` has a name. Only a recorder's own ring has this: a recording gives all
        /// names in its head.
        Named = 30 "named",
    }
}

numbered! {
    /// The kind of a wait, and of the resource that it is for.
    pub enum WaitKind {
        /// An item of a queue.
        QueueGet = 1 "queue.get",
        /// Room in a queue.
        QueuePut = 2 "queue.put",
        /// That all items of a queue are processed.
        QueueJoin = 3 "queue.join",
        /// A lock.
        Lock = 4 "lock",
        /// A permit of a semaphore.
        Semaphore = 5 "semaphore",
        /// That an event is set.
        Event = 6 "event",
        /// A notification of a condition.
        Condition = 7 "condition",
        /// The other parties of a barrier.
        Barrier = 8 "barrier",
        /// A moment.
        Sleep = 9 "sleep",
        /// The end of a time limit.
        Timeout = 10 "timeout",
        /// Several awaitables, whose results are gathered.
        Gather = 11 "gather",
        /// The first or all of several awaitables.
        Wait = 12 "wait",
        /// The tasks of a group.
        TaskGroup = 13 "task-group",
        /// An awaitable that is shielded from cancellation.
        Shield = 14 "shield",
        /// The result of a future.
        Future = 15 "future",
        /// The result of a task.
        Task = 16 "task",
        /// Bytes of a stream.
        StreamRead = 17 "stream.read",
        /// Room for more bytes in a stream.
        StreamDrain = 18 "stream.drain",
        /// That a socket is ready.
        Socket = 19 "socket",
        /// The addresses of a host.
        NameLookup = 20 "name-lookup",
        /// A child process.
        Subprocess = 21 "subprocess",
        /// A job of an executor.
        Executor = 22 "executor",
        /// A Rust future.
        RustFuture = 23 "rust-future",
        /// An awaitable that the loop does not know.
        Foreign = 24 "foreign",
        /// That the others have run once, as `sleep(0)` does.
        Yield = 25 "yield",
        /// A connection to a peer.
        Connect = 26 "connect",
        /// A connection from a peer.
        Accept = 27 "accept",
    }
}

numbered! {
    /// The cause of a wake-up.
    pub enum WakeCause {
        /// A task, or a callback of its step.
        Task = 1 "task",
        /// A timer.
        Timer = 2 "timer",
        /// A descriptor.
        Descriptor = 3 "descriptor",
        /// Another thread.
        Thread = 4 "thread",
        /// A signal.
        Signal = 5 "signal",
        /// A callback outside of any task.
        Callback = 6 "callback",
        /// A cancellation.
        Cancellation = 7 "cancellation",
    }
}

numbered! {
    /// How a task or a job ended.
    pub enum Outcome {
        /// It returned.
        Returned = 1 "returned",
        /// It raised an exception.
        Raised = 2 "raised",
        /// It was cancelled.
        Cancelled = 3 "cancelled",
    }
}

/// An event without its time, as the code in which it happens describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventBody {
    /// The kind of change.
    pub kind: EventKind,
    /// The sort of it: the number of a [`WaitKind`], a [`WakeCause`] or an [`Outcome`], or 0.
    pub detail: u8,
    /// The task in which it happened, or 0 outside of any task.
    pub task: u32,
    /// The other party, a task or a resource; 0 if there is none.
    pub other: u32,
    /// The place in the source, as an index of a table that the caller has; 0 if it is not known.
    pub site: u32,
    /// A number whose meaning depends on the kind.
    pub value: i64,
}

impl EventBody {
    /// An event of a kind whose other fields are 0.
    #[inline]
    pub const fn new(kind: EventKind) -> Self {
        Self {
            kind,
            detail: 0,
            task: 0,
            other: 0,
            site: 0,
            value: 0,
        }
    }

    /// The same with its time, in nanoseconds since the recording began.
    #[inline]
    pub const fn at(self, time: u64) -> Event {
        Event { time, body: self }
    }

    /// The kind of wait, of a kind of event that has one.
    pub const fn wait_kind(&self) -> Option<WaitKind> {
        match self.kind {
            EventKind::WaitBegan | EventKind::ResourceMade => WaitKind::from_number(self.detail),
            _ => None,
        }
    }

    /// The cause of a wake-up.
    pub const fn wake_cause(&self) -> Option<WakeCause> {
        match self.kind {
            EventKind::Woken => WakeCause::from_number(self.detail),
            _ => None,
        }
    }

    /// How a task or a job ended, if the event says so.
    pub const fn outcome(&self) -> Option<Outcome> {
        match self.kind {
            EventKind::TaskFinished | EventKind::JobFinished => Outcome::from_number(self.detail),
            _ => None,
        }
    }

    /// The name of the detail, if the format has one for this kind and number.
    pub fn detail_name(&self) -> Option<&'static str> {
        let wait_kind = self.wait_kind().map(WaitKind::name);
        let wake_cause = || self.wake_cause().map(WakeCause::name);
        let outcome = || self.outcome().map(Outcome::name);
        wait_kind.or_else(wake_cause).or_else(outcome)
    }
}

/// An event and its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Nanoseconds since the recording began, on a clock of the caller's.
    pub time: u64,
    /// The change.
    pub body: EventBody,
}

impl Event {
    /// The event as four words. No field loses a bit.
    #[inline]
    pub const fn to_words(self) -> [u64; 4] {
        let body = self.body;
        [
            self.time,
            u64::from_ne_bytes(body.value.to_ne_bytes()),
            (body.other as u64) << 32 | body.task as u64,
            (body.detail as u64) << 40 | (body.kind as u64) << 32 | body.site as u64,
        ]
    }

    /// The event that four words stand for, or `None` if its kind is none of the format.
    #[inline]
    pub const fn from_words(words: [u64; 4]) -> Option<Self> {
        let [time, value, parties, rest] = words;
        let Some(kind) = EventKind::from_number(byte(rest, 32)) else {
            return None;
        };
        let body = EventBody {
            kind,
            detail: byte(rest, 40),
            task: half(parties, 0),
            other: half(parties, 32),
            site: half(rest, 0),
            value: i64::from_ne_bytes(value.to_ne_bytes()),
        };
        Some(body.at(time))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the other bits are cut off on purpose"
)]
const fn byte(word: u64, shift: u32) -> u8 {
    (word >> shift) as u8
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the other bits are cut off on purpose"
)]
const fn half(word: u64, shift: u32) -> u32 {
    (word >> shift) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_and_each_name_leads_back_to_its_variant() {
        for number in 0..=u8::MAX {
            if let Some(kind) = EventKind::from_number(number) {
                assert_eq!(kind.number(), number);
                assert_eq!(EventKind::from_name(kind.name()), Some(kind));
            }
            if let Some(kind) = WaitKind::from_number(number) {
                assert_eq!(kind.number(), number);
                assert_eq!(WaitKind::from_name(kind.name()), Some(kind));
            }
        }
        assert_eq!(EventKind::from_number(0), None);
        assert_eq!(WakeCause::from_number(8), None);
        assert_eq!(Outcome::from_name("lost"), None);
    }

    #[test]
    fn the_numbers_are_those_of_the_format() {
        let document = include_str!("../../../../docs/trace-format.md");
        let rows = document.lines().filter(|line| line.starts_with('|'));
        let rows: Vec<Vec<&str>> = rows
            .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        let mut kinds = 0;
        for row in &rows {
            let (Ok(number), Some(name)) = (row[0].parse(), row[1].strip_prefix('`')) else {
                continue;
            };
            let kind = EventKind::from_number(number).expect(name);
            assert_eq!(kind.name(), name.trim_matches('`'));
            kinds += 1;
        }
        assert_eq!(kinds, EventKind::ALL.len());
        // The kinds of wait stand in rows of eight: numbers, a line, names.
        let mut named = 0;
        for (numbers, names) in rows.iter().zip(rows.iter().skip(2)) {
            if numbers.len() != 8 {
                continue;
            }
            for (number, name) in numbers.iter().zip(names) {
                let Ok(number) = number.parse() else { continue };
                let kind = WaitKind::from_number(number).expect(name);
                assert_eq!(kind.name(), name.trim_matches('`'));
                named += 1;
            }
        }
        // Three more are described in a sentence.
        assert_eq!(named + 3, WaitKind::ALL.len());
    }

    #[test]
    fn a_detail_has_the_name_that_its_kind_gives_it() {
        let check = |kind: EventKind, detail: u8, expected: Option<&str>| {
            let body = EventBody {
                detail,
                ..EventBody::new(kind)
            };
            assert_eq!(body.detail_name(), expected, "{body:?}");
        };
        check(EventKind::WaitBegan, 4, Some("lock"));
        check(EventKind::ResourceMade, 4, Some("lock"));
        check(EventKind::Woken, 4, Some("thread"));
        check(EventKind::TaskFinished, 3, Some("cancelled"));
        check(EventKind::JobFinished, 4, None);
        check(EventKind::Put, 4, None);
    }

    #[test]
    fn words_lose_nothing() {
        let extremes = [0, 1, u32::MAX - 1, u32::MAX];
        for kind in EventKind::ALL {
            for (index, one) in extremes.into_iter().enumerate() {
                let event = Event {
                    time: u64::MAX - u64::from(one),
                    body: EventBody {
                        kind: *kind,
                        detail: [0, 1, 254, 255][index],
                        task: one,
                        other: extremes[(index + 1) % 4],
                        site: extremes[(index + 2) % 4],
                        value: [i64::MIN, -1, 0, i64::MAX][index],
                    },
                };
                assert_eq!(Event::from_words(event.to_words()), Some(event));
            }
        }
        assert_eq!(Event::from_words([0; 4]), None);
        assert_eq!(size_of_val(&[0_u64; 4]), 32);
    }
}
