//! A thread whose life is known, shown by looks as the kernel would show it: whether the judgement
//! of two looks is true.

use greenloop_os::activity::{Activity, judge};
use greenloop_os::thread_activity::{Sample, State, SystemCall, WaitChannel};
use proptest::prelude::*;

/// What a thread does for a while.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Runs,
    /// It is awake and waits for a processor.
    Queued,
    /// It waits in the call with this number.
    Sleeps(libc::c_long),
}

#[derive(Clone, Copy, Debug)]
struct Phase {
    kind: Kind,
    length: u64,
}

/// The time that was spent in each way between two looks.
#[derive(Clone, Copy, Default, Debug)]
struct Spent {
    ran: u64,
    queued: u64,
    asleep: u64,
}

fn phase() -> impl Strategy<Value = Phase> {
    let kind = prop_oneof![
        Just(Kind::Runs),
        Just(Kind::Queued),
        (1..5_i64).prop_map(|number| Kind::Sleeps(number as libc::c_long)),
    ];
    let length = prop_oneof![1..1_000_u64, 1_000..30_000_u64];
    (kind, length).prop_map(|(kind, length)| Phase { kind, length })
}

/// A life as the kernel allows it: nobody goes from sleep to a processor, or from the queue to
/// sleep, without the step between, however short that is.
fn life() -> impl Strategy<Value = Vec<Phase>> {
    prop::collection::vec(phase(), 2..30).prop_map(|phases| {
        let mut life = vec![Phase {
            kind: Kind::Runs,
            length: 1,
        }];
        for phase in phases {
            let before = life.last().map(|phase| phase.kind);
            let between = match (before, phase.kind) {
                (Some(Kind::Sleeps(_)), Kind::Runs) => Some(Kind::Queued),
                (Some(Kind::Queued), Kind::Sleeps(_)) => Some(Kind::Runs),
                _ => None,
            };
            life.extend(between.map(|kind| Phase { kind, length: 1 }));
            life.push(phase);
        }
        life
    })
}

/// What a look shows at `time`, and how the time was spent up to then.
fn look(life: &[Phase], time: u64) -> (Sample, Spent) {
    let mut spent = Spent::default();
    let (mut start, mut slices, mut over) = (0, 0, 0);
    let mut previous = None;
    let mut now = Kind::Runs;
    for phase in life {
        let length = phase.length.min(time - start);
        match phase.kind {
            Kind::Runs => {
                if previous == Some(Kind::Queued) {
                    slices += 1;
                    over = spent.queued;
                }
                spent.ran += length;
            }
            Kind::Queued => spent.queued += length,
            Kind::Sleeps(_) => spent.asleep += length,
        }
        now = phase.kind;
        previous = Some(phase.kind);
        start += length;
        if length < phase.length {
            break;
        }
    }
    let sample = Sample {
        state: match now {
            Kind::Sleeps(_) => State::Sleeping,
            _ => State::Running,
        },
        on_cpu: now == Kind::Runs,
        cpu_ns: spent.ran,
        runqueue_ns: Some(over),
        slices: Some(slices),
        system_call: match now {
            Kind::Sleeps(number) => Some(SystemCall {
                number,
                arguments: [0; 6],
            }),
            _ => None,
        },
        wchan: WaitChannel::NONE,
        failure: None,
    };
    (sample, spent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_took_most_of_the_time_is_what_is_told(
        life in life(),
        moments in (0..1000_u64, 0..1000_u64),
    ) {
        let total: u64 = life.iter().map(|phase| phase.length).sum();
        let (first, second) = (moments.0.min(moments.1), moments.0.max(moments.1));
        // Before the end, so that the last phase is not over.
        let at = |moment: u64| moment * (total - 1) / 1000;
        let elapsed = at(second) - at(first);
        prop_assume!(elapsed > 0);
        let ((before, earlier), (after, later)) = (look(&life, at(first)), look(&life, at(second)));
        let spent = Spent {
            ran: later.ran - earlier.ran,
            queued: later.queued - earlier.queued,
            asleep: later.asleep - earlier.asleep,
        };
        let activity = judge(&before, &after, elapsed);
        let is_queued = |look: &Sample| look.state == State::Running && !look.on_cpu;
        let starved = matches!(activity, Activity::NotScheduled { .. });

        if 2 * spent.ran > elapsed {
            prop_assert_eq!(activity, Activity::OnCpu, "{:?}", spent);
        }
        if spent.queued == 0 {
            prop_assert!(!starved, "{:?} was told of {:?}", activity, spent);
        }
        // A wait that goes on is not known to be one, if the thread slept at the first look.
        if 2 * spent.queued > elapsed && !(before.is_blocked() && is_queued(&after)) {
            prop_assert!(starved, "{:?} was told of {:?}", activity, spent);
        }
        // The count of a wait that began before the first look is too large.
        if 2 * spent.asleep > elapsed && !is_queued(&before) {
            match after.system_call.or(before.system_call) {
                Some(call) => prop_assert_eq!(activity, Activity::SystemCall(call)),
                None if is_queued(&after) => {}
                None => prop_assert!(matches!(activity, Activity::Unknown(_))),
            }
        }
        if let Activity::NotScheduled { share } = activity {
            prop_assert!((0.5..=1.0).contains(&share));
        }
    }
}
