//! The recording of a process: the ring of events, and what the numbers in them stand for.

use std::collections::{HashMap, HashSet};

use greenloop_core::observe::{EventBody, Ring, WaitKind, Writer};
use greenloop_cpython::{GilCell, Object, Places};
use greenloop_os::Stopwatch;

use super::mode::{self, RECORDS};
use super::number::last_number;

/// The recording.
static RECORDER: GilCell<Option<Recorder>> = GilCell::new(None);

/// A recording.
pub struct Recorder {
    writer: Writer,
    stopwatch: Stopwatch,
    /// When the last event happened.
    last: u64,
    places: Places,
    names: Names,
    /// Called at the end of a step in which a resource got its number, to find its name.
    namer: Object,
    /// Whether a resource without a name has turned up since the last call.
    has_unnamed: bool,
    /// The places where resources turned up whose names were looked for.
    named_places: HashSet<u32>,
    /// The last number that was given before the recording began.
    older: u32,
    /// The older resources that have turned up.
    introduced: HashSet<u32>,
}

impl Recorder {
    /// A recording that keeps the latest `capacity` events, and begins now. Places are those of the
    /// program, outside of the folders of `libraries`.
    pub fn new(capacity: usize, libraries: Vec<String>, namer: Object) -> Self {
        Self {
            writer: Writer::new(capacity),
            stopwatch: Stopwatch::start(),
            last: 0,
            places: Places::new(libraries),
            names: Names::default(),
            namer,
            has_unnamed: false,
            named_places: HashSet::new(),
            older: last_number(),
            introduced: HashSet::new(),
        }
    }

    /// Whether a resource had its number before the recording began, and was not introduced since.
    pub fn is_older(&mut self, number: u32) -> bool {
        number <= self.older && self.introduced.insert(number)
    }

    /// Writes the first event of a resource. Its name is going to be looked for, unless one was
    /// looked for at the same place: what the same line makes has the same name. But each
    /// connection has ends of its own.
    pub fn introduce(&mut self, mut body: EventBody) {
        body.site = self.places.here();
        let is_connection = body.wait_kind() == Some(WaitKind::StreamRead);
        self.has_unnamed |= self.named_places.insert(body.site) || is_connection;
        self.write(body);
    }

    /// The function to call, if resources have got their numbers since the last call.
    pub fn take_namer(&mut self) -> Option<Object> {
        std::mem::take(&mut self.has_unnamed).then(|| self.namer.clone())
    }

    /// The ring of its events.
    pub fn ring(&self) -> &Ring {
        self.writer.ring()
    }

    /// The places that events name.
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// The names that events name.
    pub fn names(&self) -> &[String] {
        &self.names.all
    }

    /// The number of a name, from 1 on.
    pub fn name(&mut self, name: &str) -> u32 {
        self.names.number(name)
    }

    /// Writes an event that happens now.
    #[inline]
    pub fn write(&mut self, body: EventBody) {
        self.last = self.stopwatch.elapsed();
        self.writer.write(body.at(self.last));
    }

    /// Writes an event that happens in the same moment as the one before: asking for the time would
    /// take longer than what lies in between.
    #[inline]
    pub fn write_at_once(&self, body: EventBody) {
        self.writer.write(body.at(self.last));
    }

    /// The same, at the place where a coroutine waits.
    pub fn write_at_wait(&mut self, mut body: EventBody, coroutine: &Object) {
        body.site = self.places.of_coroutine(coroutine);
        self.write(body);
    }

    /// The same of a wait, which ends in so many seconds, at the place where the program has called
    /// us.
    #[inline]
    pub fn write_wait(&mut self, mut body: EventBody, remaining: Option<f64>) {
        body.site = self.places.here();
        self.last = self.stopwatch.elapsed();
        if let Some(seconds) = remaining {
            body.value = deadline(self.last, seconds);
        }
        self.write_at_once(body);
    }

    /// The same, at the place where the program has called us.
    #[inline]
    pub fn write_at_place(&mut self, mut body: EventBody) {
        body.site = self.places.here();
        self.write(body);
    }
}

/// The moment in so many seconds, in nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a deadline in the far future is cut off"
)]
fn deadline(now: u64, seconds: f64) -> i64 {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    now.saturating_add((seconds * 1e9) as i64)
}

/// The most names that are kept. A program can make up a name for each task.
const MOST_NAMES: usize = 1 << 16;

/// The names of the coroutines and of named tasks, each once.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
    all: Vec<String>,
}

impl Names {
    /// The number of a name, from 1 on; 0 if there are too many.
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        if self.all.len() >= MOST_NAMES {
            return 0;
        }
        self.all.push(name.to_owned());
        let number = u32::try_from(self.all.len()).unwrap_or(0);
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// Gives `access` the recording, if there is one, for a moment in which no Python code runs and no
/// object is dropped.
#[inline]
pub fn with_recorder<R>(access: impl FnOnce(&mut Recorder) -> R) -> Option<R> {
    RECORDER.with(|recorder| recorder.as_mut().map(access))
}

/// Puts a recording, or none, in the place of the present one, which the caller drops.
pub fn replace(recorder: Option<Recorder>) -> Option<Recorder> {
    mode::set(RECORDS, recorder.is_some());
    RECORDER.with(|place| std::mem::replace(place, recorder))
}
