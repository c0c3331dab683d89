//! The bytes that a stream has received and nobody has read yet, and the search for the end of a
//! message in them.
//!
//! The search is asyncio's `readuntil` to the letter, with one invariant: the chunks in which the
//! bytes arrived change neither the result nor which limit a message that is there overruns. It
//! works on plain slices, so that bytes kept elsewhere need not be copied into the buffer to be
//! searched.

use memchr::{memchr, memmem};

/// Bytes that come in at the end and leave at the front.
///
/// Taking from the front moves nothing: the bytes that are left move down only when they are fewer
/// than those that have gone, so each byte moves at most once on the average.
#[derive(Debug, Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    /// How many of `bytes` have been read.
    start: usize,
}

impl ReadBuffer {
    /// The capacity that an empty buffer keeps for the next bytes: ten thousand idle connections
    /// shall not each keep the memory of their largest message.
    const KEPT_CAPACITY: usize = 4096;

    /// An empty buffer, without an allocation.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
        }
    }

    /// The bytes that were not read yet.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts bytes at the end.
    pub fn extend(&mut self, data: &[u8]) {
        if self.start > self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(data);
    }

    /// Removes the first `count` bytes, or all if there are fewer.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        if count < self.len() {
            self.start += count;
        } else {
            self.clear();
        }
    }

    /// Removes all bytes.
    pub fn clear(&mut self) {
        self.start = 0;
        self.bytes.clear();
        if self.bytes.capacity() > Self::KEPT_CAPACITY {
            self.bytes = Vec::new();
        }
    }
}

/// How long a message may be, from which follows how much may be buffered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit(pub usize);

impl Limit {
    /// Whether the sender must be paused, because too much of its data is unread.
    #[inline]
    pub const fn is_flooded(self, buffered: usize) -> bool {
        buffered > self.0.saturating_mul(2)
    }

    /// Whether a paused sender may resume.
    #[inline]
    pub const fn has_room(self, buffered: usize) -> bool {
        buffered <= self.0
    }
}

/// The result of a search for the end of a message. Positions are counted from the front.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// It ends here, its separator included.
    Ends(usize),
    /// It is there but over the limit; its separator begins here.
    TooLong(usize),
    /// It is not there, and the bytes that cannot belong to its separator exceed the limit already.
    Overrun(usize),
    /// It is not there yet; the next search need not begin before this place.
    Missing(usize),
}

/// Looks for the message that ends soonest, by any of `separators`, of which none is empty and the
/// shortest comes first and the longest last.
///
/// `searched` is the answer of an earlier search of the same bytes with fewer behind them, or 0.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "with known separators most of it is gone"
)]
pub fn find_message(
    content: &[u8],
    separators: &[&[u8]],
    searched: usize,
    limit: Limit,
) -> Message {
    let shortest = separators.first().map_or(1, |separator| separator.len());
    let longest = separators.last().map_or(1, |separator| separator.len());
    if content.len() < searched.saturating_add(shortest) {
        return Message::Missing(searched);
    }
    let matches = separators
        .iter()
        .filter_map(|separator| find(content, separator, searched));
    // Of two that end at the same place the shorter separator, which comes first, is the one.
    match matches.min_by_key(|(_, end)| *end) {
        Some((begin, _)) if begin > limit.0 => Message::TooLong(begin),
        Some((_, end)) => Message::Ends(end),
        None => {
            let searched = (content.len() + 1).saturating_sub(longest);
            if searched > limit.0 {
                Message::Overrun(searched)
            } else {
                Message::Missing(searched)
            }
        }
    }
}

/// The beginning and the end of `separator`.
#[inline]
fn find(content: &[u8], separator: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = &content[from..];
    let begin = match separator {
        [byte] => memchr(*byte, rest)?,
        _ => memmem::find(rest, separator)?,
    };
    let begin = from + begin;
    Some((begin, begin + separator.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Limit = Limit(usize::MAX);

    #[test]
    fn a_line_ends_behind_its_separator() {
        assert_eq!(
            find_message(b"one\ntwo\n", &[b"\n"], 0, WIDE),
            Message::Ends(4)
        );
    }

    #[test]
    fn what_is_missing_is_not_searched_twice() {
        assert_eq!(
            find_message(b"12345", &[b"\r\n"], 0, WIDE),
            Message::Missing(4)
        );
        assert_eq!(
            find_message(b"12345\r\n", &[b"\r\n"], 4, WIDE),
            Message::Ends(7)
        );
    }

    #[test]
    fn a_separator_does_not_fit_into_nothing() {
        assert_eq!(find_message(b"", &[b"\n"], 0, WIDE), Message::Missing(0));
    }

    #[test]
    fn the_message_that_ends_soonest_counts_and_then_the_shortest_separator() {
        let separators: &[&[u8]] = &[b"C", b"BC", b"AB"];
        assert_eq!(find_message(b"xABC", separators, 0, WIDE), Message::Ends(3));
        assert_eq!(
            find_message(b"xBC", separators, 0, Limit(1)),
            Message::TooLong(2)
        );
    }

    #[test]
    fn the_limit_leaves_out_the_separator() {
        assert_eq!(
            find_message(b"123\n", &[b"\n"], 0, Limit(3)),
            Message::Ends(4)
        );
        assert_eq!(
            find_message(b"1234\n", &[b"\n"], 0, Limit(3)),
            Message::TooLong(4)
        );
        assert_eq!(
            find_message(b"123", &[b"\n"], 0, Limit(3)),
            Message::Missing(3)
        );
        assert_eq!(
            find_message(b"1234", &[b"\n"], 0, Limit(3)),
            Message::Overrun(4)
        );
    }

    #[test]
    fn a_sender_is_held_up_over_twice_the_limit_and_let_go_at_the_limit() {
        assert!(!Limit(4).is_flooded(8));
        assert!(Limit(4).is_flooded(9));
        assert!(!Limit(4).has_room(5));
        assert!(Limit(4).has_room(4));
        assert!(!WIDE.is_flooded(usize::MAX));
    }

    #[test]
    fn an_emptied_buffer_gives_large_memory_back() {
        let mut buffer = ReadBuffer::new();
        buffer.extend(&vec![0; 100_000]);
        buffer.consume(100_000);
        assert!(buffer.bytes.capacity() <= ReadBuffer::KEPT_CAPACITY);
    }
}
