//! The read buffer against the plainest thing that does the same: a vector, searched window by
//! window.

use greenloop_core::{Limit, Message, ReadBuffer, find_message};
use proptest::prelude::*;

/// What happens to a buffer.
#[derive(Clone, Debug)]
enum Step {
    Extend(Vec<u8>),
    Consume(usize),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Extend),
        6 => (0..60_usize).prop_map(Step::Consume),
        1 => Just(Step::Clear),
    ]
}

/// Few distinct bytes, so that separators are met, overlap and are met in part.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"abc".to_vec()), 0..40)
}

fn separators() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let separator = prop::collection::vec(prop::sample::select(b"abc".to_vec()), 1..4);
    prop::collection::vec(separator, 1..4).prop_map(|mut separators| {
        separators.sort_by_key(Vec::len);
        separators
    })
}

/// Where the first separator to end begins and ends, the shortest of those that end there.
fn plain_find(content: &[u8], separators: &[&[u8]]) -> Option<(usize, usize)> {
    (0..=content.len()).find_map(|end| {
        let separator = separators.iter().find(|s| content[..end].ends_with(s))?;
        Some((end - separator.len(), end))
    })
}

/// Searches after each chunk that comes in, as a reader does, until the search says something.
fn search_in_chunks(
    content: &[u8],
    ends: impl IntoIterator<Item = usize>,
    separators: &[&[u8]],
    limit: Limit,
) -> Message {
    let mut searched = 0;
    for end in ends {
        match find_message(&content[..end], separators, searched, limit) {
            Message::Missing(next) => searched = next,
            found => return found,
        }
    }
    Message::Missing(searched)
}

proptest! {
    #[test]
    fn a_buffer_holds_what_a_vector_holds(steps in prop::collection::vec(step(), 0..60)) {
        let (mut buffer, mut model) = (ReadBuffer::new(), Vec::new());
        for step in steps {
            match step {
                Step::Extend(data) => {
                    buffer.extend(&data);
                    model.extend(data);
                }
                Step::Consume(count) => {
                    buffer.consume(count);
                    model.drain(..count.min(model.len()));
                }
                Step::Clear => {
                    buffer.clear();
                    model.clear();
                }
            }
            prop_assert_eq!(buffer.as_slice(), &model[..]);
            prop_assert_eq!(buffer.len(), model.len());
            prop_assert_eq!(buffer.is_empty(), model.is_empty());
        }
    }

    #[test]
    fn what_is_found_is_what_ends_first(content in content(), separators in separators()) {
        let separators: Vec<&[u8]> = separators.iter().map(Vec::as_slice).collect();
        let found = find_message(&content, &separators, 0, Limit(usize::MAX));
        match plain_find(&content, &separators) {
            Some((_, end)) => prop_assert_eq!(found, Message::Ends(end)),
            None => prop_assert!(matches!(found, Message::Missing(_))),
        }
    }

    #[test]
    fn a_message_within_the_limit_is_found_however_it_was_chopped(
        content in content(),
        separators in separators(),
        cuts in prop::collection::btree_set(0..40_usize, 0..10),
        limit in 1..40_usize,
    ) {
        let separators: Vec<&[u8]> = separators.iter().map(Vec::as_slice).collect();
        let ends = cuts.into_iter().filter(|end| *end < content.len());
        let ends = ends.chain([content.len()]);
        let found = search_in_chunks(&content, ends, &separators, Limit(limit));
        match plain_find(&content, &separators) {
            Some((begin, end)) if begin <= limit => prop_assert_eq!(found, Message::Ends(end)),
            Some(_) => prop_assert!(matches!(found, Message::TooLong(_) | Message::Overrun(_))),
            None => prop_assert!(matches!(found, Message::Missing(_) | Message::Overrun(_))),
        }
    }
}
