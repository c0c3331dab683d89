//! What holds a loop up, found out while it does.
//!
//! ```text
//!   the step is met again        it takes too long              it goes on
//!     a sample of the thread ──► another; the two are judged ──► does the package's thread
//!                                                                get the GIL?
//! ```
//! A step that is met once only, as those of a busy loop are, costs no sample: that is reading four
//! files. Between the two samples lies most of the step, so that the system's own accounts say how
//! its time was spent: on a processor, waiting for one, or waiting in a system call. A thread that
//! had no processor for most of the time is not to blame, whatever it was about to do.
//!
//! Who keeps the GIL shows in that others do not get it. A wait for it looks like one for any lock;
//! but the package's thread waits at the same address when it wants it too.

use std::fs;
use std::time::{Duration, Instant};

use greenloop_core::Look;
use greenloop_os::activity::{Activity, judge};
use greenloop_os::subject::{Descriptor, Subject};
use greenloop_os::thread_activity::{Sample, State, SystemCall, ThreadActivity, ThreadId};

use super::desk::Desk;
use super::stalls::Cause;
use crate::observing::Pulse;

/// A thread that runs Python code gives the GIL up after five milliseconds to one that asks for it
/// (`sys.setswitchinterval`).
const SOON: Duration = Duration::from_millis(30);

/// How long a thread has to have run, without others getting the GIL that want it, to be one that
/// keeps it. Python code that is asked for it gives it up sooner.
const MUCH: u64 = 20_000_000;

/// The condition variable of the GIL is one of several words that a wait may be for.
const NEARBY: u64 = 64;

/// What holds a loop up.
pub struct Finding {
    /// Which of the five kinds it is, if any.
    pub cause: Cause,
    /// The same in words.
    pub text: String,
    /// The system's number of the thread that has the GIL, or 0.
    pub holder: i32,
}

/// The inquiry into the steps of one loop.
pub struct Inquest {
    /// The loop's thread, as long as it is the same.
    thread: Option<ThreadActivity>,
    /// The step that the last look has met, unless the loop was idle.
    met: Option<u64>,
    /// The step, and the first sample of it.
    first: Option<(u64, Instant, Sample)>,
    /// What the samples say.
    activity: Option<Activity>,
    /// When the package's thread was asked, how many orders it had taken before, and for how many
    /// nanoseconds the loop's thread had run in its life.
    asked: Option<(Instant, u64, u64)>,
}

impl Inquest {
    /// Nothing is known.
    pub const fn new() -> Self {
        Self {
            thread: None,
            met: None,
            first: None,
            activity: None,
            asked: None,
        }
    }

    /// A look at the loop: a step that is met for the second time is sampled.
    pub fn look(&mut self, look: &Look, pulse: &Pulse) {
        let step = (!look.idle).then_some(look.progress);
        if std::mem::replace(&mut self.met, step) != step || step.is_none() {
            self.first = None;
            return;
        }
        if self.first.is_some_and(|(step, ..)| step == look.progress) {
            return;
        }
        let Some(thread) = pulse.thread() else { return };
        if self.thread.as_ref().map(ThreadActivity::thread) != Some(thread) {
            self.thread = Some(ThreadActivity::open(thread));
        }
        if let Some(thread) = &self.thread {
            self.first = Some((look.progress, Instant::now(), thread.sample()));
        }
        self.asked = None;
    }

    /// The step takes too long.
    pub fn find(&mut self) -> Finding {
        let (Some(thread), Some((_, since, before))) = (&self.thread, &self.first) else {
            return Finding::unknown("nothing is known of the thread");
        };
        let after = thread.sample();
        let elapsed = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let activity = judge(before, &after, elapsed);
        self.activity = Some(activity);
        match activity {
            Activity::OnCpu => Finding::running(),
            Activity::SystemCall(call) => Finding::of(Cause::SystemCall, in_words(thread, &call)),
            Activity::Futex { .. } => Finding::of(
                Cause::SystemCall,
                "it waits for a lock of another thread".to_owned(),
            ),
            Activity::NotScheduled { share } => Finding::of(
                Cause::Starved,
                format!(
                    "the machine gave it no processor for {:.0} % of the time",
                    share * 100.0
                ),
            ),
            Activity::Unknown(reason) => Finding::unknown(&reason.to_string()),
        }
    }

    /// The package's thread is about to be asked for the GIL.
    pub fn begin(&mut self, desk: &Desk) {
        let ran = self
            .thread
            .as_ref()
            .map_or(0, |thread| thread.sample().cpu_ns);
        self.asked = Some((Instant::now(), desk.taken(), ran));
    }

    /// The step goes on, and is one that nothing was to blame for: but now it has run for as long
    /// as a step may take, so that it would be too long on a machine with nothing else to do.
    pub fn is_to_blame(&mut self, threshold: Duration) -> bool {
        let (Some(Activity::NotScheduled { .. }), Some(thread), Some((_, _, before))) =
            (self.activity, &self.thread, &self.first)
        else {
            return false;
        };
        let ran = thread.sample().cpu_ns.saturating_sub(before.cpu_ns);
        let is_to_blame = u128::from(ran) >= threshold.as_nanos();
        if is_to_blame {
            self.activity = Some(Activity::OnCpu);
        }
        is_to_blame
    }

    /// The step goes on: what more is known, if anything is.
    pub fn go_on(&mut self, desk: &Desk) -> Option<Finding> {
        let (when, taken, ran) = self.asked?;
        if desk.taken() != taken {
            // It has the GIL: the step neither keeps it nor waits for it.
            self.asked = None;
            return None;
        }
        let thread = self.thread.as_ref()?;
        match self.activity? {
            Activity::OnCpu if when.elapsed() >= SOON => {
                let ran = thread.sample().cpu_ns.saturating_sub(ran);
                // One that was not given a processor has not got to where it would give the GIL up,
                // and neither has one that waits for a processor taken it.
                if ran < MUCH || futex_of(desk.thread()?).is_none() {
                    return None;
                }
                self.asked = None;
                let text = "native code runs, and keeps the interpreter's lock".to_owned();
                Some(Finding::of(Cause::Native, text))
            }
            Activity::Futex { address } => self.waits_for_the_gil(address, desk),
            // It polls for the GIL now and then, and has to wait for a processor each time.
            Activity::NotScheduled { .. } => {
                self.waits_for_the_gil(futex_of(thread.thread())?, desk)
            }
            Activity::SystemCall(call) if when.elapsed() >= SOON => {
                // The package's thread may wait for a processor.
                futex_of(desk.thread()?)?;
                let text = in_words(thread, &call);
                self.asked = None;
                Some(Finding::of(
                    Cause::SystemCall,
                    format!("{text}, and keeps the interpreter's lock"),
                ))
            }
            _ => None,
        }
    }
}

impl Inquest {
    /// If the loop's thread waits at this address, and the package's thread does as well.
    fn waits_for_the_gil(&mut self, address: u64, desk: &Desk) -> Option<Finding> {
        let futex = futex_of(desk.thread()?)?;
        if futex.abs_diff(address) > NEARBY {
            return None;
        }
        self.asked = None;
        let own = self.thread.as_ref()?.thread();
        let holder = busiest_but(own, desk.thread());
        Some(Finding {
            cause: Cause::Gil,
            text: "it waits for the interpreter's lock".to_owned(),
            holder: holder.map_or(0, ThreadId::as_raw),
        })
    }
}

impl Finding {
    const fn of(cause: Cause, text: String) -> Self {
        Self {
            cause,
            text,
            holder: 0,
        }
    }

    /// It runs.
    pub fn running() -> Self {
        Self::of(Cause::Running, "it runs".to_owned())
    }

    /// The step was over when it was looked at.
    pub fn too_late() -> Self {
        Self::unknown("it was over before anybody had looked what it does")
    }

    fn unknown(text: &str) -> Self {
        Self::of(Cause::Unknown, text.to_owned())
    }
}

/// The address of the lock that a thread waits for.
fn futex_of(thread: ThreadId) -> Option<u64> {
    let sample = ThreadActivity::open(thread).sample();
    sample.system_call.and_then(|call| call.futex())
}

/// A system call, and what it waits for.
fn in_words(thread: &ThreadActivity, call: &SystemCall) -> String {
    let text = format!("it waits in the system call {call}");
    match Subject::of(thread, call) {
        None => text,
        Some(Subject::Address(address)) => format!("{text}, for {address}"),
        Some(Subject::Path(path)) => format!("{text}, for {}", path.display()),
        Some(Subject::Descriptors(descriptors)) => {
            let names =
                descriptors
                    .iter()
                    .take(8)
                    .map(|descriptor| match Descriptor::of(*descriptor) {
                        Ok(known) => format!("{descriptor} ({known})"),
                        Err(_) => descriptor.to_string(),
                    });
            let names = names.collect::<Vec<_>>().join(", ");
            format!("{text}, for descriptor {names}")
        }
    }
}

/// The thread of this process that runs most, or is the only one awake, but for these and the one
/// that asks.
fn busiest_but(own: ThreadId, other: Option<ThreadId>) -> Option<ThreadId> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let numbers = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    let strangers = numbers.map(ThreadId::from_raw).filter(|thread| {
        *thread != own && Some(*thread) != other && *thread != ThreadId::current()
    });
    let threads: Vec<ThreadActivity> = strangers.map(ThreadActivity::open).collect();
    let cpu = |thread: &ThreadActivity| thread.sample().cpu_ns;
    let before: Vec<u64> = threads.iter().map(cpu).collect();
    std::thread::sleep(Duration::from_millis(5));
    let ran = threads.iter().zip(before).map(|(thread, before)| {
        let ran = cpu(thread).saturating_sub(before);
        (ran, thread.thread())
    });
    let busiest = ran.max_by_key(|(ran, _)| *ran)?;
    if busiest.0 > 500_000 {
        return Some(busiest.1);
    }
    // On a machine with too much to do it may have had no processor just now.
    let mut awake = threads
        .iter()
        .filter(|thread| thread.sample().state == State::Running);
    let only = awake.next()?;
    awake.next().is_none().then(|| only.thread())
}
