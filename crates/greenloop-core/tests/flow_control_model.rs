//! Flow control against asyncio's code, transcribed line by line, on bytes that come and go.

use greenloop_core::{FlowControl, Transition};
use proptest::prelude::*;

/// What happens to the bytes that wait, or to the marks.
#[derive(Clone, Copy, Debug)]
enum Step {
    Waiting(usize),
    SetHigh(usize),
    SetLow(usize),
}

/// Few distinct counts, so that the marks are met exactly, and the largest there is.
fn count() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0..12_usize,
        1 => prop::sample::select(vec![16_384, 16_385, 65_536, 65_537, usize::MAX]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => count().prop_map(Step::Waiting),
        1 => count().prop_map(Step::SetHigh),
        1 => count().prop_map(Step::SetLow),
    ]
}

/// The attributes that asyncio's classes have for it.
struct Asyncio {
    high_water: usize,
    low_water: usize,
    paused: bool,
}

impl Asyncio {
    const fn new() -> Self {
        Self {
            high_water: 65_536,
            low_water: 16_384,
            paused: false,
        }
    }

    /// `_FlowControlMixin._maybe_pause_protocol`: whether it calls the protocol.
    fn maybe_pause_protocol(&mut self, size: usize) -> bool {
        if size <= self.high_water {
            return false;
        }
        if !self.paused {
            self.paused = true;
            return true;
        }
        false
    }

    /// `_FlowControlMixin._maybe_resume_protocol`
    fn maybe_resume_protocol(&mut self, size: usize) -> bool {
        if self.paused && size <= self.low_water {
            self.paused = false;
            return true;
        }
        false
    }

    /// `SSLProtocol._control_ssl_reading`, and `_control_app_writing` likewise.
    fn control(&mut self, size: usize) -> Option<Transition> {
        if size >= self.high_water && !self.paused {
            self.paused = true;
            Some(Transition::Pause)
        } else if size <= self.low_water && self.paused {
            self.paused = false;
            Some(Transition::Resume)
        } else {
            None
        }
    }
}

/// Steps with the bytes in any order, after marks of the program's, or asyncio's own.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let marks = prop::option::weighted(0.9, (0..12_usize, 0..12_usize));
    let steps = prop::collection::vec(step(), 1..80);
    (marks, steps).prop_map(|(marks, steps)| {
        let marks = marks.map(|(high, low)| [Step::SetHigh(high), Step::SetLow(low)]);
        marks.into_iter().flatten().chain(steps).collect()
    })
}

proptest! {
    #[test]
    fn a_transport_is_controlled_as_asyncio_does_it(steps in steps()) {
        let (mut flow, mut asyncio) = (FlowControl::new(), Asyncio::new());
        let mut before = 0;
        for step in steps {
            match step {
                Step::Waiting(waiting) if waiting > before => {
                    prop_assert_eq!(flow.grew(waiting), asyncio.maybe_pause_protocol(waiting));
                    before = waiting;
                }
                Step::Waiting(waiting) => {
                    prop_assert_eq!(flow.shrank(waiting), asyncio.maybe_resume_protocol(waiting));
                    before = waiting;
                }
                Step::SetHigh(high) => {
                    flow.set_high(high);
                    asyncio.high_water = high;
                }
                Step::SetLow(low) => {
                    flow.set_low(low);
                    asyncio.low_water = low;
                }
            }
            prop_assert_eq!(flow.is_paused(), asyncio.paused);
            prop_assert_eq!((flow.high(), flow.low()), (asyncio.high_water, asyncio.low_water));
        }
    }

    #[test]
    fn a_side_of_tls_is_controlled_as_asyncio_does_it(steps in steps()) {
        let (mut flow, mut asyncio) = (FlowControl::new(), Asyncio::new());
        let mut last = Transition::Resume;
        for step in steps {
            match step {
                Step::Waiting(waiting) => {
                    let transition = flow.control(waiting);
                    prop_assert_eq!(transition, asyncio.control(waiting));
                    if let Some(transition) = transition {
                        prop_assert_ne!(transition, last, "told twice");
                        last = transition;
                    }
                }
                Step::SetHigh(high) => {
                    flow.set_high(high);
                    asyncio.high_water = high;
                }
                Step::SetLow(low) => {
                    flow.set_low(low);
                    asyncio.low_water = low;
                }
            }
            prop_assert_eq!(flow.is_paused(), last == Transition::Pause);
        }
    }

    #[test]
    fn between_two_transitions_the_bytes_cross_the_distance_of_the_marks(
        low in 0..20_usize,
        distance in 0..20_usize,
        counts in prop::collection::vec(0..60_usize, 1..80),
    ) {
        let mut flow = FlowControl::new();
        flow.set_high(low + distance);
        flow.set_low(low);
        let mut last: Option<usize> = None;
        for waiting in counts {
            if flow.control(waiting).is_some() {
                let crossed = last.map(|last| last.abs_diff(waiting));
                prop_assert!(crossed.is_none_or(|crossed| crossed >= distance));
                last = Some(waiting);
            }
        }
    }
}
