//! Random schedules of steps, looked at by a watchdog: which of them it reports, and when.

use std::time::Duration;

use greenloop_core::{Episode, Instant, Look, Watchdog};
use proptest::prelude::*;

/// A part of the loop's life, which begins where the one before it ends.
#[derive(Clone, Copy, Debug)]
struct Part {
    idle: bool,
    length: Duration,
}

/// A part with its place in time.
#[derive(Clone, Copy, Debug)]
struct Placed {
    part: Part,
    start: Duration,
    end: Duration,
}

/// An episode as it was reported: when it began, when it ended, and its length.
#[derive(Clone, Copy, Debug)]
struct Report {
    since: Instant,
    begin: Duration,
    end: Duration,
    length: Duration,
}

/// Steps around the threshold are as frequent as short and long ones.
fn part() -> impl Strategy<Value = Part> {
    let microseconds = prop_oneof![
        4 => 1..3_000_u64,
        3 => 3_000..150_000_u64,
        1 => 150_000..500_000_u64,
    ];
    (prop::bool::weighted(0.3), microseconds).prop_map(|(idle, microseconds)| Part {
        idle,
        length: Duration::from_micros(microseconds),
    })
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    prop::collection::vec(part(), 1..20)
}

fn threshold() -> impl Strategy<Value = Duration> {
    (0..200_000_u64).prop_map(Duration::from_micros)
}

/// The parts one after the other.
fn placed(parts: &[Part]) -> Vec<Placed> {
    let mut start = Duration::ZERO;
    let place = |&part: &Part| {
        let end = start + part.length;
        let placed = Placed { part, start, end };
        start = end;
        placed
    };
    parts.iter().map(place).collect()
}

fn instant(time: Duration) -> Instant {
    // An origin for which seconds have no exact binary form.
    Instant::new(12_345.678) + time
}

/// Looks at the parts from their beginning until all are over, each time after the watchdog's own
/// interval and `late` of the look's number. Checks that episodes begin and end in turn, and
/// returns them.
fn watch(
    parts: &[Placed],
    watchdog: &mut Watchdog,
    late: impl Fn(usize) -> Duration,
    clock: impl Fn(usize, Duration) -> Instant,
    before_look: impl Fn(usize, &mut Watchdog),
) -> Result<Vec<Report>, TestCaseError> {
    let mut reports = Vec::new();
    let mut open: Option<(Instant, Duration)> = None;
    let mut time = Duration::ZERO;
    for number in 0.. {
        before_look(number, watchdog);
        let current = parts.iter().position(|placed| time < placed.end);
        let seen = watchdog.look(Look {
            now: clock(number, time),
            progress: current.map_or(0, |index| index as u64),
            idle: current.is_none_or(|index| parts[index].part.idle),
        });
        match (seen, open) {
            (Some(Episode::Begin { since }), None) => open = Some((since, time)),
            (Some(Episode::End { length }), Some((since, begin))) => {
                open = None;
                let end = time;
                reports.push(Report {
                    since,
                    begin,
                    end,
                    length,
                });
            }
            (Some(Episode::Continue), Some(_)) | (None, None) => {}
            (seen, open) => prop_assert!(false, "{seen:?} while {open:?} is open"),
        }
        if current.is_none() {
            break;
        }
        time += watchdog.until_next_look() + late(number);
    }
    Ok(reports)
}

/// The part during which an episode began.
fn step_of(report: &Report, parts: &[Placed]) -> Option<usize> {
    let holds = |placed: &Placed| placed.start <= report.begin && report.begin < placed.end;
    parts.iter().position(holds)
}

const fn no_delay(_: usize) -> Duration {
    Duration::ZERO
}

fn true_clock(_: usize, time: Duration) -> Instant {
    instant(time)
}

const fn nothing(_: usize, _: &mut Watchdog) {}

proptest! {
    #[test]
    fn each_step_that_is_too_long_is_reported_once_while_it_lasts_and_no_other_is(
        parts in parts(),
        threshold in threshold(),
    ) {
        let parts = placed(&parts);
        let mut watchdog = Watchdog::new(threshold);
        let reports = watch(&parts, &mut watchdog, no_delay, true_clock, nothing)?;
        let (threshold, interval) = (watchdog.threshold(), watchdog.interval());
        prop_assert!(interval <= Duration::from_millis(20));
        let mut reported = vec![0; parts.len()];
        for report in &reports {
            let index = step_of(report, &parts).expect("it began before the end of all");
            let step = parts[index];
            reported[index] += 1;
            prop_assert!(!step.part.idle);
            prop_assert!(step.part.length >= threshold, "{step:?} is short");
            // Found in time, ended in time, and as long as the step to within an interval.
            prop_assert!(report.begin <= step.start + threshold + interval);
            prop_assert!(step.end <= report.end && report.end <= step.end + interval);
            prop_assert!(instant(step.start) <= report.since);
            prop_assert!(report.length.abs_diff(step.part.length) <= interval);
        }
        for (step, reported) in parts.iter().zip(reported) {
            prop_assert!(reported <= 1, "{step:?} was reported {reported} times");
            if !step.part.idle && step.part.length > threshold + interval {
                prop_assert_eq!(reported, 1, "{:?} was missed", step);
            }
        }
    }

    #[test]
    fn late_looks_report_no_step_that_is_short(
        parts in parts(),
        threshold in threshold(),
        delays in prop::collection::vec(0..300_u64, 1..20),
    ) {
        let parts = placed(&parts);
        let mut watchdog = Watchdog::new(threshold);
        let late = |number: usize| Duration::from_millis(delays[number % delays.len()]);
        let reports = watch(&parts, &mut watchdog, late, true_clock, nothing)?;
        for report in &reports {
            let step = parts[step_of(report, &parts).expect("it began before the end of all")];
            prop_assert!(!step.part.idle && step.part.length >= watchdog.threshold());
            prop_assert!(instant(step.start) <= report.since);
        }
    }

    #[test]
    fn a_clock_that_jumps_never_breaks_the_order_of_reports(
        parts in parts(),
        threshold in threshold(),
        jumps in prop::collection::vec(
            prop_oneof![
                8 => Just(0.0),
                1 => -1e6..1e6_f64,
                1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
            ],
            1..20,
        ),
    ) {
        let parts = placed(&parts);
        let mut watchdog = Watchdog::new(threshold);
        let clock = |number: usize, time: Duration| {
            Instant::new(instant(time).as_secs() + jumps[number % jumps.len()])
        };
        let reports = watch(&parts, &mut watchdog, no_delay, clock, nothing)?;
        for report in &reports {
            let step = parts[step_of(report, &parts).expect("it began before the end of all")];
            prop_assert!(!step.part.idle);
        }
    }

    #[test]
    fn one_jump_in_a_step_begins_no_episode_before_half_of_the_threshold_has_passed(
        threshold in threshold(),
        at in 0..60_usize,
        by in 0.0..1e6_f64,
    ) {
        let endless = Part { idle: false, length: Duration::from_secs(1) };
        let parts = placed(&[endless]);
        let mut watchdog = Watchdog::new(threshold);
        let clock = |number: usize, time: Duration| {
            let jump = if number < at { 0.0 } else { by };
            Instant::new(instant(time).as_secs() + jump)
        };
        let reports = watch(&parts, &mut watchdog, no_delay, clock, nothing)?;
        prop_assert_eq!(reports.len(), 1);
        prop_assert!(2 * reports[0].begin + Duration::from_nanos(9) >= watchdog.threshold());
    }

    #[test]
    fn a_threshold_may_change_at_any_look(
        parts in parts(),
        thresholds in prop::collection::vec(threshold(), 1..20),
    ) {
        let parts = placed(&parts);
        let least = *thresholds.iter().min().expect("there is one");
        let most = *thresholds.iter().max().expect("there is one");
        let mut watchdog = Watchdog::new(thresholds[0]);
        let change = |number: usize, watchdog: &mut Watchdog| {
            if number % 3 == 0 {
                watchdog.set_threshold(thresholds[number / 3 % thresholds.len()]);
            }
        };
        let reports = watch(&parts, &mut watchdog, no_delay, true_clock, change)?;
        let mut reported = vec![0; parts.len()];
        for report in &reports {
            let index = step_of(report, &parts).expect("it began before the end of all");
            reported[index] += 1;
            prop_assert!(!parts[index].part.idle && parts[index].part.length >= least);
        }
        // An interval of the largest threshold may pass unseen, and until a smaller one holds.
        let surely = most.max(Duration::from_millis(1)) + Duration::from_millis(40);
        for (step, reported) in parts.iter().zip(reported) {
            prop_assert!(reported <= 1);
            if !step.part.idle && step.part.length > surely {
                prop_assert_eq!(reported, 1, "{:?} was missed", step);
            }
        }
    }
}
