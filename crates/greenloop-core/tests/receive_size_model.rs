//! The receive-size predictor against a connection that delivers bytes by its advice: none is
//! lost, no receive is larger than allowed, and memory stays in proportion.

use greenloop_core::{Receive, ReceiveSizePredictor};
use proptest::prelude::*;

/// What happens to a connection.
#[derive(Clone, Debug)]
enum Step {
    /// So many more bytes have come.
    Arrive(usize),
    /// One receive. A spare object has `spare` times the room that was asked for, in quarters from
    /// one to two times.
    Receive { most: usize, spare: usize },
    /// The program has kept the object of the last receive, if it got one.
    Keep,
}

/// Sizes around those at which something changes.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..100_usize,
        4 => 0..300_000_usize,
        2 => prop::sample::select(vec![8191, 8192, 16_383, 16_384, 16_385, 32_768, 65_535, 65_536]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => size().prop_map(Step::Arrive),
        8 => (size(), 4..=8_usize).prop_map(|(most, spare)| Step::Receive { most, spare }),
        4 => (4..=8_usize).prop_map(|spare| Step::Receive { most: 256 * 1024, spare }),
        1 => Just(Step::Keep),
    ]
}

/// What the rules say, in the words of the rules.
#[derive(Default)]
struct Model {
    /// The amounts that came, and whether each was all there was room for, and in place.
    last: Option<(usize, bool, bool)>,
    keeps: bool,
}

impl Model {
    /// The room that the next object has, or `None` if the bytes are to be copied.
    fn room(&self, most: usize) -> Option<usize> {
        let (count, full, in_place) = self.last?;
        let expected = if full && in_place { 2 * count } else { count };
        if self.keeps || expected < 16_384 {
            return None;
        }
        // The least power of two that holds it, found the plain way.
        let mut room = 1;
        while room < expected {
            room *= 2;
        }
        Some(room.min(most).max(1))
    }
}

proptest! {
    #[test]
    fn the_advice_is_the_rules(steps in prop::collection::vec(step(), 1..80)) {
        let (mut predictor, mut model) = (ReceiveSizePredictor::new(), Model::default());
        let mut arrived = 0;
        let mut got_object = false;
        for step in steps {
            match step {
                Step::Arrive(count) => arrived += count,
                Step::Receive { most, spare } => {
                    let limit = most.min(65_536);
                    let expected = model.room(limit);
                    match predictor.next(most) {
                        Receive::Copied { most: asked } => {
                            prop_assert_eq!(expected, None);
                            prop_assert_eq!(asked, limit);
                            let count = arrived.min(asked);
                            predictor.copied(count, asked);
                            model.last = Some((count, count == asked, false));
                            arrived -= count;
                            got_object = false;
                        }
                        Receive::InPlace { room: least, most: asked } => {
                            prop_assert_eq!(expected, Some(least));
                            prop_assert_eq!(asked, limit);
                            let room = least * spare / 4;
                            let count = arrived.min(room).min(asked);
                            got_object = predictor.received(count, room, asked);
                            // What is handed on is half full, but for the odd byte.
                            prop_assert_eq!(got_object, room <= 2 * count + 1);
                            model.last = Some((count, count == room.min(asked), true));
                            arrived -= count;
                        }
                    }
                    let full = model.last.is_some_and(|(_, full, _)| full);
                    prop_assert_eq!(predictor.was_short(), !full);
                    // A receive that was short has left nothing behind.
                    prop_assert!(!predictor.was_short() || arrived == 0);
                }
                Step::Keep if got_object => {
                    predictor.kept();
                    model.keeps = true;
                }
                Step::Keep => {}
            }
        }
    }

    #[test]
    fn a_stream_that_never_ends_is_received_in_place_from_the_second_receive_on(
        most in 16_384..300_000_usize,
        receives in 1..20_usize,
    ) {
        let mut predictor = ReceiveSizePredictor::new();
        let Receive::Copied { most: asked } = predictor.next(most) else {
            return Err(TestCaseError::fail("nothing is known yet"));
        };
        predictor.copied(asked, asked);
        for _ in 0..receives {
            let Receive::InPlace { room, most } = predictor.next(most) else {
                return Err(TestCaseError::fail("much comes"));
            };
            prop_assert_eq!(room, most);
            prop_assert!(predictor.received(room, room, most));
        }
    }
}
